"""Rollups: usage summed by hour and by day for every well-known label, as it is written."""

from collections.abc import Iterable, Iterator
from operator import add

from tekton_budget.domain.ledger import UsageRecord
from tekton_budget.domain.period import Period, Schedule
from tekton_budget.domain.scope import WELL_KNOWN_LABELS

HOUR_US = 3600 * 1_000_000
HOUR, DAY = "hour", "day"
COUNTERS = 10

# Many values, each seen for a short while: a row an hour of each would outgrow the usage itself.
DAY_ONLY = frozenset({"session", "task", "run", "context_id"})
# Every row names provider and model already.
_ALWAYS = frozenset({"provider", "model"})
ROLLED_LABELS = tuple(name for name in WELL_KNOWN_LABELS if name not in _ALWAYS)

RollupKey = tuple[str, str, int, str, str, str]  # kind, label, bucket, value, provider, model


class Rollup:
    """Sums a batch's usage; days are cut in one zone."""

    def __init__(self, zone: str) -> None:
        self._days = Schedule(Period.DAILY, zone)
        self._day = self._days.window_at(0)

    def sums(self, records: Iterable[UsageRecord]) -> dict[RollupKey, list[int]]:
        """The counters to add, by key; see `statements.ROLLUP_ADDED` for their order."""
        sums: dict[RollupKey, list[int]] = {}
        for record in records:
            counters = counters_of(record)
            provider, model = record.provider or "", record.model or ""
            for kind, label, bucket_us, value in self._buckets(record):
                key = (kind, label, bucket_us, value, provider, model)
                known = sums.get(key)
                if known is None:
                    sums[key] = list(counters)
                else:
                    known[:] = map(add, known, counters)
        return sums

    def day_of(self, at_us: int) -> int:
        """The start of the day a moment lies in."""
        day = self._day
        if day.closes_us is None or not day.opens_us <= at_us < day.closes_us:
            day = self._day = self._days.window_at(at_us)
        return day.opens_us

    def _buckets(self, record: UsageRecord) -> Iterator[tuple[str, str, int, str]]:
        hour_us = record.at_us - record.at_us % HOUR_US
        day_us = self.day_of(record.at_us)
        yield HOUR, "", hour_us, ""
        yield DAY, "", day_us, ""
        labels = record.labels
        for label in ROLLED_LABELS:
            value = labels.get(label)
            if value is not None:
                yield DAY, label, day_us, value
                if label not in DAY_ONLY:
                    yield HOUR, label, hour_us, value


def counters_of(record: UsageRecord) -> tuple[int, ...]:
    """What one record adds to each of its rollup rows."""
    sign = -1 if record.reverses is not None else 1
    unpriced = sign if record.cost_nano is None else 0
    return (
        sign,
        record.requests,
        *record.counts,
        record.reasoning_tokens,
        record.cost_nano or 0,
        unpriced,
    )
