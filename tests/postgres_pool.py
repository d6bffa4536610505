"""Databases that tests borrow one after the other: each finds the schema, and nothing in it.

To make a database, make its tables and drop it takes a server longer than most tests. What a test has written is
cut away instead; a database whose tables, indexes or statistics are no longer those it was made with is dropped.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tekton_budget.storage.schema import prepare
from tekton_budget.storage.store import Store

_ENDED = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# Whoever changes a table, changes rows here; to empty it does not.
_SHAPE = """
SELECT
    (SELECT string_agg(format('%s %s %s', oid, relname, reloptions), ',' ORDER BY oid)
        FROM pg_class WHERE relnamespace = 'public'::regnamespace),
    (SELECT string_agg(format('%s %s %s', attrelid, attnum, a.xmin), ',' ORDER BY attrelid, attnum)
        FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace),
    (SELECT count(*) FROM pg_statistic JOIN pg_class c ON c.oid = starelid
        WHERE relnamespace = 'public'::regnamespace),
    (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM pg_proc),
    (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_db_role_setting),
    (SELECT count(*) FROM pg_constraint),
    (SELECT string_agg(version_num, ',') FROM alembic_version)
"""
_WRITTEN = """
SELECT string_agg(oid::regclass::text, ', ') FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    AND relname NOT IN ('alembic_version', 'meta') AND pg_relation_size(oid) > 0
"""
_COUNTED = """
SELECT format('ALTER SEQUENCE %I RESTART', sequencename) FROM pg_sequences
WHERE schemaname = 'public' AND last_value IS NOT NULL
"""


@dataclass
class Pool:
    """Of one process of the run."""

    server: str
    free: list["_Made"] = field(default_factory=list)

    @contextmanager
    def borrowed(self) -> Iterator[str]:
        """The address of a database that nobody else has until the block ends."""
        made = self.free.pop() if self.free else self._make()
        yield made.url
        if _emptied(made):
            self.free.append(made)
        else:
            self._drop(made)

    def close(self) -> None:
        """Drop them all."""
        while self.free:
            self._drop(self.free.pop())

    def _make(self) -> "_Made":
        name = f"budget_test_{uuid.uuid4().hex}"
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        url = urlunsplit(urlsplit(self.server)._replace(path=f"/{name}"))
        prepare(Store(url))
        with psycopg.connect(url) as connection:
            [meta] = connection.execute("SELECT to_jsonb(meta)::text FROM meta").fetchone()
            return _Made(name, url, connection.execute(_SHAPE).fetchone(), meta)

    def _drop(self, made: "_Made") -> None:
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{made.name}" WITH (FORCE)')


@dataclass(frozen=True)
class _Made:
    name: str
    url: str
    shape: tuple
    meta: str


def _emptied(made: _Made) -> bool:
    """Whether the database is again as it was made."""
    with psycopg.connect(made.url) as connection:
        connection.execute(_ENDED)
        try:
            if connection.execute(_SHAPE).fetchone() != made.shape:
                return False
        except psycopg.errors.UndefinedTable:
            return False
        [written] = connection.execute(_WRITTEN).fetchone()
        if written:
            connection.execute(f"TRUNCATE {written} CASCADE")  # of tables that are empty
        for (restart,) in connection.execute(_COUNTED).fetchall():
            connection.execute(restart)
        connection.execute("DELETE FROM meta")
        connection.execute(
            "INSERT INTO meta SELECT * FROM jsonb_populate_record(NULL::meta, %s::jsonb)",
            [made.meta],
        )
    return True
