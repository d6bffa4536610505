"""Each type of message: its answer, whole, and what it says when it may not be or is not right."""

import uuid
from decimal import Decimal
from typing import Any

import pytest
from tests.frontends.protocol.conftest import PREFIXES, Component

from tekton_budget.domain.caller import Role

TYPES = {
    "budget.allocate_tokens": "budget.allocation_response",
    "budget.check_budget": "budget.check_response",
    "budget.record_usage": "budget.usage_response",
    "budget.get_budget_status": "budget.status_response",
    "budget.get_model_recommendations": "budget.recommendations_response",
    "budget.route_with_budget_awareness": "budget.routing_response",
    "budget.get_usage_analytics": "budget.analytics_response",
}
GOOD: dict[str, dict[str, Any]] = {
    "budget.allocate_tokens": {"context_id": "c", "amount": 100, "task_type": "coding"},
    "budget.check_budget": {"provider": "p", "model": "m", "input_text": "hello world"},
    "budget.record_usage": {"provider": "p", "model": "m", "input_tokens": 1, "output_tokens": 2},
    "budget.get_budget_status": {"period": "daily"},
    "budget.get_model_recommendations": {"provider": "p", "model": "m"},
    "budget.route_with_budget_awareness": {
        "input_text": "hello",
        "default_provider": "p",
        "default_model": "m",
    },
    "budget.get_usage_analytics": {"period": "daily"},
}


# What the original's answers have in any case, and its clients read.
NOTHING = {
    "budget.allocate_tokens": ("context_id", "amount", "remaining"),
    "budget.check_budget": ("allowed", "info"),
    "budget.record_usage": ("context_id", "recorded_tokens", "remaining", "success"),
    "budget.get_budget_status": ("period", "success"),
    "budget.get_model_recommendations": ("provider", "model", "recommendations"),
    "budget.route_with_budget_awareness": (
        "provider",
        "model",
        "warnings",
        "original_provider",
        "original_model",
        "is_downgraded",
    ),
    "budget.get_usage_analytics": ("period", "success", "error"),
}


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("type_", TYPES)
def test_every_type_is_answered_below_every_prefix(
    quick: Component, prefix: str, type_: str
) -> None:
    quick.prefix = prefix
    quick.price("m", 1, 2)
    quick.price("cheap", 0.1, 0.2)
    answer = quick.says(type_, GOOD[type_], message_id="m-1")

    assert list(answer) == [
        "message_id",
        "sender",
        "message_type",
        "timestamp",
        "payload",
        "request_id",
        "status",
        "error",
    ]
    assert answer["sender"] == "budget"
    assert answer["message_type"] == TYPES[type_]
    assert (answer["status"], answer["error"]) == ("success", None)
    assert answer["request_id"] == "m-1"
    assert uuid.UUID(answer["message_id"])


def test_names_may_be_in_camel_case(ergon: Component) -> None:
    answer = ergon.post(
        "/message",
        {
            "messageId": "m-1",
            "sender": "ergon",
            "messageType": "budget.allocate_tokens",
            "timestamp": "2026-02-09T10:00:00",
            "replyTo": None,
            "timeout": 30.0,
            "payload": {"contextId": "c1", "amount": 10, "taskType": "chat"},
        },
    )
    assert answer["payload"]["context_id"] == "c1"
    assert ergon.allocations()[0]["task_type"] == "chat"


def test_tokens_are_held_for_the_sender_where_no_component_is_named(ergon: Component) -> None:
    ergon.limit("1000tokens/day", name="all")
    answer = ergon.says(
        "budget.allocate_tokens",
        {"context_id": "c1", "amount": 600, "tier": "heavyweight", "priority": 7},
    )
    payload = answer["payload"]
    held = ergon.allocations()[0]

    assert payload["amount"] == payload["remaining"] == 600
    assert payload["allocation_id"] == held["allocation_id"]
    assert (payload["tier"], payload["provider"], payload["model"]) == (
        "remote_heavyweight",
        None,
        None,
    )
    assert (held["component"], held["tier"], held["priority"]) == ("ergon", "remote_heavyweight", 7)

    ergon.says("budget.allocate_tokens", {"amount": 1, "component": "telos"})
    assert ergon.allocations()[0]["component"] == "telos"


