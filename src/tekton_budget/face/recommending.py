"""Which cheaper model would do."""

from collections.abc import Mapping, Sequence
from typing import Any

from tekton_budget.face.hold import Amount
from tekton_budget.face.ledger import exact
from tekton_budget.face.request import Json, Request, given, same, verb


class RecommendingVerbs:
    """Advice from the price book."""

    @verb
    def recommend(
        self,
        provider: str | None = None,
        model: str | None = None,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        usage: Mapping[str, Any] | None = None,
        context_size: int | None = None,
        needs: Sequence[str] | Mapping[str, Any] | None = None,
        providers: Sequence[str] | None = None,
        prefer: str | None = None,
        max_cost: Amount | None = None,
        limit: int | None = None,
    ) -> Request[Json]:
        """Cheaper models for the job of the one in use: cost, saving, what would be lost.

        Without a model in use, any. Those of `prefer` come first; dearer than `max_cost` are none.
        """
        body = given(
            provider=provider,
            model=model,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            usage=None if usage is None else dict(usage),
            context_size=context_size,
            needs=needs if needs is None or isinstance(needs, Mapping) else list(needs),
            providers=None if providers is None else list(providers),
            prefer_provider=prefer,
            max_cost=exact(max_cost, "max_cost"),
            limit=limit,
        )
        return Request("recommend", "POST", "/prices/recommendations", same, body=body)
