"""Analytics: every side of the same usage adds up to its total."""

from dataclasses import replace

import pytest

from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.errors import InvalidInput
from tekton_budget.service.reporting.analytics import BUCKETS_MAX, UsageAnalytics
from tekton_budget.service.reporting.records import UsageQuery
from tekton_budget.service.reporting.reports import SummaryQuery
from tekton_budget.storage.rows.sums import NO_SUMS, Sums

from .conftest import DAY_US, HOUR_US, NOON_US, TEAM_A, World


def usage(world: World, **query: object) -> UsageAnalytics:
    return world.running.service.analytics.usage(LOCAL, SummaryQuery(**query))  # type: ignore[arg-type]


def together(sums: list[Sums]) -> Sums:
    total = NO_SUMS
    for one in sums:
        total = total.plus(one)
    return total


def fill(world: World) -> None:
    """A record every seven hours for ten days, of two teams, three models and two components."""
    for number in range(35):
        world.record(
            f"0.{number + 1:03d}",
            NOON_US - number * 7 * HOUR_US,
            team="ab"[number % 2],
            component=("ergon", "athena")[number % 2],
            task_type="chat",
            provider="openai",
            model=f"m{number % 3}",
        )


@pytest.mark.parametrize(
    "query",
    [
        {"period": "daily"},
        {"period": "weekly"},
        {"days": 3},
        {"days": 2, "timezone": "Europe/Berlin"},
        {"period": "monthly", "timezone": "Asia/Kathmandu"},
        {},
        {"usage": UsageQuery(NOON_US - 50 * HOUR_US - 7, NOON_US + 11)},
        {"days": 9, "usage": UsageQuery(labels={"team": "a", "task_type": "chat"})},
    ],
)
def test_every_side_adds_up_to_the_total(world: World, query: dict[str, object]) -> None:
    fill(world)

    found = usage(world, **query)

    total = found.summary.total
    assert total.records > 0
    assert together([one.sums for one in found.series]) == total
    assert together([one.sums for one in found.rows]) == total
    for group in found.summary.groups.values():
        assert together(list(group.values())) == total


def test_short_intervals_are_told_by_the_hour_and_long_ones_by_the_day(quick: World) -> None:
    fill(quick)

    day, days = usage(quick, period="daily"), usage(quick, days=3)

    assert (day.granularity, len(day.series), day.days) == ("hour", 24, 1)
    assert [one.sums.records for one in day.series].index(1) == 5  # seven hours before noon
    assert (days.granularity, len(days.series), days.days) == ("day", 3, 3)
    assert {row.date for row in days.rows} == {"2026-10-31", "2026-11-01", "2026-11-02"}
    assert {row.component for row in days.rows} == {"ergon", "athena"}


def test_days_that_have_not_begun_are_no_part_of_an_average(quick: World) -> None:
    assert usage(quick, period="monthly").days == 2
    assert usage(quick, period="weekly").days == 1
    assert usage(quick, period="total").days is None


def test_without_an_interval_it_is_of_the_last_thirty_days(quick: World) -> None:
    found = usage(quick)

    assert found.summary.interval.from_us == NOON_US - NOON_US % DAY_US - 29 * DAY_US
    assert len(found.series) == 30


def test_what_is_too_long_to_be_cut_is_still_summed(quick: World) -> None:
    fill(quick)
    forever = usage(quick, period="total")
    labels = {"team": "a", "task_type": "chat"}  # two labels, which no rollup knows
    long = usage(quick, days=BUCKETS_MAX + 1, usage=UsageQuery(labels=labels))

    assert (forever.series, forever.rows) == ((), ())
    assert forever.summary.total.records == 35
    assert (long.series, long.rows) == ((), ())
    assert long.summary.total.records == 18


def test_a_key_sees_its_own_usage_from_every_side(quick: World) -> None:
    fill(quick)

    found = quick.running.service.analytics.usage(TEAM_A, SummaryQuery(days=30))
    others = replace(SummaryQuery(days=30), usage=UsageQuery(labels={"team": "b"}))
    nothing = quick.running.service.analytics.usage(TEAM_A, others)

    assert found.summary.total.records == 18
    assert {row.component for row in found.rows} == {"ergon"}
    assert nothing.summary.total == NO_SUMS
    assert (set(nothing.rows), together([one.sums for one in nothing.series])) == (set(), NO_SUMS)


def test_an_unknown_period_or_zone_is_refused(quick: World) -> None:
    for query in ({"period": "sometimes"}, {"days": 0}, {"timezone": "Mars/Olympus"}):
        with pytest.raises(InvalidInput):
            usage(quick, **query)
