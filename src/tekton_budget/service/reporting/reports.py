"""Reports: usage summed for an interval, by provider, model and any label."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import invalid
from tekton_budget.domain.ledger.standing import is_hidden
from tekton_budget.domain.period import Period, datetime_from_us
from tekton_budget.domain.policy import Budget
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.domain.scope import checked_labels
from tekton_budget.service.limiting.named import budget_named
from tekton_budget.service.reporting.intervals import (
    Interval,
    between,
    current_window,
    days_of,
    last_days,
    month_interval,
)
from tekton_budget.service.reporting.records import UsageQuery, usage_filter
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.sums import NO_SUMS, ROLLUPS, Key, Summed, Sums, UsageSums, rolled
from tekton_budget.storage.rows.usages import UsageFilter

__all__ = [
    "GROUPS_OF_ORIGINAL",
    "NONE",
    "DaySums",
    "ModelSums",
    "ReportRow",
    "Reports",
    "SummaryQuery",
    "Sums",
    "UsageReport",
    "UsageSummary",
    "total_of",
]

NONE = "(none)"
BY_MAX = 8
TOP_MODELS = 10
TOP_DAYS = 366
GROUPS_OF_ORIGINAL = ("provider", "model", "component", "task_type")


@dataclass(frozen=True, slots=True)
class SummaryQuery:
    """What is summed: a period's current window, the last days, or an interval of `usage`."""

    usage: UsageQuery = field(default_factory=UsageQuery)
    period: str | None = None
    days: int | None = None
    timezone: str | None = None
    budget: str | None = None
    group_by: tuple[str, ...] = GROUPS_OF_ORIGINAL


@dataclass(frozen=True, slots=True)
class ModelSums:
    """One model's usage."""

    provider: str
    model: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class DaySums:
    """One day's usage, and the cost that the tightest daily policy allows it."""

    date: str
    opens_us: int
    sums: Sums
    limit_nano: int | None


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """Usage in an interval: all of it, by groups, by model and by day; costliest first."""

    interval: Interval
    period: str | None
    total: Sums
    groups: Mapping[str, Mapping[str, Sums]]
    models: tuple[ModelSums, ...]
    days: tuple[DaySums, ...]
    exact_from: str


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One combination of values (`None`: without the label) and its usage."""

    values: tuple[str | None, ...]
    sums: Sums


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Rows that add up to the total exactly, costliest first."""

    interval: Interval
    by: tuple[str, ...]
    rows: tuple[ReportRow, ...]
    total: Sums
    exact_from: str


