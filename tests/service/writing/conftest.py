"""A service over a fresh store, with a clock that is moved by hand."""

from collections.abc import Iterator

import pytest

from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service

NOON_US = 1_790_000_000_000_000


class Clock:
    """The store's time in a test."""

    def __init__(self) -> None:
        self.now_us = NOON_US

    def __call__(self) -> int:
        return self.now_us

    def pass_seconds(self, seconds: int) -> None:
        self.now_us += seconds * 1_000_000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def running(store_url: str, clock: Clock) -> Iterator[Running]:
    with open_service(load_settings(database_url=store_url), clock=clock) as opened:
        yield opened


@pytest.fixture
def quick(sqlite_url: str, clock: Clock) -> Iterator[Running]:
    """The same on SQLite alone, where the store does not matter."""
    with open_service(load_settings(database_url=sqlite_url), clock=clock) as opened:
        yield opened
