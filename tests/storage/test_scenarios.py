"""The scenario tables, played on both stores through the writer."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.scenarios.reader import Scenario, play, scenarios_in
from tests.storage.workbench import Bench, Clock

from tekton_budget.domain.amounts import NOTHING, Amounts, Limits
from tekton_budget.domain.answer import Answer
from tekton_budget.domain.command import Command, LedgerSettings
from tekton_budget.domain.errors import BudgetError
from tekton_budget.domain.ledger import State
from tekton_budget.domain.policy import Budget, GroupLimits, Policy
from tekton_budget.domain.price import Card
from tekton_budget.storage import tables
from tekton_budget.storage.appending import write_balances
from tekton_budget.storage.loading import open_balances
from tekton_budget.storage.policies import Changes
from tekton_budget.storage.rows.prices import insert_cards

SCENARIOS = scenarios_in(Path(__file__).parents[1] / "scenarios")


class StorageDriver:
    """A ledger over a store as the tables' ledger."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = Clock(0)
        self.bench = Bench(url, clock=self.clock)

    def set_now(self, now_us: int) -> None:
        self.clock.now_us = now_us

    def set_settings(self, settings: LedgerSettings) -> None:
        self.bench.close()
        self.bench = Bench(self.url, clock=self.clock, settings=settings)

    def add_budget(self, budget: Budget) -> None:
        self.bench.budget(budget)

    def add_policy(self, policy: Policy) -> None:
        self.bench.add(policy)

    def change_policy(self, policy_id: str, fields: dict[str, object]) -> None:
        def run(changes: Changes) -> None:
            found = [p for p in changes.policies.by_no.values() if p.policy_id == policy_id]
            changes.update_policy(replace(found[-1], **fields))

        self.bench.change(run)

    def add_price(self, price: Card) -> None:
        self.bench.writer.exclusively(lambda alone: insert_cards(alone.session, [price])).result(60)

    def set_exception(self, policy_id: str, group: str, limits: GroupLimits | None) -> None:
        def run(changes: Changes) -> None:
            changes.set_exception(changes.policies.current(policy_id), group, limits)

        self.bench.change(run)

    def execute(self, command: Command) -> Answer | BudgetError:
        return self.bench.run(command)

    def balance(self, policy_id: str, group: str, at_us: int) -> tuple[Amounts, Amounts, Limits]:
        def run(changes: Changes) -> tuple[Amounts, Amounts, Limits]:
            policy = changes.policies.current(policy_id)
            window = changes.policies.window(policy, at_us)
            key = f"{policy.no}:{window.opens_us}:{group}"
            state = State(changes.now_us, changes.policies, changes._alone.cache.book)
            open_balances(changes._session, state, [key])
            found = state.balances[key]
            write_balances(changes._session, state, {key: (NOTHING, NOTHING)})  # it is a touch
            now_us = changes.now_us
            return found.spent_at(now_us), found.held, found.allowance_at(policy, now_us)

        return self.bench.change(run)

    def close(self) -> None:
        try:
            self.bench.check()
        finally:
            self.bench.close()


def emptied(url: str) -> str:
    """The same store as if new: cheaper than a new one for each scenario."""
    with Bench(url, start=False) as bench:
        session = bench.store.connect()
        session.begin(exclusive=True)
        for table in reversed(tables.metadata.sorted_tables):
            if table is not tables.meta:
                session.execute(f"DELETE FROM {table.name}")
        session.execute("UPDATE meta SET policy_generation = 0, price_generation = 0")
        session.commit()
        session.close()
    return url


@pytest.fixture(scope="module")
def sqlite_of_the_module(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('scenarios') / 'budget.db'}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store_of_the_module(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return request.getfixturevalue("sqlite_of_the_module")
    return request.getfixturevalue("postgres_of_the_module")


@pytest.fixture
def driver(store_of_the_module: str) -> Iterator[StorageDriver]:
    driver = StorageDriver(emptied(store_of_the_module))
    yield driver
    driver.close()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_scenario(scenario: Scenario, driver: StorageDriver) -> None:
    play(scenario, driver)
