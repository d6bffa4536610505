"""Rhetor's `BudgetManager` over the ledger: what it does beyond its original's answers."""

import asyncio
import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from tests.foreign.test_rhetor import database
from tests.frontends.tekton.rhetor.conftest import Clock, Make

from tekton_budget.domain.errors import Conflict, InvalidInput, NotFound
from tekton_budget.face.refusals import BudgetExceeded
from tekton_budget.foreign.rhetor import read_rhetor
from tekton_budget.frontends.tekton.rhetor import BudgetManager, BudgetPeriod, BudgetPolicy
from tekton_budget.frontends.tekton.rhetor.holds import Holds


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    """One store will do: the crowd, the recording and Rhetor's own file are tried on both."""
    return sqlite_url


GPT4 = ("openai", "gpt-4")
PROMPT = "hello world"
ESTIMATE = Decimal("0.00768")


def held(manager: BudgetManager) -> list[Decimal]:
    return [one["granted"]["cost"] for one in manager.budget.allocations(is_active=True)["items"]]


def limited(manager: BudgetManager, times: str = "1", provider: str = "openai") -> None:
    manager.set_budget_limit("daily", float(ESTIMATE * Decimal(times)), provider, "enforce")


# --- what a check holds -----------------------------------------------------------------------


def test_a_check_holds_until_the_call_is_recorded(manager: BudgetManager) -> None:
    limited(manager, "1.5")
    assert manager.check_budget(*GPT4, PROMPT)[0]
    assert held(manager) == [ESTIMATE]
    assert not manager.check_budget(*GPT4, "another question")[0]

    done = manager.record_completion(*GPT4, PROMPT, "yes")

    assert held(manager) == []
    assert done["total_cost"] == 0.00018
    assert manager.check_budget(*GPT4, "another question")[0]


def test_it_is_taken_by_a_record_that_names_the_component_which_the_check_did_not(
    manager: BudgetManager,
) -> None:
    manager.check_budget(*GPT4, PROMPT)
    manager.record_completion(*GPT4, PROMPT, "yes", "ergon", "chat")

    assert held(manager) == []
    [row] = manager.get_usage()
    assert (row["component"], row["task_type"]) == ("ergon", "chat")
    [record] = manager.budget.usage_records()["items"]
    assert record["allocation_id"] is not None


def test_a_record_of_another_component_ends_the_hold_and_keeps_its_own_name(
    manager: BudgetManager,
) -> None:
    manager.check_budget(*GPT4, PROMPT, "ergon")
    manager.record_completion(*GPT4, PROMPT, "yes", "athena")

    assert held(manager) == []
    assert [row["component"] for row in manager.get_usage()] == ["athena"]


def test_a_record_by_numbers_takes_the_hold_of_its_model(manager: BudgetManager) -> None:
    manager.check_budget(*GPT4, PROMPT)
    manager.record_usage("openai", "gpt-4o", "c", "t", 1, 1, 0.5)
    assert held(manager) == [ESTIMATE]
    manager.record_usage(*GPT4, "c", "t", 1, 1, 0.25)

    assert held(manager) == []
    assert manager.get_current_usage_total() == 0.75


def test_the_same_question_again_gives_the_first_hold_back(manager: BudgetManager) -> None:
    limited(manager)
    for _ in range(3):  # a page that shows whether it could be asked, say
        assert manager.check_budget(*GPT4, PROMPT)[0]
    assert held(manager) == [ESTIMATE]

    manager.check_budget("anthropic", "claude-3-haiku-20240307", PROMPT)
    assert held(manager) == [Decimal("0.0001585")]
    manager.check_budget(*GPT4, PROMPT)
    for _ in range(2):  # the second was not asked for
        manager.record_completion(*GPT4, PROMPT, "yes")
    second, first = manager.budget.usage_records()["items"]
    assert second["allocation_id"] is None
    assert first["allocation_id"] is not None
    assert not first["late"]


@pytest.mark.parametrize("end", ["release", "expiry"])
def test_a_call_whose_hold_has_ended_is_recorded_all_the_same(
    manager: BudgetManager, clock: Clock, end: str
) -> None:
    manager.check_budget(*GPT4, PROMPT)
    if end == "release":
        [one] = manager.budget.allocations(is_active=True)["items"]
        manager.budget.release(one["allocation_id"])
    else:
        clock.forward(hours=1)
    manager.record_completion(*GPT4, PROMPT, "yes", "ergon", "chat")

    assert held(manager) == []
    [row] = manager.get_usage()
    assert (row["cost"], row["component"]) == (0.00018, "ergon")


