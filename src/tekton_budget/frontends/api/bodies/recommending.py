"""Recommendations as the API shows them: the original's names beside ours."""

from typing import Any

from pydantic import Field

from tekton_budget.domain.money import nano_from_usd, usd_text
from tekton_budget.domain.price import facts_json, input_tokens
from tekton_budget.domain.recommend import Advice, needs_json, price_tips
from tekton_budget.domain.units import STANDARD, UNITS, Part
from tekton_budget.frontends.api.bodies.answers import per_token
from tekton_budget.frontends.api.schemas import UsdOut, View
from tekton_budget.frontends.http.wire import number
from tekton_budget.service.prices import Recommended

Json = dict[str, Any]  # Any: JSON

_NAME_OF_UNIT = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write_5m": "cache_write_tokens",
}


class RecommendationOut(View):
    """A cheaper model: what the same usage costs there, and what would be lost."""

    provider: str
    model: str
    estimated_cost: UsdOut
    savings: UsdOut
    savings_percent: UsdOut
    input_cost_per_token: UsdOut
    output_cost_per_token: UsdOut
    fits: bool | None
    lost: list[str]
    unknown: list[str]
    tier: str | None
    facts: Json
    price_id: str
    reason: str = Field(description="In a sentence, of the above alone")


class RecommendationsOut(View):
    """The best first: those known to fit before those of which something needed is unknown."""

    items: list[RecommendationOut]
    current_provider: str | None
    current_model: str | None
    current_cost: UsdOut
    current_tier: str | None
    current_facts: Json | None
    usage: Json
    needs: Json
    best_match: RecommendationOut | None = Field(description="The first of items")
    alternatives: list[RecommendationOut] = Field(description="The others")
    optimization_tips: list[str] = Field(description="What the price of the model in use allows")


def to_api_recommendations(found: Recommended) -> Json:
    """What was asked about, and the models that would do."""
    card = None if found.bill is None else found.bill.found.card
    items = [to_api_advice(advice, found) for advice in found.items]
    return {
        "items": items,
        "current_provider": None if card is None else card.provider,
        "current_model": None if card is None else card.model,
        "current_cost": None if found.bill is None else number(found.bill.usd),
        "current_tier": found.tier,
        "current_facts": None if found.facts is None else _facts(facts_json(found.facts)),
        "usage": _usage(found.parts),
        "needs": needs_json(found.needs),
        "best_match": items[0] if items else None,
        "alternatives": items[1:],
        "optimization_tips": [] if card is None else price_tips(card),
    }


def to_api_advice(advice: Advice, found: Recommended) -> Json:
    """A cheaper model."""
    card = advice.card
    rates = card.tariff(
        found.parts[0].context if found.parts else STANDARD,
        at_us=found.at_us,
        input_tokens=max((input_tokens(part.units) for part in found.parts), default=0),
    )
    return {
        "provider": card.provider,
        "model": card.model,
        "estimated_cost": number(advice.usd),
        "savings": number(advice.saved_usd),
        "savings_percent": number(advice.saved_percent),
        "input_cost_per_token": per_token(rates.per_million("input")),
        "output_cost_per_token": per_token(rates.per_million("output")),
        "fits": True if advice.is_fit else None,  # nobody knows, which is not "no"
        "lost": advice.lost,
        "unknown": advice.unknown,
        "tier": advice.tier,
        "facts": _facts(facts_json(advice.facts)),
        "price_id": card.price_id,
        "reason": _reason(advice),
    }


def _reason(advice: Advice) -> str:
    if advice.saved_percent is not None:
        parts = [f"Costs {advice.saved_percent.normalize() + 0:f} % less for the same usage"]
    else:
        parts = [f"Costs {usd_text(nano_from_usd(advice.usd))} for this usage"]
    parts.append(
        f"loses {', '.join(advice.lost)}" if advice.lost else "loses nothing that is known"
    )
    if advice.unknown:
        parts.append(f"not known: {', '.join(advice.unknown)}")
    return "; ".join(parts) + "."


def _facts(facts: Json) -> Json:
    return {name: value for name, value in facts.items() if name not in ("provider", "model")}


def _usage(parts: tuple[Part, ...]) -> Json:
    sums: dict[str, int] = {}
    for part in parts:
        for unit, quantity in part.units:
            sums[unit] = sums.get(unit, 0) + quantity
    return {_NAME_OF_UNIT.get(unit, unit): sums[unit] for unit in UNITS if unit in sums}
