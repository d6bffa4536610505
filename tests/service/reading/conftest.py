"""A running service over a fresh store, with hands to spend, a clock moved by hand, and brute force."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from tekton_budget.domain.answer import Denial, Ended, Grant, Recorded
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.policy import Policy
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.settings import load_settings
from tekton_budget.storage import tables
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.ticket import Ticket
from tekton_budget.wiring import Running, open_service

NOON_US = 1_793_620_800_000_000  # 2026-11-02 12:00 UTC, a Monday
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

TEAM_A = Caller("ka", "a", Role.CLIENT, {"team": "a"})
TEAM_B = Caller("kb", "b", Role.CLIENT, {"team": "b"})


@dataclass
class World:
    """Everything a test of reading needs at hand."""

    running: Running
    clock: "Clock"

    @property
    def reader(self) -> Reader:
        return self.running.reader

    @property
    def now_us(self) -> int:
        return self.clock.now_us

    def pass_seconds(self, seconds: int) -> None:
        self.clock.now_us += seconds * 1_000_000

    def policy(self, limit: str = "10usd/day", **fields: object) -> Policy:
        given = {"limit": limit, **fields}
        budget = given.pop("budget", None)
        return self.running.service.policies.create_policy(LOCAL, given, budget=budget).policy

    def budget(self, name: str, **scope: str) -> str:
        made, _ = self.running.service.policies.create_budget(LOCAL, name=name, scope=scope)
        return made.budget_id

    def price(self, model: str = "gpt-5", provider: str = "openai", usd: str = "1") -> None:
        pricing = {"rates": {"input": usd, "output": usd}}
        self.running.service.prices.set_price(LOCAL, provider, model, pricing)

    def hold(self, usd: str = "1", caller: Caller = LOCAL, **labels: str) -> Grant | Denial:
        ask = Ask(labels=labels, cost=Decimal(usd), tokens=100)
        return self.running.service.ledger.allocate(caller, ask).result()

    def settle(self, grant: Grant, usd: str = "1", caller: Caller = LOCAL, **used: int) -> Ended:
        what = Used(cost=Decimal(usd), **used)
        return self.running.service.ledger.settle(caller, grant.allocation_id, what).result()

    def spend(self, usd: str = "1", caller: Caller = LOCAL, **labels: str) -> Grant | Denial:
        answer = self.hold(usd, caller, **labels)
        if isinstance(answer, Grant):
            self.settle(answer, usd, caller, input_tokens=60, output_tokens=40)
        return answer

    def record(
        self,
        usd: str | None = "1",
        at_us: int | None = None,
        caller: Caller = LOCAL,
        record_id: str | None = None,
        used: dict[str, object] | None = None,
        **labels: str,
    ) -> Recorded:
        return self.recording(usd, at_us, caller, record_id, used, **labels).result()

    def recording(
        self,
        usd: str | None = "1",
        at_us: int | None = None,
        caller: Caller = LOCAL,
        record_id: str | None = None,
        used: dict[str, object] | None = None,
        **labels: str,
    ) -> "Ticket[Recorded | Ended]":
        cost = None if usd is None else Decimal(usd)
        given = {"input_tokens": 10, "output_tokens": 5, **(used or {})}
        what = Used(cost=cost, timestamp_us=at_us, **given)
        verb = self.running.service.ledger.record
        return verb(caller, what, labels=labels, record_id=record_id)

    def all(self, table: str) -> list[dict[str, object]]:
        with self.running.store.engine.connect() as connection:
            found = connection.execute(select(tables.metadata.tables[table]))
            return [dict(row) for row in found.mappings()]

    def change(self, sql: str, **values: object) -> None:
        with self.running.store.engine.begin() as connection:
            assert connection.execute(text(sql), values).rowcount == 1


@dataclass
class Clock:
    """The store's time in a test."""

    now_us: int = NOON_US
    ticks: list[int] = field(default_factory=list)

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def open_world(store_url: str) -> Iterator[Callable[..., World]]:
    opened: list[Running] = []

    def made(**settings: object) -> World:
        clock = Clock()
        running = open_service(load_settings(database_url=store_url, **settings), clock=clock)
        opened.append(running)
        return World(running, clock)

    yield made
    for running in opened:
        running.close()


@pytest.fixture
def world(open_world: Callable[..., World]) -> World:
    return open_world()


@pytest.fixture
def quick(sqlite_url: str) -> Iterator[World]:
    """The same on SQLite alone, where the store does not matter."""
    clock = Clock()
    with open_service(load_settings(database_url=sqlite_url), clock=clock) as running:
        yield World(running, clock)
