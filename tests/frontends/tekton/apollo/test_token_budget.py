"""What the class in the place of Apollo's does that Apollo's does not: hold, keep, and tell."""

import asyncio
import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import tekton_budget
from tekton_budget import BudgetExceeded, InvalidInput
from tekton_budget.frontends.tekton.apollo import (
    BudgetAllocation,
    BudgetPolicy,
    TokenBudgetManager,
)


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    """One store will do: crowds of callers are tried on both."""
    return sqlite_url


HEAVY = "remote_heavyweight"


def hard(limit: int, **fields: object) -> BudgetPolicy:
    given = {"type": "hard_limit", "period": "daily", "tier": HEAVY, "limit": limit, **fields}
    return BudgetPolicy(**given)


def take(manager: TokenBudgetManager, context: str, tokens: int | None = None, **fields: object):
    given = {"component": "ergon", "task_type": "coding", **fields}
    return asyncio.run(manager.allocate_budget(context, token_count=tokens, **given))


def events_of(manager: TokenBudgetManager, *names: str) -> list[tuple]:
    told: list[tuple] = []
    for name in names or manager.callbacks:
        manager.register_callback(name, lambda *facts, name=name: told.append((name, *facts)))
    return told


def held(manager: TokenBudgetManager, **labels: str) -> int:
    """Tokens that the ledger holds under the first hard limit."""
    stands = manager.budget.status({"tier": HEAVY, "component": "ergon", **labels})["policies"]
    return next(one["held"]["tokens"] for one in stands if one["type"] == "hard_limit")


def test_what_is_allocated_is_held_and_what_is_given_back_is_free(manager) -> None:
    ours = manager()
    ours.add_policy(hard(1000))
    first = take(ours, "a", 700)

    assert held(ours) == 700
    assert take(ours, "b", 301) is None
    ours.record_usage("a", 100)
    assert held(ours) == 600
    ours.update_allocation("a", is_active=False)
    assert held(ours) == 0
    assert take(ours, "b", 900).tokens_allocated == 900
    assert (first.is_active, first.tokens_used) == (False, 100)


def test_a_denial_tells_who_is_in_the_way_and_what_it_stands_at(manager, caplog) -> None:
    ours = manager()
    ours.add_policy(hard(1000, policy_id="of-the-team"))
    told = events_of(ours)
    take(ours, "a", 600)
    told.clear()

    assert take(ours, "b", 500) is None
    assert [(name, facts[0].policy_id, facts[1]) for name, *facts in told] == [
        ("on_budget_exceeded", "of-the-team", 600)
    ]
    assert "400 tokens of 1,000 tokens left" in caplog.text


def test_a_context_that_is_denied_another_keeps_what_it_has(manager) -> None:
    ours = manager()
    ours.add_policy(hard(1000))
    take(ours, "a", 400)
    take(ours, "b", 500)

    assert take(ours, "a", 600) is None
    assert ours.get_allocation("a").tokens_allocated == 400
    assert held(ours) == 900
    assert take(ours, "a", 500).tokens_allocated == 500  # its own 400 are free for it
    assert held(ours) == 1000


def test_tasks_of_one_event_loop_share_a_limit_too(manager) -> None:
    ours = manager()
    ours.add_policy(hard(1000))

    async def crowd() -> list[BudgetAllocation | None]:
        asks = [ours.allocate_budget(f"c{n}", "ergon", token_count=30) for n in range(50)]
        return await asyncio.gather(*asks)

    granted = [one for one in asyncio.run(crowd()) if one is not None]
    assert len(granted) == 33
    assert held(ours) == 990


def test_one_context_holds_one_allocation_however_many_ask_at_once(manager) -> None:
    ours = manager()
    ours.add_policy(hard(10_000))
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda n: take(ours, "a", 100 + n), range(24)))

    assert held(ours) == ours.get_allocation("a").tokens_allocated
    assert len(ours.allocations) == 1


