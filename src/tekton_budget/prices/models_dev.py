"""models.dev's `api.json`: USD per million under `cost`, and what the models can do.

It writes the rate of image tokens into `output`, and prices speech by the character in `input`:
such rows are refused. No history: what it lists is as of the day it was fetched.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .listing import (
    Listing,
    Problem,
    Reading,
    Tier,
    entries,
    filled,
    flat_rates,
    objects,
    parsed,
    text_of,
    whole,
)
from .sellers import ours, without_region

SOURCE = "modelsdev"

_UNITS = {
    "input": "input",
    "output": "output",
    "reasoning": "reasoning",
    "citation": "citation",
    "cache_read": "cache_read",
    "cached_input": "cache_read",
    "cache_write": "cache_write_5m",
    "cached_write": "cache_write_5m",
    "input_audio": "input_audio",
    "output_audio": "output_audio",
}
_OVER = re.compile(r"context_over_(\d+)k")
_EMBEDS = re.compile(r"embed|rerank|^bge-|^voyage", re.IGNORECASE)
_MAKES_PICTURES = re.compile(r"image|imagen|dall-e|flux", re.IGNORECASE)


def read(text: str | bytes) -> Reading:
    """The list. Raises `InvalidInput` if it is no JSON; a bad price is a problem, not an error."""
    listings: list[Listing] = []
    problems: list[Problem] = []
    for provider, listed in entries(parsed(text)):
        for name, model in entries(listed.get("models")):
            cost = model.get("cost")
            if not isinstance(cost, Mapping):
                continue
            if reason := _not_per_token(name, model, cost):
                problems.append(Problem(f"{provider}/{name}", "", reason))
            else:
                listings.append(_listing(provider, name, model, problems))
    return Reading(tuple(listings), tuple(problems))


def _not_per_token(name: str, model: Mapping[str, Any], cost: Mapping[str, Any]) -> str | None:
    outputs = _modalities(model, "output")
    if "image" in outputs or (not outputs and _MAKES_PICTURES.search(name)):
        return "its output rate may be that of image tokens"
    free_output, free_input = not cost.get("output"), not cost.get("input")
    if free_output and not free_input and not _EMBEDS.search(name):
        return "priced by something that is no token"
    return None


def _modalities(model: Mapping[str, Any], way: str) -> list[str]:
    found = model.get("modalities")
    listed = found.get(way) if isinstance(found, Mapping) else None
    return [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []


def _listing(
    provider: str, name: str, model: Mapping[str, Any], problems: list[Problem]
) -> Listing:
    listed_as = f"{provider}/{name}"
    seller = ours(provider)
    if seller == "azure" and not name.startswith(("gpt", "o1", "o3", "o4", "text-", "codex")):
        seller = "azure_ai"  # what others sell there is its foundry
    cost = model["cost"]
    flat = {key: cost[key] for key in cost if key != "tiers" and not _OVER.fullmatch(key)}
    plain_name, region = without_region(seller, name)
    return Listing(
        SOURCE,
        name,
        seller,
        plain_name,
        region,
        rates=flat_rates(listed_as, flat, _UNITS, problems),
        tiers=tuple(_tiers(listed_as, cost, problems)),
        facts=_facts(model),
    )


def _tiers(listed_as: str, cost: Mapping[str, Any], problems: list[Problem]) -> list[Tier]:
    found: dict[int, dict[str, Decimal]] = {}
    for key, value in cost.items():
        over = _OVER.fullmatch(key)
        if over and isinstance(value, Mapping):
            found[int(over[1]) * 1000] = flat_rates(listed_as, value, _UNITS, problems)
    for band in objects(cost.get("tiers")):
        tier = band.get("tier")
        size = whole(tier.get("size")) if isinstance(tier, Mapping) else None
        if not size:
            problems.append(Problem(listed_as, "tiers", "a tier without a size"))
            continue
        rates = {key: value for key, value in band.items() if key != "tier"}
        found[size] = flat_rates(listed_as, rates, _UNITS, problems)
    return [Tier(over, found[over]) for over in sorted(found)]


def _facts(model: Mapping[str, Any]) -> dict[str, object]:
    limit = model.get("limit")
    limits = limit if isinstance(limit, Mapping) else {}
    told = {
        ours_: model[key]
        for ours_, key in (
            ("reasoning", "reasoning"),
            ("tools", "tool_call"),
            ("structured_output", "structured_output"),
            ("open_weights", "open_weights"),
        )
        if isinstance(model.get(key), bool)
    }
    return filled(
        {
            "context_tokens": whole(limits.get("context")),
            "max_output_tokens": whole(limits.get("output")),
            "input": _modalities(model, "input"),
            "output": _modalities(model, "output"),
            **told,
            "released": text_of(model.get("release_date")),
        }
    )
