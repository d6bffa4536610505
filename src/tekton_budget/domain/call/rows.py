"""The rows of the tables: what a field of a request costs, or why it is refused."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .draft import Draft, wrong
from .sizes import json_bytes

_WHOLE = range(2**31)  # a number in here is whole, written 1.0 or 1

Reader = Callable[[Draft, Any, str], None]  # Any: JSON; the draft, the value, its dotted path


class Row(NamedTuple):
    """A field: how it is read, in a few words what it costs, and whether it shapes the input."""

    read: Reader | None  # None: it costs nothing
    bound: str
    shapes_input: bool = False  # another value, and the provider counts the messages differently


class Table:
    """The fields that an object may have."""

    __slots__ = ("_quick", "rows")

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self.rows = rows
        self._quick = {name: (row.read, row.shapes_input) for name, row in rows.items()}

    def read(self, draft: Draft, body: Mapping[str, Any]) -> None:  # Any: JSON
        """Read every field of a request's body into the draft."""
        quick = self._quick
        for name, value in body.items():
            found = quick.get(name)
            if found is None:
                if value is not None:
                    draft.unknown(str(name))
                    draft.tokens += json_bytes(value)
                continue
            if value is None:
                continue
            read, shapes_input = found
            if read is not None:
                read(draft, value, name)
            if shapes_input:
                draft.head[name] = value


FREE = Row(None, "costs nothing")


def refused(why: str) -> Row:
    """A field that cannot be bounded, with what to do instead."""
    return Row(lambda draft, _value, path: draft.unknown(path, why), f"refused: {why}")


def text(value: Any, path: str) -> str:  # Any: JSON
    """A text, or a refusal."""
    if isinstance(value, str):
        return value
    raise wrong(path, "must be a text")


def whole(value: Any, path: str, least: int = 0) -> int:  # Any: JSON
    """A whole number of at least so much, or a refusal."""
    if type(value) is not bool and value in _WHOLE and int(value) >= least:
        return int(value)
    raise wrong(path, f"must be a whole number of at least {least} and below 2^31")


def mapping(value: Any, path: str) -> Mapping[str, Any]:  # Any: JSON
    """An object, or a refusal."""
    if isinstance(value, Mapping):
        return value
    raise wrong(path, "must be an object")


def items(value: Any, path: str) -> list[Any]:  # Any: JSON
    """A list, or a refusal."""
    if isinstance(value, list | tuple):
        return value if isinstance(value, list) else list(value)
    raise wrong(path, "must be a list")


def read_json(draft: Draft, value: Any, _path: str) -> None:  # Any: JSON
    """Whatever stands in a prompt as it is: at most the bytes of its JSON."""
    draft.tokens += json_bytes(value)


def read_model(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.model = text(value, path)


def read_stream(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    if type(value) is not bool:
        raise wrong(path, "must be true or false")
    draft.stream = value
