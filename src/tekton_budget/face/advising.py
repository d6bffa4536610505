"""Answers and advice in words, made of the ledger's sums and the price book."""

from collections.abc import Sequence

from tekton_budget.face.hold import Amount
from tekton_budget.face.ledger import exact
from tekton_budget.face.request import Json, Request, given, same, verb


class AdvisingVerbs:
    """Verbs of the assistant. They change nothing; no language model is asked."""

    @verb
    def analyze_usage(
        self, *, period: str | None = None, days: int | None = None, raw: bool = False
    ) -> Request[Json]:
        """What the last days were like, and a period's limits: `{"analysis", "raw_data", …}`."""
        body = given(period=period, days=days, include_raw_data=raw)
        return Request("analyze_usage", "POST", "/assistant/analyze", same, body=body)

    @verb
    def optimize_usage(
        self, *, period: str | None = None, days: int | None = None, raw: bool = False
    ) -> Request[Json]:
        """What the calls of the last days would have cost elsewhere: `{"recommendations", …}`."""
        body = given(period=period, days=days, include_raw_data=raw)
        return Request("optimize_usage", "POST", "/assistant/optimize", same, body=body)

    @verb
    def recommend_model(
        self,
        task: str,
        *,
        input_tokens: int,
        output_tokens: int,
        calls_per_day: int,
        cost_per_day: Amount,
        priorities: Sequence[str] | str = "",
        raw: bool = False,
    ) -> Request[Json]:
        """Which model does so many calls a day for so much money: `{"recommendations", …}`."""
        body = given(
            task_description=task,
            input_length=input_tokens,
            output_length=output_tokens,
            usage_frequency=calls_per_day,
            budget_limit=exact(cost_per_day, "cost_per_day"),
            priority_areas=priorities if isinstance(priorities, str) else list(priorities),
            include_raw_data=raw,
        )
        return Request("recommend_model", "POST", "/assistant/recommend-model", same, body=body)

    @verb
    def ask_assistant(self, message: str) -> Request[Json]:
        """The answer to a question about spending, limits, prices or savings: `{"response", …}`."""
        return Request("ask_assistant", "POST", "/assistant", same, body={"message": message})
