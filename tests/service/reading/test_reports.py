"""Sums of usage against brute force: any interval, zone, filter and grouping, on both stores."""

import json
import random
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import BudgetError, NotFound
from tekton_budget.service.reporting.records import UsageQuery
from tekton_budget.service.reporting.reports import NONE, Reports, SummaryQuery
from tekton_budget.settings import load_settings
from tekton_budget.storage.rows import sums as storage_sums
from tekton_budget.storage.rows import usages
from tekton_budget.storage.rows.sums import NO_SUMS, Sums
from tekton_budget.storage.rows.usages import UsageFilter
from tekton_budget.wiring import open_service

from .conftest import DAY_US, HOUR_US, NOON_US, TEAM_A, TEAM_B, Clock, World

ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York")
LABELS = {
    "team": ("a", "b", None),
    "user": ("alice", "bob", None),
    "component": ("hermes", None),
    "task_type": ("chat", "code", None),
    "session": ("s1", "s2", None),
    "mood": ("good", None),  # not well known
}
MODELS = (("openai", "gpt-5"), ("openai", "gpt-5-mini"), ("anthropic", "opus"), (None, None))

Row = dict[str, object]


def fill(world: World, count: int = 90) -> list[Row]:
    """Usage of three weeks around a change to winter time, some unpriced, one reversed."""
    dice = random.Random(11)
    tickets = []
    for number in range(count):
        labels = {name: value for name, values in LABELS.items() if (value := dice.choice(values))}
        provider, model = dice.choice(MODELS)
        if provider is not None and model is not None:
            labels |= {"provider": provider, "model": model}
        at_us = NOON_US - dice.randrange(21 * DAY_US)
        if number % 5 == 0:
            at_us -= at_us % HOUR_US  # on the edge of a bucket
        usd = None if number % 7 == 0 else f"0.{dice.randrange(1, 10**6):06d}"
        used = {"cache_read_tokens": dice.randrange(5), "reasoning_tokens": number % 3}
        tickets.append(world.recording(usd, at_us, used=used, **labels))
    for ticket in tickets:
        ticket.result()
    return world.all("usage")


def labels_of(row: Row) -> dict[str, str]:
    known = json.loads(str(row["labels"]))
    return {**known, "provider": row["provider"] or "", "model": row["model"] or ""}


def brute(rows: list[Row], by: tuple[str, ...] = ()) -> dict[tuple[str | None, ...], Sums]:
    sums: dict[tuple[str | None, ...], Sums] = {}
    for row in rows:
        labels = labels_of(row)
        key = tuple(labels.get(name) or None for name in by)
        sign = 1 if row["reverses"] is None else -1
        one = Sums(
            sign,
            *(row[name] for name in Sums._fields[1:8]),
            row["cost_nano"] or 0,
            sign if row["cost_nano"] is None else 0,
        )
        sums[key] = sums.get(key, NO_SUMS).plus(one)
    return sums


def picked(rows: list[Row], from_us: int | None, to_us: int | None, **asked: str) -> list[Row]:
    return [
        row
        for row in rows
        if (from_us is None or row["at_us"] >= from_us)
        and (to_us is None or row["at_us"] < to_us)
        and all(labels_of(row).get(name) == value for name, value in asked.items())
    ]


@pytest.fixture(
    params=[
        ("sqlite_url", "UTC"),
        ("sqlite_url", "Europe/Berlin"),
        ("sqlite_url", "Asia/Kathmandu"),
        ("postgres_url", "Europe/Berlin"),
    ],
    ids=lambda pair: f"{pair[0].removesuffix('_url')}-{pair[1]}",
)
def filled(request: pytest.FixtureRequest) -> Iterator["Filled"]:
    url, zone = request.getfixturevalue(request.param[0]), request.param[1]
    clock = Clock()
    with open_service(load_settings(database_url=url, timezone=zone), clock=clock) as running:
        world = World(running, clock)
        yield Filled(world, fill(world))


class Filled(NamedTuple):
    """A store with usage in it."""

    world: World
    rows: list[Row]

    def __repr__(self) -> str:
        return f"{len(self.rows)} records"


moments = st.integers(min_value=NOON_US - 22 * DAY_US, max_value=NOON_US + DAY_US)
hours = moments.map(lambda at_us: at_us - at_us % HOUR_US)
names = st.sampled_from((*LABELS, "provider", "model"))


