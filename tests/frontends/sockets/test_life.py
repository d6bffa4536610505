"""How a WebSocket goes on and ends: after a position, too slow, too many, too large, with the server."""

import json
import socket as sockets_of_python
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.frontends.sockets.conftest import Page, Port
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tekton_budget.frontends.api.sockets import door, socket
from tekton_budget.frontends.http import following
from tekton_budget.server import connections


def allocate(port: Port, *ids: str) -> None:
    commands = [{"do": "allocate", "allocation_id": id_, "cost": "0.01"} for id_ in ids]
    port.http.post("/api/v1/batch", json={"commands": commands}).raise_for_status()


def heard(page: Page, *ids: str) -> list[str]:
    """The allocations that are told of until all of these were."""
    page.hear(lambda m: m["payload"].get("allocation_id") == ids[-1])
    return [m["payload"]["allocation_id"] for m in page.seen if m["type"] == "allocation_update"]


def test_a_client_goes_on_where_it_stopped(port: Port) -> None:
    page = port.page("/ws/budget/allocations")
    allocate(port, "one", "two")
    assert heard(page, "one", "two") == ["one", "two"]
    place = page.seen[-1]["position"]
    page.socket.close()
    allocate(port, "three", "four")
    again = port.page(f"/ws/budget/allocations?after={place}")

    assert heard(again, "four") == ["three", "four"]


def test_or_says_so_when_it_subscribes(quick: Port) -> None:
    allocate(quick, "one")
    page = quick.page("/ws/budget/allocations")
    page.say("subscription", topic="allocation_updates", after=0)
    page.pushed("allocation_update", allocation_id="one")
    for wrong in (-1, "1", True, 2**63):
        assert page.asked("subscription", topic="allocation_updates", after=wrong)
        assert page.until(lambda m: m["type"] == "error")["payload"]["error"].startswith("after")


def test_what_was_missed_for_good_is_said(quick: Port) -> None:
    allocate(quick, "one", "two", "three")
    first = quick.page("/ws/budget/allocations?after=0")
    assert heard(first, "three") == ["one", "two", "three"]
    with quick.running.store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM outbox WHERE position < 3")
    page = quick.page("/ws/budget/allocations?after=0")
    error = page.until(lambda m: m["type"] == "error")["payload"]

    assert (error["code"], error["next"]) == ("events_pruned", 2)
    assert heard(page, "three") == ["three"]


def test_a_place_of_another_database_is_said_and_it_goes_on_from_now(quick: Port) -> None:
    allocate(quick, "one")
    heard(quick.page("/ws/budget/allocations?after=0"), "one")
    page = quick.page("/ws/budget/allocations?after=999")
    assert "another database" in page.until(lambda m: m["type"] == "error")["payload"]["error"]
    allocate(quick, "two")

    assert heard(page, "two") == ["two"]


def test_a_reader_who_takes_nothing_is_let_go_and_told_where_to_go_on(
    quick: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "SEND_SECONDS", 0.3)
    monkeypatch.setattr(connections, "LINGER_SECONDS", 30.0)
    quick.http.post("/api/v1/allocations", json={"cost": 1}).raise_for_status()
    slow = _Slow(quick, "/ws/budget/allocations")
    quickly = quick.page("/ws/budget/allocations")
    numbers = iter(range(100_000))
    give_up_at = time.monotonic() + 50
    while len(quick.app.api.sockets) == 2 and time.monotonic() < give_up_at:
        ids = [f"call-{next(numbers)}" for _ in range(400)]
        allocate(quick, *ids)
        assert heard(quickly, ids[-1])[-1] == ids[-1], "it holds up nobody else"
        quickly.seen.clear()
    text = slow.all_that_was_sent()

    assert len(quick.app.api.sockets) == 1
    after = int(text.rpartition(b"too slow: connect again with ?after=")[2].split()[0])
    last = int(text.rpartition(b'"position":')[2].split(b"}")[0])
    assert 400 < after <= last, "nothing between is lost, and not everything comes again"
    again = quick.page(f"/ws/budget/allocations?after={after}")
    assert again.next()["position"] > after


