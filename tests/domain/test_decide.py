"""The decision: what each policy wants, what all of them come to, the largest ask that fits."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.world import World

from tekton_budget.domain.amounts import UNLIMITED, Amounts, Limits
from tekton_budget.domain.decide import (
    Decision,
    Judgement,
    crossed,
    decide,
    largest_fit,
    passes,
    stands_at_threshold,
)
from tekton_budget.domain.period import Window
from tekton_budget.domain.policy import Enforcement, PerMissing, Policy, Status
from tekton_budget.domain.policy_set import Concern

small = st.integers(0, 20)
amounts = st.builds(Amounts, small, small, small)
limits = st.builds(Limits, *[st.one_of(st.none(), small)] * 3)


def judgement(
    asked: int, limit: int = 10, spent: int = 0, held: int = 0, **fields: object
) -> Judgement:
    missing = bool(fields.pop("missing", False))
    policy: Policy = World().made("p", f"{limit}tokens/day", **fields)
    concern = Concern(policy, "", Window(0, 1), "1:0:", missing)
    return Judgement(concern, Amounts(asked), Amounts(spent), Amounts(held), Limits(limit))


def decided(*judgements: Judgement, priority: int = 5, shadow: bool = False) -> Decision:
    return decide(judgements, priority=priority, shadow=shadow).decision


@given(limits, amounts, amounts)
def test_a_limit_is_passed_when_any_limited_unit_is(allowance, used, asked) -> None:
    by_hand = any(
        limit is not None and u + a > limit
        for limit, u, a in zip(allowance, used, asked, strict=True)
    )

    assert passes(allowance, used, asked) == by_hand
    assert not passes(UNLIMITED, used, asked)


@given(amounts, amounts, amounts, st.tuples(*[st.sampled_from([None, 0, 1, -1])] * 3))
def test_a_call_is_denied_by_the_smallest_unit_too_much_of_anything(
    spent, held, asked, room
) -> None:
    """The decision itself, to the last token, 10⁻⁹ USD and request."""
    used = spent.plus(held).plus(asked)
    allowance = Limits(*(None if r is None else u + r for u, r in zip(used, room, strict=True)))
    view = judgement(0)._replace(asked=asked, spent=spent, held=held, allowance=allowance)

    assert (decided(view) is Decision.DENY) == (-1 in room)


@pytest.mark.parametrize(
    ("enforcement", "decision"),
    [
        (Enforcement.IGNORE, Decision.ALLOW),
        (Enforcement.WARN, Decision.WARN),
        (Enforcement.SOFT_LIMIT, Decision.DOWNGRADE),
        (Enforcement.HARD_LIMIT, Decision.DENY),
    ],
)
def test_passing_does_what_the_enforcement_says(enforcement, decision) -> None:
    assert decided(judgement(11, enforcement=enforcement)) is decision
    assert decided(judgement(7, enforcement=enforcement)) is Decision.ALLOW


def test_the_hardest_passed_policy_speaks_whatever_the_order() -> None:
    for chosen in product(Enforcement, repeat=3):
        ones = [judgement(11, enforcement=enforcement) for enforcement in chosen]
        order = list(Enforcement)
        hardest = max(chosen, key=order.index)

        assert decided(*ones) is decided(judgement(11, enforcement=hardest))


@pytest.mark.parametrize(
    ("fields", "decision"),
    [
        ({"status": Status.STARTING}, Decision.ALLOW),
        ({"enabled": False}, Decision.ALLOW),
        ({"shadow": True}, Decision.WARN),
        ({"bypass_priority": 5}, Decision.WARN),
        ({"bypass_priority": 6}, Decision.DENY),
        ({"shadow": True, "enforcement": Enforcement.SOFT_LIMIT}, Decision.WARN),
        ({"shadow": True, "thresholds_ppm": ()}, Decision.WARN),
    ],
    ids=str,
)
def test_who_does_not_judge_and_who_is_let_by(fields, decision) -> None:
    assert decided(judgement(11, **fields)) is decision


def test_shadow_names_who_would_have_denied() -> None:
    passed, missing = judgement(11), judgement(1, missing=True, per_missing=PerMissing.DENY)
    verdict = decide([passed, missing], priority=5, shadow=True)

    assert verdict.would_deny == (passed, missing)
    assert verdict.denied == ()
    assert verdict.decision is Decision.WARN


def test_priority_names_whom_it_passed() -> None:
    one = judgement(11, bypass_priority=5)

    assert decide([one], priority=5, shadow=False).bypassed == (one,)


@pytest.mark.parametrize(
    ("asked", "spent", "held", "thresholds", "stands"),
    [
        (0, 0, 0, (0,), False),
        (1, 0, 0, (0,), True),
        (1, 3, 3, (800_000,), False),
        (2, 3, 3, (800_000,), True),
        (0, 8, 0, (800_000, 950_000), True),
        (10, 0, 0, (), False),
        (11, 0, 0, (), True),
    ],
)
def test_a_policy_warns_from_its_lowest_threshold_on(
    asked, spent, held, thresholds, stands
) -> None:
    one = judgement(asked, spent=spent, held=held, thresholds_ppm=thresholds)

    assert stands_at_threshold(one) is stands
    assert decided(one) is (Decision.WARN if stands and asked < 11 else decided(one))


def test_a_judgement_knows_what_is_in_the_way() -> None:
    one = judgement(5, spent=4, held=4)

    assert one.passed
    assert one.remaining == Limits(2)
    assert not one.blocked_by_spent
    assert judgement(5, spent=6).blocked_by_spent
    assert not one.never_fits
    assert judgement(11).never_fits


@given(limits, amounts, st.lists(st.integers(1, 1_000_000), max_size=4).map(sorted))
def test_each_threshold_that_is_reached_has_its_bit(allowance, used, thresholds) -> None:
    bits = crossed(allowance, used, tuple(thresholds))

    for position, threshold in enumerate(thresholds):
        reached = any(
            limit is not None and u > 0 and u * 1_000_000 >= limit * threshold
            for limit, u in zip(allowance, used, strict=True)
        )
        assert bool(bits >> position & 1) == reached


@given(st.integers(0, 10**6), st.integers(-1, 10**6))
def test_the_largest_fit_fits_and_one_more_does_not(size: int, border: int) -> None:
    assert largest_fit(size, lambda n: n <= border) == min(size, border)


def test_a_rule_that_changes_its_mind_is_found_out() -> None:
    answers = iter([True, True, False, False])

    with pytest.raises(AssertionError, match="must fit"):
        largest_fit(2, lambda _: next(answers))