class Reports:
    """What was used, as far as a key may see it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._sums = UsageSums(reader)

    def summary(self, caller: Caller, query: SummaryQuery) -> UsageSummary:
        """The sums of an interval in the groups asked for."""
        interval = self._interval(query)
        group_by = _checked_by("group_by", query.group_by)
        wanted, matches = self._wanted(caller, query, interval)
        if wanted is None:
            nothing = {name: dict[str, Sums]() for name in group_by}
            return UsageSummary(interval, query.period, NO_SUMS, nothing, (), (), ROLLUPS)
        bys: list[Sequence[str]] = [("provider", "model")]
        bys += [(name,) for name in group_by]
        found = self._sums.by(wanted, *bys, matches=matches)
        models = _costliest(found[0].sums)
        groups = {
            name: {key[0] or NONE: sums for key, sums in _costliest(one.sums)}
            for name, one in zip(group_by, found[1:], strict=True)
        }
        return UsageSummary(
            interval,
            query.period,
            total_of(found[0].sums),
            groups,
            tuple(ModelSums(key[0] or NONE, key[1] or NONE, sums) for key, sums in models),
            self._days(caller, wanted, matches, interval),
            found[0].source,
        )

    def report(
        self,
        caller: Caller,
        *,
        by: Sequence[str],
        month: str | None = None,
        query: SummaryQuery | None = None,
    ) -> UsageReport:
        """Every combination of some labels, and what has none of them."""
        query = query if query is not None else SummaryQuery()
        interval = (
            month_interval(month, query.timezone or self._reader.timezone)
            if month is not None
            else self._interval(query)
        )
        names = _checked_by("by", by)
        wanted, matches = self._wanted(caller, query, interval)
        summed = Summed({}, ROLLUPS)
        if wanted is not None:
            summed = self._sums.by(wanted, names, matches=matches)[0]
        rows = tuple(
            ReportRow(tuple(value or None for value in key), sums)
            for key, sums in _costliest(summed.sums)
        )
        return UsageReport(interval, names, rows, total_of(summed.sums), summed.source)

    def top_models(
        self, caller: Caller, usage: UsageQuery, most: int = TOP_MODELS
    ) -> tuple[ModelSums, ...]:
        """The costliest models of some records; none where only a scan could tell.

        Of the last year where no beginning is said, so that it is as quick after many years.
        """
        if usage.from_us is None:
            year = last_days(TOP_DAYS, self._reader.timezone, self._reader.now_us())
            usage = replace(usage, from_us=year.from_us)
        wanted = usage_filter(caller, usage)
        if wanted is None or not rolled(wanted, ()):
            return ()
        sums = self._sums.by(wanted, ("provider", "model"))[0].sums
        found = [ModelSums(key[0] or NONE, key[1] or NONE, one) for key, one in _costliest(sums)]
        return tuple(found[:most])

    def _interval(self, query: SummaryQuery) -> Interval:
        zone = query.timezone or self._reader.timezone
        usage = query.usage
        if usage.from_us is not None or usage.to_us is not None:
            return between(usage.from_us, usage.to_us, zone)
        if query.days is not None:
            return last_days(query.days, zone, self._reader.now_us())
        return current_window(query.period or Period.TOTAL, zone, self._reader.now_us())

    def _wanted(
        self, caller: Caller, query: SummaryQuery, interval: Interval
    ) -> tuple[UsageFilter | None, Callable[[Mapping[str, str]], bool] | None]:
        usage = replace(query.usage, from_us=interval.from_us, to_us=interval.to_us)
        wanted = usage_filter(caller, usage)
        if query.budget is None:
            return wanted, None
        budget = budget_named(self._reader.policies(), caller, query.budget)
        return (None, None) if wanted is None else self._of_budget(wanted, budget)

    def _of_budget(
        self, wanted: UsageFilter, budget: Budget
    ) -> tuple[UsageFilter | None, Callable[[Mapping[str, str]], bool] | None]:
        """Usage within a budget's scope, or that was asked for under its name."""
        requirements = budget.scope.requirements
        if not requirements:
            return wanted, None
        names = {budget.budget_id, budget.name}

        def matches(labels: Mapping[str, str]) -> bool:
            return labels.get("budget") in names or budget.scope.matches(labels)

        first = requirements[0]
        if len(requirements) > 1 or len(first.values) > 1 or not first.only_values:
            return wanted, matches
        by_scope = replace(wanted, labels={**wanted.labels, first.label: first.values[0]})
        if wanted.labels.get(first.label, first.values[0]) != first.values[0]:
            return wanted, matches
        if not rolled(by_scope, ()):
            return wanted, matches
        # Rollups know the one label of the scope. They suffice where nobody named the budget.
        reach = UsageFilter(wanted.from_us, wanted.to_us)
        asked = [replace(reach, labels={"budget": name}) for name in sorted(names)]
        if any(self._sums.by(one, ())[0].sums for one in asked):
            return wanted, matches
        return by_scope, None

    def _days(
        self,
        caller: Caller,
        wanted: UsageFilter,
        matches: Callable[[Mapping[str, str]], bool] | None,
        interval: Interval,
    ) -> tuple[DaySums, ...]:
        if matches is not None or not rolled(wanted, ()):
            return ()
        days = days_of(interval)
        whole = {}
        if days and interval.zone == self._reader.timezone:
            whole = self._sums.by_day(wanted)
        limit_nano = self._daily_limit(caller, wanted)
        found = []
        for position, (opens_us, closes_us) in enumerate(days):
            edge = position in (0, len(days) - 1)
            if interval.zone == self._reader.timezone and not edge:
                sums = whole.get(opens_us, NO_SUMS)
            else:
                part = replace(wanted, from_us=opens_us, to_us=closes_us)
                sums = total_of(self._sums.by(part, ())[0].sums)
            date = datetime_from_us(opens_us, interval.zone).date().isoformat()
            found.append(DaySums(date, opens_us, sums, limit_nano))
        return tuple(found)

    def _daily_limit(self, caller: Caller, wanted: UsageFilter) -> int | None:
        """The least that a daily policy on all of this allows, as far as the key may know it."""
        policies: PolicySet = self._reader.policies()
        labels = dict(wanted.labels)
        labels |= {"provider": wanted.provider} if wanted.provider is not None else {}
        labels |= {"model": wanted.model} if wanted.model is not None else {}
        limits = [
            policy.limits.cost_nano
            for policy in policies.concerning(labels, self._reader.now_us())
            if policy.schedule.period is Period.DAILY
            and policy.judges
            and not policy.per
            and policy.limits.cost_nano is not None
            and not is_hidden(caller, policy, "", policies.scope_of(policy))
        ]
        return min(limits, default=None)


def total_of(sums: Mapping[Key, Sums]) -> Sums:
    """All of it."""
    total = NO_SUMS
    for one in sums.values():
        total = total.plus(one)
    return total


def _costliest(sums: Mapping[Key, Sums]) -> list[tuple[Key, Sums]]:
    return sorted(sums.items(), key=lambda pair: (-pair[1].cost_nano, pair[0]))


def _checked_by(field_name: str, by: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in by))
    if len(names) > BY_MAX:
        raise invalid(field_name, f"send at most {BY_MAX} labels")
    checked_labels(dict.fromkeys(names, "-"))
    return names
