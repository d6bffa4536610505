"""The most that a call can cost: never less than what a usage inside its bounds is charged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.price.cards import card

from tekton_budget.domain.further import CACHE_WRITES, Further, further_of
from tekton_budget.domain.price import Card, Unpriced, lack_of, most_of, most_of_counts
from tekton_budget.domain.price.bound import Lack, dearest_fee
from tekton_budget.domain.units import STANDARD, UNITS, Part, PriceContext
from tekton_budget.domain.usage import TokenCounts

MICRO = 10**24  # grains: what a token costs at 1 USD per 1,000,000
NANO = 10**21
PRIORITY = PriceContext("priority")

rates = st.integers(0, 40).map(str)
text = st.fixed_dictionaries(
    {"input": rates, "output": rates, "cache_read": rates},
    optional={
        "cache_write_5m": rates,
        "cache_write_1h": rates,
        "reasoning": rates,
        "input_audio": rates,
    },
)
steps = st.lists(st.tuples(st.sampled_from([50, 100, 200]), text), max_size=2)


def tier(above: int, **rates: str) -> dict:
    return {"when": {"total_input_tokens_gt": above}, "rates": rates}


def tiers(found: list) -> list[dict]:
    return [tier(above, **rate) for above, rate in sorted(dict(found).items())]


@st.composite
def cards(draw: st.DrawFn) -> Card:
    """Dearer or cheaper when longer, with or without each rate, by service tier another again."""
    service = {"priority": {"rates": draw(text), "tiers": tiers(draw(steps))}}
    fees = draw(
        st.sampled_from(
            [
                {},
                {"request": "0.000003"},
                {"web_search": "0.00001"},
                {"web_search": {"search_context_size": {"low": "0.00001", "high": "0.00002"}}},
            ]
        )
    )
    return card(
        **draw(text), tiers=tiers(draw(steps)), service_tiers=service, **({"fees": fees} if fees else {})
    )  # fmt: skip


counts = st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda n: TokenCounts(*n))
furthers = st.builds(
    further_of,
    st.dictionaries(
        st.sampled_from(["cache_read", "input_audio", "web_search", "image"]), st.integers(0, 200)
    ),
    st.sampled_from([STANDARD, PRIORITY]),
    st.sampled_from([None, "5m", "1h"]),
).map(lambda found: found or Further())


@given(cards(), counts, furthers, st.data())
def test_no_usage_inside_the_bounds_is_charged_more(
    one: Card, bound: TokenCounts, further: Further, data: st.DataObject
) -> None:
    most = most_of(one, bound, further, 1, at_us=0)
    kinds = ["input", "cache_read", *CACHE_WRITES.get(further.cache_write or "", ())]
    left, used = bound.input, dict.fromkeys(UNITS, 0)
    for kind in data.draw(st.permutations(kinds)):
        used[kind] = data.draw(st.integers(0, left))
        left -= used[kind]
    used["reasoning"] = data.draw(st.integers(0, bound.output))
    used["output"] = data.draw(st.integers(0, bound.output - used["reasoning"]))
    for unit, quantity in further.units:
        used[unit] += data.draw(st.integers(0, quantity))
    part = Part(tuple((u, n) for u, n in used.items() if n), further.context)
    try:
        charged = one.grains_of(part, at_us=0)
    except Unpriced:
        return  # not by this card

    assert charged <= most


@given(cards(), counts, st.integers(0, 50), furthers)
def test_more_output_is_never_cheaper(one: Card, bound: TokenCounts, more: int, further) -> None:
    larger = bound._replace(output=bound.output + more)

    assert most_of(one, bound, further, 1, at_us=0) <= most_of(one, larger, further, 1, at_us=0)


NOTHING = Further()


def most(one: Card, further: Further = NOTHING, **tokens: int) -> int:
    return most_of(one, TokenCounts(**tokens), further, 1, at_us=0) // MICRO


PLAIN = card(input="3", output="15", cache_read="0.3", cache_write_5m="3.75", cache_write_1h="6")


@pytest.mark.parametrize(
    ("further", "expected"),
    [
        (Further(), 300 + 150),
        (Further(cache_write="5m"), 375 + 150),
        (Further(cache_write="1h"), 600 + 150),
        (further_of({"cache_read": 1000}, STANDARD, None), 300 + 150 + 300),
    ],
)
def test_writing_counts_only_where_it_is_said(further: Further, expected: int) -> None:
    assert most(PLAIN, further, input=100, output=10) == expected


def test_input_that_may_be_written_without_a_rate_for_it_counts_at_the_dearest() -> None:
    """As such a usage is charged; a shorter lifetime may be written beside a longer one."""
    only_short = card(input="3", output="15", cache_write_5m="3.75")
    odd = card(input="3", output="15", cache_write_5m="9", cache_write_1h="6")
    unnamed = card(input="3", output="15")

    assert most(only_short, Further(cache_write="5m"), input=100) == 375
    assert most(only_short, Further(cache_write="1h"), input=100) == 1500
    assert most(odd, Further(cache_write="1h"), input=100) == 900
    assert most(unnamed, Further(cache_write="5m"), input=100) == 1500
    assert most(card(fees={"image": "1"}), Further(cache_write="5m")) == 0


def test_where_a_shorter_input_is_dearer_the_shorter_counts() -> None:
    one = card(input="10", output="1", tiers=[tier(200, input="2")])

    assert most(one, input=250) == 2000  # 200 tokens at 10, not 250 at 2
    assert most(one, input=2000) == 4000
    assert most(one, input=250, output=10) == 2010


def test_the_rates_are_those_of_the_service_tier() -> None:
    one = card(
        input="1", output="2",
        service_tiers={"flex": {"rates": {"input": "0.5", "output": "1"}},
                       "priority": {"rates": {"input": "2"}, "tiers": [tier(99, input="4")]}},
    )  # fmt: skip

    assert most(one, Further(context=PriceContext("flex")), input=100, output=100) == 150
    assert most(one, Further(context=PRIORITY), input=99, output=100) == 398
    assert most(one, Further(context=PRIORITY), input=100, output=100) == 600


def test_a_tier_that_a_seller_does_not_price_apart_is_the_standard_one() -> None:
    groq = card(provider="groq", input="1", output="2")
    flex = Further(context=PriceContext("flex"))

    assert lack_of(groq, flex, at_us=0) is None
    assert most(groq, flex, input=100) == 100
    assert lack_of(card(input="1", output="2"), flex, at_us=0) is not None


def test_thousands_of_searches_and_the_fee_of_the_request_count() -> None:
    fees = {"web_search": {"usd_per_1000": "10"}, "request": "0.000000001"}
    one = card(input="1", output="1", fees=fees)
    searching = further_of({"web_search": 5000}, STANDARD, None)

    assert most_of(one, TokenCounts(), searching, 2, at_us=0) == (50 * 10**9 + 2) * NANO


def test_a_fee_that_goes_by_what_is_not_told_is_the_highest() -> None:
    sized = {"web_search": {"search_context_size": {"low": "0.01", "high": "0.03"}}}
    one = card(input="1", output="1", fees=sized)

    def costs(size: str | None) -> int:
        context = PriceContext(None, None, size)
        searching = further_of({"web_search": 1}, context, None)
        return most_of(one, TokenCounts(), searching, 1, at_us=0) // NANO

    assert (costs(None), costs("low"), costs("high")) == (30_000_000, 10_000_000, 30_000_000)
    assert dearest_fee([one, PLAIN], "web_search", at_us=0) == 30_000_000 * NANO
    assert dearest_fee([PLAIN], "web_search", at_us=0) is None


def test_what_has_no_rate_is_named() -> None:
    searching = further_of({"image": 2, "input_audio": 1}, STANDARD, None)
    lack = lack_of(PLAIN, searching, at_us=0)
    regional = card(provider="azure", input="1", output="1")

    assert lack == Lack(PLAIN, "input_audio")
    assert (lack.field, lack.is_fee) == ("units.input_audio", False)
    assert Lack(PLAIN, "image").is_fee
    assert lack_of(PLAIN, Further(context=PRIORITY), at_us=0).field == "context.service_tier"
    assert not lack_of(PLAIN, Further(context=PRIORITY), at_us=0).is_fee
    assert (
        lack_of(regional, Further(context=PriceContext(None, "moon")), at_us=0).field
        == "context.region"
    )


def test_tokens_without_a_rate_count_at_the_dearest_and_fees_at_nothing() -> None:
    """The one as a usage of it is charged; the other is refused before it comes so far."""
    audio = further_of({"input_audio": 100}, STANDARD, None)
    images = further_of({"image": 7}, STANDARD, None)
    dear = card(input="1", output="2", service_tiers={"priority": {"rates": {"output": "8"}}})
    unknown = further_of({"input_audio": 100}, PriceContext("turbo"), None)

    assert most(PLAIN, audio) == 1500
    assert most(PLAIN, images) == 0
    assert most(dear, further_of({"input_audio": 100}, PRIORITY, None)) == 800
    assert most(dear, unknown, output=100) == 400


@given(cards(), counts)
def test_tokens_alone_are_bounded_alike_by_either_way(one: Card, bound: TokenCounts) -> None:
    assert most_of_counts(one, bound, 1, at_us=0) == most_of(one, bound, Further(), 1, at_us=0)


def test_all_of_an_answer_may_be_reasoning() -> None:
    one = card(input="1", output="2", reasoning="3")

    assert most(one, output=100) == 300
    assert most(card(input="1", output="2", cache_read="1.5"), input=100) == 150
