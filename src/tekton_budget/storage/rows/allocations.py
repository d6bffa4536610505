"""Allocations as rows: found by filters, page by page from the newest on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, func, literal_column, select, true, tuple_

from tekton_budget.domain.allocation import Allocation
from tekton_budget.domain.balance import parts_of
from tekton_budget.storage import tables
from tekton_budget.storage.packing import ALLOCATION_COLUMNS, allocation_from_row
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.statements import names

EXAMINED_MAX = 5_000  # rows that one snapshot looks through for a page
HOLDS_READ = 200  # rows whose holds are looked at together
IDS_MAX = 500  # of one statement
ACTIVE = "active"

_a = tables.allocations.c
_COLUMNS = [tables.allocations.c[name] for name in names(ALLOCATION_COLUMNS)]
_IS_ACTIVE = literal_column("status") == literal_column("'active'")  # as the partial index says it


class AllocationPlace(NamedTuple):
    """Where a walk stopped."""

    created_us: int
    id: str
    key_id: str


@dataclass(frozen=True, slots=True)
class AllocationFilter:
    """Which allocations."""

    status: str | None = None
    is_active: bool | None = None
    key_id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    policy_numbers: frozenset[int] | None = None  # holding on one of these
    parent_id: str | None = None

    @property
    def only_active(self) -> bool:
        """Whether the index of the active ones finds them."""
        return self.is_active is True or self.status == ACTIVE


class AllocationRows:
    """The table of allocations, read."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def walk(
        self, wanted: AllocationFilter, *, limit: int, after: AllocationPlace | None = None
    ) -> list[Allocation]:
        """Up to `limit` allocations after a place, newest first."""
        found: list[Allocation] = []
        while len(found) < limit:
            end = self._end(wanted, after)
            size = limit - len(found)
            if wanted.policy_numbers is not None:
                size = max(size, HOLDS_READ)
            query = (
                select(*_COLUMNS)
                .where(self._matching(wanted), _beyond(wanted, after), _up_to(wanted, end))
                .order_by(*(column.desc() for column in _key(wanted)))
                .limit(size)
            )
            page = [allocation_from_row(row) for row in self._reader.rows(query)]
            found += [one for one in page if _holds_on(one, wanted.policy_numbers)]
            if len(page) < size:
                if end is None:
                    break
                after = end
            else:
                after = place_of(page[-1])
        return found[:limit]

    def by_id(self, allocation_id: str) -> list[Allocation]:
        """The allocations of that id: one a key."""
        query = select(*_COLUMNS).where(_a.id == allocation_id).order_by(_a.key_id)
        return [allocation_from_row(row) for row in self._reader.rows(query)]

    def by_ids(self, ids: Iterable[str]) -> list[Allocation]:
        """The allocations of these ids, of whatever key."""
        wanted, found = sorted(set(ids)), []
        for start in range(0, len(wanted), IDS_MAX):
            query = select(*_COLUMNS).where(_a.id.in_(wanted[start : start + IDS_MAX]))
            found += [allocation_from_row(row) for row in self._reader.rows(query)]
        return found

    def due(self, now_us: int, limit: int) -> list[tuple[str, str]]:
        """Active ones past their time, longest first: key and id."""
        query = (
            select(_a.key_id, _a.id)
            .where(_IS_ACTIVE, _a.expires_us <= now_us)
            .order_by(_a.expires_us)
            .limit(limit)
        )
        return [(row[0], row[1]) for row in self._reader.rows(query)]

    def active_count(self) -> int:
        """How many hold."""
        return int(
            self._reader.rows(
                select(func.count()).select_from(tables.allocations).where(_IS_ACTIVE)
            )[0][0]
        )

    def _matching(self, wanted: AllocationFilter) -> ColumnElement[bool]:
        parts: list[ColumnElement[bool]] = [true()]
        if wanted.only_active:
            parts.append(_IS_ACTIVE)
        if wanted.is_active is False:
            parts.append(_a.status != ACTIVE)
        if wanted.status is not None:
            parts.append(_a.status == wanted.status)
        if wanted.key_id is not None:
            parts.append(_a.key_id == wanted.key_id)
        if wanted.parent_id is not None:
            parts.append(_a.parent_id == wanted.parent_id)
        for name, value in wanted.labels.items():
            parts.append(self._label(name) == value)
        return and_(*parts)

    def _label(self, name: str) -> ColumnElement[str]:
        return _a.context_id if name == "context_id" else self._reader.label(_a.labels, name)

    def _end(
        self, wanted: AllocationFilter, after: AllocationPlace | None
    ) -> AllocationPlace | None:
        """The place up to which this snapshot looks; `None`: to the end."""
        plain = AllocationFilter(policy_numbers=wanted.policy_numbers)
        found = wanted.only_active or wanted.parent_id is not None  # by an index of few
        if wanted == plain or found or "context_id" in wanted.labels:
            return None
        query = (
            select(_a.created_us, _a.id, _a.key_id)
            .where(_beyond(wanted, after))
            .order_by(*(column.desc() for column in _key(wanted)))
            .offset(EXAMINED_MAX - 1)
            .limit(1)
        )
        rows: list[Any] = self._reader.rows(query)  # Any: a row's columns have many types
        return AllocationPlace(*rows[0]) if rows else None


def place_of(allocation: Allocation) -> AllocationPlace:
    """Where an allocation stands in a walk."""
    return AllocationPlace(allocation.created_us, allocation.id, allocation.key_id)


def _holds_on(allocation: Allocation, policy_numbers: frozenset[int] | None) -> bool:
    if policy_numbers is None:
        return True
    return any(parts_of(hold.balance_id)[0] in policy_numbers for hold in allocation.holds)


def _key(wanted: AllocationFilter) -> tuple[ColumnElement[Any], ...]:
    # Few are active, of all that ever were: their own index finds them, and they are sorted then.
    created = literal_column("+created_us") if wanted.only_active else _a.created_us
    return (created, _a.id, _a.key_id)


def _beyond(wanted: AllocationFilter, after: AllocationPlace | None) -> ColumnElement[bool]:
    return true() if after is None else tuple_(*_key(wanted)) < tuple_(*after)


def _up_to(wanted: AllocationFilter, end: AllocationPlace | None) -> ColumnElement[bool]:
    return true() if end is None else tuple_(*_key(wanted)) >= tuple_(*end)
