"""Usage records as rows: found by filters, page by page along their time."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, and_, func, select, true, tuple_

from tekton_budget.domain.ledger import UsageRecord
from tekton_budget.domain.usage import CostSource, Measurement, TokenCounts
from tekton_budget.storage import tables
from tekton_budget.storage.packing import parts_of
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rollup import DAY, ROLLED_LABELS
from tekton_budget.storage.statements import USAGE_COLUMNS, names

EXAMINED_MAX = 20_000  # rows that one snapshot looks through for a page
COUNTED_MAX = 10_000  # beyond this a total costs a scan
BUCKETS_ASKED = 400  # of one statement
DAY_US_MAX = 26 * 3600 * 1_000_000  # a day on which a clock is set back, and one hour

_usage = tables.usage.c
_rollups = tables.rollups.c
_COLUMNS = [tables.usage.c[name] for name in names(USAGE_COLUMNS)]
decode_labels = msgspec.json.Decoder(dict[str, str]).decode


class Place(NamedTuple):
    """Where a walk stopped."""

    at_us: int
    no: int


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Which records; provider and model are those that really answered."""

    from_us: int | None = None
    to_us: int | None = None
    allocation_id: str | None = None
    key_id: str | None = None
    provider: str | None = None
    model: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_indexed(self) -> bool:
        """Whether every row in its reach matches, so that a page is found without looking about."""
        return not (self.allocation_id or self.key_id or self.provider or self.model or self.labels)


class DaysKnown:
    """The days on which a filter's labels were used, as rollups know: what lies between is skipped.

    Days are taken as they were cut when written, and an hour longer than any is.
    """

    def __init__(self, reader: Reader, wanted: UsageFilter) -> None:
        self._starts: list[int] | None = None
        names = [name for name in wanted.labels if name in ROLLED_LABELS]
        if not (names or wanted.provider or wanted.model):
            return
        kept = [_rollups.kind == DAY, _rollups.label == ""]
        if wanted.provider is not None:
            kept.append(_rollups.provider == wanted.provider)
        if wanted.model is not None:
            kept.append(_rollups.model == wanted.model)
        starts = {row[0] for row in reader.rows(select(_rollups.bucket_us).where(*kept).distinct())}
        for name in names:
            starts = _having(reader, name, wanted.labels[name], starts)
        self._starts = sorted(starts)

    def onward(self, place: Place, *, oldest_first: bool) -> Place | None:
        """The place itself or, where nothing can follow soon, one further on; `None` at the end."""
        if self._starts is None:
            return place
        if oldest_first:
            first = bisect_right(self._starts, place.at_us - DAY_US_MAX)
            if first == len(self._starts):
                return None
            return max(place, Place(self._starts[first], 0))
        last = bisect_right(self._starts, place.at_us) - 1
        if last < 0:
            return None
        return min(place, Place(self._starts[last] + DAY_US_MAX, 0))


def _having(reader: Reader, label: str, value: str, starts: set[int]) -> set[int]:
    found: set[int] = set()
    asked = sorted(starts)
    for first in range(0, len(asked), BUCKETS_ASKED):
        query = select(_rollups.bucket_us).where(
            _rollups.kind == DAY,
            _rollups.label == label,
            _rollups.bucket_us.in_(asked[first : first + BUCKETS_ASKED]),
            _rollups.value == value,
        )
        found |= {row[0] for row in reader.rows(query.distinct())}
    return found


class StoredUsage(NamedTuple):
    """A record with its number, which orders those of one moment."""

    no: int
    record: UsageRecord

    @property
    def place(self) -> Place:
        """Where it stands in a walk."""
        return Place(self.record.at_us, self.no)


