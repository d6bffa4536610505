"""What a policy's next version takes over, as rules."""

from dataclasses import replace

import pytest
from tests.domain.world import DAY_US, HOUR_US, World, usd

from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.ledger.starting import credits_taken_over
from tekton_budget.domain.policy import Credit


@pytest.mark.parametrize(
    ("limit", "later", "given_until", "until"),
    [
        ("1usd/day", "5usd/day", None, None),  # the same window
        ("1usd/day", "5usd/day", 7, 7),
        ("1usd/day", "1usd/week", None, 14),  # at 10:00, of a day that ends in 14 hours
        ("1usd/day", "1usd/week", 7, 7),
        ("1usd/day", "1usd/week", 20, 14),
        ("1usd/day", "1usd", None, 14),
        ("1usd", "1usd/day", None, None),  # the new window ends it
        ("1usd", "1usd/3h", None, 3),
        ("1usd/24h", "1usd/day", 24, 24),
        ("1usd/24h", "1usd/3h", 24, 3),
    ],
)
def test_credit_taken_over_lasts_no_longer_than_it_would_have(
    limit, later, given_until, until
) -> None:
    world = World()
    before, after = world.policy("p", limit), world.made("p", later, version=2)
    balance = world.opened(before, "")
    ends_us = None if given_until is None else world.now_us + given_until * HOUR_US
    live = Credit("c1", Amounts(0, 5, 0), ends_us, "why")
    balance.credits = (live, Credit("c2", Amounts(0, 5, 0), world.now_us))

    (taken,) = credits_taken_over(before, after, balance, world.now_us)

    assert taken == replace(
        live, expires_us=None if until is None else world.now_us + until * HOUR_US
    )


def test_what_a_version_carried_is_its_followers_too() -> None:
    world = World("2026-03-02T10:00Z")
    world.policy("p", "1usd/day", per=("user",), rollover=True)
    world.opened(world.policies[1], "alice")
    world.opened(world.policies[1], "bob").spent = Amounts(0, usd("0.40"), 0)
    world.now_us += DAY_US
    world.opened(world.policies[1], "alice").spent = Amounts(0, usd("1.50"), 0)
    fields = {"per": ("user",), "rollover": True}
    world.replace_policy("p", "1usd/day", scope={"model": "m"}, **fields)
    last = world.replace_policy("p", "1usd/day", scope={"model": "n"}, **fields)

    assert world.opened(last, "alice").carry == Amounts(0, usd("1"), 0)
    assert world.opened(last, "bob").carry == Amounts(0, usd("0.60"), 0)
    other = world.replace_policy("p", "1usd/day", zone="Asia/Tokyo", **fields)
    assert world.opened(other, "bob").carry is NOTHING
