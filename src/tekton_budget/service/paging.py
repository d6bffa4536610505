"""Pages: bounded, walked by a cursor without gaps or repeats, or counted for older clients."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from tekton_budget.domain.errors import InvalidInput, invalid

LIMIT_DEFAULT = 20
LIMIT_MAX = 1000
REACH_MAX = 10_000  # rows that a numbered page may lie behind
INTEGER_END = 2**63  # of a column

T = TypeVar("T")
C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items; `total` is `None` where only a scan could tell, `next` at the end."""

    items: tuple[T, ...]
    total: int | None = None
    page: int = 1
    limit: int = LIMIT_DEFAULT
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """Which items are asked for: so many, behind a cursor or on a numbered page."""

    page: int = 1
    limit: int = LIMIT_DEFAULT
    after: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= LIMIT_MAX:
            raise invalid("limit", f"send 1 to {LIMIT_MAX}")
        if self.page < 1:
            raise invalid("page", "send 1 or more")
        if self.page > 1 and self.after is not None:
            raise invalid("page", "send page or after, not both")
        if self.page * self.limit > REACH_MAX:
            raise invalid(
                "page", f"lies behind row {REACH_MAX:,}: walk on with after=<next> instead"
            )

    @property
    def skipped(self) -> int:
        """How many items come before."""
        return (self.page - 1) * self.limit

    @property
    def wanted(self) -> int:
        """How many to read: those before, the page, and one to know whether there are more."""
        return self.skipped + self.limit + 1

    def cut(self, found: Sequence[T], cursor: str | None, total: int | None) -> Page[T]:
        """The page out of what was read; `cursor` is that of its last item."""
        items = tuple(found[self.skipped : self.skipped + self.limit])
        more = len(found) == self.wanted
        if total is None and not more and self.after is None and (items or self.page == 1):
            total = len(found)
        return Page(items, total, self.page, self.limit, cursor if more else None)

    def last(self, found: Sequence[T]) -> T | None:
        """The page's last item."""
        items = found[self.skipped : self.skipped + self.limit]
        return items[-1] if items else None


def cursor_text(place: object) -> str:
    """A place in a walk, as text that callers hand back."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def cursor_place(text: str | None, kind: type[C]) -> C | None:
    """The place that a cursor names; refuses what we did not write."""
    if text is None:
        return None
    try:
        padded = text.encode() + b"=" * (-len(text) % 4)
        place = msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True), type=kind)
    except (msgspec.DecodeError, binascii.Error, ValueError) as error:
        raise _not_ours() from error
    if not all(map(_can_be_stored, place if isinstance(place, tuple) else (place,))):
        raise _not_ours()
    return place


def _can_be_stored(part: object) -> bool:
    """No row can have what no column takes; asking for it would be an error of the database."""
    if isinstance(part, int):
        return -INTEGER_END <= part < INTEGER_END
    return not isinstance(part, str) or "\0" not in part


def _not_ours() -> InvalidInput:
    return invalid("after", "send the next of the page before, unchanged")
