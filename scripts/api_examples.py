"""Plays a small story over the API and writes each request and answer down as the document's examples.

`python scripts/api_examples.py` writes; with `--check` it writes nothing and fails where it would.
"""

import asyncio
import base64
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from tekton_budget.domain.caller import LOCAL, Role
from tekton_budget.foreign.rhetor import write_rhetor
from tekton_budget.foreign.store import ForeignUsage
from tekton_budget.frontends.api import create_app
from tekton_budget.frontends.api.document import EXAMPLES_FILE
from tekton_budget.frontends.tekton.protocol import protocol_routers
from tekton_budget.settings import load_settings
from tekton_budget.storage.housekeeping import Housekeeping
from tekton_budget.wiring import open_service

NOON_US = 1_795_435_200_000_000  # 2026-11-23 12:00 UTC
_TEXT = re.compile(
    r"(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"|(?P<key>tb_live_[A-Za-z0-9_-]+)"
)
_PASSING = ("timestamp", "uptime", "initializationTime", "lag_seconds", "age_seconds")


@dataclass(frozen=True)
class Step:
    """One request of the story. `keep` names a field of the answer's first item for the paths of later ones."""

    do: str  # method and path of the document
    body: Any = None
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    keep: str | None = None


def _rhetor() -> str:
    """A database of Rhetor's with one call in it."""
    at = datetime(2026, 2, 9, 0, 13, 5)
    labels = {"provider": "openai", "model": "gpt-4", "component": "ergon", "task_type": "chat"}
    used = ForeignUsage("call-1", at, labels, 335, 127, cost=Decimal("0.01767"))
    return base64.b64encode(write_rhetor([used])).decode()