def test_over_budget_is_an_answer_that_says_why(ergon: Component) -> None:
    ergon.limit("1000tokens/day", name="all")
    answer = ergon.says("budget.allocate_tokens", {"context_id": "c1", "amount": 5000})

    assert (answer["status"], answer["message_type"]) == ("error", "budget.allocation_response")
    assert answer["error"].startswith("Over budget: ")
    assert '"all" has 1,000' in answer["error"]
    payload = answer["payload"]
    assert (payload["success"], payload["context_id"]) == (False, "c1")
    assert (payload["amount"], payload["remaining"]) == (0, 0)
    assert payload["denial"]["largest_fit"]["tokens"] == 1000
    assert ergon.allocations() == []


@pytest.mark.parametrize(
    ("type_", "payload", "said"),
    [
        ("budget.allocate_tokens", {}, "amount: is needed"),
        ("budget.allocate_tokens", {"amount": 0}, "amount: send a whole number from 1"),
        ("budget.allocate_tokens", {"amount": "7"}, "amount: send a whole number"),
        ("budget.allocate_tokens", {"amount": True}, "amount: send a whole number"),
        ("budget.allocate_tokens", {"amount": 1.5}, "amount: send a whole number"),
        ("budget.allocate_tokens", {"amount": 10**30}, "amount: send a whole number"),
        ("budget.allocate_tokens", {"amount": 1, "tier": "huge"}, "tier: send one of"),
        ("budget.allocate_tokens", {"amount": 1, "priority": 11}, "priority: send a whole"),
        ("budget.allocate_tokens", {"amount": 1, "component": 7}, "component: send a text"),
        ("budget.check_budget", {"model": "m"}, "provider: is needed"),
        ("budget.check_budget", {"provider": "p"}, "model: is needed"),
        ("budget.check_budget", {"provider": "p", "model": "m", "input_text": 7}, "input_text: "),
        ("budget.record_usage", {"provider": "p", "model": "m"}, "input_tokens: send input"),
        (
            "budget.record_usage",
            {"provider": "p", "model": "m", "input_tokens": 1},
            "input_tokens: send input",
        ),
        (
            "budget.record_usage",
            {"provider": "p", "model": "m", "input_tokens": 1, "output_tokens": -1},
            "output_tokens: send a whole",
        ),
        (
            "budget.record_usage",
            {
                "provider": "p",
                "model": "m",
                "input_tokens": 1,
                "output_tokens": 1,
                "metadata": "no",
            },
            "metadata: send a JSON object",
        ),
        (
            "budget.record_usage",
            {
                "provider": "p",
                "model": "m",
                "input_tokens": 1,
                "output_tokens": 1,
                "allocation_id": "none",
            },
            "none",
        ),
        ("budget.get_budget_status", {"period": "sometimes"}, "period: send some of"),
        ("budget.get_model_recommendations", {"context_size": 0}, "context_size: send"),
        ("budget.route_with_budget_awareness", {}, "default_model: is needed"),
        (
            "budget.route_with_budget_awareness",
            {"default_model": "m", "candidates": "x"},
            "candidates: send a list",
        ),
        (
            "budget.route_with_budget_awareness",
            {"default_model": "m", "candidates": [1]},
            "candidates: send models",
        ),
        ("budget.get_usage_analytics", {"period": "sometimes"}, "period: "),
        ("budget.get_usage_analytics", {"start_date": "soon"}, "start_date: "),
    ],
)
def test_what_is_not_right_is_an_error_that_names_it_and_changes_nothing(
    quick: Component, type_: str, payload: Any, said: str
) -> None:
    answer = quick.says(type_, payload)

    assert (answer["status"], answer["message_type"]) == ("error", TYPES[type_])
    assert said in answer["error"]
    assert answer["payload"]["error"] == answer["error"]
    assert set(NOTHING[type_]) <= set(answer["payload"])
    assert answer["payload"]["code"]
    assert quick.allocations() == quick.records() == []


def test_an_unknown_type_is_an_error_of_its_own_type(quick: Component) -> None:
    answer = quick.says("budget.fly", {"amount": 1}, message_id="m-9")

    assert (answer["message_type"], answer["status"]) == ("budget.error", "error")
    assert answer["error"] == "Unknown message type: budget.fly"
    assert (answer["payload"], answer["request_id"]) == ({}, "m-9")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sender": "ergon"},
        {"message_type": "budget.check_budget"},
        {"sender": "", "message_type": "budget.check_budget"},
        {"sender": "ergon", "message_type": "budget.check_budget", "payload": "x"},
        [],
    ],
)
def test_what_is_no_message_is_refused(quick: Component, body: Any) -> None:
    assert quick.post("/message", body, 422)["code"] == "invalid"