def test_another_thread_s_hold_is_its_own(manager: BudgetManager) -> None:
    limited(manager)
    assert manager.check_budget(*GPT4, PROMPT)[0]
    with ThreadPoolExecutor(1) as pool:
        assert not pool.submit(manager.check_budget, *GPT4, PROMPT).result()[0]


def test_each_task_of_an_event_loop_holds_for_itself(manager: BudgetManager) -> None:
    limited(manager, "2")

    async def asked() -> bool:
        await asyncio.sleep(0)
        return manager.check_budget(*GPT4, PROMPT)[0]

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(asked() for _ in range(5)))

    assert sum(asyncio.run(all_at_once())) == 2


def test_a_call_that_is_recorded_elsewhere_in_the_program_ends_its_hold(
    manager: BudgetManager,
) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(manager.check_budget, *GPT4, PROMPT).result()
    manager.record_completion(*GPT4, PROMPT, "yes")

    assert held(manager) == []


def test_what_nobody_records_is_free_again_after_a_while(make: Make, clock: Clock) -> None:
    manager = make(hold_seconds=60)
    limited(manager, "1.5")
    assert manager.check_budget(*GPT4, PROMPT)[0]
    clock.forward(seconds=59)
    assert not manager.check_budget(*GPT4, "another question")[0]
    clock.forward(seconds=2)

    assert manager.check_budget(*GPT4, "another question")[0]


def test_longer_answers_are_held_where_they_are_expected(make: Make) -> None:
    manager = make(output_tokens=1000)
    _, info = manager.check_budget(*GPT4, PROMPT)

    assert info["estimated_cost"] == float(ESTIMATE)  # as Rhetor says it
    assert held(manager) == [Decimal("0.06012")]


def test_as_much_is_held_as_the_largest_of_the_last_calls_took(manager: BudgetManager) -> None:
    manager.record_completion(*GPT4, PROMPT, "a" * 4000)  # 1,001 tokens
    manager.check_budget(*GPT4, PROMPT)
    assert held(manager) == [Decimal("0.06018")]

    manager.record_usage(*GPT4, "c", "t", 5, 5, 0.5)  # charged by somebody else's prices
    _, info = manager.check_budget(*GPT4, "another question")
    assert held(manager) == [Decimal("0.5")]
    assert info["estimated_cost"] == 0.00774  # as Rhetor says it

    manager.record_usage(*GPT4, "c", "t", 5, 5, 0.5)
    for _ in range(20):
        manager.record_completion(*GPT4, PROMPT, "yes")
    manager.check_budget(*GPT4, PROMPT)
    assert held(manager) == [ESTIMATE]


def test_a_call_that_costs_more_is_recorded_and_the_next_one_denied(
    manager: BudgetManager,
) -> None:
    limited(manager, "1.2")
    assert manager.check_budget(*GPT4, PROMPT)[0]
    manager.record_completion(*GPT4, PROMPT, "a" * 4000)

    allowed, info = manager.check_budget(*GPT4, PROMPT)
    assert not allowed
    assert info["usage"] > info["limit"]


def test_free_models_are_held_to_limits_of_other_kinds(manager: BudgetManager) -> None:
    manager.budget.create_policy(name="few", request_limit=1, period="daily")
    assert manager.check_budget("ollama", "llama3", PROMPT) == (
        True,
        {
            "allowed": True,
            "reason": "Free model",
            "cost_estimate": manager.estimate_cost("ollama", "llama3", PROMPT),
        },
    )

    allowed, info = manager.check_budget("ollama", "llama3", "another question")
    assert not allowed
    assert info["reason"] == "Budget limit exceeded: few"


# --- limits -----------------------------------------------------------------------------------


def test_the_limit_of_all_providers_holds(manager: BudgetManager) -> None:
    limited(manager, "1", "all")
    assert manager.check_budget(*GPT4, PROMPT)[0]
    allowed, info = manager.check_budget("anthropic", "claude-3-opus-20240229", PROMPT)

    assert not allowed
    assert info["limit"] == float(ESTIMATE)
    assert "rhetor all daily #1" in info["detail"]


def test_usage_before_a_limit_was_set_counts(manager: BudgetManager, clock: Clock) -> None:
    manager.record_usage(*GPT4, "c", "t", 1, 1, 5.0)
    clock.forward(minutes=5)
    manager.set_budget_limit("daily", 5.0, "openai", "enforce")

    assert not manager.check_budget(*GPT4, PROMPT)[0]


