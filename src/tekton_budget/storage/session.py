"""A session: the writer's one connection to its store, in the few verbs that a batch needs."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Table

from tekton_budget.domain.balance import parts_of
from tekton_budget.storage.statements import Statements

Rows = list[tuple[Any, ...]]  # Any: a row's columns have many types
Query = tuple[str, Sequence[object]]  # a statement and its parameters
Write = tuple[str, Sequence[Sequence[object]]]  # a statement and the rows it writes

# Advisory locks of PostgreSQL; the numbers are ours alone in a database of our own.
POLICY_LOCK = 0x7E_B0_D6_01  # shared by batches, exclusive for policy changes
SLOT_LOCK = 0x7E_B0_D6_02
RELAY_LOCK = 0x7E_B0_D6_03
SLOTS_MAX = 1024

POSTGRES_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
GENERATIONS = "SELECT policy_generation, price_generation FROM meta"


class StoreAway(Exception):
    """The store did not answer. `passing`: a moment later it may; a full disk will not."""

    def __init__(self, cause: str, *, passing: bool = True) -> None:
        super().__init__(cause)
        self.passing = passing


class Repeat(Exception):
    """The store asks to repeat the transaction: a deadlock, or a lock that took too long."""


class RowTaken(Repeat):
    """Someone was first with a row; if that was this very batch, repeating does not help."""


class CommitUnanswered(Exception):
    """A commit was sent and its answer never came: it may or may not have happened."""


class Opening(NamedTuple):
    """What a transaction sees at its beginning: which policies and prices, and the clock."""

    policy_generation: int
    price_generation: int
    now_us: int


class Session(Protocol):
    """One connection with one transaction at a time."""

    statements: Statements
    slot: int  # this writer's own rows in tables that many writers add to

    def begin(self, *, exclusive: bool = False) -> Opening: ...
    def now_us(self) -> int: ...
    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Rows: ...
    def fetch(self, queries: Sequence[Query]) -> list[Rows]: ...
    def write(self, sql: str, rows: Sequence[Sequence[object]]) -> None: ...
    def append(self, writes: Sequence[Write]) -> None: ...
    def listed(self, values: Sequence[object]) -> object: ...
    def by_keys(
        self, table: Table, columns: str, key: str, keys: Sequence[object], tail: str = ""
    ) -> Rows: ...
    def lock_balances(self, columns: str, ids: Sequence[str]) -> tuple[Rows, int]: ...
    def last_balances(self, columns: str, keys: Sequence[tuple[int, str, int]]) -> Rows: ...
    def exceptions(self, keys: Sequence[tuple[str, str]]) -> Rows: ...
    def remember_balances(self, ids: Sequence[str]) -> None: ...
    def keep_balances(self, new: Sequence[str], untouched: Sequence[str]) -> Sequence[Write]: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...


def prefixed(columns: str) -> str:
    """Columns as those of `b`."""
    return ", ".join(f"b.{name.strip()}" for name in columns.split(","))


def empty_row(balance_id: str) -> tuple[object, ...]:
    """A balance's key as columns, in the order of `statements.BALANCE_EMPTY`."""
    policy_no, opens_us, group = parts_of(balance_id)
    return balance_id, policy_no, group, opens_us
