"""What an ask may use at most, in every unit, and shrunk."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.world import World

from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.command import Allocate
from tekton_budget.domain.estimate import (
    Prices,
    asked_by,
    asked_by_each,
    assert_sound,
    cost_of,
    counts_of,
    shrinkable,
    states_cost,
    states_tokens,
)
from tekton_budget.domain.policy import Unpriced
from tekton_budget.domain.price import Card, Rate, Rates, nano_half_even
from tekton_budget.domain.usage import NO_TOKENS, TokenCounts


def card(name: str, **usd: str) -> Card:
    return Card(name, "p", name, Rates({unit: Rate(Decimal(rate)) for unit, rate in usd.items()}))


OWN = card("own", input="3e-9", output="7e-9", request="1e-9")
OTHER = card("other", input="5e-9", output="5e-9")
numbers = st.integers(0, 10**6)


def ask(**fields: object) -> Allocate:
    return Allocate("a", LOCAL, **fields)


asks = st.one_of(
    st.builds(lambda i, o: ask(input_tokens=i, max_output_tokens=o), numbers, numbers),
    st.builds(lambda t: ask(tokens=t), numbers),
    st.builds(lambda c: ask(cost_nano=c), numbers),
    st.builds(lambda t, c: ask(tokens=t, cost_nano=c), numbers, numbers),
    st.builds(
        lambda i, o, c: ask(input_tokens=i, max_output_tokens=o, cost_nano=c),
        numbers, numbers, numbers,
    ),
)  # fmt: skip


@given(asks, st.data())
def test_a_smaller_ask_never_takes_more(one: Allocate, data: st.DataObject) -> None:
    """On this stand both the clamp and the largest fit."""
    policy = World().made("p", "1usd/day")
    whole = shrinkable(one)
    less = data.draw(st.integers(0, whole))
    more = data.draw(st.integers(less, whole))
    small, large = (asked_by(one, policy, Prices(0, OWN), size) for size in (less, more))

    assert all(s <= big for s, big in zip(small, large, strict=True))
    assert asked_by(one, policy, Prices(0, OWN), whole) == asked_by(
        one, policy, Prices(0, OWN), None
    )


@given(numbers, numbers, numbers, numbers)
def test_a_hold_covers_any_usage_within_the_ask(given_, made, less, fewer) -> None:
    one = ask(input_tokens=given_, max_output_tokens=made)
    used = TokenCounts(input=min(given_, less), output=min(made, fewer))

    assert nano_half_even(OWN.grains_of_counts(used, 1, at_us=0)) <= cost_of(
        one, counts_of(one, None), None, OWN, 0
    )


def test_kinds_are_known_as_far_as_they_are_stated() -> None:
    assert counts_of(ask(input_tokens=5, max_output_tokens=7), 3) == TokenCounts(5, 3)
    assert counts_of(ask(max_output_tokens=7), None) == TokenCounts(0, 7)
    assert counts_of(ask(tokens=9), 4) == TokenCounts(other=4)
    assert counts_of(ask(tokens=9), None) == TokenCounts(other=9)
    assert counts_of(ask(input_tokens=5), None) == TokenCounts(5)
    assert counts_of(ask(), None) == NO_TOKENS


def test_what_is_stated_is_known() -> None:
    assert states_tokens(ask(tokens=0))
    assert states_tokens(ask(input_tokens=0, max_output_tokens=0))
    assert not states_tokens(ask(max_output_tokens=1))
    assert states_cost(ask(cost_nano=0), None)
    assert states_cost(ask(tokens=1), OWN)
    assert not states_cost(ask(tokens=1), None)
    assert not states_cost(ask(), OWN)


def test_a_stated_cost_shrinks_with_the_tokens_rounded_up() -> None:
    one = ask(input_tokens=2, max_output_tokens=8, cost_nano=99)

    assert cost_of(one, counts_of(one, 1), 1, None, 0) == 30
    assert cost_of(ask(cost_nano=99), NO_TOKENS, 40, None, 0) == 40
    nothing = ask(tokens=0, cost_nano=99)
    assert cost_of(nothing, counts_of(nothing, 0), 0, None, 0) == 99
    assert cost_of(ask(tokens=5), TokenCounts(other=5), None, None, 0) == 0


def test_each_policy_sizes_with_the_price_it_may_use() -> None:
    world = World()
    lax = world.made("lax", "1usd/day", unpriced=Unpriced.ALLOW)
    best = world.made("best", "1usd/day", unpriced=Unpriced.HIGHEST)
    own = world.made("own", "1usd/day")
    output = world.made("output", "1usd/day", tokens_counted=("output",))
    one = ask(input_tokens=10, max_output_tokens=10)
    prices = Prices(0, None, None, OWN, ((own.no, OTHER),))

    found = asked_by_each(one, [lax, best, own, output, best], prices, None)

    assert [amounts.cost_nano for amounts in found] == [0, 141, 100, 0, 141]
    assert [amounts.tokens for amounts in found] == [20, 20, 20, 10, 20]
    assert Prices(0, None, OTHER, OWN).price_for(best) is OTHER
    assert Prices(0, OWN, OTHER).price_for(lax) is OWN


@pytest.mark.parametrize(
    "fields",
    [{"tokens": -1}, {"cost_nano": -1}, {"requests": -1}, {"tokens": 1, "max_output_tokens": 1}],
    ids=str,
)
def test_what_the_door_refuses_may_not_come_this_far(fields) -> None:
    with pytest.raises(AssertionError):
        assert_sound(ask(**fields))
