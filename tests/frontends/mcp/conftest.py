"""The official client against the product: over a real port, and over a real process's streams."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from tests.http_server import listening
from tests.keeper import warm_program

from tekton_budget.domain.caller import LOCAL, Role
from tekton_budget.face.budget import AsyncBudget
from tekton_budget.frontends.api import create_app
from tekton_budget.frontends.http.inner import Inner
from tekton_budget.frontends.mcp.desk import Answer, Desk, Memory
from tekton_budget.frontends.mcp.tools import called
from tekton_budget.frontends.port import Port, open_port
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service

SESSIONS, ALONE = "legacy", "2026-07-28"  # the protocol's two eras
ERAS = (SESSIONS, ALONE)
PATIENCE_SECONDS = 50
TEAM_A = {"team": "a"}


@dataclass
class Service:
    """A running service, with hands to set it up."""

    running: Running
    url: str = ""
    port: Port | None = None

    def limit(self, text: str, **fields: object) -> str:
        made = self.running.service.policies.create_policy(LOCAL, {"limit": text, **fields})
        return made.policy.policy_id

    def price(self, model: str = "gpt-5-mini", usd: str = "1", provider: str = "openai") -> None:
        pricing = {"rates": {"input": usd, "output": usd}}
        self.running.service.prices.set_price(LOCAL, provider, model, pricing)

    def key(self, name: str, role: Role = Role.CLIENT, **labels: str) -> str:
        secret = self.running.service.keys.create_key(LOCAL, name, role=role, labels=labels).secret
        if self.port is not None:
            self.port.api.state.doorkeeper.forget()
        return secret

    def face(self, **labels: str) -> AsyncBudget:
        """As the user of this machine."""
        return AsyncBudget(Inner(create_app(self.running)), labels)

    async def use(self, calls: int, usd: str = "0.1", **labels: str) -> None:
        """Some calls of the past."""
        face = self.face(**labels)
        for _ in range(calls):
            await face.record(
                provider="openai",
                model="gpt-5-mini",
                input_tokens=900,
                output_tokens=100,
                cost=usd,
            )


@dataclass
class Agent:
    """A client, with the answers of tools as tests read them."""

    client: Client
    heard: list[Any]

    async def call(self, tool: str, **arguments: Any) -> types.CallToolResult:
        return await self.client.call_tool(tool, arguments)

    async def says(self, tool: str, **arguments: Any) -> str:
        answer = await self.call(tool, **arguments)
        assert not answer.is_error, text_of(answer)
        return text_of(answer)

    async def data(self, tool: str, **arguments: Any) -> dict[str, Any]:
        answer = await self.call(tool, **arguments)
        assert not answer.is_error, text_of(answer)
        return answer.structured_content

    async def denied(self, tool: str, **arguments: Any) -> str:
        answer = await self.call(tool, **arguments)
        assert answer.is_error, text_of(answer)
        return text_of(answer)

    @property
    def updated(self) -> list[str]:
        """Resources that were told to have changed, on the session's own stream."""
        told = [one for one in self.heard if isinstance(one, types.ResourceUpdatedNotification)]
        return [one.params.uri for one in told]


def text_of(answer: types.CallToolResult) -> str:
    return answer.content[0].text


def done(story: Awaitable[Any]) -> Any:
    """A story to its end, which comes."""

    async def whole() -> Any:
        return await asyncio.wait_for(story, PATIENCE_SECONDS)

    return asyncio.run(whole())


async def until(holds: Callable[[], Any]) -> None:
    """Wait for what comes soon."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  (what it waits for is in another process)
            await asyncio.sleep(0.02)


@contextmanager
def serving(database_url: str, **settings: Any) -> Iterator[Service]:
    """All doors on a real port."""
    given = {"log_level": "WARNING", **settings}
    with open_service(load_settings(database_url=database_url, **given)) as running:
        port = open_port(running)
        with listening(port, lifespan="on") as url:
            yield Service(running, url, port)


@asynccontextmanager
async def over_http(
    service: Service, era: str = SESSIONS, *, path: str = "/mcp", **headers: str
) -> AsyncIterator[Agent]:
    """A client of the port; `key` and `labels` among the headers."""
    named = {"key": "X-API-Key", "labels": "X-Budget-Labels", "origin": "Origin", "host": "Host"}
    sent = {named.get(name, name): value for name, value in headers.items()}
    heard: list[Any] = []

    async def hear(message: Any) -> None:
        heard.append(message)

    async with create_mcp_http_client(headers=sent) as http:
        transport = streamable_http_client(f"{service.url}{path}", http_client=http)
        async with Client(transport, mode=era, message_handler=hear) as client:
            yield Agent(client, heard)


@asynccontextmanager
async def over_streams(
    era: str = SESSIONS, *words: str, folder: Path, **variables: str
) -> AsyncIterator[Agent]:
    """A client that starts the command, as an agent's program does."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("BUDGET_") or name == "BUDGET_PRICES"
    }
    command, *before = warm_program()
    server = StdioServerParameters(
        command=command,
        args=[*before, "mcp", *words],
        env={**kept, **variables},
        cwd=folder,
    )
    heard: list[Any] = []

    async def hear(message: Any) -> None:
        heard.append(message)

    async with Client(server, mode=era, message_handler=hear) as client:
        yield Agent(client, heard)


@pytest.fixture
def service(sqlite_url: str) -> Iterator[Service]:
    """On SQLite, over HTTP."""
    with serving(sqlite_url) as one:
        yield one


@pytest.fixture
def quiet(sqlite_url: str) -> Iterator[Service]:
    """On SQLite, without a port."""
    with open_service(load_settings(database_url=sqlite_url), background=False) as running:
        yield Service(running)


@dataclass
class AtDesk:
    """Tools without the protocol around them."""

    desk: Desk

    def call(self, tool: str, **arguments: Any) -> Answer:
        return done(called(self.desk, tool, arguments))

    def says(self, tool: str, **arguments: Any) -> str:
        return self.call(tool, **arguments).text


@pytest.fixture
def at_desk(quiet: Service) -> Callable[..., AtDesk]:
    def seated(*, administers: bool = False, remembers: bool = True, **labels: str) -> AtDesk:
        memory = Memory() if remembers else None
        return AtDesk(Desk(quiet.face(**labels), memory, administers))

    return seated


def numbers(answer: types.CallToolResult) -> Any:
    """What a client reads that knows of no structured content."""
    return json.loads(answer.content[1].text)
