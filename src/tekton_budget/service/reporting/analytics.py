"""Analytics: what was used in an interval, on average, by what, and when."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.zones import datetime_from_us
from tekton_budget.service.reporting.intervals import Interval, days_of
from tekton_budget.service.reporting.reports import NONE, Reports, SummaryQuery, Sums, UsageSummary
from tekton_budget.storage.reading import Reader

DAYS_DEFAULT = 30
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
BY_HOUR_MAX_US = 2 * DAY_US  # intervals up to this long are told by the hour
BUCKETS_MAX = 100  # of a series or of daily rows, where each is a query of its own
_ROW_BY = ("provider", "model", "component")


@dataclass(frozen=True, slots=True)
class Bucket:
    """An hour or a day, and its usage."""

    opens_us: int
    closes_us: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class DailyRow:
    """A day's usage by one provider, model and component."""

    date: str
    provider: str
    model: str
    component: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class UsageAnalytics:
    """Usage of an interval: in all, by groups and models (`summary`), and in the order of time.

    `series` and `rows` are empty where the interval is open, or too long to be cut.
    """

    summary: UsageSummary
    days: int | None  # begun by now; `None` where the interval has no beginning
    granularity: str  # hour or day
    series: tuple[Bucket, ...]
    rows: tuple[DailyRow, ...]


class Analytics:
    """Usage looked at from every side that is known, as far as a key may see it."""

    def __init__(self, reader: Reader, reports: Reports) -> None:
        self._reader = reader
        self._reports = reports

    def usage(self, caller: Caller, query: SummaryQuery) -> UsageAnalytics:
        """Of a period's window, the last days, or an interval; the last 30 days if none is said."""
        usage = query.usage
        if (query.period, query.days, usage.from_us, usage.to_us) == (None, None, None, None):
            query = replace(query, days=DAYS_DEFAULT)
        summary = self._reports.summary(caller, query)
        interval = summary.interval
        now_us = self._reader.now_us()
        # Usage may be stamped a little ahead, and so fall into tomorrow.
        end_us = now_us + DAY_US if interval.to_us is None else interval.to_us
        days = [
            (opens_us, closes_us)
            for opens_us, closes_us in days_of(replace(interval, to_us=end_us))
            if opens_us <= now_us + DAY_US
        ]
        granularity = "hour" if _is_short(interval) else "day"
        return UsageAnalytics(
            summary,
            None if interval.from_us is None else sum(1 for day in days if day[0] <= now_us),
            granularity,
            self._series(caller, query, summary, granularity),
            self._rows(caller, query, days),
        )

    def _series(
        self, caller: Caller, query: SummaryQuery, summary: UsageSummary, granularity: str
    ) -> tuple[Bucket, ...]:
        interval = summary.interval
        cuts = _hours_of(interval) if granularity == "hour" else days_of(interval)
        if granularity == "day" and summary.days:
            return tuple(
                Bucket(opens_us, closes_us, day.sums)
                for (opens_us, closes_us), day in zip(cuts, summary.days, strict=True)
            )
        if len(cuts) > BUCKETS_MAX:
            return ()
        found = []
        for opens_us, closes_us in cuts:
            part = _within(query, opens_us, closes_us)
            total = self._reports.report(caller, by=(), query=part).total
            found.append(Bucket(opens_us, closes_us, total))
        return tuple(found)

    def _rows(
        self, caller: Caller, query: SummaryQuery, days: Sequence[tuple[int, int]]
    ) -> tuple[DailyRow, ...]:
        if len(days) > BUCKETS_MAX:
            return ()
        zone = query.timezone or self._reader.timezone
        found = []
        for opens_us, closes_us in days:
            date = datetime_from_us(opens_us, zone).date().isoformat()
            part = _within(query, opens_us, closes_us)
            report = self._reports.report(caller, by=_ROW_BY, query=part)
            for row in report.rows:
                provider, model, component = (value or NONE for value in row.values)
                found.append(DailyRow(date, provider, model, component, row.sums))
        return tuple(found)


def _within(query: SummaryQuery, from_us: int, to_us: int) -> SummaryQuery:
    usage = replace(query.usage, from_us=from_us, to_us=to_us)
    return replace(query, usage=usage, period=None, days=None)


def _is_short(interval: Interval) -> bool:
    if interval.from_us is None or interval.to_us is None:
        return False
    return interval.to_us - interval.from_us <= BY_HOUR_MAX_US


def _hours_of(interval: Interval) -> list[tuple[int, int]]:
    """Elapsed hours from the beginning on."""
    assert interval.from_us is not None, "a short interval has both ends"
    assert interval.to_us is not None, "a short interval has both ends"
    starts = range(interval.from_us, interval.to_us, HOUR_US)
    return [(start, min(start + HOUR_US, interval.to_us)) for start in starts]
