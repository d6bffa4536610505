"""Whether the service is there, ready and well: told without locks, honestly, in Tekton's shape."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.frontends.api_read.conftest import Served

from tekton_budget.domain.caller import Role
from tekton_budget.domain.errors import Unavailable
from tekton_budget.frontends.api.metrics import Metrics
from tekton_budget.service.health import Batch
from tekton_budget.service.overview import Counts

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
    assert set(answer["details"]["parts"]) == {"database", "writer", "queue", "prices", "outbox"}


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


def test_who_has_no_key_is_told_of_health_but_not_of_metrics(quick: Served) -> None:
    quick.key("first", Role.ADMIN)

    open_ = [quick.http.get(path).status_code for path in ("/health", "/ready", "/")]
    closed = [quick.http.get(path).status_code for path in ("/metrics", "/shutdown/status")]

    assert (open_, closed) == ([200, 200, 200], [401, 401])


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


@pytest.mark.parametrize("path", ["/api/v1/allocations", "/api/budgets/summary", "/health"])
def test_the_dashboard_s_pages_may_call(quick: Served, path: str) -> None:
    asked = {
        "Origin": DASHBOARD,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = quick.http.options(path, headers=asked)
    answer = quick.http.get(path, headers={"Origin": DASHBOARD})

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == DASHBOARD
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