def test_another_process_sees_it_all_and_so_does_a_later_one(manager) -> None:
    first, second = manager(), manager()
    policy_id = first.add_policy(hard(1000, component="ergon", metadata={"owner": "cfo"}))
    take(first, "a", 700, metadata={"k": [1]}, provider="anthropic", model="claude-3-opus")
    second.record_usage("a", 50, "input", "op-1", {"n": 2})
    third = manager()
    seen = third.get_allocation("a")

    assert second.get_policy(policy_id) == first.get_policy(policy_id)
    assert second.get_policy(policy_id).metadata == {"owner": "cfo"}
    assert take(third, "b", 301) is None
    assert (seen.tokens_used, seen.remaining_tokens, seen.metadata) == (50, 650, {"k": [1]})
    assert (seen.provider, seen.model) == ("anthropic", "claude-3-opus")
    assert third.usage_records == first.usage_records
    [record] = third.usage_records
    assert (record.usage_type, record.operation_id, record.metadata) == ("input", "op-1", {"n": 2})
    assert record.allocation_id == seen.allocation_id


def test_an_allocation_that_was_given_out_follows_the_ledger(manager) -> None:
    ours, other = manager(), manager()
    given = take(ours, "a", 100)

    assert ours.get_allocation("a") is given
    assert given.record_usage(30) == 30  # as Apollo's model has it; here it reaches the ledger
    other.record_usage("a", 20)
    assert ours.get_allocation("a") is given
    assert given.tokens_used == 50
    assert other.get_allocation("a").tokens_used == 50


def test_the_nine_policies_are_made_once_whoever_comes_first(store_url, clock, tmp_path) -> None:
    with tekton_budget.open(database_url=store_url) as budget:
        barrier = threading.Barrier(8)

        def begin(_: int) -> TokenBudgetManager:
            barrier.wait()
            return TokenBudgetManager(data_dir=str(tmp_path), budget=budget)

        with ThreadPoolExecutor(8) as threads:
            made = list(threads.map(begin, range(8)))

        assert [len(one.policies) for one in made] == [9] * 8
        assert len(budget.policies(limit=100)["items"]) == 9
        assert {one.type for one in made[0].policies.values()} == {"warn"}
        assert not (tmp_path / "budget_policies.json").exists()


def test_the_first_to_come_brings_the_policies_of_its_file(manager, tmp_path: Path) -> None:
    listed = [json.loads(hard(50, policy_id="p").model_dump_json())]
    (tmp_path / "budget_policies.json").write_text(json.dumps(listed))
    ours = manager()

    assert list(ours.policies) == ["p"]
    assert take(ours, "a", 51) is None
    (tmp_path / "budget_policies.json").write_text("[]")
    assert list(manager().policies) == ["p"]  # from then on the ledger has them


def test_a_policy_is_what_it_was_made_as(manager) -> None:
    ours = manager()
    odd = hard(5, warning_threshold=0.9, action_threshold=0.5, task_type="chat", enabled=False)
    twin = hard(6, task_type="chat")
    later = hard(7, start_date=odd.start_date + timedelta(days=2))
    for policy in (odd, twin, later):
        assert ours.add_policy(policy) == policy.policy_id
        assert ours.get_policy(policy.policy_id) == policy
    ours.update_policy(odd.policy_id, warning_threshold=0.1, action_threshold=0.2, enabled=True)

    assert ours.get_policy(odd.policy_id).warning_threshold == 0.1
    assert list(ours.policies)[-3:] == [odd.policy_id, twin.policy_id, later.policy_id]
    assert take(ours, "a", 8) is not None  # the last one does not judge yet
    with pytest.raises(InvalidInput, match="pattern"):
        ours.add_policy(hard(5, component="er*"))


