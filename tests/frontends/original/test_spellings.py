"""Names as the original's documents, command line and page spell them, under both prefixes."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.frontends.original.conftest import OPUS, Client

Camel = Callable[[dict[str, Any]], dict[str, Any]]
AS_IS: Camel = dict
POLICY = {
    "type": "WARN",
    "period": "DAILY",
    "tier": "REMOTE_HEAVYWEIGHT",
    "provider": "anthropic",
    "component": None,
    "task_type": None,
    "token_limit": 1_000_000,
    "cost_limit": None,
    "warning_threshold": 0.8,
    "action_threshold": 0.95,
    "enabled": True,
}
ASK = {
    **OPUS,
    "context_id": "c1",
    "component": "ergon",
    "tier": "REMOTE_HEAVYWEIGHT",
    "task_type": "chat",
    "priority": 5,
    "tokens_allocated": 2000,
    "expected_tokens_used": 1500,
    "expiration_time": None,
    "metadata": {"asIs": 1},
}
USED = {
    **OPUS,
    "context_id": "c1",
    "component": "ergon",
    "task_type": "chat",
    "input_tokens": 1000,
    "output_tokens": 200,
    "operation_id": "op",
    "request_id": "req",
    "user_id": "alice",
    "metadata": {},
}


@pytest.fixture(params=["snake", "camel"])
def spelt(request: pytest.FixtureRequest, camel: Camel) -> Camel:
    return camel if request.param == "camel" else AS_IS


def test_a_budget_goes_through_its_life(original: Client, spelt: Camel) -> None:
    body = {"name": "Default Budget", "description": "d", "owner": "cli", "metadata": {"aB": 1}}
    made = original.post("/budgets", spelt(body), 201)
    id_ = made["budget_id"]

    assert {name: made[name] for name in body} == body
    assert (made["policies"], made["is_active"]) == ([], True)
    assert made["creation_time"] == made["created_at"]
    assert original.get("/budgets", name="Default Budget")["total"] == 1
    assert original.get("/budgets", name="another")["items"] == []
    query = spelt({"is_active": "true", "owner": "cli", "page": 1, "limit": 20})
    page = original.get("/budgets", **query)
    assert [one["budget_id"] for one in page["items"]] == [id_]
    assert (page["total"], page["page"], page["limit"]) == (1, 1, 20)
    changed = original.put(f"/budgets/{id_}", spelt({"budget_id": id_, "is_active": False}))
    assert changed["is_active"] is False
    assert original.put(f"/budgets/{id_}", {**made, "owner": "other"})["owner"] == "other"
    gone = original.delete(f"/budgets/{id_}")
    assert set(gone) == {"message", "data"}
    assert gone["data"]["is_active"] is False
    assert "not found" in original.get("/budgets/nobody", 404)["detail"]


def test_a_policy_goes_through_its_life(original: Client, spelt: Camel) -> None:
    budget = original.post("/budgets", {"name": "b"}, 201)["budget_id"]
    made = original.post("/policies", spelt({**POLICY, "budget_id": budget}), 201)
    id_ = made["policy_id"]

    assert (made["type"], made["period"], made["tier"]) == ("warn", "daily", "remote_heavyweight")
    assert (made["budget_id"], made["token_limit"]) == (budget, 1_000_000)
    filters = {"period": "DAILY", "tier": "REMOTE_HEAVYWEIGHT", "type": "WARN", "enabled": "true"}
    assert [one["policy_id"] for one in original.get("/policies", **filters)["items"]] == [id_]
    assert original.get("/policies", **{**filters, "tier": "LOCAL_MIDWEIGHT"})["items"] == []
    assert original.get(f"/budgets/{budget}/policies")["items"][0]["policy_id"] == id_
    same = original.put(f"/policies/{id_}", original.get(f"/policies/{id_}"))
    assert {**same, "updated_at": ""} == {**made, "status": "active", "updated_at": ""}
    gone = original.delete(f"/policies/{id_}")
    assert set(gone) == {"message", "data"}
    assert "not found" in original.get("/policies/nobody", 404)["detail"]


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ("warning", "warn"),
        ("downgrade", "soft_limit"),
        ("enforce", "hard_limit"),
        ("block", "hard_limit"),
        ("WARN", "warn"),
        ("HARD_LIMIT", "hard_limit"),
        ("SOFT_LIMIT", "soft_limit"),
        ("IGNORE", "ignore"),
    ],
)
def test_every_older_word_for_an_enforcement_is_known(
    original: Client, said: str, stored: str
) -> None:
    made = original.post("/policies", {"period": "daily", "cost_limit": 5, "type": said}, 201)

    assert (made["type"], made["enforcement"]) == (stored, stored)
    assert original.get("/policies", type=said)["total"] == 1
    assert original.get("/policies", type="none_such", status=422)["fields"]


def test_the_page_saves_a_policy_as_it_holds_it(original: Client) -> None:
    made = original.post("/policies", {"period": "daily", "cost_limit": 5}, 201)
    held = {
        "id": made["policy_id"],
        "budgetId": made["budget_id"],
        "type": "hard_limit",
        "period": "daily",
        "tokenLimit": None,
        "costLimit": 7.5,
        "warningThreshold": 80,
        "actionThreshold": 0.95,
        "enabled": True,
        "tier": None,
        "provider": None,
        "component": None,
        "taskType": None,
    }
    saved = original.put(f"/policies/{made['policy_id']}", held)

    assert (saved["cost_limit"], saved["type"]) == (7.5, "hard_limit")
    assert (saved["thresholds"], saved["version"]) == (made["thresholds"], 1)
    warned = original.put(f"/policies/{made['policy_id']}", {**held, "type": "warning"})
    assert warned["type"] == "warn"
    refused = original.put(f"/policies/{made['policy_id']}", {**held, "costLimit": None}, 422)
    assert refused["code"] == "limit_needed"


@pytest.mark.parametrize("threshold", [80, 0.8, "0.8"])
def test_a_threshold_of_80_is_one_of_0_8(original: Client, threshold: object) -> None:
    body = {"period": "daily", "cost_limit": 5, "warning_threshold": threshold}
    made = original.post("/policies", {**body, "action_threshold": 95}, 201)

    assert (float(made["warning_threshold"]), float(made["action_threshold"])) == (0.8, 0.95)


def test_naming_one_threshold_leaves_the_others(original: Client) -> None:
    body = {"period": "daily", "cost_limit": 5}
    one = original.post("/policies", {**body, "thresholds": [0.5]}, 201)
    many = original.post(
        "/policies", {**body, "name": "many", "thresholds": [0.5, 0.8, 0.9, 1]}, 201
    )

    path = f"/policies/{one['policy_id']}"
    changed = original.put(path, {"warningThreshold": 0.6, "actionThreshold": None})
    kept = original.put(f"/policies/{many['policy_id']}", {"warningThreshold": 0.6})
    assert [float(share) for share in changed["thresholds"]] == [0.6]
    assert [float(share) for share in kept["thresholds"]] == [0.6, 0.8, 0.9, 1]


def test_an_allocation_goes_through_its_life(original: Client, spelt: Camel) -> None:
    original.post("/policies", POLICY, 201)
    made = original.post("/allocations", spelt(ASK), 201)
    id_ = made["allocation_id"]

    assert made["tier"] == "remote_heavyweight"
    assert [one["name"] for one in made["policies"]] == [
        "provider=anthropic tier=remote_heavyweight daily tokens"
    ]
    assert (made["tokens_allocated"], made["remaining_tokens"], made["is_active"]) == (
        2000,
        2000,
        True,
    )
    assert made["metadata"] == {"asIs": 1}
    filters = {"context_id": "c1", "task_type": "chat", "is_active": "true"}
    found = original.get("/allocations", **spelt(filters), tier="REMOTE_HEAVYWEIGHT")
    assert [one["allocation_id"] for one in found["items"]] == [id_]
    assert original.get("/allocations/context/c1")["items"][0]["allocation_id"] == id_
    used = original.post("/usage/record", spelt({**USED, "allocation_id": id_}), 201)
    assert (used["allocation_id"], used["total_tokens"]) == (id_, 1200)
    after = original.get(f"/allocations/{id_}")
    assert (after["tokens_used"], after["input_tokens_used"], after["output_tokens_used"]) == (
        1200,
        1000,
        200,
    )
    assert after["creation_time"] == after["created_at"] == made["creation_time"]
    assert after["expiration_time"] == after["expires_at"]
    assert after["last_updated"] == after["updated_at"]
    released = original.post(f"/allocations/{id_}/release")
    assert id_ in released["message"]
    assert released["tokens_released"] == 800
    assert "allocation" in original.get("/allocations/nobody", 404)["detail"]


@pytest.mark.parametrize("more", [{}, {"dry_run": True}])
def test_a_tier_is_the_same_in_either_spelling(original: Client, more: dict[str, Any]) -> None:
    """Also of an ask that is so plain that it is read at one look."""
    original.post("/policies", POLICY, 201)

    made = original.post(
        "/allocations", {**OPUS, "tokens": 10, "tier": "REMOTE_HEAVYWEIGHT", **more}, 201
    )

    assert len(made["policies"]) == 1
    assert made["tier"] == "remote_heavyweight"


def test_usage_is_recorded_and_found(original: Client, spelt: Camel) -> None:
    made = original.post("/usage/record", spelt(USED), 201)

    assert (made["operation_id"], made["request_id"], made["user_id"]) == ("op", "req", "alice")
    assert (float(made["input_cost"]), float(made["output_cost"])) == (0.015, 0.015)
    filters = {"start_date": "2026-01-01T00:00:00", "end_date": "2999-01-01", "task_type": "chat"}
    page = original.get("/usage/records", **spelt({**filters, "context_id": "c1"}))
    assert [one["record_id"] for one in page["items"]] == [made["record_id"]]
    assert (page["total"], page["page"], page["limit"]) == (1, 1, 20)
    assert original.get(f"/usage/records/{made['record_id']}")["cost"] == made["cost"]
    assert "record" in original.get("/usage/records/nobody", 404)["detail"]


def test_a_parameter_under_two_spellings_is_refused(original: Client) -> None:
    refused = original.get("/usage/records", 422, start_date="2026-01-01", startDate="2026-01-02")
    unknown = original.get("/budgets", 422, isWhat="true")

    assert refused["fields"][0]["field"] == "start_date"
    assert unknown["fields"][0]["field"] == "isWhat"


def test_a_label_of_status_keeps_its_capitals(original: Client) -> None:
    answer = original.get("/status", costCentre="seven", userId="alice")

    assert answer["labels"] == {"costCentre": "seven", "user": "alice"}
