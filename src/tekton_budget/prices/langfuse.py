"""Langfuse's default prices: USD per token under the names of each API's usage fields."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .listing import (
    MILLION,
    BadNumber,
    Listing,
    Problem,
    Reading,
    ServiceTier,
    Tier,
    amount,
    objects,
    parsed,
    text_of,
    whole,
)

SOURCE = "langfuse"

_NAMES = {
    "input": "input input_tokens input_text input_text_tokens input_modality_1 prompt_token_count"
    " promptTokenCount total",
    "output": "output output_tokens output_text output_text_tokens output_modality_1"
    " candidates_token_count candidatesTokenCount",
    "cache_read": "input_cached_tokens input_cache_read cache_read_input_tokens"
    " cached_content_token_count input_cached_text_tokens",
    "cache_write_5m": "cache_creation_input_tokens input_cache_creation input_cache_creation_5m"
    " input_cache_write_tokens",
    "cache_write_1h": "input_cache_creation_1h",
    "reasoning": "output_reasoning output_reasoning_tokens thoughtsTokenCount thoughts_token_count",
    "input_audio": "input_audio input_audio_tokens",
    "output_audio": "output_audio output_audio_tokens",
    "cache_audio_read": "input_cached_audio_tokens",
    "input_image": "input_image input_image_tokens",
    "output_image": "output_image output_image_tokens",
    "cache_image_read": "input_cached_image_tokens",
}
_UNITS = {name: unit for unit, names in _NAMES.items() for name in names.split()}
_MAKERS = (
    (re.compile(r"(gpt|chatgpt|o\d|text-|ft:|codex|computer-use|davinci|babbage|ada)"), "openai"),
    (re.compile(r"claude"), "anthropic"),
    (re.compile(r"gemini|gemma|learnlm"), "google"),
)


@dataclass
class _Found:
    rates: dict[str, Decimal] = field(default_factory=dict)
    tiers: list[Tier] = field(default_factory=list)
    services: dict[str, ServiceTier] = field(default_factory=dict)


def read(text: str | bytes) -> Reading:
    """The list. Raises `InvalidInput` if it is no JSON; a bad price is a problem, not an error."""
    listings: list[Listing] = []
    problems: list[Problem] = []
    for model in objects(parsed(text)):
        name = text_of(model.get("modelName"))
        seller = next((seller for maker, seller in _MAKERS if maker.match(name or "")), None)
        if name is None or seller is None:
            problems.append(Problem(name or "", "", "of no seller that is known"))
            continue
        found = _tiers(name, model, problems)
        rates, tiers = found.rates, tuple(sorted(found.tiers, key=lambda tier: tier.over))
        listings.append(
            Listing(
                SOURCE, name, seller, name, rates=rates, tiers=tiers, service_tiers=found.services
            )
        )
    return Reading(tuple(listings), tuple(problems))


def _tiers(name: str, model: Mapping[str, Any], problems: list[Problem]) -> _Found:
    found = _Found()
    for tier in objects(model.get("pricingTiers")):
        rates = _rates(name, tier.get("prices"), problems)
        conditions = list(objects(tier.get("conditions")))
        if not conditions:
            found.rates = rates
            continue
        over, service = _above(conditions[0]), _service(conditions[0])
        if len(conditions) == 1 and over:
            found.tiers.append(Tier(over, rates))
        elif len(conditions) == 1 and service:
            found.services[service] = ServiceTier(rates)
        else:
            problems.append(Problem(name, "conditions", "a condition of an unknown form"))
    return found


def _above(condition: Mapping[str, Any]) -> int | None:
    on_input = str(condition.get("usageDetailPattern")).strip("^$()").startswith("input")
    return whole(condition.get("value")) if on_input and condition.get("operator") == "gt" else None


def _service(condition: Mapping[str, Any]) -> str | None:
    about = str(condition.get("field") or condition.get("key") or condition.get("type"))
    return text_of(condition.get("value")) if "service_tier" in about else None


def _rates(name: str, listed: object, problems: list[Problem]) -> dict[str, Decimal]:
    rates: dict[str, Decimal] = {}
    for key, value in listed.items() if isinstance(listed, Mapping) else ():
        if key not in _UNITS:
            problems.append(Problem(name, key, "unknown price key"))
            continue
        try:
            rates.setdefault(_UNITS[key], amount(value) * MILLION)
        except BadNumber as fault:
            problems.append(Problem(name, key, str(fault)))
    return rates
