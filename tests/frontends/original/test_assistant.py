"""The assistant in the original's shapes: text in its fields, and what it was made of."""

from typing import Any

import pytest
from tests.frontends.original.conftest import HAIKU, OPUS, Client
from tests.frontends.original.test_spellings import USED

from tekton_budget.domain.caller import Role

QUESTION: dict[str, Any] = {
    "task_description": "Summarise meetings",
    "input_length": 2000,
    "output_length": 2000,
    "usage_frequency": 5,
    "budget_limit": 5.0,
    "priority_areas": "accuracy, value",
}


def test_an_analysis_is_text_and_raw_data_if_asked(original: Client) -> None:
    original.post("/usage/record", USED, 201)

    plain = original.post("/assistant/analyze", {"period": "monthly", "days": 30})
    empty = original.post("/assistant/analyze")
    raw = original.post("/assistant/analyze", {"days": 1, "includeRawData": True})["raw_data"]

    assert set(plain) == {"success", "analysis", "error", "raw_data"}
    assert (plain["success"], plain["error"], plain["raw_data"]) == (True, None, None)
    assert "claude-3-opus (anthropic) $0.03" in plain["analysis"]
    assert empty["success"] is True
    assert raw["period"] == "daily"
    assert set(raw["date_range"]) == {"start", "end"}
    assert raw["aggregated_by_model"]["claude-3-opus"]["cost"] == pytest.approx(0.03)
    assert raw["aggregated_by_component"]["ergon"]["total_tokens"] == 1200
    assert raw["analytics"]["totals"]["requests"] == 1


def test_an_optimization_is_checked_against_usage_and_prices(original: Client) -> None:
    original.post("/usage/record", USED, 201)

    found = original.post("/assistant/optimize", {"days": 30, "include_raw_data": True})

    assert set(found) == {"success", "recommendations", "error", "raw_data"}
    assert f"$0.0005 with {HAIKU['model']}" in found["recommendations"]
    (swap,) = found["raw_data"]["pricing"]
    assert (swap["model"], swap["average_call"]) == (
        OPUS["model"],
        {"input_tokens": 1000, "output_tokens": 200},
    )
    assert swap["average_call_cost"] == pytest.approx(0.03)
    assert swap["cheaper"][0]["model"] == HAIKU["model"]
    assert swap["saved"] == pytest.approx(0.0295)
    assert found["raw_data"]["usage"]["analytics"]["totals"]["requests"] == 1


def test_a_model_is_recommended_for_a_task(original: Client) -> None:
    found = original.post("/assistant/recommend-model", QUESTION)
    raw = original.post(
        "/assistant/recommend-model",
        {
            "taskDescription": "t",
            "inputLength": 2000,
            "outputLength": 2000,
            "usageFrequency": 5,
            "budgetLimit": "5",
            "priorityAreas": ["value"],
            "includeRawData": True,
        },
    )
    none = original.post("/assistant/recommend-model", {**QUESTION, "budget_limit": 0.000001})

    assert set(found) == {"success", "recommendations", "error", "raw_data"}
    assert found["success"] is True
    assert "Best: claude-3-opus (anthropic), $0.18 a call" in found["recommendations"]
    assert f"Best: {HAIKU['model']}" in raw["recommendations"]
    model = raw["raw_data"]["models"][0]
    assert (model["name"], model["provider"]) == (HAIKU["model"], "anthropic")
    assert (model["input_price"], model["output_price"]) == (2.5e-07, 1.25e-06)
    assert {"context_length", "capabilities"} <= set(model)
    assert (none["success"], none["recommendations"]) == (False, None)
    assert "No model fits: the cheapest" in none["error"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("analyze", {"days": 0}, "days"),
        ("analyze", {"days": 366}, "days"),
        ("analyze", {"period": "fortnightly"}, "period"),
        ("optimize", {"day": 3}, "day"),
        ("recommend-model", {**QUESTION, "budget_limit": 0}, "budget_limit"),
        ("recommend-model", {**QUESTION, "input_length": 0}, "input_length"),
        ("recommend-model", {**QUESTION, "usage_frequency": 1.5}, "usage_frequency"),
        ("recommend-model", {"task_description": "t"}, "input_length"),
        ("", {"message": ""}, "message"),
        ("", {"message": "x" * 4001}, "message"),
        ("", {}, "message"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    original: Client, path: str, body: dict[str, Any], field: str
) -> None:
    refused = original.post(f"/assistant/{path}".rstrip("/"), body, 422)

    assert field in {one["field"] for one in refused["fields"]}


def test_the_page_s_chat_is_answered(original: Client) -> None:
    original.post("/usage/record", USED, 201)
    asked = {"message": "How much did ergon spend today?", "context": "budget_management"}

    found = original.post("/assistant", {**asked, "conversation_id": "budget-17"})
    camel = original.post("/assistant", {**asked, "conversationId": "budget-17"})

    assert "Of it, component ergon: $0.03 in 1 request" in found["response"]
    assert (found["conversation_id"], found["context"]) == ("budget-17", "budget_management")
    assert camel == found


def test_whoever_may_look_may_ask(original: Client) -> None:
    reader = original.server.key("reader", Role.VIEWER)

    for path, body in (
        ("/assistant", {"message": "what did we spend?"}),
        ("/assistant/analyze", {}),
        ("/assistant/optimize", {}),
        ("/assistant/recommend-model", QUESTION),
    ):
        answer = reader.post(original.prefix + path, json=body)
        assert answer.status_code == 200, answer.text
