"""Which model to call so that the call fits the budget."""

from collections.abc import Mapping, Sequence
from typing import Any

from tekton_budget.face.request import Json, Labels, Request, given, same, verb


class RoutingVerbs:
    """Routing by what is left."""

    labels: Labels

    @verb
    def route(
        self,
        model: str,
        *,
        provider: str | None = None,
        input_tokens: int,
        max_output_tokens: int | None = None,
        labels: Labels | None = None,
        needs: Sequence[str] | Mapping[str, Any] | None = None,
        providers: Sequence[str] | None = None,
        candidates: Sequence[str | Mapping[str, str]] = (),
        priority: int | None = None,
    ) -> Request[Json]:
        """The model to call: this one if it fits, else one that does; `BudgetExceeded` if none.

        `candidates` (models, or `{"provider", "model"}`) are tried in their order instead of what
        the price book recommends. Nothing is held: ask for an allocation for the model it names.
        """
        body = given(
            model=model,
            provider=provider,
            input_tokens=input_tokens,
            max_output_tokens=max_output_tokens,
            labels={**self.labels, **(labels or {})},
            needs=needs if needs is None or isinstance(needs, Mapping) else list(needs),
            providers=None if providers is None else list(providers),
            candidates=[one if isinstance(one, str) else dict(one) for one in candidates] or None,
            priority=priority,
        )
        return Request("route", "POST", "/route", same, body=body)
