"""Which models Rhetor's callers may use, what they cost, and which would be cheaper."""

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tekton_budget.domain.errors import BudgetError, Forbidden, InvalidInput, NotFound
from tekton_budget.face.budget import Budget
from tekton_budget.frontends.tekton.rhetor.words import FREE_MODELS, PROVIDERS

logger = logging.getLogger(__name__)

Json = dict[str, Any]  # Any: decoded JSON
Named = tuple[str, str]  # provider, model

# Which providers suit a task, the best first.
PREFERENCES = {
    "code": ("anthropic", "openai", "ollama"),
    "planning": ("anthropic", "openai", "ollama"),
    "reasoning": ("anthropic", "openai", "ollama"),
    "chat": ("openai", "anthropic", "ollama"),
    "default": ("anthropic", "openai", "ollama"),
}
_LAST = 99
_ONE_OF_EACH = {"input_tokens": 1000, "output_tokens": 1000}
_TIERS = (("low", Decimal("0.01")), ("medium", Decimal("0.05")))
_MANY = 1000


class Models:
    """What the price book says of the providers that Rhetor calls."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def know_free_ones(self) -> None:
        """Rhetor's local models are free, which the price list does not know of."""
        for provider, model in FREE_MODELS:
            try:
                self._budget.current_price(provider, model)
            except NotFound:
                self._set_free(provider, model)

    def prices(self) -> list[Json]:
        """Of every model with prices of input and output, by provider in Rhetor's order."""
        return [
            price
            for provider in PROVIDERS
            for price in self._budget.prices(provider=provider)
            if None not in (price["input_cost_per_token"], price["output_cost_per_token"])
        ]

    def tiers(self) -> dict[str, list[Json]]:
        """By what 1,000 tokens in and 1,000 out cost."""
        tiers: dict[str, list[Json]] = {"free": [], "low": [], "medium": [], "high": []}
        for price in self.prices():
            per_1k = _per_1k(price)
            model = {
                "provider": price["provider"],
                "model": price["model"],
                "cost_per_1k_tokens": float(per_1k),
            }
            tiers[_tier(per_1k)].append(model)
        return tiers

    def cheaper(self, provider: str, model: str, task_type: str) -> list[Named] | None:
        """Models that would do for less, those first that suit the task; `None`: nobody knows."""
        known = [name for name in PROVIDERS if self._budget.prices(provider=name)]
        asked = {provider: None, **dict.fromkeys(known)}
        try:
            found = self._budget.recommend(
                provider, model, usage=_ONE_OF_EACH, providers=list(asked), limit=_MANY
            )
        except (NotFound, InvalidInput):
            return None
        order = PREFERENCES.get(task_type, PREFERENCES["default"])
        ranked = sorted(
            found["items"],
            key=lambda one: (_place(order, one["provider"]), Decimal(one["estimated_cost"])),
        )
        return [(one["provider"], one["model"]) for one in ranked]

    def by_preference(self, task_type: str) -> list[Named]:
        """All of them, those first that suit the task, the cheapest of each first."""
        order = PREFERENCES.get(task_type, PREFERENCES["default"])
        ranked = sorted(
            self.prices(), key=lambda one: (_place(order, one["provider"]), _per_1k(one))
        )
        return [(one["provider"], one["model"]) for one in ranked]

    def free(self) -> list[Named]:
        """Those that cost nothing, local ones first."""
        known = {
            (price["provider"], price["model"]) for price in self.prices() if not _per_1k(price)
        }
        own = [one for one in FREE_MODELS if one in known]
        return [*own, *sorted(known - set(own))]

    def _set_free(self, provider: str, model: str) -> None:
        try:
            self._budget.set_price(provider, model, input=0, output=0, source="rhetor")
        except Forbidden:
            logger.warning("%s/%s is free, but this key may not say so", provider, model)
        except BudgetError:
            logger.warning("%s/%s could not be made known as free", provider, model, exc_info=True)


def _per_1k(price: Json) -> Decimal:
    both = Decimal(price["input_cost_per_token"]) + Decimal(price["output_cost_per_token"])
    return both * 1000


def _tier(per_1k: Decimal) -> str:
    if not per_1k:
        return "free"
    return next((tier for tier, below in _TIERS if per_1k < below), "high")


def _place(order: Sequence[str], provider: str) -> int:
    return order.index(provider) if provider in order else _LAST
