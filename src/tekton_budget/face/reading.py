"""What stands, what was refused, and what was spent."""

from collections.abc import Sequence
from datetime import datetime

from tekton_budget.face.ledger import text_of
from tekton_budget.face.request import Json, Labels, Request, given, got, verb


class ReadingVerbs:
    """What stands, what was refused, and what was spent."""

    labels: Labels

    @verb
    def status(self, labels: Labels | None = None) -> Request[Json]:
        """Every policy that concerns these labels with its numbers, and which one binds."""
        return got("status", "/status", query={**self.labels, **(labels or {})})

    @verb
    def decisions(
        self,
        *,
        decision: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
        by: Sequence[str] | str = (),
        after: str | None = None,
        limit: int | None = None,
    ) -> Request[Json]:
        """Who was refused, counted."""
        query = given(
            decision=decision,
            to=text_of(to),
            by=by if isinstance(by, str) else ",".join(by) or None,
            after=after,
            limit=limit,
            **{"from": text_of(from_)},
        )
        return got("decisions", "/decisions", query=query)

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
        start_date: datetime | str | None = None,
        end_date: datetime | str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Request[Json]:
        """A page of usages, newest first."""
        query = given(
            allocation_id=allocation_id,
            start_date=text_of(start_date),
            end_date=text_of(end_date),
            after=after,
            limit=limit,
        )
        return got("usage_records", "/usage/records", query={**(labels or {}), **query})

    @verb
    def usage_summary(
        self,
        *,
        period: str | None = None,
        start_time: datetime | str | None = None,
        end_time: datetime | str | None = None,
        by: Sequence[str] | str = (),
        labels: Labels | None = None,
    ) -> Request[Json]:
        """What was used in a period or interval, grouped by well-known labels."""
        query = given(
            period=period,
            start_time=text_of(start_time),
            end_time=text_of(end_time),
            by=by if isinstance(by, str) else ",".join(by) or None,
        )
        return got("usage_summary", "/usage/summary", query={**(labels or {}), **query})

    @verb
    def usage_report(
        self,
        month: str,
        *,
        by: Sequence[str] | str = ("team", "model"),
        timezone: str | None = None,
    ) -> Request[Json]:
        """A month's spending by labels."""
        query = given(month=month, by=by if isinstance(by, str) else ",".join(by), tz=timezone)
        return got("usage_report", "/usage/report", query=query)