V1 = "/api/v1"
WORK = {
    "purpose": "check_work",
    "dest": "budget",
    "payload": {"component": "budget", "action": "look_for_work"},
}
MESSAGE = {
    "message_id": "ergon-17",
    "sender": "ergon",
    "message_type": "budget.allocate_tokens",
    "payload": {"context_id": "chat-7", "amount": 2000, "task_type": "chat"},
}
CALL = {"team": "a", "user": "alice", "component": "ergon", "task_type": "chat"}
MODEL = {"provider": "openai", "model": "gpt-5-mini"}
CHEAPER = {"provider": "openai", "model": "gpt-5", "context_size": 4000}
NINE = {"provider": "azure", "model": "gpt-9"}
CARD = {
    **NINE,
    "effective_from": "2026-11-01",
    "rates": {"input": "2.5", "output": "10", "cache_read": "1.25"},
    "tiers": [{"when": {"total_input_tokens_gt": 200000}, "rates": {"input": "5"}}],
    "service_tiers": {"batch": {"input": "1.25", "output": "5"}},
    "regions": {"eu": "1.1"},
}
POLICY_OF_APOLLO = {
    "policy_id": "41d69a93-3032-4713-aa9c-aa3d4cb191aa",
    "type": "hard_limit",
    "period": "daily",
    "tier": "remote_heavyweight",
    "component": "ergon",
    "task_type": "coding",
    "limit": 60000,
    "start_date": "2026-02-09T08:13:00",
}
RECORD_OF_APOLLO = {
    "record_id": "60f154f0-0579-46e3-9647-a5bf60f3ff1e",
    "allocation_id": "fd5cb892-798e-4c4d-9f65-13abd21219c3",
    "context_id": "ergon:coding-17707-33",
    "component": "ergon",
    "provider": "anthropic",
    "model": "claude-3-opus",
    "task_type": "coding",
    "tokens_used": 812,
    "usage_type": "input",
    "timestamp": "2026-02-09T09:14:03.200000",
}
APOLLO = {
    "budget_policies.json": json.dumps([POLICY_OF_APOLLO]),
    "usage_records_1770737689.json": json.dumps([RECORD_OF_APOLLO]),
}
LIST: dict[str, Any] = {
    "format": "price-list/1",
    "version": "2026-11-20.1",
    "made": "2026-11-20",
    "sources": [
        {"name": "LiteLLM", "version": "1.109.1", "date": "2026-11-12", "licence": "MIT"},
        {"name": "genai-prices", "version": "0.2.3", "date": "2026-11-20", "licence": "MIT"},
    ],
    "cards": [{"provider": "cohere", "model": "embed-v4.0", "rates": {"input": "0.12"}}],
    "models": [
        {
            "provider": "cohere",
            "model": "embed-v4.0",
            "mode": "embedding",
            "context_tokens": 128000,
            "input": ["text", "image"],
            "released": "2025-04-15",
        }
    ],
}
ANSWER = {
    "model": "gpt-9",
    "usage": {
        "prompt_tokens": 900,
        "completion_tokens": 120,
        "total_tokens": 1020,
        "prompt_tokens_details": {"cached_tokens": 400},
    },
}
BUDGET, POLICY = {"budget": "research"}, {"policy": "daily per user"}
FIRST, SECOND = {"allocation_id": "call-1"}, {"allocation_id": "call-2"}
STORY = (
    Step(f"POST {V1}/prices", {**MODEL, "input": 0.25, "output": 2, "cache_read": 0.025}),
    Step(f"GET {V1}/prices", query=MODEL),
    Step(f"POST {V1}/prices/current", MODEL),
    Step(f"GET {V1}/prices/history/{{provider}}/{{model}}", path=MODEL),
    Step(f"POST {V1}/prices/load", {"cards": [CARD], "source": "the provider's page"}),
    Step(f"GET {V1}/prices/models", query={"provider": "cohere", "model": "embed-*"}),
    Step(f"GET {V1}/prices/lists"),
    Step(f"POST {V1}/prices/update"),
    Step(
        f"POST {V1}/prices/calculate",
        {"provider": "azure", "response": ANSWER, "context": {"region": "eu"}},
    ),
    Step(f"POST {V1}/prices/contracts", {"provider": "azure", "factor": 0.85}),
    Step(f"GET {V1}/prices/contracts"),
    Step(
        f"POST {V1}/prices/names",
        {"name": "prod", "provider": "azure", "to_provider": "azure", "to_model": "gpt-9"},
    ),
    Step(f"GET {V1}/prices/names"),
    Step(f"POST {V1}/prices/resolve", {"provider": "azure", "model": "prod"}),
    Step(
        f"POST {V1}/prices/names/check",
        {
            "file": {
                "format": "name-cases/1",
                "as_of": "2026-11-23",
                "cases": [{"name": "GPT-9", "provider_hint": "azure", "answer": NINE}],
            }
        },
    ),
    Step(f"POST {V1}/prices/tiers", {**NINE, "tier": "remote_heavyweight"}),
    Step(f"GET {V1}/prices/tiers"),
    Step(
        f"POST {V1}/prices", {"provider": "openai", "model": "gpt-5", "input": 1.25, "output": 10}
    ),
    Step(f"POST {V1}/prices/recommendations", {**CHEAPER, "limit": 2}),
    Step(f"POST {V1}/prices/recommend", {**CHEAPER, "limit": 1}),
    Step(
        f"POST {V1}/budgets",
        {
            "name": "research",
            "owner": "ada",
            "scope": {"team": "a"},
            "policies": [{"limit": "2000usd/month"}],
        },
    ),
    Step(f"GET {V1}/budgets"),
    Step(f"GET {V1}/budgets/{{budget}}", path=BUDGET),
    Step(f"PUT {V1}/budgets/{{budget}}", {"description": "what team a tries"}, BUDGET),
    Step(f"PATCH {V1}/budgets/{{budget}}", {"owner": "grace"}, BUDGET),
    Step(
        f"POST {V1}/policies",
        {"type": "warn", "period": "weekly", "cost_limit": 90, "provider": "anthropic"},
    ),
    Step(f"PUT {V1}/policies", {"limit": "5usd/day", "per": ["user"]}),
    Step(f"GET {V1}/policies", query={"period": "daily"}),
    Step(f"GET {V1}/policies/{{policy}}", path=POLICY),
    Step(f"PUT {V1}/policies/{{policy}}", {"costLimit": 6, "warningThreshold": 0.7}, POLICY),
    Step(f"PATCH {V1}/policies/{{policy}}", {"cost_limit": 7}, POLICY),
    Step(
        f"PUT {V1}/policies/{{policy}}/groups",
        {"alice": {"cost_limit": 20}, "carol": "unlimited"},
        POLICY,
    ),
    Step(
        f"POST {V1}/policies/{{policy}}/credit",
        {"group": "bob", "cost": 2, "reason": "release week"},
        POLICY,
    ),
    Step(f"POST {V1}/credit", {"labels": {"user": "alice"}, "cost": 5, "reason": "a long run"}),
    Step(f"GET {V1}/budgets/{{budget}}/policies", path=BUDGET),
    Step(
        f"POST {V1}/allocations",
        {**FIRST, **MODEL, **CALL, "input_tokens": 900, "max_output_tokens": 500},
    ),
    Step(f"POST {V1}/allocations", {**SECOND, "cost": 1.5, **CALL, "context_id": "ctx-1"}),
    Step(f"POST {V1}/allocations", {"cost": 40, "user": "bob"}),
    Step(f"POST {V1}/route", {**NINE, "input_tokens": 900, "labels": CALL}),
    Step(f"GET {V1}/allocations", query={"is_active": "true"}),
    Step(f"GET {V1}/allocations/context/{{context_id}}", path={"context_id": "ctx-1"}),
    Step(f"GET {V1}/allocations/{{allocation_id}}", path=FIRST),
    Step(f"GET {V1}/budgets/{{budget}}/allocations", path=BUDGET),
    Step(f"POST {V1}/allocations/{{allocation_id}}/extend", {"lifetime_seconds": 3600}, FIRST),
    Step(
        f"POST {V1}/allocations/{{allocation_id}}/settle",
        {"input_tokens": 874, "output_tokens": 312},
        FIRST,
    ),
    Step(
        f"POST {V1}/allocations/{{allocation_id}}/children",
        {"allocation_id": "call-2-part", "cost": 0.3, "agent": "reader"},
        SECOND,
    ),
    Step(f"POST {V1}/allocations/{{allocation_id}}/release", {"cascade": True}, SECOND),
    Step(
        f"POST {V1}/batch",
        {
            "commands": [
                {"do": "allocate", "allocation_id": "call-3", "cost": 0.18, "user": "bob"},
                {"do": "settle", "allocation_id": "call-3", "cost": 0.12},
            ]
        },
    ),
    Step(
        f"POST {V1}/usage/record",
        {
            "record_id": "usage-1",
            "context_id": "ctx-2",
            **CALL,
            **MODEL,
            "input_tokens": 1200,
            "output_tokens": 340,
        },
    ),
    Step(f"GET {V1}/usage/records", query={"team": "a", "limit": "1"}),
    Step(f"GET {V1}/usage/records/{{record_id}}", path={"record_id": "usage-1"}),
    Step(f"POST {V1}/usage/summary", {"period": "daily", "days": 2, "group_by": ["user"]}),
    Step(f"GET {V1}/usage/summary", query={"period": "monthly", "group_by": "provider"}),
    Step(f"GET {V1}/usage/analytics", query={"days": "2", "component": "ergon"}),
    Step(f"POST {V1}/assistant/analyze", {"period": "daily", "days": 7}),
    Step(f"POST {V1}/assistant/optimize", {"period": "monthly", "days": 7}),
    Step(
        f"POST {V1}/assistant/recommend-model",
        {
            "task_description": "Summarise meetings",
            "input_length": 3000,
            "output_length": 400,
            "usage_frequency": 20,
            "budget_limit": 0.5,
            "priority_areas": "value",
        },
    ),
    Step(
        f"POST {V1}/assistant",
        {"message": "How much did we spend today?", "context": "budget_management"},
    ),
    Step(f"GET {V1}/usage/report", query={"month": "2026-11", "by": "team,model"}),
    Step(f"GET {V1}/status", query={"team": "a", "user": "alice", "model": "gpt-5-mini"}),
    Step(f"POST {V1}/plan", {"team": "a", "user": "alice", "steps": 20}),
    Step(f"GET {V1}/budgets/summary", query={"period": "daily,weekly,monthly"}),
    Step(f"GET {V1}/budgets/{{budget}}/summary", path=BUDGET, query={"period": "monthly"}),
    Step(f"GET {V1}/budgets/{{budget}}/balances", path=BUDGET),
    Step(f"GET {V1}/policies/{{policy}}/groups", path=POLICY, query={"sort": "share"}),
    Step(f"POST {V1}/usage/record", {"record_id": "usage-2", "user": "dave", "cost": 5.5}),
    Step(f"GET {V1}/decisions", query={"decision": "deny", "by": "policy,user"}),
    Step(f"GET {V1}/alerts", query={"acknowledged": "false", "limit": "1"}, keep="alert_id"),
    Step(f"POST {V1}/alerts/check", query={"period": "daily"}),
    Step(f"GET {V1}/alerts/{{alert_id}}"),
    Step(f"POST {V1}/alerts/{{alert_id}}/acknowledge"),
    Step(f"PUT {V1}/alerts/{{alert_id}}/dismiss"),
    Step(f"POST {V1}/alerts/acknowledge", query={"severity": "warning"}),
    Step(f"GET {V1}/events", query={"type": "threshold.crossed,limit.passed", "limit": "1"}),
    Step(f"PUT {V1}/budgets/{{budget}}/policies", {"policies": [POLICY["policy"]]}, BUDGET),
    Step(f"GET {V1}/audit", query={"object_kind": "budget", "limit": "1"}),
    Step(f"POST {V1}/verify"),
    Step(
        f"POST {V1}/import/apollo",
        {"files": APOLLO, "timezone": "Europe/Berlin", "until": "2026-03-01", "shadow": True},
    ),
    Step(f"GET {V1}/export/apollo", query={"timezone": "Europe/Berlin"}),
    Step(f"POST {V1}/import/rhetor", {"database": {"base64": _rhetor()}, "timezone": "UTC"}),
    Step(f"GET {V1}/export/rhetor", query={"timezone": "Europe/Berlin"}),
    Step(
        f"POST {V1}/runs",
        {
            "name": "nightly",
            "cost_limit": 2,
            "labels": {"team": "a"},
            "command": ["claude", "-p", "mend the tests"],
            "token": "a-long-random-token-of-your-own-making",
        },
    ),
    Step(f"POST {V1}/runs/{{run}}/beat", path={"run": "nightly"}),
    Step(f"GET {V1}/runs"),
    Step(f"GET {V1}/runs/{{run}}", path={"run": "nightly"}),
    Step(f"GET {V1}/activity", query={"by": "run"}),
    Step(f"POST {V1}/runs/{{run}}/end", {"exit_code": 0}, {"run": "nightly"}),
    Step(f"POST {V1}/keys", {"name": "team-a", "role": "client", "labels": {"team": "a"}}),
    Step(f"GET {V1}/keys"),
    Step(f"POST {V1}/keys/{{key}}/rotate", {"overlap_seconds": 3600}, {"key": "team-a"}),
    Step(f"POST {V1}/keys", {"name": "old", "role": "viewer"}),
    Step(f"POST {V1}/keys/{{key}}/revoke", path={"key": "old"}),
    Step(f"POST {V1}/keys", {"name": "older", "role": "viewer"}),
    Step(f"DELETE {V1}/keys/{{key}}", path={"key": "older"}),
    Step(f"PUT {V1}/budgets/{{budget}}/policies", {"policies": [POLICY["policy"]]}, BUDGET),
    Step(f"DELETE {V1}/policies/{{policy}}", path=POLICY),
    Step(f"DELETE {V1}/budgets/{{budget}}", path=BUDGET),
    Step(f"POST {V1}/command", {"command": "/budget daily"}),
    Step(f"GET {V1}/command/help", query={"command": "/limits"}),
    Step("GET /"),
    Step("GET /health"),
    Step(f"GET {V1}/health"),
    Step("GET /status"),
    Step("GET /ready"),
    Step("POST /workflow", WORK),
    Step(f"GET {V1}/mcp/health"),
    Step(f"GET {V1}/mcp/capabilities"),
    Step(f"GET {V1}/mcp/tools"),
    Step(f"GET {V1}/mcp/tools/{{name}}", path={"name": "AllocateBudget"}),
    Step(f"POST {V1}/mcp/message", MESSAGE),
    Step(f"POST {V1}/mcp/process", {"tool_name": "GetBudgetStatus", "arguments": {}}),
    Step(
        f"POST {V1}/mcp/tools/{{name}}/execute",
        {"parameters": {**NINE, "input_text": "Hello!", "component": "ergon"}},
        path={"name": "CheckBudget"},
    ),
    Step("GET /shutdown/status"),
    Step("POST /shutdown"),
    Step("POST /api/shutdown"),
    Step(f"GET {V1}/discovery"),
)


