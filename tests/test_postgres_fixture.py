"""The database that tests get: one of their own, empty, and as durable in its answers as shipped."""

from pathlib import Path

import psycopg
import pytest


@pytest.mark.parametrize("turn", [1, 2])
def test_a_database_is_empty_at_the_start_of_a_test(postgres_url: str, turn: int) -> None:
    with psycopg.connect(postgres_url) as connection:
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


def test_a_store_is_new(store_url: str) -> None:
    scheme, _, rest = store_url.partition("://")
    if scheme == "sqlite":
        assert not Path(rest.removeprefix("/")).exists()
    else:
        with psycopg.connect(store_url) as connection:
            query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
            assert connection.execute(query).fetchone() == (0,)
