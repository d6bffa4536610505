"""What is pushed on each topic, by what happens and by the minute, in the words of the API."""

import pytest
from tests.frontends.sockets.conftest import Port

from tekton_budget.frontends.api.sockets import socket as sockets


def test_an_allocation_is_told_as_it_stands(port: Port) -> None:
    page = port.page("/ws/budget/allocations")
    made = port.http.post("/api/v1/allocations", json={"allocation_id": "call-1", "cost": 1})
    first = page.pushed("allocation_update", allocation_id="call-1")
    port.http.post("/api/v1/allocations/call-1/settle", json={"cost": "0.25"}).raise_for_status()
    last = page.until(lambda m: m["payload"].get("allocation", {}).get("status") == "settled")
    shown = port.http.get("/api/v1/allocations/call-1").json()

    assert made.status_code == 201
    assert first["topic"] == "allocation_updates"
    assert first["payload"]["allocation"]["is_active"] is True
    assert last["payload"]["allocation"] == shown
    assert last["position"] > first["position"]


def test_an_alert_comes_in_both_forms(port: Port) -> None:
    port.limit("1usd/day", name="daily", thresholds=[0.5])
    page = port.page("/ws/budget/alerts")
    port.spend()
    message = page.pushed("alert")
    (alert,) = port.http.get("/api/v1/alerts").json()["items"]

    assert message["payload"] == {**alert, "alerts": [alert]}


def test_a_budget_that_moves_is_told_of(port: Port) -> None:
    port.http.post(
        "/api/v1/budgets",
        json={"name": "lab", "scope": {"team": "a"}, "policies": [{"limit": "5usd/day"}]},
    ).raise_for_status()
    page = port.page()
    port.spend("1.25", team="a")
    budget_id = port.http.get("/api/v1/budgets/lab").json()["budget_id"]
    message = page.until(lambda m: m["payload"].get("summary", {}).get("total_cost") == 1.25)

    assert message["topic"] == "budget_events"
    assert message["payload"]["budget_id"] == budget_id
    assert message["payload"]["summary"]["cost_usage_percentage"] == 0.25
    assert message["payload"]["summaries"][0]["cost_usage_percentage"] == 25


def test_what_many_calls_move_is_told_of_once_in_a_while(
    quick: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick.limit("1000usd/day")
    page = quick.page()
    commands = [{"do": "record", "cost": "0.10"} for _ in range(200)]
    quick.http.post("/api/v1/batch", json={"commands": commands}).raise_for_status()
    page.until(lambda m: m["payload"].get("summary", {}).get("total_cost") == 20)

    assert len([m for m in page.seen if "summary" in m["payload"]]) <= 3


def test_the_period_s_topics_come_by_the_minute(
    quick: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "TICK_SECONDS", 0.02)
    monkeypatch.setattr(sockets, "UPDATE_SECONDS", 0.05)
    quick.limit("5usd/day", name="daily")
    quick.spend("1")
    page = quick.page("/ws/budget/prices")
    page.asked("subscription", topic="budget_update_daily")
    first = page.pushed("budget_update", period="daily")
    second = page.pushed("budget_update", period="daily")
    page.asked("unsubscription", topic="budget_update_daily")
    said = len(page.seen)

    assert first["topic"] == second["topic"] == "budget_update_daily"
    assert (
        first["payload"]["summaries"]
        == quick.http.get("/api/v1/budgets/summary?period=daily").json()
    )
    assert first["payload"]["daily"] == {"spent": 1, "limit": 5}
    assert page.nothing()
    assert len(page.seen) == said


def test_a_price_that_is_set_is_told_of(port: Port) -> None:
    page = port.page("/ws/budget/prices")
    price = {"provider": "openai", "model": "gpt-5-mini", "input": 0.25, "output": 2}
    made = port.http.post("/api/v1/prices", json=price).json()
    message = page.pushed("price_update")

    assert message["payload"] == {"provider": "openai", "model": "gpt-5-mini", "update": made}


def test_policies_are_told_of_with_the_budgets(quick: Port) -> None:
    page = quick.page()
    policy = quick.limit("5usd/day")

    assert page.pushed("policy_update")["payload"] == {
        "policy_id": policy,
        "budget_id": "default",
        "change": "created",
    }


def test_an_endpoint_tells_of_its_own_topic_and_of_those_that_were_joined(quick: Port) -> None:
    quick.limit("1usd/day", name="daily", thresholds=[0.5])
    page = quick.page("/ws/budget/prices")
    quick.spend()
    assert page.nothing()
    page.asked("subscription", topic="budget_alerts")
    quick.spend()

    assert page.pushed("alert")["topic"] == "budget_alerts"
    page.asked("unsubscription", topic="budget_alerts")
    credit = {"policy": "daily", "cost": 9}
    quick.http.post("/api/v1/credit", json=credit).raise_for_status()
    quick.spend("8.5")
    assert page.nothing()


def test_one_socket_tells_of_everything_in_both_forms(quick: Port) -> None:
    quick.limit("1usd/day", thresholds=[0.5])
    page = quick.page("/ws")
    quick.http.post("/api/v1/allocations", json={"cost": "0.60"}).raise_for_status()
    page.hear(lambda m: m["type"] == "alert")
    page.hear(lambda m: m["type"] == "allocation_update")
    page.hear(lambda m: "summary" in m["payload"])

    assert all(message["data"] == message["payload"] for message in page.seen)


def test_whoever_chooses_on_it_hears_what_was_chosen(quick: Port) -> None:
    page = quick.page("/ws")
    page.socket.send('{"type": "subscribe", "channels": ["prices"]}')
    assert page.next()["data"] == {"success": True, "topic": "price_updates"}
    quick.spend()
    quick.http.post(
        "/api/v1/prices", json={"provider": "p", "model": "m", "input": 1, "output": 2}
    ).raise_for_status()

    assert page.next()["type"] == "price_update"


def test_the_documents_word_for_alerts(quick: Port) -> None:
    quick.limit("1usd/day", thresholds=[0.5])
    page = quick.page("/ws")
    page.socket.send('{"type": "authenticate", "data": {"api_key": "none"}}')
    page.until(lambda m: m["type"] == "authentication")
    quick.spend()

    assert page.pushed("budget_alert")["topic"] == "budget_alerts"


def test_a_run_s_own_words_and_money_have_all_their_digits(quick: Port) -> None:
    page = quick.page("/ws/budget/allocations")
    quick.http.post("/api/v1/allocations", json={"cost": "0.123456789"}).raise_for_status()

    assert '"estimated_cost":0.123456789' in page.socket.recv(timeout=20).replace(" ", "")
