"""Scale: what grows with the number of groups and the length of history, and what must not."""

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from tekton_budget.domain.answer import Grant
from tekton_budget.domain.caller import LOCAL
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.service.reporting.records import UsageQuery
from tekton_budget.service.reporting.reports import Reports, SummaryQuery
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service

GROUPS = (10, 1_000, 1_000_000)
HISTORY = (10_000, 100_000, 1_000_000, 10_000_000)
QUICK = 2  # how many of the sizes a quick run leaves out
PAIRS = 3_000
REPEATS = 5
HOUR_US = 3600 * 1_000_000
START_US = 1_780_000_000_000_000 - 1_780_000_000_000_000 % HOUR_US
SPAN_HOURS = 24 * 90
TEAMS, MODELS = 20, 10

Row = tuple[str, float, str, bool]  # what, figure, target, reached


def rows(*, quick: bool = False) -> Iterator[Row]:
    """The rows of DESIGN §8 about size."""
    yield from groups_rows(GROUPS[:-1] if quick else GROUPS)
    yield from history_rows(HISTORY[:-QUICK] if quick else HISTORY)


def groups_rows(sizes: tuple[int, ...]) -> Iterator[Row]:
    """Pairs a second on random groups of one policy, against those on few groups."""
    rates = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "budget.db"
            with _service(path) as running:
                policy = running.service.policies.create_policy(
                    LOCAL, {"limit": "1000000usd/month", "per": ["user"]}
                ).policy
                window = running.reader.policies().window(policy, running.reader.now_us())
                grow_groups(path, policy.no, window.opens_us, window.closes_us or 0, size)
                rates.append(
                    _pairs_rate(running, lambda size=size: f"user-{random.randrange(size)}")
                )
    ratio = rates[-1] / max(rates[:-1])
    name = f"pairs/s on {sizes[-1]:,} groups against few"
    yield name, ratio, ">= 0.67", ratio >= 1 / 1.5


def history_rows(sizes: tuple[int, ...]) -> Iterator[Row]:
    """Pairs a second, and a report by one label, with ever more usage behind them."""
    rates, reports = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "budget.db"
        with _service(path) as running:
            running.service.policies.create_policy(
                LOCAL, {"limit": "1000000usd/month", "per": ["team"]}
            )
        have = 0
        for size in sizes:
            grow_history(path, have, size)
            have = size
            with _service(path) as running:
                rates.append(_pairs_rate(running, lambda: f"user-{random.randrange(50)}"))
                reports.append(_report_seconds(running))
    ratio = rates[-1] / rates[0]
    yield (
        f"pairs/s with {sizes[-1]:,} records of history against few",
        ratio,
        ">= 0.67",
        (ratio >= 1 / 1.5),
    )
    yield (
        f"report by one label over {sizes[-1]:,} records, ms",
        reports[-1] * 1000,
        "<= 50",
        (reports[-1] <= 0.050),
    )
    flat = reports[-1] / reports[1]
    yield f"the same against {sizes[1]:,} records", flat, "<= 1.5", flat <= 1.5


def grow_groups(path: Path, policy_no: int, opens_us: int, closes_us: int, size: int) -> None:
    """Balances of so many groups, as if each had been used once."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :size)
            INSERT INTO balances (id, policy_no, grp, opens_us, closes_us, opened,
                                  spent_cost_nano, spent_requests, share_permille, updated_us)
            SELECT :no || ':' || :opens || ':user-' || i, :no, 'user-' || i, :opens, :closes, 1,
                   i % 997 * 1000000, 1, 0, :opens FROM n
            """,
            {"size": size, "no": policy_no, "opens": opens_us, "closes": closes_us},
        )
    connection.close()


def grow_history(path: Path, have: int, size: int) -> None:
    """Usage records from `have` to `size` over 90 days, with their rollups, as the writer writes."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'usage' AND type = 'index' "
        "AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    bounds = {"have": have, "size": size, "start": START_US, "hours": SPAN_HOURS, "hour": HOUR_US}
    connection.execute("BEGIN")
    connection.execute(
        f"""
        WITH RECURSIVE n(i) AS (SELECT :have UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :size)
        INSERT INTO usage (record_id, key_id, at_us, placed_us, recorded_us, labels, provider, model,
                           input_tokens, output_tokens, requests, cost_nano, cost_source, measurement)
        SELECT 'h' || i, '', :start + i % :hours * :hour + i % 3600, :start + i % :hours * :hour,
               :start + i % :hours * :hour,
               '{{"team":"t' || i % {TEAMS} || '","user":"u' || i % 50 || '"}}',
               'provider-' || i % 3, 'model-' || i % {MODELS}, 100, 20, 1, i % 1000 * 1000,
               'book', 'measured' FROM n
        """,
        bounds,
    )
    connection.execute("DELETE FROM rollups")
    day_us = 24 * HOUR_US
    for kind, bucket_us in (("hour", HOUR_US), ("day", day_us)):
        for label, value in (("", "''"), ("team", f"'t' || (no - 1) % {TEAMS}")):
            connection.execute(
                f"""
                INSERT INTO rollups (kind, label, bucket_us, value, provider, model, slot, records,
                                     requests, input_tokens, output_tokens, cost_nano)
                SELECT '{kind}', '{label}', at_us - at_us % {bucket_us}, {value}, provider, model, 0,
                       count(*), sum(requests), sum(input_tokens), sum(output_tokens),
                       sum(cost_nano)
                FROM usage WHERE record_id LIKE 'h%' GROUP BY 3, 4, provider, model
                """
            )
    connection.execute("COMMIT")
    for _, statement in indexes:
        connection.execute(statement)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _service(path: Path) -> Running:
    return open_service(load_settings(database_url=f"sqlite:///{path}"))


def _pairs_rate(running: Running, user: object) -> float:
    """Allocate and settle in waves of 64, so that batches fill as under load."""
    assert callable(user)
    ledger = running.service.ledger
    best = 0.0
    for _ in range(REPEATS):
        begun = time.perf_counter()
        done = 0
        while done < PAIRS // REPEATS:
            asks = [
                ledger.allocate(
                    LOCAL, Ask(labels={"user": user(), "team": "t1"}, cost=Decimal("0.01"))
                )
                for _ in range(64)
            ]
            grants = [ask.result() for ask in asks]
            ends = [
                ledger.settle(LOCAL, grant.allocation_id, Used(cost=Decimal("0.008")))
                for grant in grants
                if isinstance(grant, Grant)
            ]
            for end in ends:
                end.result()
            done += len(ends)
        best = max(best, done / (time.perf_counter() - begun))
    return best


def _report_seconds(running: Running) -> float:
    reports = Reports(running.reader)
    query = SummaryQuery(
        UsageQuery(from_us=START_US, to_us=START_US + SPAN_HOURS * HOUR_US), timezone="UTC"
    )
    taken = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        report = reports.report(LOCAL, by=("team", "provider", "model"), query=query)
        taken.append(time.perf_counter() - begun)
        assert report.exact_from == "rollups", report.exact_from
        assert report.total.records > 0
    return statistics.median(taken)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    for row in rows(quick=parser.parse_args().quick):
        print(*row, sep=" | ", flush=True)
