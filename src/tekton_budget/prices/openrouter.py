"""OpenRouter's `/api/v1/models`: USD per token, as texts. It speaks for OpenRouter itself only.

"-1" is a router whose price is that of the model it picks: no price.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from .listing import (
    MILLION,
    BadNumber,
    Fee,
    Listing,
    Problem,
    Reading,
    amount,
    filled,
    objects,
    parsed,
    text_of,
    whole,
)

SOURCE = "openrouter"

_TOKENS = {
    "prompt": "input",
    "completion": "output",
    "input_cache_read": "cache_read",
    "input_cache_write": "cache_write_5m",
    "internal_reasoning": "reasoning",
    "audio": "input_audio",
    "audio_output": "output_audio",
    "input_audio_cache": "cache_audio_read",
    "image_output": "output_image",
    "image_token": "input_image",
}
_COUNTS = {"web_search": "web_search", "request": "request"}
_PER_TOKEN = 10  # "image" at fewer prompt tokens than this is a price per image token


def read(text: str | bytes) -> Reading:
    """The list. Raises `InvalidInput` if it is no JSON; a bad price is a problem, not an error."""
    listings: list[Listing] = []
    problems: list[Problem] = []
    document = parsed(text)
    for model in objects(document.get("data") if isinstance(document, Mapping) else None):
        name, pricing = text_of(model.get("id")), model.get("pricing")
        if not name or not isinstance(pricing, Mapping):
            continue
        rates, fees = _prices(name, pricing, problems)
        if not {"input", "output"} <= set(rates):
            problems.append(Problem(name, "", "no price of its own"))
            continue
        slug = text_of(model.get("canonical_slug"))
        names = (slug,) if slug and slug != name and ":" not in name else ()
        listing = Listing(
            SOURCE,
            name,
            "openrouter",
            name,
            rates=rates,
            fees=fees,
            names=names,
            facts=_facts(model),
        )
        listings.append(listing)
    return Reading(tuple(listings), tuple(problems))


def _prices(
    name: str, pricing: Mapping[str, Any], problems: list[Problem]
) -> tuple[dict[str, Decimal], dict[str, Fee]]:
    rates: dict[str, Decimal] = {}
    fees: dict[str, Fee] = {}
    for key, value in sorted(pricing.items(), key=lambda item: item[0] != "prompt"):
        try:
            usd = amount(value)
        except BadNumber as fault:
            problems.append(Problem(name, key, str(fault)))
            continue
        if key in _TOKENS:
            rates[_TOKENS[key]] = usd * MILLION
        elif key in _COUNTS:
            fees |= {_COUNTS[key]: usd} if usd else {}
        elif key == "image":
            if 0 < usd * MILLION < rates.get("input", Decimal(0)) * _PER_TOKEN:
                rates["input_image"] = usd * MILLION
            elif usd:
                problems.append(Problem(name, key, "no unit of ours"))
        else:
            problems.append(Problem(name, key, "unknown price key"))
    return rates, fees


def _facts(model: Mapping[str, Any]) -> dict[str, object]:
    top = model.get("top_provider")
    architecture = model.get("architecture")
    shape = architecture if isinstance(architecture, Mapping) else {}
    parameters = model.get("supported_parameters")
    told: dict[str, object] = {}
    if isinstance(parameters, list):
        told["tools"] = "tools" in parameters
        told["reasoning"] = "reasoning" in parameters
        told["structured_output"] = "structured_outputs" in parameters
    return filled(
        {
            "context_tokens": whole(model.get("context_length")),
            "max_output_tokens": (
                whole(top.get("max_completion_tokens")) if isinstance(top, Mapping) else None
            ),
            "input": _texts(shape.get("input_modalities")),
            "output": _texts(shape.get("output_modalities")),
            **told,
            "released": _day(model.get("created")),
            "retires": text_of(model.get("expiration_date")),
        }
    )


def _texts(value: object) -> list[str]:
    names = {"file": "pdf"}
    listed = value if isinstance(value, list) else []
    return [names.get(one, one) for one in listed if isinstance(one, str)]


def _day(value: object) -> str | None:
    seconds = whole(value)
    if seconds is None or not 0 < seconds < 4_000_000_000:
        return None
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
