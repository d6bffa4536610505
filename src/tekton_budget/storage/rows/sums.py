"""Sums of usage: from rollups where they know it, from the records themselves where they do not."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from tekton_budget.domain.period import Period, Schedule
from tekton_budget.storage import tables
from tekton_budget.storage.reading import Reader, whole
from tekton_budget.storage.rollup import DAY, DAY_ONLY, HOUR, HOUR_US, ROLLED_LABELS
from tekton_budget.storage.rows.usages import (
    DaysKnown,
    Place,
    UsageFilter,
    UsageRows,
    decode_labels,
)
from tekton_budget.storage.statements import ROLLUP_ADDED, names

ROLLUPS, RECORDS = "rollups", "records"
BUCKETS_NAMED_MAX = 500  # buckets looked up one by one where a single value is asked for

_usage = tables.usage.c
_rollups = tables.rollups.c
_PROVIDER_AND_MODEL = ("provider", "model")

Key = tuple[str, ...]  # values in the order of the labels asked for; empty where it is missing


class Sums(NamedTuple):
    """Usage added up. Reversals count negatively; `unpriced` records have no known cost."""

    records: int = 0
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    other_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nano: int = 0
    unpriced: int = 0

    @property
    def total_tokens(self) -> int:
        """All tokens; reasoning lies inside the output."""
        return sum(self[2:7])

    def plus(self, other: "Sums") -> "Sums":
        """Counter by counter."""
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: "Sums") -> "Sums":
        """Counter by counter."""
        return Sums(*(a - b for a, b in zip(self, other, strict=True)))


NO_SUMS = Sums()


class Summed(NamedTuple):
    """Sums by key, and what they were read from."""

    sums: dict[Key, Sums]
    source: str


class Span(NamedTuple):
    """A stretch of time and what knows its usage: day rows, hour rows or records."""

    source: str
    from_us: int | None
    to_us: int | None


class UsageSums:
    """Usage summed by the values of labels."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rows = UsageRows(reader)
        self._days = Schedule(Period.DAILY, reader.timezone)

    def by(
        self,
        wanted: UsageFilter,
        *bys: Sequence[str],
        matches: Callable[[Mapping[str, str]], bool] | None = None,
    ) -> list[Summed]:
        """Sums by each of some lists of labels, all of one moment where rollups know them.

        Rollups know one label at most, besides provider and model (those that really answered, in
        every row). `matches` picks by all labels of a record, which only the records have.
        """
        if matches is None and all(rolled(wanted, by) for by in bys):
            with self._reader.snapshot() as connection:
                return [Summed(self._rolled(connection, wanted, by), ROLLUPS) for by in bys]
        together = tuple(dict.fromkeys(name for by in bys for name in by))
        sums = (
            self._from_records(wanted, together)
            if matches is None
            else self._from_matching(wanted, together, matches)
        )
        return [Summed(_narrowed(sums, together, by), RECORDS) for by in bys]

    def _rolled(
        self, connection: Connection, wanted: UsageFilter, by: Sequence[str]
    ) -> dict[Key, Sums]:
        label = _other_label(wanted, by)
        sums: dict[Key, Sums] = {}
        for span in self._spans(wanted, hours=label not in DAY_ONLY):
            part = replace(wanted, from_us=span.from_us, to_us=span.to_us)
            if span.source == RECORDS:
                found = self._grouped(connection, part, by, None, None)
            else:
                found = self._from_rollups(connection, span.source, part, by, label)
            _add(sums, found)
        return sums

    def by_day(self, wanted: UsageFilter) -> dict[int, Sums]:
        """Sums by whole days of the installation's zone, from day rows alone."""
        columns = [whole(_rollups[name]) for name in names(ROLLUP_ADDED)]
        label = _other_label(wanted, ())
        query = select(_rollups.bucket_us, *columns).where(
            *self._rolled_rows(DAY, wanted, label, wanted.labels.get(label))
        )
        rows = self._reader.rows(query.group_by(_rollups.bucket_us))
        return {row[0]: Sums(*row[1:]) for row in rows}

    # Rollups ------------------------------------------------------------------------------------

    def _from_rollups(
        self,
        connection: Connection,
        kind: str,
        wanted: UsageFilter,
        by: Sequence[str],
        label: str,
    ) -> dict[Key, Sums]:
        found = self._rollup_rows(connection, kind, wanted, by, label)
        if not label or label in wanted.labels:
            return found
        # What has the label is in its rows; what is left of every call has none.
        position = by.index(label)
        labelled: dict[Key, Sums] = {}
        for key, sums in found.items():
            _add(labelled, {_without(key, position): sums})
        for key, total in self._rollup_rows(connection, kind, wanted, by, "").items():
            rest = total.minus(labelled.get(_without(key, position), NO_SUMS))
            if rest != NO_SUMS:
                found[key] = rest
        return found

    def _rollup_rows(
        self,
        connection: Connection,
        kind: str,
        wanted: UsageFilter,
        by: Sequence[str],
        label: str,
    ) -> dict[Key, Sums]:
        values = [_rollup_column(name) for name in by]
        sums = [whole(_rollups[name]) for name in names(ROLLUP_ADDED)]
        query = select(*values, *sums).where(
            *self._rolled_rows(kind, wanted, label, wanted.labels.get(label))
        )
        return _keyed(connection, query.group_by(*values), len(by))

    def _rolled_rows(
        self, kind: str, wanted: UsageFilter, label: str, value: str | None
    ) -> list[ColumnElement[bool]]:
        parts = [_rollups.kind == kind, _rollups.label == label]
        buckets = self._buckets(kind, wanted) if value is not None else None
        if buckets is not None:
            parts.append(_rollups.bucket_us.in_(buckets))
        else:
            if wanted.from_us is not None:
                parts.append(_rollups.bucket_us >= wanted.from_us)
            if wanted.to_us is not None:
                parts.append(_rollups.bucket_us < wanted.to_us)
        if value is not None:
            parts.append(_rollups.value == value)
        if wanted.provider is not None:
            parts.append(_rollups.provider == wanted.provider)
        if wanted.model is not None:
            parts.append(_rollups.model == wanted.model)
        return parts

    def _buckets(self, kind: str, wanted: UsageFilter) -> list[int] | None:
        """Every bucket by name, so that the index goes to the one value in each; else `None`."""
        if wanted.from_us is None or wanted.to_us is None:
            return None
        found: list[int] = []
        at_us = wanted.from_us
        while at_us < wanted.to_us and len(found) <= BUCKETS_NAMED_MAX:
            found.append(at_us)
            closes_us = self._days.window_at(at_us).closes_us if kind == DAY else at_us + HOUR_US
            assert closes_us is not None, "days end"
            at_us = closes_us
        return found if len(found) <= BUCKETS_NAMED_MAX else None

    def _spans(self, wanted: UsageFilter, *, hours: bool) -> Iterator[Span]:
        from_us, to_us = wanted.from_us, wanted.to_us
        first, last = from_us, to_us
        if from_us is not None:
            day = self._days.window_at(from_us)
            first = from_us if from_us == day.opens_us else day.closes_us
        if to_us is not None:
            last = self._days.window_at(to_us).opens_us
        if first is not None and last is not None and first >= last:
            assert from_us is not None, "a last day ends at an end, a first begins at a beginning"
            assert to_us is not None, "and the other way round"
            yield from _fine(from_us, to_us, hours=hours)
            return
        if from_us is not None and first is not None:
            yield from _fine(from_us, first, hours=hours)
        yield Span(DAY, first, last)
        if to_us is not None and last is not None:
            yield from _fine(last, to_us, hours=hours)

    # Records ------------------------------------------------------------------------------------

    def _from_records(self, wanted: UsageFilter, by: Sequence[str]) -> dict[Key, Sums]:
        """Slice by slice in the order of time, so that no snapshot sums for long."""
        sums: dict[Key, Sums] = {}
        days = DaysKnown(self._reader, wanted)
        after: Place | None = None
        while True:
            end = self._rows.slice_end(wanted, after)
            with self._reader.snapshot() as connection:
                _add(sums, self._grouped(connection, wanted, by, after, end))
            after = None if end is None else days.onward(end, oldest_first=True)
            if after is None:
                return sums

    def _from_matching(
        self,
        wanted: UsageFilter,
        by: Sequence[str],
        matches: Callable[[Mapping[str, str]], bool],
    ) -> dict[Key, Sums]:
        sums: dict[Key, Sums] = {}
        days = DaysKnown(self._reader, wanted)
        after: Place | None = None
        columns = [func.coalesce(_usage.provider, ""), func.coalesce(_usage.model, "")]
        grouped = [_usage.labels, *columns]
        while True:
            end = self._rows.slice_end(wanted, after)
            query = select(*grouped, *_record_sums()).where(self._rows.between(wanted, after, end))
            for row in self._reader.rows(query.group_by(*grouped)):
                labels = decode_labels(row[0])
                if matches(labels):
                    known = {**labels, "provider": row[1], "model": row[2]}
                    key = tuple(known.get(name, "") for name in by)
                    _add(sums, {key: Sums(*row[3:])})
            after = None if end is None else days.onward(end, oldest_first=True)
            if after is None:
                return sums

    def _grouped(
        self,
        connection: Connection,
        wanted: UsageFilter,
        by: Sequence[str],
        after: Place | None,
        end: Place | None,
    ) -> dict[Key, Sums]:
        values = [func.coalesce(self._record_column(name), "") for name in by]
        grouped = [value.label(f"by_{position}") for position, value in enumerate(values)]
        query = select(*grouped, *_record_sums()).where(self._rows.between(wanted, after, end))
        return _keyed(connection, query.group_by(*grouped), len(by))

    def _record_column(self, name: str) -> ColumnElement[str]:
        if name in _PROVIDER_AND_MODEL:
            return tables.usage.c[name]
        return self._rows.label(name)


