"""Intervals: what time a report is about: a period, a month, days, or between two moments."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.period import Period, Schedule, us_from_datetime
from tekton_budget.domain.zones import first_instant_us, zone_named

DAYS_MAX = 400
_PERIODS = (
    Period.HOURLY,
    Period.DAILY,
    Period.WEEKLY,
    Period.MONTHLY,
    Period.QUARTERLY,
    Period.YEARLY,
    Period.TOTAL,
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Interval:
    """Half-open, in the clock of a zone; without an end it goes on."""

    from_us: int | None
    to_us: int | None
    zone: str


def current_window(period: str, zone: str, now_us: int) -> Interval:
    """The window of a period that is open now; `total` is all time."""
    named = period.strip().lower()
    if named not in _PERIODS:
        raise invalid("period", f"send one of {', '.join(_PERIODS)}")
    if named == Period.TOTAL:
        return between(None, None, zone)
    window = Schedule(Period(named), zone).window_at(now_us)
    return Interval(window.opens_us, window.closes_us, zone)


def month_interval(month: str, zone: str) -> Interval:
    """A calendar month, as `2026-11`."""
    found = _MONTH.fullmatch(month.strip())
    if found is None or not 1 <= int(found[2]) <= 12 or not 1970 <= int(found[1]) <= 9000:
        raise invalid("month", "send a month as 2026-11")
    middle = datetime(int(found[1]), int(found[2]), 15, tzinfo=UTC)
    window = Schedule(Period.MONTHLY, zone).window_at(us_from_datetime(middle))
    return Interval(window.opens_us, window.closes_us, zone)


def day_of(text: str, zone: str) -> tuple[int, int] | None:
    """The day that is named as `2026-11-01`, by the clock of a zone; `None` if it is no day."""
    if not _DAY.fullmatch(text.strip()):
        return None
    try:
        day = date.fromisoformat(text.strip())
        ends = [datetime.combine(day + timedelta(days=more), time()) for more in (0, 1)]
    except (ValueError, OverflowError):
        return None
    opens_us, closes_us = (first_instant_us(wall, zone_named(zone)) for wall in ends)
    return opens_us, closes_us


def last_days(days: int, zone: str, now_us: int) -> Interval:
    """So many whole days of a zone, today the last of them."""
    if not 1 <= days <= DAYS_MAX:
        raise invalid("days", f"send 1 to {DAYS_MAX}")
    schedule = Schedule(Period.DAILY, zone)
    today = schedule.window_at(now_us)
    opens_us = today.opens_us
    for _ in range(days - 1):
        opens_us = schedule.window_at(opens_us - 1).opens_us
    return Interval(opens_us, today.closes_us, zone)


def between(from_us: int | None, to_us: int | None, zone: str) -> Interval:
    """From one moment to another."""
    if from_us is not None and to_us is not None and from_us > to_us:
        raise invalid("from", "lies behind the end of the interval")
    for field, moment in (("from", from_us), ("to", to_us)):
        if moment is not None:
            _known_moment(field, moment)
    Schedule(Period.DAILY, zone)  # an unknown zone is refused here, with the nearest names
    return Interval(from_us, to_us, zone)


def days_of(interval: Interval) -> list[tuple[int, int]]:
    """The interval cut at the midnights of its zone; empty where it is open or too long to tell."""
    if interval.from_us is None or interval.to_us is None:
        return []
    schedule = Schedule(Period.DAILY, interval.zone)
    found: list[tuple[int, int]] = []
    at_us = interval.from_us
    while at_us < interval.to_us:
        if len(found) == DAYS_MAX:
            return []
        closes_us = schedule.window_at(at_us).closes_us
        assert closes_us is not None, "days end"
        end_us = min(closes_us, interval.to_us)
        found.append((at_us, end_us))
        at_us = end_us
    return found


def _known_moment(field: str, at_us: int) -> None:
    if not 0 <= at_us < us_from_datetime(datetime(9000, 1, 1, tzinfo=UTC)):
        raise invalid(field, "must lie in the years 1970 to 8999")
