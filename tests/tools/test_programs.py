"""Real programs, as they come from their registries, under a cap: all they spend comes through it, and no more."""

import pytest
from tests.providers.scenario import Scenario
from tests.tools.conftest import Desk
from tests.tools.programs import PROGRAMS, Program

pytestmark = [pytest.mark.registry, pytest.mark.timeout(900)]
ANSWER = "All is well."
_COUNTS = {"anthropic.count", "gemini.count", "openai.count"}
each = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())


@each
def test_its_calls_come_through_and_are_what_the_provider_bills(
    desk: Desk, program: Program
) -> None:
    model = program.model.replace(":", "/").rpartition("/")[2]
    turns = [Scenario(text="I look.", tools=1)] * (program.turns - 1)
    desk.mock.default = Scenario(text=ANSWER)
    desk.mock.plays(model, *turns, Scenario(text=ANSWER))
    told = desk.tried(program, "5")
    assert ANSWER in told.printed, told.printed
    assert told.code == 0, told.printed
    assert desk.mock.bill.settled()
    assert [it.end for it in desk.mock.bill.entries if it.status != 200] == []
    assert told.run["calls"] >= program.turns
    assert told.run["refused"] == 0
    assert told.run["total_tokens"] == sum(desk.mock.bill.units().values())
    assert told.run["cost"] > 0


@each
def test_over_its_cap_it_is_told_so_and_ends(desk: Desk, program: Program) -> None:
    told = desk.tried(program, "0.000001")
    assert told.run["refused"] >= 1, told.printed
    assert told.run["cost"] == 0
    assert desk.mock.bill.reached_by_api.keys() <= _COUNTS
    assert told.code not in (124, 127), told.printed
    if program.tells:
        assert "Over budget: this call " in told.printed
    print(f"{told.run['refused']} refused, exit {told.code}:\n{told.printed}")
