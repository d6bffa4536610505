"""Prices as the API shows them: the original's names beside ours, whole cards, facts, lists."""

from collections.abc import Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any

from pydantic import Field

from tekton_budget.domain.naming import Resolution
from tekton_budget.domain.price import Card, ModelFacts, Rate, pricing_json
from tekton_budget.frontends.api.bodies.answers import per_token
from tekton_budget.frontends.api.schemas import NumberOut, TimeOut, UsdOut, View
from tekton_budget.frontends.http.wire import number, time_text
from tekton_budget.service.prices import ListAge, SourceUpdate

Json = dict[str, Any]  # Any: JSON

_KINDS = {"input": "input", "output": "output", "cache_read": "cache_read"}
_KINDS |= {"cache_write": "cache_write_5m"}


class PriceOut(View):
    """A price: its plain rates in USD per 1,000,000 tokens, and in `card` all that it charges."""

    pricing_id: str
    provider: str
    model: str
    input: UsdOut
    output: UsdOut
    cache_read: UsdOut
    cache_write: UsdOut
    request: UsdOut
    price_type: str
    input_cost_per_token: UsdOut
    output_cost_per_token: UsdOut
    input_cost_per_char: UsdOut
    output_cost_per_char: UsdOut
    cost_per_image: UsdOut
    cost_per_second: UsdOut
    fixed_cost_per_request: UsdOut
    version: str
    source: str
    source_url: str | None
    verified: bool
    factor: NumberOut
    region: str | None
    effective_date: TimeOut
    end_date: TimeOut
    known_since: TimeOut
    card: Json
    resolved_by: list[str]
    metadata: Json
    context_window_tokens: int | None = Field(None, description="In lists, where it is known")


class LoadedPriceOut(View):
    """A price that was taken over."""

    pricing_id: str
    provider: str
    model: str
    effective_date: TimeOut
    end_date: TimeOut
    source: str


class LoadedOut(View):
    """What was taken over: how many cards, of how many models."""

    loaded: int
    models: int
    known_since: TimeOut
    prices: list[LoadedPriceOut]


class ModelOut(View):
    """What is known of a model besides its price; `null` and empty are not known."""

    provider: str
    model: str
    mode: str | None
    context_tokens: int | None
    max_output_tokens: int | None
    input: list[str]
    output: list[str]
    tools: bool | None
    reasoning: bool | None
    structured_output: bool | None
    prompt_cache: bool | None
    open_weights: bool | None
    released: str | None
    retires: str | None


class PriceListOut(View):
    """A list that was taken over: when it was made, of which sources, and since when it counts."""

    version: str
    made: str
    age_days: int
    known_since: TimeOut
    models: int
    sources: list[Json]


class SourceUpdateOut(View):
    """What came of a source: whether its list was new here, and how many prices it changed."""

    source: str
    version: str
    made: str
    taken: bool
    prices_new: int
    prices_changed: int


class UpdatedOut(View):
    """What an update of prices did."""

    message: str
    updates_started: int = Field(description="Lists that were taken over")
    sources: list[str] = Field(description="That were asked")
    updated: list[SourceUpdateOut]


def to_api_updated(found: Sequence[SourceUpdate]) -> Json:
    """What an update of prices did, source by source, and in a sentence."""
    taken = [one for one in found if one.taken]
    return {
        "message": _update_text(found, taken),
        "updates_started": len(taken),
        "sources": [f"{one.source.name} {one.source.version}" for one in found],
        "updated": [
            {
                "source": one.source.name,
                "version": one.source.version,
                "made": one.source.made,
                "taken": one.taken,
                "prices_new": one.prices_new,
                "prices_changed": one.prices_changed,
            }
            for one in found
        ],
    }


def _update_text(found: Sequence[SourceUpdate], taken: Sequence[SourceUpdate]) -> str:
    if not found:
        return (
            "No source of prices is set up (BUDGET_PRICES=none), so nothing was updated. "
            "Set prices by POST /api/v1/prices or /api/v1/prices/load."
        )
    if not taken:
        return (
            "Nothing was updated: "
            + ", ".join(f"the list {one.source.version} ({one.source.name})" for one in found)
            + " is in force already, or a later one. It comes with this program: install a later "
            "release for later prices, or send them to POST /api/v1/prices or /api/v1/prices/load."
        )
    return " ".join(
        f"The list {one.source.version} ({one.source.name}) is in force now: {one.prices_new} "
        f"models are new, {one.prices_changed} cost something else."
        for one in taken
    )


def to_api_loaded(cards: Sequence[Card]) -> Json:
    """What was taken over."""
    return {
        "loaded": len(cards),
        "models": len({(card.provider, card.model) for card in cards}),
        "known_since": time_text(cards[0].known_since_us if cards else None),
        "prices": [
            {
                "pricing_id": card.price_id,
                "provider": card.provider,
                "model": card.model,
                "effective_date": time_text(card.valid_from_us),
                "end_date": time_text(card.valid_to_us),
                "source": card.source,
            }
            for card in cards
        ],
    }


def to_api_model(facts: ModelFacts) -> Json:
    """What is known of a model."""
    return {one.name: getattr(facts, one.name) for one in fields(facts)}


def to_api_list(age: ListAge) -> Json:
    """A list, without its cards."""
    return {
        "version": age.version,
        "made": age.made,
        "age_days": age.age_days,
        "known_since": time_text(age.known_since_us),
        "models": age.models,
        "sources": list(age.sources),
    }


def to_api_price(card: Card, resolution: Resolution | None = None) -> Json:
    """A price; `resolved_by` says how a name led to it."""
    rates = card.plain_rates().flat
    plain = {name: rates.get(unit) for name, unit in _KINDS.items()}
    return {
        "pricing_id": card.price_id,
        "provider": card.provider,
        "model": card.model,
        **{name: None if rate is None else number(rate.usd) for name, rate in plain.items()},
        "request": _each(rates.get("request")) or number(Decimal(0)),
        "price_type": _type_of(card),
        "input_cost_per_token": _token(plain["input"]),
        "output_cost_per_token": _token(plain["output"]),
        "input_cost_per_char": _each(rates.get("input_character")),
        "output_cost_per_char": _each(rates.get("output_character")),
        "cost_per_image": _each(rates.get("image")),
        "cost_per_second": _each(rates.get("input_second") or rates.get("output_second")),
        "fixed_cost_per_request": _each(rates.get("request")) or number(Decimal(0)),
        "version": card.price_id,
        "source": card.source,
        "source_url": card.source if card.source.startswith(("https://", "http://")) else None,
        "verified": card.status == "verified",
        "factor": number(card.factor),
        "region": card.region,
        "effective_date": time_text(card.valid_from_us),
        "end_date": time_text(card.valid_to_us),
        "known_since": time_text(card.known_since_us),
        "card": pricing_json(card),
        "resolved_by": [] if resolution is None else list(resolution.path),
        "metadata": {},
    }


def _type_of(card: Card) -> str:
    """The original's word for what a price is by."""
    rates = card.rates.flat
    for unit, name in (
        ("input", "token_based"),
        ("output", "token_based"),
        ("image", "image_based"),
        ("input_second", "time_based"),
        ("output_second", "time_based"),
        ("input_character", "character_based"),
        ("output_character", "character_based"),
    ):
        if unit in rates:
            return name
    return "fixed" if "request" in rates or card.rates.sized else "token_based"


def _token(rate: Rate | None) -> object:
    return None if rate is None else per_token(rate.usd)


def _each(rate: Rate | None) -> object:
    return None if rate is None else number((rate.usd / rate.per).normalize() + 0)
