"""Usage as Rhetor tells it: rows and sums of its periods, in the clock of its host.

It is all that the ledger knows of, whoever spent it, for that is what Rhetor's limits count; only
what was imported of Apollo's store is not, which counted the same calls for itself.
"""

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tekton_budget.domain.errors import NotFound
from tekton_budget.face.budget import Budget
from tekton_budget.foreign.rhetor.shape import ROW_ID
from tekton_budget.foreign.store import IMPORTED_FROM, Kind
from tekton_budget.frontends.tekton.rhetor.words import BUDGET, BudgetPeriod, LocalClock, plain

Json = dict[str, Any]  # Any: decoded JSON

GROUPS = ("provider", "model", "component", "task_type")
_DAYS = 38  # the longest month, and the days before it that began its first week
_PAGE = 1000
_FRESH_SECONDS = 600
_NONE = "(none)"
_SUMS = ("output_tokens", "total_tokens", "cost", "count")
_TOTALS = {"output_tokens": "total_output_tokens", "cost": "total_cost"}


@dataclass(frozen=True, slots=True)
class Spent:
    """USD of the day, week and month that are open now."""

    daily: Decimal
    weekly: Decimal
    monthly: Decimal

    def of(self, period: BudgetPeriod) -> Decimal:
        """Of one of them."""
        found: Decimal = getattr(self, period.value)
        return found


class Usage:
    """What was used."""

    def __init__(self, budget: Budget, clock: LocalClock) -> None:
        self._budget = budget
        self._clock = clock
        self._apollos = ApollosPast(budget)

    def spent(self, provider: str | None = None) -> Spent:
        """By one provider, or all."""
        days = self._days(provider)
        today = max(days)
        week, month = today - timedelta(days=today.weekday()), today.replace(day=1)
        sums = [
            sum((cost for day, cost in days.items() if day >= start), Decimal(0))
            for start in (today, week, month)
        ]
        return Spent(*sums)

    def summary(self, period: BudgetPeriod, group_by: str) -> tuple[Json, dict[str | None, Json]]:
        """The sums of a period that is open now, and those of each value of a label."""
        found = self._budget.usage_summary(
            period=period.value, timezone=self._clock.zone, by=[group_by]
        )
        total = {name: found[_TOTALS.get(name, name)] for name in _SUMS}
        groups = {
            None if name == _NONE else name: {one: sums[one] for one in _SUMS}
            for name, sums in found["groups"][group_by].items()
        }
        for record in self._apollos.since(found["start_time"]):
            counted = {"count": 1, "cost": record["cost"] or 0}
            counted |= {name: record[name] for name in ("output_tokens", "total_tokens")}
            for sums in (total, groups[record[group_by]]):
                for name, value in counted.items():
                    sums[name] -= value
        return total, {name: sums for name, sums in groups.items() if sums["count"]}

    def rows(self, start: datetime | str, end: datetime | None, provider: str | None) -> list[Json]:
        """Each usage between two moments, both included, oldest first."""
        rows: list[Json] = []
        after: str | None = None
        first = start if isinstance(start, datetime) else datetime.fromisoformat(start)
        if end is not None and end < first:
            return rows
        while True:
            page = self._budget.usage_records(
                labels=_asked(provider),
                start=start,
                end=None if end is None else end + timedelta(microseconds=1),
                after=after,
                limit=_PAGE,
            )
            rows += [self.row(record) for record in page["items"] if not _is_apollos(record)]
            after = page["next"]
            if after is None:
                return rows[::-1]

    def row(self, record: Mapping[str, Any]) -> Json:
        """A usage record in the fields of Rhetor's table."""
        kept = record["metadata"].get(BUDGET)
        metadata = record["metadata"]
        if kept is not None:
            metadata = kept.get("metadata", kept.get("metadata_text", {}))
        cost = record["cost"]
        numbered = ROW_ID.fullmatch(record["record_id"])  # one that came from Rhetor's own file
        return {
            "id": int(numbered[1]) if numbered else record["record_id"],
            "timestamp": self._clock.shown(record["timestamp"]),
            "provider": record["provider"],
            "model": record["model"],
            "component": record["component"],
            "task_type": record["task_type"],
            "input_tokens": record["total_tokens"] - record["output_tokens"],
            "output_tokens": record["output_tokens"],
            "cost": None if cost is None else float(cost),
            "metadata": plain(metadata),
        }

    def opened_at(self, period: BudgetPeriod) -> str:
        """When the period began that is open now."""
        found = self._budget.usage_summary(
            period=period.value, timezone=self._clock.zone, by=["provider"]
        )
        return str(found["start_time"])

    def _days(self, provider: str | None) -> dict[date, Decimal]:
        found = self._budget.usage_summary(
            days=_DAYS, timezone=self._clock.zone, by=["provider"], labels=_asked(provider)
        )
        days = {
            date.fromisoformat(day["date"]): Decimal(day["cost"]) for day in found["daily_usage"]
        }
        for record in self._apollos.since(found["start_time"]):
            if provider in (None, record["provider"]):
                day = date.fromisoformat(self._clock.shown(record["timestamp"])[:10])
                days[day] -= record["cost"] or 0
        return days


class ApollosPast:
    """What was imported of Apollo's store: kept for a while, for it grows by imports alone."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._kept: list[Json] = []
        self._since = datetime.max.replace(tzinfo=UTC)
        self._fresh_until = -math.inf

    def since(self, start: str) -> list[Json]:
        """Its records from a moment on."""
        moment = datetime.fromisoformat(start)
        with self._lock:
            if time.monotonic() >= self._fresh_until or moment < self._since:
                self._kept = self._read(start)
                self._since = moment
                self._fresh_until = time.monotonic() + _FRESH_SECONDS
            return [
                record
                for record in self._kept
                if datetime.fromisoformat(record["timestamp"]) >= moment
            ]

    def _read(self, start: str) -> list[Json]:
        try:
            self._budget.budget(Kind.APOLLO.value)
        except NotFound:
            return []  # nothing was imported, so nothing needs to be looked for
        records: list[Json] = []
        after: str | None = None
        while True:
            page = self._budget.usage_records(
                labels={IMPORTED_FROM: Kind.APOLLO.value}, start=start, after=after, limit=_PAGE
            )
            records += page["items"]
            after = page["next"]
            if after is None:
                return records


def _asked(provider: str | None) -> dict[str, str]:
    return {} if provider is None else {"provider": provider}


def _is_apollos(record: Mapping[str, Any]) -> bool:
    return bool(record["labels"].get(IMPORTED_FROM) == Kind.APOLLO.value)