def test_a_change_leaves_alone_what_it_does_not_name(manager) -> None:
    ours = manager()
    id_ = ours.add_policy(hard(5, metadata={"owner": "cfo"}))
    ledger_id = next(
        p["policy_id"] for p in ours.budget.policies()["items"] if p["token_limit"] == 5
    )
    known = ours.budget.policy(ledger_id)
    noted = {**known["metadata"], "imported": {"a": 1}}
    ours.budget.change_policy(ledger_id, name="mine", timezone="Europe/Berlin", metadata=noted)
    ours.update_policy(id_, limit=6)
    ours.update_policy(id_, metadata={})

    now = ours.budget.policy(ledger_id)
    assert (now["name"], now["timezone"], now["token_limit"]) == ("mine", "Europe/Berlin", 6)
    assert now["metadata"]["imported"] == {"a": 1}
    assert ours.get_policy(id_).metadata == {}
    version = now["version"]
    ours.add_policy(ours.get_policy(id_))  # as it is
    assert ours.budget.policy(ledger_id)["updated_at"] == now["updated_at"]
    ours.update_policy(id_, period="weekly")
    assert ours.budget.policy(ledger_id)["version"] == version + 1
    assert ours.budget.policy(ledger_id)["name"] == "apollo weekly remote_heavyweight"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns"])
