"""Recommendations: which cheaper models can do a job, and the table of tiers."""

from typing import Any

from pydantic import Field

from tekton_budget.domain.errors import invalid
from tekton_budget.frontends.api.asking import Verbs
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.recommending import RecommendationsOut, to_api_recommendations
from tekton_budget.frontends.api.schemas import Body, Time, Whole
from tekton_budget.frontends.http.wire import Reply
from tekton_budget.service.prices import Wish

router = exact_router("/prices")

Json = dict[str, Any]  # Any: JSON
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


class RecommendationsBody(Body):
    """The model in use, what one call uses, and what it needs. Without a usage, `context_size` is
    taken for one: three quarters of it input, a quarter output."""

    provider: str | None = Field(None, examples=["openai"])
    model: str | None = Field(None, description="In use now; without one, any will do")
    task_type: str = Field("default", description="The original's; needs say more")
    context_size: Whole | None = Field(
        None, description="Tokens (4000); with a usage, the least that will do"
    )
    input_tokens: Whole | None = None
    output_tokens: Whole | None = None
    cache_read_tokens: Whole | None = None
    cache_write_tokens: Whole | None = None
    usage: Json | None = Field(None, description="In units of ours, or as the provider tells it")
    api: str | None = Field(None, description="Whose usage it is, such as anthropic.messages")
    context: Json = Field(default_factory=dict, description="service_tier, region, …")
    needs: list[str] | Json | str | None = Field(
        None, examples=[["tools", "vision"]], description="Besides what the usage itself shows"
    )
    providers: list[str] | str | None = Field(
        None, description='Who may sell it; "any" is everyone'
    )
    limit: Whole = 10
    at: Time | None = None

    def wish(self) -> Wish:
        """As the service takes it."""
        return Wish(
            model=self.model,
            provider=self.provider,
            usage=self._usage(),
            api=self.api,
            context_size=self.context_size,
            needs=self.needs,
            providers=_listed(self.providers),
            limit=self.limit,
            at_us=self.at,
            context=self.context,
        )

    def _usage(self) -> Json | None:
        tokens = {name: value for name in _TOKENS if (value := getattr(self, name)) is not None}
        if not tokens:
            return self.usage
        if self.usage is not None:
            raise invalid("usage", f"send either usage or {', '.join(tokens)}")
        return tokens


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
