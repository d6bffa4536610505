"""The stand-in answers as the real Hermes did: every recorded exchange, in its order."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.hermes.stand_in import StandIn, hermes

RECORDED = json.loads(Path(__file__).with_name("recorded.json").read_text())
# What differs each time: tokens, made-up ids, and times.
CHANGING = {"token", "timestamp", "registered_at", "last_heartbeat", "lastHeartbeat"}


def like(value: Any) -> Any:
    """An answer without what differs each time: of a time only whether there is one."""
    if isinstance(value, dict):
        return {
            name: inner is None if name in CHANGING else like(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [like(inner) for inner in value]
    return re.sub(r"-[0-9a-f]{8}$", "-xxxxxxxx", value) if isinstance(value, str) else value


def test_every_recorded_exchange_is_answered_as_it_was() -> None:
    with hermes() as stand_in, httpx.Client(base_url=stand_in.url) as http:
        token = ""
        for one in RECORDED:
            headers = {name: text.replace("$TOKEN", token) for name, text in one["headers"].items()}
            if one["body"] is not None:
                headers["content-type"] = "application/json"
            content = None if one["body"] is None else json.dumps(one["body"])
            answer = http.request(one["method"], one["path"], headers=headers, content=content)

            assert answer.status_code == one["status"], (one["name"], answer.text)
            assert like(answer.json()) == like(one["answer"]), one["name"]
            if one["name"] == "register, snake_case":
                token = answer.json()["token"]


@pytest.fixture
def there() -> Any:
    with hermes() as stand_in, httpx.Client(base_url=stand_in.url) as http:
        yield stand_in, http


def test_after_a_restart_old_tokens_are_taken_and_nobody_is_listed(there: Any) -> None:
    stand_in, http = there
    body = {"component_id": "budget", "name": "b", "version": "1", "type": "b", "endpoint": "e"}
    token = http.post("/api/register", json=body).json()["token"]
    stand_in.restart()
    beat = http.post(
        "/api/heartbeat", json={"component_id": "budget"}, headers={"X-Authentication-Token": token}
    )

    assert beat.status_code == 200
    assert http.get("/api/components").json() == {"total": 0, "components": []}

    stand_in.now += 3601
    beat = http.post(
        "/api/heartbeat", json={"component_id": "budget"}, headers={"X-Authentication-Token": token}
    )
    assert (beat.status_code, beat.json()) == (401, {"detail": "Invalid authentication token"})


def test_tools_are_kept_listed_and_taken_out(there: tuple[StandIn, httpx.Client]) -> None:
    _, http = there
    endpoint = "http://127.0.0.1:8013/api/mcp/v2/execute"
    tool = {"name": "AllocateBudget", "description": "d", "schema": {}, "endpoint": endpoint}
    added = http.post("/api/mcp/v2/tools", json=tool).json()
    id_ = added["toolId"]
    ran = http.post(
        f"/api/mcp/v2/tools/{id_}/execute", json={"parameters": {"context_id": "c1"}}
    ).json()
    gone = http.delete(f"/api/mcp/v2/tools/{id_}").json()

    assert added["message"] == "Tool registered successfully"
    assert ran["result"] == {
        "message": f"Remote tool {id_} would be executed via {endpoint}",
        "parameters": {"context_id": "c1"},
    }
    assert gone == {"success": True, "message": "Tool unregistered successfully"}
    assert http.delete(f"/api/mcp/v2/tools/{id_}").status_code == 404
    without = {name: value for name, value in tool.items() if name != "schema"}
    assert http.post("/api/mcp/v2/tools", json={**without, "inputSchema": {}}).status_code == 422


def test_each_layout_has_only_its_own_paths(there: tuple[StandIn, httpx.Client]) -> None:
    stand_in, http = there
    assert http.get("/components").json() == {"detail": "Not Found"}
    assert http.get("/api/v1/components").status_code == 404
    stand_in.restart(layout="")
    assert http.get("/api/components").json() == {"detail": "Not Found"}
    assert http.get("/components").status_code == 200
