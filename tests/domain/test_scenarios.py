"""The scenario tables on the pure rules."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.domain.world import World
from tests.scenarios.reader import Scenario, play, scenarios_in

from tekton_budget.domain.amounts import Amounts, Limits
from tekton_budget.domain.answer import Answer
from tekton_budget.domain.command import Command, LedgerSettings
from tekton_budget.domain.errors import BudgetError
from tekton_budget.domain.policy import Budget, GroupLimits, Policy
from tekton_budget.domain.price import Card

SCENARIOS = scenarios_in(Path(__file__).parent.parent / "scenarios")


class PureDriver:
    """The world in memory as the tables' ledger."""

    def __init__(self) -> None:
        self.world = World()

    def set_now(self, now_us: int) -> None:
        self.world.now_us = now_us

    def set_settings(self, settings: LedgerSettings) -> None:
        self.world.settings = settings

    def add_budget(self, budget: Budget) -> None:
        self.world.budgets[budget.budget_id] = budget
        self.world.changed()

    def add_policy(self, policy: Policy) -> None:
        self.world.add(policy)

    def change_policy(self, policy_id: str, fields: dict[str, object]) -> None:
        self.world.change(policy_id, **fields)

    def add_price(self, price: Card) -> None:
        self.world.set_prices([*self.world.prices, price])

    def set_exception(self, policy_id: str, group: str, limits: GroupLimits | None) -> None:
        self.world.exception(policy_id, group, limits)

    def execute(self, command: Command) -> Answer | BudgetError:
        answer = self.world.run(command)
        self.world.check()
        return answer

    def balance(self, policy_id: str, group: str, at_us: int) -> tuple[Amounts, Amounts, Limits]:
        world = self.world
        balance = world.balance(policy_id, group, at_us)
        policy = world.policies[balance.policy_no]
        return (
            balance.spent_at(world.now_us),
            balance.held,
            balance.allowance_at(policy, world.now_us),
        )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_scenario(scenario: Scenario) -> None:
    play(scenario, PureDriver())


def test_titles_are_told_apart() -> None:
    titles = [scenario.title for scenario in SCENARIOS]

    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("scenario", SCENARIOS[:3], ids=lambda scenario: scenario.title)
def test_a_scenario_can_fail(scenario: Scenario) -> None:
    told = [line for line in scenario.lines if line.expected]
    wrong = replace(told[-1], expected="expired spent=77usd")
    lines = tuple(wrong if line is told[-1] else line for line in scenario.lines)

    with pytest.raises(AssertionError, match="but "):
        play(replace(scenario, lines=lines), PureDriver())
