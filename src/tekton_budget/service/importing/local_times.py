"""Naive local times of foreign stores ↔ instants: the zone is said, never guessed.

A time that the clock skipped (a gap) is the first moment after the gap; one that it showed twice is
its first occurrence: the rule by which our windows are cut too.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tekton_budget.domain.errors import InvalidInput, invalid
from tekton_budget.domain.zones import (
    datetime_from_us,
    first_instant_us,
    us_from_datetime,
    zone_named,
)


class LocalTimes:
    """The clock of one zone."""

    def __init__(self, zone: str) -> None:
        self.name = zone
        self._zone: ZoneInfo = zone_named(zone)

    def instant_us(self, at: datetime) -> int:
        """When the clock showed that; a time with an offset of its own says so itself."""
        if at.utcoffset() is not None:
            return us_from_datetime(at)
        whole = at.replace(microsecond=0, fold=0, tzinfo=None)
        try:
            return first_instant_us(whole, self._zone) + at.microsecond
        except OverflowError:
            raise invalid("timestamp", "lies outside the years 1 to 9999") from None

    def shown(self, at_us: int) -> datetime:
        """What the clock shows at an instant, without its offset."""
        return datetime_from_us(at_us, self.name).replace(tzinfo=None, fold=0)

    def as_said(self, at: datetime) -> datetime:
        """The day and month that a foreign time tells by itself, for sums that need no clock.

        Only in a gap, and where it has an offset of its own, is it what our clock shows.
        """
        if at.utcoffset() is None and not self._is_skipped(at):
            return at
        return self.shown(self.instant_us(at))

    def _is_skipped(self, at: datetime) -> bool:
        before = self._zone.utcoffset(at.replace(fold=0)) or timedelta()
        after = self._zone.utcoffset(at.replace(fold=1)) or timedelta()
        return before < after


def moment_said(text: str, times: LocalTimes, field: str) -> int:
    """A moment as people write it: with an offset, or as the zone's clock shows it."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise invalid(
            field, f"{text[:40]!r} is no time: send 2026-03-01T09:00:00, or with its offset"
        ) from error
    try:
        return times.instant_us(at)
    except InvalidInput as fault:
        raise invalid(field, fault.fields[0].message) from fault
