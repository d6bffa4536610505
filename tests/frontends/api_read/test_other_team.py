"""A key of one team against every route of another: nothing of it is told, found or changed.

Every route of the document needs a rule here, so that a new one cannot be forgotten.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from tests.frontends.api_read.conftest import Served, served

from tekton_budget.domain.caller import Role
from tekton_budget.frontends.api import app as application

# What may never be read by team a: names and labels of team b, and numbers it had a part in.
SECRETS = ("bravo", "7654321", "345678", "$98.73", "7000123")
SPENT_BY_B = (
    "0.7654321"  # of the 100 USD that all teams share: 99.2345678 are left, as it holds 0.0000001
)
PREFIXES = ("/api/v1", "/api")
ROLES = (Role.ADMIN, Role.OPERATOR, Role.CLIENT, Role.VIEWER)


@dataclass(frozen=True)
class Try:
    """A request that reaches for what is not the team's own, and what it has to come to."""

    status: int
    path: dict[str, str] = field(default_factory=dict)
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    also: tuple[int, ...] = ()  # other answers that tell and change nothing either


Rules = dict[tuple[str, str], list[Try]]


@dataclass(frozen=True)
class World:
    """Two teams on one server, which also have a limit together."""

    server: Served
    ids: dict[str, str]
    keys: dict[Role, httpx.Client]
    rules: Rules


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    url = f"sqlite:///{tmp_path_factory.mktemp('teams') / 'budget.db'}"
    with served(url, shutdown_enabled=True) as server:
        server.app.state.stop = lambda: pytest.fail("another team stopped the server")
        ids = _team_b(server)
        keys = {role: server.key(f"alpha-{role}", role, team="a") for role in ROLES}
        yield World(server, ids, keys, rules_of(ids))


def _team_b(server: Served) -> dict[str, str]:
    """Everything that a team can have."""
    admin = server.key("root", Role.ADMIN)
    server.http.headers["X-API-Key"] = admin.headers["X-API-Key"]
    bravo = server.key("bravo-key", Role.CLIENT, team="b")
    shared = server.limit("100usd/day", name="everybody")
    each = server.limit("100usd/day", name="each team", per=["team"])
    budget = admin.post(
        "/api/v1/budgets",
        json={
            "name": "bravo budget",
            "scope": {"team": "b"},
            "policies": [
                {"limit": "7000123tokens/day", "name": "bravo daily", "per": ["user"]},
                {"limit": "1tokens/day", "name": "bravo warns", "type": "warn"},
            ],
        },
    ).json()
    own = budget["policies"][0]
    price = {"provider": "p", "model": "m", "input": 1, "output": 2}
    server.http.post("/api/v1/prices", json=price).raise_for_status()
    labels = {"user": "bravo-user", "component": "bravo-component", "context_id": "context-of-b"}
    ask = {"allocation_id": "allocation-of-b", "cost": "0.0000001", "tokens": 1, **labels}
    bravo.post("/api/v1/allocations", json=ask).raise_for_status()
    used = {"record_id": "record-of-b", "cost": SPENT_BY_B, "input_tokens": 7, **labels}
    del used["context_id"]  # by which it would use up what the allocation holds
    bravo.post("/api/v1/usage/record", json=used).raise_for_status()
    denied = bravo.post("/api/v1/allocations", json={"cost": 500, "tokens": 1, **labels})
    assert denied.status_code == 402, denied.text
    for_a = {"allocation_id": "for-a", "team": "a"}  # by an admin, who is told everything
    server.http.post("/api/v1/allocations", json={**for_a, "cost": 0.5}).raise_for_status()
    told_all = server.http.post("/api/v1/allocations", json={"cost": 500, "team": "a"})
    assert "$98.73" in told_all.json()["detail"]
    run = {"name": "run-of-b", "cost_limit": 1, "command": ["bravo"], "lease_seconds": 600}
    begun = bravo.post("/api/v1/runs", json=run)
    begun.raise_for_status()
    credit = {"tokens": 1, "group": "bravo-user", "reason": "bravo"}
    server.http.post(f"/api/v1/policies/{own}/credit", json=credit).raise_for_status()
    key = next(k for k in server.http.get("/api/v1/keys").json()["items"] if "bravo" in k["name"])
    return {
        "budget": budget["budget_id"],
        "policy": own,
        "shared": shared,
        "each": each,
        "allocation_id": "allocation-of-b",
        "record_id": "record-of-b",
        "context_id": "context-of-b",
        "key": key["key_id"],
        "run": begun.json()["run_id"],
        "alert": server.http.get("/api/v1/alerts").json()["items"][0]["alert_id"],
    }


