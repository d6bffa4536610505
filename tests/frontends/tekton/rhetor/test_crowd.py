"""A program of Rhetor's, unchanged but for its import, from fifty threads: the hard limit holds."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from tests.frontends.tekton.rhetor.conftest import know_prices
from tests.http_server import listening

import tekton_budget
from tekton_budget.frontends.api import create_app
from tekton_budget.frontends.tekton.rhetor import BudgetManager
from tekton_budget.library import quieten
from tekton_budget.settings import load_settings
from tekton_budget.wiring import open_service

THREADS = 50
CALLS_THAT_FIT = 10
PROMPT = "hello world"  # an estimate of 0.00768 USD by gpt-4
ESTIMATE = Decimal("0.00768")
LIMIT = ESTIMATE * CALLS_THAT_FIT


@pytest.fixture(params=["in process", "over HTTP"])
def budget(request: pytest.FixtureRequest, store_url: str) -> Iterator[tekton_budget.Budget]:
    quieten()
    if request.param == "in process":
        with tekton_budget.open(database_url=store_url) as opened:
            yield opened
        return
    with (
        open_service(load_settings(database_url=store_url)) as running,
        listening(create_app(running)) as url,
        tekton_budget.open(url) as opened,
    ):
        yield opened


@pytest.fixture
def manager(budget: tekton_budget.Budget) -> Iterator[BudgetManager]:
    know_prices(budget)
    with BudgetManager(budget=budget) as made:
        made.set_budget_limit("daily", float(LIMIT), "openai", "enforce")
        yield made


def test_checks_at_once_are_not_all_allowed_the_same_money(manager: BudgetManager) -> None:
    together = threading.Barrier(THREADS)
    checked = threading.Barrier(THREADS)

    def work(number: int) -> tuple[bool, int]:
        """What Rhetor's callers do, again and again until they are told to stop."""
        calls = 0
        together.wait()
        allowed, _ = manager.check_budget("openai", "gpt-4", PROMPT, f"part-{number}", "chat")
        first = allowed
        checked.wait()  # the calls to the model take their time: all have checked by now
        while allowed:
            manager.record_completion(
                "openai", "gpt-4", PROMPT, "a" * 250, f"part-{number}", "chat"
            )
            calls += 1
            allowed, _ = manager.check_budget("openai", "gpt-4", PROMPT, f"part-{number}", "chat")
        return first, calls

    with ThreadPoolExecutor(THREADS) as pool:
        done = list(pool.map(work, range(THREADS)))
    records = manager.get_usage("daily", "openai")
    spent = Decimal(str(manager.get_current_usage_total("daily", "openai")))

    assert sum(first for first, _ in done) == CALLS_THAT_FIT
    assert len(records) == sum(calls for _, calls in done)
    assert spent <= LIMIT
    assert spent + ESTIMATE > LIMIT  # and all of it could be spent
    assert manager.budget.allocations(is_active=True)["items"] == []
    assert manager.budget.verify()["ok"]


def test_routes_at_once_go_to_another_model_when_the_money_is_gone(manager: BudgetManager) -> None:
    together = threading.Barrier(THREADS)

    def work(number: int) -> tuple[str, str]:
        together.wait()
        provider, model, warnings = manager.route_with_budget_awareness(
            PROMPT, "code", "openai", "gpt-4", "ergon"
        )
        manager.record_completion(provider, model, PROMPT, "a" * 500, "ergon", "code")
        assert bool(warnings) == (provider != "openai")
        return provider, model

    with ThreadPoolExecutor(THREADS) as pool:
        chosen = list(pool.map(work, range(THREADS)))

    assert chosen.count(("openai", "gpt-4")) == CALLS_THAT_FIT
    assert chosen.count(("anthropic", "claude-3-haiku-20240307")) == THREADS - CALLS_THAT_FIT
    assert Decimal(str(manager.get_current_usage_total("daily", "openai"))) == LIMIT
    assert manager.budget.allocations(is_active=True)["items"] == []


def test_limits_that_are_set_at_once_leave_one_in_force(manager: BudgetManager) -> None:
    amounts = [float(number) for number in range(1, 9)]
    with ThreadPoolExecutor(len(amounts)) as pool:
        list(pool.map(lambda amount: manager.set_budget_limit("weekly", amount), amounts))
    settings = manager.get_budget_settings()
    policies = manager.budget.policies(budget_id="rhetor", period="weekly", enabled=True)

    assert len(settings["weekly"]) == 1
    assert settings["weekly"][0]["limit_amount"] in amounts
    assert len(policies["items"]) == 1


def test_calls_that_cost_more_than_rhetor_estimates_are_held_as_large_as_the_last_ones(
    manager: BudgetManager,
) -> None:
    """A usage is a fact, so only the first could pass the limit: from then on it is known."""
    cost, calls = 0.01, THREADS
    manager.set_budget_limit("daily", 0.295, "openai", "enforce")
    manager.record_usage("openai", "gpt-4", "ergon", "chat", 1, 1, cost)

    def work(number: int) -> int:
        if not manager.check_budget("openai", "gpt-4", f"{PROMPT} {number}", "ergon", "chat")[0]:
            return 0
        manager.record_usage("openai", "gpt-4", "ergon", "chat", 1, 1, cost)
        return 1

    with ThreadPoolExecutor(calls) as pool:
        made = sum(pool.map(work, range(calls)))

    assert made == 28
    assert manager.get_current_usage_total("daily", "openai") == 0.29
