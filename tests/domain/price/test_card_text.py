"""Cards as JSON: read strictly, every fault named; written so that they read back the same."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.price.cards import card, read

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.price import (
    card_from_json,
    card_json,
    checked_factor,
    moment_text,
    moment_us,
)
from tekton_budget.domain.units import TOKEN_UNITS

GOOD = {"provider": "p", "model": "m", "rates": {"input": "1"}}


@pytest.mark.parametrize("name", read("cost-cases.json")["rate_cards"])
def test_a_recorded_card_reads_back_as_it_was_written(name: str) -> None:
    one = card_from_json(read("cost-cases.json")["rate_cards"][name], price_id="x")

    assert card_from_json(card_json(one), price_id="x") == one


WHEN = {"total_input_tokens_gt": 10}
FAULTS = [
    ("card", "nothing"),
    ("provider", {**GOOD, "provider": ""}),
    ("provider", {**GOOD, "provider": 7}),
    ("model", {**GOOD, "model": " m"}),
    ("model", {**GOOD, "model": "m\n"}),
    ("model", {**GOOD, "model": "m" * 257}),
    ("colour", {**GOOD, "colour": "red"}),
    ("currency", {**GOOD, "currency": "EUR"}),
    ("unit", {**GOOD, "unit": "per 1,000 tokens"}),
    ("rates", {"provider": "p", "model": "m"}),
    ("rates", {**GOOD, "rates": {}}),
    ("rates", {**GOOD, "rates": []}),
    ("rates", {**GOOD, "rates": {1: "1"}}),
    ("rates.inputs", {**GOOD, "rates": {"inputs": "1"}}),
    ("rates.input", {**GOOD, "rates": {"input": "1_000"}}),
    ("rates.input", {**GOOD, "rates": {"input": "\N{ARABIC-INDIC DIGIT THREE}"}}),
    ("rates.input", {**GOOD, "rates": {"input": " 1"}}),
    ("rates.input", {**GOOD, "rates": {"input": True}}),
    ("fees.request.search_context_size", {**GOOD, "fees": {"request": {"search_context_size": {}}}}),
    ("effective_to", {**GOOD, "effective_to": "9999-12-31T23:59:59-23:59"}),
    ("source", {**GOOD, "source": {"a": 1}}),
    ("source", {**GOOD, "source": "x" * 1001}),
    ("tiers", {**GOOD, "tiers": [{}] * 101}),
    ("schedule", {**GOOD, "schedule": [{}] * 101}),
    ("service_tiers", {**GOOD, "service_tiers": {f"t{i}": {} for i in range(101)}}),
    ("regions", {**GOOD, "regions": {f"r{i}": "1" for i in range(101)}}),
    ("rates.web_search", {**GOOD, "rates": {"web_search": "1"}}),
    ("rates.cache_write", {**GOOD, "rates": {"cache_write_5m": "1", "cache_write": "1"}}),
    *(
        ("rates.input", {**GOOD, "rates": {"input": rate}})
        for rate in ("-1", "x", "NaN", "Infinity", "9000001", "1e-13", 0.25, True, [], "-0.5", "")
    ),
    ("fees.input", {**GOOD, "fees": {"input": "1"}}),
    ("fees.image", {**GOOD, "fees": {"image": "x"}}),
    ("fees.image", {**GOOD, "fees": {"image": "1e-19"}}),
    ("fees.image", {**GOOD, "fees": {"image": {}}}),
    ("fees.image", {**GOOD, "fees": {"image": {"usd": "1", "usd_per_1000": "1"}}}),
    ("fees.image.eur", {**GOOD, "fees": {"image": {"eur": "1"}}}),
    ("fees.request.search_context_size.big",
     {**GOOD, "fees": {"request": {"search_context_size": {"big": "1"}}}}),
    ("fees.web_search.usd_per_1000.low",
     {**GOOD, "fees": {"web_search": {"usd_per_1000": {"search_context_size": {"low": "-1"}}}}}),
    ("tiers", {**GOOD, "tiers": {}}),
    ("tiers", {**GOOD, "tiers": [{"when": WHEN, "rates": {"input": "1"}}] * 2}),
    ("tiers[0]", {**GOOD, "tiers": ["1"]}),
    ("tiers[0].rates", {**GOOD, "tiers": [{"when": WHEN}]}),
    ("tiers[0].rates.x", {**GOOD, "tiers": [{"when": WHEN, "rates": {"x": "1"}}]}),
    ("tiers[0].when", {**GOOD, "tiers": [{"rates": {"input": "1"}}]}),
    ("tiers[0].when", {**GOOD, "tiers": [{"when": {}, "rates": {"input": "1"}}]}),
    ("tiers[0].when.total_input_tokens_gt",
     {**GOOD, "tiers": [{"when": {"total_input_tokens_gt": "10"}, "rates": {"input": "1"}}]}),
    ("tiers[0].when.total_input_tokens_gt",
     {**GOOD, "tiers": [{"when": {"total_input_tokens_gt": True}, "rates": {"input": "1"}}]}),
    ("tiers[0].when.total_input_tokens_lt",
     {**GOOD, "tiers": [{"when": {"total_input_tokens_lt": 1}, "rates": {"input": "1"}}]}),
    ("tiers[0].colour", {**GOOD, "tiers": [{"when": WHEN, "rates": {"input": "1"}, "colour": 1}]}),
    ("service_tiers", {**GOOD, "service_tiers": []}),
    ("service_tiers.batch", {**GOOD, "service_tiers": {"batch": "1"}}),
    ("service_tiers.batch.x", {**GOOD, "service_tiers": {"batch": {"x": "1"}}}),
    ("service_tiers.batch.x", {**GOOD, "service_tiers": {"batch": {"rates": {}, "x": "1"}}}),
    ("service_tiers.batch.rates.x", {**GOOD, "service_tiers": {"batch": {"rates": {"x": "1"}}}}),
    ("schedule[0].when", {**GOOD, "schedule": [{"rates": {"input": "1"}}]}),
    ("schedule[0].rates", {**GOOD, "schedule": [{"when": {}}]}),
    *(
        ("schedule[0].when.utc_time",
         {**GOOD, "schedule": [{"when": {"utc_time": when}, "rates": {"input": "1"}}]})
        for when in ("noon", "16:30", "16:3-17:00", "25:00-26:00", "10:60-11:00", 7, ["x"], "1-2")
    ),
    *(
        ("schedule[0].when.weekdays_utc",
         {**GOOD, "schedule": [{"when": {"weekdays_utc": days}, "rates": {"input": "1"}}]})
        for days in (3, [0], [8], [True], ["monday"])
    ),
    ("regions.us", {**GOOD, "regions": {"us": "0"}}),
    ("regions.us", {**GOOD, "regions": {"us": "1.0000001"}}),
    ("regions.us", {**GOOD, "regions": {"us": "11"}}),
    ("status", {**GOOD, "status": "believed"}),
    ("effective_from", {**GOOD, "effective_from": "yesterday"}),
    ("effective_from", {**GOOD, "effective_from": "1969-12-31"}),
    ("effective_from", {**GOOD, "effective_from": "2026-08-21T10:00:00"}),
    ("effective_to", {**GOOD, "effective_from": "2026-08-21", "effective_to": "2026-08-21"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "given_"), FAULTS, ids=[f"{i}-{f}" for i, (f, _) in enumerate(FAULTS)]
)
def test_a_fault_is_named_with_its_place(field: str, given_: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        card_from_json(given_, price_id="x", at="cards[2].")

    where = "cards[2]" if field == "card" else f"cards[2].{field}"
    assert [fault.field for fault in refused.value.fields] == [where]


def test_a_card_says_what_it_says_in_many_ways() -> None:
    one = card_from_json(
        {
            **GOOD,
            "rates": {
                "input": 1,
                "output": Decimal("2.50"),
                "cache_write": "1.25",
                "reasoning": None,
            },
            "fees": {
                "web_search": {"usd_per_1000": {"search_context_size": {"low": "30"}}},
                "input_character": {"usd_per_1000000": "15"},
                "request": "0.005",
            },
            "schedule": [{"when": {"utc_time": "00:00-24:00 (all day)"}, "rates": {"input": "1"}}],
            "regions": {"us": "1.10"},
            "effective_from": "2026-08-21T10:30:00.5+02:00",
            "effective_to": "2026-08-22",
            "source": "the contract",
            "status": "verified",
            "note": "a remark",
            "seen_in": "a list",
        },
        price_id="x",
    )

    assert card_json(one) == {
        "provider": "p",
        "model": "m",
        "effective_from": "2026-08-21T08:30:00.500000+00:00",
        "effective_to": "2026-08-22",
        "rates": {"input": "1", "output": "2.5", "cache_write_5m": "1.25"},
        "fees": {
            "input_character": {"usd_per_1000000": "15"},
            "request": {"usd": "0.005"},
            "web_search": {"usd_per_1000": {"search_context_size": {"low": "30"}}},
        },
        "schedule": [
            {
                "when": {"utc_time": ["00:00-00:00"], "weekdays_utc": [1, 2, 3, 4, 5, 6, 7]},
                "rates": {"input": "1"},
            }
        ],
        "regions": {"us": "1.1"},
        "source": "the contract",
        "status": "verified",
    }


@given(st.integers(0, 4 * 10**15))
def test_a_moment_reads_back(us: int) -> None:
    assert moment_us("at", moment_text(us)) == us


@given(
    st.dictionaries(st.sampled_from(TOKEN_UNITS), st.decimals(0, 9 * 10**6, places=12), min_size=1)
)
def test_every_digit_of_a_rate_is_kept(rates: dict[str, Decimal]) -> None:
    one = card(rates={unit: f"{rate:f}" for unit, rate in rates.items()})

    assert {unit: Decimal(text) for unit, text in card_json(one)["rates"].items()} == rates


def test_a_factor_is_above_nothing_and_exact() -> None:
    assert checked_factor("factor", "0.850000") == Decimal("0.85")
    with pytest.raises(InvalidInput, match="15 % off"):
        checked_factor("factor", "-1")
