"""Intervals: days, months and windows as their zone's clock shows them."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tekton_budget.service.reporting.intervals import (
    DAYS_MAX,
    Interval,
    current_window,
    day_of,
    days_of,
    last_days,
    month_interval,
)

from .conftest import DAY_US, HOUR_US, NOON_US


def shown(us: int | None, zone: str) -> str | None:
    if us is None:
        return None
    return datetime.fromtimestamp(us // 1_000_000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("text", "zone", "opens", "closes"),
    [
        ("2026-11-02", "UTC", "2026-11-02 00:00", "2026-11-03 00:00"),
        (" 2026-10-25 ", "Europe/Berlin", "2026-10-25 00:00", "2026-10-26 00:00"),  # 25 hours
        ("2026-12-31", "Asia/Kathmandu", "2026-12-31 00:00", "2027-01-01 00:00"),
    ],
)
def test_a_day_is_that_of_the_zone(text: str, zone: str, opens: str, closes: str) -> None:
    found = day_of(text, zone)

    assert found is not None
    assert (shown(found[0], zone), shown(found[1], zone)) == (opens, closes)


@pytest.mark.parametrize("text", ["today", "2026-02-30", "2026-11-2", "9999-12-31", ""])
def test_what_is_no_day_is_told(text: str) -> None:
    assert day_of(text, "UTC") is None


def test_a_month_and_a_window_are_those_of_the_zone() -> None:
    month = month_interval("2026-10", "Europe/Berlin")
    hour = current_window("Hourly", "UTC", NOON_US)

    assert shown(month.from_us, "Europe/Berlin") == "2026-10-01 00:00"
    assert shown(month.to_us, "Europe/Berlin") == "2026-11-01 00:00"
    assert month.to_us is not None
    assert month.from_us is not None
    assert month.to_us - month.from_us == 31 * DAY_US + HOUR_US
    assert (hour.from_us, hour.to_us) == (NOON_US, NOON_US + HOUR_US)
    assert current_window("total", "UTC", NOON_US) == Interval(None, None, "UTC")


def test_the_last_days_end_with_today_and_are_cut_at_midnights() -> None:
    found = last_days(9, "Europe/Berlin", NOON_US)
    days = days_of(found)

    assert shown(found.from_us, "Europe/Berlin") == "2026-10-25 00:00"
    assert [closes - opens for opens, closes in days] == [DAY_US + HOUR_US, *[DAY_US] * 8]
    assert [opens for opens, _ in days[1:]] == [closes for _, closes in days[:-1]]
    assert days_of(Interval(0, (DAYS_MAX + 1) * DAY_US, "UTC")) == []
    assert len(days_of(Interval(5, DAYS_MAX * DAY_US, "UTC"))) == DAYS_MAX