class _Slow:
    """A client that shakes hands and then reads nothing."""

    def __init__(self, port: Port, path: str) -> None:
        address = port.url.removeprefix("http://").split(":")
        self.ended = False
        self.line = sockets_of_python.socket()
        self.line.setsockopt(sockets_of_python.SOL_SOCKET, sockets_of_python.SO_RCVBUF, 4096)
        self.line.connect((address[0], int(address[1])))
        self.line.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert b"101" in self.line.recv(1024)
        port.closing.callback(self.line.close)

    def all_that_was_sent(self) -> bytes:
        self.line.settimeout(2)
        found = b""
        try:
            while piece := self.line.recv(1 << 20):
                found += piece
            self.ended = True
        except TimeoutError:
            pass
        return found


def test_what_is_never_taken_is_not_kept_for_ever(
    quick: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "SEND_SECONDS", 0.2)
    monkeypatch.setattr(connections, "LINGER_SECONDS", 0.2)
    slow = _Slow(quick, "/ws/budget/allocations")
    numbers = iter(range(100_000))
    give_up_at = time.monotonic() + 50
    while len(quick.app.api.sockets) == 1 and time.monotonic() < give_up_at:
        allocate(quick, *[f"call-{next(numbers)}" for _ in range(400)])
    time.sleep(1)

    assert b"too slow" not in slow.all_that_was_sent()
    assert slow.ended


def test_a_client_that_answers_no_ping_is_let_go(serving: Callable[..., Any]) -> None:
    """Every client's library answers them by itself, so one that only listens may do so for ever."""
    with serving(ping_seconds=0.2) as port:
        dead, alive = _Slow(port, "/ws"), port.page()
        give_up_at = time.monotonic() + 20
        while len(port.app.api.sockets) == 2 and time.monotonic() < give_up_at:
            time.sleep(0.05)
        allocate(port, "one")

        assert len(port.app.api.sockets) == 1
        assert alive.pushed("budget_update")
        assert dead.all_that_was_sent()
        assert dead.ended


def test_too_many_are_told_to_come_later(quick: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "SOCKETS_MAX", 2)
    first = quick.page()
    quick.page()
    with pytest.raises(InvalidStatus) as refusal:
        quick.page()
    response = refusal.value.response

    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert json.loads(response.body)["code"] == "sockets_full"
    first.socket.close()
    give_up_at = time.monotonic() + 20
    while len(quick.app.api.sockets) == 2 and time.monotonic() < give_up_at:
        time.sleep(0.01)
    assert quick.page()
    assert "tekton_budget_websockets 2.0" in quick.http.get("/metrics").text


def test_a_message_too_large_ends_the_connection_alone(quick: Port) -> None:
    other = quick.page()
    page = quick.page()
    page.socket.send("x" * (16 << 20) + "y")

    assert page.closed()[0] == 1009
    assert other.asked("heartbeat")["type"] == "heartbeat"


def test_a_store_that_is_away_for_a_while_ends_nothing(
    quick: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tekton_budget.domain.errors import Unavailable
    from tekton_budget.frontends.api.sockets.pushes import Pushes

    monkeypatch.setattr(socket, "AWAY_SECONDS", 0.05)
    of_events, failures = Pushes.of_events, [1, 1]

    def sometimes(*arguments: object) -> object:
        if failures:
            failures.pop()
            raise Unavailable("The store is away; ask again.")
        return of_events(*arguments)

    monkeypatch.setattr(Pushes, "of_events", sometimes)
    page = quick.page("/ws/budget/allocations")
    allocate(quick, "one")

    assert heard(page, "one") == ["one"]
    assert not failures


def test_a_fault_of_ours_ends_one_connection_with_a_word(
    quick: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tekton_budget.frontends.api.sockets.pushes import Pushes

    def broken(*_: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(Pushes, "of_events", broken)
    page = quick.page("/ws/budget/allocations")
    allocate(quick, "one")

    assert page.closed() == (1011, "something went wrong here; it is in the server's log")


def test_nobody_listens_nothing_is_looked_at(quick: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = quick.app.api.state.hub
    page = quick.page()
    assert hub.is_looking
    page.socket.close()
    give_up_at = time.monotonic() + 20
    while hub.is_looking and time.monotonic() < give_up_at:
        time.sleep(0.01)

    assert not hub.is_looking
    assert following.LOOK_SECONDS < 1


def test_the_gateway_s_paths_have_none(quick: Port) -> None:
    url = quick.url.replace("http://", "ws://") + "/gateway/openai/v1/responses"
    with pytest.raises(InvalidStatus) as refusal, connect(url, proxy=None):
        pass

    assert refusal.value.response.status_code == 426
