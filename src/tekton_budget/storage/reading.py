"""Reading: short snapshots beside the writers, and the policies and prices in force."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, cast, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from tekton_budget.domain.command import LedgerSettings
from tekton_budget.domain.errors import Unavailable
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.domain.price import PriceBook
from tekton_budget.storage import tables
from tekton_budget.storage.packing import budget_from_row, policy_from_row
from tekton_budget.storage.rows.prices import load_book
from tekton_budget.storage.session import POLICY_LOCK
from tekton_budget.storage.store import Store


class Reader:
    """Reads one store. Every answer comes from snapshots that end before the next page is asked."""

    def __init__(
        self,
        store: Store,
        settings: LedgerSettings | None = None,
        *,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self.store = store
        self.settings = settings if settings is not None else LedgerSettings()
        self.timezone = self.settings.timezone
        self.is_postgresql = store.is_postgresql
        self._clock = clock
        isolation = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._engine = (
            store.engine.execution_options(**isolation) if store.is_postgresql else store.engine
        )
        self._lock = threading.Lock()
        self._policies = PolicySet(generation=-1)
        self._book = PriceBook()
        self._price_generation = -1

    def now_us(self) -> int:
        """The store's clock, by which everything is judged."""
        return self.store.now_us() if self._clock is None else self._clock()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One consistent view, for reading only; short, for it holds up the writers' tidying."""
        with self._told(), self._engine.connect() as connection:
            if not self.is_postgresql:
                connection.exec_driver_sql("BEGIN")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A short transaction of its own, for what is not the ledger's."""
        with self._told(), self.store.engine.begin() as connection:
            yield connection

    def rows(self, statement: Any) -> list[Any]:  # Any: rows of whatever columns are asked for
        """All rows of one statement, in a snapshot of its own."""
        with self.snapshot() as connection:
            return list(connection.execute(statement).all())

    def policies(self) -> PolicySet:
        """The policies in force; read again only when their generation changed."""
        with self.snapshot() as connection:
            return self.policies_in(connection)

    def policies_in(self, connection: Connection) -> PolicySet:
        """The policies that a snapshot sees."""
        generation = connection.execute(select(tables.meta.c.policy_generation)).scalar_one()
        with self._lock:
            known = self._policies
        if known.generation == generation:
            return known
        found = PolicySet(
            [policy_from_row(row) for row in _all(connection, tables.policies)],
            [budget_from_row(row) for row in _all(connection, tables.budgets)],
            generation,
        )
        with self._lock:
            if self._policies.generation < generation:
                self._policies = found
        return found

    def book(self) -> PriceBook:
        """The prices known; read again only when they changed."""
        with self.snapshot() as connection:
            generation = connection.execute(select(tables.meta.c.price_generation)).scalar_one()
            with self._lock:
                known, known_generation = self._book, self._price_generation
            if known_generation == generation:
                return known
            found = load_book(lambda table, names: _rows(connection, table, names), known)
        with self._lock:
            if self._price_generation < generation:
                self._book, self._price_generation = found, generation
        return found

    def last_number(self, table: Table) -> int:
        """A clean cut: every row of a numbered table up to this one is there, and will stay.

        On PostgreSQL batches under way have taken numbers that nobody sees yet. They hold the
        policy lock, so whoever has it alone for a moment, and looks after getting it, sees no gap.
        """
        query = select(func.coalesce(func.max(table.c.no), 0))
        with self._told(), self.store.engine.connect() as connection:
            if self.is_postgresql:
                connection.execute(text("SET LOCAL lock_timeout = '10s'"))
                connection.execute(text(f"SELECT pg_advisory_xact_lock({POLICY_LOCK})"))
            return int(connection.execute(query).scalar_one())

    def label(self, column: ColumnElement[str], name: str) -> ColumnElement[str]:
        """One label of a column of labels, as text; `NULL` where it is missing."""
        if self.is_postgresql:
            found: ColumnElement[str] = cast(column, JSONB)[name].astext
            return found
        return func.json_extract(column, f'$."{name}"')

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, NoConnectionFree) as error:
            raise Unavailable(
                "The store is away; ask again.", code="store_away", retry_after_seconds=2
            ) from error


def whole(column: ColumnElement[Any]) -> ColumnElement[int]:
    """A sum as an integer on both stores."""
    return cast(func.coalesce(func.sum(column), 0), tables.NUMBER)


def _rows(connection: Connection, table: Table, names: str) -> list[Any]:  # Any: columns' values
    columns = [table.c[name] for name in names.split(", ")]
    return [dict(row) for row in connection.execute(select(*columns)).mappings()]


def _all(connection: Connection, table: Table) -> list[dict[str, Any]]:  # Any: columns' values
    return [dict(row) for row in connection.execute(select(table)).mappings()]
