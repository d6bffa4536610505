"""Budgets and policies over HTTP: made, changed, listed, ended; exceptions and credit."""

from decimal import Decimal
from typing import Any

import pytest
from tests.frontends.api.conftest import Door, problem


def test_a_budget_is_made_with_its_policies_or_not_at_all(door: Door) -> None:
    made = door.post(
        "/budgets",
        {
            "name": "research",
            "owner": "ann",
            "scope": {"team": "r"},
            "metadata": {"cost_center": 0.5},
            "policies": [{"limit": "50usd/month", "per": ["user"]}, {"limit": "1Mtokens/day"}],
        },
    )
    broken = door.http.post(
        "/api/v1/budgets", json={"name": "no", "policies": [{"limit": "1usd"}, {"limit": "x"}]}
    )

    assert len(made["policies"]) == 2
    assert made["metadata"] == {"cost_center": Decimal("0.5")}
    assert door.get("/budgets/research") == made
    assert problem(broken, 422, "invalid")
    assert [one["name"] for one in door.get("/budgets")["items"]] == ["research"]
    policies = door.get(f"/budgets/{made['budget_id']}/policies")["items"]
    assert [one["policy_id"] for one in policies] == made["policies"]


def test_a_budget_is_changed_and_closed(door: Door) -> None:
    door.post("/budgets", {"name": "b", "policies": [{"limit": "0usd/day"}]})
    changed = door.put("/budgets/b", {"description": "new", "isActive": True})
    patched = door.patch("/budgets/b", {"owner": "ann"})
    closed = door.delete("/budgets/b")

    assert (changed["description"], patched["owner"], patched["description"]) == (
        "new",
        "ann",
        "new",
    )
    assert closed["data"]["is_active"] is False
    assert closed["message"]
    assert door.get("/budgets", is_active=False)["items"][0]["name"] == "b"
    assert door.get("/budgets", is_active=True)["items"] == []
    assert door.post("/allocations", {"cost": 1})["policies"] == []


def test_names_of_budgets_are_taken_once(quick: Door) -> None:
    quick.post("/budgets", {"name": "b", "budget_id": "one"})

    problem(quick.http.post("/api/v1/budgets", json={"name": "b"}), 409, "name_taken")
    taken = quick.http.post("/api/v1/budgets", json={"name": "c", "budget_id": "one"})
    problem(taken, 409, "id_reused")


def test_one_line_makes_a_policy(door: Door) -> None:
    made = door.post("/policies", {"limit": "50usd+5Mtokens/month", "per": "user"})

    assert (made["cost_limit"], made["token_limit"], made["request_limit"]) == (50, 5_000_000, None)
    assert (made["period"], made["per"], made["type"]) == ("monthly", ["user"], "hard_limit")
    assert made["name"] == "monthly per user"
    assert made["budget_id"] == "default"
    assert made["status"] == "active"


def test_a_policy_says_what_calls_through_the_gateway_do(door: Door) -> None:
    plain = door.post("/policies", {"limit": "1usd/day", "name": "plain"})
    said = {"landing": "2.5%", "ladder": ["a", "b"], "hold": "growing"}
    said["defaultOutputTokens"] = 4096
    made = door.post("/policies", {"limit": "1usd/day", "name": "made", **said})
    changed = door.put("/policies/made", {"landing": Decimal("0.1"), "ladder": ["b"]})
    emptied = door.put(
        "/policies/made", {"landing": None, "ladder": None, "default_output_tokens": None}
    )

    fields = ("landing", "ladder", "hold", "default_output_tokens")
    assert [plain[name] for name in fields] == [0, [], "full", None]
    assert [made[name] for name in fields] == [Decimal("0.025"), ["a", "b"], "growing", 4096]
    assert [changed[name] for name in fields] == [Decimal("0.1"), ["b"], "growing", 4096]
    assert [emptied[name] for name in fields] == [0, [], "growing", None]
    assert (emptied["version"], door.get("/policies/made")) == (1, emptied)