SELLER = {"provider": "p", "model": "m"}
USED = {"provider": "q", "model": "q", "input_tokens": 1, "output_tokens": 1}  # of no price


def _message(type_: str, **payload: Any) -> dict[str, Any]:
    return {"sender": "ergon", "message_type": f"budget.{type_}", "payload": payload}


def rules_of(ids: dict[str, str]) -> Rules:
    """What comes of each route when team a reaches for what is team b's, or everybody's."""
    theirs, everybody = {"policy": ids["policy"]}, {"policy": ids["shared"]}
    by_name = {"policy": "bravo daily"}
    budget, default = {"budget": ids["budget"]}, {"budget": "default"}
    allocation = {"allocation_id": ids["allocation_id"]}
    key, alert = {"key": ids["key"]}, {"alert_id": ids["alert"]}
    runs = [{"run": ids["run"]}, {"run": "run-of-b"}]
    as_b = {"team": "b", "user": "someone"}
    dear = {"cost": 5000}

    def on_policies(body: Any = None) -> list[Try]:
        return [Try(404, path, body) for path in (theirs, everybody, by_name)]

    def on_budgets(body: Any = None) -> list[Try]:
        return [Try(404, path, body) for path in (budget, default)]

    return {
        ("GET", "/status"): [Try(200), Try(200, query=as_b)],
        ("GET", "/budgets/summary"): [Try(200)],
        ("GET", "/budgets/{budget}/summary"): on_budgets(),
        ("GET", "/budgets/{budget}/balances"): on_budgets(),
        ("GET", "/budgets"): [Try(200)],
        ("POST", "/budgets"): [Try(403, body={"name": "mine", "scope": {"team": "b"}})],
        ("GET", "/budgets/{budget}"): on_budgets(),
        ("PUT", "/budgets/{budget}"): on_budgets({"name": "taken"}),
        ("PUT", "/budgets/{budget}/policies"): [
            *on_budgets({"policies": [ids["policy"]]}),
            *on_budgets({"policies": ["bravo daily"]}),
        ],
        ("PATCH", "/budgets/{budget}"): on_budgets({"owner": "taken"}),
        ("DELETE", "/budgets/{budget}"): on_budgets(),
        ("GET", "/budgets/{budget}/policies"): on_budgets(),
        ("GET", "/budgets/{budget}/allocations"): on_budgets(),
        ("GET", "/policies"): [Try(200), Try(404, query={"budget_id": ids["budget"]}, also=(200,))],
        ("POST", "/policies"): [
            Try(403, body={"limit": "0usd/day", "scope": {"team": "b"}}),
            Try(404, body={"limit": "0usd/day", "budget_id": ids["budget"]}),
        ],
        ("PUT", "/policies"): [
            Try(403, body={"limit": "0usd/day", "scope": {"team": "b"}}),
            Try(404, body={"limit": "0usd/day", "budget_id": ids["budget"]}),
        ],
        ("GET", "/policies/{policy}"): on_policies(),
        ("PUT", "/policies/{policy}"): on_policies({"cost_limit": 0}),
        ("PATCH", "/policies/{policy}"): on_policies({"enabled": False}),
        ("DELETE", "/policies/{policy}"): on_policies(),
        ("POST", "/policies/{policy}/credit"): on_policies({"cost": 1, "group": "bravo-user"}),
        ("GET", "/policies/{policy}/groups"): [
            *on_policies(),
            Try(200, {"policy": ids["each"]}),
            Try(404, {"policy": ids["each"]}, query={"group": "b"}),
        ],
        ("PUT", "/policies/{policy}/groups"): on_policies({"bravo-user": "unlimited"}),
        ("POST", "/credit"): [
            Try(404, body={"cost": 1, "policy": ids["policy"], "group": "bravo-user"}),
            Try(404, body={"cost": 1, "labels": as_b}, also=(403, 422)),
        ],
        ("GET", "/allocations"): [Try(200), Try(200, query={"user": "bravo-user"})],
        ("POST", "/allocations"): [
            Try(402, body={**dear, **as_b}),
            Try(404, body={"cost": 1, "budget_id": ids["budget"]}),
            Try(404, body={"cost": 1, "budget_id": "bravo budget"}),
        ],
        ("POST", "/allocations/{allocation_id}/settle"): [Try(404, allocation, {"cost": 1})],
        ("POST", "/allocations/{allocation_id}/release"): [Try(404, allocation)],
        ("POST", "/allocations/{allocation_id}/extend"): [
            Try(404, allocation, {"lifetime_seconds": 9})
        ],
        ("POST", "/allocations/{allocation_id}/children"): [Try(404, allocation, {"cost": 0})],
        ("GET", "/activity"): [Try(200)],
        ("GET", "/runs"): [Try(200)],
        ("POST", "/runs"): [Try(403, body={"name": "run-of-b", "add_cost": 1})],
        ("GET", "/runs/{run}"): [Try(404, path) for path in runs],
        ("POST", "/runs/{run}/beat"): [Try(404, path) for path in runs],
        ("POST", "/runs/{run}/end"): [Try(404, path) for path in runs],
        ("GET", "/allocations/context/{context_id}"): [
            Try(200, {"context_id": ids["context_id"]}, also=(404,))
        ],
        ("GET", "/allocations/{allocation_id}"): [
            Try(404, allocation),
            Try(200, {"allocation_id": "for-a"}),
        ],
        ("POST", "/batch"): [
            Try(
                200,
                body={
                    "commands": [
                        {"do": "settle", "allocation_id": ids["allocation_id"], "cost": 1},
                        {"do": "release", "allocation_id": ids["allocation_id"]},
                        {"do": "record", "allocation_id": ids["allocation_id"], "cost": 1},
                        {"do": "allocate", **dear, **as_b},
                    ]
                },
            ),
            Try(
                404,
                body={
                    "atomic": True,
                    "commands": [{"do": "release", "allocation_id": ids["allocation_id"]}],
                },
            ),
        ],
        ("GET", "/prices"): [Try(200)],
        ("POST", "/prices"): [
            Try(403, body={"provider": "p", "model": "m", "input": 0, "output": 0})
        ],
        ("POST", "/prices/current"): [Try(200, body={"provider": "p", "model": "m"})],
        ("POST", "/prices/recommendations"): [Try(200, body={"provider": "p", "model": "m"})],
        ("POST", "/route"): [
            Try(200, body={"provider": "p", "model": "m", "input_tokens": 1}),
            Try(200, body={"provider": "p", "model": "m", "input_tokens": 1, "labels": as_b}),
            Try(402, body={"provider": "p", "model": "m", "input_tokens": 10**12, "labels": as_b}),
        ],
        ("POST", "/prices/recommend"): [Try(200, body={"provider": "p", "model": "m"})],
        ("GET", "/prices/history/{provider}/{model}"): [Try(200, {"provider": "p", "model": "m"})],
        ("GET", "/prices/models"): [Try(200)],
        ("GET", "/prices/lists"): [Try(200)],
        ("GET", "/prices/contracts"): [Try(200)],
        ("GET", "/prices/names"): [Try(200)],
        ("GET", "/prices/tiers"): [Try(200)],
        ("POST", "/prices/resolve"): [Try(200, body={"model": "p/m"})],
        ("POST", "/prices/calculate"): [Try(200, body={"model": "p/m", "usage": {"input": 5}})],
        ("POST", "/prices/names/check"): [
            Try(200, body={"file": {"format": "name-cases/1", "cases": []}})
        ],
        ("POST", "/prices/load"): [
            Try(403, body={"cards": [{"provider": "p", "model": "m", "rates": {"input": "0"}}]})
        ],
        ("POST", "/prices/update"): [Try(403)],
        ("POST", "/prices/contracts"): [Try(403, body={"provider": "p", "factor": 0.5})],
        ("POST", "/prices/names"): [
            Try(403, body={"name": "x", "to_provider": "p", "to_model": "m"})
        ],
        ("POST", "/prices/tiers"): [Try(403, body={"model": "m", "tier": None})],
        ("GET", "/keys"): [Try(403)],
        ("POST", "/keys"): [Try(403, body={"name": "mine", "labels": {"team": "b"}})],
        ("POST", "/keys/{key}/rotate"): [Try(403, key, {})],
        ("DELETE", "/keys/{key}"): [Try(403, key)],
        ("POST", "/keys/{key}/revoke"): [Try(403, key)],
        ("POST", "/usage/record"): [
            Try(404, body={"allocation_id": ids["allocation_id"], "cost": 1}),
            Try(404, body={"allocation_id": ids["allocation_id"], "cost": 1, "final": True}),
            Try(404, body={"cost": 1, "budget_id": ids["budget"]}),
        ],
        ("GET", "/usage/records"): [
            Try(200),
            Try(200, query={"team": "b"}),
            Try(200, query={"allocation_id": ids["allocation_id"]}),
            Try(200, query={"format": "csv"}),
            Try(200, query={"format": "ndjson", "user": "bravo-user"}),
        ],
        ("GET", "/usage/records/{record_id}"): [Try(404, {"record_id": ids["record_id"]})],
        ("GET", "/usage/summary"): [
            Try(200),
            Try(200, query={"team": "b"}),
            Try(200, query={"group_by": "team,user"}),
            Try(404, query={"budget_id": ids["budget"]}),
        ],
        ("POST", "/usage/summary"): [
            Try(200, body={"period": "daily", "days": 2}),
            Try(200, body={"labels": as_b}),
        ],
        ("POST", "/assistant"): [
            Try(200, body={"message": "how much did bravo-component spend this month?"}),
            Try(200, body={"message": "what is left of the limits?"}),
        ],
        ("POST", "/assistant/analyze"): [Try(200, body={"include_raw_data": True})],
        ("POST", "/assistant/optimize"): [Try(200, body={"include_raw_data": True})],
        ("POST", "/assistant/recommend-model"): [
            Try(
                200,
                body={
                    "task_description": "t",
                    "input_length": 1,
                    "output_length": 1,
                    "usage_frequency": 1,
                    "budget_limit": 1,
                    "priority_areas": "value",
                },
            )
        ],
        ("GET", "/usage/analytics"): [
            Try(200),
            Try(200, query={"team": "b", "period": "daily"}),
            Try(404, query={"budget_id": ids["budget"]}),
        ],
        ("GET", "/usage/report"): [
            Try(200, query={"by": "team,user,component"}),
            Try(200, query={"by": "user", "team": "b", "format": "csv"}),
        ],
        ("GET", "/decisions"): [
            Try(200, query={"by": "policy,user,group"}),
            Try(404, query={"policy": ids["policy"]}),
            Try(404, query={"policy": ids["shared"]}),
        ],
        ("POST", "/plan"): [
            Try(200, body={"models": ["p/m"]}),
            Try(200, body={"models": ["p/m"], "labels": as_b}),
            Try(
                200, body={"steps": 3, "user": "bravo-user", "input_tokens": 1, "output_tokens": 1}
            ),
        ],
        ("GET", "/alerts"): [Try(200), Try(404, query={"budget_id": ids["budget"]})],
        ("POST", "/alerts/check"): [Try(200), Try(404, query={"budget_id": ids["budget"]})],
        ("POST", "/alerts/acknowledge"): [
            Try(200),
            Try(404, query={"budget_id": ids["budget"]}),
        ],
        ("GET", "/alerts/{alert_id}"): [Try(404, alert)],
        ("POST", "/alerts/{alert_id}/acknowledge"): [Try(404, alert)],
        ("PUT", "/alerts/{alert_id}/dismiss"): [Try(404, alert)],
        ("GET", "/events"): [Try(200), Try(200, query={"type": "usage.recorded"})],
        ("GET", "/audit"): [Try(200), Try(200, query={"object_id": ids["policy"]})],
        ("POST", "/verify"): [Try(403)],
        ("POST", "/import/apollo"): [Try(403, body={"files": {"budget_policies.json": "[]"}})],
        ("GET", "/export/apollo"): [Try(403)],
        ("POST", "/import/rhetor"): [Try(403, body={"database": {"base64": ""}})],
        ("GET", "/export/rhetor"): [Try(403)],
        ("POST", "/command"): [
            Try(200, body={"command": command})
            for command in (
                "status",
                "/limits",
                "/query team=b",
                "get-usage daily",
                "/optimize",
                "allocate list --all",
                f"allocate release {ids['allocation_id']}",
                f"set-limit daily 5 --budget-id {ids['budget']}",
            )
        ],
        ("GET", "/command/help"): [Try(200), Try(200, query={"command": "set_limit"})],
        ("GET", "/"): [Try(200)],
        ("GET", "/health"): [Try(200)],
        ("GET", "/ready"): [Try(200)],
        ("GET", "/metrics"): [Try(403)],
        ("GET", "/discovery"): [Try(200)],
        ("GET", "/shutdown/status"): [Try(200)],
        ("GET", "/mcp/health"): [Try(200)],
        ("GET", "/mcp/capabilities"): [Try(200)],
        ("GET", "/mcp/tools"): [Try(200)],
        ("GET", "/mcp/tools/{name}"): [Try(200, {"name": "AllocateBudget"})],
        ("POST", "/mcp/message"): [
            Try(200, body=_message("allocate_tokens", amount=10**12)),
            Try(200, body=_message("record_usage", **USED, **allocation)),
            Try(200, body=_message("record_usage", **USED, context_id="context-of-b")),
            Try(200, body=_message("check_budget", **SELLER, input_tokens=10**12)),
            Try(200, body=_message("get_budget_status", period="daily")),
            Try(200, body=_message("get_usage_analytics", component="bravo-component")),
            Try(200, body=_message("get_model_recommendations", **SELLER)),
        ],
        ("POST", "/mcp/process"): [
            Try(200, body={"toolName": "GetBudgetStatus", "arguments": {"period": "daily"}}),
            Try(200, body={"toolName": "RecordUsage", "arguments": {**USED, **allocation}}),
            Try(200, body={"toolName": "health_check"}),
        ],
        ("POST", "/mcp/tools/{name}/execute"): [
            Try(200, {"name": "GetUsageAnalytics"}, {"parameters": {"period": "monthly"}}),
            Try(200, {"name": "RouteWithBudgetAwareness"}, {"parameters": {"default_model": "m"}}),
            Try(404, {"name": "Other"}, {"parameters": {}}),
        ],
        ("POST", "/workflow"): [
            Try(400, body={"purpose": "check_work"}),
            Try(200, body={"purpose": "check_work", "dest": "budget", "payload": {}}),
        ],
        ("POST", "/shutdown"): [Try(403)],
    }


