"""A session: the writer's one connection to its store, in the few verbs that a batch needs."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import psycopg
from psycopg import errors as pg_errors
from sqlalchemy import Table

from tekton_budget.domain.balance import parts_of
from tekton_budget.storage import tables
from tekton_budget.storage.clock import host_now_us
from tekton_budget.storage.statements import (
    BALANCE_EMPTY,
    EXCEPTIONS_POSTGRESQL,
    EXCEPTIONS_SQLITE,
    LAST_BALANCES_POSTGRESQL,
    LAST_BALANCES_SQLITE,
    Statements,
)

Rows = list[tuple[Any, ...]]  # Any: a row's columns have many types

T = TypeVar("T")

POLICY_LOCK = 0x7E_B0_D6_01  # advisory lock: shared by batches, exclusive for policy changes
SLOT_LOCK = 0x7E_B0_D6_02
RELAY_LOCK = 0x7E_B0_D6_03
SLOTS_MAX = 1024


POSTGRES_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


class StoreAway(Exception):
    """The store did not answer: the connection is gone, the disk is full, the file is locked."""


class Repeat(Exception):
    """The store asks to repeat the transaction: deadlock, or someone was first with a row."""


class CommitUnanswered(Exception):
    """A commit was sent and its answer never came: it may or may not have happened."""


class Session(Protocol):
    """One connection with one transaction at a time."""

    statements: Statements
    slot: int  # this writer's own rows in tables that many writers add to

    def begin(self, *, exclusive: bool = False) -> None: ...
    def now_us(self) -> int: ...
    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Rows: ...
    def write(self, sql: str, rows: Sequence[Sequence[object]]) -> None: ...
    def by_keys(
        self, table: Table, columns: str, key: str, keys: Sequence[object], tail: str = ""
    ) -> Rows: ...
    def lock_balances(self, columns: str, ids: Sequence[str]) -> Rows: ...
    def lock_allocations(self, columns: str, ids: Sequence[str]) -> Rows: ...
    def last_balances(self, columns: str, keys: Sequence[tuple[int, str, int]]) -> Rows: ...
    def exceptions(self, keys: Sequence[tuple[str, str]]) -> Rows: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...


class SqliteSession:
    """SQLite: one writer at a time by `BEGIN IMMEDIATE`, durable by `synchronous=FULL`."""

    def __init__(self, path: str, *, busy_seconds: float = 10.0) -> None:
        self.statements = Statements(postgresql=False)
        self.slot = 0  # writers take turns, so they may share rows
        try:
            self._connection = sqlite3.connect(
                path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA fullfsync=ON")
            self._connection.execute("PRAGMA foreign_keys=ON")
            self._connection.execute("PRAGMA cache_size=-65536")
        except sqlite3.Error as error:
            raise StoreAway(str(error)) from error

    def begin(self, *, exclusive: bool = False) -> None:
        """Take the write lock at once, so that what is read is what will be written on."""
        del exclusive  # every writer is alone
        self.execute("BEGIN IMMEDIATE")

    def now_us(self) -> int:
        """The host's clock."""
        return host_now_us()

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Rows:
        """Run one statement and fetch all."""
        try:
            return self._connection.execute(sql, tuple(parameters)).fetchall()
        except sqlite3.OperationalError as error:
            raise StoreAway(str(error)) from error

    def write(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Run one statement for many rows."""
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.OperationalError as error:
            raise StoreAway(str(error)) from error

    def by_keys(
        self, table: Table, columns: str, key: str, keys: Sequence[object], tail: str = ""
    ) -> Rows:
        """Rows whose key is one of these."""
        sql = self.statements.select(table, columns, key, tail)
        return self.execute(sql, (json.dumps(keys),))

    def lock_balances(self, columns: str, ids: Sequence[str]) -> Rows:
        """The balances; the whole file is locked already."""
        return self.by_keys(tables.balances, columns, "id", ids)

    def lock_allocations(self, columns: str, ids: Sequence[str]) -> Rows:
        """The allocations; the whole file is locked already."""
        return self.by_keys(tables.allocations, columns, "id", ids)

    def last_balances(self, columns: str, keys: Sequence[tuple[int, str, int]]) -> Rows:
        """For each (policy number, group, opening): the group's latest earlier balance."""
        sql = LAST_BALANCES_SQLITE.format(columns=_prefixed(columns))
        return self.execute(sql, (json.dumps(keys),))

    def exceptions(self, keys: Sequence[tuple[str, str]]) -> Rows:
        """The exceptions of (policy id, group)."""
        return self.execute(EXCEPTIONS_SQLITE, (json.dumps(keys),))

    def commit(self) -> None:
        """Make it durable. A commit that fails here has not happened."""
        self.execute("COMMIT")

    def rollback(self) -> None:
        """Forget the transaction, if there is one."""
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise StoreAway(str(error)) from error

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


class PostgresSession:
    """PostgreSQL: rows locked in the order of their ids, one round trip a statement."""

    def __init__(self, url: str, *, connect_seconds: int = 5) -> None:
        self.statements = Statements(postgresql=True)
        try:
            self._connection = psycopg.connect(
                url,
                autocommit=True,
                connect_timeout=connect_seconds,
                prepare_threshold=1,
                options="-c synchronous_commit=on -c lock_timeout=30s -c timezone=UTC",
            )
        except psycopg.OperationalError as error:
            raise StoreAway(str(error)) from error
        self._known: set[str] = set()
        self.slot = self._own_slot()

    def _own_slot(self) -> int:
        """The lowest free number; held as long as this connection lives."""
        for slot in range(SLOTS_MAX):
            if self.execute("SELECT pg_try_advisory_lock(%s, %s)", (SLOT_LOCK % 2**31, slot))[0][0]:
                return slot
        raise StoreAway(f"more than {SLOTS_MAX} writers on one database")

    def begin(self, *, exclusive: bool = False) -> None:
        """Begin beside other batches, or alone for a change of policies."""
        shared = "" if exclusive else "_shared"
        self.execute("BEGIN")
        self.execute(f"SELECT pg_advisory_xact_lock{shared}({POLICY_LOCK})")

    def now_us(self) -> int:
        """The database's clock."""
        now_us: int = self.execute(POSTGRES_NOW)[0][0]
        return now_us

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Rows:
        """Run one statement and fetch all."""
        return self._guarded(lambda: self._fetched(sql, parameters))

    def _fetched(self, sql: str, parameters: Sequence[object]) -> Rows:
        cursor = self._connection.execute(sql.encode(), parameters or None)
        return cursor.fetchall() if cursor.description is not None else []

    def write(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Run one statement for many rows: a column each as an array."""
        columns = [list(column) for column in zip(*rows, strict=True)]
        self.execute(sql, columns)

    def by_keys(
        self, table: Table, columns: str, key: str, keys: Sequence[object], tail: str = ""
    ) -> Rows:
        """Rows whose key is one of these."""
        return self.execute(self.statements.select(table, columns, key, tail), (list(keys),))

    def lock_balances(self, columns: str, ids: Sequence[str]) -> Rows:
        """The balances, locked in the order of their ids; missing ones are inserted empty first.

        A row that is not there cannot be locked: two first comers would both see nothing spent.
        """
        new = [id_ for id_ in ids if id_ not in self._known]
        if new:
            self.write(*_empty_rows(self.statements, sorted(new)))
        rows = self.by_keys(tables.balances, columns, "id", ids, "ORDER BY id FOR UPDATE")
        if len(rows) < len(ids):  # rows known once and pruned since
            self._known.clear()
            return self.lock_balances(columns, ids)
        return rows

    def lock_allocations(self, columns: str, ids: Sequence[str]) -> Rows:
        """The allocations, locked in the order of their ids."""
        tail = "ORDER BY id, key_id FOR UPDATE"
        return self.by_keys(tables.allocations, columns, "id", ids, tail)

    def last_balances(self, columns: str, keys: Sequence[tuple[int, str, int]]) -> Rows:
        """For each (policy number, group, opening): the group's latest earlier balance."""
        sql = LAST_BALANCES_POSTGRESQL.format(columns=_prefixed(columns))
        return self.execute(sql, [list(column) for column in zip(*keys, strict=True)])

    def exceptions(self, keys: Sequence[tuple[str, str]]) -> Rows:
        """The exceptions of (policy id, group)."""
        return self.execute(
            EXCEPTIONS_POSTGRESQL, [list(column) for column in zip(*keys, strict=True)]
        )

    def remember_balances(self, ids: Sequence[str]) -> None:
        """These rows are committed: they need no insert from now on."""
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
        self._known.update(ids)

    def commit(self) -> None:
        """Make it durable; where the connection ends first, the outcome is not known."""
        try:
            self._connection.execute("COMMIT")
        except psycopg.OperationalError as error:
            if self._connection.broken or self._connection.closed:
                raise CommitUnanswered(str(error)) from error
            raise Repeat(str(error)) from error

    def rollback(self) -> None:
        """Forget the transaction, if there is one."""
        if self._connection.broken or self._connection.closed:
            raise StoreAway("the connection to the database is gone")
        self._guarded(lambda: self._connection.execute("ROLLBACK"))

    def close(self) -> None:
        """End the connection; its locks go with it."""
        self._connection.close()

    def _guarded(self, run: Callable[[], T]) -> T:
        try:
            return run()
        except (
            pg_errors.SerializationFailure,
            pg_errors.DeadlockDetected,
            pg_errors.LockNotAvailable,
            pg_errors.UniqueViolation,
        ) as error:
            raise Repeat(str(error)) from error
        except psycopg.OperationalError as error:
            raise StoreAway(str(error)) from error


KNOWN_MAX = 200_000


def _empty_rows(statements: Statements, ids: Sequence[str]) -> tuple[str, list[tuple[object, ...]]]:
    sql = statements.insert(tables.balances, BALANCE_EMPTY, or_ignore=True)
    rows: list[tuple[object, ...]] = []
    for id_ in ids:
        policy_no, opens_us, group = parts_of(id_)
        rows.append((id_, policy_no, group, opens_us))
    return sql, rows


def _prefixed(columns: str) -> str:
    return ", ".join(f"b.{name.strip()}" for name in columns.split(","))