def test_the_same_message_again_changes_nothing(ergon: Component) -> None:
    ergon.limit("1000tokens/day", name="all")
    ask = {"context_id": "c1", "amount": 400}
    first = ergon.says("budget.allocate_tokens", ask, message_id="m-1")
    again = ergon.says("budget.allocate_tokens", ask, message_id="m-1")
    used = {
        "provider": "p",
        "model": "m",
        "input_tokens": 3,
        "output_tokens": 4,
        "context_id": "c1",
    }
    for _ in range(2):
        recorded = ergon.says("budget.record_usage", used, message_id="m-2")
    other = ergon.says("budget.allocate_tokens", {"amount": 401}, message_id="m-1")

    assert again["payload"] == first["payload"]
    assert recorded["payload"]["recorded_tokens"] == 7
    assert len(ergon.allocations()) == len(ergon.records()) == 1
    assert other["status"] == "error"
    assert "amount" in other["error"] or "differ" in other["error"] or "m-1" in other["error"]


def test_a_check_holds_nothing_and_tells_the_numbers(ergon: Component) -> None:
    ergon.price("m", 1000, 2000)  # a tenth of a cent, and two, a token
    ergon.limit("1usd/day", name="all")
    ask = {"provider": "p", "model": "m", "input_text": "hello world", "max_output_tokens": 10}
    fits = ergon.says("budget.check_budget", ask)["payload"]
    over = ergon.says("budget.check_budget", {**ask, "max_output_tokens": 1000})["payload"]

    assert fits["allowed"] is True
    assert fits["info"]["cost_estimate"] == {
        "input_tokens": 4,
        "output_tokens": 10,
        "total_cost": Decimal("0.024"),
    }
    assert fits["info"]["estimated_cost"] == Decimal("0.024")
    assert over["allowed"] is False
    assert over["info"]["reason"].startswith("Over budget: ")
    assert (over["info"]["limit"], over["info"]["usage"]) == (1, 0)
    assert over["info"]["policy"] == "hard_limit"
    assert ergon.allocations() == []


def test_without_a_price_nothing_is_free(ergon: Component) -> None:
    ergon.limit("1usd/day", name="all")
    answer = ergon.says("budget.check_budget", {"provider": "p", "model": "nobody-knows"})

    assert (answer["status"], answer["payload"]["allowed"]) == ("error", False)
    assert answer["payload"]["code"] == "unknown_price"


def test_an_output_nobody_bounds_is_taken_for_four_times_the_input(quick: Component) -> None:
    ask = {"provider": "p", "model": "m", "input_tokens": 30}
    told = quick.says("budget.check_budget", ask)["payload"]
    empty = quick.says("budget.check_budget", {"provider": "p", "model": "m"})["payload"]

    assert told["info"]["cost_estimate"]["output_tokens"] == 120
    assert told["info"]["estimated_cost"] is None  # unknown, which is not 0
    assert empty["info"]["cost_estimate"]["output_tokens"] == 500


def test_usage_goes_to_the_allocation_that_is_named_or_the_contexts(ergon: Component) -> None:
    ergon.price("m", 1, 2)
    made = ergon.says(
        "budget.allocate_tokens",
        {"context_id": "c1", "amount": 100, "provider": "p", "model": "m"},
    )["payload"]
    used = {"provider": "p", "model": "m", "input_tokens": 10, "output_tokens": 20}
    named = ergon.says("budget.record_usage", {**used, "allocation_id": made["allocation_id"]})
    by_context = ergon.says(
        "budget.record_usage", {**used, "context_id": "c1", "request_id": "r-7"}
    )

    assert named["payload"]["remaining"] == 70
    assert by_context["payload"] == {
        "success": True,
        "context_id": "c1",
        "recorded_tokens": 30,
        "remaining": 40,
        "record_id": by_context["payload"]["record_id"],
        "cost": Decimal("0.00005"),
        "cost_source": "book",
        "allocation_id": made["allocation_id"],
    }
    assert {one["allocation_id"] for one in ergon.records()} == {made["allocation_id"]}

    last = ergon.says(
        "budget.record_usage", {**used, "allocation_id": made["allocation_id"], "final": True}
    )
    assert last["payload"]["remaining"] == 0
    assert ergon.allocations()[0]["status"] == "settled"