def test_windows_are_those_of_the_host_s_clock(
    zone: str, manager, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    here = ZoneInfo(zone)
    clock.at = datetime(2026, 3, 29, 23, 30, tzinfo=here).astimezone(UTC)  # a Sunday
    ours = manager()
    ours.add_policy(hard(100))
    given = take(ours, "a", 100)
    ours.record_usage("a", 100)
    [before] = ours.get_budget_summary(HEAVY)
    assert take(ours, "b", 1) is None
    clock.forward(hours=1)
    [after] = ours.get_budget_summary(HEAVY)

    assert given.creation_time == datetime(2026, 3, 29, 23, 30)
    assert (before.start_time, before.end_time) == (datetime(2026, 3, 29), datetime(2026, 3, 30))
    assert (before.total_used, after.total_used) == (100, 0)
    assert (after.start_time, after.end_time) == (datetime(2026, 3, 30), datetime(2026, 3, 31))
    assert ours.usage_records[0].timestamp == datetime(2026, 3, 29, 23, 30)
    assert take(ours, "b", 100) is not None


def test_an_allocation_of_weeks_is_kept_alive(manager, clock) -> None:
    ours = manager(cleanup_interval=3600)
    ours.add_policy(hard(1000, period="monthly"))
    take(ours, "a", 700, expiration=clock.local() + timedelta(days=14))
    told = events_of(ours, "on_allocation_expired")

    async def fortnight() -> None:
        for _ in range(27):
            clock.forward(hours=12, minutes=1)
            await ours.start()
            await ours.stop()

    asyncio.run(fortnight())
    with pytest.raises(BudgetExceeded):  # whatever is due is ended before an ask is denied
        expire(ours, 301)
    assert (held(ours), told) == (700, [])
    assert ours.get_allocation("a").is_active
    clock.forward(hours=12)
    asyncio.run(fortnight())
    assert [(name, one.context_id, one.is_active) for name, one in told] == [
        ("on_allocation_expired", "a", False)
    ]
    assert ours.get_allocation("a") is None
    assert take(ours, "b", 1000) is not None


def test_one_that_nobody_kept_alive_is_taken_up_by_its_next_usage(manager, clock) -> None:
    ours = manager()
    ours.add_policy(hard(1000, period="monthly"))
    first = take(ours, "a", 700, expiration=clock.local() + timedelta(days=5))
    ours.record_usage("a", 100)
    clock.forward(days=2)
    expire(ours, 900)

    assert held(ours) == 0
    assert ours.record_usage("a", 50) == 50
    assert held(ours) == 550
    again = ours.get_allocation("a")
    assert (again.allocation_id, again.tokens_allocated) == (first.allocation_id, 700)
    assert (again.tokens_used, again.expiration_time) == (150, first.expiration_time)

    clock.forward(days=2)
    expire(ours, 850)
    take(ours, "b", 850)  # so that it has no room to come back
    assert ours.record_usage("a", 50) == 50
    assert held(ours) == 850
    assert ours.get_allocation("a").is_active is False


def test_what_may_not_hold_again_is_recorded_all_the_same(manager, clock) -> None:
    ours = manager()
    ours.add_policy(hard(1000, period="monthly"))
    take(ours, "a", 700, expiration=clock.local() + timedelta(days=5))
    clock.forward(days=2)
    expire(ours, 1000)
    ours.budget.create_policy(name="money", cost_limit=5, period="monthly")  # nobody knows a price

    assert ours.record_usage("a", 50) == 50
    assert [one.tokens_used for one in ours.usage_records] == [50]


def expire(manager: TokenBudgetManager, tokens: int) -> None:
    """As the background does where no clock is moved by hand: an ask for all that is left does it."""
    manager.budget.allocate(tokens=tokens, labels={"tier": HEAVY, "component": "ergon"}).release()


def test_more_tokens_only_where_they_fit(manager, caplog) -> None:
    ours = manager()
    ours.add_policy(hard(1000))
    take(ours, "a", 400)
    take(ours, "b", 500)
    told = events_of(ours)

    assert ours.update_allocation("a", additional_tokens=100).tokens_allocated == 500
    assert ours.update_allocation("a", additional_tokens=1).tokens_allocated == 500
    assert [name for name, *_ in told] == [
        "on_allocation_updated",
        "on_budget_exceeded",
        "on_allocation_updated",
    ]
    assert "No more for the allocation of context a" in caplog.text


def test_what_was_given_back_is_taken_up_only_where_it_fits(manager) -> None:
    ours = manager()
    ours.add_policy(hard(1000))
    take(ours, "a", 400)
    ours.record_usage("a", 100)
    ours.update_allocation("a", is_active=False)
    take(ours, "b", 700)

    assert not ours.update_allocation("a", is_active=True).is_active
    ours.update_allocation("b", is_active=False)
    again = ours.update_allocation("a", 50, timedelta(hours=2), is_active=True)
    assert (again.is_active, again.tokens_allocated, again.tokens_used) == (True, 450, 100)
    assert held(ours) == 350


def test_costs_are_known_and_limits_in_money_hold(manager) -> None:
    ours = manager()
    told = events_of(ours, "on_budget_exceeded")
    ours.budget.set_price("anthropic", "claude-3-opus", input=15, output=75)
    ours.budget.set_limit("1usd/month", scope={"component": "ergon"}, name="ergon in money")
    opus = {"provider": "anthropic", "model": "claude-3-opus"}
    take(ours, "a", 10_000, **opus)
    ours.record_usage("a", 2_000, "input")
    ours.record_usage("a", 1_000, "output")

    records = ours.budget.usage_records(labels={"component": "ergon"})["items"]
    assert sum(one["cost"] for one in records) == Decimal("0.105")
    assert take(ours, "b", 10_000, **opus) is None
    [(_, policy, _)] = told
    assert policy.type == "hard_limit"
    assert policy.period == "monthly"
    assert policy.metadata["ledger"]["name"] == "ergon in money"
    assert take(ours, "c", 10, model="nobody-knows-its-price", provider="somebody") is None
    assert take(ours, "d", 10) is None  # of no model: what it may cost cannot be said
    assert take(ours, "d", 10, component="athena") is not None


def test_priority_ten_passes_only_where_policy_and_key_let_it(manager, store_url) -> None:
    ours = manager()
    strict = ours.add_policy(hard(100))
    assert take(ours, "a", 200, priority=10) is None
    ours.update_policy(strict, metadata={"bypass_priority": 10})
    key = ours.budget.create_key("apollo", role="client")["key"]
    with_key = manager(key=key)

    assert take(with_key, "a", 200, priority=10) is None
    assert take(ours, "a", 200, priority=9) is None
    assert take(ours, "a", 200, priority=10).priority == 10


def test_a_key_that_may_not_set_limits_works_under_those_that_are_set(manager, caplog) -> None:
    admin = manager()
    admin.add_policy(hard(100))
    key = admin.budget.create_key("apollo", role="client")["key"]
    ours = manager(key=key)

    assert take(ours, "a", 60) is not None
    assert take(ours, "b", 60) is None
    assert ours.record_usage("a", 10) == 10
    with pytest.raises(tekton_budget.Forbidden):
        ours.delete_policy(next(iter(admin.policies)))


def test_a_new_ledger_is_not_begun_by_a_key_that_may_not(store_url, clock, caplog) -> None:
    with tekton_budget.open(database_url=store_url) as budget:
        key = budget.create_key("apollo", role="client")["key"]
    with tekton_budget.open(database_url=store_url, key=key) as budget:
        ours = TokenBudgetManager(data_dir="/nowhere", budget=budget)

        assert ours.policies == {}
        assert take(ours, "a", 60) is not None
    assert "The limits are those of the server" in caplog.text


def test_a_session_s_limit_is_each_context_s_own(manager) -> None:
    ours = manager()
    told = events_of(ours, "on_budget_exceeded")
    [of_session] = [
        p for p in ours.policies.values() if (p.tier, p.period) == (HEAVY, "per_session")
    ]
    take(ours, "a", 50_000)
    take(ours, "b", 1_000)
    ours.record_usage("a", 32_001)
    ours.record_usage("b", 10)

    assert [(p.policy_id, used) for _, p, used in told] == [(of_session.policy_id, 32_001)]
    [summary] = ours.get_budget_summary(HEAVY, "per_session")
    assert (summary.total_used, summary.limit, summary.is_exceeded) == (32_001, 32_000, True)
    ours.update_policy(of_session.policy_id, type="hard_limit")
    assert take(ours, "a", 1) is None
    assert take(ours, "c", 32_000) is not None


def test_coroutines_are_called_from_whatever_thread(manager, caplog) -> None:
    ours = manager()
    told: list[str] = []

    async def later(allocation: BudgetAllocation) -> None:
        told.append(allocation.context_id)

    ours.register_callback("on_allocation_updated", later)

    async def run() -> None:
        await ours.allocate_budget("a", "ergon", token_count=100)
        await ours.start()
        await asyncio.to_thread(ours.record_usage, "a", 1)
        ours.record_usage("a", 1)
        await asyncio.sleep(0.05)
        await ours.stop()

    asyncio.run(run())
    assert told == ["a", "a"]
    ours.record_usage("a", 1)  # nowhere to await it
    assert told == ["a", "a"]
    assert "no event loop runs" in caplog.text


def test_cleaning_up_goes_on_where_the_ledger_is_away_for_a_while(
    manager, clock, monkeypatch
) -> None:
    ours = manager(cleanup_interval=0.01)
    told = events_of(ours, "on_allocation_expired")
    take(ours, "a", 10, expiration=clock.local() + timedelta(minutes=1))

    async def run() -> None:
        await ours.start()
        real = ours.budget.transport.answer

        def away(request: object) -> object:
            raise tekton_budget.Unavailable("away")

        ours.budget.transport.answer = away
        clock.forward(minutes=2)
        await asyncio.sleep(0.1)
        assert not told
        ours.budget.transport.answer = real
        for _ in range(500):
            await asyncio.sleep(0.01)
            if told:
                break
        await ours.stop()

    asyncio.run(run())
    assert [one.context_id for _, one in told] == ["a"]


def test_usage_after_the_end_counts_in_the_window_of_now(manager, clock) -> None:
    ours = manager()
    ours.add_policy(hard(1000))
    take(ours, "a", 100)
    clock.forward(days=3)
    assert ours.record_usage("a", 400) == 400

    [summary] = ours.get_budget_summary(HEAVY)
    assert summary.total_used == 400
    assert take(ours, "b", 601) is None
    assert take(ours, "b", 600) is not None


def test_the_journal_agrees_with_all_of_it(manager, clock) -> None:
    ours = manager()
    ours.add_policy(hard(5_000))
    for n in range(6):
        take(ours, f"c{n % 3}", 1_000 + n)
        ours.record_usage(f"c{n % 3}", 300 * n)
        ours.update_allocation(f"c{n % 3}", 10, timedelta(hours=30 * (n % 2)), n % 4 != 3)
    clock.forward(days=2)
    ours.record_usage("c0", 5)

    assert ours.budget.verify()["ok"]


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "tekton_budget")


