"""The library's verbs: the same in process and over HTTP."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

import tekton_budget
from tekton_budget import AllocationNotSettled, BudgetExceeded, InvalidInput


def test_a_hold_is_settled_and_the_rest_is_free_again(budget) -> None:
    budget.set_limit("1usd/day", scope={"team": "a"})

    with budget.allocate(cost=Decimal("0.40"), labels={"team": "a"}) as hold:
        assert hold.granted.cost == Decimal("0.4")
        assert hold.decision == "allow"
        assert hold.policies[0].remaining.cost == Decimal("0.6")
        assert hold.expires_at > datetime.now(UTC)
        settled = hold.settle(cost="0.1")

    assert settled.status == "settled"
    assert settled.cost == Decimal("0.1")
    assert settled.policies[0].remaining.cost == Decimal("0.9")
    assert not hold.is_open


def test_tokens_and_a_model_are_priced_and_clamped(budget) -> None:
    budget.set_price("openai", "gpt-5-mini", input="0.25", output=2)
    budget.set_limit("0.01usd/day")

    with budget.allocate(
        model="gpt-5-mini", input_tokens=900, max_output_tokens=100_000, fit="clamp"
    ) as hold:
        hold.settle(input_tokens=900, output_tokens=100)

    assert hold.max_output_tokens == 4887
    record = budget.usage_records()["items"][0]
    assert record["cost"] == Decimal("0.000425")


def test_a_call_is_told_to_finish_where_it_uses_what_is_kept(budget) -> None:
    budget.set_limit("1usd/day", landing="10%")

    with budget.allocate(cost="0.90", landing="auto") as hold:
        assert not hold.landing
        hold.settle(cost="0.90")
    with budget.allocate(cost="0.10", landing="auto") as hold:
        assert hold.landing
        hold.settle(cost="0.05")


def test_a_denial_is_an_exception_that_says_what_would_fit(budget) -> None:
    budget.set_limit("1usd/day", scope={"team": "a"}, per="user")
    labels = {"team": "a", "user": "alice"}
    with budget.allocate(cost="0.90", labels=labels) as hold:
        hold.settle(cost="0.90")

    with pytest.raises(BudgetExceeded) as caught:
        budget.allocate(cost="0.18", labels=labels)

    denied = caught.value
    assert str(denied).startswith("Over budget: this call may cost up to $0.18")
    assert denied.policy == "team=a daily per user"
    assert denied.remaining == {"cost": Decimal("0.1")}
    assert denied.largest_fit == {"cost": Decimal("0.1")}
    assert denied.retryable
    assert denied.alternatives == []
    assert denied.resets_at > datetime.now(UTC)
    assert denied.code == "over_budget"
    assert denied.denial["blocked_on"] == "spent"
    assert denied.policies[0]["spent"]["cost"] == Decimal("0.9")


def test_whole_dollars_are_decimals_too(budget) -> None:
    budget.set_limit("1usd/day")

    with pytest.raises(BudgetExceeded) as caught:
        budget.allocate(cost=2)

    assert isinstance(caught.value.remaining["cost"], Decimal)
    assert isinstance(budget.policies()["items"][0]["cost_limit"], Decimal)


def test_leaving_the_block_without_settling_is_told_and_the_hold_stays(budget) -> None:
    budget.set_limit("1usd/day")

    with (
        pytest.raises(AllocationNotSettled, match="neither settled nor released"),
        budget.allocate(cost="0.4") as hold,
    ):
        pass

    assert budget.allocation(hold.allocation_id)["status"] == "active"
    assert hold.release().status == "released"


def test_an_exception_leaves_the_hold_to_its_expiry(budget) -> None:
    budget.set_limit("1usd/day")

    with pytest.raises(ZeroDivisionError), budget.allocate(cost="0.4") as hold:
        1 / 0  # noqa: B018

    assert budget.allocation(hold.allocation_id)["status"] == "active"


def test_a_hold_can_be_recorded_extended_and_released(budget) -> None:
    budget.set_limit("1usd/day")

    with budget.allocate(cost="0.4") as hold:
        before = hold.expires_at
        hold.record(cost="0.1")
        hold.extend(3600)
        assert hold.expires_at > before + timedelta(minutes=30)
        hold.release()

    standing = budget.groups("daily")["items"][0]
    assert standing["spent"]["cost"] == Decimal("0.1")
    assert standing["held"]["cost"] == 0


def test_a_dry_run_holds_nothing_and_need_not_be_settled(budget) -> None:
    budget.set_limit("1usd/day")

    with budget.allocate(cost="0.4", dry_run=True) as hold:
        assert hold.grant.dry_run

    assert budget.allocations()["items"] == []


def test_the_same_id_gets_the_same_answer_and_another_content_is_refused(budget) -> None:
    budget.set_limit("1usd/day")

    first = budget.allocate(cost="0.4", allocation_id="a1")
    again = budget.allocate(cost="0.4", allocation_id="a1")
    with pytest.raises(tekton_budget.Conflict):
        budget.allocate(cost="0.5", allocation_id="a1")

    assert first.grant.answer == again.grant.answer


def test_refusals_are_the_same_exceptions_either_way(budget) -> None:
    budget.set_limit("1usd/day")
    refusals = [
        (lambda: budget.allocate(tokens=5), tekton_budget.InvalidInput, "amount_needed"),
        (lambda: budget.settle("nobody"), tekton_budget.NotFound, "allocation_not_found"),
        (lambda: budget.allocate(cost=-1), tekton_budget.InvalidInput, "invalid"),
        (lambda: budget.allocate(cost="a lot"), tekton_budget.InvalidInput, "invalid"),
        (lambda: budget.policy("no such"), tekton_budget.NotFound, "policy_not_found"),
        (lambda: budget.set_limit("50"), tekton_budget.InvalidInput, "invalid"),
    ]
    for refused, kind, code in refusals:
        with pytest.raises(kind) as caught:
            refused()
        assert caught.value.code == code
    assert caught.value.fields[0].field == "limit"


def test_limits_are_made_changed_and_ended(budget) -> None:
    made = budget.set_limit("50usd/month", scope={"team": "a"}, per=["user"])
    changed = budget.set_limit("60usd/month", scope={"team": "a"}, per=["user"])
    other = budget.set_limit("5Mtokens/month", scope={"team": "a"}, per=["user"])
    budget.set_exceptions(made["policy"]["policy_id"], {"alice": {"cost_limit": 200}})
    budget.set_exceptions(made["policy"]["policy_id"], {"bob": "unlimited"})

    assert [made["created"], changed["created"], other["created"]] == [True, False, True]
    assert changed["policy"]["policy_id"] == made["policy"]["policy_id"]
    assert changed["policy"]["cost_limit"] == 60
    status = budget.status({"team": "a", "user": "alice"})
    allowed = {view["name"]: view["allowance"] for view in status["policies"]}
    assert allowed["team=a monthly per user"]["cost"] == 200
    budget.end_policy("team=a monthly per user")
    assert [one["name"] for one in budget.policies()["items"]] == [other["policy"]["name"]]


def test_credit_finds_the_limit_that_labels_mean(budget) -> None:
    budget.set_limit("1usd/day", per="user")
    budget.set_limit("10usd/day", scope={"team": "a"})

    given = budget.credit("2usd", labels={"user": "alice"}, reason="demo day")
    again = budget.credit(
        "2usd", labels={"user": "alice"}, reason="demo day", credit_id=given["credit_id"]
    )
    budget.set_limit("5usd/week", per="user")
    with pytest.raises(tekton_budget.Conflict) as caught:
        budget.credit("2usd", labels={"user": "alice"})

    assert given["allowance"]["cost"] == 3
    assert again["allowance"]["cost"] == 3
    assert caught.value.code == "ambiguous"
    assert {one["policy"] for one in caught.value.extra["choices"]} == {
        "daily per user",
        "weekly per user",
    }


def test_names_with_odd_characters_find_their_way(budget) -> None:
    name = "50 % of/all? #1 ü"
    budget.set_limit("1usd/day", name=name)

    assert budget.policy(name)["name"] == name
    assert budget.groups(name)["items"][0]["allowance"]["cost"] == 1


def test_usage_is_recorded_listed_summed_and_reported(budget) -> None:
    budget.record(cost="0.25", input_tokens=1000, labels={"team": "a"}, model="x", provider="p")
    budget.record(cost="0.5", labels={"team": "b"}, model="y", provider="p")

    listed = budget.usage_records(labels={"team": "a"})["items"]
    summary = budget.usage_summary(by="team")
    report = budget.usage_report(f"{datetime.now(UTC):%Y-%m}", by=["team", "model"])
    analytics = budget.usage_analytics(days=1, model="y", labels={"team": "b"})

    assert [one["cost"] for one in listed] == [Decimal("0.25")]
    assert summary["total_cost"] == Decimal("0.75")
    assert summary["groups"]["team"]["b"]["cost"] == Decimal("0.5")
    assert report["total"]["cost"] == Decimal("0.75")
    assert len(report["rows"]) == 2
    assert analytics["totals"]["cost"] == Decimal("0.5")
    assert budget.usage_analytics()["averages"]["cost_per_request"] == Decimal("0.375")


def test_advice_is_given_in_words(budget) -> None:
    budget.set_price("p", "m", input=10, output=10)
    budget.record(input_tokens=1000, provider="p", model="m")

    analysis = budget.analyze_usage(period="daily", days=7)
    advice = budget.optimize_usage(days=7, raw=True)
    chosen = budget.recommend_model(
        "t", input_tokens=10, output_tokens=10, calls_per_day=2, cost_per_day="0.0004"
    )

    assert "m (p) $0.01" in analysis["analysis"]
    assert advice["raw_data"]["pricing"][0]["average_call_cost"] == Decimal("0.01")
    assert "Best: m (p), $0.0002 a call, $0.0004 a day;" in chosen["recommendations"]
    assert "$0.01" in budget.ask_assistant("what did we spend today?")["response"]


def test_keys_are_made_rotated_and_revoked(budget) -> None:
    admin = budget.create_key("boss", role="admin")["key"]
    if isinstance(budget, tekton_budget.Client):  # from the first key on nobody comes without one
        budget = tekton_budget.open(budget.url, key=admin)

    key = budget.create_key("ci", labels={"team": "a"}, requires=["user"], limit="50usd/month")
    rotated = budget.rotate_key("ci", overlap_seconds=0)
    budget.revoke_key("ci")

    assert key["key"].startswith("tb_live_")
    assert rotated["key"] not in (key["key"], admin)
    listed = budget.keys()
    assert [one["name"] for one in listed] == ["boss", "ci", "ci"]
    assert [one["revoked_at"] is None for one in listed] == [True, False, False]
    assert budget.policy("key=ci monthly")["cost_limit"] == 50
    budget.close()


def test_prices_are_kept_with_their_dates(budget) -> None:
    budget.set_price("p", "m/x", input="0.1", output="0.2", valid_from="2026-01-01T00:00:00Z")
    budget.set_price("p", "m/x", input="0.3", output="0.2", request="0.0001")

    assert budget.current_price("p", "m/x")["request"] == Decimal("0.0001")
    assert [one["input"] for one in budget.price_history("p", "m/x")] == [
        Decimal("0.1"),
        Decimal("0.3"),
    ]
    assert [one["model"] for one in budget.prices()] == ["m/x"]


def test_the_price_book_is_asked_and_told(budget) -> None:
    card = {"provider": "p", "model": "m", "rates": {"input": "1", "cache_write_1h": "0.4"}}
    loaded = budget.load_prices({"x": card}, source="file")
    listed = budget.load_prices([{**card, "model": "n", "effective_from": "2026-01-01"}])
    budget.set_price("p", "o", rates={"input_audio": "40"}, fees={"image": Decimal("0.04")})
    contract = budget.agree_contract("p", "0.85", model="m")
    named = budget.name_model("mine", "p", "m", provider="azure")
    tier = budget.set_tier("m", None, provider="p")

    assert (loaded["loaded"], listed["prices"][0]["source"]) == (1, "loaded")
    assert contract["factor"] == Decimal("0.85")
    assert [one["model"] for one in budget.prices(model="[m-z]")] == ["m", "n", "o"]
    assert budget.prices(model="n", at="2025-01-01") == []
    assert budget.current_price("p", "n", at=datetime(2026, 2, 1, tzinfo=UTC))["model"] == "n"
    assert budget.resolve_model("mine", provider="azure")["path"][0] == "map mine"
    assert budget.contracts() == [contract]
    assert budget.model_names() == [named]
    assert budget.tiers() == [tier]
    assert budget.price_lists() == budget.models() == []
    assert budget.update_prices()["updated"] == []
    assert budget.recommend(prefer="p", max_cost="0.000001")["items"] == []
    file = {"format": "name-cases/1", "cases": [{"name": "p/m", "answer": None}]}
    assert budget.check_names(file)[0]["differs"] == "expected to be unknown"


def test_a_cost_is_exact_and_knows_its_parts(budget) -> None:
    budget.set_price("p", "m", input="0.1", output=2, rates={"cache_write_1h": "0.4"})

    made = budget.calculate("p/m", usage={"input_tokens": 1, "cache_write_1h": 1}, requests=2)
    answer = SimpleNamespace(
        model_dump=lambda: {"model": "m", "usage": {"prompt_tokens": 5, "completion_tokens": 0}}
    )
    by_response = budget.calculate(response=answer, provider="p", context={"region": "eu"})

    assert made["cost"] == Decimal("0.0000005")
    assert [one["rate"] for one in made["components"]] == [Decimal("0.1"), Decimal("0.4")]
    assert by_response["cost"] == Decimal("0.0000005")
    with pytest.raises(InvalidInput, match="prices set p/x") as refused:
        budget.calculate("x", provider="p", usage={"input": 1})
    assert refused.value.code == "unknown_price"


def test_a_budget_may_have_an_id_of_the_callers_own(budget) -> None:
    for _ in range(2):  # the same again is the same budget
        made = budget.create_budget("search", budget_id="team-search")

        assert made["budget_id"] == "team-search"
    assert [one["budget_id"] for one in budget.budgets()["items"]].count("team-search") == 1


def test_budgets_hold_policies(budget) -> None:
    made = budget.create_budget(
        "search", owner="eve", scope={"team": "s"}, policies=[{"limit": "5usd/day"}]
    )

    assert budget.budget("search")["owner"] == "eve"
    assert budget.change_budget("search", owner="bob")["owner"] == "bob"
    assert budget.balances("search")["items"][0]["allowance"]["cost"] == 5
    policy = budget.create_policy(limit="9usd/day", name="loose")["policy_id"]
    assert policy in budget.attach_policies("search", ["loose"])["policies"]
    budget.close_budget(made["budget_id"])
    assert budget.budget("search")["is_active"] is False
    assert len(budget.create_budget("tekton", template="tekton")["policies"]) == 19


def test_a_batch_is_answered_one_by_one(budget) -> None:
    budget.set_limit("1usd/day")

    results = budget.batch(
        [
            {"do": "allocate", "allocation_id": "a", "cost": Decimal("0.6")},
            {"do": "allocate", "allocation_id": "b", "cost": Decimal("0.6")},
            {"do": "settle", "allocation_id": "a", "cost": Decimal("0.5")},
            {"do": "sing"},
        ]
    )
    with pytest.raises(BudgetExceeded):
        budget.batch(
            [{"do": "allocate", "cost": 0.4}, {"do": "allocate", "cost": 0.4}], atomic=True
        )

    assert [one["status"] for one in results] == [201, 402, 200, 422]
    assert budget.groups("daily")["items"][0]["spent"]["cost"] == Decimal("0.5")
    assert budget.groups("daily")["items"][0]["held"]["cost"] == 0


def test_who_was_refused_can_be_asked(budget) -> None:
    budget.set_limit("1usd/day", per="user")
    for user in ("alice", "alice", "bob"):
        with pytest.raises(BudgetExceeded):
            budget.allocate(cost=2, labels={"user": user})

    found = budget.decisions(decision="deny", by=["policy", "user"])

    assert {one["values"]["user"]: one["count"] for one in found["items"]} == {
        "alice": 2,
        "bob": 1,
    }
    assert budget.verify()["ok"] is True


def test_an_ask_states_what_else_it_may_use(budget) -> None:
    rates = {"input": 3, "output": 15, "cache_write_5m": "3.75"}
    budget.set_price("anthropic", "claude", rates=rates, fees={"web_search": "0.01"})
    budget.set_limit("1usd/day")
    ask = {"model": "claude", "input_tokens": 1000, "max_output_tokens": 100}

    with budget.allocate(**ask, units={"web_search": 2}, cache_write="5m") as hold:
        hold.release()
    with pytest.raises(InvalidInput, match="service_tier"):
        budget.allocate(**ask, context={"service_tier": "priority"})

    assert hold.granted.cost == Decimal("0.02525")


def test_a_hold_grows_while_the_answer_does(budget) -> None:
    budget.set_price("openai", "gpt-5-mini", input="0.25", output=2)
    budget.set_limit("0.01usd/day")

    with budget.allocate(model="gpt-5-mini", input_tokens=900, max_output_tokens=500) as hold:
        assert hold.extend(max_output_tokens=1000).granted.tokens == 1900
        with pytest.raises(BudgetExceeded) as denied:
            hold.extend(max_output_tokens=9000)
        assert hold.max_output_tokens == 1000
        budget.extend(hold.allocation_id, 3600)
        hold.extend(max_output_tokens=9000, fit="clamp", min_grant=10)
        hold.settle(input_tokens=900, output_tokens=4000)

    assert denied.value.largest_fit["max_output_tokens"] == 4887
    assert hold.max_output_tokens == 4887
    assert hold.granted.tokens == 5787
    with budget.allocate(cost="0.001") as other:
        assert other.extend(cost="0.0015").granted.cost == Decimal("0.0015")
        other.release()
