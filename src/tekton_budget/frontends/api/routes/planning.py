"""Planning: how many more steps fit into what is left."""

from typing import Any

from pydantic import ConfigDict, Field

from tekton_budget.frontends.api.asking import Asker, Verbs
from tekton_budget.frontends.api.bodies import filters
from tekton_budget.frontends.api.bodies.balances import BalanceOut, to_api_balance
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.schemas import Labels, UsdOut, View, Whole
from tekton_budget.frontends.http.wire import Reply, usd
from tekton_budget.service.advising.planning import Forecast, ModelPlan, Plan, PlanQuery, Recent

router = exact_router("/plan")

Json = dict[str, Any]  # Any: JSON


class PlanBody(filters.LabelFields):
    """For whom (labels), of which models, over how many steps, of which size. All may be left out:
    then it is about calls like the last ones.
    """

    model_config = ConfigDict(extra="forbid")

    labels: Labels = Field(default_factory=dict, description="Any labels; or as fields")
    models: list[str] = Field(
        default_factory=list,
        max_length=20,
        description="As model or provider/model; left out, those used lately",
        examples=[["openai/gpt-5-mini"]],
    )
    steps: Whole | None = Field(None, description="Whether so many fit")
    input_tokens: Whole | None = Field(None, description="Of a step; left out, by past calls")
    output_tokens: Whole | None = Field(None, description="Of a step; left out, by past calls")

    def query(self) -> PlanQuery:
        """As the service takes it; a label `model` is one that is asked about."""
        labels = {**self.named_labels(), **self.labels}
        model, provider = labels.pop("model", None), labels.pop("provider", None)
        models = tuple(self.models)
        if model is not None:
            models = (str(model) if provider is None else f"{provider}/{model}", *models)
        elif provider is not None:
            labels["provider"] = provider
        return PlanQuery(labels, models, self.steps, self.input_tokens, self.output_tokens)


class StepUseOut(View):
    """What one step is taken to use, how many fit, and by which policy they are bounded."""

    input_tokens: int | None
    output_tokens: int | None
    tokens: int
    cost: UsdOut
    steps: int | None = Field(description="That fit; null: nothing bounds them")
    bound_by: str | None
    fits: bool | None = Field(description="Whether all steps that were asked about fit")


class ModelPlanOut(View):
    """A model; `basis` is own_calls, other_calls (their tokens at its price), given or assumed."""

    provider: str | None
    model: str
    basis: str
    calls: int
    median: StepUseOut
    p90: StepUseOut
    note: str | None


class RecentOut(View):
    """The last calls on average, and how many more like them fit."""

    calls: int
    tokens: int
    cost: UsdOut
    steps: int | None


class PlanOut(View):
    """What is left (`binds` is met first), what fits by model, and what had to be assumed."""

    labels: dict[str, str]
    steps: int | None
    binds: BalanceOut | None
    recent: RecentOut | None
    calls: int
    calls_labels: dict[str, str]
    models: list[ModelPlanOut]
    assumed: list[str]


@router.post("", response_model=PlanOut)
def plan(body: PlanBody, asker: Asker, verbs: Verbs) -> Reply:
    """How many more steps fit, of which model: at the median and 90th percentile of past calls.

    Past calls are the last 100 of 30 days with the same labels. It changes and holds nothing: what
    fits now may be taken by others.
    """
    return Reply(to_api_plan(verbs.planning.plan(asker, body.query())))


def to_api_plan(plan: Plan) -> Json:
    """What is left, and what fits."""
    return {
        "labels": plan.labels,
        "steps": plan.steps,
        "binds": None if plan.binds is None else to_api_balance(plan.binds),
        "recent": None if plan.recent is None else _recent(plan.recent),
        "calls": plan.calls,
        "calls_labels": plan.calls_labels,
        "models": [_model(one) for one in plan.models],
        "assumed": plan.assumed,
    }


def _recent(recent: Recent) -> Json:
    return {
        "calls": recent.calls,
        "tokens": recent.tokens,
        "cost": usd(recent.cost_nano),
        "steps": recent.steps,
    }


def _model(one: ModelPlan) -> Json:
    return {
        "provider": one.provider or None,
        "model": one.model,
        "basis": one.basis,
        "calls": one.calls,
        "median": _forecast(one.median),
        "p90": _forecast(one.high),
        "note": one.note,
    }


def _forecast(forecast: Forecast) -> Json:
    use = forecast.use
    return {
        "input_tokens": use.input_tokens,
        "output_tokens": use.output_tokens,
        "tokens": use.tokens,
        "cost": usd(use.cost_nano),
        "steps": forecast.steps,
        "bound_by": forecast.bound_by,
        "fits": forecast.fits,
    }
