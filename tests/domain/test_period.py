"""Periods: tables of known boundaries, and properties over every zone there is."""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tekton_budget.domain import errors
from tekton_budget.domain.period import (
    ROLLING_LENGTH_MAX_US,
    SUB_WINDOWS,
    Anchor,
    Period,
    Schedule,
    Window,
    datetime_from_us,
    duration_text,
    period_text,
    rfc3339,
    sub_window_at,
    sub_window_closes_at,
    time_text,
    us_from_datetime,
    zone_names,
)

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

CALENDAR = (Period.DAILY, Period.WEEKLY, Period.MONTHLY, Period.QUARTERLY, Period.YEARLY)
ENDLESS = (Period.TOTAL, Period.PER_SESSION, Period.PER_TASK, Period.ROLLING)
ZONES = sorted(zone_names())

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"


def us(text: str) -> int:
    return us_from_datetime(datetime.fromisoformat(text))


WINDOWS = [
    line.split()
    for line in Path(__file__).with_name("windows.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def anchor_from(text: str) -> Anchor:
    """`hour=6,day=31`; a dash is the anchor that is used where none is set."""
    parts = [part.partition("=") for part in text.split(",") if part != "-"]
    return Anchor(**{name: int(value) for name, _, value in parts})


@pytest.mark.parametrize(("period", "zone", "anchor", "at", "opens", "closes"), WINDOWS)
def test_an_instant_lies_in_the_window_of_the_table(
    period: str, zone: str, anchor: str, at: str, opens: str, closes: str
) -> None:
    window = Schedule(Period(period), zone, anchor_from(anchor)).window_at(us(at))

    assert rfc3339(window.opens_us, zone) == rfc3339(us(opens), zone)
    assert window.closes_us is not None
    assert rfc3339(window.closes_us, zone) == rfc3339(us(closes), zone)


@pytest.mark.parametrize("period", ENDLESS)
def test_some_periods_have_one_window_that_never_closes(period: Period) -> None:
    schedule = Schedule(period, length_us=HOUR if period is Period.ROLLING else None)

    assert schedule.window_at(0) == schedule.window_at(us("2026-01-01T00:00Z")) == Window(0, None)
    assert schedule.windows_between(0, 0) == 0


@pytest.mark.parametrize("period", Period)
@pytest.mark.parametrize("at", [-1, us("9998-01-01T00:00Z"), 10**30])
def test_an_instant_out_of_reach_is_refused(period: Period, at: int) -> None:
    schedule = Schedule(period, length_us=HOUR if period is Period.ROLLING else None)

    with pytest.raises(errors.InvalidInput, match="years 1970 to 9997"):
        schedule.window_at(at)


@pytest.mark.parametrize("period", CALENDAR)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("anchor", [Anchor(), Anchor(hour=23, weekday=6, day=31, month=12)])
@pytest.mark.parametrize("at", [0, us("9997-12-31T23:59:59.999999Z")])
def test_the_first_and_the_last_instant_have_windows(
    period: Period, zone: str, anchor: Anchor, at: int
) -> None:
    window = Schedule(period, zone, anchor).window_at(at)

    assert window.closes_us is not None
    assert window.opens_us <= at < window.closes_us


# --- properties over all zones ----------------------------------------------------------------


@cache
def clock_changes(zone: str, year: int) -> list[int]:
    """The days of that year, as instants, on which the zone's offset changed."""
    first = us_from_datetime(datetime(year, 1, 1, tzinfo=UTC))
    days = [first + day * DAY for day in range(367)]
    offsets = [datetime_from_us(day, zone).utcoffset() for day in days]
    return [
        day
        for day, offset, next_offset in zip(days, offsets, offsets[1:], strict=False)
        if offset != next_offset
    ]


@st.composite
def instants(draw: st.DrawFn, zone: str) -> int:
    """Any instant of 1970 to 2100, by preference around a clock change of the zone."""
    anywhere = st.integers(0, us("2100-01-01T00:00Z"))
    changes = clock_changes(zone, draw(st.integers(1971, 2037)))
    if not changes:
        return draw(anywhere)
    near = st.builds(
        lambda day, off: day + off, st.sampled_from(changes), st.integers(-2 * DAY, 3 * DAY)
    )
    return draw(st.one_of(near, near, anywhere))


anchors = st.builds(
    Anchor,
    hour=st.sampled_from([0, 0, 0, 1, 2, 3, 12, 23]),
    weekday=st.integers(0, 6),
    day=st.sampled_from([1, 1, 15, 28, 29, 30, 31]),
    month=st.integers(1, 12),
)


@st.composite
def schedules_and_instants(
    draw: st.DrawFn, periods: tuple[Period, ...] = (Period.HOURLY, *CALENDAR)
) -> tuple[Schedule, int]:
    zone = draw(st.sampled_from(ZONES))
    schedule = Schedule(draw(st.sampled_from(periods)), zone, draw(anchors))
    return schedule, draw(instants(zone))


@given(case=schedules_and_instants())
@settings(max_examples=120)
def test_windows_hold_their_instants_and_touch_each_other(case: tuple[Schedule, int]) -> None:
    schedule, at = case
    window = schedule.window_at(at)
    assert window.closes_us is not None
    following = schedule.window_at(window.closes_us)

    assert window.opens_us <= at < window.closes_us
    assert schedule.window_at(max(window.opens_us, 0)) == window
    assert schedule.window_at(window.closes_us - 1) == window
    assert following.opens_us == window.closes_us
    if window.opens_us > 0:
        assert schedule.window_at(window.opens_us - 1).closes_us == window.opens_us


@given(case=schedules_and_instants(CALENDAR))
@settings(max_examples=120)
def test_a_window_opens_when_the_clock_first_reaches_its_boundary(
    case: tuple[Schedule, int],
) -> None:
    """Against a different way of finding it: by what the clock has shown at latest so far."""
    schedule, at = case
    window = schedule.window_at(at)
    before = datetime_from_us(window.opens_us - 1, schedule.zone).replace(tzinfo=None)
    opening = datetime_from_us(window.opens_us, schedule.zone).replace(tzinfo=None)

    assert before < opening
    if opening - before == timedelta(microseconds=1):
        assert is_boundary(opening, schedule)
    else:
        left_out = [
            before.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(hours=hour)
            for hour in range(72)
        ]
        assert any(is_boundary(wall, schedule) for wall in left_out if before < wall <= opening)


def is_boundary(wall: datetime, schedule: Schedule) -> bool:
    anchor = schedule.anchor
    last_day = ((wall.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)).day
    day_is_right = {
        Period.DAILY: True,
        Period.WEEKLY: wall.weekday() == anchor.weekday,
    }.get(schedule.period, wall.day == min(anchor.day, last_day))
    month_is_right = {
        Period.QUARTERLY: wall.month % 3 == anchor.month % 3,
        Period.YEARLY: wall.month == anchor.month,
    }.get(schedule.period, True)
    at_the_hour = (wall.hour, wall.minute, wall.second, wall.microsecond) == (anchor.hour, 0, 0, 0)
    return day_is_right and month_is_right and at_the_hour


@given(zone=st.sampled_from(ZONES), data=st.data())
def test_hours_last_3600_seconds_and_begin_on_the_standard_hour(
    zone: str, data: st.DataObject
) -> None:
    window = Schedule(Period.HOURLY, zone).window_at(data.draw(instants(zone)))
    assert window.closes_us is not None
    winter, summer = (
        datetime_from_us(us(text), zone).utcoffset() or timedelta()
        for text in ("2026-01-01T00:00Z", "2026-07-01T00:00Z")
    )
    standard = min(winter, summer)

    assert window.closes_us - window.opens_us == HOUR
    assert (timedelta(microseconds=window.opens_us) + standard) % timedelta(hours=1) == timedelta()


@given(case=schedules_and_instants(), steps=st.integers(0, 40))
@settings(max_examples=100)
def test_counting_windows_agrees_with_stepping_through_them(
    case: tuple[Schedule, int], steps: int
) -> None:
    schedule, at = case
    first = schedule.window_at(at)
    later = first
    for _ in range(steps):
        assert later.closes_us is not None
        later = schedule.window_at(later.closes_us)

    assert schedule.windows_between(first.opens_us, later.opens_us) == steps


@pytest.mark.parametrize(
    "zone",
    [
        "Pacific/Apia",
        "Pacific/Fakaofo",
        "Pacific/Kiritimati",
        "Pacific/Kwajalein",
        "Pacific/Kanton",
    ],
)
@pytest.mark.parametrize(("hour", "left_out"), [(0, 1), (12, 0)])
def test_a_left_out_day_is_not_counted_over_half_a_century(
    zone: str, hour: int, left_out: int
) -> None:
    schedule = Schedule(Period.DAILY, zone, Anchor(hour=hour))
    first = window = schedule.window_at(us("1975-01-01T12:00Z"))
    end = us("2025-01-01T12:00Z")
    steps = 0
    while window.closes_us is not None and window.closes_us <= end:
        window = schedule.window_at(window.closes_us)
        steps += 1
    opening_days = [datetime_from_us(at.opens_us, zone).date() for at in (first, window)]

    assert schedule.windows_between(first.opens_us, window.opens_us) == steps
    assert steps == (opening_days[1] - opening_days[0]).days - left_out


@pytest.mark.parametrize(
    ("period", "zone", "first", "later", "count"),
    [
        ("hourly", BERLIN, "2000-01-01T00:00+01:00", "2026-07-01T00:00+02:00", 232_271),
        ("daily", BERLIN, "2000-01-01T00:00+01:00", "2026-07-01T00:00+02:00", 9_678),
        ("daily", "Pacific/Apia", "2011-12-29T00:00-10:00", "2011-12-31T00:00+14:00", 1),
        ("daily", "Pacific/Apia", "2011-12-01T00:00-10:00", "2012-01-01T00:00+14:00", 30),
        ("weekly", NEW_YORK, "2026-01-05T00:00-05:00", "2026-07-06T00:00-04:00", 26),
        ("monthly", BERLIN, "1999-01-01T00:00+01:00", "2026-07-01T00:00+02:00", 330),
        ("quarterly", "UTC", "2026-01-01T00:00Z", "2030-10-01T00:00Z", 19),
        ("yearly", "UTC", "1970-01-01T00:00Z", "2070-01-01T00:00Z", 100),
    ],
)
def test_windows_are_counted_over_years(
    period: str, zone: str, first: str, later: str, count: int
) -> None:
    assert Schedule(Period(period), zone).windows_between(us(first), us(later)) == count


def test_windows_are_not_counted_backward() -> None:
    with pytest.raises(AssertionError, match="counted forward"):
        Schedule(Period.DAILY).windows_between(DAY, 0)


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "fields"),
    [
        ({"hour": -1}, ["anchor.hour"]),
        ({"hour": 24}, ["anchor.hour"]),
        ({"weekday": -1}, ["anchor.weekday"]),
        ({"weekday": 7}, ["anchor.weekday"]),
        ({"day": 0}, ["anchor.day"]),
        ({"day": 32}, ["anchor.day"]),
        ({"month": 0}, ["anchor.month"]),
        ({"month": 13}, ["anchor.month"]),
        ({"hour": 24, "month": 13}, ["anchor.hour", "anchor.month"]),
    ],
)
def test_an_anchor_names_every_part_that_is_out_of_range(
    parts: dict[str, int], fields: list[str]
) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        Anchor(**parts)

    assert [fault.field for fault in refusal.value.fields] == fields
    assert all(field in refusal.value.detail for field in fields)