@given(
    first=st.none() | moments | hours,
    second=st.none() | moments | hours,
    by=st.lists(names, max_size=3, unique=True),
    asked=st.dictionaries(names, st.integers(0, 1), max_size=2),
    caller=st.sampled_from((LOCAL, LOCAL, TEAM_A)),
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_report_is_what_brute_force_sums(
    filled: Filled,
    first: int | None,
    second: int | None,
    by: list[str],
    asked: dict[str, int],
    caller: Caller,
) -> None:
    world, rows = filled
    if first is not None and second is not None:
        first, second = min(first, second), max(first, second)
    wanted = {
        name: MODELS[place][name == "model"] if name in ("provider", "model") else LABELS[name][0]
        for name, place in asked.items()
    }
    query = UsageQuery(
        first,
        second,
        provider=wanted.get("provider"),
        model=wanted.get("model"),
        labels={k: v for k, v in wanted.items() if k not in ("provider", "model")},
    )
    expected = brute(picked(rows, first, second, **{**wanted, **caller.labels}), tuple(by))

    report = Reports(world.reader).report(caller, by=by, query=SummaryQuery(query))

    assert {row.values: row.sums for row in report.rows} == expected
    total = NO_SUMS
    for row in report.rows:
        total = total.plus(row.sums)
    assert report.total == total


@given(
    zone=st.sampled_from(ZONES),
    month=st.sampled_from(("2026-10", "2026-11")),
    by=st.sampled_from((("team", "model"), ("user",), ("provider",), ("team", "user"))),
)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_month_is_cut_in_the_zone_asked_for(
    filled: Filled, zone: str, month: str, by: tuple[str, ...]
) -> None:
    world, rows = filled

    def month_of(row: Row) -> str:
        seconds = int(row["at_us"]) // 1_000_000
        return datetime.fromtimestamp(seconds, ZoneInfo(zone)).strftime("%Y-%m")

    expected = brute([row for row in rows if month_of(row) == month], by)

    report = Reports(world.reader).report(
        LOCAL, by=by, month=month, query=SummaryQuery(timezone=zone)
    )

    assert {row.values: row.sums for row in report.rows} == expected
    assert report.exact_from == ("records" if by == ("team", "user") else "rollups")


@pytest.mark.parametrize("zone", [None, *ZONES])
def test_days_are_those_of_the_zone(filled: Filled, zone: str | None) -> None:
    world, rows = filled
    shown = zone or world.reader.timezone

    def day_of(row: Row) -> str:
        seconds = int(row["at_us"]) // 1_000_000
        return datetime.fromtimestamp(seconds, ZoneInfo(shown)).date().isoformat()

    summary = Reports(world.reader).summary(LOCAL, SummaryQuery(days=10, timezone=zone))

    expected = {day.date: NO_SUMS for day in summary.days}
    for row in rows:
        if day_of(row) in expected:
            expected[day_of(row)] = expected[day_of(row)].plus(brute([row])[()])
    assert len(summary.days) == 10
    assert {day.date: day.sums for day in summary.days} == expected
    assert summary.total == brute_total(expected)


def brute_total(sums: dict[str, Sums]) -> Sums:
    total = NO_SUMS
    for one in sums.values():
        total = total.plus(one)
    return total


def test_groups_and_models_add_up_to_the_total(world: World) -> None:
    rows = fill(world)

    summary = Reports(world.reader).summary(LOCAL, SummaryQuery(period="yearly"))

    assert summary.total == brute(rows)[()]
    assert set(summary.groups) == {"provider", "model", "component", "task_type"}
    for name, group in summary.groups.items():
        expected = {key[0] or NONE: sums for key, sums in brute(rows, (name,)).items()}
        assert dict(group) == expected
    models = {(m.provider, m.model): m.sums for m in summary.models}
    assert models == {
        (provider or NONE, model or NONE): sums
        for (provider, model), sums in brute(rows, ("provider", "model")).items()
    }
    costs = [m.sums.cost_nano for m in summary.models]
    assert costs == sorted(costs, reverse=True)
    assert summary.exact_from == "rollups"


def test_two_labels_are_read_from_the_records(world: World) -> None:
    rows = fill(world, 40)
    query = SummaryQuery(UsageQuery(component="hermes", labels={"team": "a"}), period="total")

    summary = Reports(world.reader).summary(LOCAL, query)

    assert summary.exact_from == "records"
    assert summary.total == brute(picked(rows, None, None, component="hermes", team="a"))[()]
    assert summary.days == ()


def test_another_team_adds_nothing(world: World) -> None:
    rows = fill(world, 40)
    reports = Reports(world.reader)
    own = reports.summary(TEAM_B, SummaryQuery(period="total", group_by=("team",)))
    foreign = reports.summary(
        TEAM_B, SummaryQuery(UsageQuery(labels={"team": "a"}), period="total")
    )

    assert own.total == brute(picked(rows, None, None, team="b"))[()]
    assert set(own.groups["team"]) == {"b"}
    assert foreign.total == NO_SUMS
    assert foreign.groups["model"] == {}
    nothing = reports.report(
        TEAM_B, by=["team"], query=SummaryQuery(UsageQuery(labels={"team": "a"}))
    )
    assert (nothing.rows, nothing.total) == ((), NO_SUMS)


def test_an_end_that_reverses_an_estimate_leaves_what_was_measured(world: World) -> None:
    world.price()
    world.policy("10usd/day")
    from decimal import Decimal

    from tekton_budget.service.asking.asks import Ask
    from tekton_budget.service.passes import Passes

    verbs = world.running.service
    ask = Ask(
        labels={"team": "a", "provider": "openai", "model": "gpt-5"},
        tokens=1000,
        cost=Decimal(2),
        on_expiry="charge",
    )
    grant = verbs.ledger.allocate(LOCAL, ask).result()
    world.pass_seconds(1000)
    passes = Passes(world.reader, world.running.writer, finish=verbs.policies.finish)
    assert passes.expire_due() == 1
    charged = Reports(world.reader).report(LOCAL, by=["team"])
    world.settle(grant, "0.5", input_tokens=7)

    report = Reports(world.reader).report(LOCAL, by=["team", "model"])

    assert charged.total.cost_nano == 2_000_000_000
    assert [(row.values, row.sums.cost_nano) for row in report.rows] == [
        (("a", "gpt-5"), 500_000_000)
    ]
    assert report.total == Sums(1, 1, input_tokens=7, cost_nano=500_000_000)


@pytest.mark.parametrize(
    ("scope", "named", "source"),
    [
        ({}, False, "rollups"),
        ({"team": "a"}, False, "rollups"),
        ({"team": "a"}, True, "records"),
        ({"mood": "good"}, False, "records"),
        ({"team": ["a", "b"]}, False, "records"),
        ({"team": "a", "user": "alice"}, False, "records"),
        ({"user": "!alice"}, True, "records"),
    ],
)
def test_a_budget_has_the_usage_of_its_scope_and_of_its_name(
    world: World, scope: dict[str, object], named: bool, source: str
) -> None:
    fill(world, 40)
    budget_id = world.budget("ours", **scope)
    if named:
        world.record("1", team="c", user="alice", budget=budget_id)
        world.record("1", team="c", user="alice", budget="ours")
    rows = world.all("usage")
    budget = world.reader.policies().budgets[budget_id]
    expected = [
        row
        for row in rows
        if budget.scope.matches(json.loads(str(row["labels"])))
        or labels_of(row).get("budget") in (budget_id, "ours")
    ]

    report = Reports(world.reader).report(
        LOCAL, by=["model"], query=SummaryQuery(period="total", budget="ours")
    )

    assert {row.values: row.sums for row in report.rows} == brute(expected, ("model",))
    assert report.exact_from == source


def test_a_filter_beside_the_budgets_own_label(world: World) -> None:
    rows = fill(world, 40)
    world.budget("ours", team="a")
    reports = Reports(world.reader)
    for asked, expected in (
        ({"team": "a"}, brute(picked(rows, None, None, team="a")).get((), NO_SUMS)),
        ({"team": "b"}, NO_SUMS),
        ({"user": "bob"}, brute(picked(rows, None, None, team="a", user="bob"))[()]),
    ):
        query = SummaryQuery(UsageQuery(labels=asked), period="total", budget="ours")
        assert reports.report(LOCAL, by=[], query=query).total == expected
    other = Caller("k", "k", Role.VIEWER, {"user": "alice"})
    with pytest.raises(NotFound):
        reports.summary(other, SummaryQuery(period="total", budget="ours"))
    foreign = Caller("k", "k", Role.VIEWER, {"team": "a"})
    asked_foreign = UsageQuery(labels={"team": "b"})
    found = reports.summary(foreign, SummaryQuery(asked_foreign, period="total", budget="ours"))
    assert found.total == NO_SUMS


def test_the_days_tell_the_tightest_daily_limit_that_may_be_known(world: World) -> None:
    world.policy("9usd/day", name="all")
    world.policy("4usd/day", name="team a", scope={"team": "a"})
    world.policy("1usd/day", name="each", per=["user"])
    world.policy("2usd/day", name="opus", scope={"provider": "anthropic", "model": "opus"})
    world.policy("100usd/month", name="monthly")
    reports = Reports(world.reader)

    def limit(caller: Caller, **usage: object) -> object:
        query = SummaryQuery(UsageQuery(**usage), period="daily")
        return reports.summary(caller, query).days[0].limit_nano

    assert limit(LOCAL) == 9_000_000_000
    assert limit(LOCAL, labels={"team": "a"}) == 4_000_000_000
    assert limit(TEAM_A) == 4_000_000_000
    assert limit(TEAM_B) is None
    assert limit(LOCAL, provider="anthropic", model="opus") == 2_000_000_000


def test_records_are_summed_slice_by_slice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = fill(world, 40)
    monkeypatch.setattr(usages, "EXAMINED_MAX", 7)
    reports = Reports(world.reader)

    two = reports.report(LOCAL, by=["team", "user"])
    scoped = world.budget("ours", team=["a", "b"])
    matching = reports.report(LOCAL, by=["team"], query=SummaryQuery(budget=scoped))

    assert {row.values: row.sums for row in two.rows} == brute(rows, ("team", "user"))
    some = [row for row in rows if labels_of(row).get("team") in ("a", "b")]
    assert {row.values: row.sums for row in matching.rows} == brute(some, ("team",))


def test_many_buckets_are_read_as_a_range(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = fill(world, 40)
    monkeypatch.setattr(storage_sums, "BUCKETS_NAMED_MAX", 3)
    query = UsageQuery(NOON_US - 22 * DAY_US, NOON_US, labels={"team": "a"})

    report = Reports(world.reader).report(LOCAL, by=["user"][:0], query=SummaryQuery(query))

    expected = picked(rows, NOON_US - 22 * DAY_US, NOON_US, team="a")
    assert report.total == brute(expected)[()]
    assert report.exact_from == "rollups"


@pytest.mark.parametrize(
    ("field", "ask"),
    [
        ("period", {"query": SummaryQuery(period="fortnightly"), "by": []}),
        ("period", {"query": SummaryQuery(period="rolling"), "by": []}),
        ("days", {"query": SummaryQuery(days=0), "by": []}),
        ("days", {"query": SummaryQuery(days=401), "by": []}),
        ("month", {"month": "2026-13", "by": []}),
        ("month", {"month": "november", "by": []}),
        ("month", {"month": "0001-01", "by": []}),
        ("from", {"query": SummaryQuery(UsageQuery(5, 4)), "by": []}),
        ("from", {"query": SummaryQuery(UsageQuery(-1, None)), "by": []}),
        ("to", {"query": SummaryQuery(UsageQuery(0, 10**19)), "by": []}),
        ("timezone", {"query": SummaryQuery(UsageQuery(0, 1), timezone="Berlin"), "by": []}),
        ("timezone", {"query": SummaryQuery(period="daily", timezone="Berlin"), "by": []}),
        ("by", {"by": [f"label{n}" for n in range(9)]}),
        ("labels.a b", {"by": ["a b"]}),
        ("labels.a b", {"query": SummaryQuery(UsageQuery(labels={"a b": "c"})), "by": []}),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(
    quick: World, field: str, ask: dict[str, object]
) -> None:
    with pytest.raises(BudgetError) as refusal:
        Reports(quick.reader).report(LOCAL, **ask)

    assert field in [fault.field for fault in refusal.value.fields]


def test_a_long_or_open_interval_has_no_days(quick: World) -> None:
    reports = Reports(quick.reader)

    assert reports.summary(LOCAL, SummaryQuery(period="total")).days == ()
    long = UsageQuery(0, NOON_US)
    assert reports.summary(LOCAL, SummaryQuery(long)).days == ()
    assert reports.summary(LOCAL, SummaryQuery(UsageQuery(None, NOON_US))).days == ()
    assert len(reports.summary(LOCAL, SummaryQuery(period="hourly")).days) == 1


@pytest.mark.parametrize(
    ("wanted", "by", "known"),
    [
        (UsageFilter(), (), True),
        (UsageFilter(provider="openai", model="gpt-5"), ("model", "provider"), True),
        (UsageFilter(labels={"team": "a"}), ("team", "model"), True),
        (UsageFilter(labels={"team": "a"}), ("user",), False),
        (UsageFilter(labels={"mood": "good"}), (), False),
        (UsageFilter(labels={"model": "gpt-5"}), (), False),  # as asked for, not as answered
        (UsageFilter(allocation_id="x"), (), False),
        (UsageFilter(key_id="x"), (), False),
    ],
)
def test_what_rollups_know(wanted: UsageFilter, by: tuple[str, ...], known: bool) -> None:
    assert storage_sums.rolled(wanted, by) == known
