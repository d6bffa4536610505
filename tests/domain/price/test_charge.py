"""Charging: exact to the last digit, by the rates that apply, and never by a rate not listed."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.price.cards import card

from tekton_budget.domain.price import (
    GRAINS_PER_NANO,
    Card,
    Rate,
    Rates,
    Unpriced,
    nano_half_even,
    nano_up,
    units_of,
    usd_of,
)
from tekton_budget.domain.units import (
    COUNT_UNITS,
    STANDARD,
    TOKEN_UNITS,
    UNITS,
    Part,
    PriceContext,
)
from tekton_budget.domain.usage import TokenCounts

DAY_US = 86_400_000_000
HOUR_US = DAY_US // 24
TUESDAY_US = 5 * DAY_US  # 1970-01-06
TIERED = card(
    input="1",
    output="4",
    cache_read="0.1",
    tiers=[
        {"when": {"total_input_tokens_gt": 100}, "rates": {"input": "2", "output": "6"}},
        {"when": {"total_input_tokens_gte": 1000}, "rates": {"input": "3"}},
    ],
    service_tiers={
        "batch": {"input": "0.5"},
        "flex": {"rates": {"output": "3"}, "tiers": [
            {"when": {"total_input_tokens_gt": 100}, "rates": {"output": "5"}}]},
        "same": {},
    },
)  # fmt: skip


def usd(one: Card, at_us: int = 0, context: PriceContext = STANDARD, **units: int) -> str:
    return f"{one.charge(tuple(units.items()), context, at_us=at_us).usd:f}"


@pytest.mark.parametrize(
    ("units", "tier", "expected"),
    [
        ({"input": 100, "output": 1}, None, "0.000104"),  # equal is not above
        ({"input": 101, "output": 1}, None, "0.000208"),
        ({"input": 1, "cache_read": 100, "output": 1}, None, "0.000018"),  # cached is input
        ({"input": 1, "output": 500}, None, "0.002001"),  # output is not
        ({"input": 999}, None, "0.001998"),
        ({"input": 1000, "output": 1}, None, "0.003004"),  # `gte`; only what the tier names
        ({"input": 10, "output": 1}, "batch", "0.000009"),
        ({"input": 200, "output": 1}, "batch", "0.000106"),
        ({"input": 10, "output": 1}, "flex", "0.000013"),
        ({"input": 200, "output": 1}, "flex", "0.000405"),
        ({"input": 10, "output": 1}, "same", "0.000014"),
    ],
)
def test_the_rates_of_length_and_service_tier(units, tier, expected) -> None:
    assert usd(TIERED, context=PriceContext(tier), **units) == expected


def test_a_service_tier_without_rates_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(Unpriced, match=r'"priority" \(it knows batch, flex, same\)'):
        usd(TIERED, context=PriceContext("priority"), input=1)
    with pytest.raises(Unpriced, match="none but the standard one"):
        usd(card(input="1"), context=PriceContext("batch"), input=1)


@pytest.mark.parametrize("unit", [u for u in UNITS if u not in ("input", "reasoning")])
def test_a_unit_without_a_rate_is_refused_by_name(unit: str) -> None:
    for used in (((unit, 1),), (("input", 5), (unit, 1))):
        with pytest.raises(Unpriced, match=unit) as refused:
            card(input="1").charge(used, at_us=0, requests=0)
        assert (refused.value.code, refused.value.extra["unit"]) == ("unpriced_unit", unit)
        with pytest.raises(Unpriced, match=unit):
            card(input="1").grains_of(Part(used), at_us=0, requests=0)


def test_reasoning_is_output_unless_it_has_a_rate() -> None:
    used = {"output": 10, "reasoning": 5}

    whole = card(output="2").charge(tuple(used.items()), at_us=0)
    assert [(c.unit, c.quantity, c.usd) for c in whole.components] == [
        ("output", 15, Decimal("0.00003"))
    ]
    assert usd(card(output="2", reasoning="4"), **used) == "0.00004"


@pytest.mark.parametrize(
    ("unit", "other"),
    [("input_image", "input"), ("input_video", "input"), ("cache_image_read", "cache_read"),
     ("cache_video_read", "cache_read")],
)  # fmt: skip
def test_pictures_share_the_rate_of_text_only_where_a_seller_publishes_one(unit, other) -> None:
    for provider in ("google", "vertex", "xai", "alibaba", "openrouter"):
        assert usd(card(provider=provider, **{other: "3"}), **{unit: 2}) == "0.000006"
    with pytest.raises(Unpriced):
        usd(card(provider="openai", **{other: "3"}), **{unit: 2})
    with pytest.raises(Unpriced):
        usd(card(provider="google", input="3", output="3"), input_audio=2)
    own = card(provider="google", **{other: "3", unit: "5"})
    assert usd(own, **{other: 1, unit: 2}) == "0.000013"


SLOTTED = card(
    input="2",
    schedule=[
        {"when": {"utc_time": "16:30-00:30", "weekdays_utc": [2]}, "rates": {"input": "1"}},
        {"when": {"weekdays_utc": [6, 7]}, "rates": {"input": "0.5"}},
        {"when": {"utc_time": ["02:00-03:00", "05:00-06:00"]}, "rates": {"input": "0.25"}},
    ],
)


@pytest.mark.parametrize(
    ("day", "hours", "expected"),
    [
        (0, 16.5, "0.000001"), (0, 16.4, "0.000002"), (0, 23.9, "0.000001"), (0, 0, "0.000001"),
        (0, 0.5, "0.000002"), (1, 0.2, "0.000002"), (4, 12, "0.0000005"), (5, 2, "0.0000005"),
        (1, 2, "0.00000025"), (1, 3, "0.000002"), (1, 5.99, "0.00000025"), (1, 6, "0.000002"),
    ],
)  # fmt: skip
def test_rates_by_time_of_day_and_weekday(day: int, hours: float, expected: str) -> None:
    at_us = TUESDAY_US + day * DAY_US + int(hours * HOUR_US)

    assert usd(SLOTTED, at_us, input=1) == expected
    part = Part((("input", 1),))
    assert usd_of(SLOTTED.grains_of(part, at_us=at_us)) == Decimal(expected)
    assert usd_of(SLOTTED.grains_of_counts(TokenCounts(1), 0, at_us=at_us)) == Decimal(expected)


def test_regions_and_contracts_multiply_and_are_told() -> None:
    one = card(input="3", fees={"web_search": "0.01"}, regions={"us": "1.1", "*": "1.05"})
    used = {"input": 100, "web_search": 1}

    assert usd(one, **used) == "0.0103"
    assert usd(one, context=PriceContext(region="us"), **used) == "0.01033"  # tokens alone
    assert usd(one, context=PriceContext(region="jp"), **used) == "0.010315"
    agreed = one.under(Decimal("0.85"), "us")
    charge = agreed.charge((("input", 100), ("web_search", 1)), at_us=0)
    assert charge.usd == Decimal("0.0087805")
    assert charge.why == ("region us: × 1.1", "contract: × 0.85")
    assert [c.rate.usd for c in charge.components] == [Decimal("2.805"), Decimal("0.0085")]
    assert TIERED.charge((("input", 200),), PriceContext("batch"), at_us=0).why == (
        "input of 200 tokens is above 100",
        "service tier batch",
    )
    assert SLOTTED.charge((), at_us=TUESDAY_US).why == ("rates of this time of day",)


def test_a_data_zone_of_a_deployment_that_the_card_does_not_know_is_refused() -> None:
    one = card("m", "azure", input="3", regions={"eu": "1.1"})

    assert usd(one, context=PriceContext(region="eu"), input=10**6) == "3.3"
    for unknown in (one, card("m", "azure", input="3")):
        with pytest.raises(Unpriced, match="azure/m in us: set it, for example as azure/us/m"):
            usd(unknown, context=PriceContext(region="us"), input=1)
    assert (
        usd(card("m", "openai", input="3"), context=PriceContext(region="us"), input=10**6) == "3"
    )


def test_a_fee_by_search_context_needs_its_size() -> None:
    sizes = {"low": "0.005", "medium": "0.008", "high": "0.012"}
    one = card(input="1", fees={"request": {"search_context_size": sizes}})
    part = Part((("input", 1),), PriceContext(search_context_size="low"))

    assert usd(one, context=part.context, input=1) == "0.005001"
    assert usd_of(one.grains_of(part, at_us=0)) == Decimal("0.005001")
    for unsized in (Part((("input", 1),)), Part((("input", 1),), PriceContext(None, None, "huge"))):
        with pytest.raises(Unpriced, match=r"low, medium, high.*context.search_context_size"):
            one.charge(unsized.units, unsized.context, at_us=0)
        with pytest.raises(Unpriced, match="search_context_size"):
            one.grains_of(unsized, at_us=0)
    # Where only kinds of tokens are known, the dearest stands, and it is told as a guess.
    assert usd_of(one.grains_of_counts(TokenCounts(1), 1, at_us=0)) == Decimal("0.012001")
    assert one.is_guess(TokenCounts(1), at_us=0)


def test_by_kind_alone_the_dearest_stands_in_for_what_is_not_known() -> None:
    half = card(input="1", output="20")

    counts = TokenCounts(cache_read=3, cache_write=2, other=1)
    assert usd_of(half.grains_of_counts(counts, 0, at_us=0)) == Decimal("0.00012")
    assert half.is_guess(counts, at_us=0)
    assert half.is_guess(TokenCounts(cache_read=1), at_us=0)
    assert half.is_guess(TokenCounts(cache_write=1), at_us=0)
    assert not half.is_guess(TokenCounts(5, 5), at_us=0)
    with pytest.raises(Unpriced):
        card(fees={"image": "0.04"}).grains_of_counts(TokenCounts(1), 0, at_us=0)
    fee = card(fees={"request": "0.04"})
    assert usd_of(fee.grains_of_counts(TokenCounts(), 2, at_us=0)) == Decimal("0.08")


def test_tokens_of_no_kind_cost_what_the_dearest_length_in_reach_costs() -> None:
    dear = [usd_of(TIERED.grains_of_counts(TokenCounts(other=n), 0, at_us=0)) for n in (100, 101)]

    assert dear == [Decimal("0.0004"), Decimal("0.000606")]
    known = TokenCounts(input=101, other=1)
    assert usd_of(TIERED.grains_of_counts(known, 0, at_us=0)) == Decimal("0.000208")


rates = st.decimals(0, 10**4, places=12, allow_nan=False)
quantities = st.integers(0, 10**9)
usages = st.dictionaries(st.sampled_from((*UNITS[:12], "web_search", "image")), quantities)


@given(st.dictionaries(st.sampled_from(UNITS), rates, min_size=1), st.data())
def test_a_cost_is_the_exact_sum_whatever_the_order_of_the_units(by_unit, data) -> None:
    one = Card("id", "p", "m", Rates({
        unit: Rate(rate, 10**6 if unit in TOKEN_UNITS else 1) for unit, rate in by_unit.items()
    }))  # fmt: skip
    used = data.draw(st.dictionaries(st.sampled_from(sorted(set(by_unit) - {"request"}) or ["x"]),
                                     quantities)) if set(by_unit) - {"request"} else {}  # fmt: skip
    by_hand = sum(
        (Fraction(count) * Fraction(by_unit[unit]) / (10**6 if unit in TOKEN_UNITS else 1)
         for unit, count in used.items()), Fraction(by_unit.get("request", 0)),
    )  # fmt: skip
    shuffled = tuple(data.draw(st.permutations(sorted(used.items()))))

    charge = one.charge(shuffled, at_us=0)

    assert Fraction(charge.usd) == by_hand
    assert charge.grains == one.grains_of(Part(shuffled), at_us=0)
    assert sum(component.grains for component in charge.components) == charge.grains


PLAIN = card(
    provider="google", input="0.3", output="2.5", cache_read="0.03", cache_write_5m="0.375",
    cache_write_1h="0.6", input_audio="1", output_audio="64", cache_audio_read="0.1",
    output_image="30", reasoning="3", citation="2",
    fees={"web_search": {"usd_per_1000": "14"}, "image": "0.04"},
)  # fmt: skip


@given(usages, usages)
def test_cost_is_additive_over_requests(one: dict[str, int], other: dict[str, int]) -> None:
    both = {unit: one.get(unit, 0) + other.get(unit, 0) for unit in {*one, *other}}

    def total(used: dict[str, int]) -> int:
        return PLAIN.charge(tuple(used.items()), at_us=0).grains

    assert total(one) + total(other) == total(both)


@given(st.integers(0, 10**4), st.integers(0, 100), st.integers(0, 10**4), quantities)
def test_cost_rises_with_tokens_within_a_tier(inside, more, output, further) -> None:
    for low, high in ((0, 100), (101, 999), (1000, 10**6)):
        least = low + inside % (high - low + 1)
        most = min(high, least + more)
        assert (
            TIERED.charge((("input", least), ("output", output)), at_us=0).grains
            <= TIERED.charge((("input", most), ("output", output + further)), at_us=0).grains
        )


@given(st.tuples(*[quantities] * 4).map(lambda four: TokenCounts(*four)), st.integers(0, 3))
def test_tokens_known_by_kind_cost_the_same_by_either_way(counts, requests) -> None:
    assert PLAIN.grains_of_counts(counts, requests, at_us=0) == PLAIN.grains_of(
        Part(units_of(counts)), at_us=0, requests=requests
    )


@given(st.integers(0, 10**32))
def test_rounding_is_once_and_to_even_and_a_hold_covers_it(grains: int) -> None:
    assert nano_half_even(grains) == round(Fraction(grains, GRAINS_PER_NANO))
    assert nano_half_even(grains) <= nano_up(grains) < nano_half_even(grains) + 2
    assert Fraction(usd_of(grains)) == Fraction(grains, 10**30)


@pytest.mark.parametrize(("halves", "rounded"), [(1, 0), (3, 2), (5, 2), (7, 4), (2, 1)], ids=str)
def test_a_half_goes_to_the_even(halves: int, rounded: int) -> None:
    assert nano_half_even(halves * GRAINS_PER_NANO // 2) == rounded


def test_every_count_unit_can_be_charged() -> None:
    for unit in COUNT_UNITS:
        requests = int(unit == "request")
        used = () if requests else ((unit, 3),)
        one = card(fees={unit: {"usd_per_1000": "2"}}).charge(used, at_us=0, requests=requests)
        assert one.usd == Decimal("0.002") * (1 if requests else 3)


@given(usages, st.sampled_from(["charge", "grains_of"]))
def test_no_float_comes_out_and_none_gets_in(used: dict[str, int], way: str) -> None:
    """A float planted as a rate or as a quantity is an error on the spot, not a wrong digit."""
    charge = PLAIN.charge(tuple(used.items()), at_us=0)
    numbers = [charge.grains, *(n for c in charge.components for n in (c.grains, c.quantity))]
    assert {type(n) for n in numbers} <= {int}
    assert {type(c.rate.usd) for c in charge.components} | {type(charge.usd)} <= {Decimal}

    planted = Card("id", "p", "m", Rates({"input": Rate(0.3, 10**6)}))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        planted.charge((("input", 1),), at_us=0)
