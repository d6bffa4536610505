"""What the original's WebSockets answer, as recorded, field by field."""

import json
import re

import pytest
from tests.frontends.sockets.conftest import Port

ENDPOINTS = {
    "/ws/budget/updates": "budget_events",
    "/ws/budget/alerts": "budget_alerts",
    "/ws/budget/allocations": "allocation_updates",
    "/ws/budget/prices": "price_updates",
}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")


@pytest.mark.parametrize(("path", "topic"), ENDPOINTS.items())
def test_the_recorded_conversation(quick: Port, path: str, topic: str) -> None:
    page = quick.page(path, greet=False)

    def told(message: dict[str, object]) -> dict[str, object]:
        assert list(message) == ["type", "topic", "payload", "timestamp"]
        assert MOMENT.fullmatch(str(message.pop("timestamp")))
        return message

    assert told(page.next()) == {
        "type": "budget_update",
        "topic": topic,
        "payload": {"message": "Connected to Budget WebSocket Server"},
    }
    page.say("subscription", topic, topic="budget_update_daily")
    assert told(page.next()) == {
        "type": "subscription",
        "topic": "budget_update_daily",
        "payload": {"success": True, "topic": "budget_update_daily"},
    }
    page.say("unsubscription", topic, topic="budget_update_daily")
    assert told(page.next()) == {
        "type": "unsubscription",
        "topic": "budget_update_daily",
        "payload": {"success": True, "topic": "budget_update_daily"},
    }
    page.say("authentication", topic)
    assert told(page.next()) == {
        "type": "authentication",
        "topic": topic,
        "payload": {"success": False},
    }
    page.say("heartbeat", topic)
    beat = told(page.next())
    assert (beat["type"], beat["topic"]) == ("heartbeat", topic)
    assert list(beat["payload"]) == ["timestamp"]


def test_errors_are_the_texts_that_clients_know(quick: Port) -> None:
    page = quick.page()

    def error(value: object) -> str:
        page.socket.send(value if isinstance(value, str) else json.dumps(value))
        message = page.next()
        assert (message["type"], message["topic"]) == ("error", "error")
        assert list(message["payload"]) == ["error"]
        return message["payload"]["error"]

    assert error({"type": "subscription", "payload": {}}).startswith(
        "1 validation error for WebSocketMessage\ntopic\n  Field required [type=missing, "
        "input_value={'type': 'subscription', 'payload': {}}, input_type=dict]\n"
        "    For further information visit https://errors.pydantic"
    )
    assert error({"type": "nope", "topic": "t", "payload": {}}).startswith(
        "1 validation error for WebSocketMessage\ntype\n  Input should be 'budget_update', "
        "'allocation_update', 'policy_update', 'alert', 'price_update', 'subscription', "
        "'unsubscription', 'authentication', 'error' or 'heartbeat'"
    )
    assert "payload" in error({"type": "heartbeat", "topic": "t"})
    assert "valid dictionary" in error([1])
    assert "valid JSON" in error("{")
    assert "valid JSON" in error("")


def test_other_types_are_silently_ignored(quick: Port) -> None:
    page = quick.page()
    page.say("price_update", x=1)
    page.say("heartbeat")

    assert page.next()["type"] == "heartbeat"


def test_bytes_are_read_like_text(quick: Port) -> None:
    page = quick.page()
    page.socket.send(json.dumps({"type": "heartbeat", "topic": "t", "payload": {}}).encode())

    assert page.next()["type"] == "heartbeat"


def test_a_topic_that_is_none_is_not_joined(quick: Port) -> None:
    """The original answers success, and nothing ever comes."""
    answer = quick.page().asked("subscription", topic="budgets_of_mars")

    assert answer["payload"]["success"] is False
    assert "budget_update_daily" in answer["payload"]["error"]


@pytest.mark.parametrize(
    ("said", "topics"),
    [
        ({"type": "subscribe", "channels": ["budget_updates", "alerts"]}, ["budget_events", "budget_alerts"]),
        ({"type": "subscribe", "data": {"channels": ["prices"]}}, ["price_updates"]),
        ({"type": "subscribe", "data": {"topic": "allocations"}}, ["allocation_updates"]),
        ({"type": "subscription", "data": {"topic": "budget_alerts"}}, ["budget_alerts"]),
    ],
)  # fmt: skip
def test_the_documents_other_forms(quick: Port, said: object, topics: list[str]) -> None:
    page = quick.page("/ws")
    page.socket.send(json.dumps(said))
    answers = [page.next() for _ in topics]

    assert [one["payload"]["topic"] for one in answers] == topics
    assert all(one["payload"]["success"] for one in answers)
    assert all(one["data"] == one["payload"] for one in answers)


@pytest.mark.parametrize(
    "said",
    [
        {"type": "subscribe"},
        {"type": "subscribe", "channels": "alerts"},
        {"type": "subscribe", "channels": [1]},
        {"type": "subscribe", "channels": ["alerts"] * 51},
        {"type": "join", "channels": ["alerts"]},
        {"type": "subscribe", "data": []},
    ],
)
def test_the_other_forms_badly_said(quick: Port, said: object) -> None:
    page = quick.page("/ws")
    page.socket.send(json.dumps(said))

    assert page.next()["type"] == "error"
    assert page.asked("heartbeat")["type"] == "heartbeat"
