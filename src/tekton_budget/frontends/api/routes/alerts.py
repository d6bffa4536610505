"""Alerts: thresholds that were crossed and limits that were passed, for people to see to."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from tekton_budget.frontends.api.asking import Asker, IdempotencyKey, Pages, Verbs
from tekton_budget.frontends.api.bodies.filters import Text
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.paging import listed
from tekton_budget.frontends.api.schemas import AmountsOut, PageOut, TimeOut, View
from tekton_budget.frontends.http.alerts import to_api_alert
from tekton_budget.frontends.http.wire import Reply
from tekton_budget.service.alerts import AlertQuery

router = exact_router("/alerts")


class AlertDetailsOut(View):
    """The numbers of the moment at which it was crossed."""

    unit: Annotated[str, Field(description="tokens, cost or requests: which limit it was")]
    threshold: float
    share: float | None
    used: AmountsOut
    allowance: AmountsOut
    enforcement: str
    shadow: bool
    balance_id: str


class AlertOut(View):
    """One crossing of a threshold, once in its window."""

    alert_id: str
    budget_id: str
    policy_id: str
    policy_name: str
    group: str
    severity: Annotated[str, Field(description="info, warning or error")]
    type: Annotated[str, Field(description="token_limit_exceeded, cost_limit_approaching, …")]
    title: str
    message: str
    details: AlertDetailsOut
    opens_at: TimeOut
    resets_at: TimeOut
    timestamp: TimeOut
    acknowledged: bool
    acknowledged_by: str | None
    acknowledged_at: TimeOut


class AcknowledgedOut(View):
    """How many are acknowledged by this request."""

    acknowledged: int


BudgetId = Annotated[Text | None, Query(description="Of this budget only: its id or name")]
SeverityText = Annotated[Text | None, Query(description="info, warning or error")]
TypeText = Annotated[Text | None, Query(alias="type", description="Of this type only")]


@router.get("", response_model=PageOut[AlertOut])
def list_alerts(
    asker: Asker,
    verbs: Verbs,
    pages: Pages,
    budget_id: BudgetId = None,
    severity: SeverityText = None,
    type_: TypeText = None,
    acknowledged: Annotated[bool | None, Query(description="false: only the open ones")] = None,
) -> Reply:
    """Alerts, newest first. They are kept for `BUDGET_ALERTS_DAYS`."""
    query = AlertQuery(budget_id, severity, type_, acknowledged)
    return Reply(listed(verbs.alerts.listed(asker, query, pages), to_api_alert))


@router.post("/check", response_model=list[AlertOut])
def check_alerts(
    asker: Asker,
    verbs: Verbs,
    budget_id: BudgetId = None,
    period: Annotated[Text | None, Query(description="Of policies of this period only")] = None,
    key: IdempotencyKey = None,
) -> Reply:
    """The alerts of all that stands above a threshold now, newest first; none is made twice.

    Alerts come by themselves. This finds also what no call has moved since a threshold came down.
    """
    del key  # twice is as good as once
    return Reply([to_api_alert(one) for one in verbs.alerts.check(asker, budget_id, period)])


@router.post("/acknowledge", response_model=AcknowledgedOut)
def acknowledge_alerts(
    asker: Asker,
    verbs: Verbs,
    budget_id: BudgetId = None,
    severity: SeverityText = None,
    type_: TypeText = None,
    key: IdempotencyKey = None,
) -> Reply:
    """All open ones are seen to; or of a budget, a severity, a type."""
    del key  # twice is as good as once
    query = AlertQuery(budget_id, severity, type_)
    return Reply({"acknowledged": verbs.alerts.acknowledge_all(asker, query)})


@router.get("/{alert_id}", response_model=AlertOut)
def show_alert(alert_id: str, asker: Asker, verbs: Verbs) -> Reply:
    """One alert."""
    return Reply(to_api_alert(verbs.alerts.one(asker, alert_id)))


@router.post("/{alert_id}/acknowledge", response_model=AlertOut)
def acknowledge_alert(
    alert_id: str, asker: Asker, verbs: Verbs, key: IdempotencyKey = None
) -> Reply:
    """Somebody has seen to it. Who was first stays so."""
    del key  # the first one is kept
    return Reply(to_api_alert(verbs.alerts.acknowledge(asker, alert_id)))


@router.put("/{alert_id}/dismiss", response_model=AlertOut)
def dismiss_alert(alert_id: str, asker: Asker, verbs: Verbs) -> Reply:
    """The same as to acknowledge it, in other clients' word."""
    return Reply(to_api_alert(verbs.alerts.acknowledge(asker, alert_id, verb="dismiss")))