def test_a_store_moves_in_by_the_first_start_and_an_import_and_out_again(
    manager, tmp_path: Path
) -> None:
    since = datetime(2026, 1, 1)  # a limit counts from then on, so the usage below is its
    policy = hard(50, policy_id="p", period="monthly", start_date=since)
    listed = [json.loads(policy.model_dump_json())]
    used = {
        "record_id": "r-1",
        "allocation_id": "a-1",
        "context_id": "c",
        "component": "ergon",
        "provider": "anthropic",
        "model": "claude-3-opus",
        "task_type": "coding",
        "tokens_used": 30,
        "usage_type": "total",
        "timestamp": "2026-03-10T09:14:03.200000",
        "operation_id": None,
        "metadata": {},
    }
    (tmp_path / "budget_policies.json").write_text(json.dumps(listed))
    (tmp_path / "usage_records_1773134043.json").write_text(json.dumps([used]))
    ours = manager()
    files = {one.name: one.read_bytes() for one in tmp_path.glob("*.json")}
    report = ours.budget.import_apollo(files)

    assert report["verified"]
    assert list(ours.policies) == ["p"]
    assert ours.get_budget_summary(HEAVY, "monthly")[0].total_used == 30
    assert take(ours, "d", 21) is None
    given = take(ours, "d", 20)
    ours.record_usage("d", 7, "input", "op", {"x": 1})
    written = ours.budget.export_apollo()["files"]
    [of_usage] = [text for name, text in written.items() if name != "budget_policies.json"]
    first, second = json.loads(of_usage)
    assert first == used
    assert (second["allocation_id"], second["usage_type"]) == (given.allocation_id, "input")
    assert (second["operation_id"], second["metadata"]["x"]) == ("op", 1)
    assert [one["policy_id"] for one in json.loads(written["budget_policies.json"])] == ["p"]


def test_what_rhetor_s_store_told_is_not_summed_up_again(manager) -> None:
    ours = manager()
    call = {"provider": "openai", "model": "gpt-4", "component": "ergon"}
    ours.budget.create_budget("rhetor", budget_id="rhetor")  # as its import does
    ours.budget.record(tokens=100, labels={**call, "tier": HEAVY, "imported_from": "apollo"})
    ours.budget.record(tokens=100, labels={**call, "imported_from": "rhetor"})
    ours.budget.record(tokens=7, labels=call)

    [summary] = ours.get_budget_summary(HEAVY, "daily")
    assert summary.total_used == 107
    [summary] = ours.get_budget_summary(HEAVY, "daily", component="ergon")
    assert summary.total_used == 107


def test_half_a_character_costs_no_record(manager) -> None:
    ours = manager()
    take(ours, "a", 700, metadata={"cut": "\ud83d"})

    assert ours.record_usage("a", 50, "input", "op \ud83d", {"cut": "\ud83d"}) == 50
    [record] = ours.usage_records
    assert (record.tokens_used, record.metadata) == (50, {"cut": "\ufffd"})
