"""Rows on their way to PostgreSQL: what is written as an array comes back as it was."""

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tekton_budget.storage.postgres_session import array_literal

TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
EDGES = st.sampled_from(
    ["", "NULL", "null", "{}", '"', "\\", '\\"', ",", "\x1e", "\x1f", "a\x1fb", "\x1e\x1e"]
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.none() | TEXTS | EDGES, max_size=8))
def test_texts_and_nulls_come_back_as_they_were(
    postgres_server: str, values: list[str | None]
) -> None:
    with psycopg.connect(postgres_server) as connection:
        row = connection.execute("SELECT %s::text[]", (array_literal(values),)).fetchone()

    assert row == (values,)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=8))
def test_numbers_come_back_as_they_were(postgres_server: str, values: list[int | None]) -> None:
    with psycopg.connect(postgres_server) as connection:
        row = connection.execute("SELECT %s::bigint[]", (array_literal(values),)).fetchone()

    assert row == (values,)
