"""The schema: made when fresh, brought up to date when embedded, checked otherwise."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import uuid_utils
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.dialects import registry
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.schema import CreateIndex, CreateTable

from tekton_budget.domain.errors import BudgetError, Unavailable
from tekton_budget.storage import tables
from tekton_budget.storage.clock import host_now_us
from tekton_budget.storage.session import POSTGRES_NOW
from tekton_budget.storage.store import Store

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""All revisions, oldest first: what is none of these is newer than this program."""

HEAD = REVISIONS[-1]
SCHEMA_LOCK = 0x7E_B0_D6_04  # advisory lock: one process at a time makes or migrates
BUSY_SECONDS = 30.0

_VERSION_TABLE = "alembic_version"
_VERSIONS = (
    f"CREATE TABLE {_VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
    f"CONSTRAINT {_VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
)


class SchemaState(StrEnum):
    """How a store's schema stands to this program."""

    FRESH = "fresh"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"
    FOREIGN = "foreign"


def prepare(store: Store, *, migrate: bool = True) -> None:
    """Make a fresh store ready, migrate an older one if allowed to, refuse what does not fit."""
    state = schema_state(store)
    if state is SchemaState.CURRENT:
        return
    if state is SchemaState.OLDER and not migrate:
        raise BudgetError(
            f"The schema of {store.shown()} is older than this program. Stop what runs on it, then "
            "run: tekton-budget db upgrade",
            code="schema_old",
        )
    upgrade(store)


def upgrade(store: Store) -> list[str]:
    """Bring a store to this program's schema; which revisions were run. Refuses a newer one."""
    with _alone(store) as connection:
        before = _version(connection)
        state = _state_of(connection, before)
        if state is SchemaState.NEWER:
            raise BudgetError(
                f"The schema of {store.shown()} ({before}) is newer than this program knows "
                f"({HEAD}). Install a newer version: pip install --upgrade tekton-budget",
                code="schema_new",
            )
        if state is SchemaState.FOREIGN:
            raise BudgetError(
                f"{store.shown()} holds tables of something else under our names. Name another "
                "database: BUDGET_DATABASE_URL",
                code="schema_foreign",
            )
        if state is SchemaState.CURRENT:
            return []
        if state is SchemaState.FRESH:
            _make(connection)
            return list(REVISIONS)
        run_revisions(connection)
        return list(REVISIONS[REVISIONS.index(before or "") + 1 :])


def schema_state(store: Store) -> SchemaState:
    """How the store's schema stands to this program; takes no lock and changes nothing."""
    if store.path is not None and not store.path.exists():
        return SchemaState.FRESH
    with told(store), _engine(store, begin="") as engine, engine.connect() as connection:
        return _state_of(connection, _version(connection))


def _state_of(connection: Connection, version: str | None) -> SchemaState:
    if version is None:
        ours = _existing(connection, *tables.metadata.tables)
        return SchemaState.FOREIGN if ours else SchemaState.FRESH
    if version == HEAD:
        return SchemaState.CURRENT
    return SchemaState.OLDER if version in REVISIONS else SchemaState.NEWER


def _version(connection: Connection) -> str | None:
    if not _existing(connection, _VERSION_TABLE):
        return None
    row = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).first()
    return None if row is None else str(row[0])


def _existing(connection: Connection, *names: str) -> set[str]:
    """Which of these tables are there."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        return set(connection.execute(text(query)).scalars()) & set(names)
    query = (
        "SELECT name FROM unnest(CAST(:names AS text[])) AS name "
        "WHERE to_regclass(quote_ident(name)) IS NOT NULL"
    )
    return set(connection.execute(text(query), {"names": list(names)}).scalars())


def _make(connection: Connection) -> None:
    """All tables at once, as the revisions would have made them one after the other.

    A test holds the two equal. Bringing in Alembic takes longer than all the rest of a first start.
    """
    for statement in _statements(connection.dialect.name):
        connection.exec_driver_sql(statement)
    connection.execute(text(_VERSIONS))
    connection.execute(text(f"INSERT INTO {_VERSION_TABLE} VALUES (:head)"), {"head": HEAD})
    connection.execute(
        tables.meta.insert().values(
            id=1, installation_id=str(uuid_utils.uuid7()), created_us=_now_us(connection)
        )
    )


@cache
def _statements(store: str) -> tuple[str, ...]:
    """What makes all tables and indexes: put into words once for each kind of store."""
    dialect = registry.load(store)()
    made: list[str] = []
    for table in tables.metadata.sorted_tables:
        made.append(str(CreateTable(table).compile(dialect=dialect)))
        ordered = sorted(table.indexes, key=lambda index: str(index.name))
        made += [str(CreateIndex(index).compile(dialect=dialect)) for index in ordered]
    return tuple(made)


def run_revisions(connection: Connection, last: str | None = None) -> None:
    """Run the revisions that are missing, inside the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, last or HEAD)


@contextmanager
def _alone(store: Store) -> Iterator[Connection]:
    """A transaction that no other process making or migrating this store runs beside."""
    if store.path is not None:
        store.path.parent.mkdir(parents=True, exist_ok=True)
    with (
        told(store),
        _engine(store, begin="BEGIN IMMEDIATE") as engine,
        engine.begin() as connection,
    ):
        if store.is_postgresql:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})"))
        yield connection


@contextmanager
def told(store: Store) -> Iterator[None]:
    """What the drivers raise, as refusals that say what to do."""
    try:
        yield
    except OperationalError as error:
        raise Unavailable(
            f"{store.shown()} cannot be opened: {error.orig}", code="store_away"
        ) from error
    except DatabaseError as error:
        raise BudgetError(
            f"{store.shown()} cannot be used: {error.orig}", code="store_unusable"
        ) from error


@contextmanager
def _engine(store: Store, *, begin: str) -> Iterator[Engine]:
    """Connections of their own: the driver's implicit transactions would end before each table."""
    if store.is_postgresql:
        engine = create_engine(
            store.url.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            connect_args={"connect_timeout": 5},
        )
    else:
        engine = create_engine(
            store.url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS}
        )
        if begin:
            event.listen(engine, "connect", _by_hand)
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    try:
        yield engine
    finally:
        engine.dispose()


def _by_hand(connection: Any, _record: object) -> None:  # Any: a DBAPI connection
    connection.isolation_level = None
    give_up = time.monotonic() + BUSY_SECONDS
    while True:  # two first starts at once: the change to WAL does not wait for the other by itself
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return


def _now_us(connection: Connection) -> int:
    if connection.dialect.name == "sqlite":
        return host_now_us()
    return int(connection.execute(text(POSTGRES_NOW)).scalar_one())