def documented(server: Served) -> set[tuple[str, str]]:
    """Every method and path of the document, without the prefix."""
    found = set()
    for path, methods in server.app.openapi()["paths"].items():
        found |= {(method.upper(), short(path)) for method in methods}
    return found


def short(path: str) -> str:
    """A path without its prefix."""
    prefix = next((one for one in PREFIXES if path.startswith(f"{one}/")), "")
    return path[len(prefix) :]


def test_every_route_has_a_rule_and_every_rule_a_route(world: World) -> None:
    assert documented(world.server) == set(world.rules)


def test_no_route_is_left_out_of_the_document() -> None:
    routers = (*application.ROUTERS, *application.ROOT_ROUTERS)
    hidden = [route for one in routers for route in one.routes if not route.include_in_schema]

    assert hidden == []


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "method_path",
    [
        f"{m} {p}"
        for m, p in rules_of(
            dict.fromkeys(
                (
                    "budget",
                    "policy",
                    "shared",
                    "each",
                    "allocation_id",
                    "record_id",
                    "context_id",
                    "key",
                    "run",
                    "alert",
                ),
                "x",
            )
        )
    ],
)
def test_nothing_of_another_team_is_told_or_changed(
    world: World, role: Role, method_path: str
) -> None:
    method, path = method_path.split(" ")
    before = everything_of_b(world)

    for one in world.rules[method, path]:
        for prefix in prefixes_of(path):
            answer = world.keys[role].request(
                method,
                prefix + path.format(**one.path),
                json=one.body,
                params=one.query,
            )
            allowed = {one.status, *one.also}
            if role is not Role.ADMIN:
                allowed.add(403)  # the role may not even ask
            assert answer.status_code in allowed, f"{one}: {answer.status_code} {answer.text}"
            assert told(answer, one) == [], f"{one}: {answer.text}"
    assert everything_of_b(world) == before


