"""What is kept beside its source, raw and page by page, for those who recount it."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, func, select, tuple_

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.ledger import UsageRecord
from tekton_budget.storage import tables
from tekton_budget.storage.packing import digest_of
from tekton_budget.storage.reading import Reader, whole
from tekton_budget.storage.rows.sums import Sums
from tekton_budget.storage.rows.usages import usage_from_row
from tekton_budget.storage.statements import BALANCE_SET, ROLLUP_ADDED, USAGE_COLUMNS, names

PAGE_ROWS = 2000
_j = tables.journal.c
_b = tables.balances.c
_r = tables.rollups.c
_u = tables.usage.c
_a = tables.allocations.c
_ROLLUP_KEY = (_r.kind, _r.label, _r.bucket_us, _r.value, _r.provider, _r.model)
_BALANCE_NAMES = tuple(column.name for column in tables.balances.columns)
SEALED = tuple(name for name in names(BALANCE_SET) if name != "seal")


class JournalRow(NamedTuple):
    """A row of the journal as it is on disk."""

    no: int
    batch_id: str
    at_us: int
    kind: str
    key_id: str
    object_id: str
    postings: str
    detail: str
    digest: str

    @property
    def is_intact(self) -> bool:
        """Whether its content is what was sealed."""
        return digest_of(self[1:8]) == self.digest


class BalanceRow(NamedTuple):
    """A row of the balances as it is on disk."""

    columns: dict[str, Any]  # Any: columns have many types

    @property
    def id(self) -> str:
        """Its key."""
        return str(self.columns["id"])

    @property
    def spent(self) -> Amounts:
        """As it stands."""
        return self._amounts("spent")

    @property
    def held(self) -> Amounts:
        """As it stands."""
        return self._amounts("held")

    def seal_for(self, id_: str) -> str:
        """What its seal would be under an id."""
        return digest_of((id_, *(self.columns[name] for name in SEALED)))

    def _amounts(self, name: str) -> Amounts:
        units = ("tokens", "cost_nano", "requests")
        return Amounts(*(self.columns[f"{name}_{unit}"] for unit in units))


class RollupKey(NamedTuple):
    """What a rollup sums; the rows of all writers together."""

    kind: str
    label: str
    bucket_us: int
    value: str
    provider: str
    model: str


class KeptRows:
    """Journal, usage, balances, rollups and holds, a page at a time."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def last_entry(self) -> int:
        """A clean cut of the journal."""
        return self._reader.last_number(tables.journal)

    def last_usage(self) -> int:
        """A clean cut of the usage."""
        return self._reader.last_number(tables.usage)

    def entries(
        self, after: int, up_to: int | None = None, *, within: Connection | None = None
    ) -> list[JournalRow]:
        """The next rows of the journal; `within` a snapshot all that it sees."""
        query = select(*_j).where(_j.no > after).order_by(_j.no)
        if up_to is not None:
            query = query.where(_j.no <= up_to)
        return [JournalRow(*row) for row in self._rows(query, within)]

    def usage(
        self, after: int, up_to: int | None = None, *, within: Connection | None = None
    ) -> list[tuple[int, UsageRecord]]:
        """The next records by number; `within` a snapshot all that it sees."""
        columns = [tables.usage.c[name] for name in names(USAGE_COLUMNS)]
        query = select(_u.no, *columns).where(_u.no > after).order_by(_u.no)
        if up_to is not None:
            query = query.where(_u.no <= up_to)
        return [(row[0], usage_from_row(row[1:])) for row in self._rows(query, within)]

    def balances(self, after: str) -> list[BalanceRow]:
        """The next balances by id."""
        query = select(tables.balances).where(_b.id > after).order_by(_b.id)
        rows = self._reader.rows(query.limit(PAGE_ROWS))
        return [BalanceRow(dict(zip(_BALANCE_NAMES, row, strict=True))) for row in rows]

    def balances_of(self, ids: Sequence[str], *, within: Connection) -> list[BalanceRow]:
        """These balances, in a snapshot."""
        query = select(tables.balances).where(_b.id.in_(ids)).order_by(_b.id)
        return [BalanceRow(dict(row)) for row in within.execute(query).mappings()]

    def rollups(self, after: RollupKey | None) -> list[tuple[RollupKey, Sums]]:
        """The next sums by key."""
        query = _rollup_sums().order_by(*_ROLLUP_KEY).limit(PAGE_ROWS)
        if after is not None:
            query = query.where(tuple_(*_ROLLUP_KEY) > tuple_(*after))
        return [(RollupKey(*row[:6]), Sums(*row[6:])) for row in self._reader.rows(query)]

    def rollups_of(self, keys: Sequence[RollupKey], *, within: Connection) -> dict[RollupKey, Sums]:
        """These sums, in a snapshot; missing ones are left out."""
        query = _rollup_sums().where(tuple_(*_ROLLUP_KEY).in_(list(keys)))
        return {RollupKey(*row[:6]): Sums(*row[6:]) for row in within.execute(query)}

    def rollup_slots_beyond(self, slots: int) -> list[tuple[RollupKey, int]]:
        """Rows that no writer can have written: their numbers lie beyond those given out."""
        query = select(*_ROLLUP_KEY, _r.slot).where((_r.slot < 0) | (_r.slot >= slots))
        rows = self._reader.rows(query.limit(PAGE_ROWS))
        return [(RollupKey(*row[:6]), row[6]) for row in rows]

    def count(self, table: str) -> int:
        """How many rows there are about; for progress only."""
        query = select(func.count()).select_from(tables.metadata.tables[table])
        return int(self._reader.rows(query)[0][0])

    def holds(self, *, within: Connection) -> Iterable[tuple[str, str, str]]:
        """Key, id and packed holds of every active allocation that a snapshot sees."""
        query = select(_a.key_id, _a.id, _a.holds).where(_a.status == "active")
        for row in within.execute(query.order_by(_a.id, _a.key_id)).yield_per(PAGE_ROWS):
            yield row[0], row[1], row[2]

    def held(self, *, within: Connection) -> Iterable[tuple[str, Amounts]]:
        """What every balance holds that holds anything."""
        query = select(_b.id, _b.held_tokens, _b.held_cost_nano, _b.held_requests)
        empty = and_(_b.held_tokens == 0, _b.held_cost_nano == 0, _b.held_requests == 0)
        for row in within.execute(query.where(~empty)).yield_per(PAGE_ROWS):
            yield row[0], Amounts(*row[1:])

    def was_excepted(self, policy_id: str, at_us: int) -> bool:
        """Whether a person changed a group's amounts at that moment."""
        c = tables.audit.c
        query = select(c.no).where(c.at_us == at_us, c.object_id == policy_id).limit(1)
        return bool(self._reader.rows(query))

    def _rows(self, query: Any, within: Connection | None) -> list[Any]:  # Any: rows of a query
        if within is None:
            return self._reader.rows(query.limit(PAGE_ROWS))
        return list(within.execute(query).all())


def _rollup_sums() -> Any:  # Any: a select of key and sums
    sums = [whole(tables.rollups.c[name]) for name in names(ROLLUP_ADDED)]
    return select(*_ROLLUP_KEY, *sums).group_by(*_ROLLUP_KEY)
