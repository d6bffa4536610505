"""A session on an SQLite file: writers take turns, and nothing is answered before it is on disk."""

import json
import sqlite3
import time
from collections.abc import Sequence

from sqlalchemy import Table

from tekton_budget.storage import tables
from tekton_budget.storage.clock import host_now_us
from tekton_budget.storage.session import (
    GENERATIONS,
    CommitUnanswered,
    Opening,
    Query,
    Rows,
    StoreAway,
    Write,
    empty_row,
    prefixed,
)
from tekton_budget.storage.statements import (
    BALANCE_EMPTY,
    EXCEPTIONS_SQLITE,
    LAST_BALANCES_SQLITE,
    Statements,
)

# SQLite wakes nobody when the lock is free; whoever looks every millisecond gets a turn even beside
# a writer that is always busy. Its own waiting would look ten times a second.
LOOK_SECONDS = 0.001
BUSY_SECONDS = 5.0


class SqliteSession:
    """SQLite: one writer at a time by `BEGIN IMMEDIATE`, durable by `synchronous=FULL`."""

    def __init__(self, path: str, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.statements = Statements(postgresql=False)
        self.slot = 0  # writers take turns, so they may share rows
        self._busy_seconds = busy_seconds
        try:
            self._connection = sqlite3.connect(
                path,
                timeout=busy_seconds,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=512,
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA fullfsync=ON")
            self._connection.execute("PRAGMA foreign_keys=ON")
            self._connection.execute("PRAGMA cache_size=-65536")
            self._connection.execute(f"PRAGMA busy_timeout={int(LOOK_SECONDS * 1000)}")
        except sqlite3.Error as error:
            raise _away(error) from error

    def begin(self, *, exclusive: bool = False) -> Opening:
        """Take the write lock at once, so that what is read is what will be written on."""
        del exclusive  # every writer is alone
        give_up = time.monotonic() + self._busy_seconds
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.Error as error:
                if not _is_busy(error) or time.monotonic() > give_up:
                    raise _away(error) from error
        row = self.execute(GENERATIONS)[0]
        return Opening(row[0], row[1], host_now_us())

    def now_us(self) -> int:
        """The host's clock."""
        return host_now_us()

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Rows:
        """Run one statement and fetch all."""
        try:
            return self._connection.execute(sql, tuple(parameters)).fetchall()
        except sqlite3.DatabaseError as error:
            raise _told(error) from error

    def fetch(self, queries: Sequence[Query]) -> list[Rows]:
        """Run several queries."""
        return [self.execute(sql, parameters) for sql, parameters in queries]

    def write(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Run one statement for many rows."""
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.DatabaseError as error:
            raise _told(error) from error

    def append(self, writes: Sequence[Write]) -> None:
        """Run all writes and make them durable."""
        for sql, rows in writes:
            self.write(sql, rows)
        self.commit()

    def listed(self, values: Sequence[object]) -> object:
        """Many values as one parameter."""
        return json.dumps(values)

    def by_keys(
        self, table: Table, columns: str, key: str, keys: Sequence[object], tail: str = ""
    ) -> Rows:
        """Rows whose key is one of these."""
        sql = self.statements.select(table, columns, key, tail)
        return self.execute(sql, (self.listed(keys),))

    def lock_balances(self, columns: str, ids: Sequence[str]) -> tuple[Rows, int]:
        """The balances that are there, and the clock; the whole file is locked already."""
        return self.by_keys(tables.balances, columns, "id", ids), host_now_us()

    def last_balances(self, columns: str, keys: Sequence[tuple[int, str, int]]) -> Rows:
        """For each (policy number, group, opening): the group's latest earlier balance."""
        sql = LAST_BALANCES_SQLITE.format(columns=prefixed(columns))
        return self.execute(sql, (json.dumps(keys),))

    def exceptions(self, keys: Sequence[tuple[str, str]]) -> Rows:
        """The exceptions of (policy id, group)."""
        return self.execute(EXCEPTIONS_SQLITE, (json.dumps(keys),))

    def remember_balances(self, ids: Sequence[str]) -> None:
        """Nothing to remember: a missing row cannot appear while the file is locked."""

    def keep_balances(self, new: Sequence[str], untouched: Sequence[str]) -> Sequence[Write]:
        """Rows for those that are touched for the first time; the others were never written."""
        del untouched
        if not new:
            return ()
        insert = self.statements.insert(tables.balances, BALANCE_EMPTY, or_ignore=True)
        return [(insert, [empty_row(id_) for id_ in new])]

    def commit(self) -> None:
        """Make it durable; where the disk fails to say that it is, the outcome is not known."""
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if error.sqlite_errorname.endswith("FSYNC"):
                raise CommitUnanswered(str(error)) from error
            raise _away(error) from error

    def rollback(self) -> None:
        """Forget the transaction, if there is one."""
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise _away(error) from error

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def _told(error: sqlite3.DatabaseError) -> Exception:
    """A fault of the store; what a command or a statement did wrong stays what it is."""
    if type(error) not in (sqlite3.OperationalError, sqlite3.DatabaseError):
        return error
    return error if error.sqlite_errorname == "SQLITE_ERROR" else _away(error)


def _away(error: sqlite3.Error) -> StoreAway:
    return StoreAway(str(error), passing=_is_busy(error))


def _is_busy(error: sqlite3.Error) -> bool:
    name = getattr(error, "sqlite_errorname", "")
    return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"))
