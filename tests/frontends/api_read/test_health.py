"""Whether the service is there, ready and well: told without locks, honestly, in Tekton's shape."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.frontends.api_read.conftest import Served, served

from tekton_budget.delivery.hermes import HermesState
from tekton_budget.domain.caller import Role
from tekton_budget.domain.errors import Unavailable
from tekton_budget.frontends.api.metrics import Metrics
from tekton_budget.service.health import Batch
from tekton_budget.service.reporting.overview import Counts

DASHBOARD = "http://localhost:8080"


def parts(server: Served) -> dict[str, Any]:
    return server.http.get("/health").json()["details"]["parts"]


def metrics(http: httpx.Client) -> dict[str, float]:
    """Every sample by its name and labels."""
    answer = http.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        f"{sample.name}{dict(sorted(sample.labels.items()))}": sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


# Health -------------------------------------------------------------------------------------------


def test_health_has_the_shape_that_tekton_reads(server: Served) -> None:
    answer = server.http.get("/health").json()

    assert list(answer) == [
        "status",
        "component",
        "version",
        "timestamp",
        "uptime",
        "port",
        "registeredWithHermes",
        "dependencies",
        "metrics",
        "details",
    ]
    assert (answer["status"], answer["component"]) == ("healthy", "budget")
    assert answer["port"] == server.http.base_url.port
    assert "budget_allocation" in answer["details"]["services"]
    assert set(answer["details"]["parts"]) == {
        "database",
        "writer",
        "queue",
        "hermes",
        "prices",
        "outbox",
    }


@pytest.mark.parametrize("path", ["/api/health", "/api/v1/health", "/status"])
def test_health_is_told_wherever_tekton_looks_for_it(quick: Served, path: str) -> None:
    health, answer = quick.http.get("/health").json(), quick.http.get(path)

    assert answer.status_code == 200
    same = ("status", "component", "version", "port", "registeredWithHermes", "dependencies")
    assert {name: answer.json()[name] for name in same} == {name: health[name] for name in same}


def test_the_status_says_whether_commands_are_taken(quick: Served) -> None:
    assert quick.http.get("/status").json()["ready"] is True

    quick.running.writer.stop()
    answer = quick.http.get("/status").json()

    assert (answer["ready"], answer["status"]) == (False, "unhealthy")


def test_health_answers_while_a_writer_holds_the_store(quick: Served) -> None:
    with closing(sqlite3.connect(quick.running.store.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE meta SET created_us = created_us")
        written: list[int] = []
        record = threading.Thread(
            target=lambda: written.append(
                quick.http.post("/api/v1/usage/record", json={"cost": 1}).status_code
            )
        )
        record.start()

        answer = httpx.get(f"{quick.url}/health", timeout=5)
        ready = httpx.get(f"{quick.url}/ready", timeout=5)
        assert written == []
        other.rollback()
    record.join()

    assert written == [201]
    assert answer.json()["details"]["parts"]["database"]["status"] == "ok"
    assert ready.status_code == 200


def test_a_store_that_is_away_is_told_and_health_still_answers_200(
    quick: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise Unavailable("The store is away; ask again.", code="store_away")

    monkeypatch.setattr(quick.app.state.vitality.pulse, "_health", _Stuck(away))

    answer = quick.http.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (200, "unhealthy")
    assert parts(quick)["database"]["cause"] == "The store is away; ask again."
    ready = quick.http.get("/ready")
    assert (ready.status_code, ready.json()["code"]) == (503, "not_ready")
    assert ready.json()["detail"].startswith("Component not ready")
    assert ready.headers["retry-after"] == "1"


def test_a_store_that_does_not_answer_is_asked_once_and_told_as_slow(
    quick: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    stuck = _Stuck(go_on.wait)
    monkeypatch.setattr(quick.app.state.vitality.pulse, "_health", stuck)
    monkeypatch.setattr("tekton_budget.frontends.api.pulse.WAIT_SECONDS", 0.01)

    said = [quick.http.get("/health").json()["status"] for _ in range(3)]
    go_on.set()

    assert said == ["degraded"] * 3
    assert stuck.asked == 1


class _Stuck:
    def __init__(self, wait: Callable[[], object]) -> None:
        self.wait = wait
        self.asked = 0

    def vitals(self) -> None:
        self.asked += 1
        self.wait()
        raise Unavailable("The store is away; ask again.")


def test_a_writer_that_stopped_is_unhealthy(quick: Served) -> None:
    quick.running.writer.stop()

    assert parts(quick)["writer"]["status"] == "down"
    assert quick.http.get("/health").json()["status"] == "unhealthy"
    assert quick.http.get("/ready").status_code == 503


def test_old_prices_and_waiting_events_are_told(serving: Callable[..., Any]) -> None:
    with serving(relay_seconds=3600) as quick:
        price = {"provider": "p", "model": "m", "input": 1, "output": 1}
        quick.http.post("/api/v1/prices", json=price).raise_for_status()
        quick.limit("1usd/day")

        found = parts(quick)

    assert found["prices"]["count"] == 1
    assert 0 <= found["prices"]["age_seconds"] < 60
    assert 0 < found["outbox"]["lag_seconds"] < 60


@pytest.mark.parametrize(("days", "status"), [(1.0, "stale"), (1e9, "ok")])
def test_prices_that_nobody_renewed_are_told(
    serving: Callable[..., Any], days: float, status: str
) -> None:
    with serving(prices="embedded", prices_stale_days=days) as quick:
        found = quick.http.get("/health").json()

    prices = found["details"]["parts"]["prices"]
    made = datetime.fromisoformat(prices["list"][:10]).replace(tzinfo=UTC)
    assert prices["status"] == status
    assert found["status"] == ("degraded" if status == "stale" else "healthy")
    # A list is as old as its making, though it has only just come.
    age_seconds = (datetime.fromisoformat(found["timestamp"]) - made).total_seconds()
    assert abs(prices["age_seconds"] - age_seconds) < 60


def test_a_price_of_ones_own_makes_prices_young(serving: Callable[..., Any]) -> None:
    with serving(prices="embedded", prices_stale_days=1.0) as quick:
        price = {"provider": "p", "model": "m", "input": 1, "output": 1}
        quick.http.post("/api/v1/prices", json=price).raise_for_status()

        assert parts(quick)["prices"]["status"] == "ok"


def test_without_prices_there_is_nothing_to_be_old(quick: Served) -> None:
    found = parts(quick)["prices"]

    assert found == {"status": "ok", "count": 0, "list": None, "age_seconds": None}


class _Registrar:
    """How we stand with Hermes, as it is told."""

    def __init__(self, *, registered: bool) -> None:
        self._state = HermesState(
            "http://localhost:8001",
            "budget",
            layout="/api",
            registered=registered,
            since_us=1_795_442_666_000_000,
            last_error=None if registered else "connection refused",
            heartbeats=7,
        )

    def state(self) -> HermesState:
        return self._state

    def stop(self) -> None:
        """It has nothing under way."""


def test_hermes_is_off_where_nobody_named_it(quick: Served) -> None:
    answer = quick.http.get("/health").json()

    assert answer["details"]["parts"]["hermes"] == {"status": "off"}
    assert (answer["registeredWithHermes"], answer["dependencies"]) == (False, [])
    assert quick.http.get("/api/v1/discovery").json()["dependencies"] == {}


@pytest.mark.parametrize(
    ("registered", "required", "status", "whole"),
    [
        (True, False, "ok", "healthy"),
        (False, False, "away", "healthy"),
        (True, True, "ok", "healthy"),
        (False, True, "away", "degraded"),
    ],
)
def test_without_hermes_the_service_works_alone_unless_it_is_required(
    sqlite_url: str, registered: bool, required: bool, status: str, whole: str
) -> None:
    with served(sqlite_url, hermes_required=required) as quick:
        running = quick.running
        running.settings = running.settings.model_copy(
            update={"hermes_url": "http://localhost:8001"}
        )
        running.hermes = _Registrar(registered=registered)  # type: ignore[assignment]  # a stand-in
        answer = quick.http.get("/health").json()
        found = quick.http.get("/api/v1/discovery").json()
        ready = quick.http.get("/ready")
        told = quick.http.get("/metrics").text

    part = answer["details"]["parts"]["hermes"]
    assert part == {
        "status": status,
        "url": "http://localhost:8001",
        "layout": "/api",
        "component_id": "budget",
        "since": "2026-11-23T14:04:26+00:00",
        "last_heartbeat": None,
        "next_try": None,
        "tools": 0,
        "error": None if registered else "connection refused",
    }
    assert f"tekton_budget_hermes_registered {float(registered)}" in told
    assert "tekton_budget_hermes_heartbeats_total 7.0" in told
    assert (answer["status"], answer["registeredWithHermes"]) == (whole, registered)
    assert answer["dependencies"] == ["hermes"]
    assert found["dependencies"] == {"hermes": "http://localhost:8001"}
    assert ready.status_code == 200  # nobody has to wait for Hermes to ask us


def test_ready_root_and_discovery_speak_as_other_components_do(quick: Served) -> None:
    ready, root = quick.http.get("/ready").json(), quick.http.get("/").json()
    found = quick.http.get("/api/v1/discovery").json()

    assert list(ready) == ["ready", "component", "version", "initializationTime", "timestamp"]
    assert root["component"] == "budget"
    assert root["status"] == "active"
    assert list(found) == [
        "component",
        "version",
        "description",
        "endpoints",
        "capabilities",
        "dependencies",
        "metadata",
    ]
    listed = {(one["method"], one["path"]) for one in found["endpoints"]}
    assert ("POST", "/api/v1/allocations") in listed
    assert ("GET", "/health") in listed
    for place in ("openapi", "documentation", "health", "metrics"):
        assert quick.http.get(found["metadata"][place]).status_code == 200
    assert found["metadata"]["websocket_endpoint"] == "/ws"
    assert quick.http.get("/api/discovery").json() == found


def test_discovery_tells_what_is_served_only(serving: Callable[..., Any]) -> None:
    def told() -> tuple[bool, bool]:
        found = quick.http.get("/api/v1/discovery").json()
        return found["metadata"]["mcp_enabled"], "mcp_bridge" in found["capabilities"]

    with serving() as quick:
        assert told() == (True, True)
    with serving(mcp_enabled=False) as quick:
        assert told() == (False, False)


# Workflows ----------------------------------------------------------------------------------------

WORK = {
    "purpose": "check_work",
    "dest": "budget",
    "payload": {"component": "budget", "action": "look_for_work"},
}


@pytest.mark.parametrize("dest", ["budget", "penia"])
def test_a_workflow_finds_no_work_here(quick: Served, dest: str) -> None:
    answer = quick.http.post("/workflow", json={**WORK, "dest": dest})

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "success",
        "component": "budget",
        "purpose": "check_work",
        "work_available": False,
        "work_count": 0,
        "work_items": [],
        "message": "Checked for work on budget",
    }


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({}, "['purpose', 'dest', 'payload']"),
        ({"dest": "budget", "payload": {}}, "['purpose']"),
        ({"purpose": "check_work", "Dest": "budget", "payload": {}}, "['dest']"),
    ],
)
def test_a_workflow_without_its_fields_is_refused_as_the_original_does(
    quick: Served, body: object, missing: str
) -> None:
    answer = quick.http.post("/workflow", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"] == f"Missing required fields: {missing}"
    assert answer.json()["detail"] == answer.json()["error"]
    assert answer.json()["code"] == "workflow_malformed"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"dest": "telos"}, "error"),
        ({"dest": None}, "error"),
        ({"dest": ["budget"]}, "error"),
        ({"purpose": "build"}, "not_implemented"),
        ({"purpose": {"budget": "x" * 5000}}, "not_implemented"),
        ({"payload": {}}, "not_implemented"),
        ({"more": 1}, "success"),
    ],
)
def test_other_messages_of_a_workflow_are_answered(
    quick: Served, change: dict[str, object], status: str
) -> None:
    answer = quick.http.post("/workflow", json={**WORK, **change})

    assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert len(answer.text) < 1000


@pytest.mark.parametrize("payload", [None, "work", [1]])
def test_the_payload_of_a_workflow_is_an_object(quick: Served, payload: object) -> None:
    answer = quick.http.post("/workflow", json={**WORK, "payload": payload})

    assert answer.status_code == 400
    assert "payload" in answer.json()["error"]


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"{", b"\xff"])
def test_what_is_no_message_is_refused(quick: Served, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert quick.http.post("/workflow", content=body, headers=headers).status_code in (400, 422)


def test_who_has_no_key_is_told_of_health_but_not_of_metrics(quick: Served) -> None:
    quick.key("first", Role.ADMIN)

    paths = ("/health", "/api/health", "/api/v1/health", "/status", "/ready", "/")
    open_ = [quick.http.get(path).status_code for path in paths]
    closed = [quick.http.get(path).status_code for path in ("/metrics", "/shutdown/status")]
    work = quick.http.post("/workflow", json=WORK)

    assert open_ == [200] * len(paths)
    assert closed == [401, 401]
    assert work.status_code == 401


def test_a_key_may_be_needed_before_there_is_one(serving: Callable[..., Any]) -> None:
    with serving(api_require_auth=True) as server:
        assert server.http.get("/api/v1/budgets").status_code == 401
        assert server.http.get("/health").status_code == 200
        assert server.key("ada", Role.ADMIN).get("/api/v1/budgets").status_code == 200


# Metrics ------------------------------------------------------------------------------------------


def test_metrics_count_requests_decisions_and_batches(server: Served) -> None:
    server.limit("1usd/day", name="day")
    for cost, status in ((0.5, 201), (9, 402)):
        answer = server.http.post("/api/v1/allocations", json={"cost": cost})
        assert answer.status_code == status
    server.http.get("/api/usage/records")
    server.http.get("/nowhere")
    server.http.request("BREW", "/coffee")

    found = metrics(server.http)

    def requests(method: str, route: str, status: str) -> float | None:
        labels = {"method": method, "route": route, "status": status}
        return found.get(f"tekton_budget_http_requests_total{labels}")

    assert requests("POST", "/allocations", "201") == 1
    assert requests("POST", "/allocations", "402") == 1
    assert requests("GET", "/usage/records", "200") == 1
    assert requests("GET", "other", "404") == 1
    assert found["tekton_budget_decisions_total{'decision': 'deny'}"] == 1
    assert found["tekton_budget_decisions_total{'decision': 'allow'}"] == 1
    assert found["tekton_budget_batch_commands_count{}"] >= 2
    assert found["tekton_budget_queue_length{}"] <= 1  # a background pass, at most
    assert found["tekton_budget_active_allocations{}"] == 1


def test_the_queue_is_as_long_as_it_is_now_not_as_the_last_batch_saw_it() -> None:
    counted = Metrics()
    counted.batch(Batch(1, 0.1, {}, waiting=7))
    text = counted.text(Counts(active_allocations=0, unnumbered_events=0, policies=()), 2)
    assert b"tekton_budget_queue_length 2.0" in text


def test_metrics_show_a_policy_s_fullest_group_and_no_other(server: Served) -> None:
    id_ = server.limit("10usd/day", per=["user"], name="each")
    for user, cost in (("alice", 2), ("bob", 6), ("carol", 1)):
        server.http.post("/api/v1/usage/record", json={"user": user, "cost": cost})

    found = metrics(server.http)

    labels = {"enforcement": "hard_limit", "period": "daily", "policy": "each", "policy_id": id_}
    assert found[f"tekton_budget_policy_used_ratio{labels}"] == 0.6
    assert found[f"tekton_budget_policy_groups{labels}"] == 3
    assert found[f"tekton_budget_policy_spent{ ({**labels, 'unit': 'usd'}) }"] == 6
    assert len([name for name in found if "policy_spent" in name and "'usd'" in name]) == 1


def test_a_dry_run_is_no_decision(quick: Served) -> None:
    quick.limit("1usd/day")
    quick.http.post("/api/v1/allocations", json={"cost": 9, "dry_run": True})

    assert not [name for name in metrics(quick.http) if name.startswith("tekton_budget_decisions")]


def test_a_key_bound_to_labels_may_not_read_metrics(quick: Served) -> None:
    assert quick.key("team", Role.ADMIN, team="a").get("/metrics").status_code == 403
    assert quick.key("all", Role.VIEWER).get("/metrics").status_code == 200


# Browsers and shutdown ----------------------------------------------------------------------------


@pytest.mark.parametrize("origin", [DASHBOARD, "http://127.0.0.1:8080"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/api/v1/allocations", "/api/budgets/summary", "/health"])
def test_the_dashboard_s_pages_may_call(quick: Served, path: str, method: str, origin: str) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = quick.http.options(path, headers=asked)
    answer = quick.http.get(path, headers={"Origin": origin})

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == origin
    assert method in preflight.headers["access-control-allow-methods"]
    assert "Content-Type" in preflight.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == origin


def test_the_dashboard_writes_json(quick: Served) -> None:
    headers = {"Origin": DASHBOARD}
    made = quick.http.post("/api/budgets", json={"name": "ui"}, headers=headers)
    id_ = made.json()["budget_id"]
    put = quick.http.put(f"/api/budgets/{id_}", json={"description": "new"}, headers=headers)

    assert (made.status_code, put.status_code) == (201, 200)
    assert put.json()["description"] == "new"
    for answer in (made, put):
        assert answer.headers["access-control-allow-origin"] == DASHBOARD


def test_a_refusal_can_be_read_by_the_dashboard_too(quick: Served) -> None:
    quick.limit("0usd/day")

    answer = quick.http.post("/api/allocations", json={"cost": 1}, headers={"Origin": DASHBOARD})

    assert answer.status_code == 402
    assert answer.headers["access-control-allow-origin"] == DASHBOARD


def test_other_pages_may_not_call(quick: Served) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}

    preflight = quick.http.options("/api/v1/allocations", headers=asked)
    posted = quick.http.post("/api/v1/allocations", json={"cost": 1}, headers=asked)
    read = quick.http.get("/api/v1/usage/records", headers=asked)

    assert preflight.status_code == 400
    assert posted.status_code == 403
    for answer in (preflight, posted, read):
        assert "access-control-allow-origin" not in answer.headers


def test_the_origins_are_a_setting(serving: Callable[..., Any]) -> None:
    with serving(cors_origins=("https://budget.example",)) as server:
        headers = {"Origin": "https://budget.example"}
        own = server.http.post("/api/v1/allocations", json={"cost": 1}, headers=headers)
        other = server.http.get("/health", headers={"Origin": DASHBOARD})

    assert own.status_code == 201
    assert own.headers["access-control-allow-origin"] == "https://budget.example"
    assert "access-control-allow-origin" not in other.headers


def test_shutdown_is_there_only_where_it_was_enabled(
    quick: Served, serving: Callable[..., Any]
) -> None:
    assert quick.http.post("/shutdown").status_code == 404
    assert quick.http.get("/shutdown/status").json()["shutdown_supported"] is False

    stopped = threading.Event()
    with serving(shutdown_enabled=True) as server:
        server.app.state.stop = stopped.set
        admin = server.key("ada", Role.ADMIN)
        assert server.key("op", Role.OPERATOR).post("/shutdown").status_code == 403
        status = admin.get("/shutdown/status").json()
        answer = admin.post("/api/shutdown")

    assert status["shutdown_supported"] is True
    assert status["endpoints"] == ["/shutdown", "/api/shutdown"]
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    assert stopped.is_set()
