"""Usage as Rhetor tells it: rows and sums of its periods, in the clock of its host.

It is all that the ledger knows of, whoever spent it, for that is what Rhetor's limits count; only
what was imported of Apollo's store is not, which counted the same calls for itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tekton_budget.face.budget import Budget
from tekton_budget.face.request import Labels
from tekton_budget.foreign.rhetor.shape import ROW_ID
from tekton_budget.foreign.store import IMPORTED_FROM, Kind
from tekton_budget.frontends.tekton.rhetor.words import BUDGET, BudgetPeriod, LocalClock, plain

Json = dict[str, Any]  # Any: decoded JSON

GROUPS = ("provider", "model", "component", "task_type")
_DAYS = 38  # the longest month, and the days before it that began its first week
_PAGE = 1000
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

    def spent(self, provider: str | None = None) -> Spent:
        """By one provider, or all."""
        labels = {} if provider is None else {"provider": provider}
        days = self._days(labels)
        today = max(days)
        week, month = today - timedelta(days=today.weekday()), today.replace(day=1)
        sums = [
            sum((cost for day, cost in days.items() if day >= start), Decimal(0))
            for start in (today, week, month)
        ]
        return Spent(*sums)

    def summary(self, period: BudgetPeriod, group_by: str) -> tuple[Json, dict[str | None, Json]]:
        """The sums of a period that is open now, and those of each value of a label."""
        query: Json = {"period": period.value, "timezone": self._clock.zone}
        found = self._budget.usage_summary(by=[group_by, IMPORTED_FROM], **query)
        groups = {name: _sums(sums) for name, sums in found["groups"][group_by].items()}
        total = {name: found[_TOTALS.get(name, name)] for name in _SUMS}
        others = found["groups"][IMPORTED_FROM].get(Kind.APOLLO.value)
        if others is not None:
            of_others = self._budget.usage_summary(by=[group_by], labels=_OTHERS, **query)
            total = _less(total, _sums(others))
            for name, sums in of_others["groups"][group_by].items():
                groups[name] = _less(groups[name], _sums(sums))
        named = {None if name == _NONE else name: sums for name, sums in groups.items()}
        return total, {name: sums for name, sums in named.items() if sums["count"]}

    def rows(self, start: datetime | str, end: datetime | None, provider: str | None) -> list[Json]:
        """Each usage between two moments, both included, oldest first."""
        rows: list[Json] = []
        after: str | None = None
        while True:
            page = self._budget.usage_records(
                labels={} if provider is None else {"provider": provider},
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
            period=period.value, timezone=self._clock.zone, by=[IMPORTED_FROM]
        )
        return str(found["start_time"])

    def _days(self, labels: Labels) -> dict[date, Decimal]:
        query: Json = {"days": _DAYS, "timezone": self._clock.zone, "by": [IMPORTED_FROM]}
        found = self._budget.usage_summary(labels=labels, **query)
        days = _costs(found)
        if Kind.APOLLO.value in found["groups"][IMPORTED_FROM]:
            others = self._budget.usage_summary(labels={**labels, **_OTHERS}, **query)
            for day, cost in _costs(others).items():
                days[day] -= cost
        return days


def _is_apollos(record: Mapping[str, Any]) -> bool:
    return bool(record["labels"].get(IMPORTED_FROM) == Kind.APOLLO.value)


_OTHERS = {IMPORTED_FROM: Kind.APOLLO.value}


def _costs(found: Json) -> dict[date, Decimal]:
    return {date.fromisoformat(day["date"]): Decimal(day["cost"]) for day in found["daily_usage"]}


def _sums(counted: Mapping[str, Any]) -> Json:
    return {name: counted[name] for name in _SUMS}


def _less(sums: Json, others: Json) -> Json:
    return {name: sums[name] - others[name] for name in _SUMS}
