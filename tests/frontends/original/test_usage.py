"""Usage as the original's clients ask for it, those routes included that it never served."""

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
    assert found["groups"]["task_type"]["chat"]["total_tokens"] == 1200
    (provider,), (model,), (component,) = (
        found[name] for name in ("providers", "models", "components")
    )
    assert (provider["provider"], provider["name"]) == ("anthropic", "anthropic")
    assert (model["model"], model["name"], model["requests"]) == (OPUS["model"], OPUS["model"], 1)
    assert (component["name"], component["percentage"]) == ("ergon", 100)
