"""Activity: what is under way right now, by one label, and which limits stand fullest."""

from collections.abc import Iterable
from dataclasses import dataclass

from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.scope import checked_names
from tekton_budget.service.reporting.balance_views import BalanceView
from tekton_budget.service.reporting.overview import Overview
from tekton_budget.service.reporting.records import UsageQuery, usage_filter
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.allocations import AllocationFilter, AllocationRows
from tekton_budget.storage.rows.runs import RunRows
from tekton_budget.storage.rows.sums import NO_SUMS, Sums, UsageSums

RECENT_SECONDS = 60
IN_FLIGHT_MAX = 2000  # allocations looked at
ROWS_MAX = 50
POLICIES_MAX = 15
RUNS_MAX = 200  # under way whose caps are looked at
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """One value of the label: what it has under way, what it used lately, and what in all."""

    value: str | None  # none: calls without the label
    in_flight: int
    held: Amounts
    recent: Sums  # of the last `RECENT_SECONDS`
    total: Sums


@dataclass(frozen=True, slots=True)
class Activity:
    """A moment. `in_flight` and `held` are of all rows, those left out too."""

    at_us: int
    by: str
    seconds: int
    in_flight: int
    held: Amounts
    recent: Sums
    rows: tuple[ActivityRow, ...]  # busiest first
    policies: tuple[BalanceView, ...]  # fullest first


class ActivityViews:
    """What is under way, as far as a key may see it."""

    def __init__(self, reader: Reader, overview: Overview, runs: RunRows) -> None:
        self._reader = reader
        self._overview = overview
        self._runs = runs
        self._allocations = AllocationRows(reader)
        self._sums = UsageSums(reader)

    def now(self, caller: Caller, by: str = "run") -> Activity:
        """The moment, by a label."""
        (label,) = checked_names("by", (by,), 1)
        now_us = self._reader.now_us()
        wanted = AllocationFilter(is_active=True, labels=dict(caller.labels))
        active = self._allocations.walk(wanted, limit=IN_FLIGHT_MAX)
        held: dict[str, Amounts] = {}
        counts: dict[str, int] = {}
        for one in active:
            value = one.labels.get(label, "")
            counts[value] = counts.get(value, 0) + 1
            held[value] = held.get(value, NOTHING).plus(one.granted)
        alive = self._runs.walk(limit=RUNS_MAX, after=None, alive_us=now_us)
        caps = {run.policy_id for run in alive if run.policy_id is not None}
        recent = self._recent(caller, label, now_us)
        busiest = sorted(
            {*counts, *recent},
            key=lambda v: (-counts.get(v, 0), -recent.get(v, NO_SUMS).cost_nano, v),
        )
        rows = tuple(
            ActivityRow(
                value or None,
                counts.get(value, 0),
                held.get(value, NOTHING),
                recent.get(value, NO_SUMS),
                self._total(caller, label, value),
            )
            for value in busiest[:ROWS_MAX]
        )
        return Activity(
            at_us=now_us,
            by=label,
            seconds=RECENT_SECONDS,
            in_flight=len(active),
            held=_all(held.values()),
            recent=_sum(recent.values()),
            rows=rows,
            policies=self._overview.fullest(caller, POLICIES_MAX, runs=caps),
        )

    def _recent(self, caller: Caller, label: str, now_us: int) -> dict[str, Sums]:
        query = UsageQuery(from_us=now_us - RECENT_SECONDS * _SECOND_US, to_us=now_us + 1)
        wanted = usage_filter(caller, query)
        assert wanted is not None, "no label is asked for that could contradict the key's"
        return {key[0]: sums for key, sums in self._sums.by(wanted, (label,))[0].sums.items()}

    def _total(self, caller: Caller, label: str, value: str) -> Sums:
        """All that was ever used under a value; what has none of the label is not summed."""
        wanted = usage_filter(caller, UsageQuery(labels={label: value})) if value else None
        if wanted is None:
            return NO_SUMS
        return _sum(self._sums.by(wanted, ())[0].sums.values())


def _all(held: Iterable[Amounts]) -> Amounts:
    together = NOTHING
    for one in held:
        together = together.plus(one)
    return together


def _sum(sums: Iterable[Sums]) -> Sums:
    total = NO_SUMS
    for one in sums:
        total = total.plus(one)
    return total
