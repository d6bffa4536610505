"""A server over a fresh store, spoken to over real HTTP."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn

from tekton_budget.domain.caller import LOCAL, Role
from tekton_budget.frontends.api import create_app
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service


@dataclass
class Served:
    """A server under way: its service, and a client without a key."""

    url: str
    running: Running
    http: httpx.Client
    app: Any
    closing: ExitStack

    def key(self, name: str, role: Role = Role.CLIENT, **labels: str) -> httpx.Client:
        """A client with a new key of its own."""
        made = self.running.service.keys.create_key(LOCAL, name, role=role, labels=labels)
        http = httpx.Client(base_url=self.url, headers={"X-API-Key": made.secret}, timeout=60)
        return self.closing.enter_context(http)

    def limit(self, text: str, **fields: object) -> str:
        """A policy; its id."""
        started = self.running.service.policies.create_policy(LOCAL, {"limit": text, **fields})
        return started.policy.policy_id


@contextmanager
def served(database_url: str, **settings: Any) -> Iterator[Served]:
    """Serve a store until the block ends."""
    settings = {"log_level": "WARNING", **settings}
    with open_service(load_settings(database_url=database_url, **settings)) as running:
        app = create_app(running)
        with listening(app) as url, ExitStack() as closing:
            http = closing.enter_context(httpx.Client(base_url=url, timeout=60))
            yield Served(url, running, http, app, closing)


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """Listen on a free port in a thread; the address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)  # who connects before the server runs waits
    config = uvicorn.Config(app, log_level="warning", lifespan="off", ws="none", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def server(store_url: str) -> Iterator[Served]:
    """On each store."""
    with served(store_url) as one:
        yield one


@pytest.fixture
def quick(sqlite_url: str) -> Iterator[Served]:
    """On SQLite alone, where the store does not matter."""
    with served(sqlite_url) as one:
        yield one


@pytest.fixture
def serving(sqlite_url: str) -> Callable[..., Any]:
    """With settings of its own, on SQLite."""
    return lambda **settings: served(sqlite_url, **settings)