def rolled(wanted: UsageFilter, by: Sequence[str]) -> bool:
    """Whether rollups know the answer: one well-known label at most, besides provider and model."""
    if wanted.allocation_id is not None or wanted.key_id is not None:
        return False
    if set(_PROVIDER_AND_MODEL) & set(wanted.labels):  # as asked for, not as answered
        return False
    others = {*wanted.labels, *by} - set(_PROVIDER_AND_MODEL)
    return len(others) <= 1 and others <= set(ROLLED_LABELS)


def _other_label(wanted: UsageFilter, by: Sequence[str]) -> str:
    return next((n for n in (*wanted.labels, *by) if n not in _PROVIDER_AND_MODEL), "")


def _fine(from_us: int, to_us: int, *, hours: bool) -> Iterator[Span]:
    """Part of a day: whole hours by their rows, what is less by the records."""
    first = -(-from_us // HOUR_US) * HOUR_US
    last = to_us // HOUR_US * HOUR_US
    if not hours or first >= last:
        if from_us < to_us:
            yield Span(RECORDS, from_us, to_us)
        return
    if from_us < first:
        yield Span(RECORDS, from_us, first)
    yield Span(HOUR, first, last)
    if last < to_us:
        yield Span(RECORDS, last, to_us)


def _rollup_column(name: str) -> ColumnElement[str]:
    return tables.rollups.c[name] if name in _PROVIDER_AND_MODEL else _rollups.value


def _record_sums() -> list[ColumnElement[Any]]:
    """The counters of `rollup.counters_of`, in SQL."""
    sign = case((_usage.reverses.is_(None), 1), else_=-1)
    unpriced = case((_usage.cost_nano.is_(None), sign), else_=0)
    counted = {"records": sign, "unpriced": unpriced}
    return [
        whole(counted[name]) if name in counted else whole(tables.usage.c[name])
        for name in names(ROLLUP_ADDED)
    ]


def _keyed(connection: Connection, query: Select[*tuple[Any, ...]], width: int) -> dict[Key, Sums]:
    found: dict[Key, Sums] = {}
    for row in connection.execute(query):
        sums = Sums(*row[width:])
        if sums != NO_SUMS:
            found[tuple(row[:width])] = sums
    return found


def _add(sums: dict[Key, Sums], found: dict[Key, Sums]) -> None:
    for key, more in found.items():
        sums[key] = sums.get(key, NO_SUMS).plus(more)


def _narrowed(sums: dict[Key, Sums], known: Sequence[str], by: Sequence[str]) -> dict[Key, Sums]:
    positions = [known.index(name) for name in by]
    found: dict[Key, Sums] = {}
    for key, more in sums.items():
        _add(found, {tuple(key[position] for position in positions): more})
    return found


def _without(key: Key, position: int) -> Key:
    return key[:position] + key[position + 1 :]


assert tuple(names(ROLLUP_ADDED)) == Sums._fields