def played() -> list[dict[str, Any]]:
    """The story as it goes on a fresh store at a fixed time."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(
            database_url=f"sqlite:///{folder}/budget.db",
            shutdown_enabled=True,
            log_level="ERROR",
            prices="none",
            prices_stale_days=36_500,  # the list of the story does not grow old
        )
        with open_service(settings, clock=lambda: NOON_US, background=False) as running:
            running.service.prices.take_list(LIST["version"], json.dumps(LIST))
            secret = running.service.keys.create_key(LOCAL, "root", role=Role.ADMIN).secret
            app = create_app(running, routers=protocol_routers())
            app.state.stop = lambda: None
            numbered = Housekeeping(running.reader, running.writer).number_outbox
            return _constant(asyncio.run(_told(app, secret, numbered)))


async def _told(app: Any, secret: str, numbered: Callable[[], int]) -> list[dict[str, Any]]:
    told = []
    kept: dict[str, str] = {}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1:8013", headers={"X-API-Key": secret}
    ) as http:
        for step in STORY:
            method, path = step.do.split(" ")
            step.path.update({name: kept[name] for name in kept if f"{{{name}}}" in path})
            await asyncio.to_thread(numbered)
            answer = await http.request(
                method, path.format(**step.path), json=step.body, params=step.query
            )
            if step.keep is not None:
                kept[step.keep] = answer.json()["items"][0][step.keep]
            told.append(_example(step, answer))
    return told


def _example(step: Step, answer: httpx.Response) -> dict[str, Any]:
    said: dict[str, Any] = {"do": step.do}
    for name in ("path", "query", "body"):
        value = getattr(step, name)
        if value:
            said[name] = value
    shown = answer.json()
    if step.do.endswith("/discovery"):
        shown["endpoints"] = shown["endpoints"][:2]
    if step.do.endswith("/rhetor"):
        said, shown = _without_databases(said), _without_databases(shown)
    return {**said, "status": answer.status_code, "answer": shown}


def _without_databases(value: Any) -> Any:
    """The same with the first characters of what is long and says nothing to a reader."""
    if isinstance(value, dict):
        return {
            name: f"{inner[:24]}…" if name == "base64" else _without_databases(inner)
            for name, inner in value.items()
        }
    return value


def _constant(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What differs from run to run as it might be: ids in their order, secrets, moments."""
    known: dict[str, str] = {}

    def instead(found: re.Match[str]) -> str:
        text = found[0]
        if found["key"] is not None:
            return text if text.endswith("…") else "tb_live_" + "x" * (len(text) - 8)
        return known.setdefault(text, f"01a20890-7b00-7000-8000-{len(known) + 1:012x}")

    constant: list[dict[str, Any]] = json.loads(_TEXT.sub(instead, json.dumps(told)))
    for one in constant:
        _still(one["answer"])
    return constant


def _still(value: Any) -> None:
    for inner in _inner(value):
        if isinstance(inner, dict):
            for name in _PASSING:
                if isinstance(inner.get(name), float | int):
                    inner[name] = 12.5
                elif name == "timestamp" and name in inner and "component" in inner:
                    inner[name] = "2026-11-23T12:00:00+00:00"
            if "timestamp" in inner and ("message" in inner or "message_type" in inner):
                inner["timestamp"] = "2026-11-23T12:00:00+00:00"


def _inner(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _inner(one)


def text() -> str:
    """The file."""
    note = "written by scripts/api_examples.py: do not edit"
    return (
        json.dumps({"generated": note, "examples": played()}, indent=1, ensure_ascii=False) + "\n"
    )


def main() -> int:
    """Write, or check."""
    if "--check" not in sys.argv:
        EXAMPLES_FILE.write_text(text())
        return 0
    if json.loads(EXAMPLES_FILE.read_text()) == json.loads(text()):
        return 0
    print(f"{Path(EXAMPLES_FILE).name} is stale: run python scripts/api_examples.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