def test_history_is_kept_with_its_time(manager: BudgetManager, clock: Clock) -> None:
    manager.set_budget_limit("daily", 5)
    clock.forward(hours=1)
    manager.set_budget_limit("daily", 6)
    policies = manager.budget.policies(budget_id="rhetor")["items"]
    old, new = sorted(policies, key=lambda one: str(one["name"]))

    assert (old["enabled"], old["ends_at"]) == (False, new["created_at"])
    assert new["enabled"]
    assert manager.get_budget_limit("daily") == 6


def test_what_was_changed_here_is_told_there(manager: BudgetManager) -> None:
    manager.set_budget_limit("daily", 5, "openai", "warn")
    [policy] = manager.budget.policies(budget_id="rhetor")["items"]
    manager.budget.change_policy(policy["policy_id"], cost_limit=4, enforcement="hard_limit")

    [row] = manager.get_budget_settings()["daily"]
    assert (row["limit_amount"], row["enforcement"]) == (4.0, "enforce")


def test_a_limit_that_was_half_changed_is_the_later_one(manager: BudgetManager) -> None:
    """As after a crash between the making of the new policy and the end of the old one."""
    manager.set_budget_limit("daily", 5)
    manager._limits._made(BudgetPeriod.DAILY, "all", Decimal(7), BudgetPolicy.WARN)

    assert manager.get_budget_limit("daily") == 7
    manager.set_budget_limit("daily", 8)
    assert len(manager.budget.policies(budget_id="rhetor", enabled=True)["items"]) == 1


def test_policies_of_other_kinds_in_the_budget_are_not_rhetors(manager: BudgetManager) -> None:
    manager.set_budget_limit("daily", 5)
    manager.budget.create_policy(
        budget="rhetor", name="tokens", token_limit=5, period="daily", scope={"provider": "x"}
    )

    assert len(manager.get_budget_settings()["daily"]) == 1


# --- one request, from ask to cost ------------------------------------------------------------


def test_a_request_is_held_and_charged_by_its_name(manager: BudgetManager) -> None:
    manager.set_budget_limit("daily", 1.0, "all", "enforce")
    first = manager.allocate_budget("call-1", 0.6, *GPT4, "chat")
    again = manager.allocate_budget("call-1", 0.6, *GPT4, "chat")
    other = manager.allocate_budget("call-2", 0.6, *GPT4)

    assert first == again
    assert (first["allowed"], first["reserved"]) == (True, 0.6)
    assert (other["allowed"], other["reason"]) == (False, "Daily budget limit exceeded")
    assert manager.record_cost("call-1", 0.25, 10, 20) == {
        "request_id": "call-1", "record_id": "call-1.cost", "cost": 0.25, "late": False,
    }  # fmt: skip
    assert manager.record_cost("call-1", 0.25, 10, 20)["cost"] == 0.25  # once, however often
    assert manager.get_current_usage_total() == 0.25
    assert manager.allocate_budget("call-2", 0.6, *GPT4)["allowed"]


def test_a_request_that_nobody_knows_is_said(manager: BudgetManager) -> None:
    with pytest.raises(NotFound):
        manager.record_cost("call-9", 0.25)
    manager.allocate_budget("call-1", 0.6, *GPT4)
    with pytest.raises(Conflict):
        manager.allocate_budget("call-1", 0.7, *GPT4)


def test_an_amount_is_checked_and_not_held(manager: BudgetManager) -> None:
    manager.set_budget_limit("daily", 1.0, "all", "enforce")

    assert manager.check_budget(0.6, *GPT4, "chat")[0]
    assert manager.check_budget(cost_estimate=0.6, provider="openai", model="gpt-4")[0]
    allowed, info = manager.check_budget(1.5, *GPT4)
    assert not allowed
    assert (info["limit"], info["estimated_cost"]) == (1.0, 1.5)
    assert held(manager) == []


def test_the_status_says_what_is_spent_held_and_left(manager: BudgetManager) -> None:
    manager.set_budget_limit("daily", 1.0, "all", "enforce")
    manager.set_budget_limit("monthly", 9.0)
    manager.record_usage(*GPT4, "c", "chat", 1, 1, 0.25)
    manager.allocate_budget("call-1", 0.5, *GPT4)

    status = manager.get_budget_status("daily", category="chat")
    assert status == {
        "period": "daily",
        "total_cost": 0.25,
        "category": "chat",
        "category_cost": 0.25,
        "limits": [
            {
                "provider": "all",
                "limit": 1.0,
                "allowance": 1.0,
                "spent": 0.25,
                "held": 0.5,
                "remaining": 0.25,
                "usage_percentage": 25.0,
                "exceeded": False,
                "policy": "enforce",
                "resets_at": "2026-03-12T00:00:00",
            }
        ],
    }