def prefixes_of(path: str) -> tuple[str, ...]:
    """Where a path is served."""
    if path in ("/", "/ready", "/metrics", "/shutdown/status", "/workflow"):
        return ("",)
    if path in ("/health", "/status"):
        return ("", *PREFIXES)
    if path == "/shutdown":
        return ("", "/api")
    return PREFIXES[:1] if path == "/discovery" else PREFIXES


def told(answer: httpx.Response, one: Try) -> list[str]:
    """The secrets in an answer, other than those that were asked for by name."""
    text = answer.text
    sent = [*one.path.values(), *one.query.values()]
    for known in (*sent, *re.findall(r'"(bravo[^"]*)"', json.dumps(one.body))):
        text = text.replace(known, "")
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+", "", text)
    # What would fit now is the caller's own: a clamped ask is granted just that.
    text = re.sub(r'"largest_fit":{[^}]*}|Fits now: up to [$\d.,]*\d', "", text)
    return [secret for secret in SECRETS if secret in text]


def everything_of_b(world: World) -> list[str]:
    """All that team b has, as an admin of everything sees it."""
    http, ids = world.server.http, world.ids
    paths = (
        "/budgets",
        f"/budgets/{ids['budget']}/policies",
        f"/budgets/{ids['budget']}/balances",
        f"/policies/{ids['shared']}",
        f"/policies/{ids['policy']}",
        f"/policies/{ids['policy']}/groups",
        f"/policies/{ids['each']}/groups?group=b",
        "/allocations?team=b",
        "/usage/records?team=b",
        "/keys",
        f"/alerts/{ids['alert']}",
    )
    found = []
    for path in paths:
        answer = http.get(f"/api/v1{path}")
        assert answer.status_code == 200, answer.text
        found.append(re.sub(r'"last_(used|judged)_at":[^,}]*', "", answer.text))
    return found