@pytest.mark.parametrize(
    ("period", "length_us"),
    [
        (Period.ROLLING, None),
        (Period.ROLLING, 0),
        (Period.ROLLING, -MINUTE),
        (Period.ROLLING, MINUTE - 1),
        (Period.ROLLING, 90 * SECOND),
        (Period.ROLLING, ROLLING_LENGTH_MAX_US + MINUTE),
        (Period.MONTHLY, HOUR),
        (Period.TOTAL, HOUR),
    ],
)
def test_a_length_is_for_rolling_periods_and_within_limits(
    period: Period, length_us: int | None
) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        Schedule(period, length_us=length_us)

    assert [fault.field for fault in refusal.value.fields] == ["length"]


@pytest.mark.parametrize("length_us", [MINUTE, 90 * MINUTE, ROLLING_LENGTH_MAX_US])
def test_a_length_within_limits_is_kept(length_us: int) -> None:
    assert Schedule(Period.ROLLING, length_us=length_us).length_us == length_us


@pytest.mark.parametrize("period", [Period.DAILY, Period.TOTAL])
def test_a_schedule_in_an_unknown_zone_is_refused(period: Period) -> None:
    with pytest.raises(errors.InvalidInput, match="Europe/Berlin"):
        Schedule(period, "Europe/Berln")


