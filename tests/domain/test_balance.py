"""Balances: what one group has in one window, how it slides, and what it leaves to the next."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.domain.world import DAY_US, HOUR_US, MINUTE_US, World, us

from tekton_budget.domain.amounts import NOTHING, UNLIMITED, Amounts, Limits
from tekton_budget.domain.balance import (
    Balance,
    balance_id,
    carry_into,
    opened_balance,
    parts_of,
)
from tekton_budget.domain.period import SUB_WINDOWS
from tekton_budget.domain.policy import Credit, GroupLimits

small = st.integers(0, 50)
amounts = st.builds(Amounts, small, small, small)


@given(st.integers(1, 10**6), st.integers(0, 10**16), st.text(max_size=20))
def test_a_key_is_made_of_its_parts_and_taken_apart_again(
    no: int, opens_us: int, group: str
) -> None:
    assert parts_of(balance_id(no, opens_us, group)) == (no, opens_us, group)


def rolling(length_us: int = HOUR_US) -> Balance:
    return Balance("1:0:", 1, "", 0, None, length_us=length_us)


def test_a_window_counts_all_that_was_spent_in_it() -> None:
    balance = Balance("1:0:", 1, "", 0, 5)
    balance.post(Amounts(1, 2, 3), Amounts(4, 5, 6), 0)
    balance.post(Amounts(1, 0, 0), Amounts(-4, 0, 0), 3)

    assert balance.spent_at(4) == (2, 2, 3)
    assert balance.used_at(4) == (2, 7, 9)
    assert balance.counts_at(0, 10**15)


@given(
    st.lists(st.tuples(st.integers(0, 3 * HOUR_US), amounts), max_size=12), st.integers(0, HOUR_US)
)
def test_a_rolling_balance_never_counts_less_than_its_length_saw(
    posts: list[tuple[int, Amounts]], later: int
) -> None:
    """So it never lets more through in any stretch of its length; and no more than 1/60 longer."""
    balance, posts = rolling(), sorted(posts)
    for at_us, spent in posts:
        balance.post(spent, NOTHING, at_us)
    now_us = (posts[-1][0] if posts else 0) + later
    seen = balance.spent_at(now_us)
    least = sum(spent.tokens for at_us, spent in posts if at_us > now_us - HOUR_US)
    most = sum(spent.tokens for at_us, spent in posts if at_us >= now_us - HOUR_US * 61 // 60 - 1)

    assert least <= seen.tokens <= most
    assert len(balance.sub_windows) <= SUB_WINDOWS + 1


def test_what_is_a_length_old_counts_and_is_not_forgotten_too_early() -> None:
    balance = rolling()
    balance.post(Amounts(1), NOTHING, 0)
    balance.post(Amounts(1), NOTHING, HOUR_US)
    assert balance.spent_at(HOUR_US) == Amounts(2)

    balance.post(Amounts(1), NOTHING, HOUR_US + MINUTE_US)
    assert balance.spent_at(HOUR_US + MINUTE_US) == Amounts(2)
    assert len(balance.sub_windows) == 2


def test_what_counts_no_longer_is_known_before_it_is_forgotten() -> None:
    balance = rolling()
    balance.post(Amounts(1), NOTHING, 0)

    assert balance.counts_at(0, HOUR_US)
    assert not balance.counts_at(0, HOUR_US + MINUTE_US)
    assert balance.spent_at(HOUR_US + MINUTE_US) == NOTHING
    assert balance.spent == Amounts(1)


def test_a_copy_goes_its_own_way() -> None:
    balance = rolling()
    copy = balance.copy()
    copy.post(Amounts(1), NOTHING, 0)

    assert balance == rolling()
    assert copy != balance


@given(
    limit=st.one_of(st.none(), small),
    cap=st.one_of(st.none(), small),
    carry=small,
    spent=small,
    held=small,
    days=st.integers(1, 6),
)
def test_a_carry_is_what_window_after_window_would_leave(
    limit, cap, carry, spent, held, days
) -> None:
    world = World()
    policy = world.made("p", "1usd/day", rollover=True, rollover_cap=Limits(cap))
    policy = world.add(policy)
    world.change("p", limits=Limits(limit))
    opens_us = us("2026-03-02T00:00Z")
    last = opened_balance(world.policies[1], "", opens_us=opens_us, closes_us=opens_us + DAY_US)
    last.carry, last.spent, last.held = Amounts(carry), Amounts(spent), Amounts(held)
    expected, used = carry, spent + held
    for _ in range(days):
        expected = max(0, (limit or 0) + expected - used) if limit is not None else 0
        expected, used = expected if cap is None else min(cap, expected), 0

    found = carry_into(world.policies[1], last, opens_us + days * DAY_US)

    assert found == Amounts(expected)


def test_only_who_rolls_over_carries() -> None:
    world = World()
    policy = world.made("p", "1usd/day")
    last = opened_balance(policy, "", opens_us=0, closes_us=DAY_US)

    assert carry_into(policy, last, DAY_US) is NOTHING
    assert carry_into(world.made("r", "1usd/24h", rollover=True), last, DAY_US) is NOTHING


def test_what_was_carried_into_a_window_stays_when_the_policy_is_replaced_in_it() -> None:
    world = World()
    policy = world.made("p", "1usd/day", rollover=True)
    last = opened_balance(policy, "", opens_us=DAY_US, closes_us=2 * DAY_US)
    last.carry, last.spent = Amounts(0, 7, 0), Amounts(0, 5, 0)
    next_one = replace(policy, no=2, version=2)

    assert carry_into(next_one, last, DAY_US) == Amounts(0, 7, 0)
    assert carry_into(replace(next_one, rollover=False), last, DAY_US) is NOTHING


def test_an_allowance_is_limit_or_exception_and_carry_and_live_credit() -> None:
    world = World()
    policy = world.made("p", "10usd+5tokens/day")
    balance = opened_balance(policy, "", opens_us=0, closes_us=DAY_US)

    assert balance.allowance_at(policy, 0) == policy.limits
    balance.exception = GroupLimits(cost_nano=3)
    assert balance.allowance_at(policy, 0) == (5, 3, None)
    balance.carry = Amounts(1, 2, 3)
    assert balance.allowance_at(policy, 0) == (6, 5, None)
    balance.credits = (Credit("c", Amounts(0, 10, 0), expires_us=7), Credit("d", Amounts(1, 0, 0)))
    assert balance.allowance_at(policy, 6) == (7, 15, None)
    assert balance.allowance_at(policy, 7) == (7, 5, None)
    balance.exception = GroupLimits(unlimited=True)
    assert balance.allowance_at(policy, 0) == UNLIMITED
