"""The rows of the tables: what a field of a request costs, or why it is refused."""

from collections.abc import Callable, Mapping, Set
from numbers import Real
from typing import Any, NamedTuple

from .draft import Draft, wrong
from .sizes import json_bytes

_NUMBER_MAX = 2**31

Reader = Callable[[Draft, Any, str], None]  # Any: JSON; the draft, the value, its dotted path


class Row(NamedTuple):
    """A field: how it is read, in a few words what it costs, and whether it shapes the input."""

    read: Reader | None  # None: it costs nothing
    bound: str
    shapes: bool = False  # with another value the provider counts the messages differently


class Table:
    """The fields that an object may have."""

    __slots__ = ("_quick", "rows")

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self.rows = rows
        self._quick = {name: (row.read, row.shapes) for name, row in rows.items()}

    def read(self, draft: Draft, body: Mapping[str, Any], path: str = "") -> None:  # Any: JSON
        """Read every field into the draft; a field in no row is refused, if it says anything."""
        quick = self._quick
        for name, value in body.items():
            if value is None:
                continue
            found = quick.get(name)
            if found is None:
                draft.unknown(f"{path}{name}", drop=None if path else (name,))
                draft.tokens += json_bytes(value)
                continue
            read, shapes = found
            if read is not None:
                read(draft, value, f"{path}{name}" if path else name)
            if shapes:
                draft.head[f"{path}{name}"] = value


FREE = Row(None, "costs nothing")
FREE_SHAPING = Row(None, "costs nothing", shapes=True)


def free(*names: str) -> dict[str, Row]:
    """Fields that cost nothing."""
    return dict.fromkeys(names, FREE)


def refused(why: str) -> Row:
    """A field that has no bound, with what to send instead; off, it is let pass."""

    def read(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
        if value not in (False, [], {}, ""):
            draft.unknown(path, why)

    return Row(read, f"refused: {why}")


def both_spellings(rows: Mapping[str, Row]) -> dict[str, Row]:
    """Rows named in camelCase, under their snake_case spelling too."""
    found = dict(rows)
    for name, row in rows.items():
        found["".join(f"_{c.lower()}" if c.isupper() else c for c in name)] = row
    return found


def text(value: Any, path: str) -> str:  # Any: JSON
    """A text, or a refusal."""
    if isinstance(value, str):
        return value
    raise wrong(path, "must be a text")


def whole(value: Any, path: str, least: int = 0) -> int:  # Any: JSON
    """A whole number of at least so much, or a refusal."""
    number = value if type(value) is int else _whole_of(value)
    if number is not None and least <= number < _NUMBER_MAX:
        return number
    raise wrong(path, f"must be a whole number of at least {least} and below 2^31")


def mapping(value: Any, path: str) -> dict[str, Any]:  # Any: JSON
    """An object, or a refusal."""
    if isinstance(value, dict):
        return value
    raise wrong(path, "must be an object")


def once(value: Mapping[str, Any], path: str) -> None:  # Any: JSON
    """Refuse a field in both spellings: which of them a provider reads is its own affair."""
    seen: dict[str, str] = {}
    for name, inner in value.items():
        plain = name.replace("_", "").lower()
        if inner is not None and seen.setdefault(plain, name) != name:
            raise wrong(f"{path}{name}", f"was sent as {seen[plain]} too; send one of them")


def kind_of(value: Any, path: str) -> str:  # Any: JSON
    """The type of an object; empty where it names none."""
    kind = mapping(value, path).get("type")
    return kind if isinstance(kind, str) else ""


def items(value: Any, path: str) -> list[Any]:  # Any: JSON
    """A list, or a refusal."""
    if isinstance(value, list):
        return value
    raise wrong(path, "must be a list")


def only(value: Mapping[str, Any], known: Set[str], draft: Draft, path: str) -> None:  # Any: JSON
    """Refuse names that an object of this kind is not known to have."""
    for name in value.keys() - known:
        if value[name] is not None:
            draft.unknown(f"{path}.{name}")


def read_json(draft: Draft, value: Any, _path: str) -> None:  # Any: JSON
    """Whatever stands in a prompt as it is: at most the bytes of its JSON."""
    draft.tokens += json_bytes(value)


def read_stream(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """Whether the answer comes in frames."""
    if type(value) is not bool:
        raise wrong(path, "must be true or false")
    draft.stream = value


MODEL = Row(None, "its prices and its context window")
STREAM = Row(read_stream, "costs nothing")
JSON = Row(read_json, "bytes of its JSON", shapes=True)


def _whole_of(value: Any) -> int | None:  # Any: JSON
    """1.0 is 1; a text, true and infinity are no number of anything."""
    return int(value) if _is_whole(value) else None


def _is_whole(value: object) -> bool:
    return type(value) is not bool and isinstance(value, Real) and value == value // 1
