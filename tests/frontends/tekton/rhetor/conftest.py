"""Managers over a store of their own, with Rhetor's prices, under a clock that tests move."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import tekton_budget
from tekton_budget.frontends.tekton.rhetor import BudgetManager
from tekton_budget.wiring import open_service

ZONE = "Europe/Berlin"
VARIABLES = (
    "BUDGET_URL", "BUDGET_KEY", "BUDGET_LABELS", "BUDGET_RUN",
    "RHETOR_BUDGET_POLICY", "RHETOR_BUDGET_DAILY_LIMIT", "RHETOR_BUDGET_WEEKLY_LIMIT",
    "RHETOR_BUDGET_MONTHLY_LIMIT",
)  # fmt: skip
# What Rhetor's own table says, USD per 1,000,000 tokens in and out: not what is charged today.
PRICES = {
    ("anthropic", "claude-3-opus-20240229"): (15, 75),
    ("anthropic", "claude-3-sonnet-20240229"): (3, 15),
    ("anthropic", "claude-3-haiku-20240307"): ("0.25", "1.25"),
    ("anthropic", "claude-3-5-sonnet-20240620"): (3, 13),
    ("openai", "gpt-4"): (30, 60),
    ("openai", "gpt-4-turbo"): (10, 30),
    ("openai", "gpt-4o"): (10, 30),
    ("openai", "gpt-3.5-turbo"): ("0.5", "1.5"),
}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    """Whoever runs the tests has variables, a database and a zone of their own."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BUDGET_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("TZ", ZONE)


class Clock:
    """Shows what it is told to."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 11, 10, 15, 30, tzinfo=ZoneInfo(ZONE))

    def move(self, at: datetime) -> None:
        self.at = at.replace(tzinfo=ZoneInfo(ZONE))

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)

    def now_us(self) -> int:
        return round(self.at.timestamp() * 1_000_000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the ledger in this process."""
    made = Clock()
    ours = partial(open_service, clock=made.now_us)
    monkeypatch.setattr("tekton_budget.library.door.open_service", ours)
    return made


def know_prices(budget: tekton_budget.Budget) -> None:
    cards = [
        {"provider": provider, "model": model, "rates": {"input": input_, "output": output}}
        for (provider, model), (input_, output) in PRICES.items()
    ]
    budget.load_prices(cards, source="Rhetor's own table")


Make = Callable[..., BudgetManager]


@pytest.fixture
def make(store_url: str, clock: Clock) -> Iterator[Make]:
    """Makes managers over one store, on both kinds; closes them."""
    with tekton_budget.open(database_url=store_url) as budget:
        know_prices(budget)
    made: list[BudgetManager] = []

    def manager(**fields: Any) -> BudgetManager:
        made.append(BudgetManager(**{"database_url": store_url, **fields}))
        return made[-1]

    yield manager
    for one in made:
        one.close()


@pytest.fixture
def manager(make: Make) -> BudgetManager:
    return make()
