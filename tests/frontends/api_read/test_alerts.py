"""Alerts over HTTP, as the original component's clients and its dashboard read them."""

from decimal import Decimal
from typing import Any

from tests.frontends.api_read.conftest import Served

from tekton_budget.domain.caller import Role


def cross(server: Served, cost: str = "0.60", **labels: str) -> None:
    sent = {"cost": Decimal(cost).__str__(), **labels}
    server.http.post("/api/v1/usage/record", json=sent).raise_for_status()


def test_the_dashboard_s_list_has_the_fields_that_it_reads(server: Served) -> None:
    policy = server.limit("1usd/day", name="daily", thresholds=[0.5])
    cross(server)
    cross(server)
    answer = server.http.get("/api/alerts?page=1&limit=1&acknowledged=false").json()
    (alert,) = answer["items"]

    assert {name: answer[name] for name in ("total", "page", "limit")} == {
        "total": 2,
        "page": 1,
        "limit": 1,
    }
    assert alert["title"] == "daily is over its cost limit"
    assert alert["message"].startswith("daily is over its cost limit: $1.20 of $1.00 used (120%).")
    assert (alert["severity"], alert["type"]) == ("error", "cost_limit_exceeded")
    assert (alert["budget_id"], alert["policy_id"]) == ("default", policy)
    assert (alert["policy_name"], alert["group"]) == ("daily", "")
    assert alert["details"] == {
        "unit": "cost",
        "threshold": 1,
        "share": 1.2,
        "used": {"tokens": 0, "cost": 1.2, "requests": 2},
        "allowance": {"tokens": None, "cost": 1, "requests": None},
        "enforcement": "hard_limit",
        "shadow": False,
        "balance_id": alert["details"]["balance_id"],
    }
    assert alert["opens_at"] < alert["timestamp"] < alert["resets_at"]
    assert (alert["acknowledged"], alert["acknowledged_by"]) == (False, None)


def test_an_alert_is_acknowledged_without_a_body(quick: Served) -> None:
    quick.limit("1usd/day", thresholds=[0.5])
    cross(quick)
    id_ = quick.http.get("/api/v1/alerts").json()["items"][0]["alert_id"]
    first = quick.http.post(f"/api/alerts/{id_}/acknowledge")
    again = quick.http.put(f"/api/v1/alerts/{id_}/dismiss")
    shown = quick.http.get(f"/api/v1/alerts/{id_}")

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json() == shown.json()
    assert first.json()["acknowledged"] is True
    assert first.json()["acknowledged_by"] == "local"
    assert first.json()["acknowledged_at"] >= first.json()["timestamp"]
    assert quick.http.get("/api/alerts?acknowledged=false").json()["items"] == []


def test_a_check_answers_an_array_and_makes_none_twice(quick: Served) -> None:
    quick.limit("1usd/day", name="daily", thresholds=[0.5])
    quick.limit("1usd/week", name="weekly", thresholds=[0.5])
    cross(quick)
    first = quick.http.post("/api/v1/alerts/check").json()
    again = quick.http.post("/api/alerts/check?budget_id=default&period=daily").json()

    assert sorted(one["policy_name"] for one in first) == ["daily", "weekly"]
    assert again == [one for one in first if one["policy_name"] == "daily"]
    assert quick.http.get("/api/v1/alerts").json()["total"] == 2


def test_clear_all_of_the_dashboard(quick: Served) -> None:
    quick.limit("1usd/day", thresholds=[0.5])
    cross(quick)
    cross(quick)

    assert quick.http.post("/api/v1/alerts/acknowledge?severity=error").json() == {
        "acknowledged": 1
    }
    assert quick.http.post("/api/v1/alerts/acknowledge").json() == {"acknowledged": 1}


def test_what_cannot_be_asked_for(quick: Served) -> None:
    def code(method: str, path: str) -> tuple[int, Any]:
        answer = quick.http.request(method, f"/api/v1/alerts{path}")
        return answer.status_code, answer.json()["code"]

    assert code("GET", "/nobody") == (404, "alert_not_found")
    assert code("POST", "/nobody/acknowledge") == (404, "alert_not_found")
    assert code("PUT", "/nobody/dismiss") == (404, "alert_not_found")
    assert code("GET", "?severity=loud") == (422, "invalid")
    assert code("GET", "?type=limit") == (422, "invalid")
    assert code("GET", "?budget_id=nobodys") == (404, "budget_not_found")
    assert code("POST", "/check?period=often") == (422, "invalid")


def test_a_viewer_reads_and_does_not_act(quick: Served) -> None:
    quick.limit("1usd/day", thresholds=[0.5])
    cross(quick)
    viewer = quick.key("v", Role.VIEWER)
    (alert,) = viewer.get("/api/v1/alerts").json()["items"]

    for method, path in (
        ("POST", f"/{alert['alert_id']}/acknowledge"),
        ("PUT", f"/{alert['alert_id']}/dismiss"),
        ("POST", "/acknowledge"),
        ("POST", "/check"),
    ):
        answer = viewer.request(method, f"/api/v1/alerts{path}")
        assert (answer.status_code, answer.json()["code"]) == (403, "role_needed")
