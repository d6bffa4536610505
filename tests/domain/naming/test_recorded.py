"""The recorded cases: every name and every costed call leads to the card that the case says."""

from typing import Any

import pytest
from tests.domain.naming.names_of_sources import (
    at,
    carded,
    curated,
    everything,
    recorded,
    slugs,
)

from tekton_budget.domain.naming import Resolution, Resolver, Unknown, is_as_expected

NAMES = recorded("name-cases.json")
COSTS = recorded("cost-cases.json")
AS_OF = at(NAMES["as_of"])


@pytest.fixture(scope="module")
def book() -> Resolver:
    return everything()


@pytest.mark.parametrize("case", NAMES["cases"], ids=lambda case: ascii(case["name"]))
def test_a_recorded_name_has_the_recorded_answer(
    case: dict[str, Any],  # Any: JSON
    book: Resolver,
) -> None:
    got = book.resolve(case["provider_hint"], case["name"], AS_OF)

    if case["expect"] == "unknown":
        assert isinstance(got, Unknown)
        return
    assert isinstance(got, Resolution), got
    answer = case["answer"]
    assert got.provider == answer["provider"]
    assert is_as_expected(book, got, answer["provider"], answer["model"], AS_OF), got


@pytest.mark.parametrize(
    ("provider", "name", "card"),
    [
        ("bedrock", "us.anthropic.claude-opus-4-6-v1", "us.anthropic.claude-opus-4-6-v1"),
        ("bedrock", "global.anthropic.claude-opus-4-6-v1", "global.anthropic.claude-opus-4-6-v1"),
        ("azure", "azure/eu/gpt-4o-2024-08-06", "eu/gpt-4o-2024-08-06"),
    ],
)
def test_a_card_of_a_region_wins_and_is_not_surcharged_again(
    provider: str, name: str, card: str, book: Resolver
) -> None:
    got = book.resolve(provider, name, AS_OF)

    assert isinstance(got, Resolution)
    assert (got.model, got.region) == (card, None)


@pytest.mark.parametrize(
    ("answer", "provider", "model", "expected"),
    [
        (("openai", "gpt-4o"), "openai", "gpt-4o-2024-08-06", True),
        (("openai", "gpt-4o"), "openai", "gpt-4o-2024-05-13", False),
        (("openai", "gpt-4o"), "azure", "gpt-4o", False),
        (("openai", "gpt-4o"), "openai", "gpt-9", False),
        (("google", "gemini-2.5-pro"), "google", "floating alias: depends on the date", True),
        (("azure", "eu/gpt-4o-2024-08-06"), "azure", "gpt-4o (eu data zone)", True),
        (("azure", "eu/gpt-4o-2024-08-06"), "azure", "gpt-4o-mini (eu data zone)", False),
        (("fireworks", "kimi-k2p5"), "fireworks", "kimi-k2.5", True),
        (("fireworks", "a#b"), "fireworks", "kimi-k2.5", False),
    ],
)
def test_an_expectation_names_the_model_whatever_the_region(
    answer: tuple[str, str], provider: str, model: str, expected: bool, book: Resolver
) -> None:
    got = Resolution(*answer, None, ())

    assert is_as_expected(book, got, provider, model, AS_OF) is expected


def test_a_refusal_is_never_what_was_expected(book: Resolver) -> None:
    assert not is_as_expected(book, Unknown("unknown model"), "openai", "gpt-4o", AS_OF)


@pytest.mark.parametrize("case", COSTS["cases"], ids=lambda case: case["id"])
def test_a_costed_call_finds_its_card_among_nothing_but_the_cards(
    case: dict[str, Any],  # Any: JSON
) -> None:
    got = CARDS.resolve(case["provider"], case["model"], at(case["at"]))

    card = COSTS["rate_cards"].get(case.get("rate_card"))
    if card:
        assert isinstance(got, Resolution), got
        assert (got.provider, got.model) == (card["provider"], card["model"])
    else:
        assert isinstance(got, Unknown)
        wanted = "unknown provider" if case["provider"] == "acme-cloud" else "unknown model"
        assert got.reason == wanted


CARDS = Resolver(carded(), [*curated(), *slugs()])
