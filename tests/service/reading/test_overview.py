"""Budgets in a few numbers, by period, and what metrics count."""

from decimal import Decimal

import pytest

from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.errors import InvalidInput, NotFound
from tekton_budget.service.passes import Passes
from tekton_budget.service.reporting.overview import BudgetSummary, Overview

from .conftest import NOON_US, TEAM_A, TEAM_B, World

USD = 1_000_000_000


def limited(world: World, *periods: str, budget: str | None = None) -> list[BudgetSummary]:
    """The summaries of policies."""
    return [one for one in summaries(world, *periods, budget=budget) if one.policy_id is not None]


def summaries(world: World, *periods: str, budget: str | None = None) -> list[BudgetSummary]:
    return list(Overview(world.reader).summaries(LOCAL, periods, budget))


def test_a_policy_of_the_period_is_told_in_the_originals_numbers(world: World) -> None:
    made = world.policy(
        limit=None,
        period="daily",
        cost_limit=Decimal(10),
        token_limit=1000,
        name="daily",
        provider="openai",
        component="hermes",
    )
    world.spend("2.5", provider="openai", component="hermes")
    world.hold("1.5", provider="openai", component="hermes")

    (found,) = limited(world, "daily")

    assert (found.policy_id, found.budget_id, found.name) == (made.policy_id, "default", "daily")
    assert (found.provider, found.component, found.tier) == ("openai", "hermes", None)
    assert (found.tokens_used, found.tokens_allocated, found.token_limit) == (100, 200, 1000)
    assert (found.token_share_ppm, found.remaining_tokens) == (100_000, 800)
    assert (found.cost_nano, found.cost_limit_nano) == (2_500_000_000, 10 * USD)
    assert (found.cost_share_ppm, found.remaining_cost_nano) == (250_000, 6 * USD)
    assert (found.token_limit_exceeded, found.cost_limit_exceeded) == (False, False)
    assert found.active_allocations == 1
    assert (found.input_tokens, found.output_tokens) == (60, 40)
    assert found.from_us is not None
    assert found.from_us <= NOON_US < (found.to_us or 0)


def test_what_went_beyond_is_told_so(world: World) -> None:
    world.policy("1usd/day", name="money")
    world.policy("50tokens/week", name="tokens")
    world.policy("0usd/month", name="nothing")
    world.record("3")

    daily, weekly, monthly = summaries(world, "daily", "Weekly", "monthly")

    assert daily.cost_limit_exceeded
    assert (daily.remaining_cost_nano, daily.remaining_tokens) == (0, None)
    assert not weekly.token_limit_exceeded
    assert (monthly.cost_share_ppm, monthly.token_share_ppm) == (1_000_000, None)


def test_each_period_has_an_entry_even_without_a_policy(world: World) -> None:
    world.policy("10usd/week", name="weekly")
    world.record("1", team="a")
    world.record("1", NOON_US - 8 * 86_400_000_000, team="b")

    found = summaries(world, "daily", "weekly", "monthly", "yearly", "rolling")

    assert [(one.period, one.policy_id is None) for one in found] == [
        ("daily", True),
        ("weekly", False),
        ("monthly", True),
        ("yearly", True),
        ("rolling", True),
    ]
    assert [one.cost_nano // USD for one in found] == [1, 1, 1, 2, 2]
    assert found[0].cost_limit_nano is None
    assert (found[0].input_tokens, found[0].output_tokens) == (10, 5)
    (own,) = Overview(world.reader).summaries(TEAM_A, ["yearly"])
    assert own.cost_nano == USD


def test_what_is_on_every_call_comes_first(world: World) -> None:
    world.policy("10usd/day", name="of a", scope={"team": "a"})
    first = [(one.name, one.cost_limit_nano) for one in summaries(world, "daily")]
    world.policy("10usd/day", name="all")
    second = [one.name for one in summaries(world, "daily")]

    assert first == [(None, None), ("of a", 10 * USD)]
    assert second == ["all", "of a"]


def test_a_policy_with_groups_is_told_by_its_fullest(world: World) -> None:
    world.policy("10usd/day", name="each", per=["user"])
    world.spend("1", user="alice")
    world.spend("4", user="bob")
    world.spend("2")

    (found,) = limited(world, "daily")

    assert (found.group, found.cost_nano) == ("bob", 4 * USD)
    assert found.input_tokens is None


@pytest.mark.parametrize(
    ("scope", "known"),
    [
        ({}, True),
        ({"team": "a"}, True),
        ({"team": "a", "provider": "openai"}, True),
        ({"team": "a", "component": "hermes"}, False),
        ({"team": ["a", "b"]}, False),
        ({"team": "!b"}, False),
    ],
)
def test_input_and_output_are_told_where_rollups_know_them(
    quick: World, scope: dict[str, object], known: bool
) -> None:
    quick.policy("10usd/day", scope=scope)
    quick.policy("10usd/24h", name="rolling")
    quick.record("1", team="a", provider="openai", component="hermes")

    daily, rolling = limited(quick, "daily", "rolling")

    assert daily.input_tokens == (10 if known else None)
    assert rolling.input_tokens is None


def test_one_budget_is_told_apart_from_the_others(world: World) -> None:
    world.budget("ours", team="a")
    world.policy("10usd/day", name="of a", budget="ours")
    world.policy("10usd/day", name="all")
    world.record("1", team="a")
    world.record("2", team="b")
    overview = Overview(world.reader)

    assert {one.name for one in summaries(world, "daily")} == {"of a", "all"}
    (ours,) = summaries(world, "daily", budget="ours")
    assert (ours.name, ours.cost_nano) == ("of a", USD)
    (unlimited,) = summaries(world, "monthly", budget="ours")
    assert (unlimited.policy_id, unlimited.cost_nano) == (None, USD)
    (seen,) = overview.summaries(TEAM_A, ["daily"])
    assert seen.name == "of a"  # all that this key can do
    with pytest.raises(NotFound):
        overview.summaries(TEAM_B, ["daily"], "ours")
    with pytest.raises(InvalidInput):
        overview.summaries(LOCAL, ["fortnightly"])


def test_metrics_count_what_holds_waits_and_stands(world: World) -> None:
    world.policy("10usd/day", name="each", per=["user"])
    world.policy("100usd/month", name="all")
    for user, usd in (("alice", "1"), ("bob", "4")):
        world.spend(usd, user=user)
    world.hold("1", user="alice")
    overview = Overview(world.reader)

    counts = overview.counts()

    assert counts.active_allocations == 1
    assert counts.unnumbered_events == len(world.all("outbox"))
    assert [(one.fullest.name, one.fullest.group, one.groups) for one in counts.policies] == [
        ("each", "bob", 2),
        ("all", "", 0),
    ]
    verbs = world.running.service.policies
    Passes(world.reader, world.running.writer, finish=verbs.finish).number_outbox()
    assert overview.counts().unnumbered_events == 0
