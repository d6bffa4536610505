"""The assistant's bodies and answers: the original's shapes, and what they are made of."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from tekton_budget.frontends.api.bodies import balances
from tekton_budget.frontends.api.bodies.analytics import to_api_analytics
from tekton_budget.frontends.api.bodies.answers import per_token
from tekton_budget.frontends.api.bodies.prices import to_api_model
from tekton_budget.frontends.api.bodies.recommending import to_api_advice
from tekton_budget.frontends.api.bodies.usages import to_api_sums
from tekton_budget.frontends.api.schemas import Body, Truth, Usd, View, Whole
from tekton_budget.frontends.http.wire import number, usd
from tekton_budget.service.advising import Choice, Findings, ModelQuestion, Swap

Json = dict[str, Any]  # Any: JSON
DAYS_MAX = 365
LISTED_MAX = 20
Count = Annotated[Whole, Field(ge=1, le=10**9)]


class DaysBody(Body):
    """Which days are looked at, and the limits of which period."""

    period: str = Field(default="daily", max_length=20, description="Whose limits are told")
    days: Annotated[Whole, Field(ge=1, le=DAYS_MAX)] = 30
    include_raw_data: Truth = False


class ModelQuestionBody(Body):
    """A task, how often, for how much money a day, and what matters."""

    task_description: str = Field(min_length=1, max_length=4000)
    input_length: Count = Field(description="Tokens of one call")
    output_length: Count = Field(description="Tokens of its answer")
    usage_frequency: Count = Field(description="Calls a day")
    budget_limit: Usd = Field(description="USD a day, above 0")
    priority_areas: str | list[str] = Field(
        "", max_length=1000, description="In words: value, accuracy, vision, tools, reasoning, …"
    )
    include_raw_data: Truth = False

    def question(self) -> ModelQuestion:
        """In the service's words."""
        said = self.priority_areas
        return ModelQuestion(
            self.task_description,
            self.input_length,
            self.output_length,
            self.usage_frequency,
            Decimal(self.budget_limit),
            said if isinstance(said, str) else ", ".join(said),
        )


class MessageBody(Body):
    """A question in words."""

    message: str = Field(min_length=1, max_length=4000)
    context: str | None = Field(
        None, max_length=200, description="Of the page: budget_management or team_collaboration"
    )
    conversation_id: str | None = Field(None, max_length=200, description="Comes back as sent")


class _AdviceOut(View):
    success: bool
    error: str | None = Field(description="Why there is none")
    raw_data: Json | None = Field(description="What it was made of, where that was asked for")


class AnalysisOut(_AdviceOut):
    """An analysis in words."""

    analysis: str | None


class AdviceOut(_AdviceOut):
    """Advice in words."""

    recommendations: str | None


class ReplyOut(View):
    """An answer in words."""

    success: bool
    response: str
    context: str | None
    conversation_id: str | None


def to_api_usage(found: Findings) -> Json:
    """What an analysis was made of, in the original's names and ours."""
    usage = to_api_analytics(found.usage)
    groups = found.usage.summary.groups
    return {
        "period": found.period,
        "date_range": {"start": usage["start_time"], "end": usage["end_time"]},
        "summaries": balances.to_api_summaries(found.limits, in_percent=False),
        "aggregated_by_component": {
            name: to_api_sums(sums) for name, sums in groups["component"].items()
        },
        "aggregated_by_model": {name: to_api_sums(sums) for name, sums in groups["model"].items()},
        "analytics": usage,
    }


def to_api_swap(swap: Swap) -> Json:
    """A model in use with what would do its calls for less."""
    found = swap.found
    named = [] if swap.best is None else [swap.best]
    if swap.cheapest is not None and swap.cheapest is not swap.best:
        named.append(swap.cheapest)
    return {
        "provider": swap.used.provider,
        "model": swap.used.model,
        "cost": usd(swap.used.sums.cost_nano),
        "requests": swap.used.sums.requests,
        "average_call": dict(swap.call),
        "average_call_cost": None
        if found is None or found.bill is None
        else number(found.bill.usd),
        "cheaper": [] if found is None else [to_api_advice(one, found) for one in named],
        "saved": number(swap.saved_usd),
        "not_compared": swap.why or None,
        "tips": swap.tips,
    }


def to_api_models(choice: Choice) -> list[Json]:
    """The models that were chosen from: prices in USD per token, as the original has them."""
    listed = []
    for advice in choice.fits[:LISTED_MAX]:
        rates = advice.card.plain_rates().flat
        sent, answered = (rates.get(unit) for unit in ("input", "output"))
        facts = to_api_model(advice.facts)
        listed.append(
            {
                "name": advice.card.model,
                "provider": advice.card.provider,
                "context_length": advice.facts.context_tokens,
                "input_price": None if sent is None else per_token(sent.usd),
                "output_price": None if answered is None else per_token(answered.usd),
                "capabilities": [name for name, value in facts.items() if value is True],
                "tier": advice.tier,
                "cost_per_call": number(advice.usd),
                "cost_per_day": number(choice.usd_per_day(advice)),
                "unknown": list(advice.unknown),
            }
        )
    return listed
