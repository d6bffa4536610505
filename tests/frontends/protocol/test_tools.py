"""The tools: what there is, by which spellings they are called, and that one table says it all."""

from typing import Any

import pytest
from tests.frontends.protocol.conftest import PREFIXES, Component, component_of

from tekton_budget.frontends.tekton.protocol.acts import DO, NOTHING
from tekton_budget.frontends.tekton.protocol.table import BY_MESSAGE, CAPABILITIES, TABLE, Act

SEVEN = [
    "AllocateBudget",
    "CheckBudget",
    "RecordUsage",
    "GetBudgetStatus",
    "GetModelRecommendations",
    "RouteWithBudgetAwareness",
    "GetUsageAnalytics",
]
GOOD: dict[str, dict[str, Any]] = {
    "AllocateBudget": {"context_id": "c", "amount": 5, "component": "telos"},
    "CheckBudget": {"provider": "p", "model": "m", "input_text": "x", "component": "telos"},
    "RecordUsage": {"provider": "p", "model": "m", "input_tokens": 1, "output_tokens": 1},
    "GetBudgetStatus": {"period": "daily", "component": "telos"},
    "GetModelRecommendations": {"task_type": "chat", "context_size": 1000},
    "RouteWithBudgetAwareness": {"input_text": "x", "default_provider": "p", "default_model": "m"},
    "GetUsageAnalytics": {"period": "weekly"},
    "health_check": {},
    "component_info": {},
}


def test_there_is_one_table_and_everything_in_it_is_done() -> None:
    assert [entry.act.value for entry in TABLE] == [*SEVEN, "health_check", "component_info"]
    assert len(BY_MESSAGE) == 7
    assert set(DO) == set(NOTHING) == set(Act) - {Act.HEALTH, Act.INFO}
    groups = {one.name for one in CAPABILITIES} | {"component"}
    for entry in TABLE:
        assert entry.capability in groups
        assert set(entry.required) <= set(entry.parameters)
        assert entry.schema["type"] == "object"


@pytest.mark.parametrize("prefix", PREFIXES)
def test_health_capabilities_and_tools_are_told(quick: Component, prefix: str) -> None:
    quick.prefix = prefix

    assert quick.get("/health") == {"status": "healthy", "message": "MCP service is running"}
    capabilities = quick.get("/capabilities")
    assert [(one["name"], one["modality"]) for one in capabilities["capabilities"]] == [
        ("budget_management", "resource"),
        ("model_recommendations", "optimization"),
        ("budget_analytics", "analytics"),
    ]
    tools = quick.get("/tools")
    assert (capabilities["count"], tools["count"]) == (3, 9)
    assert [one["name"] for one in tools["tools"]][:7] == SEVEN
    assert quick.get("/tools/AllocateBudget") == tools["tools"][0]
    assert quick.get("/tools/Fly", 404)["code"] == "tool_not_found"


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("tool", GOOD)
def test_every_tool_is_called_below_every_prefix(quick: Component, prefix: str, tool: str) -> None:
    quick.prefix = prefix
    quick.price("m", 1, 2)
    answer = quick.calls(tool, **GOOD[tool])

    assert list(answer) == ["status", "result", "error"]
    assert (answer["status"], answer["error"]) == ("success", None)
    assert isinstance(answer["result"], dict)


@pytest.mark.parametrize(
    "body",
    [
        {"toolName": "AllocateBudget", "arguments": {"contextId": "c", "amount": 5}},
        {"tool_name": "AllocateBudget", "arguments": {"context_id": "c", "amount": 5}},
        {"tool": "AllocateBudget", "parameters": {"context_id": "c", "amount": 5}},
        {"client_id": "hermes", "tool": "budget_AllocateBudget", "parameters": {"amount": 5}},
        {"name": "AllocateBudget", "params": {"amount": 5}, "sessionId": "s"},
    ],
)
def test_a_tool_is_called_by_any_spelling_of_tektons(quick: Component, body: Any) -> None:
    assert quick.post("/process", body)["result"]["amount"] == 5