class UsageRows:
    """The usage table, read."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def walk(
        self,
        wanted: UsageFilter,
        *,
        limit: int,
        after: Place | None = None,
        oldest_first: bool = False,
        looks_max: int | None = None,
    ) -> list[StoredUsage]:
        """Up to `limit` records after a place, each snapshot looking through so many rows.

        `looks_max` bounds the snapshots: what few of very many rows match may be further back.
        """
        found: list[StoredUsage] = []
        days: DaysKnown | None = None
        looks = 0
        while len(found) < limit and looks != looks_max:
            looks += 1
            end = None
            if not wanted.is_indexed:
                end = self.slice_end(wanted, after, oldest_first=oldest_first)
            query = (
                select(_usage.no, *_COLUMNS)
                .where(
                    self.matching(wanted),
                    _beyond(after, oldest_first=oldest_first),
                    _up_to(end, oldest_first=oldest_first),
                )
                .order_by(*_order(oldest_first=oldest_first))
                .limit(limit - len(found))
            )
            found += [_stored(row) for row in self._reader.rows(query)]
            if end is None:
                break
            if days is None:
                days = DaysKnown(self._reader, wanted)
            after = days.onward(end, oldest_first=oldest_first)
            if after is None:
                break
        return found

    def pages(self, wanted: UsageFilter, limit: int) -> Iterator[list[StoredUsage]]:
        """All records in the order of time, a page a snapshot."""
        after: Place | None = None
        while page := self.walk(wanted, limit=limit, after=after, oldest_first=True):
            yield page
            after = page[-1].place

    def count(self, wanted: UsageFilter) -> int | None:
        """How many match; `None` where only a scan could tell."""
        if not wanted.is_indexed and wanted.allocation_id is None:
            return None
        some = select(_usage.no).where(self.matching(wanted)).limit(COUNTED_MAX + 1).subquery()
        number = self._reader.rows(select(func.count()).select_from(some))[0][0]
        return int(number) if number <= COUNTED_MAX else None

    def by_id(self, record_id: str) -> list[UsageRecord]:
        """The records of that id: one a key."""
        query = select(_usage.no, *_COLUMNS).where(_usage.record_id == record_id)
        return [_stored(row).record for row in self._reader.rows(query.order_by(_usage.key_id))]

    def by_ids(self, record_ids: Sequence[str]) -> dict[str, list[UsageRecord]]:
        """The same of several ids: as many as one statement takes (500)."""
        query = select(_usage.no, *_COLUMNS).where(_usage.record_id.in_(record_ids))
        found: dict[str, list[UsageRecord]] = {}
        for row in self._reader.rows(query.order_by(_usage.record_id, _usage.key_id)):
            record = _stored(row).record
            found.setdefault(record.record_id, []).append(record)
        return found

    def matching(self, wanted: UsageFilter) -> ColumnElement[bool]:
        """The condition of a filter."""
        parts: list[ColumnElement[bool]] = [true()]
        if wanted.from_us is not None:
            parts.append(_usage.at_us >= wanted.from_us)
        if wanted.to_us is not None:
            parts.append(_usage.at_us < wanted.to_us)
        for name in ("allocation_id", "key_id", "provider", "model"):
            value = getattr(wanted, name)
            if value is not None:
                parts.append(tables.usage.c[name] == value)
        for name, value in wanted.labels.items():
            parts.append(self.label(name) == value)
        return and_(*parts)

    def label(self, name: str) -> ColumnElement[str]:
        """A label of a record: a column of its own, or one of all."""
        if name in ("context_id", "component", "task_type"):
            return tables.usage.c[name]
        return self._reader.label(_usage.labels, name)

    def between(
        self, wanted: UsageFilter, after: Place | None, end: Place | None
    ) -> ColumnElement[bool]:
        """The condition of one slice, oldest first."""
        return and_(
            self.matching(wanted),
            _beyond(after, oldest_first=True),
            _up_to(end, oldest_first=True),
        )

    def slice_end(
        self, wanted: UsageFilter, after: Place | None, *, oldest_first: bool = True
    ) -> Place | None:
        """The place up to which one snapshot looks; `None`: to the end."""
        if wanted.allocation_id is not None:
            return None  # indexed, and few
        reach = UsageFilter(wanted.from_us, wanted.to_us)
        query = (
            select(_usage.at_us, _usage.no)
            .where(self.matching(reach), _beyond(after, oldest_first=oldest_first))
            .order_by(*_order(oldest_first=oldest_first))
            .offset(EXAMINED_MAX - 1)
            .limit(1)
        )
        found = self._reader.rows(query)
        return Place(*found[0]) if found else None


def _order(*, oldest_first: bool) -> tuple[ColumnElement[int], ...]:
    if oldest_first:
        return (_usage.at_us.asc(), _usage.no.asc())
    return (_usage.at_us.desc(), _usage.no.desc())


def _beyond(after: Place | None, *, oldest_first: bool) -> ColumnElement[bool]:
    if after is None:
        return true()
    key = tuple_(_usage.at_us, _usage.no)
    return key > tuple_(*after) if oldest_first else key < tuple_(*after)


def _up_to(end: Place | None, *, oldest_first: bool) -> ColumnElement[bool]:
    if end is None:
        return true()
    key = tuple_(_usage.at_us, _usage.no)
    return key <= tuple_(*end) if oldest_first else key >= tuple_(*end)


def _stored(row: Any) -> StoredUsage:  # Any: a row's columns have many types
    return StoredUsage(row[0], usage_from_row(row[1:]))


def usage_from_row(row: Any) -> UsageRecord:  # Any: a row's columns have many types
    """A record from its columns in the order of `USAGE_COLUMNS`."""
    return UsageRecord(
        record_id=row[0],
        key_id=row[1],
        allocation_id=row[2],
        allocation_key_id=row[3],
        at_us=row[4],
        placed_us=row[5],
        recorded_us=row[6],
        labels=decode_labels(row[7]),
        provider=row[11],
        model=row[12],
        counts=TokenCounts(*row[13:18]),
        reasoning_tokens=row[18],
        requests=row[19],
        cost_nano=row[20],
        book_cost_nano=row[21],
        cost_source=None if row[22] is None else CostSource(row[22]),
        price_id=row[23],
        measurement=Measurement(row[24]),
        late=bool(row[25]),
        provisional=bool(row[26]),
        reverses=row[27],
        operation_id=row[28],
        request_id=row[29],
        metadata=row[30],
        parts=parts_of(row[31]),
    )
