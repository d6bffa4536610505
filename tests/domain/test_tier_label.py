"""The label `tier`: given by the table where something asks for it, so that policies concern it."""

import pytest
from tests.domain.world import World, usd

from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.command import Allocate, Together
from tekton_budget.domain.price import TIERS, PriceBook, TierTerm

LIGHT, MID, HEAVY = TIERS
OPUS = {"provider": "anthropic", "model": "claude-3-opus"}


def labels_of(world: World, id_: str) -> dict[str, str]:
    return dict(world.allocations["", id_].labels)


@pytest.fixture
def world() -> World:
    made = World()
    made.price("anthropic/claude-3-opus", input=15, output=75)
    made.price("anthropic/claude-3-haiku", input=1, output=5)
    return made


@pytest.mark.parametrize(
    "fields",
    [
        {"scope": {"tier": [HEAVY, "other"]}},
        {"scope": {"tier": f"!{LIGHT}"}},
        {"per": ("tier",)},
        {"budget": "b"},
    ],
)
def test_a_policy_that_asks_for_tiers_concerns_calls_by_their_model(
    world: World, fields: dict[str, object]
) -> None:
    world.budget("b", {"tier": HEAVY})
    world.policy("p", "1usd/day", **fields)
    granted = world.allocate("a", OPUS, tokens=1000)
    denied = world.allocate("b", OPUS, tokens=100_000)

    assert isinstance(granted, Grant)
    assert granted.tier == HEAVY
    assert [one.policy_id for one in granted.policies] == ["p"]
    assert labels_of(world, "a") == {**OPUS, "tier": HEAVY}
    assert isinstance(denied, Denial)
    world.settle("a", input=5)
    assert world.usage[-1].labels == {**OPUS, "tier": HEAVY}


def test_no_tier_is_given_where_none_is_asked_for_or_no_model_named(world: World) -> None:
    world.policy("all", "100usd/day")
    first = world.allocate("a", OPUS, tokens=1)
    world.policy("p", "1usd/day", scope={"tier": HEAVY})
    second = world.allocate("b", {"provider": "anthropic"}, cost_nano=5)

    assert (first.tier, labels_of(world, "a")) == (None, OPUS)
    assert (second.tier, labels_of(world, "b")) == (None, {"provider": "anthropic"})


def test_what_callers_and_keys_say_stays(world: World) -> None:
    world.policy("p", "1usd/day", scope={"tier": HEAVY})
    said = world.allocate("a", {**OPUS, "tier": "mine"}, tokens=1)

    assert said.tier == "mine"
    assert said.policies == ()


def test_an_operator_s_row_alone_gives_tiers_and_none_takes_them(world: World) -> None:
    terms = [TierTerm(None, "claude-3-opus", None), TierTerm("anthropic", "*", LIGHT)]
    world._book = PriceBook(world.prices, tiers=terms)
    opus = world.allocate("a", OPUS, cost_nano=1)
    haiku = world.allocate("b", {**OPUS, "model": "claude-3-haiku"}, cost_nano=1)

    assert (opus.tier, haiku.tier) == (None, LIGHT)


def test_usage_without_an_allocation_has_its_model_s_tier(world: World) -> None:
    world.policy("p", "1usd/day", scope={"tier": MID})
    world.record("u1", labels={**OPUS, "model": "claude-3-haiku"}, input=1000)
    world.record("u2", labels={"provider": "ollama"}, model_used="x", cost="0.000000007")
    world.record("u3", labels=OPUS, input=1000)
    world.record("u4", labels={"team": "a"}, cost="0.000000009")

    assert [row.labels.get("tier") for row in world.usage] == [MID, MID, HEAVY, None]
    assert world.opened(world.policies[1], "").spent.cost_nano == usd("0.001") + 7


def test_a_fact_has_the_tier_of_its_own_moment(world: World) -> None:
    since_us = world.now_us - 10
    world._book = PriceBook(world.prices, tiers=[TierTerm(None, "claude-3-opus", LIGHT, since_us)])
    for id_, at_us in (("before", since_us - 1), ("since", since_us), ("now", None)):
        world.record(id_, labels=OPUS, input=1, timestamp_us=at_us)

    assert [row.labels["tier"] for row in world.usage] == [HEAVY, LIGHT, LIGHT]


def test_asks_made_together_have_tiers_each(world: World) -> None:
    world.policy("p", "1usd/day", scope={"tier": HEAVY})
    world.run(
        Together(
            "t",
            world.caller,
            commands=(
                Allocate("a", world.caller, labels=OPUS, cost_nano=5),
                Allocate("b", world.caller, labels={"model": "claude-3-haiku"}, cost_nano=5),
            ),
        )
    )

    assert labels_of(world, "a")["tier"] == HEAVY
    assert labels_of(world, "b")["tier"] == MID


def test_a_policy_by_tier_takes_over_what_was_before_anything_asked_for_it(world: World) -> None:
    haiku = {**OPUS, "model": "claude-3-haiku"}
    world.allocate("a", OPUS, cost_nano=100)
    world.allocate("b", haiku, cost_nano=30)
    world.record("u", labels=OPUS, cost="0.000000007")
    world.record("v", labels=haiku, cost="0.000000009")
    world.record("w", labels={}, cost="0.000000009")
    heavy = world.policy("heavy", "1usd/day", scope={"tier": HEAVY})
    each = world.policy("each", "1usd/day", per=("tier",))

    balance = world.opened(heavy, "")
    assert (balance.held.cost_nano, balance.spent.cost_nano) == (100, 7)
    groups = {group: world.opened(each, group) for group in (HEAVY, MID, "")}
    assert [b.spent.cost_nano for b in groups.values()] == [7, 9, 9]
    assert [b.held.cost_nano for b in groups.values()] == [100, 30, 0]
    world.settle("a", cost="0.00000004")
    assert world.opened(heavy, "").spent.cost_nano == 47
    world.check()


@pytest.mark.parametrize(
    ("labels", "caller", "alternatives"),
    [
        ({}, {}, ("claude-3-haiku",)),  # of another tier, which the policy does not concern
        ({"tier": HEAVY}, {}, ("claude-3-haiku",)),
        ({"tier": HEAVY}, {"labels": {"tier": HEAVY}}, ()),
    ],
)
def test_an_alternative_is_judged_by_its_own_tier(
    world: World, labels: dict[str, str], caller: dict[str, object], alternatives: tuple[str, ...]
) -> None:
    world.policy("heavy", "0.001usd/day", scope={"tier": HEAVY})
    answer = world.allocate("a", {**OPUS, **labels}, tokens=1000, caller=Caller(**caller))

    assert isinstance(answer, Denial)
    assert answer.alternatives == alternatives


def test_a_tier_that_the_caller_said_against_the_table_is_that_of_alternatives_too(
    world: World,
) -> None:
    world.policy("mid", "0.001usd/day", scope={"tier": MID})

    assert world.allocate("a", {**OPUS, "tier": MID}, tokens=1000).alternatives == ()


def test_an_alternative_whose_tier_has_a_limit_of_its_own_is_not_named(world: World) -> None:
    world.policy("heavy", "0.001usd/day", scope={"tier": HEAVY})
    world.policy("mid", "5usd/day", scope={"tier": MID})

    assert world.allocate("a", OPUS, tokens=1000).alternatives == ()