def test_over_budget_is_a_result_with_the_denials_own_words(ergon: Component) -> None:
    ergon.limit("10tokens/day", name="all")
    answer = ergon.calls("AllocateBudget", amount=11)

    assert (answer["status"], answer["error"]) == ("success", None)
    assert answer["result"]["success"] is False
    assert answer["result"]["error"].startswith("Over budget: ")
    assert answer["result"]["denial"]["never_fits"] is True

    ran = ergon.post("/tools/AllocateBudget/execute", {"parameters": {"amount": 11}})
    assert (ran["success"], ran["error"]) == (False, ran["result"]["error"])


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("Fly", {}, "Unsupported tool: Fly. Tools: AllocateBudget, "),
        ("AllocateBudget", {}, "amount: is needed"),
        ("AllocateBudget", {"amount": 5, "amout": 7}, "amout: is not a parameter here; those are"),
        ("health_check", {"x": 1}, "x: is not a parameter here; those are none"),
        ("CheckBudget", {"provider": "p"}, "model: is needed"),
        ("GetBudgetStatus", {"period": "never"}, "period: "),
    ],
)
def test_a_call_that_is_not_right_is_an_error_with_200(
    quick: Component, tool: str, arguments: Any, said: str
) -> None:
    answer = quick.calls(tool, **arguments)

    assert (answer["status"], answer["result"]) == ("error", None)
    assert said in answer["error"]
    assert quick.allocations() == []


def test_what_names_no_tool_is_refused_as_it_was_recorded(quick: Component) -> None:
    assert quick.post("/process", {"client_id": "t", "arguments": {}}, 422)["fields"]


def test_a_tool_is_executed_where_hermes_says_it_is(quick: Component) -> None:
    body = {"parameters": {"amount": 7, "component": "telos"}, "context": {"any": 1}}
    ran = quick.post("/tools/AllocateBudget/execute", body)
    refused = quick.post("/tools/AllocateBudget/execute", {"parameters": {}})

    assert (ran["success"], ran["tool_name"], ran["error"]) == (True, "AllocateBudget", None)
    assert ran["tool_id"] == "tool-budget_AllocateBudget"
    assert ran["result"]["amount"] == 7
    assert quick.allocations()[0]["component"] == "telos"
    assert (refused["success"], refused["result"]) == (False, None)
    assert refused["error"].startswith("amount: is needed")
    assert quick.post("/tools/Fly/execute", {"parameters": {}}, 404)["code"] == "tool_not_found"


def test_a_component_says_how_it_does_and_what_it_is(quick: Component) -> None:
    health = quick.calls("health_check")["result"]
    info = quick.calls("component_info")["result"]

    assert (health["status"], health["details"]["database"]) == ("healthy", "ok")
    assert (info["name"], info["tools"][:7]) == ("budget", SEVEN)
    assert len(info["message_types"]) == 7

    quick.running.writer.stop()
    assert quick.calls("health_check")["result"]["status"] == "unhealthy"
    assert quick.get("/health") == {"status": "unhealthy", "message": "MCP service is unhealthy"}


def test_the_component_of_a_tool_decides_the_form_of_a_status(quick: Component) -> None:
    quick.limit("10tokens/day", name="all")

    assert "tiers" in quick.calls("GetBudgetStatus", component="apollo")["result"]
    assert "tiers" in quick.calls("GetBudgetStatus", component="rhetor")["result"]
    assert "summaries" in quick.calls("GetBudgetStatus", component="telos")["result"]


def test_switched_off_there_is_no_such_path(sqlite_url: str) -> None:
    with component_of(sqlite_url, mcp_enabled=False) as one:
        for prefix in PREFIXES:
            assert one.http.get(f"{prefix}/tools").status_code == 404
