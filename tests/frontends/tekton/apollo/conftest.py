"""Managers over a store of their own, under a clock that tests move."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tekton_budget.frontends.tekton import apollo
from tekton_budget.frontends.tekton.apollo import TokenBudgetManager
from tekton_budget.wiring import open_service

VARIABLES = ("BUDGET_URL", "BUDGET_KEY", "BUDGET_LABELS", "BUDGET_RUN", "TEKTON_DATA_DIR")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> Iterator[None]:
    """Whoever runs the tests has variables, a database and a zone of their own."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BUDGET_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Clock:
    """Shows what it is told to."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 11, 10, 15, 30, tzinfo=UTC)

    def move(self, at: datetime) -> None:
        self.at = at.replace(tzinfo=UTC)

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)

    def local(self) -> datetime:
        return self.at.replace(tzinfo=None)

    def now(self) -> datetime:
        return self.at

    def now_us(self) -> int:
        return int(self.at.timestamp() * 1_000_000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the ledger in this process, and of the host."""
    made = Clock()
    ours = partial(open_service, clock=made.now_us)
    monkeypatch.setattr("tekton_budget.library.door.open_service", ours)
    monkeypatch.setattr(apollo.clock, "now", made.now)
    return made


@pytest.fixture
def manager(
    store_url: str, clock: Clock, tmp_path: Any
) -> Iterator[Callable[..., TokenBudgetManager]]:
    """Makes managers over one store, on both kinds; closes them."""
    made: list[TokenBudgetManager] = []

    def make(**fields: Any) -> TokenBudgetManager:
        given = {"data_dir": str(tmp_path), "database_url": store_url, **fields}
        made.append(TokenBudgetManager(**given))
        return made[-1]

    yield make
    for one in made:
        one.close()
