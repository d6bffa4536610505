"""Limits come in with their own enforcement, follow their store, and leave people's changes alone."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from tests.foreign.apollo_made import Json, policy, record
from tests.service.importing.conftest import (
    import_apollo,
    import_rhetor,
    made_files,
    rhetor_made,
)

from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.policy import Policy, Status
from tekton_budget.domain.zones import rfc3339
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.service.importing.report import Outcome
from tekton_budget.service.reporting.records import UsageQuery
from tekton_budget.wiring import Running

NOW = "2026-09-21T16:26:40"  # the clock's, in UTC
TODAY = "2026-09-21T08:00:00"
OPUS = {
    "provider": "anthropic",
    "model": "claude-3-opus",
    "component": "ergon",
    "task_type": "coding",
}


def stored(running: Running, policy_id: str) -> Policy:
    return [p for p in running.reader.policies().by_no.values() if p.policy_id == policy_id][-1]


def ask(running: Running, tokens: int, **labels: str) -> Grant | Denial:
    asked = Ask({**OPUS, **labels}, tokens=tokens, cost=Decimal("0.01"))
    return running.service.ledger.allocate(LOCAL, asked).result()


def spent(running: Running, policy_id: str) -> dict[str, tuple[int, int]]:
    page = running.service.standings.of_policy(LOCAL, policy_id)
    return {view.group: (view.spent.tokens, view.spent.cost_nano) for view in page.items}


def test_a_limit_comes_in_with_all_that_apollo_says_of_it(quick: Running) -> None:
    said = policy(
        "p-1",
        type="soft_limit",
        period="weekly",
        component="athena",
        task_type="chat",
        limit=750000,
        warning_threshold=0.65,
        action_threshold=0.9,
        end_date="2026-12-31T23:59:59",
        metadata={"why": "autumn"},
    )

    report = import_apollo(quick, made_files([], [said]), timezone="Europe/Berlin")
    made = stored(quick, "p-1")

    assert [limit.outcome for limit in report.limits] == ["made"]
    assert (made.budget_id, made.name) == ("apollo", "apollo weekly remote_heavyweight athena chat")
    assert (made.enforcement, made.limits.tokens, made.shadow) == ("soft_limit", 750000, False)
    assert made.scope.to_json() == {
        "tier": "remote_heavyweight",
        "component": "athena",
        "task_type": "chat",
    }
    assert (made.schedule.period, made.schedule.zone) == ("weekly", "Europe/Berlin")
    assert made.thresholds_ppm == (650_000, 900_000)
    assert rfc3339(made.starts_us or 0) == "2026-02-09T07:13:00Z"
    assert rfc3339(made.ends_us or 0) == "2026-12-31T22:59:59Z"
    assert made.metadata["apollo"]["metadata"] == {"why": "autumn"}  # type: ignore[index]  # any JSON
    budget = quick.reader.policies().budgets["apollo"]
    assert budget.scope.to_json() == {"imported_from": ["", "apollo"]}


def test_an_imported_hard_limit_denies_from_then_on(running: Running) -> None:
    rows = [record("a", timestamp=TODAY, tokens_used=59_900)]
    files = made_files(rows, [policy("p", component="ergon", task_type="coding")])

    import_apollo(running, files)

    assert spent(running, "p") == {"": (59_900, 0)}
    assert isinstance(ask(running, 101), Denial)
    assert isinstance(ask(running, 100), Grant)
    assert isinstance(ask(running, 1), Denial)
    assert isinstance(ask(running, 1, component="athena"), Grant)


def test_no_client_passes_an_imported_limit_by_the_label_of_another_store(quick: Running) -> None:
    import_apollo(quick, made_files([], [policy("p", limit=0)]))
    client = Caller("k", "k", Role.CLIENT)
    labels = {**OPUS, "imported_from": "elsewhere"}
    ledger = quick.service.ledger

    with pytest.raises(InvalidInput, match=r"labels\.imported_from: only imports say it"):
        ledger.allocate(client, Ask(labels, tokens=1, cost=Decimal(0))).result()
    with pytest.raises(InvalidInput, match=r"labels\.imported_from"):
        ledger.record(client, Used(tokens=1), labels=labels).result()
    free = ledger.allocate(client, Ask({"tier": "local_midweight"}, tokens=1, cost=Decimal(0)))
    with pytest.raises(InvalidInput, match=r"labels\.imported_from"):
        ledger.settle(
            client, free.result().allocation_id, Used(tokens=1), labels={"imported_from": "apollo"}
        ).result()


@pytest.mark.parametrize(
    ("kind", "decision"),
    [("ignore", "allow"), ("warn", "warn"), ("soft_limit", "downgrade"), ("hard_limit", "deny")],
)
def test_each_type_does_what_its_name_says(quick: Running, kind: str, decision: str) -> None:
    rows = [record("a", timestamp=TODAY, tokens_used=70_000)]

    planned = import_apollo(quick, made_files(rows, [policy("p", type=kind)]), dry_run=True)
    report = import_apollo(quick, made_files(rows, [policy("p", type=kind)]))
    answer = ask(quick, 10)

    said = "deny" if isinstance(answer, Denial) else answer.decision
    assert said == decision
    for told in (planned, report):
        assert [(view.name, view.spent.tokens) for view in told.over] == [
            ("apollo daily remote_heavyweight", 70_000)
        ]


def test_a_disabled_limit_and_one_that_is_over_judge_nothing(quick: Running) -> None:
    off = policy("off", enabled=False, limit=1)
    past = policy("past", period="monthly", limit=1, end_date="2026-03-31T23:59:59")

    report = import_apollo(quick, made_files([record("a", timestamp=TODAY)], [off, past]))

    assert isinstance(ask(quick, 10_000), Grant)
    assert report.over == ()
    assert not stored(quick, "off").enabled


def test_a_dry_run_foresees_what_would_be_passed_by_what_is_there_and_what_would_be(
    running: Running,
) -> None:
    import_apollo(running, made_files([record("a", timestamp=TODAY, tokens_used=40_000)]))
    used = Used(input_tokens=15_000)
    running.service.ledger.record(LOCAL, used, labels=dict(OPUS)).result()
    rows = [
        record("a", timestamp=TODAY, tokens_used=40_000),
        record("b", timestamp=TODAY, tokens_used=6_000, usage_type="total"),
        record("c", timestamp="2026-09-20T12:00:00", tokens_used=90_000),
    ]
    policies = [
        policy("p"),
        policy("q", limit=61_000),
        policy("off", limit=1, enabled=False),
        policy("each", period="per_session", limit=60_000),
    ]

    planned = import_apollo(running, made_files(rows, policies), dry_run=True)
    real = import_apollo(running, made_files(rows, policies))

    for told in (planned, real):
        assert [(view.policy_id, view.group, view.spent.tokens) for view in told.over] == [
            ("p", "", 61_000),
            ("each", "ergon:coding-1", 136_000),
        ]


def test_per_session_limits_are_of_each_context(quick: Running) -> None:
    rows = [
        record("a", timestamp=TODAY, context_id="c-1", tokens_used=900),
        record("b", timestamp=TODAY, context_id="c-2", tokens_used=100),
    ]

    import_apollo(quick, made_files(rows, [policy("p", period="per_session", limit=1000)]))

    assert spent(quick, "p") == {"c-1": (900, 0), "c-2": (100, 0)}
    assert isinstance(ask(quick, 101, context_id="c-1"), Denial)
    assert isinstance(ask(quick, 101, context_id="c-2"), Grant)


# --- shadow, then for good ----------------------------------------------------------------------


def test_a_shadow_period_ends_with_enforce(quick: Running) -> None:
    files = made_files(
        [record("a", timestamp=TODAY, tokens_used=60_000)], [policy("p"), policy("q", type="warn")]
    )

    import_apollo(quick, files, mode="shadow")
    as_if = ask(quick, 10)
    kept = import_apollo(quick, files)
    enforced = import_apollo(quick, files, mode="enforce")
    again = import_apollo(quick, files, mode="enforce")

    assert isinstance(as_if, Grant)
    assert as_if.would_deny
    assert [limit.outcome for limit in kept.limits] == ["same", "same"]
    assert [limit.shadow for limit in kept.limits] == [True, True]
    assert [limit.outcome for limit in enforced.limits] == ["changed", "changed"]
    assert [limit.outcome for limit in again.limits] == ["same", "same"]
    assert isinstance(ask(quick, 10), Denial)


# --- again --------------------------------------------------------------------------------------


def test_what_changed_in_the_store_changes_here(quick: Running) -> None:
    import_apollo(quick, made_files([record("a", timestamp=TODAY)], [policy("p")]))

    changed = policy("p", limit=70_000, enabled=False, type="warn")
    report = import_apollo(quick, made_files([], [changed]))
    after = stored(quick, "p")

    assert [limit.outcome for limit in report.limits] == ["changed"]
    assert report.limits[0].notes == (
        "enforcement: hard_limit → warn",
        "token_limit: 60,000 → 70,000",
        "enabled: True → False",
    )
    assert (after.limits.tokens, after.enforcement, after.enabled) == (70_000, "warn", False)
    assert spent(quick, "p") == {"": (100, 0)}
    assert [limit.outcome for limit in import_apollo(quick, made_files([], [changed])).limits] == [
        "same"
    ]


def test_what_was_changed_here_by_hand_stays_and_is_said(quick: Running) -> None:
    import_apollo(quick, made_files([], [policy("p")]))
    quick.service.policies.change_policy(LOCAL, "p", {"token_limit": 90_000})

    same = import_apollo(quick, made_files([], [policy("p")]))
    other = import_apollo(quick, made_files([], [policy("p", limit=50_000, type="warn")]))
    after = stored(quick, "p")

    assert [limit.outcome for limit in same.limits] == ["kept"]
    assert same.limits[0].notes == (
        "token_limit was changed here since, from 60,000 to 90,000: it stays so",
    )
    assert other.limits[0].outcome == "changed"
    assert "(the store now says 50,000)" in other.limits[0].notes[0]
    assert (after.limits.tokens, after.enforcement) == (90_000, "warn")


def test_what_was_ended_here_is_not_made_again(quick: Running) -> None:
    import_apollo(quick, made_files([], [policy("p")]))
    quick.service.policies.end_policy(LOCAL, "p")

    report = import_apollo(quick, made_files([], [policy("p")]))

    assert [limit.outcome for limit in report.limits] == ["ended"]
    assert quick.reader.policies().counting_everywhere() == []


def test_a_name_that_is_taken_gets_the_limits_id(quick: Running) -> None:
    fields = {"limit": "5usd/day", "name": "apollo daily remote_heavyweight"}
    quick.service.policies.create_policy(LOCAL, fields)

    for _ in range(2):
        report = import_apollo(quick, made_files([], [policy("0123456789abcdef")]))
        assert report.limits[0].name == "apollo daily remote_heavyweight 456789abcdef"
    assert report.limits[0].outcome == "same"


def test_a_budget_of_that_name_is_used_and_what_its_scope_lacks_is_said(quick: Running) -> None:
    quick.service.policies.create_budget(LOCAL, name="apollo")

    report = import_apollo(quick, made_files([], [policy("p")]))

    assert [limit.outcome for limit in report.limits] == ["made"]
    assert len(report.notes) == 1
    assert "imported_from" in report.notes[0]


def test_a_limit_that_an_import_left_half_made_is_finished_by_the_next(quick: Running) -> None:
    files = made_files([record("a", timestamp=TODAY)], [policy("p")])
    finish = quick.service.policies.finish
    quick.service.policies.finish = lambda policy: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]  # a crash just there
    with pytest.raises(KeyboardInterrupt):
        import_apollo(quick, files)
    assert stored(quick, "p").status is Status.STARTING
    quick.service.policies.finish = finish  # type: ignore[method-assign]  # as it was

    report = import_apollo(quick, files)

    assert report.check.verified
    assert stored(quick, "p").status is Status.ACTIVE
    assert spent(quick, "p") == {"": (100, 0)}


# --- two stores, the same calls -----------------------------------------------------------------


@dataclass
class Both:
    """Apollo and Rhetor, which both counted the same call of today."""

    running: Running
    apollo: dict[str, bytes]
    rhetor: bytes


@pytest.fixture
def both(running: Running, tmp_path: Path) -> Both:
    usage = (TODAY, "anthropic", "claude-3-opus", "ergon", "coding", 60, 40, 0.5, "{}")
    limits = [
        ("daily", "all", 10.0, "enforce", "2026-02-09T00:00:00", 1),
        ("daily", "anthropic", 8.0, "warn", "2026-02-09T00:00:00", 1),
        ("monthly", "ollama", 0.0, "enforce", "2026-02-09T00:00:00", 1),
        ("weekly", "all", 1.0, "enforce", "2026-02-09T00:00:00", 0),
    ]
    running.service.prices.load_cards(
        LOCAL,
        [
            {
                "provider": "anthropic",
                "model": "claude-3-opus",
                "rates": {"input": "1000", "output": "1000"},
            }
        ],
        "test",
    )
    database = rhetor_made(tmp_path / "made.db", [usage], limits)
    return Both(running, made_files([record("a", timestamp=TODAY)], [policy("p")]), database)


@pytest.mark.parametrize("apollo_first", [True, False])
def test_what_both_stores_counted_is_counted_once_by_each_budget(
    both: Both, apollo_first: bool
) -> None:
    running = both.running
    for apollo in (apollo_first, not apollo_first):
        if apollo:
            assert import_apollo(running, both.apollo).check.verified
        else:
            assert import_rhetor(running, both.rhetor).check.verified
    by_name = {p.name: p.policy_id for p in running.reader.policies().counting_everywhere()}
    everything, one = by_name["rhetor all daily #1"], by_name["rhetor anthropic daily #2"]

    assert spent(running, "p")[""][0] == 100
    assert spent(running, everything)[""][1] == 500_000_000
    assert spent(running, one)[""][1] == 500_000_000
    used = Used(input_tokens=7, output_tokens=3)  # a call of now: both count it, each in its unit
    running.service.ledger.record(LOCAL, used, labels=dict(OPUS)).result()
    assert spent(running, "p")[""][0] == 110
    assert spent(running, everything)[""][1] == 510_000_000


def test_rhetors_limits_hold_and_one_of_zero_limits_nothing(both: Both) -> None:
    running = both.running

    report = import_rhetor(running, both.rhetor)

    assert {limit.name: (limit.enforcement, limit.enabled) for limit in report.limits} == {
        "rhetor all daily #1": ("hard_limit", True),
        "rhetor anthropic daily #2": ("warn", True),
        "rhetor ollama monthly #3": ("ignore", False),
        "rhetor all weekly #4": ("hard_limit", False),
    }
    free = Ask({"provider": "ollama", "model": "llama3"}, tokens=10, cost=Decimal(0))
    assert isinstance(running.service.ledger.allocate(LOCAL, free).result(), Grant)
    dear = Ask({"provider": "anthropic"}, tokens=10, cost=Decimal("9.51"))
    denied = running.service.ledger.allocate(LOCAL, dear).result()
    assert isinstance(denied, Denial)
    assert [passed.name for passed in denied.policies] == ["rhetor all daily #1"]


def test_a_limit_that_rhetor_changed_ends_here_and_its_history_stays(
    quick: Running, tmp_path: Path
) -> None:
    first = ("daily", "all", 25.0, "warn", "2026-02-09T00:00:00", 1)
    old, new = (*first[:5], 0), ("daily", "all", 30.0, "enforce", "2026-09-01T00:00:00", 1)
    import_rhetor(quick, rhetor_made(tmp_path / "one.db", [], [first]))

    report = import_rhetor(quick, rhetor_made(tmp_path / "two.db", [], [old, new]))

    assert [(one.name, one.outcome.value, one.enabled) for one in report.limits] == [
        ("rhetor all daily #1", "changed", False),
        ("rhetor all daily #2", "made", True),
    ]


# --- costs as charged ---------------------------------------------------------------------------


def test_rhetors_costs_stay_as_charged_and_ours_stand_beside_them(both: Both) -> None:
    report = import_rhetor(both.running, both.rhetor)
    [view] = both.running.service.records.listed(LOCAL, UsageQuery()).items

    assert (view.record.cost_nano, view.record.book_cost_nano) == (500_000_000, 100_000_000)
    assert view.record.cost_source == "caller"
    [cost] = report.costs.values()
    assert (cost.differing, cost.without_book, cost.unpriced) == (1, 0, 0)


@pytest.mark.parametrize("cost", [0.1, 0.017669999999999998, 1e-9, 1e-10, 123456.789, 0.0])
def test_any_float_is_the_decimal_that_python_shows(
    quick: Running, tmp_path: Path, cost: float
) -> None:
    row = (TODAY, "p", "m", "c", "t", 1, 1, cost, "{}")

    report = import_rhetor(quick, rhetor_made(tmp_path / "made.db", [row, row], []))

    exact = Decimal(repr(cost)).quantize(Decimal("1E-9"))
    assert report.check.verified
    assert report.check.total.ours.cost == 2 * exact
    assert report.usage.new == 2  # two rows may say the same


def test_the_past_windows_do_not_count_today(quick: Running) -> None:
    rows: list[Json] = [record("a", timestamp="2026-09-20T23:59:59"), record("b", timestamp=TODAY)]

    import_apollo(quick, made_files(rows, [policy("p")]))

    assert spent(quick, "p") == {"": (100, 0)}


def test_a_limit_of_more_digits_than_the_ledger_keeps_is_no_change(
    quick: Running, tmp_path: Path
) -> None:
    rows = [
        ("daily", "openai", 100 / 3, "enforce", "2026-02-09", 1),
        ("weekly", "all", 0.1 + 0.2, "enforce", None, 1),
    ]
    database = rhetor_made(tmp_path / "made.db", [], rows)

    import_rhetor(quick, database)
    again = import_rhetor(quick, database)
    back = import_rhetor(quick, quick.service.exports.rhetor(LOCAL, "UTC").content)

    for report in (again, back):
        assert [(one.outcome, one.notes) for one in report.limits] == [(Outcome.SAME, ())] * 2
