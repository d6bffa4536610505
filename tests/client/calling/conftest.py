"""Budgets before the mock provider, in process and at a server, and SDKs that know of neither."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.frontends.gateway.conftest import PRICES, gating
from tests.providers.server import MockProvider, provider

import tekton_budget
from tekton_budget.domain.caller import LOCAL
from tekton_budget.settings import load_settings
from tekton_budget.wiring import open_service


@pytest.fixture
def mock() -> Iterator[MockProvider]:
    with provider() as one:
        yield one


@pytest.fixture
def upstreams(mock: MockProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every provider of this process is the mock."""
    for name, path in {"OPENAI": "/v1", "ANTHROPIC": "", "GEMINI": ""}.items():
        monkeypatch.setenv(f"BUDGET_UPSTREAM_{name}", mock.url + path)
    monkeypatch.setenv("BUDGET_GATEWAY_WAIT", "0.5")


@pytest.fixture(params=["in process", "over HTTP"])
def opened(
    request: pytest.FixtureRequest, mock: MockProvider, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Opens budgets over one store, the same either way: `opened(tekton_budget.open, labels=…)`."""
    url = f"sqlite:///{tmp_path / 'calls.db'}"
    with ExitStack() as closing:
        if request.param == "over HTTP":
            gate = closing.enter_context(gating(url, mock))
            yield lambda open_, **given: open_(gate.url, **given)
            return
        request.getfixturevalue("upstreams")
        with open_service(load_settings(database_url=url), background=False) as running:
            for (seller, model), rates in PRICES.items():
                running.service.prices.set_price(LOCAL, seller, model, {"rates": rates})
        yield lambda open_, **given: open_(database_url=url, **given)


@pytest.fixture
def budget(opened: Callable[..., Any]) -> Iterator[tekton_budget.Budget]:
    with opened(tekton_budget.open) as one:
        yield one
