"""Components that speak to a whole port, over real HTTP and on each store."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from tests.frontends.api_read.conftest import NO_TLS
from tests.http_server import listening

from tekton_budget.domain.caller import LOCAL, Role
from tekton_budget.frontends.port import open_port
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service

decode = msgspec.json.Decoder(float_hook=Decimal).decode
PREFIXES = ("/api/mcp", "/api/mcp/v2", "/api/v1/mcp", "/api/v1/mcp/v2")


class Component:
    """A component of Tekton, by name, and the budget that it speaks to."""

    def __init__(self, running: Running, http: httpx.Client, closing: ExitStack) -> None:
        self.running = running
        self.closing = closing
        self.http = http
        self.prefix = PREFIXES[0]

    def says(self, type_: str, payload: Any = None, sender: str = "ergon", **more: Any) -> Any:
        """Send a message; the answer, whole."""
        body = {"sender": sender, "message_type": type_, "payload": payload or {}, **more}
        return self.post("/message", body)

    def calls(self, tool: str, **arguments: Any) -> Any:
        """Call a tool; the answer, whole."""
        return self.post("/process", {"toolName": tool, "arguments": arguments})

    def post(self, path: str, body: Any, status: int = 200) -> Any:
        answer = self.http.post(
            self.prefix + path,
            content=msgspec.json.encode(body),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code == status, answer.text
        return decode(answer.content)

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.http.get(self.prefix + path)
        assert answer.status_code == status, answer.text
        return decode(answer.content)

    def limit(self, text: str, **fields: Any) -> str:
        started = self.running.service.policies.create_policy(LOCAL, {"limit": text, **fields})
        return started.policy.policy_id

    def price(
        self, model: str, input_: float, output: float, provider: str = "p", **more: Any
    ) -> None:
        body = {"provider": provider, "model": model, "input": input_, "output": output, **more}
        self.http.post("/api/v1/prices", json=body).raise_for_status()

    def with_key(self, role: Role = Role.CLIENT, **labels: str) -> "Component":
        made = self.running.service.keys.create_key(
            LOCAL, uuid.uuid4().hex, role=role, labels=labels
        )
        headers = {"X-API-Key": made.secret}
        http = httpx.Client(base_url=self.http.base_url, headers=headers, timeout=60, verify=NO_TLS)
        return Component(self.running, self.closing.enter_context(http), self.closing)

    def allocations(self) -> Any:
        return decode(self.http.get("/api/v1/allocations").content)["items"]

    def records(self) -> Any:
        return decode(self.http.get("/api/v1/usage/records").content)["items"]


@contextmanager
def component_of(database_url: str, **settings: Any) -> Iterator[Component]:
    given = {"log_level": "WARNING", "prices": "none", **settings}
    with (
        open_service(load_settings(database_url=database_url, **given)) as running,
        listening(open_port(running), lifespan="on") as url,
        ExitStack() as closing,
    ):
        http = closing.enter_context(httpx.Client(base_url=url, timeout=60, verify=NO_TLS))
        yield Component(running, http, closing)


@pytest.fixture
def ergon(store_url: str) -> Iterator[Component]:
    """On each store."""
    with component_of(store_url) as one:
        yield one


@pytest.fixture
def quick(sqlite_url: str) -> Iterator[Component]:
    """On SQLite alone: what is asked for does not touch the store's own ways."""
    with component_of(sqlite_url) as one:
        yield one
