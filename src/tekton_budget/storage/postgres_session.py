"""A session on PostgreSQL: rows locked in the order of their ids, few round trips a batch."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import errors as pg_errors
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Table

from tekton_budget.storage import tables
from tekton_budget.storage.session import (
    GENERATIONS,
    POLICY_LOCK,
    POSTGRES_NOW,
    SLOT_LOCK,
    SLOTS_MAX,
    CommitUnanswered,
    Opening,
    Query,
    Repeat,
    Rows,
    RowTaken,
    StoreAway,
    Write,
    empty_row,
    prefixed,
)
from tekton_budget.storage.statements import (
    BALANCE_EMPTY,
    EXCEPTIONS_POSTGRESQL,
    LAST_BALANCES_POSTGRESQL,
    Statements,
)

T = TypeVar("T")
Cursor = psycopg.Cursor[tuple[Any, ...]]  # Any: a row's columns have many types

KNOWN_MAX = 200_000

# Nothing waits for ever: neither for a lock, nor for a server that no longer answers, nor do others
# wait for us if we stop in the middle. Every statement of a batch finds its rows by an index; a
# plan made while a table was still small must not read all of it later.
OPTIONS = (
    "-c synchronous_commit=on -c default_transaction_isolation=read\\ committed -c timezone=UTC "
    "-c lock_timeout=10s -c statement_timeout=60s -c idle_in_transaction_session_timeout=60s "
    "-c jit=off -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off "
    "-c plan_cache_mode=force_generic_plan"
)
KEEPALIVE: dict[str, int] = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class PostgresSession:
    """PostgreSQL: as many writers as there are processes, each with a slot of its own."""

    def __init__(self, url: str, *, connect_seconds: int = 5) -> None:
        self.statements = Statements(postgresql=True)
        try:
            self._connection = psycopg.connect(
                url,
                autocommit=True,
                prepare_threshold=1,
                connect_timeout=connect_seconds,
                options=f"{conninfo_to_dict(url).get('options', '')} {OPTIONS}",
                **KEEPALIVE,  # type: ignore[arg-type]  # options of libpq
            )
        except psycopg.OperationalError as error:
            raise StoreAway(str(error)) from error
        self._known: set[str] = set()
        try:
            self.slot = self._own_slot()
        except StoreAway:
            self._connection.close()
            raise

    def _own_slot(self) -> int:
        """The lowest free number; held as long as this connection lives."""
        for slot in range(SLOTS_MAX):
            if self.execute("SELECT pg_try_advisory_lock(%s, %s)", (SLOT_LOCK % 2**31, slot))[0][0]:
                return slot
        raise StoreAway(f"more than {SLOTS_MAX} writers on one database")

    def begin(self, *, exclusive: bool = False) -> Opening:
        """Begin beside other batches, or alone for a change of policies."""
        shared = "" if exclusive else "_shared"
        return self._guarded(
            lambda: self._begun(
                f"BEGIN; SELECT pg_advisory_xact_lock{shared}({POLICY_LOCK}); "
                f"{GENERATIONS}; {POSTGRES_NOW}"
            )
        )

    def _begun(self, sql: str) -> Opening:
        # Statements of one request still see what was committed before each of them began.
        cursor = self._connection.execute(sql.encode(), prepare=False)
        cursor.nextset()
        cursor.nextset()
        policy_generation, price_generation = cursor.fetchall()[0]
        cursor.nextset()
        return Opening(policy_generation, price_generation, cursor.fetchall()[0][0])

    def now_us(self) -> int:
        """The database's clock."""
        now_us: int = self.execute(POSTGRES_NOW)[0][0]
        return now_us

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Rows:
        """Run one statement and fetch all."""
        return self._guarded(lambda: _rows_of(self._sent((sql, parameters))))

    def fetch(self, queries: Sequence[Query]) -> list[Rows]:
        """Run several queries in their order, in one round trip."""
        if len(queries) < 2:
            return [self.execute(*query) for query in queries]
        return self._guarded(lambda: self._piped(queries))

    def _piped(self, queries: Sequence[Query]) -> list[Rows]:
        with self._connection.pipeline():
            cursors = [self._sent(query) for query in queries]
        return [_rows_of(cursor) for cursor in cursors]

    def _sent(self, query: Query) -> Cursor:
        sql, parameters = query
        return self._connection.execute(sql.encode(), parameters or None)

    def write(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Run one statement for many rows: a column each as an array."""
        columns = [array_literal(column) for column in zip(*rows, strict=True)]
        self._guarded(lambda: self._connection.execute(sql.encode(), columns))

    def append(self, writes: Sequence[Write]) -> None:
        """Run all writes and make them durable, in one round trip."""
        try:
            with self._connection.pipeline():
                for sql, rows in writes:
                    columns = [array_literal(column) for column in zip(*rows, strict=True)]
                    self._connection.execute(sql.encode(), columns)
                self._connection.execute(b"COMMIT", prepare=False)
        except psycopg.Error as error:
            if self._is_gone():
                raise CommitUnanswered(str(error)) from error
            raise _told(error) from error

    def listed(self, values: Sequence[object]) -> object:
        """Many values as one parameter."""
        return array_literal(values)

    def by_keys(
        self, table: Table, columns: str, key: str, keys: Sequence[object], tail: str = ""
    ) -> Rows:
        """Rows whose key is one of these."""
        sql = self.statements.select(table, columns, key, tail)
        return self.execute(sql, (array_literal(keys),))

    def lock_balances(self, columns: str, ids: Sequence[str]) -> tuple[Rows, int]:
        """The balances, locked in the order of their ids, and the clock after that.

        Missing ones are inserted empty first: a row that is not there cannot be locked, and two
        first comers would both see nothing spent.
        """
        queries: list[Query] = []
        new = sorted(id_ for id_ in ids if id_ not in self._known)
        if new:
            queries.append(_empty_rows(self.statements, new))
        tail = self.statements.lock("id")
        select = self.statements.select(tables.balances, columns, "id", tail)
        queries += [(select, (array_literal(ids),)), (POSTGRES_NOW, ())]
        *_, rows, clock = self.fetch(queries)
        if len(rows) < len(ids):  # rows known once and pruned since
            self._known.clear()
            return self.lock_balances(columns, ids)
        return rows, clock[0][0]

    def last_balances(self, columns: str, keys: Sequence[tuple[int, str, int]]) -> Rows:
        """For each (policy number, group, opening): the group's latest earlier balance."""
        sql = LAST_BALANCES_POSTGRESQL.format(columns=prefixed(columns))
        return self.execute(sql, [array_literal(column) for column in zip(*keys, strict=True)])

    def exceptions(self, keys: Sequence[tuple[str, str]]) -> Rows:
        """The exceptions of (policy id, group)."""
        columns = [array_literal(column) for column in zip(*keys, strict=True)]
        return self.execute(EXCEPTIONS_POSTGRESQL, columns)

    def remember_balances(self, ids: Sequence[str]) -> None:
        """These rows are committed: they need no insert from now on."""
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
        self._known.update(ids)

    def keep_balances(self, new: Sequence[str], untouched: Sequence[str]) -> Sequence[Write]:
        """Those inserted only to be locked go again, or every denied call would leave a row."""
        del new
        if not untouched:
            return ()
        delete = "DELETE FROM balances WHERE id = ANY(%s::text[]) AND opened = 0"
        return [(delete, [(id_,) for id_ in untouched])]

    def commit(self) -> None:
        """Make it durable; where the connection ends first, the outcome is not known."""
        try:
            self._connection.execute(b"COMMIT", prepare=False)
        except psycopg.Error as error:
            if self._is_gone():
                raise CommitUnanswered(str(error)) from error
            raise Repeat(str(error)) from error

    def rollback(self) -> None:
        """Forget the transaction, if there is one."""
        if self._is_gone():
            raise StoreAway("the connection to the database is gone")
        self._guarded(lambda: self._connection.execute(b"ROLLBACK", prepare=False))

    def close(self) -> None:
        """End the connection; its locks go with it."""
        self._connection.close()

    def _is_gone(self) -> bool:
        return self._connection.broken or self._connection.closed

    def _guarded(self, run: Callable[[], T]) -> T:
        try:
            return run()
        except psycopg.Error as error:
            if self._is_gone():
                raise StoreAway(str(error)) from error
            raise _told(error) from error


def _told(error: psycopg.Error) -> Exception:
    """What the store asks for or lacks; what a command did wrong stays what it is."""
    if isinstance(
        error,
        pg_errors.SerializationFailure | pg_errors.DeadlockDetected | pg_errors.LockNotAvailable,
    ):
        return Repeat(str(error))
    if isinstance(error, pg_errors.UniqueViolation):
        return RowTaken(str(error))
    if isinstance(error, pg_errors.InsufficientResources):  # the server's disk or memory is full
        return StoreAway(str(error), passing=False)
    if isinstance(error, psycopg.OperationalError | pg_errors.ReadOnlySqlTransaction):
        return StoreAway(str(error))
    if isinstance(error, pg_errors.InvalidSqlStatementName):
        # A pipeline that was broken off took the preparing of statements back, which the driver
        # does not know of. A new connection knows none.
        return StoreAway(str(error))
    return error


def _rows_of(cursor: Cursor) -> Rows:
    return cursor.fetchall() if cursor.description is not None else []


def array_literal(values: Sequence[object]) -> str:
    """An array as PostgreSQL reads it; the driver's own way takes ten times as long.

    All elements are quoted at once, between characters that hardly any text has.
    """
    nulls = values.count(None)
    if nulls == len(values):
        return "{" + ",".join(["NULL"] * nulls) + "}"
    texts = [_NULL if value is None else str(value) for value in values]
    joined = _BETWEEN.join(texts)
    if joined.count(_BETWEEN) != len(texts) - 1 or joined.count(_NULL) != nulls:
        return "{" + ",".join(map(_quoted, values)) + "}"
    joined = joined.replace("\\", "\\\\").replace('"', '\\"').replace(_BETWEEN, '","')
    quoted = f'{{"{joined}"}}'
    return quoted.replace(f'"{_NULL}"', "NULL") if nulls else quoted


_BETWEEN, _NULL = "\x1f", "\x1e"


def _quoted(value: object) -> str:
    if value is None:
        return "NULL"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _empty_rows(statements: Statements, ids: Sequence[str]) -> Query:
    columns = zip(*map(empty_row, ids), strict=True)
    sql = statements.insert(tables.balances, BALANCE_EMPTY, or_ignore=True)
    return sql, [array_literal(column) for column in columns]
