"""Prices: dated, known since, exact to the last digit, found by model and provider."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.price import (
    ATTO_PER_NANO,
    Price,
    PriceBook,
    atto_per_token,
    nano_half_even,
    nano_up,
    rates_json,
    usd_per_million,
)
from tekton_budget.domain.usage import TokenCounts

rates = st.integers(0, 10**7)
counts = st.builds(TokenCounts, *[st.integers(0, 10**6)] * 5)


def price(model: str = "m", provider: str = "p", **fields: object) -> Price:
    fields = {"input_atto": 1, "output_atto": 2, **fields}
    return Price(f"{provider}/{model}", provider, model, **fields)


@given(counts, rates, rates, rates, rates, st.integers(0, 9), rates)
def test_a_cost_is_the_sum_of_tokens_times_rates(used, i, o, r, w, requests, fee) -> None:
    full = price(
        input_atto=i, output_atto=o, cache_read_atto=r, cache_write_atto=w, request_atto=fee
    )
    dear = max(i, o, r, w)
    by_hand = sum(n * rate for n, rate in zip(used, (i, o, r, w, dear), strict=True))

    assert full.is_complete
    assert full.cost_atto(used, requests) == by_hand + requests * fee


def test_a_rate_that_is_not_known_is_the_dearest() -> None:
    half = price(input_atto=1, output_atto=20)

    assert not half.is_complete
    assert half.cost_atto(TokenCounts(cache_read=3, cache_write=2, other=1), 0) == 120


@given(st.integers(0, 10**12))
def test_rounding_is_once_and_to_even_and_a_hold_covers_it(atto: int) -> None:
    assert nano_half_even(atto) == round(Fraction(atto, ATTO_PER_NANO))
    assert nano_half_even(atto) <= nano_up(atto) < nano_half_even(atto) + 2


@pytest.mark.parametrize(("halves", "rounded"), [(1, 0), (3, 2), (5, 2), (7, 4), (2, 1)], ids=str)
def test_a_half_goes_to_the_even(halves: int, rounded: int) -> None:
    assert nano_half_even(halves * ATTO_PER_NANO // 2) == rounded


@given(st.decimals(0, 9_000_000, places=12))
def test_rates_are_read_back_to_the_last_digit(usd: Decimal) -> None:
    assert usd_per_million(atto_per_token("input", usd)) == usd


@pytest.mark.parametrize("usd", ["-1", "NaN", "Infinity", "9000001", "0.0000000000001"])
def test_what_is_no_rate_is_refused(usd: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        atto_per_token("input", Decimal(usd))

    assert refused.value.fields[0].field == "input"


def test_the_latest_price_that_is_valid_and_known_counts() -> None:
    old = price(valid_from_us=0, known_since_us=0)
    new = price(valid_from_us=100, known_since_us=150, input_atto=9)
    short = price(valid_from_us=200, valid_to_us=300, input_atto=7)
    book = PriceBook([new, short, old])

    def rate(valid: int, known: int) -> int | None:
        found = book.price_at("p", "m", valid_us=valid, known_us=known)
        return None if found is None else found.input_atto

    assert rate(99, 999) == 1
    assert rate(100, 149) == 1
    assert rate(100, 150) == 9
    assert rate(299, 999) == 7
    assert rate(300, 999) == 9
    assert rate(-1, 999) is None
    assert book.price_at("p", "other", valid_us=0, known_us=0) is None
    assert [p.input_atto for p in book.history("p", "m")] == [1, 9, 7]
    assert book.history("p", "x") == []
    assert len(book) == 1


def test_a_provider_need_not_be_named_where_only_one_sells() -> None:
    book = PriceBook([price("a"), price("b"), price("b", "q"), price("x/y", "hub")])
    now = {"valid_us": 0, "known_us": 0}

    assert book.price_named(None, "a", **now) == price("a")
    assert book.price_named(None, "b", **now) is None
    assert book.price_named(None, "q/b", **now) == price("b", "q")
    assert book.price_named("q", "b", **now) == price("b", "q")
    assert book.price_named(None, "x/y", **now) == price("x/y", "hub")
    assert book.sellers("b") == ["p", "q"]


def test_the_current_list_is_dearest_first_and_follows_time() -> None:
    cheap = price("cheap", output_atto=5)
    late = price("late", "q", output_atto=50, valid_from_us=10, valid_to_us=20)
    book = PriceBook([cheap, late])

    assert book.current(at_us=0) == [cheap]
    assert book.current(at_us=9) is book.current(at_us=0)
    assert book.current(at_us=10) == [late, cheap]
    assert book.dearest_of(None, at_us=10) == late
    assert book.dearest_of("p", at_us=10) == cheap
    assert book.current(at_us=20) == [cheap]
    assert book.dearest_of("q", at_us=20) is None


def test_near_names_are_suggested() -> None:
    book = PriceBook([price("gpt-5-mini"), price("gpt-5"), price("claude-x"), price("gpt-4")])

    assert book.suggestions("gpt-5-nano") == ["p/gpt-5-mini", "p/gpt-5", "p/gpt-4"]
    assert book.suggestions("GPT-5") == ["p/gpt-5", "p/gpt-5-mini", "p/gpt-4"]
    assert book.suggestions("zzz") == []


def test_rates_are_told_per_million_tokens_and_per_request() -> None:
    told = rates_json(
        price(
            input_atto=25 * 10**10, output_atto=2 * 10**12, cache_read_atto=0, request_atto=10**16
        )
    )

    assert told == {
        "input": Decimal("0.25"),
        "output": Decimal(2),
        "cache_read": Decimal(0),
        "cache_write": None,
        "request": Decimal("0.01"),
    }
    assert rates_json(price(cache_write_atto=10**12))["cache_write"] == 1
