"""The log of events as rows: numbered, read from a position on, and whose calls they tell of."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Column, func, select

from tekton_budget.storage import tables
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.usages import decode_labels

_o = tables.outbox.c
_COLUMNS = (_o.position, _o.at_us, _o.type, _o.subject_id, _o.budget_id, _o.key_id, _o.payload)

Labels = Mapping[str, str]
Called = tuple[str, str]  # key and id: an id is one key's


class Logged(NamedTuple):
    """One event at its place in the log."""

    position: int
    at_us: int
    type: str
    subject_id: str
    budget_id: str
    key_id: str | None  # whose call it tells of; of older events nobody wrote it down
    payload: dict[str, Any]  # Any: JSON as it was written


class Stretch(NamedTuple):
    """A part of the log, and how far it reaches at this moment."""

    oldest: int  # the first position that is kept, else the one that comes next
    last: int  # the last position that was given
    events: tuple[Logged, ...]


class OutboxRows:
    """The table of events, read by position: every reader steps over none."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def last(self) -> int:
        """The last position given."""
        return int(self._reader.rows(select(tables.meta.c.last_position))[0][0])

    def read(self, after: int | None, limit: int) -> Stretch:
        """Up to `limit` events after a position, or from the oldest that is kept."""
        with self._reader.snapshot() as connection:
            last = int(connection.execute(select(tables.meta.c.last_position)).scalar_one())
            oldest = connection.execute(select(func.min(_o.position))).scalar_one()
            query = select(*_COLUMNS).where(_o.position > (0 if after is None else after))
            rows = connection.execute(query.order_by(_o.position).limit(limit)).all()
        events = tuple(Logged(*row[:6], msgspec.json.decode(row[6])) for row in rows)
        return Stretch(last + 1 if oldest is None else int(oldest), last, events)

    def labels_of_allocations(self, ids: Iterable[str]) -> dict[Called, Labels]:
        """The labels of the allocations of these ids, of whatever key."""
        a = tables.allocations.c
        return self._labels(a.key_id, a.id, a.labels, ids)

    def labels_of_usage(self, ids: Iterable[str]) -> dict[Called, Labels]:
        """The labels of the usage records of these ids, of whatever key."""
        u = tables.usage.c
        return self._labels(u.key_id, u.record_id, u.labels, ids)

    def _labels(
        self, key_id: Column[Any], id_: Column[Any], labels: Column[Any], ids: Iterable[str]
    ) -> dict[Called, Labels]:
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        query = select(key_id, id_, labels).where(id_.in_(wanted))
        return {(row[0], row[1]): decode_labels(row[2]) for row in self._reader.rows(query)}
