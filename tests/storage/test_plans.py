"""Plans: the statements of a batch find their rows by an index, whatever the size of the tables."""

import re
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql as pg_sql
from tests.storage.workbench import Bench, Clock, allocate, record, release, settle

from tekton_budget.storage.postgres_session import PostgresSession
from tekton_budget.storage.sqlite_session import SqliteSession

HOT = ("allocations", "balances", "usage", "answers", "batches", "rollups", "exceptions")


def busy(bench: Bench) -> None:
    """Every kind of statement that a batch can have."""
    bench.policy("purse", "1usd/day", per=("user",), rollover=True)
    labels = {"user": "alice"}
    bench.run(allocate("one", "0.5", labels=labels))
    bench.run(record("part", "0.1", allocation_id="one"))
    bench.run(settle("one", "0.1"))
    bench.run(settle("one", "0.1"))
    bench.run(allocate("one", "0.5", labels=labels))
    bench.run(allocate("two", "0.5", labels=labels))
    bench.run(allocate("three", "0.5", labels=labels))
    bench.run(release("two"))
    bench.run(allocate("parent", "0.2", labels=labels, requests=9))
    bench.run(allocate("child", "0.1", parent_id="parent"))
    bench.run(settle("child", "0.1"))
    bench.run(allocate("child-2", "0.1", parent_id="parent"))
    bench.run(replace(release("parent"), cascade=True))


def scanned(node: dict[str, object]) -> Iterator[str]:
    """The growing tables that a plan reads without a key."""
    by_key = {"Index Cond", "Recheck Cond", "TID Cond"} & node.keys()
    if node.get("Relation Name") in HOT and "Scan" in node["Node Type"] and not by_key:
        yield node["Relation Name"]
    for below in node.get("Plans", ()):
        yield from scanned(below)


def test_sqlite_never_scans_a_table_that_grows(
    sqlite_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, object] = {}
    execute = SqliteSession.execute

    def tapped(session, sql, parameters=()):
        seen[sql] = parameters
        return execute(session, sql, parameters)

    monkeypatch.setattr(SqliteSession, "execute", tapped)
    with Bench(sqlite_url, clock=clock) as bench:
        bench.policy("warm", "1usd/day")
        seen.clear()
        busy(bench)
        reads = {s: p for s, p in seen.items() if s.startswith("SELECT") and "max(no)" not in s}
        monkeypatch.undo()
        session = bench.store.connect()
        plans = {
            statement: [row[3] for row in session.execute(f"EXPLAIN QUERY PLAN {statement}", bound)]
            for statement, bound in reads.items()
        }
        session.close()

    hot = {s: p for s, p in plans.items() if any(f"FROM {t}" in s or f"JOIN {t}" in s for t in HOT)}
    assert len(hot) >= 7
    scans = {
        statement: step
        for statement, steps in hot.items()
        for step in steps
        if re.match(rf"SCAN ({'|'.join(HOT)}|b|x|e)\b", step)
    }
    assert scans == {}


def test_postgresql_never_scans_a_table_that_grows(
    postgres_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[object]] = {}

    class Tapped(psycopg.Connection):
        def execute(self, query, params=None, **options):
            if params:
                seen[query.decode()] = list(params)
            return super().execute(query, params, **options)

    monkeypatch.setattr(psycopg, "connect", Tapped.connect)
    with Bench(postgres_url, clock=clock) as bench:
        bench.policy("warm", "1usd/day")
        seen.clear()
        busy(bench)
    monkeypatch.undo()
    session = PostgresSession(postgres_url)
    scans = {}
    for statement, bound in seen.items():
        if "advisory" in statement or "status = 'active' AND (id, key_id)" in statement:
            continue
        literal = statement
        for value in bound:
            quoted = pg_sql.Literal(value).as_string(session._connection)
            literal = literal.replace("%s", quoted.replace("%", "%%"), 1)
        plan = session.execute(f"EXPLAIN (FORMAT JSON) {literal}")[0][0]
        found = list(scanned(plan[0]["Plan"]))
        if found:
            scans[statement] = found
    session.close()

    assert len(seen) > 20
    assert scans == {}
