"""What calls cost, by the price book, in Rhetor's methods and fields."""

import logging
from decimal import Decimal
from typing import Any

from tekton_budget.domain.errors import InvalidInput, NotFound
from tekton_budget.face.budget import Budget
from tekton_budget.frontends.tekton.rhetor.checking import Estimate
from tekton_budget.frontends.tekton.rhetor.counting import count_tokens
from tekton_budget.frontends.tekton.rhetor.experience import Experience, Size
from tekton_budget.frontends.tekton.rhetor.models import Models
from tekton_budget.frontends.tekton.rhetor.shared import Shared

logger = logging.getLogger(__name__)

Json = dict[str, Any]  # Any: decoded JSON
OUTPUT_LENGTH = 500  # characters that an estimate takes the answer to have


class Costs:
    """Estimates and prices; nothing is asked for or posted."""

    budget: Budget
    output_tokens: int | None
    _models: Models
    _experience: Experience
    _shared: Shared

    @property
    def pricing(self) -> dict[str, dict[str, dict[str, float]]]:
        """USD per token, by provider and model: what the price book says now, to be read only."""
        found: dict[str, dict[str, dict[str, float]]] = {}
        for price in self._models.prices():
            found.setdefault(price["provider"], {})[price["model"]] = {
                name: float(price[name])
                for name in ("input_cost_per_token", "output_cost_per_token")
            }
        return found

    def count_tokens(self, text: str, model: str = "gpt-3.5-turbo") -> int:
        """By litellm's tokenizers where that is installed, else by words and characters."""
        return count_tokens(text, model)

    def calculate_cost(self, provider: str, model: str, input_text: str, output_text: str) -> Json:
        """Tokens and USD of a call. A model without a known price costs `None`, and it is said."""
        return self._cost(provider, model, self._tokens(model, input_text, output_text)).shown()

    def estimate_cost(
        self,
        provider: str,
        model: str,
        input_text: str,
        estimated_output_length: int = OUTPUT_LENGTH,
    ) -> Json:
        """The same of an answer of so many characters."""
        return self.calculate_cost(provider, model, input_text, "a" * estimated_output_length)

    def get_model_tiers(self) -> dict[str, list[Json]]:
        """The models of Rhetor's providers by price: free, low, medium, high."""
        return self._models.tiers()

    def find_cheaper_alternative(
        self, provider: str, model: str, task_type: str = "default"
    ) -> tuple[str, str] | None:
        """A model that can do the job for less, of the provider that suits the task best."""
        cheaper = self._models.cheaper(provider, model, task_type)
        return cheaper[0] if cheaper else None

    def _size(self, provider: str, model: str, estimate: Estimate) -> Size:
        """What a check holds: what is said of answers, else the estimate or the last calls."""
        if self.output_tokens is not None:
            return Size(self.output_tokens, Decimal(0))
        lately = self._experience.largest((provider, model))
        return Size(max(estimate.output_tokens, lately.output_tokens), lately.cost)

    def _estimate(self, provider: str, model: str, input_text: str) -> Estimate:
        """A call with an answer of the usual length."""
        return self._cost(provider, model, self._tokens(model, input_text, "a" * OUTPUT_LENGTH))

    def _tokens(self, model: str, input_text: str, output_text: str) -> tuple[int, int]:
        return self.count_tokens(input_text, model), self.count_tokens(output_text, model)

    def _cost(self, provider: str, model: str, tokens: tuple[int, int]) -> Estimate:
        """By the price book, whatever is asked at once for the same."""
        usage = {"input_tokens": tokens[0], "output_tokens": tokens[1]}
        try:
            found = self._shared.read(
                (provider, model, tokens),
                lambda: self.budget.calculate(model, provider=provider or None, usage=usage),
            )
        except (InvalidInput, NotFound) as refusal:
            logger.warning("%s", refusal)
            return Estimate(*tokens, unknown=str(refusal))
        costs = {"input": Decimal(0), "output": Decimal(0)}
        for part in found["components"]:
            name = "output" if part["unit"] == "output" else "input"
            costs[name] += Decimal(part["cost"])
        return Estimate(*tokens, costs["input"], costs["output"], Decimal(found["cost"]))
