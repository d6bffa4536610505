"""Recommendations: cheaper, fit as far as is known, and honest about what is lost or unknown."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.price.cards import card
from tests.domain.price.test_book import price_list

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.price import Contract, ModelFacts, PriceBook, Unpriced, bill_of
from tekton_budget.domain.recommend import (
    ANY,
    FEATURES,
    MODALITIES,
    Advice,
    Job,
    Needs,
    fit_of,
    lost_of,
    needs_from_json,
    needs_json,
    needs_of,
    recommend,
)
from tekton_budget.domain.units import Part, PriceContext

DAY_US = 86_400_000_000
USAGE = (("input", 10_000), ("output", 1_000))
ABLE = {
    "mode": "chat",
    "context_tokens": 200_000,
    "max_output_tokens": 64_000,
    "input": ["text", "image"],
    "output": ["text"],
    "tools": True,
    "reasoning": True,
    "structured_output": True,
    "prompt_cache": True,
}


def sold(provider: str, model: str, rate: object, **rates: object) -> dict:
    all_rates = {"input": str(rate), "output": str(rate)}
    all_rates |= {unit: str(one) for unit, one in rates.items() if one is not None}
    kept = {unit: one for unit, one in all_rates.items() if rates.get(unit, "") is not None}
    return {"provider": provider, "model": model, "rates": kept}


def facts(provider: str, model: str, **fields: object) -> dict:
    known = {**ABLE, **fields}
    named = {"provider": provider, "model": model}
    return {**named, **{name: value for name, value in known.items() if value is not None}}


def book(*cards: dict, models: tuple[dict, ...] = (), own: tuple = ()) -> PriceBook:
    return PriceBook(own, [price_list(*cards, models=list(models))])


def job_of(
    prices: PriceBook,
    units: tuple[tuple[str, int], ...] = USAGE,
    needs: Needs | None = None,
    *,
    at_us: int = 0,
    name: tuple[str, str] = ("openai", "big"),
    providers: frozenset[str] | None = None,
    context: PriceContext | None = None,
    requests: int = 1,
) -> Job:
    found = prices.card_named(*name, valid_us=at_us, known_us=at_us)
    parts = (Part(units) if context is None else Part(units, context),)
    bill = bill_of(prices, found, parts, at_us=at_us, known_us=at_us, requests=requests)
    shown = needs_of(parts, prices.facts((found.card.provider, found.card.model)))
    needs = shown if needs is None else shown.and_also(needs)
    return Job(parts, needs, requests, found, bill.grains, providers)


def names(found: list[Advice]) -> list[str]:
    return [f"{one.card.provider}/{one.card.model}" for one in found]


def advised(prices: PriceBook, *units: tuple[str, int], at_us: int = 0, **fields) -> list[Advice]:
    job = job_of(prices, units or USAGE, at_us=at_us, **fields)
    return recommend(prices, job, at_us=at_us, known_us=at_us)


SELLERS = book(
    sold("openai", "big", 10),
    sold("openai", "small", 2),
    sold("openai", "dear", 20),
    sold("openai", "same", 10),
    sold("mistral", "other", 1),
    sold("openrouter", "openai/small", "1.9"),
    sold("azure", "small", "2"),
    sold("azure", "big", 9),
    models=(
        facts("openai", "big"),
        facts("openai", "small", reasoning=False, context_tokens=32_000, input=["text"]),
        facts("mistral", "other", tools=None, structured_output=False),
        facts("azure", "big"),
        facts("azure", "small"),
        facts("openrouter", "openai/small"),
    ),
)


def test_each_has_its_exact_cost_saving_and_what_would_be_lost() -> None:
    other, small = advised(SELLERS)

    assert names([other, small]) == ["mistral/other", "openai/small"]
    assert (small.usd, small.saved_usd) == (Decimal("0.022"), Decimal("0.088"))
    assert small.saved_percent == Decimal("80.00")
    assert small.lost == ("context_tokens", "input.image", "reasoning")
    assert (small.unknown, small.is_fit, small.tier) == ((), True, "remote_heavyweight")
    assert small.facts.context_tokens == 32_000
    assert (other.lost, other.unknown) == (("structured_output",), ("tools",))
    assert other.is_fit  # what is not known is not needed


@pytest.mark.parametrize(
    ("providers", "expected"),
    [
        (None, ["mistral/other", "openai/small"]),
        ({"openai"}, ["openai/small"]),
        ({"azure"}, ["azure/small", "azure/big"]),
        ({"azure", "openai"}, ["azure/small", "azure/big"]),  # fewer losses at one cost
        ({ANY}, ["mistral/other", "openrouter/openai/small", "azure/big"]),  # one for each model
        ({"cohere"}, []),
    ],
)
def test_who_may_sell(providers: set[str] | None, expected: list[str]) -> None:
    chosen = None if providers is None else frozenset(providers)

    assert names(advised(SELLERS, providers=chosen)) == expected


def test_the_demo_provider_is_advised_to_its_own_callers_only() -> None:
    prices = book(sold("openai", "big", 10), sold("demo", "small", 1), sold("demo", "large", 9))
    everywhere = frozenset({ANY})

    assert names(advised(prices, providers=everywhere)) == []
    assert names(advised(prices, providers=frozenset({"demo"}))) == ["demo/small", "demo/large"]
    found = advised(prices, name=("demo", "large"), providers=everywhere)
    assert names(found) == ["demo/small"]


def test_at_a_cloud_its_own_models_are_named_too_and_prices_set_by_hand_always() -> None:
    own = (card("llama-3", "local", input="0", output="0"), card("x", "groq", input="3"))
    prices = book(
        sold("bedrock", "big", 10), sold("bedrock", "small", 2), sold("azure", "a", 1), own=own
    )

    found = advised(prices, name=("bedrock", "big"))
    assert names(found) == ["local/llama-3", "bedrock/small"]  # groq's sells no output
    assert found[0].saved_percent == 100
    assert found[0].tier == "local_midweight"


@pytest.mark.parametrize(
    ("needs", "left"),
    [
        ({}, ["mistral/other", "openai/small"]),
        ({"tools": True}, ["openai/small", "mistral/other"]),  # known before unknown
        ({"reasoning": True}, ["mistral/other"]),
        ({"structured_output": True}, ["openai/small"]),
        (["vision"], ["mistral/other"]),
        ({"context_tokens": 100_000}, ["mistral/other"]),
        ({"max_output_tokens": 64_000}, ["mistral/other", "openai/small"]),
        ({"max_output_tokens": 64_001}, []),
        ({"output": ["audio"]}, []),
        ({"mode": "embedding"}, []),
        ({"mode": "responses"}, ["mistral/other", "openai/small"]),
    ],
)
def test_needs(needs: object, left: list[str]) -> None:
    found = advised(SELLERS, needs=needs_from_json(needs))

    assert names(found) == left


def test_a_usage_shows_what_it_needs_as_far_as_the_model_in_use_has_it() -> None:
    units = (
        ("input", 900),
        ("output", 50),
        ("cache_read", 100),
        ("reasoning", 30),
        ("input_audio", 7),
        ("output_image", 3),
    )
    known = ModelFacts("p", "m", mode="chat", context_tokens=1000)
    parts = (Part(units), Part((("input", 5),)))

    assert needs_of(parts, None) == Needs(
        "chat",
        1090,
        83,
        frozenset({"audio"}),
        frozenset({"text", "image"}),
        frozenset({"reasoning"}),
    )
    assert needs_of(parts, known).context_tokens == 1000  # it was several requests
    assert needs_of((Part((("input", 5),)),), None) == Needs(context_tokens=5)
    assert needs_of((), ModelFacts("p", "m", mode="embedding")) == Needs("embedding")


def test_a_chat_is_of_text_and_of_the_rest_nothing_is_known() -> None:
    text = frozenset({"text", "image"})
    chat, other = ModelFacts("p", "m", mode="chat"), ModelFacts("p", "m", mode="image")

    assert fit_of(chat, Needs(output=text)) == ((), ("output.image",))
    assert fit_of(other, Needs(input=text)) == ((), ("input.text", "input.image"))
    assert fit_of(ModelFacts("p", "m", mode="chat", output=("audio",)), Needs(output=text)) == (
        ("output.text", "output.image"),
        (),
    )


def test_a_seller_is_known_by_any_of_its_names() -> None:
    own = (card("grok", "x-ai", input="1", output="1"),)
    prices = book(sold("openai", "big", 10), own=own)

    assert names(advised(prices)) == names(advised(prices, providers=frozenset({"xai"})))
    assert names(advised(prices)) == ["x-ai/grok"]


def test_equals_are_in_one_order_and_a_percentage_is_never_rounded_up() -> None:
    prices = book(
        sold("openai", "big", 3),
        sold("mistral", "b", 1),
        sold("mistral", "a", 1),
        sold("azure", "aa", 1),
        sold("anthropic", "z", 1),
        sold("openrouter", "a/aa", 2),
    )
    found = advised(prices, providers=frozenset({ANY}))

    assert names(found) == ["anthropic/z", "mistral/a", "mistral/b", "azure/aa"]
    assert [one.saved_percent for one in found] == [Decimal("66.66")] * 4


def test_nothing_known_is_unknown_not_no() -> None:
    prices = book(
        sold("openai", "big", 10), sold("openai", "who", 1), models=(facts("openai", "big"),)
    )

    (who,) = advised(prices)
    assert not who.is_fit
    assert who.lost == ()
    assert who.unknown == (
        "mode",
        "context_tokens",
        "max_output_tokens",
        "output.text",
        "input.text",
        "input.image",
        *FEATURES,
    )


def test_tokens_of_a_cache_are_sent_again_where_there_is_none() -> None:
    rates = {"cache_read": "1", "cache_write_5m": "12", "cache_write_1h": "20"}
    prices = book(
        sold("openai", "big", 10, **rates),
        sold("openai", "without", 2),
        sold("openai", "short", 2, cache_read="0.2", cache_write_5m="2.5"),
        sold("openai", "free-writes", 2, cache_read="0.2"),
        sold("openai", "hidden", 2),
        models=(
            facts("openai", "big"),
            facts("openai", "without", prompt_cache=None),
            facts("openai", "short", prompt_cache=None),
            facts("openai", "free-writes"),
            facts(
                "openai", "hidden", prompt_cache=True
            ),  # it has one, of which nobody says a price
        ),
    )
    units = (("input", 1000), ("cache_read", 5000), ("cache_write_1h", 1000))
    found = {one.card.model: one for one in advised(prices, *units)}

    assert {name: one.usd for name, one in found.items()} == {
        "without": Decimal("0.014"),
        "short": Decimal("0.0055"),
        "free-writes": Decimal("0.005"),
    }
    assert found["without"].unknown == ("prompt_cache",)
    assert found["short"].unknown == found["free-writes"].unknown == ()  # its price tells of it


def test_what_a_card_cannot_price_is_not_recommended() -> None:
    prices = book(
        {**sold("openai", "big", 10), "fees": {"web_search": "0.01"}},
        {**sold("openai", "searches", 1), "fees": {"web_search": "0.01"}},
        sold("openai", "cannot", 1),
    )

    assert names(advised(prices, *USAGE, ("web_search", 2))) == ["openai/searches"]
    batch = {"batch": {"input": "5", "output": "5"}}
    tiers = book({**sold("openai", "big", 10), "service_tiers": batch}, sold("openai", "cannot", 1))
    assert advised(tiers, context=PriceContext("batch")) == []


def test_a_fee_counts_once_and_region_and_contract_of_the_seller_hold_for_its_others() -> None:
    eu = {"regions": {"eu": "1.1"}}
    cards = (
        {**sold("bedrock", "big", 10), **eu},
        {**sold("bedrock", "small", 1), **eu, "fees": {"request": "0.001"}},
        {**sold("openai", "elsewhere", 1), **eu},
    )
    half = Contract("half", "bedrock", None, Decimal("0.5"))
    prices = PriceBook([], [price_list(*cards)], [half])
    job = job_of(prices, name=("bedrock", "eu.big"))
    part = job.parts[0]
    twice = Job((part, part), job.needs, 1, job.current, job.grains * 2)
    found = {one.card.model: one.usd for one in recommend(prices, twice, at_us=0, known_us=0)}

    assert job.current.resolution.region == "eu"
    assert found == {"small": Decimal("0.0126"), "elsewhere": Decimal("0.022")}


def test_in_a_zone_only_what_has_a_price_there() -> None:
    eu = {"regions": {"eu": "1.1"}}
    cards = (
        {**sold("azure", "big", 10), **eu},
        {**sold("azure", "a", 1), **eu},
        sold("azure", "b", 1),
    )
    prices = book(*cards, sold("openai", "c", 2))

    assert names(advised(prices, name=("azure", "eu/big"))) == ["azure/a", "openai/c"]
    assert names(advised(prices, name=("azure", "big"))) == ["azure/a", "azure/b", "openai/c"]


def test_what_is_retired_or_not_sold_then_is_not_recommended() -> None:
    prices = book(
        sold("openai", "big", 10),
        sold("openai", "retired", 1),
        {**sold("openai", "later", 1), "effective_from": "1970-01-12"},
        models=(facts("openai", "retired", retires="1970-01-11"),),
    )

    assert names(advised(prices, at_us=9 * DAY_US)) == ["openai/retired"]
    assert names(advised(prices, at_us=10 * DAY_US)) == []
    assert names(advised(prices, at_us=11 * DAY_US)) == ["openai/later"]


def test_a_model_of_an_unknown_kind_that_sells_output_is_no_embedding() -> None:
    prices = book(
        sold("openai", "big", 10, output=None),
        sold("openai", "writes", 1),
        sold("openai", "none", 1, output=None),
        sold("openai", "free", 1, output=0),
        models=(facts("openai", "big", mode="embedding", output=None, tools=None),),
    )

    assert names(advised(prices, ("input", 5))) == ["openai/free", "openai/none"]


def test_without_a_model_in_use_all_that_fit_are_named_the_cheapest_first() -> None:
    job = Job((Part(USAGE),), Needs(features=frozenset({"tools"})), providers=frozenset({"openai"}))
    found = recommend(SELLERS, job, at_us=0, known_us=0)

    assert names(found) == ["openai/small", "openai/big", "openai/same", "openai/dear"]
    assert {(one.saved_usd, one.saved_percent, one.lost) for one in found} == {(None, None, ())}
    assert [one.unknown for one in found] == [(), (), ("tools",), ("tools",)]


def test_modes_are_compared_by_the_kind_of_work() -> None:
    assert fit_of(ModelFacts("p", "m", mode="completion"), Needs("chat")).lacks == ()
    assert fit_of(ModelFacts("p", "m", mode="image"), Needs("chat")).lacks == ("mode",)
    assert lost_of(ModelFacts("p", "m"), ModelFacts("p", "n")) == ((), ())


@pytest.mark.parametrize(
    ("sent", "needs"),
    [
        ("tools,vision", Needs(input=frozenset({"image"}), features=frozenset({"tools"}))),
        (["JSON", "thinking"], Needs(features=frozenset({"structured_output", "reasoning"}))),
        ({"tools": False, "vision": None}, Needs()),
        ({"context_size": 5, "max_output_tokens": 6}, Needs(None, 5, 6)),
        ({"input": "audio", "output": ["text"]}, Needs(None, 0, 0, {"audio"}, {"text"})),
        ({"mode": "embedding"}, Needs("embedding")),
        ([], Needs()),
    ],
)
def test_needs_as_people_write_them(sent: object, needs: Needs) -> None:
    read = needs_from_json(sent)

    assert read == needs
    assert needs_from_json(needs_json(read)) == read


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (5, "needs"),
        (["wings"], "needs"),
        ([5], "needs"),
        ({"wings": True}, "needs"),
        ({"tools": "yes"}, "needs.tools"),
        ({"mode": 5}, "needs.mode"),
        ({"mode": ""}, "needs.mode"),
        ({"input": 5}, "needs.input"),
        ({"output": ["smell"]}, "needs.output"),
        ({"context_tokens": -1}, "needs.context_tokens"),
        ({"context_tokens": True}, "needs.context_tokens"),
        ({"max_output_tokens": "9"}, "needs.max_output_tokens"),
    ],
)
def test_needs_that_cannot_be_are_named(sent: object, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        needs_from_json(sent)
    assert refused.value.fields[0].field == field


# Whatever the book ---------------------------------------------------------------------------------

NAMES = [(p, m) for p in ("openai", "mistral", "azure") for m in ("a", "b", "c", "big")]
rates = st.integers(0, 30).map(str)
flags = st.sampled_from([True, False, None])


@st.composite
def books(draw) -> tuple[list[dict], list[dict]]:
    keys = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=8))
    keys = [("openai", "big"), *(key for key in keys if key != ("openai", "big"))]
    cards = [
        {**sold(*key, draw(rates)), "tiers": [{"when": {"total_input_tokens_gt": 9_999},
         "rates": {"input": draw(rates)}}]} for key in keys
    ]  # fmt: skip
    models = [
        facts(*key, tools=draw(flags), reasoning=draw(flags), mode=draw(st.sampled_from(["chat", None])),
              context_tokens=draw(st.sampled_from([None, 5_000, 200_000])))
        for key in keys if draw(st.booleans())
    ]  # fmt: skip
    return cards, models


needed = st.builds(
    Needs,
    context_tokens=st.sampled_from([0, 100_000]),
    input=st.sets(st.sampled_from(MODALITIES[:2])).map(frozenset),
    features=st.sets(st.sampled_from(FEATURES)).map(frozenset),
)


@given(books(), needed, st.integers(0, 20_000), st.integers(0, 2_000), st.randoms())
def test_never_dearer_never_known_unfit_and_the_same_from_equal_books(
    made, needs: Needs, input_tokens: int, output: int, random
) -> None:
    cards, models = made
    prices = book(*cards, models=tuple(models))
    units = tuple((u, n) for u, n in (("input", input_tokens), ("output", output)) if n)
    job = job_of(prices, units, needs, providers=frozenset({ANY}))
    found = recommend(prices, job, at_us=0, known_us=0)

    random.shuffle(cards)
    random.shuffle(models)
    again = recommend(book(*cards, models=tuple(models)), job, at_us=0, known_us=0)
    assert [(a.card.provider, a.card.model, a.grains, a.lost, a.unknown) for a in found] == [
        (a.card.provider, a.card.model, a.grains, a.lost, a.unknown) for a in again
    ]
    for one in found:
        exact = one.card.charge(units, at_us=0).grains
        assert one.grains == exact < job.grains
        assert one.saved == job.grains - exact > 0
        assert one.saved_usd + one.usd == job_bill(prices, job).usd
        assert 0 < one.saved_percent <= 100
        fit = fit_of(one.facts, job.needs)
        assert fit.lacks == ()
        assert one.is_fit == (fit.unknown == ())
        assert set(fit.unknown) <= set(one.unknown)
        assert (one.card.provider, one.card.model) != ("openai", "big")
    assert [one.is_fit for one in found] == sorted((one.is_fit for one in found), reverse=True)
    fit_costs = [one.grains for one in found if one.is_fit]
    assert fit_costs == sorted(fit_costs)


def job_bill(prices: PriceBook, job: Job):
    return bill_of(prices, job.current, job.parts, at_us=0, known_us=0)


def test_a_model_in_use_that_cannot_be_priced_is_told() -> None:
    with pytest.raises(Unpriced):
        job_of(SELLERS, (*USAGE, ("web_search", 1)))