def test_the_original_s_words_make_a_policy(door: Door) -> None:
    made = door.post(
        "/policies",
        {
            "type": "warn",
            "period": "daily",
            "tier": "remote_heavyweight",
            "provider": "anthropic",
            "tokenLimit": 1000,
            "costLimit": 5,
            "warningThreshold": 0.7,
            "actionThreshold": 90,
        },
    )

    assert made["enforcement"] == made["type"] == "warn"
    assert made["scope"] == {"tier": "remote_heavyweight", "provider": "anthropic"}
    assert (made["tier"], made["provider"], made["model"]) == (
        "remote_heavyweight",
        "anthropic",
        None,
    )
    assert (made["warning_threshold"], made["action_threshold"]) == (Decimal("0.7"), Decimal("0.9"))


def test_the_original_s_dashboard_changes_a_policy(door: Door) -> None:
    made = door.post(
        "/policies", {"period": "daily", "token_limit": 5, "tier": "x", "type": "warn"}
    )
    body = {
        "id": made["policy_id"],
        "budgetId": made["budget_id"],
        "type": "hard_limit",
        "period": "daily",
        "tokenLimit": 7,
        "costLimit": None,
        "warningThreshold": 0.5,
        "actionThreshold": 0.95,
        "enabled": False,
        "tier": "x",
        "provider": None,
        "component": None,
        "taskType": None,
    }
    changed = door.put(f"/policies/{made['policy_id']}", body)

    assert changed["token_limit"] == 7
    assert (changed["type"], changed["enabled"]) == ("hard_limit", False)
    assert changed["version"] == made["version"]


def test_a_policy_is_found_by_id_and_name_and_ends(door: Door) -> None:
    made = door.post("/policies", {"name": "a/b c", "limit": "0usd/day"})
    assert door.http.post("/api/v1/allocations", json={"cost": 1}).status_code == 402
    assert door.get("/policies/a%2Fb%20c")["last_judged_at"] is not None
    ended = door.delete(f"/policies/{made['policy_id']}")

    assert ended["data"]["status"] == "ended"
    assert door.get("/policies")["items"] == []
    assert door.get(f"/policies/{made['policy_id']}")["status"] == "ended"
    assert door.post("/allocations", {"cost": 1})
    problem(door.http.get("/api/v1/policies/nope"), 404, "policy_not_found")


def test_a_change_of_period_replaces_the_policy(door: Door) -> None:
    made = door.post("/policies", {"name": "p", "limit": "5usd/day"})
    changed = door.patch("/policies/p", {"period": "monthly"})

    assert changed["policy_id"] == made["policy_id"]
    assert (changed["version"], changed["period"]) == (2, "monthly")
    assert changed["notes"]
    assert len(door.get("/policies")["items"]) == 1


def test_put_without_a_name_makes_or_changes_the_one_policy_meant(door: Door) -> None:
    made = door.put("/policies", {"limit": "5usd/day", "scope": {"team": "a"}})
    again = door.put("/policies", {"limit": "6usd/day", "scope": {"team": "a"}})

    assert (made["created"], again["created"]) == (True, False)
    assert again["policy"]["policy_id"] == made["policy"]["policy_id"]
    assert again["policy"]["cost_limit"] == 6


def test_policies_are_listed_by_what_they_say(door: Door) -> None:
    door.post("/policies", {"name": "a", "limit": "5usd/day", "model": "m", "type": "warn"})
    door.post("/policies", {"name": "b", "limit": "5usd/month", "enabled": False})

    def names(**query: Any) -> list[str]:
        return [one["name"] for one in door.get("/policies", **query)["items"]]

    assert names() == ["a", "b"]
    assert names(period="daily") == ["a"]
    assert names(model="m") == ["a"]
    assert names(type="warn") == names(enforcement="warn") == ["a"]
    assert names(enabled=False) == names(name="b") == ["b"]
    assert names(budget_id="default") == ["a", "b"]