def test_a_reset_is_a_credit_that_can_be_read_afterwards(manager: BudgetManager) -> None:
    manager.set_budget_limit("daily", 1.0, "all", "enforce")
    manager.record_usage(*GPT4, "c", "chat", 1, 1, 0.75)
    assert not manager.check_budget(0.6, *GPT4)[0]

    assert manager.reset_budget()["credited"] == 0.75
    assert manager.reset_budget("daily")["credited"] == 0.0
    assert manager.check_budget(1.0, *GPT4)[0]
    assert manager.get_current_usage_total() == 0.75
    with pytest.raises(NotFound, match="no weekly limit of all"):
        manager.reset_budget("weekly")


def test_half_a_character_costs_no_record(manager: BudgetManager) -> None:
    manager.record_usage(*GPT4, "cut \ud83d", "chat", 1, 1, 0.25, {"cut \ud83d": ["\ud83d", 0.1]})

    assert manager.get_current_usage_total() == 0.25
    [row] = manager.get_usage()
    assert row["metadata"] == {"cut \ufffd": ["\ufffd", 0.1]}


def test_two_resets_that_saw_the_same_balance_are_one(
    manager: BudgetManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.set_budget_limit("daily", 1.0, "all", "enforce")
    manager.record_usage(*GPT4, "c", "chat", 1, 1, 0.75)
    seen = manager._limits.balances()
    assert manager.reset_budget()["credited"] == 0.75
    monkeypatch.setattr(manager._limits, "balances", lambda: seen)

    manager.reset_budget()  # as the other would, who read at the same moment
    [balance] = seen.values()
    balance["spent"]["cost"] += Decimal("0.125")  # or a moment later
    assert manager.reset_budget()["credited"] == 0.0

    monkeypatch.undo()
    assert manager.get_budget_status()["limits"][0]["allowance"] == 1.75


def test_an_amount_that_cannot_be_judged_is_not_allowed(manager: BudgetManager) -> None:
    manager.budget.create_policy(name="tokens", token_limit=100, period="daily")

    allowed, info = manager.check_budget(0.5, *GPT4)

    assert not allowed
    assert info["reason"] == "Cannot be judged"
    assert "tokens" in info["detail"]


def test_checks_that_are_never_recorded_leave_nothing_behind() -> None:
    holds = Holds(seconds=0)
    for number in range(100):
        holds.add(GPT4, f"a-{number}", f"text {number}", {})

    assert len(holds._held[GPT4]) == len(holds._latest) == 1


# --- routes -----------------------------------------------------------------------------------


def test_where_nothing_fits_no_model_is_named(manager: BudgetManager) -> None:
    manager.budget.create_policy(name="none", request_limit=0, period="daily")

    with pytest.raises(BudgetExceeded, match="none"):
        manager.route_with_budget_awareness(PROMPT, "code", *GPT4)


def test_a_route_holds_for_the_model_that_it_names(manager: BudgetManager) -> None:
    limited(manager, "0.5")
    provider, model, _ = manager.route_with_budget_awareness(PROMPT, "code", *GPT4, "ergon")

    assert (provider, model) == ("anthropic", "claude-3-haiku-20240307")
    assert held(manager) == [Decimal("0.0001585")]
    manager.record_completion(provider, model, PROMPT, "yes", "ergon", "code")
    assert held(manager) == []


def test_free_models_that_nobody_named_are_not_taken_for_free(make: Make) -> None:
    manager = make()
    limited(manager, "1", "all")
    allowed, info = manager.check_budget("ollama", "llama4", PROMPT)

    assert not allowed
    assert info["reason"] == "Unknown price"
    assert "prices set ollama/llama4" in info["detail"]


# --- from Rhetor's own file -------------------------------------------------------------------


def test_its_own_file_is_taken_over_once_and_its_limits_hold(
    make: Make, clock: Clock, tmp_path: Path
) -> None:
    rows = [
        ("2026-03-11T09:00:00", "openai", "gpt-4", "ergon", "chat", 10, 5, 0.625, '{"a": 1.5}'),
        ("2026-02-01T09:00:00.5", "openai", "gpt-4", "ergon", "chat", 10, 5, 0.1 + 0.2, "{}"),
    ]
    limits = [("daily", "all", 0.63, "enforce", "2026-03-11T09:30:00", 1)]
    content = database(tmp_path, rows, limits)
    manager = make(db_path=str(tmp_path / "rhetor.db"))

    first = asyncio.run(manager.migrate_from_rhetor())
    again = asyncio.run(manager.migrate_from_rhetor())

    assert (first["usage"]["new"], again["usage"]["new"]) == (2, 0)
    assert first["verified"]
    assert (tmp_path / "rhetor.db").read_bytes() == content
    [today] = manager.get_usage()
    assert today == {
        "id": 1,
        "timestamp": "2026-03-11T09:00:00",
        "provider": "openai",
        "model": "gpt-4",
        "component": "ergon",
        "task_type": "chat",
        "input_tokens": 10,
        "output_tokens": 5,
        "cost": 0.625,
        "metadata": {"a": 1.5},
    }
    assert manager.get_budget_settings()["daily"] == [
        {"id": 1, "provider": "all", "limit_amount": 0.63, "enforcement": "enforce",
         "start_date": "2026-03-11T09:30:00"}
    ]  # fmt: skip
    # What was spent before the limit was set counts, as in Rhetor.
    assert not manager.check_budget(*GPT4, PROMPT)[0]
    manager.set_budget_limit("daily", 0.64, "all", "enforce")
    assert manager.check_budget(*GPT4, PROMPT)[0]


def test_what_was_imported_and_what_came_since_goes_back_to_it(make: Make, tmp_path: Path) -> None:
    row = ("2026-03-11T09:00:00", "openai", "gpt-4", "ergon", "chat", 10, 5, 0.625, "{}")
    database(tmp_path, [row], [("daily", "all", 5.0, "warn", "2026-03-01T00:00:00", 1)])
    manager = make(db_path=str(tmp_path / "rhetor.db"))
    asyncio.run(manager.migrate_from_rhetor())
    manager.record_completion(*GPT4, PROMPT, "yes", "ergon", "chat", {"note": "since"})
    manager.set_budget_limit("daily", 6.0)

    told = manager.budget.export_rhetor(timezone=manager.clock.zone)
    store = read_rhetor(base64.b64decode(told["database"]["base64"]))
    assert [usage.cost for usage in store.usages] == [Decimal("0.625"), Decimal("0.00018")]
    assert [(one.cost_limit, one.enabled) for one in store.limits] == [(5, False), (6, True)]


def test_a_file_that_is_not_there_is_named(make: Make, tmp_path: Path) -> None:
    manager = make(db_path=str(tmp_path / "none.db"))

    with pytest.raises(InvalidInput, match=r"none\.db"):
        asyncio.run(manager.migrate_from_rhetor())


def test_what_apollo_s_store_told_is_not_counted_twice(manager: BudgetManager) -> None:
    manager.budget.create_budget("apollo", budget_id="apollo")  # as its import does
    manager.budget.record(
        provider="openai", model="gpt-4", cost="3", tokens=7, labels={"imported_from": "apollo"}
    )
    manager.record_usage(*GPT4, "c", "t", 1, 1, 0.5)

    assert manager.get_current_usage_total("weekly", "openai") == 0.5
    summary = manager.get_usage_summary("monthly", "model")
    assert (summary["total_cost"], summary["count"]) == (0.5, 1)
    assert summary["groups"] == {
        "gpt-4": {"cost": 0.5, "input_tokens": 1, "output_tokens": 1, "count": 1}
    }
    assert len(manager.get_usage()) == 1


# --- where the budget is ----------------------------------------------------------------------


def test_a_manager_that_is_never_closed_lets_go_when_it_goes(store_url: str) -> None:
    threads = set(threading.enumerate())
    made = BudgetManager(database_url=store_url)
    assert set(threading.enumerate()) - threads
    del made

    assert not [one for one in set(threading.enumerate()) - threads if one.is_alive()]


def test_a_budget_that_was_given_stays_open(manager: BudgetManager) -> None:
    with BudgetManager(budget=manager.budget) as other:
        other.set_budget_limit("daily", 3)

    assert manager.get_budget_limit("daily") == 3


def test_without_a_path_it_names_rhetors_own_file(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEKTON_ROOT", "/opt/tekton")

    assert make().db_path == "/opt/tekton/Rhetor/rhetor.db"


def test_times_are_those_of_the_zone_that_is_named(make: Make, clock: Clock) -> None:
    manager = make(timezone="Asia/Tokyo")
    done = manager.record_completion(*GPT4, PROMPT, "yes")

    assert done["timestamp"] == "2026-03-11T18:15:30"
    assert len(manager.get_usage("custom", None, datetime(2026, 3, 11, 18))) == 1
    assert manager.get_usage("custom", None, datetime(2026, 3, 11, 18, 30)) == []
