"""What to use instead: names resolved, usage read, needs joined, sellers chosen."""

from decimal import Decimal
from typing import Any

import pytest
from tests.service.prices.test_price_book import taken

from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.errors import InvalidInput, NotFound
from tekton_budget.domain.units import PriceContext
from tekton_budget.service.prices import Recommended, Wish
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service


def sold(model: str, rate: str, provider: str = "openai", **fields: object) -> dict[str, Any]:
    return {
        "provider": provider,
        "model": model,
        "rates": {"input": rate, "output": rate},
        **fields,
    }


@pytest.fixture
def book(quick: Running) -> Running:
    cards = (
        sold("big", "10", service_tiers={"batch": {"input": "5", "output": "5"}}),
        sold("small", "2", service_tiers={"batch": {"input": "1", "output": "1"}}),
        sold("other", "1", "mistral"),
        sold("small", "1", "azure"),
        {"provider": "openai", "model": "embed", "rates": {"input": "1"}},
        {"provider": "openai", "model": "embed-small", "rates": {"input": "0.5"}},
    )
    models = [
        {"provider": "openai", "model": "big", "mode": "chat", "context_tokens": 9000},
        {"provider": "openai", "model": "small", "mode": "chat", "context_tokens": 5000},
        {"provider": "mistral", "model": "other", "mode": "chat", "context_tokens": 9000},
        {"provider": "openai", "model": "embed", "mode": "embedding"},
        {"provider": "openai", "model": "embed-small", "mode": "embedding"},
    ]
    aliases = [{"provider": "openai", "name": "big-latest", "model": "big"}]
    assert taken(quick, "1", *cards, models=models, aliases=aliases)
    return quick


def asked(running: Running, **fields: Any) -> Recommended:
    fields = {"provider": "openai", "model": "big", **fields}
    return running.service.recommendations.recommend(Wish(**fields))


def named(found: Recommended) -> dict[str, Decimal]:
    return {f"{one.card.provider}/{one.card.model}": one.usd for one in found.items}


def test_a_call_that_fills_a_context_stands_for_the_usage(book: Running) -> None:
    found = asked(book, model="big-latest")

    assert found.bill is not None
    assert found.bill.usd == Decimal("0.04")
    assert found.bill.found.card.model == "big"
    assert found.parts[0].units == (("input", 3000), ("output", 1000))
    assert named(found) == {"mistral/other": Decimal("0.004"), "openai/small": Decimal("0.008")}
    assert (found.tier, found.facts.mode) == ("remote_heavyweight", "chat")
    assert named(asked(book, context_size=6000)) == {"mistral/other": Decimal("0.006")}
    assert asked(book, context_size=1).parts[0].units == (("input", 1),)


def test_a_usage_is_read_in_units_or_as_its_provider_tells_it(book: Running) -> None:
    ours = asked(book, usage={"input_tokens": 100, "output_tokens": 10})
    theirs = asked(book, usage={"prompt_tokens": 100, "completion_tokens": 10}, api="openai.chat")
    batch = asked(book, usage={"input": 100}, context={"service_tier": "batch"})

    assert ours.parts == theirs.parts
    assert named(ours) == named(theirs)
    assert named(ours)["mistral/other"] == Decimal("0.00011")
    assert batch.parts[0].context == PriceContext("batch")
    assert named(batch) == {"openai/small": Decimal("0.0001")}
    assert named(asked(book, usage={"input": 100}, context_size=6000)) == {
        "mistral/other": Decimal("0.0001")
    }
    assert asked(book, usage={"input": 0}).items == ()  # nothing is cheaper than nothing


def test_what_embeds_is_asked_for_input_alone(book: Running) -> None:
    found = asked(book, model="embed")

    assert found.parts[0].units == (("input", 4000),)
    assert named(found) == {"openai/embed-small": Decimal("0.002")}


def test_needs_and_sellers_and_a_limit(book: Running) -> None:
    assert named(asked(book, needs={"context_tokens": 9000})) == {"mistral/other": Decimal("0.004")}
    assert list(named(asked(book, limit=1))) == ["mistral/other"]
    assert list(named(asked(book, providers=("mistral-ai",)))) == ["mistral/other"]
    some = named(asked(book, providers=("any",), needs=["tools"]))
    assert some == {"azure/small": Decimal("0.004"), "mistral/other": Decimal("0.004")}
    unknown = asked(book, needs=["tools"])
    assert [one.is_fit for one in unknown.items] == [False, False]


def test_what_a_usage_shows_may_be_waived(book: Running) -> None:
    usage = {"input": 100, "output": 10, "reasoning": 5}
    shown = asked(book, usage=usage)
    waived = asked(book, usage=usage, needs={"reasoning": False})

    assert shown.needs.features == {"reasoning"}
    assert waived.needs.features == set()
    assert shown.items[0].unknown == (*waived.items[0].unknown, "reasoning")


def test_without_a_model_in_use_everything_has_a_cost_and_no_saving(book: Running) -> None:
    found = asked(book, provider=None, model=None, usage={"input_tokens": 100, "output_tokens": 1})

    assert (found.bill, found.facts, found.tier) == (None, None, None)
    assert list(named(found)) == ["mistral/other", "openai/small", "openai/big"]
    assert {one.saved for one in found.items} == {None}


def test_prices_of_another_moment(book: Running, clock: Any) -> None:
    later_us = clock.now_us + 10**12
    book.service.prices.set_price(
        LOCAL, "openai", "small", sold("x", "0.5"), valid_from_us=later_us
    )

    assert list(named(asked(book))) == ["mistral/other", "openai/small"]
    assert list(named(asked(book, at_us=later_us))) == ["openai/small", "mistral/other"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"context_size": 0}, "context_size"),
        ({"context_size": -1, "usage": {"input": 1}}, "context_size"),
        ({"providers": ("nobody",)}, "providers"),
        ({"providers": ()}, "providers"),
        ({"model": None}, "model"),
        ({"usage": {"input": -1}}, "usage.input"),
        ({"usage": {"web_search": 1}}, "web_search"),
        ({"needs": ["wings"]}, "needs"),
    ],
)
def test_what_cannot_be_answered_is_named(
    book: Running, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked(book, **fields)
    assert refused.value.fields[0].field == field


def test_a_model_in_use_without_a_price_names_its_neighbours(book: Running) -> None:
    with pytest.raises(NotFound) as refused:
        asked(book, model="smal")
    assert "openai/small" in refused.value.extra["suggestions"]


def test_the_included_list_has_advice_from_the_start(sqlite_url: str) -> None:
    with open_service(load_settings(database_url=sqlite_url, prices="embedded")) as running:
        found = asked(
            running,
            model="gpt-5",
            usage={"input_tokens": 20_000, "output_tokens": 1_500},
            needs=["tools", "vision"],
        )
    assert found.items[0].is_fit
    assert "image" in found.items[0].facts.input
    assert found.items[0].usd < found.bill.usd == Decimal("0.04")
