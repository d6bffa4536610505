"""Periods: which half-open window of a schedule an instant lies in, and how windows are told.

A calendar window opens at the first instant at which its zone's clock shows the nominal boundary
or later. A zone that leaves out a whole day (Pacific/Apia, 2011-12-30) has no window for that day.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache

from tekton_budget.domain import errors
from tekton_budget.domain.zones import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    datetime_from_us,
    first_instant_us,
    rfc3339,
    us_from_datetime,
    zone_named,
    zone_names,
)

__all__ = [
    "ROLLING_LENGTH_MAX_US",
    "ROLLING_LENGTH_MIN_US",
    "SUB_WINDOWS",
    "Anchor",
    "Period",
    "Schedule",
    "Window",
    "datetime_from_us",
    "duration_text",
    "period_text",
    "rfc3339",
    "sub_window_at",
    "sub_window_closes_at",
    "time_text",
    "us_from_datetime",
    "zone_named",
    "zone_names",
]

SUB_WINDOWS = 60
ROLLING_LENGTH_MIN_US = MINUTE_US
ROLLING_LENGTH_MAX_US = 400 * DAY_US


class Period(StrEnum):
    """How often a policy's balance starts anew, from the shortest calendar period up."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    YEARLY = "yearly"
    TOTAL = "total"
    PER_SESSION = "per_session"
    PER_TASK = "per_task"
    ROLLING = "rolling"


_STEP_DAYS = {Period.DAILY: 1, Period.WEEKLY: 7}
_STEP_MONTHS = {Period.MONTHLY: 1, Period.QUARTERLY: 3, Period.YEARLY: 12}
_ANCHOR_LIMITS = {"hour": (0, 23), "weekday": (0, 6), "day": (1, 31), "month": (1, 12)}


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where calendar windows open; a period reads only the parts that concern it.

    `hour` is of the local day (daily and longer), `weekday` 0 is Monday (weekly), `day` 31 is the
    last day of a shorter month (monthly and longer), `month` is that in which a year opens, or any
    of the four in which a quarter does. Hours always open on the hour.
    """

    hour: int = 0
    weekday: int = 0
    day: int = 1
    month: int = 1

    def __post_init__(self) -> None:
        faults = [
            errors.FieldFault(f"anchor.{name}", f"must be from {lowest} to {highest}")
            for name, (lowest, highest) in _ANCHOR_LIMITS.items()
            if not lowest <= getattr(self, name) <= highest
        ]
        if faults:
            detail = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
            raise errors.InvalidInput(detail, *faults)


@dataclass(frozen=True, slots=True)
class Window:
    """The half-open interval `[opens_us, closes_us)`; without an end it never closes."""

    opens_us: int
    closes_us: int | None


_ENDLESS = Window(0, None)
# Room for one yearly window on either side of what a datetime can hold.
_INSTANT_END_US = us_from_datetime(datetime(9998, 1, 1, tzinfo=UTC))
# The instant whose standard offset says where a zone's hours begin, for all time.
_HOUR_REFERENCE_US = us_from_datetime(datetime(2026, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Schedule:
    """A period in a zone and anchor; `length_us` belongs to rolling periods, and only to them."""

    period: Period
    zone: str = "UTC"
    anchor: Anchor = Anchor()
    length_us: int | None = None

    def __post_init__(self) -> None:
        zone_named(self.zone)
        if self.period is not Period.ROLLING:
            if self.length_us is not None:
                raise errors.invalid("length", f"leave it out: {self.period} has no length")
            return
        length_us = self.length_us
        if (
            length_us is None
            or not ROLLING_LENGTH_MIN_US <= length_us <= ROLLING_LENGTH_MAX_US
            or length_us % MINUTE_US  # so that a sub-window is a whole number of seconds
        ):
            raise errors.invalid("length", "must be whole minutes, from 1 minute to 400 days")

    def window_at(self, at_us: int) -> Window:
        """The window that holds the instant; refused before 1970 and from the year 9998 on."""
        if not 0 <= at_us < _INSTANT_END_US:
            raise errors.invalid("timestamp", "must lie in the years 1970 to 9997")
        if self.period is Period.HOURLY:
            opens_us = at_us - (at_us + _hour_phase_us(self.zone)) % HOUR_US
            return Window(opens_us, opens_us + HOUR_US)
        if not self._follows_calendar():
            return _ENDLESS
        return self._numbered_window_at(at_us)[1]

    def windows_between(self, opens_us: int, later_opens_us: int) -> int:
        """How many windows on from the one that opens first the later one is; 0 if the same."""
        assert opens_us <= later_opens_us, "windows are counted forward"
        if self.period is Period.HOURLY:
            return (later_opens_us - opens_us) // HOUR_US
        if not self._follows_calendar():
            return 0
        first = self._numbered_window_at(opens_us)[0]
        last = self._numbered_window_at(later_opens_us)[0]
        return last - first - self._empty_between(first, last)

    def _follows_calendar(self) -> bool:
        return self.period in _STEP_DAYS or self.period in _STEP_MONTHS

    def _numbered_window_at(self, at_us: int) -> tuple[int, Window]:
        """The window that holds the instant and its number: near by the local date, then exact."""
        index = self._index_near(datetime_from_us(at_us, self.zone).date())
        opens_us, closes_us = self._opens_us(index), self._opens_us(index + 1)
        while at_us < opens_us:
            index, opens_us, closes_us = index - 1, self._opens_us(index - 1), opens_us
        while at_us >= closes_us:
            index, opens_us, closes_us = index + 1, closes_us, self._opens_us(index + 2)
        return index, Window(opens_us, closes_us)

    def _index_near(self, day: date) -> int:
        """The number of the window, but for what the hour and day of the anchor change."""
        if self.period in _STEP_DAYS:
            step = _STEP_DAYS[self.period]
            return (day.toordinal() - 1 - self.anchor.weekday % step) // step
        step = _STEP_MONTHS[self.period]
        return (day.year * 12 + day.month - 1 - (self.anchor.month - 1) % step) // step

    def _opens_us(self, index: int) -> int:
        wall = datetime.combine(self._opening_day(index), time(self.anchor.hour))
        return first_instant_us(wall, zone_named(self.zone))

    def _opening_day(self, index: int) -> date:
        """The inverse of `_index_near`, with the anchor's day; ordinal day 1 was a Monday."""
        if self.period in _STEP_DAYS:
            step = _STEP_DAYS[self.period]
            return date.fromordinal(index * step + self.anchor.weekday % step + 1)
        step = _STEP_MONTHS[self.period]
        year, month_before = divmod(index * step + (self.anchor.month - 1) % step, 12)
        last_day = calendar.monthrange(year, month_before + 1)[1]
        return date(year, month_before + 1, min(self.anchor.day, last_day))

    def _empty_between(self, first: int, last: int) -> int:
        """How many windows of no length lie there: the days the zone left out, found by halving.

        A stretch that takes as long as its days say, but for clock changes of less than half a day,
        left none out.
        """
        if self.period is not Period.DAILY:
            return 0
        elapsed_us = self._opens_us(last) - self._opens_us(first)
        if (last - first) * DAY_US - elapsed_us < DAY_US // 2:
            return 0
        if last - first == 1:
            return int(elapsed_us == 0)
        middle = (first + last) // 2
        return self._empty_between(first, middle) + self._empty_between(middle, last)