# What is left, told positively ------------------------------------------------------------------


def test_the_secrets_are_there_for_who_may_read_them(world: World) -> None:
    """The test above could not fail if nobody was ever told of them."""
    http = world.server.http
    text = "".join(
        http.get(f"/api/v1{path}").text
        for path in ("/status?team=b", "/usage/records", "/audit", "/decisions", "/policies")
    )
    text += http.post("/api/v1/allocations", json={"cost": 5000, "team": "b"}).text

    assert [secret for secret in SECRETS if secret not in text] == []


def test_a_team_sees_its_own(world: World) -> None:
    own = world.keys[Role.CLIENT]
    own.post("/api/v1/usage/record", json={"record_id": "mine", "cost": "0.01", "team": "b"})

    record = own.get("/api/v1/usage/records/mine").json()
    status = own.get("/api/v1/status").json()

    assert record["labels"]["team"] == "a"
    shown = {one["name"]: one["spent"] for one in status["policies"]}
    assert shown["everybody"] is None
    assert shown["each team"]["cost"] == 0.01
    assert own.get("/api/v1/usage/summary").json()["total_cost"] == 0.01


def test_a_denial_by_everybody_s_limit_names_it_without_its_numbers(world: World) -> None:
    answer = world.keys[Role.CLIENT].post("/api/v1/allocations", json={"cost": 5000})

    shared = next(one for one in answer.json()["policies"] if one["name"] == "everybody")
    assert answer.status_code == 402
    assert (shared["spent"], shared["held"], shared["remaining"]) == (None, None, None)