# --- sub-windows ------------------------------------------------------------------------------

lengths = st.integers(1, 400 * 24 * 60).map(lambda minutes: minutes * MINUTE)


@pytest.mark.parametrize(
    ("length_us", "at_us", "index"),
    [
        (MINUTE, 0, 0),
        (MINUTE, SECOND - 1, 0),
        (MINUTE, SECOND, 1),
        (DAY, 24 * MINUTE - 1, 0),
        (DAY, 24 * MINUTE, 1),
        (DAY, DAY, SUB_WINDOWS),
    ],
)
def test_a_rolling_window_is_cut_in_sixty(length_us: int, at_us: int, index: int) -> None:
    assert sub_window_at(length_us, at_us) == index


@given(length_us=st.one_of(lengths, st.integers(MINUTE, DAY)), at_us=st.integers(0, 2**53))
def test_a_sub_window_closes_where_the_next_begins(length_us: int, at_us: int) -> None:
    index = sub_window_at(length_us, at_us)
    closes_us = sub_window_closes_at(length_us, index)

    assert at_us < closes_us
    assert sub_window_at(length_us, closes_us - 1) == index
    assert sub_window_at(length_us, closes_us) == index + 1


# --- texts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "length_us", "text"),
    [
        *[(period, None, period.value) for period in (Period.HOURLY, *CALENDAR, Period.TOTAL)],
        (Period.PER_SESSION, None, "per session"),
        (Period.PER_TASK, None, "per task"),
        (Period.ROLLING, MINUTE, "rolling 1 min"),
        (Period.ROLLING, 90 * MINUTE, "rolling 90 min"),
        (Period.ROLLING, HOUR, "rolling 1 h"),
        (Period.ROLLING, DAY, "rolling 24 h"),
        (Period.ROLLING, 36 * HOUR, "rolling 36 h"),
        (Period.ROLLING, 7 * DAY, "rolling 7 d"),
    ],
)
def test_periods_are_told_in_words(period: Period, length_us: int | None, text: str) -> None:
    assert period_text(Schedule(period, length_us=length_us)) == text


