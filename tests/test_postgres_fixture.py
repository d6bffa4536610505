"""The database that tests get: nobody else's, empty, and as durable in its answers as shipped."""

from pathlib import Path

import psycopg
import pytest
from tests.postgres_pool import Pool
from tests.storage.workbench import Bench, allocate

from tekton_budget.domain.answer import Grant
from tekton_budget.storage import tables


@pytest.mark.parametrize("turn", [1, 2])
def test_a_database_is_empty_at_the_start_of_a_test(new_postgres_url: str, turn: int) -> None:
    with psycopg.connect(new_postgres_url) as connection:
        connection.execute(
            "CREATE TABLE left_behind (turn int)"
        )  # fails where the other turn can be seen

        assert connection.execute("SELECT count(*) FROM left_behind").fetchone() == (0,)


def test_the_server_answers_a_commit_as_a_shipped_one_does(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert connection.execute("SHOW default_transaction_isolation").fetchone() == (
            "read committed",
        )


def test_a_store_is_new(new_store_url: str) -> None:
    scheme, _, rest = new_store_url.partition("://")
    if scheme == "sqlite":
        assert not Path(rest.removeprefix("/")).exists()
    else:
        with psycopg.connect(new_store_url) as connection:
            query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
            assert connection.execute(query).fetchone() == (0,)


def contents(url: str) -> dict[str, list[tuple]]:
    """All rows of all tables, and how far each sequence is."""
    with psycopg.connect(url) as connection:
        found = {
            name: sorted(connection.execute(f"SELECT {name}::text FROM {name}"))
            for name in tables.metadata.tables
        }
        query = "SELECT sequencename::text, last_value FROM pg_sequences ORDER BY 1"
        found["sequences"] = connection.execute(query).fetchall()
        return found


def test_a_database_is_lent_again_with_nothing_of_its_last_use(postgres_server: str) -> None:
    pool = Pool(postgres_server)
    with pool.borrowed() as first:
        before = contents(first)
        with Bench(first) as bench:
            bench.policy("p", "9usd/day")
            assert isinstance(bench.run(allocate("a")), Grant)
        assert len([name for name, rows in contents(first).items() if rows != before[name]]) > 5
        left_open = psycopg.connect(first)
        left_open.execute("SELECT id FROM meta FOR UPDATE")
    with pool.borrowed() as second:
        assert second == first
        assert contents(second) == before
        with pytest.raises(psycopg.OperationalError):
            left_open.execute("SELECT 1")
    left_open.close()
    pool.close()


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE left_behind (turn int)",
        "DROP TABLE usage",
        "DROP TABLE alembic_version",
        "UPDATE alembic_version SET version_num = '0001'",
        "ALTER TABLE usage ADD COLUMN more int",
        "ALTER TABLE usage ALTER COLUMN cost_nano TYPE numeric",
        "ALTER TABLE usage SET (fillfactor = 50)",
        "CREATE INDEX more ON usage (cost_nano)",
        "CREATE SCHEMA more",
        "ANALYZE",
    ],
)
def test_a_database_that_was_changed_is_not_lent_again(postgres_server: str, change: str) -> None:
    pool = Pool(postgres_server)
    with pool.borrowed() as first, psycopg.connect(first, autocommit=True) as connection:
        connection.execute(change)
    with pool.borrowed() as second:
        assert second != first
    pool.close()
