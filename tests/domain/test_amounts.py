"""Amounts and limits: three units at once, where `None` is no limit and 0 allows nothing."""

from hypothesis import given
from hypothesis import strategies as st

from tekton_budget.domain.amounts import NOTHING, UNLIMITED, Amounts, Limits

numbers = st.integers(-100, 100)
amounts = st.builds(Amounts, numbers, numbers, numbers)


@given(amounts, amounts)
def test_what_is_added_can_be_taken_away(one: Amounts, other: Amounts) -> None:
    assert one.plus(other).minus(other) == one
    assert isinstance(one.plus(other), Amounts)


@given(amounts, amounts)
def test_the_smaller_and_the_larger_make_up_both(one: Amounts, other: Amounts) -> None:
    smaller, larger = Amounts.smaller(one, other), Amounts.larger(one, other)

    assert smaller.plus(larger) == one.plus(other)
    assert all(s <= big for s, big in zip(smaller, larger, strict=True))


@given(amounts)
def test_at_least_zero_is_never_negative(one: Amounts) -> None:
    assert not one.at_least_zero().any_negative
    assert one.any_negative == (one.at_least_zero() != one)


def test_a_unit_without_a_limit_stays_without() -> None:
    limits = Limits(5, None, 0)

    assert limits.plus(Amounts(1, 2, 3)) == (6, None, 3)
    assert limits.minus(Amounts(6, 2, 0)) == (-1, None, 0)
    assert UNLIMITED.plus(Amounts(1, 1, 1)) == UNLIMITED
    assert NOTHING == (0, 0, 0)
