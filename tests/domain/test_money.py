"""Money is exact and rounded once; amounts and limits are counted unit by unit."""

from decimal import ROUND_UP, Context, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tekton_budget.domain import errors
from tekton_budget.domain.amounts import NOTHING, UNITS, UNLIMITED, Amounts, Limits
from tekton_budget.domain.money import (
    COST_NANO_MAX,
    NANO_PER_USD,
    nano_ceiling,
    nano_from_usd,
    usd_from_nano,
    usd_text,
)

NANO = st.integers(-COST_NANO_MAX, COST_NANO_MAX)
USD = st.decimals(-4_000_000_000, 4_000_000_000, allow_nan=False)


@pytest.mark.parametrize(
    ("usd", "nearest", "ceiling"),
    [
        ("0", 0, 0),
        ("0.18", 180_000_000, 180_000_000),
        (5, 5_000_000_000, 5_000_000_000),
        (Decimal("1e-9"), 1, 1),
        ("0.0000000005", 0, 1),
        ("0.0000000015", 2, 2),
        ("0.0000000025", 2, 3),
        ("-0.0000000015", -2, -1),
        ("-0.0000000005", 0, 0),
        ("1e-400", 0, 1),
        (
            "0.1000000000000000000000000000000000000000000000000000000000000000000001",
            10**8,
            10**8 + 1,
        ),
    ],
)
def test_dollars_are_rounded_half_to_even_or_up(
    usd: str | int | Decimal, nearest: int, ceiling: int
) -> None:
    assert (nano_from_usd(usd), nano_ceiling(usd)) == (nearest, ceiling)


def test_a_digit_far_behind_decides_a_tie_for_it_is_rounded_only_once() -> None:
    just_above_half = "0.0000000005" + "0" * 100 + "1"

    assert nano_from_usd(just_above_half) == 1


@pytest.mark.parametrize(
    "usd",
    ["", "five", "1,5", "$5", "NaN", "sNaN", "Infinity", "-Infinity", "1e60", "9e999999999"],
)
def test_what_is_no_amount_of_money_is_refused(usd: str) -> None:
    with pytest.raises(ValueError, match="not an amount of money"):
        nano_from_usd(usd)
    with pytest.raises(ValueError, match="not an amount of money"):
        nano_ceiling(usd)


@given(USD)
def test_rounding_is_that_of_exact_fractions(usd: Decimal) -> None:
    exact = Fraction(usd) * NANO_PER_USD

    assert nano_from_usd(usd) == round(exact)
    assert nano_ceiling(usd) == -(-exact.numerator // exact.denominator)


@given(USD)
def test_the_context_of_the_caller_changes_nothing(usd: Decimal) -> None:
    expected = nano_from_usd(usd), nano_ceiling(usd)

    with localcontext(Context(prec=2, rounding=ROUND_UP, traps=[])):
        assert (nano_from_usd(usd), nano_ceiling(usd)) == expected


@given(NANO)
def test_dollars_and_their_text_come_back_as_the_same_amount(cost_nano: int) -> None:
    usd = usd_from_nano(cost_nano)

    assert nano_from_usd(usd) == nano_ceiling(usd) == cost_nano
    assert nano_from_usd(usd_text(cost_nano).replace("$", "").replace(",", "")) == cost_nano
    assert "." not in f"{usd:f}" or not f"{usd:f}".endswith("0")


@pytest.mark.parametrize(
    ("cost_nano", "usd", "text"),
    [
        (0, "0", "$0.00"),
        (1, "0.000000001", "$0.000000001"),
        (23_000, "0.000023", "$0.000023"),
        (100_000_000, "0.1", "$0.10"),
        (48_700_000_000, "48.7", "$48.70"),
        (1_250_000_000_000, "1250", "$1,250.00"),
        (-1_005_000_000, "-1.005", "-$1.005"),
        (-5_000_000_000, "-5", "-$5.00"),
        (COST_NANO_MAX, "4000000000", "$4,000,000,000.00"),
    ],
)
def test_dollars_are_written_in_full(cost_nano: int, usd: str, text: str) -> None:
    assert f"{usd_from_nano(cost_nano):f}" == usd
    assert usd_text(cost_nano) == text


def test_the_largest_cost_leaves_room_for_as_much_again_in_64_bits() -> None:
    assert 2 * COST_NANO_MAX < 2**63


AMOUNTS = st.builds(Amounts, *[st.integers(-(10**18), 10**18)] * 3)


@given(AMOUNTS, AMOUNTS)
def test_amounts_are_added_and_taken_away_unit_by_unit(one: Amounts, other: Amounts) -> None:
    assert one.plus(other) == (one[0] + other[0], one[1] + other[1], one[2] + other[2])
    assert one.plus(other).minus(other) == one
    assert one.plus(NOTHING) == one
    assert one.at_least_zero() == tuple(max(0, value) for value in one)
    assert Amounts.smaller(one, other) == tuple(map(min, one, other))
    assert isinstance(Amounts.smaller(one, other), Amounts)


def test_units_are_named_in_the_order_in_which_they_are_kept() -> None:
    assert tuple(name.removesuffix("_nano") for name in Amounts._fields) == UNITS
    assert Limits._fields == Amounts._fields


@given(AMOUNTS)
def test_a_unit_without_a_limit_stays_without_when_limits_are_raised(more: Amounts) -> None:
    assert UNLIMITED.plus(more) == UNLIMITED
    assert Limits(tokens=0, requests=5).plus(more) == Limits(more[0], None, 5 + more[2])


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (errors.InvalidInput("no"), "invalid"),
        (errors.NotFound("no"), "not_found"),
        (errors.Conflict("no"), "conflict"),
        (errors.Unauthenticated("no"), "key_needed"),
        (errors.Forbidden("no"), "forbidden"),
        (errors.Unavailable("no"), "unavailable"),
    ],
)
def test_a_refusal_is_read_as_its_detail_and_told_apart_by_its_code(
    refusal: errors.BudgetError, code: str
) -> None:
    assert isinstance(refusal, errors.BudgetError)
    assert (str(refusal), refusal.code, refusal.fields) == ("no", code, ())


def test_a_refusal_carries_its_fields_and_the_facts_of_the_case() -> None:
    fault = errors.FieldFault("period", "is not known")
    away = errors.Unavailable("busy", retry_after_seconds=3, queue=9)

    assert errors.Conflict("no", fault, code="taken", id="a").fields == (fault,)
    assert errors.NotFound("no", id="a").extra == {"id": "a"}
    assert away.extra == {"retry_after_seconds": 3, "queue": 9}
    assert errors.invalid("period", "is not known").fields == (fault,)
    assert str(errors.invalid("period", "is not known")) == "period: is not known"
