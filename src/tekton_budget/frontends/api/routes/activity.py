"""Activity: what is under way right now."""

from typing import Annotated

from fastapi import Query

from tekton_budget.frontends.api.asking import Asker, Verbs
from tekton_budget.frontends.api.bodies.balances import BalanceOut, to_api_balance
from tekton_budget.frontends.api.bodies.usage_bodies import SumsOut
from tekton_budget.frontends.api.bodies.usages import to_api_sums
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.schemas import AmountsOut, TimeOut, View
from tekton_budget.frontends.http.wire import Reply, amounts, time_text
from tekton_budget.service.reporting.activity import Activity, ActivityRow

router = exact_router("/activity")


class ActivityRowOut(View):
    """One value of the label; `null`: calls without it."""

    value: str | None
    in_flight: int
    held: AmountsOut
    recent: SumsOut
    total: SumsOut


class ActivityOut(View):
    """A moment: what is in flight, what was used in the last seconds, which limits are fullest."""

    at: TimeOut
    by: str
    seconds: int
    in_flight: int
    held: AmountsOut
    recent: SumsOut
    rows: list[ActivityRowOut]
    policies: list[BalanceOut]


@router.get("", response_model=ActivityOut)
def activity(
    asker: Asker,
    verbs: Verbs,
    by: Annotated[str, Query(max_length=64, description="A label: run, user, model …")] = "run",
) -> Reply:
    """What is under way right now, by the values of a label; busiest first."""
    return Reply(to_api_activity(verbs.activity.now(asker, by)))


def to_api_activity(found: Activity) -> dict[str, object]:
    """The moment."""
    return {
        "at": time_text(found.at_us),
        "by": found.by,
        "seconds": found.seconds,
        "in_flight": found.in_flight,
        "held": amounts(found.held),
        "recent": to_api_sums(found.recent),
        "rows": [_row(row) for row in found.rows],
        "policies": [to_api_balance(view) for view in found.policies],
    }


def _row(row: ActivityRow) -> dict[str, object]:
    return {
        "value": row.value,
        "in_flight": row.in_flight,
        "held": amounts(row.held),
        "recent": to_api_sums(row.recent),
        "total": to_api_sums(row.total),
    }
