"""Where limits stand: the status of a call, summaries by period, balances and groups."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import ConfigDict, Field

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.period import Period
from tekton_budget.domain.scope import WELL_KNOWN_LABELS
from tekton_budget.frontends.api.asking import Asker, Pages, Verbs
from tekton_budget.frontends.api.bodies import balances, filters
from tekton_budget.frontends.api.bodies.balances import BalanceOut, BudgetSummaryOut, StatusOut
from tekton_budget.frontends.api.body import ExactRoute
from tekton_budget.frontends.api.paging import listed
from tekton_budget.frontends.api.schemas import PageOut
from tekton_budget.frontends.http.wire import Reply

# Before the routers of budgets and policies: /budgets/summary is not the budget "summary".
router = APIRouter(route_class=ExactRoute)

PERIODS_MAX = 10
_CARDS_WHEN_OPENED = (Period.MONTHLY, Period.DAILY, Period.WEEKLY)
_PERIODS = "Periods between commas: hourly, daily, weekly, monthly, quarterly, yearly, total, …"


class StatusQuery(filters.Query):
    """The query of a status: any parameter is a label."""

    model_config = ConfigDict(extra="allow")

    user_id: filters.Text | None = Field(None, description="The label user")
    budget_id: filters.Text | None = Field(None, description="A budget that also concerns it")


@router.get("/status", response_model=StatusOut, tags=["status"])
def status(
    request: Request, asker: Asker, verbs: Verbs, query: Annotated[StatusQuery, Query()]
) -> Reply:
    """What holds for a call with these labels, or for the key's own: every policy that concerns it.

    Each parameter is a label: `/status?team=a&model=gpt-5-mini`. `binds` is the limit that the next
    call meets first; `near` are policies that would concern it but for one label.
    """
    labels = query.all_labels()
    labels |= {"user": query.user_id} if query.user_id is not None else {}
    labels |= {"budget": query.budget_id} if query.budget_id is not None else {}
    known = {*WELL_KNOWN_LABELS, *StatusQuery.model_fields}
    for name, value in request.query_params.multi_items():
        if name not in known and labels.setdefault(name, value) != value:
            raise invalid(name, "was sent twice; send one value")
    return Reply(balances.to_api_status(verbs.standings.status(asker, labels)))


@router.get("/budgets/summary", response_model=list[BudgetSummaryOut], tags=["budgets"])
def summaries(
    asker: Asker,
    verbs: Verbs,
    period: Annotated[
        str, Query(max_length=200, description=_PERIODS, examples=["daily,weekly,monthly"])
    ] = "daily,weekly,monthly",
) -> Reply:
    """For each period the policy on everything, of money if there is one; else what was used.

    One summary a period, as the dashboard has one card for each; `/budgets/{budget}/summary` has
    every policy. It asks for `monthly` alone when it is opened and fills three cards of the answer,
    so that daily and weekly follow there. `…_usage_percentage` is from 0 to 100 here, as it shows
    it.
    """
    asked = _periods(period)
    cards = _CARDS_WHEN_OPENED if asked == [Period.MONTHLY] else asked
    return Reply(balances.to_api_summaries(verbs.overview.cards(asker, cards), in_percent=True))


@router.get(
    "/budgets/{budget:path}/summary", response_model=list[BudgetSummaryOut], tags=["budgets"]
)
def budget_summary(
    budget: str,
    asker: Asker,
    verbs: Verbs,
    period: Annotated[str, Query(max_length=200, description=_PERIODS)] = "daily",
) -> Reply:
    """A budget's policies of a period; without any, what was used.

    `…_usage_percentage` is a fraction of 1 here, as the original has it.
    """
    found = verbs.overview.summaries(asker, _periods(period), budget)
    return Reply(balances.to_api_summaries(found, in_percent=False))


@router.get("/budgets/{budget:path}/balances", response_model=PageOut[BalanceOut], tags=["budgets"])
def budget_balances(budget: str, asker: Asker, verbs: Verbs, part: Pages) -> Reply:
    """Each policy of a budget with its groups in the current window, fullest first."""
    page = verbs.standings.of_budget(asker, budget, part=part)
    return Reply(listed(page, balances.to_api_balance))


@router.get("/policies/{policy:path}/groups", response_model=PageOut[BalanceOut], tags=["policies"])
def groups(
    policy: str,
    asker: Asker,
    verbs: Verbs,
    part: Pages,
    sort: Annotated[
        str, Query(pattern="^(share|name)$", description="share: fullest first; name")
    ] = "share",
    window: Annotated[
        str, Query(pattern="^(current|all)$", description="current, or all there were")
    ] = "current",
    group: Annotated[str | None, Query(max_length=1000, description="One group by name")] = None,
) -> Reply:
    """A policy's groups with their numbers, also where there are a million: by index, no scan."""
    page = verbs.standings.of_policy(
        asker, policy, window=window, sort=sort, group=group, part=part
    )
    return Reply(listed(page, balances.to_api_balance))


def _periods(text: str) -> list[str]:
    periods = list(dict.fromkeys(one.strip().lower() for one in text.split(",") if one.strip()))
    if not 0 < len(periods) <= PERIODS_MAX:
        raise invalid("period", "send some of hourly, daily, weekly, monthly")
    return periods
