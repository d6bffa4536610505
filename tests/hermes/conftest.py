"""A conversation with the stand-in, in simulated time."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.hermes.stand_in import StandIn, hermes

from tekton_budget.delivery.hermes import HermesState, Pace, Profile, Tool
from tekton_budget.delivery.hermes.client import HermesClient
from tekton_budget.delivery.hermes.registrar import Clocks, Conversation

URL = "http://127.0.0.1:8013"
PROFILE = Profile(
    component_id="budget",
    other_id="budget-8013",
    name="budget",
    type="budget",
    version="0.1.0",
    endpoint=URL,
    capabilities=("budget_allocation", "cost_tracking"),
    metadata={"port": 8013},
    tools=tuple(
        Tool(
            name,
            f"{name} does it",
            {"type": "object", "properties": {"a": {"type": "string"}}},
            f"{URL}/api/mcp/v2/tools/{name}/execute",
            ("budget",),
            {"category": "budget"},
        )
        for name in ("AllocateBudget", "CheckBudget", "health_check")
    ),
)
NAMES = ["budget_AllocateBudget", "budget_CheckBudget", "budget_health_check"]


class World:
    """One or more services and one Hermes, whose clocks are the same and are moved by hand."""

    def __init__(self, stand_in: StandIn) -> None:
        self.hermes = stand_in
        self.runner = asyncio.Runner()
        self.report: Callable[[], Any] = lambda: {"healthy": True, "status": "healthy"}
        self.made: list[Conversation] = []
        self.told: list[HermesState] = []

    def conversation(
        self, profile: Profile = PROFILE, *, timeout_seconds: float = 5.0, pace: Pace | None = None
    ) -> Conversation:
        async def report() -> Any:
            return self.report()

        clocks = Clocks(
            lambda: self.hermes.now, lambda: int(self.hermes.now * 1_000_000), lambda: 0.5
        )
        client = HermesClient(self.hermes.url, timeout_seconds)
        made = Conversation(client, profile, pace or Pace(), report, clocks, self.told.append)
        self.made.append(made)
        return made

    def turn(self, one: Conversation) -> float:
        return self.runner.run(one.turn())

    def run(self, seconds: float, *several: Conversation) -> None:
        """So much time goes by, in which each does what is due."""
        several = several or tuple(self.made)
        end = self.hermes.now + seconds
        while True:
            waits = [self.turn(one) for one in several]
            wait_seconds = min(waits)
            if wait_seconds and self.hermes.now + wait_seconds > end:
                self.hermes.now = end
                return
            self.hermes.now += wait_seconds

    def leave(self, one: Conversation) -> None:
        self.runner.run(one.leave())

    def close(self) -> None:
        for one in self.made:
            self.runner.run(one.close())
        self.runner.close()


@contextmanager
def world_of(stand_in: StandIn) -> Iterator[World]:
    world = World(stand_in)
    try:
        yield world
    finally:
        world.close()


@pytest.fixture
def world() -> Iterator[World]:
    with hermes() as stand_in, world_of(stand_in) as made:
        yield made


@pytest.fixture
def unused_port() -> int:
    """Where nobody listens, for now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
