"""The official clients at an address, and what they read there in a form that can be compared."""

import itertools
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from google import genai
from google.genai import types
from pydantic import BaseModel
from tests.frontends.api_read.conftest import NO_TLS
from tests.frontends.gateway.conftest import Gate
from tests.providers import wire
from tests.providers.server import MockProvider

from tekton_budget.domain.caller import LOCAL

KEY = "sk-theirs"
# USD for 1,000,000 tokens, of every model that these tests call.
RATES = {
    "input": "2.5",
    "output": "10",
    "cache_read": "0.25",
    "cache_write_5m": "3.125",
    "cache_write_1h": "5",
}
MODELS = {
    "openai": """gpt-4o gpt-4o-2024-08-06 gpt-4o-mini gpt-4o-mini-2024-07-18 o3-mini
        o3-mini-2025-01-31 gpt-5 gpt-5-2025-08-07 gpt-5.4 gpt-3.5-turbo-instruct
        text-embedding-3-small""",
    "anthropic": """claude-sonnet-4-0 claude-sonnet-4-20250514 claude-sonnet-4-5
        claude-sonnet-4-5-20250929 claude-sonnet-5""",
    "google": "gemini-2.5-flash gemini-2.5-pro gemini-3-pro-preview gemini-embedding-001",
}


@dataclass
class Sdks:
    """The clients, each by its base URL alone."""

    openai: openai.OpenAI
    anthropic: anthropic.Anthropic
    google: genai.Client


@dataclass
class AsyncSdks:
    openai: openai.AsyncOpenAI
    anthropic: anthropic.AsyncAnthropic
    google: genai.client.AsyncClient


def bases(url: str, prefix: str) -> tuple[str, str, str]:
    """Base URLs of a provider itself, or of the gateway: `prefix` is `/gateway`, or a run's."""
    if not prefix:
        return f"{url}/v1", url, url
    return f"{url}{prefix}/openai/v1", f"{url}{prefix}/anthropic", f"{url}{prefix}/gemini"


@contextmanager
def sdks(url: str, prefix: str = "/gateway", *, key: str = KEY, **options: Any) -> Iterator[Sdks]:
    """Clients that repeat nothing, unless options say so."""
    options.setdefault("max_retries", 0)
    first, second, third = bases(url, prefix)
    with ExitStack() as closing:
        http = closing.enter_context(httpx.Client(verify=NO_TLS, timeout=60))
        http2 = closing.enter_context(httpx2.Client(verify=NO_TLS, timeout=60))
        google = genai.Client(
            api_key=key, http_options=types.HttpOptions(base_url=third, httpx_client=http)
        )
        yield Sdks(
            openai.OpenAI(base_url=first, api_key=key, http_client=http, **options),
            anthropic.Anthropic(base_url=second, api_key=key, http_client=http2, **options),
            google,
        )


@asynccontextmanager
async def async_sdks(url: str, prefix: str = "/gateway") -> AsyncIterator[AsyncSdks]:
    """The asynchronous ones, to be used in the loop that made them."""
    first, second, third = bases(url, prefix)
    async with (
        httpx.AsyncClient(verify=NO_TLS, timeout=60) as http,
        httpx2.AsyncClient(verify=NO_TLS, timeout=60) as http2,
    ):
        google = types.HttpOptions(base_url=third, httpx_async_client=http)
        yield AsyncSdks(
            openai.AsyncOpenAI(base_url=first, api_key=KEY, http_client=http, max_retries=0),
            anthropic.AsyncAnthropic(
                base_url=second, api_key=KEY, http_client=http2, max_retries=0
            ),
            genai.Client(api_key=KEY, http_options=google).aio,
        )


def plain(found: Any) -> Any:  # Any: whatever an SDK answers
    """Its class and all that it holds, times and transport left out."""
    if isinstance(found, BaseModel):
        fields = {name: getattr(found, name) for name in type(found).model_fields}
        fields |= found.model_extra or {}
        left = _TIMES & fields.keys() | fields.keys() & {"sdk_http_response"}
        return type(found).__name__, {n: plain(v) for n, v in fields.items() if n not in left}
    if isinstance(found, dict):
        return {name: plain(value) for name, value in found.items() if name not in _TIMES}
    if isinstance(found, list | tuple):
        return [plain(value) for value in found]
    return found


_TIMES = {"created", "created_at", "completed_at", "create_time"}


def from_the_start(monkeypatch: pytest.MonkeyPatch, mock: MockProvider) -> None:
    """The mock as it was when new: its identifiers, its caches, its bill."""
    mock.clear()
    monkeypatch.setattr(wire, "_IDS", itertools.count(1))


def price_all(gate: Gate) -> None:
    """Every model of these tests at the same rates, so that a bill can be added up."""
    for seller, models in MODELS.items():
        for model in models.split():
            gate.running.service.prices.set_price(LOCAL, seller, model, {"rates": RATES})


def billed(mock: MockProvider) -> tuple[int, int]:
    """Tokens and 10⁻⁹ USD of the mock's bill, each request rounded as the ledger does."""
    assert mock.bill.settled()
    tokens = nano = 0
    for entry in mock.bill.entries:
        tokens += sum(entry.units.values())
        exact = sum(Fraction(RATES[unit]) * 1000 * n for unit, n in entry.units.items())
        nano += round(exact)  # half to even
    return tokens, nano


def camel_to_snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)