def test_usage_of_another_component_in_the_context_is_recorded_beside_its_allocation(
    ergon: Component,
) -> None:
    ask = {"context_id": "c1", "amount": 100, "task_type": "coding"}
    ergon.says("budget.allocate_tokens", ask)
    used = {
        "provider": "p",
        "model": "m",
        "input_tokens": 1,
        "output_tokens": 2,
        "context_id": "c1",
    }
    own = ergon.says("budget.record_usage", used)["payload"]
    other = ergon.says("budget.record_usage", used, sender="telos")["payload"]
    kind = ergon.says("budget.record_usage", {**used, "task_type": "chat"})["payload"]

    assert own["remaining"] == 97
    assert "allocation_id" not in other
    assert "allocation_id" not in kind
    assert len(ergon.records()) == 3


def test_usage_of_a_context_told_again_after_its_allocation_ended_changes_nothing(
    ergon: Component,
) -> None:
    made = ergon.says("budget.allocate_tokens", {"context_id": "c1", "amount": 100})["payload"]
    used = {
        "provider": "p",
        "model": "m",
        "input_tokens": 1,
        "output_tokens": 2,
        "context_id": "c1",
    }
    first = ergon.says("budget.record_usage", used, message_id="m-2")
    ergon.http.post(f"/api/v1/allocations/{made['allocation_id']}/release").raise_for_status()
    again = ergon.says("budget.record_usage", used, message_id="m-2")

    assert (first["payload"]["remaining"], again["status"]) == (97, "success")
    assert again["payload"]["record_id"] == first["payload"]["record_id"]
    assert len(ergon.records()) == 1


def test_usage_by_another_model_than_was_asked_for_is_recorded_as_it_was(ergon: Component) -> None:
    ergon.price("m", 1, 2)
    ergon.price("other", 5, 5)
    made = ergon.says("budget.allocate_tokens", {"amount": 100, "provider": "p", "model": "m"})[
        "payload"
    ]
    told = ergon.says(
        "budget.record_usage",
        {
            "provider": "p",
            "model": "other",
            "input_tokens": 10,
            "output_tokens": 10,
            "allocation_id": made["allocation_id"],
        },
    )
    assert told["payload"]["cost"] == Decimal("0.0001")


def test_usage_without_an_allocation_is_a_fact_all_the_same(ergon: Component) -> None:
    ergon.limit("5tokens/day", name="all")
    told = ergon.says(
        "budget.record_usage",
        {
            "provider": "p",
            "model": "m",
            "input_text": "hello world",
            "output_text": "",
            "task_type": "chat",
            "metadata": {"someKey": 1},
        },
        sender="rhetor",
    )
    record = ergon.records()[0]

    assert told["payload"]["recorded_tokens"] == 4
    assert told["payload"]["remaining"] == 0
    assert (record["component"], record["task_type"]) == ("rhetor", "chat")
    assert record["measurement"] == "estimated"
    assert record["metadata"] == {"someKey": 1}


def test_a_status_has_two_forms(ergon: Component) -> None:
    ergon.limit("1000tokens/day", name="heavy", scope={"tier": "remote_heavyweight"})
    ergon.limit("500tokens/day", name="heavy too", scope={"tier": "remote_heavyweight"})
    ergon.limit("100tokens+2usd/day", name="p", scope={"provider": "p"})
    ergon.says("budget.allocate_tokens", {"amount": 250, "tier": "heavyweight"})
    used = {"provider": "p", "model": "m", "input_tokens": 10, "output_tokens": 15}
    ergon.says("budget.record_usage", used)
    generic = ergon.says("budget.get_budget_status", {"period": "daily", "provider": "p"})
    apollo = ergon.says("budget.get_budget_status", {"tier": "heavyweight"}, sender="apollo")
    rhetor = ergon.says("budget.get_budget_status", {"period": "daily"}, sender="rhetor")

    assert generic["payload"]["period"] == "daily"
    assert generic["payload"]["success"] is True
    (one,) = generic["payload"]["summaries"]
    assert {name: one[name] for name in list(one)[:14]} == {
        "budget_id": "default",
        "tier": None,
        "provider": "p",
        "component": None,
        "tokens_allocated": 25,
        "tokens_used": 25,
        "tokens_remaining": 75,
        "token_limit": 100,
        "token_usage_percentage": Decimal("0.25"),
        "token_limit_exceeded": False,
        "cost": 0,
        "cost_limit": 2,
        "cost_usage_percentage": 0,
        "cost_limit_exceeded": False,
    }
    assert apollo["payload"] == {
        "period": "daily",
        "success": True,
        "tiers": {  # of the two policies the one that stands higher
            "heavyweight": {
                "allocated": 275,
                "used": 25,
                "remaining": 225,
                "limit": 500,
                "usage_percentage": Decimal("0.05"),
                "limit_exceeded": False,
            }
        },
    }
    assert set(rhetor["payload"]["tiers"]) == {"remote_heavyweight", "all"}