@pytest.mark.parametrize(
    ("at", "zone", "text"),
    [
        ("2026-11-30T23:00Z", BERLIN, "2026-12-01 00:00 Europe/Berlin"),
        ("2026-11-30T23:00Z", "UTC", "2026-11-30 23:00 UTC"),
        ("2026-11-30T23:59:59.9Z", "Asia/Kathmandu", "2026-12-01 05:44 Asia/Kathmandu"),
    ],
)
def test_instants_are_told_by_the_zones_clock(at: str, zone: str, text: str) -> None:
    assert time_text(us(at), zone) == text


@pytest.mark.parametrize(
    ("us_long", "text"),
    [
        (-5 * SECOND, "0 seconds"),
        (0, "0 seconds"),
        (SECOND // 2 - 1, "0 seconds"),
        (SECOND // 2, "1 second"),
        (12 * SECOND, "12 seconds"),
        (MINUTE - SECOND // 2 - 1, "59 seconds"),
        (MINUTE - SECOND // 2, "1 minute"),
        (MINUTE, "1 minute"),
        (89 * SECOND, "1 minute"),
        (90 * SECOND, "2 minutes"),
        (40 * MINUTE, "40 minutes"),
        (HOUR - MINUTE // 2 - 1, "59 minutes"),
        (HOUR - MINUTE // 2, "1 hour"),
        (HOUR, "1 hour"),
        (3 * HOUR + 29 * MINUTE, "3 hours"),
        (DAY - HOUR // 2 - 1, "23 hours"),
        (DAY - HOUR // 2, "1 day"),
        (DAY, "1 day"),
        (6 * DAY - 3 * HOUR, "6 days"),
        (400 * DAY, "400 days"),
    ],
)
def test_durations_are_told_in_one_rounded_unit(us_long: int, text: str) -> None:
    assert duration_text(us_long) == text
