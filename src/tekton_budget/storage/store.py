"""A store: where it is, how to connect for writing and for reading, and whether its schema fits."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from tekton_budget.domain.errors import invalid
from tekton_budget.storage.clock import host_now_us
from tekton_budget.storage.session import POSTGRES_NOW, Session
from tekton_budget.storage.sqlite_session import SqliteSession

READERS = 8


class Store:
    """One database: `sqlite:////path/to/file.db` or `postgresql://user@host/name`."""

    def __init__(self, url: str) -> None:
        self.url = _checked(url)
        self.is_postgresql = self.url.get_backend_name() == "postgresql"
        self.engine = self._engine()

    @property
    def path(self) -> Path | None:
        """The file of an SQLite store."""
        return None if self.is_postgresql else Path(self.url.database or "")

    def connect(self) -> Session:
        """A session for a writer."""
        if self.is_postgresql:
            from tekton_budget.storage.postgres_session import PostgresSession  # slow to import

            return PostgresSession(self.libpq_url())
        return SqliteSession(str(self.path))

    def libpq_url(self) -> str:
        """The URL as psycopg takes it."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def shown(self) -> str:
        """The URL without its password."""
        return self.url.render_as_string(hide_password=True)

    def now_us(self) -> int:
        """The store's clock, for readers."""
        if not self.is_postgresql:
            return host_now_us()
        with self.engine.connect() as connection:
            return int(connection.execute(text(POSTGRES_NOW)).scalar_one())

    def close(self) -> None:
        """Close the readers' connections."""
        self.engine.dispose()

    def _engine(self) -> Engine:
        if self.is_postgresql:
            url = self.url.set(drivername="postgresql+psycopg")
            return create_engine(url, pool_size=READERS, max_overflow=READERS, pool_pre_ping=True)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(self.url, pool_size=READERS, max_overflow=READERS)
        event.listen(engine, "connect", _reader_pragmas)
        return engine


def _reader_pragmas(connection: Any, _record: object) -> None:  # Any: a DBAPI connection
    connection.execute("PRAGMA busy_timeout=10000")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise invalid("database_url", f"{url!r} is not a database URL: {_FORMS}") from error
    backend = parsed.get_backend_name()
    if backend == "postgres":
        return parsed.set(drivername="postgresql")
    if backend not in ("sqlite", "postgresql"):
        raise invalid("database_url", f"{backend!r} is not supported: {_FORMS}")
    if backend == "sqlite" and (parsed.database in (None, "", ":memory:")):
        raise invalid(
            "database_url", f"a budget must outlive its process, so name a file: {_FORMS}"
        )
    return parsed


_FORMS = "use sqlite:////absolute/path.db or postgresql://user:password@host/database"
