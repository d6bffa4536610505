"""The gateway over real HTTP, before a provider that speaks the wire formats and keeps its bill."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from tests.frontends.api_read.conftest import NO_TLS
from tests.http_server import listening
from tests.providers.server import MockProvider, provider

from tekton_budget.domain.caller import LOCAL, Role
from tekton_budget.frontends.port import open_port
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service

# USD for 1,000,000 tokens.
PRICES: dict[tuple[str, str], dict[str, str]] = {
    ("openai", "gpt-4o"): {"input": "2.5", "output": "10", "cache_read": "1.25"},
    ("openai", "gpt-4o-mini"): {"input": "0.15", "output": "0.6", "cache_read": "0.075"},
    ("anthropic", "claude-sonnet-5"): {
        "input": "3",
        "output": "15",
        "cache_read": "0.3",
        "cache_write_5m": "3.75",
        "cache_write_1h": "6",
    },
    ("google", "gemini-2.5-flash"): {"input": "0.3", "output": "2.5", "cache_read": "0.03"},
}


@dataclass
class Gate:
    """A gateway under way, and the provider behind it."""

    url: str
    running: Running
    mock: MockProvider
    http: httpx.Client
    closing: ExitStack

    def key(self, name: str = "app", role: Role = Role.CLIENT, **labels: str) -> str:
        """A new key's secret."""
        return self.running.service.keys.create_key(LOCAL, name, role=role, labels=labels).secret

    def limit(self, text: str, **fields: object) -> str:
        """A policy; its id."""
        started = self.running.service.policies.create_policy(LOCAL, {"limit": text, **fields})
        return started.policy.policy_id

    def openai(self, key: str = "sk-theirs", **options: Any) -> openai.OpenAI:
        """The official client, by its base URL alone."""
        options.setdefault("max_retries", 0)
        http = httpx.Client(verify=NO_TLS, timeout=60)
        base = f"{self.url}/gateway/openai/v1"
        client = openai.OpenAI(base_url=base, api_key=key, http_client=http, **options)
        return self.closing.enter_context(client)

    def anthropic(self, key: str = "sk-theirs", **options: Any) -> anthropic.Anthropic:
        """The official client, by its base URL alone."""
        options.setdefault("max_retries", 0)
        http = httpx2.Client(verify=NO_TLS, timeout=60)
        base = f"{self.url}/gateway/anthropic"
        client = anthropic.Anthropic(base_url=base, api_key=key, http_client=http, **options)
        return self.closing.enter_context(client)

    def spent(self, policy_id: str) -> tuple[int, int, int, int]:
        """Tokens and 10⁻⁹ USD spent, then held, of a policy."""
        [view] = self.running.service.standings.of_policy(LOCAL, policy_id).items
        spent, held = view.spent, view.held
        return spent[0], spent[1], held[0], held[1]


def nano(usd: str) -> int:
    """USD in 10⁻⁹."""
    return int(Decimal(usd).scaleb(9))


@contextmanager
def gating(database_url: str, mock: MockProvider, **settings: Any) -> Iterator[Gate]:
    """A gateway over a store until the block ends."""
    settings = {"log_level": "WARNING", "gateway_wait": 0.5, **settings}
    settings["upstreams"] = {
        "openai": f"{mock.url}/v1",
        "anthropic": mock.url,
        "gemini": mock.url,
        "azure": mock.url,
        **settings.get("upstreams", {}),
    }
    with open_service(load_settings(database_url=database_url, **settings)) as running:
        for (seller, model), rates in PRICES.items():
            running.service.prices.set_price(LOCAL, seller, model, {"rates": rates})
        with listening(open_port(running), lifespan="on") as url, ExitStack() as closing:
            http = closing.enter_context(httpx.Client(base_url=url, timeout=60, verify=NO_TLS))
            yield Gate(url, running, mock, http, closing)


@pytest.fixture
def mock() -> Iterator[MockProvider]:
    """The provider."""
    with provider() as one:
        yield one


@pytest.fixture
def gate(sqlite_url: str, mock: MockProvider) -> Iterator[Gate]:
    """On SQLite."""
    with gating(sqlite_url, mock) as one:
        yield one


@pytest.fixture
def gate_on_each(store_url: str, mock: MockProvider) -> Iterator[Gate]:
    """On each store."""
    with gating(store_url, mock) as one:
        yield one


@pytest.fixture
def gates(sqlite_url: str, mock: MockProvider) -> Iterator[Callable[..., Gate]]:
    """With settings of one's own."""
    with ExitStack() as closing:
        yield lambda **settings: closing.enter_context(gating(sqlite_url, mock, **settings))
