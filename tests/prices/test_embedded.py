"""The embedded list: made anew byte for byte, small, well formed, right where it is known what is."""

import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.prices.conftest import Book

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.naming import Resolution, Resolver, Unknown
from tekton_budget.domain.price import PriceBook
from tekton_budget.domain.price.card_text import moment_us
from tekton_budget.domain.price.price_list import PriceList
from tekton_budget.domain.units import COUNT_UNITS, TOKEN_UNITS
from tekton_budget.prices.embedded import embedded_head, embedded_text

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "scripts" / "price_list" / "build.py"
BYTES_MAX = 500_000
NAMES_AS_OF = "2026-11-20"
CARD = {
    "provider", "model", "effective_from", "effective_to", "rates", "fees", "tiers",
    "service_tiers", "schedule", "regions", "source",
    "status",
}  # fmt: skip
FACTS = {
    "provider", "model", "mode", "context_tokens", "max_output_tokens", "input", "output", "tools",
    "reasoning", "structured_output", "prompt_cache", "released", "retires", "open_weights",
}  # fmt: skip


@pytest.fixture(scope="module")
def made(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The list and its report made anew."""
    folder = tmp_path_factory.mktemp("made")
    options = ["--out", str(folder / "list.json"), "--report", str(folder / "report.json")]
    command = [sys.executable, str(BUILD), str(shared), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "verified" in done.stdout
    return folder


@pytest.fixture(scope="module")
def report(made: Path) -> dict[str, Any]:
    return json.loads((made / "report.json").read_text())


def test_the_committed_list_is_what_the_files_give(made: Path) -> None:
    assert (made / "list.json").read_bytes() == embedded_text().encode()


def test_it_is_small_and_says_what_it_is_made_of() -> None:
    assert len(embedded_text().encode()) <= BYTES_MAX
    head = embedded_head()
    assert (head.format, head.made) == ("price-list/1", "2026-08-21")
    assert head.version.startswith(head.made)
    assert {source.name for source in head.sources} >= {"LiteLLM", "genai-prices", "models.dev"}
    assert max(source.date for source in head.sources) == head.made
    foreign = [source for source in head.sources if source.name != "Tekton Budget"]
    assert {source.licence for source in foreign} == {"MIT"}
    notice = (ROOT / "NOTICE").read_text()
    assert all(source.name.split(" (")[0] in notice or "models.dev" in source.name for source in head.sources)  # fmt: skip
    assert "llm-prices" not in embedded_text()


def test_every_card_is_of_the_format(book: Book) -> None:
    for (provider, model), cards in book.cards.items():
        for card in cards:
            assert set(card) <= CARD, card
            assert set(card["rates"]) <= set(TOKEN_UNITS)
            assert card["rates"] or card["fees"]
            assert set(card.get("fees", {})) <= set(COUNT_UNITS)
            assert card["source"]
            for rates in _all_rates(card):
                for text in rates.values():
                    assert Decimal(text) >= 0
                    assert f"{Decimal(text):f}" == text, (provider, model, text)
        spans = [(it.get("effective_from") or "", it.get("effective_to") or "9999") for it in cards]
        assert all(start < end for start, end in spans)
        assert all(one[1] <= two[0] for one, two in pairwise(spans)), model


def _all_rates(card: dict[str, Any]) -> list[dict[str, str]]:
    services = card.get("service_tiers", {}).values()
    bands = [*card.get("tiers", ()), *(it for one in services for it in one.get("tiers", ()))]
    return [
        card["rates"],
        *(one["rates"] for one in (*bands, *card.get("schedule", ()))),
        *(one.get("rates", one) for one in services),
    ]


def test_nothing_costs_what_no_token_costs(book: Book) -> None:
    """The bounds of verification, on every rate and not only on input and output."""
    for cards in book.cards.values():
        for card in cards:
            assert Decimal(card["rates"].get("input", "1")) <= 250, card
            assert Decimal(card["rates"].get("output", "1")) <= 700, card
            for tier in card.get("service_tiers", {}).values():
                rates = tier.get("rates", tier)
                for unit in set(rates) & set(card["rates"]):
                    assert Decimal(rates[unit]) <= 10 * Decimal(card["rates"][unit]), card


def test_aliases_lead_to_cards_and_hide_none(book: Book) -> None:
    seen = set()
    for alias in book.document["aliases"]:
        assert set(alias) <= {"provider", "name", "model", "from", "to"}
        assert (alias["provider"], alias["model"]) in book.cards, alias
        assert (alias["provider"], alias["name"]) not in book.cards, alias
        place = (alias["provider"], alias["name"], alias.get("from"))
        assert place not in seen, alias
        seen.add(place)


def test_facts_are_known_for_models_with_cards(book: Book) -> None:
    for facts in book.document["models"]:
        assert set(facts) <= FACTS, facts
        assert (facts["provider"], facts["model"]) in book.cards, facts
        assert None not in facts.values()
    known = {(it["provider"], it["model"]): it for it in book.document["models"]}
    opus = known["anthropic", "claude-opus-4-6"]
    assert (opus["context_tokens"], opus["max_output_tokens"]) == (1_000_000, 128_000)
    assert opus["tools"] is True
    assert opus["input"] == ["text", "image", "pdf"]
    assert known["openai", "text-embedding-3-small"]["mode"] == "embedding"
    assert known["google", "gemini-2.0-flash"]["retires"] == "2026-06-01"


def test_large_sellers_are_covered(book: Book) -> None:
    sellers = {provider for provider, _ in book.cards}
    assert sellers >= {
        "openai", "anthropic", "google", "vertex", "azure", "bedrock", "mistral", "cohere",
        "deepseek", "xai", "moonshot", "groq", "together", "fireworks", "openrouter",
        "perplexity", "alibaba", "zai", "minimax",
    }  # fmt: skip
    assert len(book.cards) > 550


# The errors that the foreign lists are known to hold.


def test_slips_of_unit_did_not_get_in(book: Book, report: dict[str, Any]) -> None:
    sellers = {provider for provider, _ in book.cards}
    assert not sellers & {"wandb", "watsonx"}
    assert not [model for _, model in book.cards if "jais" in model]
    slips = [name for name, one in report["undecided"].items() if one["status"] == "rejected"]
    assert [name.split()[0] for name in sorted(slips)] == ["azure_ai", "wandb", "wandb", "wandb", "watsonx"]  # fmt: skip
    card = book.card("together", "MiniMaxAI/MiniMax-M2.5", "2026-08-21")
    assert card is not None
    assert card["rates"] == {"input": "0.3", "output": "1.2", "cache_read": "0.06"}


def test_an_hour_of_cache_costs_twice_the_input(book: Book) -> None:
    card = book.card("anthropic", "claude-3-haiku-20240307", NAMES_AS_OF)
    assert card is not None
    assert card["rates"]["cache_write_1h"] == "0.5"
    for (provider, _), cards in book.cards.items():
        for rates in (card["rates"] for card in cards if provider in {"anthropic", "bedrock"}):
            if "cache_write_1h" in rates:
                assert Decimal(rates["cache_write_1h"]) == 2 * Decimal(rates["input"])


def test_no_stale_row_of_deepseek(book: Book) -> None:
    for model in ("deepseek-chat", "deepseek-reasoner"):
        assert book.card("deepseek", model, "2025-09-05") is None
        assert book.card("deepseek", model, NAMES_AS_OF) is None
        card = book.card("deepseek", model, "2025-02-08")
        assert card is not None
        assert card["schedule"][0]["when"] == {"utc_time": "16:30-00:30"}
    before, after = (book.card("deepseek", "deepseek-v4-pro", day) for day in ("2026-08-16", NAMES_AS_OF))  # fmt: skip
    assert before is not None
    assert after is not None
    assert (before["rates"]["input"], after["rates"]["input"]) == ("0.435", "1.32")
    assert after["schedule"][1]["when"]["weekdays_utc"] == [6, 7]
    assert book.card("deepseek", "deepseek-v4-pro", "2026-08-20") is None


@pytest.mark.parametrize(
    "model",
    [
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "anthropic.claude-opus-4-5-20251101-v1:0",
        "anthropic.claude-opus-4-6-v1",
        "anthropic.claude-opus-4-7",
        "anthropic.claude-sonnet-5",
        "anthropic.claude-opus-5",
    ],
)
def test_a_region_costs_ten_per_cent_at_bedrock_from_the_4_5_generation(
    book: Book, model: str
) -> None:
    card = book.card("bedrock", model, NAMES_AS_OF)
    assert card is not None
    assert card["regions"] == {"*": "1.1"}
    old = book.card("bedrock", "anthropic.claude-sonnet-4-20250514-v1:0", NAMES_AS_OF)
    assert old is not None
    assert "regions" not in old


def test_data_zones_cost_ten_per_cent_at_azure(book: Book) -> None:
    card = book.card("azure", "gpt-4o-2024-08-06", NAMES_AS_OF)
    assert card is not None
    assert (card["rates"]["input"], card["regions"]) == ("2.5", {"eu": "1.1", "us": "1.1"})


@pytest.mark.parametrize(
    ("provider", "model", "day", "value"),
    [
        ("openai", "o3", "2025-06-09", ("10", "40")),
        ("openai", "o3", "2025-06-10", ("2", "8")),
        ("openai", "gpt-5.6-luna", "2026-07-29", ("1", "6")),
        ("openai", "gpt-5.6-luna", "2026-07-30", ("0.2", "1.2")),
        ("openai", "gpt-5.6", "2026-08-20", ("5", "30")),
        ("openai", "gpt-5.6", "2026-08-21", ("4", "20")),
        ("google", "gemini-3.6-flash", "2026-12-31", ("0.75", "3.75")),
        ("google", "gemini-3.6-flash", "2027-01-01", ("1.5", "7.5")),
        ("google", "gemini-flash-latest", "2026-08-21", ("0.3", "2.5")),
        ("google", "gemini-flash-latest", NAMES_AS_OF, ("0.75", "3.75")),
        ("anthropic", "claude-sonnet-5", NAMES_AS_OF, ("2", "10")),
        ("openai", "gpt-4o-2024-08-06", NAMES_AS_OF, ("2.5", "10")),
        ("openai", "gpt-4o-2024-05-13", NAMES_AS_OF, ("5", "15")),
        ("mistral", "mistral-large-2411", NAMES_AS_OF, ("2", "6")),
        ("mistral", "mistral-large-2512", NAMES_AS_OF, ("0.5", "1.5")),
        ("cohere", "command-r-plus-04-2024", NAMES_AS_OF, ("3", "15")),
        ("bedrock", "meta.llama3-1-70b-instruct-v1:0", NAMES_AS_OF, ("0.72", "0.72")),
        ("bedrock", "amazon.titan-text-lite-v1", NAMES_AS_OF, ("0.15", "0.2")),
        ("xai", "grok-4.20-0309-reasoning", "2026-04-29", ("2", "6")),
        ("xai", "grok-4.20-0309-reasoning", "2026-04-30", ("1.25", "2.5")),
        ("openrouter", "anthropic/claude-4.5-sonnet-20250929", NAMES_AS_OF, ("3", "15")),
    ],
)
def test_prices_have_their_dates(
    book: Book, provider: str, model: str, day: str, value: tuple[str, str]
) -> None:
    card = book.card(provider, model, day)
    assert card is not None
    assert (card["rates"]["input"], card["rates"]["output"]) == value


@pytest.mark.parametrize(
    ("model", "day", "over"),
    [
        ("claude-sonnet-4-5", "2026-04-29", [200_000]),
        ("claude-sonnet-4-5", "2026-04-30", []),
        ("claude-sonnet-4-6", "2026-03-12", [200_000]),
        ("claude-sonnet-4-6", "2026-03-13", []),
        ("claude-opus-4-6", "2026-03-13", []),
    ],
)
def test_tiers_have_their_dates(book: Book, model: str, day: str, over: list[int]) -> None:
    card = book.card("anthropic", model, day)
    assert card is not None
    assert [tier["when"]["total_input_tokens_gt"] for tier in card.get("tiers", ())] == over


def test_service_tiers_are_filled_by_the_sellers_rules(book: Book) -> None:
    for (provider, model), cards in book.cards.items():
        for card in cards:
            batch = card.get("service_tiers", {}).get("batch", {})
            rates = batch.get("rates", batch)
            if provider == "anthropic" and model.startswith("claude-3-7"):
                assert Decimal(rates["cache_read"]) * 2 == Decimal(card["rates"]["cache_read"])
            if provider == "google" and batch:
                assert (
                    "cache_read" not in rates or rates["cache_read"] == card["rates"]["cache_read"]
                )
    gpt_4o, gpt_5 = (book.card("openai", model, NAMES_AS_OF) for model in ("gpt-4o", "gpt-5.4"))
    assert gpt_4o is not None
    assert gpt_5 is not None
    assert gpt_4o["service_tiers"]["batch"] == {"input": "1.25", "output": "5"}
    assert gpt_5["service_tiers"]["batch"]["rates"]["cache_read"] == "0.125"
    assert gpt_5["service_tiers"]["batch"]["tiers"][0]["rates"]["output"] == "11.25"


# Names and cards whose prices are known.

# What no list has, and no one may price today: the conflict or the gap is the answer.
UNPRICED = {"deepseek-chat", "claude-instant-1.2"}


# Names, kinds of rate and eras that lists alone leave out or have wrong: the day, and USD per million.
KNOWN_BY_PERSON = [
    ("anthropic", "claude-3-5-sonnet-latest", "2026-11-20", "input", "3"),
    ("mistral", "magistral-small-latest", "2026-11-20", "input", "0.5"),
    ("mistral", "mistral-embed", "2026-11-20", "input", "0.1"),
    ("openai", "o3", "2025-06-09", "cache_read", "2.5"),
    ("openai", "o3-2025-04-16", "2025-06-10", "cache_read", "0.5"),
]
SEARCHES = [
    ("openai", "gpt-5.1", "0.01"), ("openai", "gpt-5.6-sol", "0.01"), ("openai", "o3-pro", "0.01"),
    ("google", "gemini-3.5-flash", "0.014"), ("google", "gemini-2.5-pro", "0.035"),
]  # fmt: skip


def test_what_lists_leave_out_or_have_wrong_is_priced(price_list: PriceList) -> None:
    book = PriceBook([], [price_list])
    for provider, name, day, unit, usd in KNOWN_BY_PERSON:
        at_us = moment_us("day", day) or 0
        found = book.card_named(provider, name, valid_us=at_us, known_us=0)
        assert found is not None, name
        assert found.card.standard(at_us=at_us).per_million(unit) == Decimal(usd), name
    for provider, name, usd in SEARCHES:
        at_us = moment_us("day", NAMES_AS_OF) or 0
        found = book.card_named(provider, name, valid_us=at_us, known_us=0)
        assert found is not None, name
        assert found.card.charge([("web_search", 1)], at_us=at_us).usd == Decimal(usd), name


def test_every_known_name_has_its_price(book: Book, data_of: Callable[[str], Any]) -> None:
    checked = 0
    for case in data_of("name-cases.json")["cases"]:
        answer = case["answer"]
        if answer is None:
            continue
        model, _, place = answer["model"].partition(" (")
        card = book.card(answer["provider"], model, NAMES_AS_OF)
        if model in UNPRICED:
            assert card is None
            assert (answer["provider"], model) in book.cards  # known, with other dates
            continue
        if model.startswith("floating"):
            continue
        assert card is not None, case
        regional = place.startswith(("regional", "eu", "us"))
        regions = card.get("regions", {})
        factor = Decimal(regions.get("*") or regions.get("eu", "1")) if regional else Decimal(1)
        for unit in ("input", "output"):
            wanted = answer[f"{unit}_usd_per_mtok"]
            found = card["rates"].get(unit)
            assert (found and Decimal(found) * factor) == (wanted and Decimal(wanted)), case
        checked += 1
    assert checked >= 50


# Cards whose context tiers the embedded one has and the case does not, and why.
LONGER = {
    "xai/grok-4.20": "from 200,000 tokens on it costs twice; the case's card is for a short call"
}


def test_every_known_card_is_found(book: Book, data_of: Callable[[str], Any]) -> None:
    """At a day within the card's dates, by its model's name, region included."""
    for name, card in data_of("cost-cases.json")["rate_cards"].items():
        provider, model = card["provider"], card["model"]
        region, factor = None, Decimal(1)
        for mark in (".", "/"):
            if model.partition(mark)[0] in {"us", "eu"}:
                region, _, model = model.partition(mark)
        found = book.card(provider, model, _day(card))
        assert found is not None, name
        if region:
            regions = found["regions"]
            factor = Decimal(regions.get(region) or regions["*"])
        for unit, rate in card["rates"].items():
            assert Decimal(found["rates"][unit]) * factor == Decimal(rate), (name, unit)
        for unit, fee in card.get("fees", {}).items():
            assert found["fees"][unit] == fee, (name, unit)
        bands = [(one["when"], one["rates"]) for one in found.get("tiers", ())]
        wanted = [(one["when"], one["rates"]) for one in card.get("tiers", ())]
        assert bands == wanted or name in LONGER, name
        assert len(found.get("schedule", ())) == len(card.get("schedule", ())), name
        for tier, rates in card.get("service_tiers", {}).items():
            listed = found["service_tiers"][tier]
            standard = listed.get("rates", listed)
            for unit, rate in rates.get("rates", rates).items():
                assert standard.get(unit, found["rates"][unit]) == rate, (name, tier, unit)


def _day(card: dict[str, Any]) -> str:
    if card.get("effective_from"):
        return card["effective_from"]
    return "2026-03-01" if card.get("effective_to") else "2026-08-21"


# The domain's own reading of it.


@pytest.fixture(scope="module")
def price_list() -> PriceList:
    def refuse(fault: InvalidInput) -> None:
        raise fault

    return PriceList(json.loads(embedded_text()), "included", 0, refuse)


def test_the_domain_parses_every_card_and_fact(price_list: PriceList) -> None:
    keys = [*price_list.keys()]
    for key in keys:
        assert price_list.cards(key), key
    facts = [price_list.facts(key) for key in keys]
    assert sum(one is not None for one in facts) > 500


def test_known_names_lead_to_their_cards(
    price_list: PriceList, data_of: Callable[[str], Any]
) -> None:
    resolver = Resolver(price_list.keys(), price_list.aliases())
    at_us = moment_us("at", NAMES_AS_OF)
    assert at_us is not None
    for case in data_of("name-cases.json")["cases"]:
        found = resolver.resolve(case["provider_hint"], case["name"], at_us)
        answer = case["answer"]
        if answer is None:
            assert isinstance(found, Unknown), case
            continue
        assert isinstance(found, Resolution), case
        assert found.provider == answer["provider"]
        if not answer["model"].startswith("floating"):
            assert found.model == answer["model"].partition(" (")[0], case
