"""What happened, from a position on, and what people are alerted of."""

from collections.abc import Sequence

from tekton_budget.face.request import Json, Request, given, got, items, same, verb


class FollowingVerbs:
    """The log of events, and alerts."""

    @verb
    def events(
        self,
        after: int | None = None,
        *,
        types: Sequence[str] | str = (),
        limit: int | None = None,
    ) -> Request[Json]:
        """Events after a position, the oldest first; go on with `after=` the answer's `next`."""
        words = types if isinstance(types, str) else ",".join(types)
        return got("events", "/events", query=given(after=after, type=words or None, limit=limit))

    @verb
    def alerts(
        self,
        *,
        budget: str | None = None,
        severity: str | None = None,
        type: str | None = None,
        acknowledged: bool | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Request[Json]:
        """A page of alerts, newest first; `acknowledged=False`: only the open ones."""
        query = given(
            budget_id=budget,
            severity=severity,
            type=type,
            acknowledged=acknowledged,
            after=after,
            limit=limit,
        )
        return got("alerts", "/alerts", query=query)

    @verb
    def alert(self, alert_id: str) -> Request[Json]:
        """One alert."""
        return got("alert", "/alerts/{alert_id}", {"alert_id": alert_id})

    @verb
    def acknowledge_alert(self, alert_id: str) -> Request[Json]:
        """Somebody has seen to it; who was first stays so."""
        path, named = "/alerts/{alert_id}/acknowledge", {"alert_id": alert_id}
        return Request("acknowledge_alert", "POST", path, same, named=named)

    @verb
    def acknowledge_alerts(
        self, *, budget: str | None = None, severity: str | None = None, type: str | None = None
    ) -> Request[Json]:
        """All open ones that match are seen to; how many: `{"acknowledged"}`."""
        query = given(budget_id=budget, severity=severity, type=type)
        return Request("acknowledge_alerts", "POST", "/alerts/acknowledge", same, query=query)

    @verb
    def check_alerts(
        self, *, budget: str | None = None, period: str | None = None
    ) -> Request[list[Json]]:
        """The alerts of all that stands above a threshold now; none is made twice."""
        query = given(budget_id=budget, period=period)
        return Request("check_alerts", "POST", "/alerts/check", items, query=query)
