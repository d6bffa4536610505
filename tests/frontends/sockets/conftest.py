"""Real WebSocket clients, against a server with a port of its own."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from tests.frontends.api_read.conftest import NO_TLS, Served
from tests.http_server import listening
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tekton_budget.frontends.http import following
from tekton_budget.frontends.port import open_port
from tekton_budget.server.connections import SocketProtocol
from tekton_budget.settings import load_settings
from tekton_budget.wiring import open_service

SECONDS = 30


@dataclass
class Page:
    """A WebSocket as a page or program has it."""

    socket: ClientConnection
    seen: list[dict[str, Any]] = field(default_factory=list)

    def next(self) -> dict[str, Any]:
        """The next message, whatever it is."""
        message = json.loads(self.socket.recv(timeout=SECONDS))
        self.seen.append(message)
        return message

    def say(self, type_: str, topic: str = "budget_events", /, **payload: Any) -> None:
        self.socket.send(json.dumps({"type": type_, "topic": topic, "payload": payload}))

    def asked(self, type_: str, topic: str = "budget_events", /, **payload: Any) -> dict[str, Any]:
        """What is answered; pushes that come before it are kept in `seen`."""
        self.say(type_, topic, **payload)
        return self.until(lambda m: m["type"] in (type_, "error"))

    def until(self, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        give_up_at = time.monotonic() + SECONDS
        while time.monotonic() < give_up_at:
            message = self.next()
            if is_it(message):
                return message
        raise AssertionError(f"it never came; there were {self.seen}")

    def hear(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Read on until something like this was there, now or before."""
        while not any(wanted(message) for message in self.seen):
            self.next()

    def pushed(self, type_: str, **fields: Any) -> dict[str, Any]:
        """The next push of a type whose payload says this."""
        return self.until(
            lambda m: (
                m["type"] == type_
                and all(m["payload"].get(name) == value for name, value in fields.items())
            )
        )

    def nothing(self, seconds: float = 0.6) -> bool:
        """Whether nothing comes for a while."""
        try:
            self.seen.append(json.loads(self.socket.recv(timeout=seconds)))
        except TimeoutError:
            return True
        return False

    def closed(self) -> tuple[int, str]:
        """The code and reason by which the server closes."""
        try:
            while True:
                self.next()
        except ConnectionClosed as closed:
            assert closed.rcvd is not None, "it broke"
            return closed.rcvd.code, closed.rcvd.reason


@dataclass
class Port(Served):
    """A server whose WebSockets are served too."""

    def page(self, path: str = "/ws/budget/updates", greet: bool = True, **headers: str) -> Page:
        """Connect; the greeting is taken, if it is to be."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        origin = sent.pop("Origin", None)
        url = self.url.replace("http://", "ws://") + path
        socket = connect(
            url,
            additional_headers=sent,
            origin=origin,
            proxy=None,
            open_timeout=SECONDS,
            close_timeout=1,
        )
        page = Page(self.closing.enter_context(socket))
        if greet:
            assert page.next()["payload"] == {"message": "Connected to Budget WebSocket Server"}
        return page

    def spend(self, cost: str = "0.60", **labels: str) -> None:
        """A usage, posted over HTTP."""
        sent = {"cost": cost, **labels}
        self.http.post("/api/v1/usage/record", json=sent).raise_for_status()


@contextmanager
def served(database_url: str, ping_seconds: float | None = None, **settings: Any) -> Iterator[Port]:
    settings = {"log_level": "WARNING", "relay_seconds": 0.02, **settings}
    with open_service(load_settings(database_url=database_url, **settings)) as running:
        port = open_port(running)
        pings = {"ws_ping_interval": ping_seconds, "ws_ping_timeout": ping_seconds}
        with listening(port, ws=SocketProtocol, **pings) as url, ExitStack() as closing:
            http = closing.enter_context(httpx.Client(base_url=url, timeout=60, verify=NO_TLS))
            yield Port(url, running, http, port, closing)


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.02)


@pytest.fixture
def port(store_url: str) -> Iterator[Port]:
    """On each store."""
    with served(store_url) as one:
        yield one


@pytest.fixture
def quick(sqlite_url: str) -> Iterator[Port]:
    """On SQLite alone, where the store does not matter."""
    with served(sqlite_url) as one:
        yield one


@pytest.fixture
def serving(sqlite_url: str) -> Callable[..., Any]:
    """With settings of its own, on SQLite."""
    return lambda **settings: served(sqlite_url, **settings)
