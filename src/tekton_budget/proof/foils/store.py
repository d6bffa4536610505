"""What the foils share: a counter row a group, a row a hold, and a pool of connections."""

import queue
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from tekton_budget.proof.adapter import Adapter, Budget, Connect, Granted, NotOffered
from tekton_budget.proof.stores import Place

SQLITE_CONNECTIONS = 4
POSTGRES_CONNECTIONS = 8
BUSY_SECONDS = 60.0

SCHEMA = (
    "CREATE TABLE counters (grp TEXT PRIMARY KEY, spent BIGINT NOT NULL DEFAULT 0, "
    "held BIGINT NOT NULL DEFAULT 0, version BIGINT NOT NULL DEFAULT 0)",
    "CREATE TABLE holds (id TEXT PRIMARY KEY, grp TEXT NOT NULL, amount BIGINT NOT NULL, "
    "ended INTEGER NOT NULL DEFAULT 0)",
)


class Connection:
    """One connection; statements are written with `?` and commit by themselves unless begun."""

    def __init__(self, place: Place) -> None:
        self._is_postgresql = place.is_postgresql
        self._connection: Any  # Any: a DBAPI connection of either driver
        if self._is_postgresql:
            self._connection = psycopg.connect(place.url, autocommit=True, prepare_threshold=1)
            return
        self._connection = sqlite3.connect(
            place.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:  # Any: columns' types
        """What a query finds."""
        return list(self._run(sql, values).fetchall())

    def change(self, sql: str, *values: object) -> int:
        """How many rows a statement changed."""
        return int(self._run(sql, values).rowcount)

    @contextmanager
    def together(self) -> Iterator[None]:
        """All or nothing. On SQLite the write lock is taken at once."""
        self._run("BEGIN" if self._is_postgresql else "BEGIN IMMEDIATE", ())
        try:
            yield
        except BaseException:
            self._run("ROLLBACK", ())
            raise
        self._run("COMMIT", ())

    def close(self) -> None:
        """Let go."""
        self._connection.close()

    def _run(self, sql: str, values: Sequence[object]) -> Any:  # Any: a cursor of either driver
        if self._is_postgresql:
            return self._connection.execute(sql.replace("?", "%s"), values or None)
        return self._connection.execute(sql, values)


class Foil(ABC):
    """An adapter over the counter rows; the way from reading to writing is each foil's own."""

    def __init__(self, place: Place, budget: Budget) -> None:
        self._budget = budget
        self._known: set[str] = set()
        self._pool: queue.LifoQueue[Connection] = queue.LifoQueue()
        size = POSTGRES_CONNECTIONS if place.is_postgresql else SQLITE_CONNECTIONS
        for _ in range(size):
            self._pool.put(Connection(place))

    @abstractmethod
    def reserve(self, amount: int, id: str, group: str) -> Granted | None:
        """May so much be used?"""

    @abstractmethod
    def settle(self, id: str, real: int) -> None:
        """It is used, and it was so much."""

    def release(self, id: str) -> None:
        """It was not used."""
        self.settle(id, 0)

    def spent(self, group: str) -> int:
        """What the counter says."""
        with self.connection() as connection:
            rows = connection.rows("SELECT spent FROM counters WHERE grp = ?", group)
        return int(rows[0][0]) if rows else 0

    def close(self) -> None:
        """Close the pool."""
        while not self._pool.empty():
            self._pool.get().close()

    @contextmanager
    def connection(self, group: str | None = None) -> Iterator[Connection]:
        """A connection of the pool; the group's row is there."""
        connection = self._pool.get()
        try:
            if group is not None and group not in self._known:
                insert = "INSERT INTO counters (grp) VALUES (?) ON CONFLICT DO NOTHING"
                connection.change(insert, group)
                self._known.add(group)
            yield connection
        finally:
            self._pool.put(connection)

    @property
    def limit(self) -> int:
        """The budget's."""
        return self._budget.limit


@dataclass(frozen=True, slots=True)
class FoilConnect:
    """How a process reaches a foil."""

    kind: type[Foil]
    place: Place
    budget: Budget

    def __call__(self) -> Adapter:
        """The adapter of this process."""
        return self.kind(self.place, self.budget)


@dataclass(frozen=True, slots=True)
class FoilArm:
    """A foil on one store."""

    kind: type[Foil]
    place: Place

    def __call__(self, budget: Budget) -> Connect:
        """Empty tables for this budget."""
        if budget.turns_at_ns is not None:
            raise NotOffered("its counter has no windows")
        place = self.place.fresh(budget.name)
        connection = Connection(place)
        for statement in SCHEMA:
            connection.change(statement)
        connection.close()
        return FoilConnect(self.kind, place, budget)


def held_amount(connection: Connection, id_: str) -> tuple[str, int] | None:
    """Group and amount of a hold that is not ended yet; `None` if it is; raises if unknown."""
    rows = connection.rows("SELECT grp, amount, ended FROM holds WHERE id = ?", id_)
    if not rows:
        raise LookupError(f"no hold {id_}")
    group, amount, ended = rows[0]
    return None if ended else (str(group), int(amount))
