"""Templates: a new budget begins with Tekton's default policies, and warns."""

from collections import Counter
from decimal import Decimal

import pytest
from tests.service.writing.test_policies import spend

from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.policy import Enforcement
from tekton_budget.service.asking.asks import Ask
from tekton_budget.service.limiting.templates import policies_of
from tekton_budget.wiring import Running

PERIODS = ("hourly", "daily", "weekly", "monthly", "per_session")


def test_tekton_s_template_has_fifteen_token_and_four_cost_policies(running: Running) -> None:
    verbs = running.service.policies
    _, made = verbs.create_budget(LOCAL, name="one", template="tekton")

    tokens = [one for one in made if one.limits.tokens is not None]
    costs = [one for one in made if one.limits.cost_nano is not None]
    assert (len(tokens), len(costs), len(made)) == (15, 4, 19)
    assert {one.enforcement for one in made} == {Enforcement.WARN}
    assert Counter(one.schedule.period.value for one in tokens) == dict.fromkeys(PERIODS, 3)
    assert {one.schedule.period.value: one.limits.cost_nano for one in costs} == {
        "hourly": 500_000_000,
        "daily": 5 * 10**9,
        "weekly": 25 * 10**9,
        "monthly": 100 * 10**9,
    }
    named = {one.name: one.limits.tokens for one in tokens}
    assert named["one local_lightweight monthly"] == 200_000_000
    assert named["one remote_heavyweight per_session"] == 32_000
    assert {one.scope.text() for one in tokens} == {
        "tier=local_lightweight",
        "tier=local_midweight",
        "tier=remote_heavyweight",
    }


def test_two_budgets_may_begin_with_it_and_add_their_own(quick: Running) -> None:
    verbs = quick.service.policies
    verbs.create_budget(LOCAL, name="one", template="tekton")
    own = [{"limit": "1usd/day", "name": "mine"}]
    _, made = verbs.create_budget(LOCAL, name="x" * 200, template="TEKTON", policies=own)

    assert len(made) == 20
    assert made[-1].name == "mine"


def test_it_warns_and_denies_nothing(quick: Running) -> None:
    quick.service.policies.create_budget(LOCAL, name="one", template="tekton")

    asks = (
        Ask(labels={"tier": "remote_heavyweight"}, tokens=150_000),
        Ask(labels={"model": "nobody-knows"}, tokens=5),
        Ask(labels={"model": "m"}, cost=Decimal(60)),
    )
    answers = [quick.service.ledger.allocate(LOCAL, ask).result() for ask in asks]

    assert all(isinstance(answer, Grant) for answer in answers)
    assert answers[0].decision == "warn"  # type: ignore[union-attr]
    assert not isinstance(spend(quick, "500", model="m"), Denial)


def test_an_unknown_template_is_refused_and_makes_nothing(quick: Running) -> None:
    with pytest.raises(InvalidInput, match="tekton"):
        quick.service.policies.create_budget(LOCAL, name="one", template="zeus")

    assert "one" not in {one.name for one in quick.service.catalogue.budgets(LOCAL).items}


def test_the_money_comes_first_so_that_whoever_shows_one_number_shows_it() -> None:
    assert policies_of("tekton", " a ")[0]["name"] == "a hourly"
