"""Recommendations: which cheaper models can do a job, and the table of tiers."""

from typing import Any

from pydantic import Field

from tekton_budget.domain.errors import invalid
from tekton_budget.frontends.api.asking import Verbs
from tekton_budget.frontends.api.bodies.costs import TokensBody, usage_of
from tekton_budget.frontends.api.bodies.recommending import (
    RecommendationsOut,
    to_api_recommendations,
)
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.schemas import Time, Usd, Whole
from tekton_budget.frontends.http.wire import Reply
from tekton_budget.service.prices import Wish
from tekton_budget.service.prices.recommending import CONTEXT_SIZE_DEFAULT

router = exact_router("/prices")

Json = dict[str, Any]  # Any: JSON


class RecommendationsBody(TokensBody):
    """The model in use, what one call uses, and what it needs. Without a usage, `context_size` is
    taken for one: three quarters of it input, a quarter output."""

    provider: str | None = Field(None, examples=["openai"])
    model: str | None = Field(None, description="In use now; without one, any will do")
    task_type: str = Field("default", description="The original's; needs say more")
    context_size: Whole | None = Field(
        None, description="Tokens (4000); with a usage, the least that will do"
    )
    usage: Json | None = Field(None, description="In units of ours, or as the provider tells it")
    api: str | None = Field(None, description="Whose usage it is, such as anthropic.messages")
    context: Json = Field(default_factory=dict, description="service_tier, region, …")
    needs: list[str] | Json | str | None = Field(
        None, examples=[["tools", "vision"]], description="Besides what the usage itself shows"
    )
    providers: list[str] | str | None = Field(
        None, description='Who may sell it; "any" is everyone'
    )
    output_size: Whole | None = Field(
        None, description="Tokens of the answer; context_size is then that of the input"
    )
    prefer_provider: str | None = Field(None, description="Whose models come first")
    preferred_provider: str | None = Field(None, description="As prefer_provider")
    max_cost: Usd | None = Field(None, description="Only what costs no more for this usage")
    limit: Whole = 10
    at: Time | None = None

    def wish(self) -> Wish:
        """As the service takes it."""
        return Wish(
            model=self.model,
            provider=self.provider,
            usage=self._usage(),
            api=self.api,
            context_size=None if self.output_size is not None else self.context_size,
            needs=self.needs,
            providers=_listed(self.providers),
            prefer=self.prefer_provider or self.preferred_provider,
            max_usd=self.max_cost,
            limit=self.limit,
            at_us=self.at,
            context=self.context,
        )

    def _usage(self) -> Json | None:
        if self.output_size is None:
            return usage_of(self)
        size = CONTEXT_SIZE_DEFAULT if self.context_size is None else self.context_size
        if usage_of(self) is not None:
            raise invalid("output_size", "send either it or a usage")
        return {"input_tokens": size, "output_tokens": self.output_size}


@router.post("/recommendations", response_model=RecommendationsOut)
def recommend_models(body: RecommendationsBody, verbs: Verbs) -> Reply:
    """Cheaper models that can do the job: exact cost, saving, what is lost, what is unknown."""
    return Reply(to_api_recommendations(verbs.recommendations.recommend(body.wish())))


@router.post("/recommend", response_model=RecommendationsOut)
def recommend(body: RecommendationsBody, verbs: Verbs) -> Reply:
    """The same, by the name that other documents of the original have."""
    return recommend_models(body, verbs)


def _listed(named: list[str] | str | None) -> tuple[str, ...] | None:
    return (named,) if isinstance(named, str) else None if named is None else tuple(named)
