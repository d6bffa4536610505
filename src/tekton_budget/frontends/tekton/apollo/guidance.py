"""Which model for a task: of the price book, of the wished tier, and within what the budget has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tekton_budget.domain.errors import BudgetError
from tekton_budget.face.budget import Budget
from tekton_budget.face.request import Json
from tekton_budget.frontends.tekton.apollo.models import BudgetPeriod, BudgetTier
from tekton_budget.frontends.tekton.apollo.policies import OWN
from tekton_budget.frontends.tekton.apollo.summaries import Summaries

INPUT_TOKENS, OUTPUT_TOKENS = 1000, 800  # of a typical request
NEAR = 0.7  # of a daily limit
RECOMMENDED = 3
CANDIDATES = 100
TRIED = 12
# Whose models come first at a task where nobody says it; and what the task needs of a model.
PROVIDERS = {
    "code": ("anthropic", "openai", "ollama"),
    "chat": ("openai", "anthropic", "ollama"),
    "reasoning": ("anthropic", "openai", "ollama"),
    "creative": ("openai", "anthropic", "ollama"),
    "default": ("anthropic", "openai", "ollama"),
}
NEEDS: Mapping[str, tuple[str, ...]] = {"reasoning": ("reasoning",), "code": ("tools",)}

Answer = dict[str, Any]  # Any: JSON with decimals


@dataclass(frozen=True, slots=True)
class Wish:
    """A task, and what is wanted for it."""

    context_id: str
    task_type: str
    task_description: str
    providers: tuple[str, ...]
    max_cost: Decimal | None
    tier: BudgetTier


def guided(budget: Budget, summaries: Summaries, wish: Wish) -> Answer:
    """Up to three models, the best first, and why these."""
    daily = summaries.of(None, BudgetPeriod.DAILY, None, None)
    is_near = any(one.usage_percentage > NEAR for one in daily)
    candidates = _sorted(_candidates(budget, wish), wish, is_near=is_near)
    fitting = _fitting(budget, candidates[:TRIED], wish)
    shown = fitting or candidates[:RECOMMENDED]
    return {
        "context_id": wish.context_id,
        "task_type": wish.task_type,
        "approaching_budget_limit": is_near,
        "preferred_tier": wish.tier.value,
        "recommended_models": [_shown(one, fits=bool(fitting)) for one in shown],
        "reasoning": _reasoning(wish, shown, is_near=is_near, fits=bool(fitting)),
    }


def _candidates(budget: Budget, wish: Wish) -> list[Json]:
    found = budget.recommend(
        input_tokens=INPUT_TOKENS,
        output_tokens=OUTPUT_TOKENS,
        needs=NEEDS.get(wish.task_type),
        providers=wish.providers or None,
        max_cost=wish.max_cost,
        limit=CANDIDATES,
    )
    return list(found["items"])


def _sorted(candidates: Sequence[Json], wish: Wish, *, is_near: bool) -> list[Json]:
    """Near a limit the cheapest first; else those of the tier, and of who is first at the task."""
    order = wish.providers or PROVIDERS.get(wish.task_type, PROVIDERS["default"])

    def place(one: Json) -> tuple[int, int, bool, Decimal]:
        provider = one["provider"]
        rank = order.index(provider) if provider in order else len(order)
        tier = 0 if is_near or one["tier"] == wish.tier.value else 1
        is_guess = not one["fits"]  # what it can do is not known
        return tier, 0 if is_near else rank, is_guess, Decimal(one["estimated_cost"])

    return sorted(candidates, key=place)


def _fitting(budget: Budget, candidates: Sequence[Json], wish: Wish) -> list[Json]:
    """Those that a call may use now, as the ledger would answer it."""
    found: list[Json] = []
    for one in candidates:
        labels = {"component": OWN, "context_id": wish.context_id, "task_type": wish.task_type}
        try:
            budget.allocate(
                provider=one["provider"],
                model=one["model"],
                input_tokens=INPUT_TOKENS,
                max_output_tokens=OUTPUT_TOKENS,
                labels={name: value for name, value in labels.items() if value},
                dry_run=True,
            )
        except BudgetError:
            continue
        found.append(one)
        if len(found) == RECOMMENDED:
            break
    return found


def _shown(one: Json, *, fits: bool) -> Answer:
    return {
        "provider": one["provider"],
        "model": one["model"],
        "tier": one["tier"],
        "estimated_cost": one["estimated_cost"],
        "input_cost_per_token": one["input_cost_per_token"],
        "output_cost_per_token": one["output_cost_per_token"],
        "fits_budget": fits,
    }


def _reasoning(wish: Wish, shown: Sequence[Json], *, is_near: bool, fits: bool) -> str:
    if not shown:
        return "The price book has no model that can do this at that cost: allow more, or others."
    first = shown[0]
    typical = f"{INPUT_TOKENS:,} tokens in and {OUTPUT_TOKENS:,} out"
    told = [f"{first['provider']}/{first['model']} costs ${first['estimated_cost']} for {typical}."]
    if is_near:
        told.append("A daily limit is over 70 % used, so the cheapest models come first.")
    elif first["tier"] == wish.tier.value:
        told.append(f"Models of the tier {wish.tier.value} come first.")
    else:
        told.append(f"No model of the tier {wish.tier.value} will do.")
    if not fits:
        told.append("None of them fits what the budget has left.")
    return " ".join(told)
