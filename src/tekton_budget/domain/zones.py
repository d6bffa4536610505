"""Instants and wall clocks: named time zones, and whole microseconds to and from what clocks show.

Zone data is that of the pinned `tzdata` package and never the host's, so that every process of
one installation agrees on where a window ends.
"""

import difflib
import importlib.resources
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources.abc import Traversable
from zoneinfo import ZoneInfo

from tekton_budget.domain import errors

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_WALL = _EPOCH.replace(tzinfo=None)
_MICROSECOND = timedelta(microseconds=1)
_SUGGESTIONS = 3
_SUGGESTION_LIKENESS = 0.75
_NAME_SHOWN = 60


@cache
def zone_names() -> frozenset[str]:
    """Every name that the pinned zone data knows."""
    return frozenset(_tzdata().joinpath("zones").read_text(encoding="utf-8").split())


@cache
def zone_named(name: str) -> ZoneInfo:
    """The zone of that IANA name; an unknown one is refused with the nearest names.

    Only listed names are ever opened, so no name can lead out of the data's folder.
    """
    if name not in zone_names():
        raise errors.invalid("timezone", _unknown_zone_text(name))
    with _tzdata().joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def us_from_datetime(dt: datetime) -> int:
    """Microseconds since the epoch; a time without an offset is refused, it could mean any."""
    if dt.utcoffset() is None:
        raise errors.invalid(
            "timestamp", "has no UTC offset; send one, for example 2026-12-01T00:00:00Z"
        )
    return (dt - _EPOCH) // _MICROSECOND


def datetime_from_us(us: int, zone: str = "UTC") -> datetime:
    """What the clock of the zone shows at that instant; refused beyond the years 1 to 9999."""
    try:
        return (_EPOCH + timedelta(microseconds=us)).astimezone(zone_named(zone))
    except OverflowError:
        raise errors.invalid("timestamp", "lies outside the years 1 to 9999") from None


def rfc3339(us: int, zone: str = "UTC") -> str:
    """The instant as `2026-12-01T00:00:00+01:00`, with `Z` for the zone UTC."""
    shown = datetime_from_us(us, zone)
    offset = shown.utcoffset()
    # RFC 3339 has no seconds in an offset, which Monrovia had until 1972: say it in UTC.
    if zone == "UTC" or offset is None or offset % timedelta(minutes=1):
        return shown.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    return shown.isoformat()


def first_instant_us(wall: datetime, zone: ZoneInfo) -> int:
    """The first instant at which the zone's clock shows `wall` (naive, whole seconds) or later.

    A wall time shown twice is its first occurrence, one that is left out the instant after the gap.
    """
    wall_us = (wall - _EPOCH_WALL) // _MICROSECOND
    before_us = _offset_us(wall, zone)
    after_us = _offset_us(wall.replace(fold=1), zone)
    if before_us >= after_us:
        return wall_us - before_us
    return _end_of_gap_us(wall_us, wall_us - after_us, wall_us - before_us, zone)


def _end_of_gap_us(wall_us: int, low_us: int, high_us: int, zone: ZoneInfo) -> int:
    """By halving, in whole seconds: the clock is before `wall_us` at `low_us`, not at `high_us`."""
    while high_us - low_us > SECOND_US:
        middle_us = low_us + (high_us - low_us) // SECOND_US // 2 * SECOND_US
        shown = (_EPOCH + timedelta(microseconds=middle_us)).astimezone(zone)
        if middle_us + _offset_us(shown, zone) >= wall_us:
            high_us = middle_us
        else:
            low_us = middle_us
    return high_us


def _offset_us(shown: datetime, zone: ZoneInfo) -> int:
    offset = zone.utcoffset(shown)
    assert offset is not None, "a loaded zone knows the offset of every time"
    return offset // _MICROSECOND


def _unknown_zone_text(name: str) -> str:
    asked = name[:_NAME_SHOWN]
    near = _near_names(asked.casefold().replace(" ", "_"))
    advice = (
        f"did you mean {' or '.join(near)}?"
        if near
        else "send an IANA name such as Europe/Berlin, or UTC"
    )
    return f'"{asked}" is not a known time zone; {advice}'


def _near_names(asked: str) -> list[str]:
    """Up to three zones whose name, or whose last part alone, looks like what was asked."""
    known: dict[str, list[str]] = {}
    for name in sorted(zone_names()):
        for spelling in {name.casefold(), name.rpartition("/")[2].casefold()}:
            known.setdefault(spelling, []).append(name)
    spellings = difflib.get_close_matches(asked, known, _SUGGESTIONS, _SUGGESTION_LIKENESS)
    names = dict.fromkeys(name for spelling in spellings for name in known[spelling])
    return list(names)[:_SUGGESTIONS]


def _tzdata() -> Traversable:
    return importlib.resources.files("tzdata")
