"""JSON that people have in files: read exactly, its faults named by file and place."""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal, DecimalException
from pathlib import Path
from typing import Any, NoReturn

from tekton_budget.domain.errors import InvalidInput

FILE_MAX = 64 << 20
STDIN = Path("-")
_DATA = "data:"  # of server-sent events
_DONE = "[DONE]"
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character told as two


def read_json(path: Path) -> Any:  # Any: JSON, its fractions as decimals
    """A file's value; `-` is standard input."""
    text = _text_of(path)
    value = _parsed(path, text)
    if _HALF.search(text) and not _can_be_written(value):
        _refuse(path, r"has half a character (\ud800 to \udfff alone): mend it")
    return value


def read_answer(path: Path) -> Any:  # Any: JSON, its fractions as decimals
    """A provider's answer: one JSON value, or a stream as it was written down, an event a line."""
    text = _text_of(path)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any(line.startswith(_DATA) for line in lines):
        sent = [line.removeprefix(_DATA).strip() for line in lines if line.startswith(_DATA)]
        return [_parsed(path, one) for one in sent if one != _DONE]
    if len(lines) > 1 and all(line.startswith("{") and line.endswith("}") for line in lines):
        return [_parsed(path, line) for line in lines]
    return _parsed(path, text)


@contextmanager
def of_file(path: Path) -> Iterator[None]:
    """Refusals of what a file says begin with its name."""
    try:
        yield
    except InvalidInput as fault:
        raise InvalidInput(
            f"{_named(path)}: {fault.detail}", *fault.fields, code=fault.code, **fault.extra
        ) from fault


def _text_of(path: Path) -> str:
    try:
        if path == STDIN:
            content = sys.stdin.buffer.read(FILE_MAX + 1)
        else:
            with path.open("rb") as file:
                content = file.read(FILE_MAX + 1)
    except FileNotFoundError:
        _refuse(path, "there is no such file")
    except OSError as error:
        _refuse(path, f"cannot be read: {error.strerror or error}")
    if len(content) > FILE_MAX:
        _refuse(path, f"is larger than {FILE_MAX >> 20} MiB: part it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(path, f"is not UTF-8 (byte {error.start:,}): save it as UTF-8")


def _parsed(path: Path, text: str) -> Any:  # Any: JSON, its fractions as decimals
    try:
        return json.loads(
            text, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_once
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        _refuse(path, f"is no JSON ({error.msg} at {place}): mend it there")
    except RecursionError:
        _refuse(path, "has too many objects and lists in each other")
    except (ValueError, DecimalException) as error:
        _refuse(path, f"is no JSON that can be used: {error}")


def _can_be_written(value: Any) -> bool:  # Any: JSON
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object; one of two values under a name would be lost without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'"{twice}" is there twice in one object: take one out')
    return found


def _refuse(path: Path, why: str) -> NoReturn:
    raise InvalidInput(f"{_named(path)}: {why}", code="invalid_file")


def _named(path: Path) -> str:
    return "standard input" if path == STDIN else str(path)
