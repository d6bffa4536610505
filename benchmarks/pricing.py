"""The cost of one usage against genai-prices' `calc_price`, and what a name and a response add."""

import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import genai_prices
import msgspec
from genai_prices import Usage

from tekton_budget.domain.metering import read_response
from tekton_budget.domain.price import PriceBook, PriceList
from tekton_budget.domain.units import Part
from tekton_budget.prices.embedded import embedded_text

Row = tuple[str, float, str, bool]  # what, figure, target, reached

TIMES = 50
AT = datetime(2026, 8, 1, tzinfo=UTC)
AT_US = int(AT.timestamp()) * 1_000_000
KNOWN_US = 1 << 60
# Provider, model, and the same usage in their words and in ours: plain, tiered, cached, by name.
CALLS: tuple[tuple[str, str, dict[str, int], tuple[tuple[str, int], ...]], ...] = (
    (
        "openai",
        "gpt-4o",
        {"input_tokens": 2006, "cache_read_tokens": 1920, "output_tokens": 300},
        (("input", 86), ("output", 300), ("cache_read", 1920)),
    ),
    (
        "anthropic",
        "claude-sonnet-4-5",
        {
            "input_tokens": 5239,
            "cache_write_tokens": 4735,
            "cache_read_tokens": 500,
            "output_tokens": 255,
        },
        (("input", 4), ("output", 255), ("cache_read", 500), ("cache_write_5m", 4735)),
    ),
    (
        "google",
        "gemini-2.5-pro",
        {"input_tokens": 250_000, "output_tokens": 4000},
        (("input", 250_000), ("output", 4000)),
    ),
    (
        "openrouter",
        "anthropic/claude-sonnet-4.5",
        {"input_tokens": 550, "output_tokens": 15},
        (("input", 550), ("output", 15)),
    ),
)
RESPONSE = {
    "model": "gpt-4o-2024-08-06",
    "usage": {
        "prompt_tokens": 2006,
        "completion_tokens": 300,
        "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    },
}


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Medians of rounds in which the two take turns, so that a noisy machine is noisy to both."""
    book = PriceBook([], [PriceList(msgspec.json.decode(embedded_text()), "embedded", 0)])
    rounds = 5 if quick else 60
    cards, looked, least = [], [], []
    for provider, model, theirs, units in CALLS:
        found = book.card_named(provider, model, valid_us=AT_US, known_us=KNOWN_US)
        assert found is not None, f"{provider}/{model} is in the list"
        card, part, usage = found.card, Part(units), Usage(**theirs)

        def ours(card=card, part=part) -> object:
            return card.grains_of(part, at_us=AT_US)

        def by_name(provider=provider, model=model, part=part) -> object:
            named = book.card_named(provider, model, valid_us=AT_US, known_us=KNOWN_US)
            assert named is not None
            return named.card.grains_of(part, at_us=AT_US)

        def other(usage=usage, model=model, provider=provider) -> object:
            return genai_prices.calc_price(
                usage, model_ref=model, provider_id=provider, genai_request_timestamp=AT
            )

        card_ratio, name_ratio = _ratios(other, (ours, by_name), rounds)
        cards.append(card_ratio)
        looked.append(name_ratio)
        least.append(f"{provider}/{model} {card_ratio:,.0f} ×, by name {name_ratio:,.0f} ×")
    print("\n".join(least))
    cost, named = statistics.median(cards), statistics.median(looked)
    yield "cost of one usage, × calc_price's speed", cost, ">= 50", cost >= 50
    yield "the same with the name looked up", named, ">= 20", named >= 20
    read = _microseconds(lambda: read_response(RESPONSE, api="openai.chat"), rounds)
    yield "a response read into units, µs", read, "<= 100", read <= 100


def _ratios(
    other: Callable[[], object], ours: tuple[Callable[[], object], ...], rounds: int
) -> list[float]:
    for each in (other, *ours):
        each()
    taken: list[list[float]] = [[] for _ in ours]
    theirs = []
    for _ in range(rounds):
        theirs.append(_seconds(other, TIMES) / TIMES)
        for number, each in enumerate(ours):
            taken[number].append(_seconds(each, TIMES * 20) / (TIMES * 20))
    return [statistics.median(theirs) / statistics.median(each) for each in taken]


def _microseconds(call: Callable[[], object], rounds: int) -> float:
    return statistics.median(_seconds(call, TIMES) / TIMES for _ in range(rounds)) * 1e6


def _seconds(call: Callable[[], object], times: int) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        call()
    return time.perf_counter() - begun
