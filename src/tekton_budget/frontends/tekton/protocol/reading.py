"""Reading acts: how limits stand, and what was used."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from tekton_budget.domain.errors import NotFound
from tekton_budget.frontends.api.bodies.analytics import to_api_analytics
from tekton_budget.frontends.api.bodies.filters import SummaryFields
from tekton_budget.frontends.api.problems import from_validation_errors
from tekton_budget.frontends.http.wire import share, usd
from tekton_budget.frontends.tekton.protocol.given import SHORT_TIERS, Asked
from tekton_budget.service.reporting.overview import BudgetSummary
from tekton_budget.service.reporting.reports import GROUPS_OF_ORIGINAL

PERIOD = "daily"
APOLLO, RHETOR = "apollo", "rhetor"  # who have their own form of a status, and a budget so named
_PPM = 1_000_000

Json = dict[str, Any]  # Any: JSON


def status(asked: Asked) -> Json:
    """The limits of a period; Apollo and Rhetor get theirs by tiers."""
    period = asked.text("period") or PERIOD
    # Who speaks decides the form; of a tool, which nobody speaks, the component that is named.
    form = asked.sender or asked.text("component") or ""
    own = form in (APOLLO, RHETOR)
    found = _summaries(asked, period, form if own else None)
    wanted = {"tier": asked.tier, "provider": asked.text("provider")}
    if not own:
        wanted["component"] = asked.text("component")
    kept = [
        one
        for one in found
        if all(value is None or getattr(one, name) == value for name, value in wanted.items())
    ]
    if own:
        tiers = _by_tier(kept, is_short=form == APOLLO)
        return {"period": period, "success": True, "tiers": tiers}
    return {"period": period, "success": True, "summaries": [_to_summary(one) for one in kept]}


def analytics(asked: Asked) -> Json:
    """What was used, of a period or from one date to another."""
    names = ("period", "provider", "model", "component", "task_type", "start_date", "end_date")
    given = {name: value for name in names if (value := asked.text(name)) is not None}
    if not given.keys() & {"period", "start_date", "end_date"}:
        given["period"] = PERIOD
    if given.keys() & {"start_date", "end_date"}:
        given.pop("period", None)  # as the original: dates go before a period
    try:
        fields = SummaryFields.model_validate(given)
    except ValidationError as error:
        raise from_validation_errors(error.errors(include_input=False)) from error
    query = fields.summary_query(asked.timezone, GROUPS_OF_ORIGINAL)
    found = to_api_analytics(asked.verbs.analytics.usage(asked.caller, query))
    return {"success": True, **found}


def _summaries(asked: Asked, period: str, budget: str | None) -> Iterable[BudgetSummary]:
    """Of the component's own budget, if it has one, else of all."""
    overview = asked.verbs.overview
    if budget is not None:
        try:
            return overview.summaries(asked.caller, [period], budget)
        except NotFound:
            pass
    return overview.summaries(asked.caller, [period])


def _by_tier(summaries: Iterable[BudgetSummary], *, is_short: bool) -> Json:
    """One entry a tier: where several policies have it, the one that stands highest."""
    found: dict[str, BudgetSummary] = {}
    for one in sorted(summaries, key=lambda one: one.token_share_ppm or 0):
        found["all" if one.tier is None else one.tier] = one
    return {
        SHORT_TIERS.get(tier, tier) if is_short else tier: {
            "allocated": one.tokens_allocated,
            "used": one.tokens_used,
            "remaining": one.remaining_tokens or 0,
            "limit": one.token_limit or 0,
            "usage_percentage": _fraction(one.token_share_ppm) or 0,
            "limit_exceeded": one.token_limit_exceeded,
        }
        for tier, one in found.items()
    }


def _to_summary(one: BudgetSummary) -> Json:
    return {
        "budget_id": one.budget_id,
        "tier": one.tier,
        "provider": one.provider,
        "component": one.component,
        "tokens_allocated": one.tokens_allocated,
        "tokens_used": one.tokens_used,
        "tokens_remaining": one.remaining_tokens,
        "token_limit": one.token_limit,
        "token_usage_percentage": _fraction(one.token_share_ppm),
        "token_limit_exceeded": one.token_limit_exceeded,
        "cost": usd(one.cost_nano),
        "cost_limit": usd(one.cost_limit_nano),
        "cost_usage_percentage": _fraction(one.cost_share_ppm),
        "cost_limit_exceeded": one.cost_limit_exceeded,
        "name": one.name,
        "policy_id": one.policy_id,
    }


def _fraction(share_ppm: int | None) -> object:
    """Of 1, as in the original."""
    return None if share_ppm is None else share(share_ppm, _PPM)