def test_policies_are_walked_without_gaps(quick: Door) -> None:
    for number in range(7):
        quick.post("/policies", {"name": f"p{number}", "limit": "5usd/day"})
    found: list[str] = []
    page = quick.get("/policies", limit=3)
    while True:
        assert (page["total"], page["limit"]) == (7, 3)
        found += [one["name"] for one in page["items"]]
        if page["next"] is None:
            break
        page = quick.get("/policies", limit=3, after=page["next"])

    assert found == [f"p{number}" for number in range(7)]
    assert quick.get("/policies", limit=3, page=3)["items"][0]["name"] == "p6"


def test_exceptions_keep_the_names_of_groups_as_they_are(door: Door) -> None:
    door.post("/policies", {"name": "p", "limit": "1usd/day", "per": ["user"]})
    done = door.put(
        "/policies/p/groups",
        {"userA": {"costLimit": "2.5"}, "bob": "unlimited", "eve": {"cost_limit": 0}},
    )
    removed = door.put("/policies/p/groups", {"eve": None})

    assert done["groups"]["userA"]["cost_limit"] == Decimal("2.5")
    assert done["groups"]["bob"] == "unlimited"
    assert removed == {"groups": {"eve": None}}
    assert door.post("/allocations", {"user": "userA", "cost": "2.5"})
    assert door.post("/allocations", {"user": "bob", "cost": 1000})
    assert door.post("/allocations", {"user": "eve", "cost": 1})
    answer = door.http.put("/api/v1/policies/p/groups", json={"x": {"cost": 1}})
    assert answer.status_code == 422


def test_credit_lifts_a_group_once(door: Door) -> None:
    made = door.post("/policies", {"name": "p", "limit": "1usd/day", "per": ["user"]})
    body = {"group": "alice", "cost": "0.5", "reason": "demo day", "credit_id": "c-1"}
    first = door.post("/policies/p/credit", body)
    again = door.post("/policies/p/credit", body)
    meant = door.post("/credit", {"amount": "2usd", "labels": {"user": "alice"}})

    assert again == first
    assert first["amounts"]["cost"] == Decimal("0.5")
    assert first["allowance"]["cost"] == Decimal("1.5")
    assert (meant["policy_id"], meant["group"]) == (made["policy_id"], "alice")
    assert meant["allowance"]["cost"] == Decimal("3.5")
    assert door.post("/allocations", {"user": "alice", "cost": "3.5"})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"cost": 0},
        {"cost": -1},
        {"amount": "1usd", "cost": 1},
        {"cost": 10**12},
        {"tokens": -1},
    ],
)
def test_a_credit_of_nothing_is_refused(quick: Door, body: dict[str, Any]) -> None:
    quick.post("/policies", {"name": "p", "limit": "1usd/day"})

    assert quick.http.post("/api/v1/policies/p/credit", json=body).status_code == 422


@pytest.mark.parametrize(
    ("path", "body", "other"),
    [
        ("/policies", {"name": "p", "limit": "1usd/day"}, {"name": "p", "limit": "2usd/day"}),
        ("/budgets", {"name": "b", "policies": [{"limit": "1usd"}]}, {"name": "b"}),
        (
            "/prices",
            {"provider": "o", "model": "m", "input": 1, "output": 2},
            {"provider": "o", "model": "m", "input": 1, "output": 3},
        ),
    ],
)
def test_what_people_make_is_made_once_under_one_key(
    door: Door, path: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    first = door.post(path, body, Idempotency_Key="k1")
    again = door.post(path, body, Idempotency_Key="k1")
    reused = door.http.post(f"/api/v1{path}", json=other, headers={"Idempotency-Key": "k1"})

    assert again == first
    problem(reused, 409, "id_reused")
    elsewhere = door.http.post(
        "/api/v1/allocations", json={"cost": 0}, headers={"Idempotency-Key": "k1"}
    )
    assert elsewhere.status_code == 201  # kept per route


def test_the_id_of_a_budget_is_the_key_of_its_making(quick: Door) -> None:
    made = quick.post("/budgets", {"name": "b"}, Idempotency_Key="b-1")

    assert made["budget_id"] == "b-1"
    answer = quick.http.post(
        "/api/v1/budgets",
        json={"name": "c", "budget_id": "x"},
        headers={"Idempotency-Key": "y"},
    )
    problem(answer, 422, "two_ids")
