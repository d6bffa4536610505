"""Rows of others, read with suspicion: each field checked, its fault said in one line."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]  # Any: JSON of others

TOKENS_MAX = 10**12
METADATA_MAX = 12_000  # characters of JSON; what is longer is not taken along
LABEL_MAX = 256
_ID = re.compile(r"[A-Za-z0-9._:@-]{1,200}")


class BadRow(Exception):
    """A row that cannot be understood; its text is what is wrong."""


def read_list(content: bytes) -> list[Any]:  # Any: JSON
    """A file that is a JSON list; `BadRow` says why it is not."""
    try:
        value = json.loads(content.decode("utf-8-sig"), parse_constant=_refused)
    except UnicodeDecodeError as error:
        raise BadRow(f"is not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        cut = error.msg.startswith("Unterminated") or error.pos >= len(error.doc.rstrip())
        end = " (it ends too early)" if cut else ""
        where = f"line {error.lineno} column {error.colno}"
        raise BadRow(f"is not JSON: {error.msg.removesuffix(' at')} at {where}{end}") from None
    except (ValueError, RecursionError) as error:
        raise BadRow(f"is not JSON that can be read: {error}") from None
    if not isinstance(value, list):
        raise BadRow(f"is a JSON {_kind(value)}, not a list")
    return value


def as_row(value: Any) -> Row:  # Any: JSON
    """One element of a list that has to be an object."""
    if not isinstance(value, dict):
        raise BadRow(f"is a {_kind(value)}, not an object")
    return value


def text(row: Row, name: str, default: str | None = None) -> str:
    """A text that has to be there, unless there is a default."""
    value = row.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise BadRow(f"{name} is {_shown(value)}, not a text")
    return clean(value)


def optional_text(row: Row, name: str) -> str | None:
    """A text or nothing; an empty one is nothing."""
    return text(row, name, "") or None


def whole(row: Row, name: str, most: int = TOKENS_MAX) -> int:
    """A whole number, 0 or more."""
    value = row.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRow(f"{name} is {_shown(value)}, not a whole number")
    if not 0 <= value <= most:
        raise BadRow(f"{name} is {_shown(value)}, not 0 to {most}")
    return value


def truth(row: Row, name: str, *, default: bool) -> bool:
    """True or false."""
    value = row.get(name, default)
    if not isinstance(value, bool):
        raise BadRow(f"{name} is {_shown(value)}, not true or false")
    return value


def share(row: Row, name: str) -> Decimal | None:
    """A share above 0 and up to 1."""
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRow(f"{name} is {_shown(value)}, not a share like 0.8")
    found = Decimal(repr(value))
    if not 0 < found <= 1:
        raise BadRow(f"{name} is {_shown(value)}, not above 0 and up to 1")
    return found


def moment(row: Row, name: str) -> datetime:
    """A time as ISO 8601, with or without an offset."""
    value = row.get(name)
    try:
        return datetime.fromisoformat(value)  # type: ignore[arg-type]  # any JSON may be here
    except (TypeError, ValueError):
        raise BadRow(f"{name} is {_shown(value)}, not a time like 2026-02-09T09:14:03") from None


def optional_moment(row: Row, name: str) -> datetime | None:
    """The same, or nothing."""
    return None if row.get(name) in (None, "") else moment(row, name)


def mapping(row: Row, name: str) -> dict[str, Any]:  # Any: JSON
    """An object, or nothing; what is too long to be kept is left out, and that is said in it."""
    value = row.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRow(f"{name} is a {_kind(value)}, not an object")
    try:
        found: dict[str, Any] = cleaned(value)
        length = len(json.dumps(found, ensure_ascii=False))
    except RecursionError:
        raise BadRow(f"{name} is nested too deeply to be read") from None
    return found if length <= METADATA_MAX else {"left_out_characters": length}


def choice(row: Row, name: str, known: tuple[str, ...]) -> str:
    """One of the known words; `BudgetTier.REMOTE_HEAVYWEIGHT` is `remote_heavyweight` too."""
    word = text(row, name)
    found = word.rpartition(".")[2].lower()
    if found not in known:
        raise BadRow(f"{name} is {_shown(word)}, not one of {', '.join(known)}")
    return found


def own_id(kind: str, given: str) -> str:
    """An id of theirs as one of ours: itself where it can be one, else made of it."""
    if _ID.fullmatch(given):
        return given
    return f"{kind}:{hashlib.sha256(given.encode()).hexdigest()[:40]}"


def label(value: str) -> str | None:
    """A text as a label's value; an empty one is none."""
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
    return printable[:LABEL_MAX] or None


def clean(value: str) -> str:
    """A text that every store can hold: no NUL, no halves of characters."""
    if value.isascii() and "\0" not in value:
        return value
    whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")


def cleaned(value: Any) -> Any:  # Any: JSON
    """The same for all texts in it; a number that JSON could not give back is text."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(name)): cleaned(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [cleaned(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # 1e999: no number that JSON could give back
    return value


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _shown(value: Any) -> str:  # Any: JSON
    if value is None:
        return "missing"
    shown = json.dumps(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}…"


def _kind(value: Any) -> str:  # Any: JSON
    names = {dict: "object", list: "list", str: "text", bool: "truth", type(None): "null"}
    return names.get(type(value), "number")
