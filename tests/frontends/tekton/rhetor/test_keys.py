"""Over HTTP with keys: what a client may do, and what it is told where it may not."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from tests.frontends.tekton.rhetor.conftest import know_prices
from tests.http_server import listening

import tekton_budget
from tekton_budget.domain.errors import Forbidden
from tekton_budget.frontends.api import create_app
from tekton_budget.frontends.tekton.rhetor import BudgetManager, models
from tekton_budget.library import quieten
from tekton_budget.settings import load_settings
from tekton_budget.wiring import open_service

CALL = ("openai", "gpt-4", "hello world")


@pytest.fixture
def server(sqlite_url: str) -> Iterator[tuple[str, str, str]]:
    """Its address, an admin's key, and one of a client that is bound to a team."""
    quieten()
    with (
        open_service(load_settings(database_url=sqlite_url)) as running,
        listening(create_app(running)) as url,
    ):
        with tekton_budget.open(url) as budget:
            know_prices(budget)
            admin = budget.create_key("root", role="admin")["key"]
        with tekton_budget.open(url, key=admin) as budget:
            client = budget.create_key("rhetor", role="client", labels={"team": "a"})["key"]
        yield url, admin, client


def test_a_client_calls_and_records_under_limits_that_others_set(
    server: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, admin, client = server
    warned: list[str] = []
    monkeypatch.setattr(models.logger, "warning", lambda text, *of: warned.append(text % of))
    with BudgetManager(url=url, key=client) as manager:
        assert "ollama/llama3 is free, but this key may not say so" in warned
        with BudgetManager(url=url, key=admin) as administrator:
            administrator.set_budget_limit("daily", 0.008, "openai", "enforce")
        allowed, _ = manager.check_budget(*CALL)
        assert allowed
        manager.record_completion(*CALL, "yes", "ergon")

        assert manager.get_current_usage_total() == 0.00018
        assert [row["component"] for row in manager.get_usage()] == ["ergon"]
        allowed, info = manager.check_budget(*CALL[:2], "a somewhat longer question than before")
        assert not allowed
        assert info["reason"].endswith("limit exceeded") or "limit exceeded:" in info["reason"]
        with pytest.raises(Forbidden):
            manager.set_budget_limit("daily", 100)


def test_the_server_is_found_as_by_every_client(
    server: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, admin, _ = server
    monkeypatch.setenv("BUDGET_URL", url)
    monkeypatch.setenv("BUDGET_KEY", admin)
    monkeypatch.setenv("RHETOR_BUDGET_MONTHLY_LIMIT", "100")
    with BudgetManager("/somewhere/rhetor.db") as manager:
        [row] = manager.get_budget_settings()["monthly"]
        manager.record_usage("openai", "gpt-4", "c", "t", 1, 1, 0.5)

        assert (row["limit_amount"], row["enforcement"]) == (100.0, "warn")
        records = manager.budget.usage_records()["items"]
        assert [one["cost"] for one in records] == [Decimal("0.5")]
