"""A server over a fresh store, spoken to over real HTTP."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.http_server import listening

from tekton_budget.domain.caller import LOCAL, Role
from tekton_budget.frontends.api import create_app
from tekton_budget.frontends.tekton.protocol import protocol_routers
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service

# Nothing here is encrypted: each client would read every authority of the world first.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


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
        headers = {"X-API-Key": made.secret}
        http = httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=NO_TLS)
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
        app = create_app(running, routers=protocol_routers())
        with listening(app) as url, ExitStack() as closing:
            http = closing.enter_context(httpx.Client(base_url=url, timeout=60, verify=NO_TLS))
            yield Served(url, running, http, app, closing)


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
