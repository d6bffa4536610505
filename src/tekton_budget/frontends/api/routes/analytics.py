"""Analytics of usage."""

from typing import Annotated

from fastapi import Query

from tekton_budget.frontends.api.asking import Asker, Runs, Verbs
from tekton_budget.frontends.api.bodies import filters
from tekton_budget.frontends.api.bodies.analytics import AnalyticsOut, to_api_analytics
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.http.wire import Reply
from tekton_budget.service.reporting.reports import GROUPS_OF_ORIGINAL

router = exact_router("/usage")


@router.get("/analytics", response_model=AnalyticsOut)
def analytics(
    asker: Asker, verbs: Verbs, runs: Runs, query: Annotated[filters.SummaryFields, Query()]
) -> Reply:
    """Usage of an interval: totals, averages, groups, the costliest models, hour by hour or by day.

    Of a `period`'s open window, the last `days`, or from one moment to another; without any of them
    of the last 30 days.
    """
    wanted = query.summary_query(runs.settings.timezone, GROUPS_OF_ORIGINAL)
    return Reply(to_api_analytics(verbs.analytics.usage(asker, wanted)))