def sub_window_at(length_us: int, at_us: int) -> int:
    """The number, counted from the epoch, of the sixtieth of a rolling window the instant is in."""
    return at_us * SUB_WINDOWS // length_us


def sub_window_closes_at(length_us: int, index: int) -> int:
    """The first instant that is no longer in that sub-window."""
    return -((index + 1) * length_us // -SUB_WINDOWS)


def period_text(schedule: Schedule) -> str:
    """The period for people: `monthly`, `per session`, `rolling 24 h`, `rolling 7 d`."""
    if schedule.length_us is None:
        return schedule.period.replace("_", " ")
    length_us = schedule.length_us
    if length_us % DAY_US == 0 and length_us > DAY_US:
        return f"rolling {length_us // DAY_US} d"
    if length_us % HOUR_US == 0:
        return f"rolling {length_us // HOUR_US} h"
    return f"rolling {length_us // MINUTE_US} min"


def time_text(at_us: int, zone: str) -> str:
    """The instant for people: `2026-12-01 00:00 Europe/Berlin`."""
    shown = datetime_from_us(at_us, zone).replace(tzinfo=None)
    return f"{shown.isoformat(' ', 'minutes')} {zone}"


def duration_text(us: int) -> str:
    """The duration in one rounded unit: `6 days`, `1 hour`; what is already past is `0 seconds`."""
    for unit_us, unit in ((DAY_US, "day"), (HOUR_US, "hour"), (MINUTE_US, "minute")):
        # From half of the next smaller unit below, the smaller one would round up to this one.
        if us >= unit_us - _HALF_BELOW_US[unit]:
            return _counted(_rounded(us, unit_us), unit)
    return _counted(_rounded(max(us, 0), SECOND_US), "second")


_HALF_BELOW_US = {"day": HOUR_US // 2, "hour": MINUTE_US // 2, "minute": SECOND_US // 2}


def _rounded(us: int, unit_us: int) -> int:
    return (us + unit_us // 2) // unit_us


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


@cache
def _hour_phase_us(zone: str) -> int:
    """How far into the UTC hour the zone's hours begin, by its standard offset at the reference.

    Fixed for each zone, so that hourly windows are all 3600 seconds and contiguous through every
    clock change: Kathmandu's open at a quarter past the UTC hour, Lord Howe's in summer at half
    past the local one.
    """
    shown = datetime_from_us(_HOUR_REFERENCE_US, zone)
    standard = (shown.utcoffset() or timedelta()) - (shown.dst() or timedelta())
    return standard // timedelta(microseconds=1) % HOUR_US
