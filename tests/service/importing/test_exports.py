"""The way back: what came in goes out as it was, with what was recorded here since."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

from tests.foreign.apollo_made import Json, policy, record
from tests.service.importing.conftest import (
    NOON_US,
    POLICIES,
    Clock,
    apollo_files,
    import_apollo,
    import_rhetor,
    made_files,
    rhetor_database,
    rhetor_made,
    usage_rows,
)

from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.command import Expire
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service

CALL = {
    "component": "ergon",
    "provider": "anthropic",
    "model": "claude-3-opus",
    "task_type": "chat",
}


@contextmanager
def elsewhere(folder: Path) -> Iterator[Running]:
    """Another installation."""
    url = f"sqlite:///{folder / 'elsewhere.db'}"
    with open_service(load_settings(database_url=url), clock=lambda: NOON_US) as opened:
        yield opened


def rows_in(files: dict[str, bytes]) -> dict[str, Json]:
    rows = [r for name, text in files.items() if name != POLICIES for r in json.loads(text)]
    return {row["record_id"]: row for row in rows}


def tables_of(database: bytes, path: Path) -> list[list[tuple[object, ...]]]:
    path.write_bytes(database)
    with closing(sqlite3.connect(path)) as connection:
        return [
            connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
            for table in ("usage", "budget_settings")
        ]


def test_apollos_store_goes_out_as_it_came_in(running: Running) -> None:
    files = apollo_files()
    import_apollo(running, files, timezone="Europe/Berlin")

    written = running.service.exports.apollo(LOCAL, "Europe/Berlin")

    assert rows_in(dict(written.files)) == rows_in(files)
    assert json.loads(written.files[POLICIES]) == json.loads(files[POLICIES])
    assert (written.records, written.tokens, written.policies) == (3920, 4314398, 13)
    assert written.faults == ()


def test_rhetors_store_goes_out_as_it_came_in(running: Running, tmp_path: Path) -> None:
    database = rhetor_database()
    import_rhetor(running, database)

    written = running.service.exports.rhetor(LOCAL, "UTC")

    assert tables_of(written.content, tmp_path / "out.db") == tables_of(
        database, tmp_path / "in.db"
    )
    assert (written.records, written.cost) == (2600, Decimal("71.013542"))
    assert written.faults == ()


def test_both_stores_in_one_ledger_go_out_apart(quick: Running, tmp_path: Path) -> None:
    import_apollo(quick, apollo_files())
    import_rhetor(quick, rhetor_database())

    assert quick.service.exports.apollo(LOCAL, "UTC").records == 3920
    assert quick.service.exports.rhetor(LOCAL, "UTC").records == 2600


def _live(running: Running) -> None:
    """Calls of here: one split, one not, one that expired and was measured after all."""
    ledger = running.service.ledger
    used = Used(
        input_tokens=70,
        output_tokens=20,
        cache_read_tokens=10,
        cost=Decimal("0.25"),
        metadata={"apollo": "a word of ours", "rhetor": ["another"]},
    )
    ledger.record(LOCAL, used, labels=dict(CALL), record_id="split").result()
    odd = {"apollo": {"record_id": 7, "timestamp": "soon", "allocation_id": [], "model": None}}
    whole = Used(tokens=50, cost=Decimal("0.5"), metadata=odd)
    ledger.record(LOCAL, whole, labels=dict(CALL), record_id="whole").result()
    ledger.record(LOCAL, Used(input_tokens=5), labels={}, record_id="unpriced").result()


def test_what_was_recorded_here_goes_along_to_apollo_and_does_not_come_back_twice(
    quick: Running, tmp_path: Path
) -> None:
    import_apollo(quick, made_files([record("a")], [policy("p")]))
    _live(quick)

    written = quick.service.exports.apollo(LOCAL, "UTC")
    again = import_apollo(quick, dict(written.files))
    with elsewhere(tmp_path) as other:
        there = import_apollo(other, dict(written.files))

    kinds = Counter[str]()
    for row in rows_in(dict(written.files)).values():
        kinds[row["usage_type"]] += row["tokens_used"]
    assert kinds == {"input": 100 + 80 + 5, "output": 20, "total": 50}
    assert (again.usage.new, again.usage.there, again.usage.ours) == (0, 1, 4)
    assert again.check.verified
    assert usage_rows(quick) == 4
    assert (there.usage.new, there.check.total.ours.total_tokens) == (5, 255)
    assert there.check.verified


def test_what_was_recorded_here_goes_along_to_rhetor_and_does_not_come_back_twice(
    quick: Running, tmp_path: Path
) -> None:
    row = ("2026-09-21T08:00:00", "p", "m", "c", "t", 1, 1, 0.1, '{"note": "ü"}')
    import_rhetor(quick, rhetor_made(tmp_path / "made.db", [row], []))
    _live(quick)

    written = quick.service.exports.rhetor(LOCAL, "UTC")
    usage, _ = tables_of(written.content, tmp_path / "out.db")
    again = import_rhetor(quick, written.content)
    with elsewhere(tmp_path) as other:
        there = import_rhetor(other, written.content)

    assert [one[6:9] for one in usage] == [(1, 1, 0.1), (80, 20, 0.25), (50, 0, 0.5), (5, 0, 0.0)]
    assert usage[3][2:6] == ("unknown", "unknown", "unknown", "default")
    assert (written.cost, written.records) == (Decimal("0.85"), 4)
    assert [fault.what for fault in written.faults] == [
        "without a known cost, and so there with 0: 1"
    ]
    assert (again.usage.new, again.usage.there, again.usage.ours) == (0, 1, 3)
    assert again.check.verified
    assert (there.usage.new, there.check.total.ours.cost) == (4, Decimal("0.85"))


def test_limits_that_were_changed_or_made_here_go_out_as_they_stand(quick: Running) -> None:
    import_apollo(quick, made_files([], [policy("p"), policy("q", type="warn")]))
    verbs = quick.service.policies
    verbs.change_policy(
        LOCAL, "p", {"token_limit": 90_000, "enforcement": "warn", "enabled": False}
    )
    verbs.end_policy(LOCAL, "q")
    tier = {"tier": "local_midweight"}
    own = {
        "token_limit": 5,
        "period": "monthly",
        "scope": tier,
        "name": "mine",
        "metadata": {"apollo": "a person's note"},
    }
    made = verbs.create_policy(LOCAL, own, budget="apollo").policy
    verbs.create_policy(LOCAL, {"limit": "5usd/day", "name": "money"}, budget="apollo")
    each = {**own, "name": "each", "per": ["user"]}
    verbs.create_policy(LOCAL, each, budget="apollo")

    written = quick.service.exports.apollo(LOCAL, "UTC")
    listed = {one["policy_id"]: one for one in json.loads(written.files[POLICIES])}

    assert set(listed) == {"p", made.policy_id}
    assert listed["p"] == policy("p", limit=90_000, type="warn", enabled=False)
    assert (listed[made.policy_id]["tier"], listed[made.policy_id]["limit"]) == (
        "local_midweight",
        5,
    )
    assert [fault.where for fault in written.faults] == ['policy "each"', 'policy "money"']


def test_an_estimate_that_was_taken_back_is_not_exported(quick: Running, clock: Clock) -> None:
    quick.service.policies.create_policy(LOCAL, {"limit": "1Mtokens/day"})
    ledger = quick.service.ledger
    ask = Ask(CALL, tokens=500, cost=Decimal(1), on_expiry="charge", lifetime_seconds=1)
    ledger.allocate(LOCAL, ask, allocation_id="a-1").result()
    clock.pass_seconds(5)
    quick.writer.submit(Expire("e-1", LOCAL, allocations=(("", "a-1"),))).result()
    estimated = quick.service.exports.apollo(LOCAL, "UTC")
    ledger.record(LOCAL, Used(input_tokens=30), allocation_id="a-1", record_id="real").result()
    measured = quick.service.exports.apollo(LOCAL, "UTC")

    assert (estimated.records, estimated.tokens) == (1, 500)
    assert (measured.records, measured.tokens) == (1, 30)
    assert usage_rows(quick) == 3


def test_times_go_out_as_the_clock_of_the_zone_shows_them(quick: Running) -> None:
    used = Used(tokens=1, timestamp_us=1_770_624_843_200_000)
    quick.service.ledger.record(LOCAL, used, labels=dict(CALL), record_id="r").result()

    [row] = rows_in(dict(quick.service.exports.apollo(LOCAL, "Europe/Berlin").files)).values()

    assert row["timestamp"] == "2026-02-09T09:14:03.200000"