def test_apollo_sees_its_own_budget_where_it_has_one(ergon: Component) -> None:
    ergon.limit("1000tokens/day", name="everybody")
    budget = {"name": "apollo", "policies": [{"limit": "70tokens/day", "name": "apollo daily"}]}
    ergon.http.post("/api/v1/budgets", json=budget).raise_for_status()
    told = ergon.says("budget.get_budget_status", {}, sender="apollo")["payload"]

    assert told["tiers"]["all"]["limit"] == 70


def test_recommendations_are_the_books(ergon: Component) -> None:
    ergon.price("m", 10, 20)
    ergon.price("cheap", 1, 2)
    told = ergon.says(
        "budget.get_model_recommendations",
        {"provider": "p", "model": "m", "task_type": "chat", "context_size": 1000},
    )["payload"]

    assert (told["task_type"], told["context_size"]) == ("chat", 1000)
    assert [one["model"] for one in told["recommendations"]] == ["cheap"]
    assert told["recommendations"][0]["savings_percent"] == 90


def test_a_route_leads_to_what_fits_and_nowhere_where_nothing_does(ergon: Component) -> None:
    ergon.price("m", 1000, 1000)
    ergon.price("cheap", 1, 1)
    ergon.limit("0.1usd/day", name="all")
    ask = {"input_text": "hello world", "default_provider": "p", "default_model": "m"}
    told = ergon.says("budget.route_with_budget_awareness", ask)
    payload = told["payload"]

    assert told["status"] == "success"
    assert (payload["provider"], payload["model"]) == ("p", "cheap")
    assert (payload["original_provider"], payload["original_model"]) == ("p", "m")
    assert payload["is_downgraded"] is True
    assert any(text.startswith("Budget limit exceeded.") for text in payload["warnings"])

    ergon.limit("0tokens/day", name="nothing")
    told = ergon.says("budget.route_with_budget_awareness", ask)
    payload = told["payload"]
    assert told["status"] == "error"
    assert (payload["provider"], payload["model"], payload["success"]) == (None, None, False)
    assert payload["warnings"] == [told["error"]]
    assert {one["decision"] for one in payload["tried"]} == {"deny"}


def test_analytics_tell_what_was_used(ergon: Component) -> None:
    ergon.price("m", 1, 1)
    used = {"provider": "p", "model": "m", "input_tokens": 10, "output_tokens": 15}
    ergon.says("budget.record_usage", used)
    ergon.says("budget.record_usage", {**used, "component": "telos"})
    all_ = ergon.says("budget.get_usage_analytics", {})["payload"]
    one = ergon.says("budget.get_usage_analytics", {"component": "telos", "period": "daily"})
    past = ergon.says(
        "budget.get_usage_analytics",
        {"period": "daily", "start_date": "2020-01-01", "end_date": "2020-01-02"},
    )

    assert (all_["success"], all_["period"]) == (True, "daily")
    assert all_["totals"]["total_tokens"] == 50
    assert set(all_["by_component"]) == {"ergon", "telos"}
    assert one["payload"]["totals"]["total_tokens"] == 25
    assert past["payload"]["totals"]["total_tokens"] == 0


def test_the_key_counts_as_everywhere(ergon: Component) -> None:
    ergon.limit("1000tokens/day", name="each", per=["team"])
    a, b = ergon.with_key(team="a"), ergon.with_key(team="b")
    viewer = ergon.with_key(Role.VIEWER)
    made = a.says("budget.allocate_tokens", {"context_id": "c1", "amount": 900})["payload"]
    used = {"provider": "p", "model": "m", "input_tokens": 1, "output_tokens": 1}
    other = b.says("budget.record_usage", {**used, "allocation_id": made["allocation_id"]})
    same_context = b.says("budget.record_usage", {**used, "context_id": "c1"})
    refused = viewer.says("budget.allocate_tokens", {"amount": 1})
    without = ergon.http.post("/api/mcp/message", json={"sender": "x", "message_type": "y"})

    assert other["status"] == "error"
    assert "allocation_id" not in same_context["payload"]
    assert (refused["status"], refused["payload"]["code"]) == ("error", "role_needed")
    assert b.says("budget.allocate_tokens", {"amount": 900})["status"] == "success"
    assert without.status_code == 401
