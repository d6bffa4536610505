"""Routing: which model to call so that the call fits its budget."""

from typing import Any

from pydantic import Field

from tekton_budget.frontends.api import problems
from tekton_budget.frontends.api.asking import Asker, Verbs
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.schemas import (
    Body,
    DenialOut,
    Labels,
    StandingOut,
    UsdOut,
    View,
    Whole,
)
from tekton_budget.frontends.http.standings import to_api_standing
from tekton_budget.frontends.http.wire import Reply, usd
from tekton_budget.service.advising.routing import (
    CANDIDATES_MAX,
    OUTPUT_TOKENS_DEFAULT,
    Named,
    NoRoute,
    Route,
    RouteAsk,
    Tried,
)

router = exact_router("/route")

Json = dict[str, Any]  # Any: JSON


class CandidateBody(Body):
    """A model that may be called instead."""

    model: str = Field(max_length=256)
    provider: str | None = Field(None, max_length=256)


class RouteBody(Body):
    """A call to be made: how large it is, and what may be called in the model's place."""

    model: str = Field(max_length=256, description="That would be called", examples=["gpt-4o"])
    provider: str | None = Field(None, max_length=256, examples=["openai"])
    input_tokens: Whole
    max_output_tokens: Whole = OUTPUT_TOKENS_DEFAULT
    labels: Labels = Field(default_factory=dict, description="As of an allocation")
    component: str | None = None
    task_type: str | None = None
    context_id: str | None = None
    priority: Whole = 5
    needs: list[str] | Json | str | None = Field(
        None, examples=[["tools", "vision"]], description="Besides what the tokens show"
    )
    providers: list[str] | str | None = Field(
        None, description='Who may sell it instead; "any" is everyone'
    )
    candidates: list[CandidateBody | str] = Field(
        default_factory=list,
        max_length=CANDIDATES_MAX,
        description="Tried in this order, instead of what the price book recommends",
    )

    def ask(self) -> RouteAsk:
        """As the service takes it."""
        labels: dict[str, object] = dict(self.labels)
        for name in ("component", "task_type", "context_id"):
            if (value := getattr(self, name)) is not None:
                labels[name] = value
        providers = (self.providers,) if isinstance(self.providers, str) else self.providers
        return RouteAsk(
            model=self.model,
            provider=self.provider,
            input_tokens=self.input_tokens,
            max_output_tokens=self.max_output_tokens,
            labels=labels,
            priority=self.priority,
            needs=self.needs,
            providers=None if providers is None else tuple(providers),
            candidates=tuple(
                Named(one) if isinstance(one, str) else Named(one.model, one.provider)
                for one in self.candidates
            ),
        )


class TriedOut(View):
    """A model that was looked at, and what the ledger would say."""

    provider: str | None
    model: str
    decision: str = Field(description="allow, warn, downgrade, deny or unpriced")
    detail: str


class RouteOut(View):
    """The model to call."""

    provider: str | None
    model: str
    decision: str = Field(description="allow, warn or downgrade")
    is_downgraded: bool
    original_provider: str | None
    original_model: str
    warnings: list[str]
    estimated_cost: UsdOut
    policies: list[StandingOut]
    tried: list[TriedOut]


@router.post(
    "",
    response_model=RouteOut,
    responses={402: {"model": DenialOut, "description": "No model fits; `tried` says which"}},
)
def route(body: RouteBody, asker: Asker, verbs: Verbs) -> Reply:
    """Which model to call: the one named if it fits, else one that does.

    Tried are `candidates`, else the ladder of a policy, else what the price book recommends, with
    the least loss first. Nothing is held, and where nothing fits the answer is 402, never a model
    that does not. Ask for an allocation of the model that is named.
    """
    found = verbs.routing.route(asker, body.ask())
    if isinstance(found, NoRoute):
        status, document, headers = problems.of_denial(found.denial, "/api/v1/route")
        document["tried"] = [_to_api_tried(one) for one in found.tried]
        return problems.ProblemReply((status, document, headers))
    return Reply(_to_api_route(found))


def _to_api_route(found: Route) -> Json:
    return {
        "provider": found.chosen.provider,
        "model": found.chosen.model,
        "decision": found.grant.decision,
        "is_downgraded": found.is_downgraded,
        "original_provider": found.asked.provider,
        "original_model": found.asked.model,
        "warnings": found.warnings,
        "estimated_cost": None if found.grant.price is None else usd(found.grant.granted.cost_nano),
        "policies": [to_api_standing(standing) for standing in found.grant.policies],
        "tried": [_to_api_tried(one) for one in found.tried],
    }


def _to_api_tried(tried: Tried) -> Json:
    return {
        "provider": tried.named.provider,
        "model": tried.named.model,
        "decision": tried.decision,
        "detail": tried.detail,
    }
