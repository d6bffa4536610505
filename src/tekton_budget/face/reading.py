"""What stands, what was refused, and what was spent."""

from collections.abc import Sequence
from datetime import datetime

from tekton_budget.face.ledger import text_of
from tekton_budget.face.request import (
    Json,
    Labels,
    Request,
    given,
    got,
    items,
    labelled,
    new_id,
    same,
    verb,
)

VERIFY_SECONDS = 3600.0


class ReadingVerbs:
    """Reading verbs. They change nothing and hold nothing up."""

    labels: Labels

    @verb
    def status(self, labels: Labels | None = None) -> Request[Json]:
        """Every policy that concerns these labels with its numbers, and which one binds."""
        return got("status", "/status", query=labelled({**self.labels, **(labels or {})}))

    @verb
    def activity(self, *, by: str | None = None) -> Request[Json]:
        """What is under way right now, by the values of a label (`run`); busiest first."""
        return got("activity", "/activity", query=given(by=by))

    @verb
    def decisions(
        self,
        *,
        decision: str | None = None,
        policy: str | None = None,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        by: Sequence[str] | str = (),
        after: str | None = None,
        limit: int | None = None,
    ) -> Request[Json]:
        """Who was refused, counted by policy, group, decision or labels, the first ones in full."""
        query = labelled(
            None,
            decision=decision,
            policy=policy,
            to=text_of(end),
            by=_joined(by),
            after=after,
            limit=limit,
            **{"from": text_of(start)},
        )
        return got("decisions", "/decisions", query=query)

    @verb
    def verify(self) -> Request[Json]:
        """Recount everything from the journal and compare: `{"ok", "findings", …}`."""
        return Request("verify", "POST", "/verify", same, wait_seconds=VERIFY_SECONDS)

    @verb
    def usage_record(self, record_id: str) -> Request[Json]:
        """One usage as it was posted."""
        return got("usage_record", "/usage/records/{record_id}", {"record_id": record_id})

    @verb
    def usage_records(
        self,
        *,
        labels: Labels | None = None,
        allocation_id: str | None = None,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Request[Json]:
        """A page of usages, newest first."""
        query = labelled(
            labels,
            allocation_id=allocation_id,
            start_date=text_of(start),
            end_date=text_of(end),
            after=after,
            limit=limit,
        )
        return got("usage_records", "/usage/records", query=query)

    @verb
    def usage_summary(
        self,
        *,
        period: str | None = None,
        days: int | None = None,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        by: Sequence[str] | str = (),
        labels: Labels | None = None,
        timezone: str | None = None,
    ) -> Request[Json]:
        """What was used in a period, in the last days or an interval, grouped by labels."""
        query = labelled(
            labels,
            period=period,
            days=days,
            start_time=text_of(start),
            end_time=text_of(end),
            group_by=_joined(by),
            timezone=timezone,
        )
        return got("usage_summary", "/usage/summary", query=query)

    @verb
    def summaries(self, budget: str, period: str = "daily") -> Request[list[Json]]:
        """A budget's policies of a period (`daily,weekly`: of several) and where they stand."""
        path, named = "/budgets/{budget}/summary", {"budget": budget}
        return Request("summaries", "GET", path, items, named=named, query={"period": period})

    @verb
    def command(self, command: str) -> Request[Json]:
        """Do what a line of Tekton's chat or the original's command line says.

        Answers `{"success", "response", "data"}`: whether it was done, in words, and as data.
        """
        return Request("command", "POST", "/command", same, body={"command": command}, id=new_id())

    @verb
    def command_help(self, command: str = "") -> Request[Json]:
        """Which commands there are, or how one is used."""
        return got("command_help", "/command/help", query={"command": command})

    @verb
    def usage_analytics(
        self,
        *,
        period: str | None = None,
        days: int | None = None,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        provider: str | None = None,
        model: str | None = None,
        labels: Labels | None = None,
        budget: str | None = None,
        timezone: str | None = None,
    ) -> Request[Json]:
        """Usage from every side: totals, averages, groups, the costliest models, a time series.

        Of a period's open window, the last days, or an interval; else of the last 30 days.
        """
        query = labelled(
            labels,
            period=period,
            days=days,
            start_time=text_of(start),
            end_time=text_of(end),
            provider=provider,
            model=model,
            budget_id=budget,
            timezone=timezone,
        )
        return got("usage_analytics", "/usage/analytics", query=query)

    @verb
    def usage_report(
        self,
        month: str | None = None,
        *,
        by: Sequence[str] | str = (),
        period: str | None = None,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        labels: Labels | None = None,
        timezone: str | None = None,
    ) -> Request[Json]:
        """Spending by labels, of a month like `2026-11` or another time; rows add up exactly."""
        query = labelled(
            labels,
            month=month,
            by=_joined(by),
            period=period,
            start_time=text_of(start),
            end_time=text_of(end),
            tz=timezone,
        )
        return got("usage_report", "/usage/report", query=query)


def _joined(names: Sequence[str] | str) -> str | None:
    return names if isinstance(names, str) else ",".join(names) or None
