"""Costs computed by the price book; nothing is posted."""

from typing import Any

from pydantic import Field

from tekton_budget.frontends.api.asking import Verbs
from tekton_budget.frontends.api.bodies.costs import (
    CalculatedOut,
    TokensBody,
    to_api_calculated,
    usage_of,
)
from tekton_budget.frontends.api.body import LargeRoute, exact_router
from tekton_budget.frontends.api.schemas import Time, Whole
from tekton_budget.frontends.http.wire import Reply, in_snake_case
from tekton_budget.service.prices import Question

router = exact_router("/prices", LargeRoute)

Json = dict[str, Any]  # Any: JSON, a provider's own


class CalculateBody(TokensBody):
    """A usage to be priced: a provider's `response` as it came, its `usage` alone, or tokens."""

    provider: str | None = Field(None, description="Left open, it is found by the model's name")
    model: str | None = Field(None, description="Left open, the model that the response names")
    api: str | None = Field(
        None, description="Whose shape it has, where that is not plain", examples=["openai.chat"]
    )
    response: Json | list[Any] | None = Field(
        None, description="As the provider returned it, or the frames of its stream"
    )
    usage: Json | None = Field(
        None,
        description="The usage of a response alone, or quantities by unit: input_tokens, "
        "output_tokens, cache_read, cache_write_1h, web_search, …",
    )
    at: Time | None = Field(None, description="When it was used; default: now")
    known: Time | None = Field(None, description="By the prices known when; default: now")
    context: Json = Field(
        default_factory=dict,
        description="What the response cannot say: processing (batch), service_tier, region, …",
    )
    requests: Whole = Field(1, description="How many requests it was, for a fee on each")


@router.post("/calculate", response_model=CalculatedOut)
def calculate(body: CalculateBody, verbs: Verbs) -> Reply:
    """The exact cost of a usage, part by part, with the card used and why."""
    question = Question(
        model=body.model,
        provider=body.provider,
        api=body.api,
        response=body.response,
        usage=usage_of(body),
        at_us=body.at,
        known_us=body.known,
        context=in_snake_case(body.context),
        requests=body.requests,
    )
    return Reply(to_api_calculated(verbs.costs.calculate(question)))
