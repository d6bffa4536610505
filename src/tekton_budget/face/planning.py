"""How many more steps fit into what is left."""

from collections.abc import Sequence

from tekton_budget.face.request import Json, Labels, Request, given, same, verb


class PlanningVerbs:
    """What can still be done."""

    labels: Labels

    @verb
    def plan(
        self,
        *,
        steps: int | None = None,
        models: Sequence[str] | str = (),
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        labels: Labels | None = None,
    ) -> Request[Json]:
        """How many more steps of which model fit: at the median and 90th percentile of past calls.

        Each model is named as `model` or `provider/model`; none named, those used lately. Tokens
        are those of a step; left out, they are taken from past calls. Answers `{"binds", "recent",
        "models", "assumed", …}` and holds nothing.
        """
        body = given(
            labels={**self.labels, **(labels or {})},
            models=[models] if isinstance(models, str) else list(models) or None,
            steps=steps,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
        )
        return Request("plan", "POST", "/plan", same, body=body)
