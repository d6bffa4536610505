"""Usage as the original's clients ask for it, those routes included that it never served."""

from typing import Any

import pytest
from tests.frontends.original.conftest import HAIKU, OPUS, Client
from tests.frontends.original.test_spellings import USED


def record(original: Client, **fields: object) -> None:
    original.post("/usage/record", {**USED, **fields}, 201)


def test_analytics_tell_every_side_in_numbers(original: Client) -> None:
    record(original)
    record(original, **HAIKU, component="athena")

    found = original.get("/usage/analytics", period="daily", provider="anthropic")

    assert (found["totals"]["requests"], found["totals"]["total_tokens"]) == (2, 2400)
    assert found["totals"]["cost"] == pytest.approx(0.0305)
    assert found["averages"]["cost_per_request"] == pytest.approx(0.01525)
    assert found["averages"]["tokens_per_request"] == 1200
    assert set(found["by_model"]) == {OPUS["model"], HAIKU["model"]}
    assert set(found["by_component"]) == {"ergon", "athena"}
    assert set(found["by_provider"]) == {"anthropic"}
    assert set(found["by_task_type"]) == {"chat"}
    assert [one["model"] for one in found["top_models"]] == [OPUS["model"], HAIKU["model"]]
    assert (found["granularity"], len(found["time_series"])) == ("hour", 24)
    assert sum(one["requests"] for one in found["time_series"]) == 2


def test_get_usage_of_the_command_line_is_answered_in_its_rows(original: Client) -> None:
    """`get-usage PERIOD --days 7` sends naive local times and reads these names."""
    record(original)

    query = {"period": "daily", "component": "ergon", "model": OPUS["model"]}
    found = original.get(
        "/usage/analytics",
        **query,
        start_date="2026-01-01T00:00:00.123456",
        end_date="2026-01-08T00:00:00.123456",
    )
    now = original.get("/usage/analytics", **query, days=7)

    assert (found["items"], found["days"]) == ([], 8)
    (row,) = now["items"]
    assert (row["provider"], row["model"], row["component"]) == (*OPUS.values(), "ergon")
    assert (row["request_count"], row["input_tokens"], row["output_tokens"]) == (1, 1000, 200)
    assert row["total_cost"] == pytest.approx(0.03)
    assert original.get("/usage/analytics", 422, period="daily", days=9999)["fields"]


def test_analytics_without_usage_have_nulls_and_no_division(original: Client) -> None:
    found = original.get("/usage/analytics", startDate="2026-01-01", endDate="2026-01-01")

    assert found["averages"]["cost_per_request"] is None
    assert found["averages"]["cost_per_day"] == 0
    assert found["items"] == []


@pytest.mark.parametrize("ask", ["get", "post"])
def test_a_summary_has_the_names_of_documents_page_and_chat(original: Client, ask: str) -> None:
    record(original)
    query = {"period": "monthly", "component": "ergon"}
    if ask == "get":
        found = original.get("/usage/summary", **query)
    else:
        found = original.post("/usage/summary", {**query, "taskType": "chat", "budget_id": None})

    assert (found["count"], found["request_count"]) == (1, 1)
    assert (found["total_input_tokens"], found["input_tokens"]) == (1000, 1000)
    assert (found["total_output_tokens"], found["output_tokens"]) == (200, 200)
    assert (found["total_input_cost"], found["total_output_cost"]) == (0.015, 0.015)
    assert found["groups"]["task_type"]["chat"]["total_tokens"] == 1200
    (provider,), (model,), (component,) = (
        found[name] for name in ("providers", "models", "components")
    )
    assert (provider["provider"], provider["name"]) == ("anthropic", "anthropic")
    assert (model["model"], model["name"], model["requests"]) == (OPUS["model"], OPUS["model"], 1)
    assert (component["name"], component["percentage"]) == ("ergon", 100)


def test_input_and_output_cost_are_null_where_a_record_does_not_tell(original: Client) -> None:
    record(original)
    record(original, cost=1)

    found = original.get("/usage/summary")

    assert (found["total_input_cost"], found["total_output_cost"]) == (None, None)
    assert found["total_cost"] == pytest.approx(1.03)


# A context's allocation ---------------------------------------------------------------------------


def ask(original: Client, context_id: str, **fields: object) -> str:
    body = {**OPUS, "context_id": context_id, "component": "ergon", "task_type": "chat"}
    made = original.post("/allocations", {**body, "tokens_allocated": 2000, **fields}, 201)
    return str(made["allocation_id"])


def recorded(original: Client, status: int = 201, **fields: object) -> dict[str, Any]:
    return original.post("/usage/record", {**USED, **fields}, status)


def test_usage_of_a_context_is_of_its_newest_active_allocation(on_each_store: Client) -> None:
    original = on_each_store
    original.post("/policies", {"period": "daily", "cost_limit": 5}, 201)
    first, second = ask(original, "c1"), ask(original, "c1")
    other = ask(original, "c2")

    assert recorded(original)["allocation_id"] == second
    original.post(f"/allocations/{second}/release")
    assert recorded(original)["allocation_id"] == first
    assert recorded(original, context_id="c2")["allocation_id"] == other
    original.post(f"/allocations/{first}/release")
    assert recorded(original)["allocation_id"] is None
    used = [original.get(f"/allocations/{id_}")["tokens_used"] for id_ in (first, second, other)]
    assert used == [1200, 1200, 1200]


def test_usage_of_a_context_twice_is_posted_once_also_after_its_end(original: Client) -> None:
    id_ = ask(original, "c1")
    first = recorded(original, record_id="r1")
    original.post(f"/allocations/{id_}/release")
    ask(original, "c1")

    again = recorded(original, record_id="r1")

    assert (again["record_id"], again["allocation_id"]) == ("r1", id_)
    assert original.get("/usage/summary")["count"] == 1
    assert first["allocation_id"] == id_
    assert recorded(original, 409, record_id="r1", input_tokens=7)["code"]


def test_usage_under_other_labels_than_the_ask_s_is_a_fact_of_its_own(original: Client) -> None:
    ask(original, "c1", component="athena")

    assert recorded(original)["allocation_id"] is None
    assert recorded(original, component="athena", **HAIKU)["allocation_id"] is not None


def test_a_context_among_the_labels_alone_names_no_allocation(original: Client) -> None:
    ask(original, "c1")
    body = {name: value for name, value in USED.items() if name != "context_id"}

    made = original.post("/usage/record", {**body, "labels": {"context_id": "c1"}}, 201)

    assert made["allocation_id"] is None


def test_another_key_s_allocation_is_not_taken(original: Client) -> None:
    one, other = (original.server.key(name) for name in ("one", "other"))
    body = {**OPUS, "context_id": "c1", "tokens": 2000}
    one.post("/api/v1/allocations", json=body).raise_for_status()

    mine, theirs = (key.post("/api/v1/usage/record", json=USED).json() for key in (one, other))

    assert mine["allocation_id"] is not None
    assert theirs["allocation_id"] is None
