"""Instants, zones and wall clocks."""

import importlib.resources
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tekton_budget.domain import errors
from tekton_budget.domain.zones import (
    datetime_from_us,
    first_instant_us,
    rfc3339,
    us_from_datetime,
    zone_named,
    zone_names,
)

ZONES = sorted(zone_names())


@pytest.mark.parametrize("name", ZONES)
def test_every_listed_zone_loads_and_keeps_its_name(name: str) -> None:
    assert str(zone_named(name)) == name


@pytest.mark.parametrize(
    ("asked", "offered"),
    [
        ("Europe/Berln", ["Europe/Berlin"]),
        ("europe/berlin", ["Europe/Berlin"]),
        ("berlin", ["Europe/Berlin"]),
        ("new york", ["America/New_York"]),
        ("Asia/Katmando", ["Asia/Katmandu"]),
    ],
)
def test_an_unknown_zone_is_refused_with_near_names(asked: str, offered: list[str]) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        zone_named(asked)

    assert [fault.field for fault in refusal.value.fields] == ["timezone"]
    advice = refusal.value.detail.partition("did you mean ")[2].removesuffix("?").split(" or ")
    assert advice[: len(offered)] == offered
    assert len(advice) <= 3


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "/etc/localtime",
        "../zones",
        "../zoneinfo/UTC",
        "Europe/../UTC",
        "Europe//Berlin",
        "Europe/Berlin/",
        "./UTC",
        "Europe",
        "zone.tab",
        "__init__.py",
        "UTC\0",
        "UTC\n",
        "C:\\UTC",
        "x" * 100_000,
    ],
)
def test_no_name_leads_out_of_the_zone_data(name: str) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        zone_named(name)

    assert "not a known time zone" in refusal.value.detail
    assert len(refusal.value.detail) < 300


def test_the_hosts_zone_data_is_never_read(tmp_path) -> None:
    false_berlin = tmp_path / "Europe" / "Berlin"
    false_berlin.parent.mkdir()
    tokyo = importlib.resources.files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo")
    false_berlin.write_bytes(tokyo.read_bytes())
    zone_named.cache_clear()
    zoneinfo.reset_tzpath([tmp_path])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        hosts = datetime.fromtimestamp(0, zoneinfo.ZoneInfo("Europe/Berlin"))
        shown = datetime_from_us(0, "Europe/Berlin")
    finally:
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()
        zone_named.cache_clear()

    assert hosts.utcoffset() == timedelta(hours=9)
    assert shown.utcoffset() == timedelta(hours=1)


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(errors.InvalidInput, match="no UTC offset"):
        us_from_datetime(datetime.fromisoformat("2026-01-01T00:00"))


@pytest.mark.parametrize("us", [10**30, -(10**30), 10**18, -(10**18)])
def test_an_instant_beyond_the_calendar_is_refused(us: int) -> None:
    with pytest.raises(errors.InvalidInput, match="years 1 to 9999"):
        datetime_from_us(us)


@pytest.mark.parametrize(
    ("dt", "us"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 0),
        # 2**53 microseconds and one more: a float would lose it.
        (datetime(2255, 6, 5, 23, 47, 34, 740_993, tzinfo=UTC), 2**53 + 1),
    ],
)
def test_datetimes_become_exact_microseconds(dt: datetime, us: int) -> None:
    assert us_from_datetime(dt) == us
    assert datetime_from_us(us) == dt


@given(
    us=st.integers(-62_000_000_000_000_000, 253_000_000_000_000_000), zone=st.sampled_from(ZONES)
)
def test_microseconds_survive_the_way_through_any_zones_clock(us: int, zone: str) -> None:
    assert us_from_datetime(datetime_from_us(us, zone)) == us
    assert us_from_datetime(datetime.fromisoformat(rfc3339(us, zone))) == us


@pytest.mark.parametrize(
    ("us", "zone", "text"),
    [
        (0, "UTC", "1970-01-01T00:00:00Z"),
        (1, "UTC", "1970-01-01T00:00:00.000001Z"),
        (1_796_079_600_000_000, "Europe/Berlin", "2026-12-01T00:00:00+01:00"),
        (1_796_079_600_000_000, "Europe/London", "2026-11-30T23:00:00+00:00"),
        (1_796_079_600_000_000, "Asia/Kathmandu", "2026-12-01T04:45:00+05:45"),
        (1_796_079_600_500_000, "America/New_York", "2026-11-30T18:00:00.500000-05:00"),
        # Monrovia's offset was -00:44:30, which RFC 3339 cannot say.
        (0, "Africa/Monrovia", "1970-01-01T00:00:00Z"),
    ],
)
def test_instants_are_written_as_rfc3339(us: int, zone: str, text: str) -> None:
    assert rfc3339(us, zone) == text


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        # What is shown once.
        ("Europe/Berlin", "2026-07-01T00:00", "2026-07-01T00:00+02:00"),
        # What is left out: the first instant after the gap, wherever in it.
        ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T03:00+02:00"),
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T03:00+02:00"),
        ("Europe/Berlin", "2026-03-29T02:59:59", "2026-03-29T03:00+02:00"),
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T03:00+02:00"),
        ("Pacific/Apia", "2011-12-30T00:00", "2011-12-31T00:00+14:00"),
        ("Pacific/Apia", "2011-12-30T17:00", "2011-12-31T00:00+14:00"),
        # A gap that begins and ends within a minute: 44 minutes 30 seconds.
        ("Africa/Monrovia", "1972-01-07T00:30", "1972-01-07T00:44:30+00:00"),
        # What is shown twice: the first time.
        ("Europe/Berlin", "2026-10-25T02:00", "2026-10-25T02:00+02:00"),
        ("Europe/Berlin", "2026-10-25T02:59:59", "2026-10-25T02:59:59+02:00"),
        ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T03:00+01:00"),
    ],
)
def test_a_wall_time_is_its_first_instant(zone: str, wall: str, instant: str) -> None:
    found = first_instant_us(datetime.fromisoformat(wall), zone_named(zone))

    assert found == us_from_datetime(datetime.fromisoformat(instant))
