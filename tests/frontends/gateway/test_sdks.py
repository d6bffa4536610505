"""The official SDKs as clients, by their base URL alone: they get what they get without us, and it is paid for."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.frontends.gateway.conftest import Gate, gating
from tests.frontends.gateway.sdk_cases import ASYNC_CASES, CASES, played
from tests.frontends.gateway.sdks import (
    Sdks,
    async_sdks,
    billed,
    from_the_start,
    plain,
    price_all,
    sdks,
)
from tests.providers.recorded import NAMES, recording
from tests.providers.scenario import Scenario
from tests.providers.server import provider


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """One gateway for all: what a case spends is told by what is spent after it."""
    path = tmp_path_factory.mktemp("gate") / "budget.db"
    with provider() as mock, gating(f"sqlite:///{path}", mock, prices="embedded") as one:
        price_all(one)
        one.day = one.limit("100usd/day", name="day")  # type: ignore[attr-defined]
        yield one


@pytest.fixture(scope="module")
def straight(gate: Gate) -> Iterator[Sdks]:
    with sdks(gate.mock.url, "") as to:
        yield to


@pytest.fixture(scope="module")
def through(gate: Gate) -> Iterator[Sdks]:
    with sdks(gate.url) as to:
        yield to


def spent(gate: Gate) -> tuple[int, int]:
    tokens, nano, *held = gate.spent(gate.day)  # type: ignore[attr-defined]
    assert held == [0, 0]
    return tokens, nano


class Twice:
    """Does it straight and through the gateway; both must tell the same, and the bill be ours."""

    def __init__(self, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate, self.monkeypatch = gate, monkeypatch

    def begin(self, scenario: Scenario) -> None:
        from_the_start(self.monkeypatch, self.gate.mock)
        self.gate.mock.default = scenario

    def check(self, straight: Any, through: Any, before: tuple[int, int]) -> None:
        assert plain(through) == plain(straight)
        after, bill = spent(self.gate), billed(self.gate.mock)
        assert (after[0] - before[0], after[1] - before[1]) == bill


@pytest.fixture
def twice(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Twice:
    return Twice(gate, monkeypatch)


@pytest.mark.parametrize("name", CASES)
def test_each_use_is_as_without_us(
    gate: Gate, straight: Sdks, through: Sdks, twice: Twice, name: str
) -> None:
    scenario, do = CASES[name]
    twice.begin(scenario)
    found, before = do(straight), spent(gate)
    twice.begin(scenario)
    twice.check(found, do(through), before)


@pytest.mark.parametrize("name", ASYNC_CASES)
def test_each_use_of_the_asynchronous_clients_too(gate: Gate, twice: Twice, name: str) -> None:
    scenario, do = ASYNC_CASES[name]

    async def both() -> None:
        twice.begin(scenario)
        async with async_sdks(gate.mock.url, "") as straight:
            found, before = await do(straight), spent(gate)
        twice.begin(scenario)
        async with async_sdks(gate.url) as through:
            twice.check(found, await do(through), before)

    asyncio.run(both())


@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")  # recordings grow old
@pytest.mark.parametrize("name", [name for name in NAMES if "count" not in name])
def test_recorded_answers_are_as_without_us(
    gate: Gate, straight: Sdks, through: Sdks, twice: Twice, name: str
) -> None:
    told, scenario = recording(name), Scenario(recording=name)
    twice.begin(scenario)
    found, before = played(straight, told), spent(gate)
    twice.begin(scenario)
    twice.check(found, played(through, told), before)
