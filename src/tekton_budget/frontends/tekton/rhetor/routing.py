"""Which model to call in Rhetor's way: the default, a cheaper one, a free one, or none."""

from collections.abc import Callable
from typing import Any

from tekton_budget.domain.errors import Unavailable
from tekton_budget.face.budget import Budget
from tekton_budget.frontends.tekton.rhetor.models import Models, Named
from tekton_budget.frontends.tekton.rhetor.words import labels_of

Json = dict[str, Any]  # Any: decoded JSON
Call = tuple[str, str, str, str]  # provider, model, component, task type
Check = Callable[[Call, str], tuple[bool, Json]]  # holds what it allows
_CANDIDATES_MAX = 64
_ROUNDS_MAX = 8  # others may take what a route has just found free


class Router:
    """By the routing verb; then the model's call is held, as by a check."""

    def __init__(self, budget: Budget, models: Models) -> None:
        self._budget = budget
        self._models = models

    def route(
        self, call: Call, text: str, tokens: tuple[int, int], check: Check
    ) -> tuple[str, str, list[str]]:
        """Provider, model, warnings. `BudgetExceeded` where nothing fits."""
        provider, model, component, task_type = call
        allowed, info = check(call, text)
        if allowed:
            return provider, model, list(info.get("warnings", []))
        free = self._models.free()
        left = self._candidates(call, free)
        last = set(free) - set(left[:1])  # the first of all is no last resort
        for _ in range(_ROUNDS_MAX):
            chosen = self._found(call, tokens, left)
            if chosen == (provider, model):
                left.append(chosen)
            allowed, info = check((*chosen, component, task_type), text)
            if allowed:
                warnings = list(info.get("warnings", []))
                return *chosen, [*warnings, *_swapped((provider, model), chosen, last)]
            left = [one for one in left if one != chosen]
        raise Unavailable(
            "Others take what is left of the budget faster than a model can be found for this "
            "call; ask again."
        )

    def _found(self, call: Call, tokens: tuple[int, int], left: list[Named]) -> Named:
        provider, model, component, task_type = call
        candidates = [{"provider": one[0], "model": one[1]} for one in left[:_CANDIDATES_MAX]]
        found = self._budget.route(
            model,
            provider=provider or None,
            input_tokens=tokens[0],
            max_output_tokens=tokens[1],
            labels=labels_of(component=component, task_type=task_type),
            candidates=candidates,
        )
        return found["provider"], found["model"]

    def _candidates(self, call: Call, free: list[Named]) -> list[Named]:
        """Cheaper ones in the order of the task's preferences, then what costs nothing."""
        cheaper = self._models.cheaper(call[0], call[1], call[3])
        if cheaper is None:  # the price of the default is not known, so that of none is less
            cheaper = self._models.by_preference(call[3])
        paid = [one for one in cheaper if one not in free]
        return [*paid[: _CANDIDATES_MAX - len(free)], *free]


def _swapped(default: Named, chosen: Named, last: set[Named]) -> list[str]:
    if chosen == default:
        return []
    if chosen in last:
        return [f"Budget limit exceeded. Using free model {chosen[0]}/{chosen[1]}"]
    return [
        f"Budget limit exceeded. Downgraded from {default[0]}/{default[1]} "
        f"to {chosen[0]}/{chosen[1]}"
    ]
