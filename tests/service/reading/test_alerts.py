"""Alerts: one a crossing, in the transaction of its event, seen by those whose numbers they tell."""

from decimal import Decimal

import pytest
from tests.service.reading.conftest import DAY_US, TEAM_A, TEAM_B, World

from tekton_budget.domain.alert import Severity
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import Forbidden, InvalidInput, NotFound
from tekton_budget.service.alerts import AlertQuery, Alerts, AlertView
from tekton_budget.service.asking.asks import Used
from tekton_budget.service.paging import Slice
from tekton_budget.service.passes import Keep, Passes
from tekton_budget.service.runs.verbs import AskedRun, Cap

HALF = {"thresholds": [0.5, 0.8]}


@pytest.fixture
def alerts(world: World) -> Alerts:
    return world.running.service.alerts


def titles(found: tuple[AlertView, ...]) -> list[str]:
    return [view.title for view in found]


def listed(alerts: Alerts, caller: Caller = LOCAL, **query: object) -> list[str]:
    return titles(alerts.listed(caller, AlertQuery(**query)).items)


def test_each_threshold_is_told_once_in_a_window(world: World, alerts: Alerts) -> None:
    world.policy("1usd/day", name="daily", **HALF)
    for _ in range(3):
        world.record("0.30")
    world.record("0.30")
    world.record("0.30")

    assert listed(alerts) == [
        "daily is over its cost limit",
        "daily has reached 80% of its cost limit",
        "daily has reached 50% of its cost limit",
    ]

    world.pass_seconds(24 * 3600)
    world.record("0.60")
    assert listed(alerts)[0] == "daily has reached 50% of its cost limit"
    assert len(listed(alerts)) == 4


def test_an_alert_says_what_follows_and_when_it_resets(world: World, alerts: Alerts) -> None:
    world.policy("2usd/day", name="hard", thresholds=[0.5], timezone="Europe/Berlin")
    world.record("1.25")
    world.record("1")
    passed, approached = alerts.listed(LOCAL, AlertQuery()).items

    assert approached.message == (
        "hard has reached 50% of its cost limit: $1.25 of $2.00 used (62.5%). At the limit calls "
        "are denied. It resets 2026-11-03 00:00 Europe/Berlin."
    )
    assert passed.message == (
        "hard is over its cost limit: $2.25 of $2.00 used (112.5%). Calls that need more are "
        "denied. It resets 2026-11-03 00:00 Europe/Berlin."
    )
    assert (approached.alert.severity, passed.alert.severity) == (Severity.WARNING, Severity.ERROR)
    assert approached.timezone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("limit", "used", "type_"),
    [
        ("100tokens/day", {"input_tokens": 60, "output_tokens": 0}, "token_limit_approaching"),
        ("100tokens/day", {"input_tokens": 160, "output_tokens": 0}, "token_limit_exceeded"),
        ("2requests/day", {}, "request_limit_approaching"),
        (
            "1usd + 100tokens/day",
            {"input_tokens": 90, "output_tokens": 0},
            "token_limit_approaching",
        ),
        (
            "1usd + 100tokens/day",
            {"input_tokens": 50, "output_tokens": 0},
            "cost_limit_approaching",
        ),
    ],
)
def test_the_unit_that_stands_highest_says_which_limit_it_is(
    world: World, alerts: Alerts, limit: str, used: dict[str, object], type_: str
) -> None:
    world.policy(limit, thresholds=[0.5])
    world.record("0.50", used=used)

    assert alerts.listed(LOCAL, AlertQuery()).items[0].alert.type == type_


@pytest.mark.parametrize(
    ("fields", "words", "severity"),
    [
        ({"type": "warn"}, "the policy only warns", "error"),
        ({"type": "soft_limit"}, "advised to use a cheaper model", "error"),
        ({"shadow": True}, "in shadow: nothing is held back", "info"),
    ],
)
def test_what_passing_does_depends_on_the_policy(
    world: World, alerts: Alerts, fields: dict[str, object], words: str, severity: str
) -> None:
    world.policy("1usd/day", **fields, thresholds=[0.5])
    world.record("0.60")
    world.record("0.60")
    passed, approached = alerts.listed(LOCAL, AlertQuery()).items

    assert words in passed.message
    assert words in approached.message
    assert passed.alert.severity == severity


def test_a_service_in_shadow_says_so(open_world) -> None:  # type: ignore[no-untyped-def]
    world = open_world(mode="shadow")
    world.policy("1usd/day", thresholds=[0.5])
    world.record("0.60")
    (one,) = world.running.service.alerts.listed(LOCAL, AlertQuery()).items

    assert "in shadow" in one.message


def test_a_policy_that_only_counts_alerts_nobody(world: World, alerts: Alerts) -> None:
    world.policy("1usd/day", type="ignore", thresholds=[0.5])
    world.record("2")

    assert listed(alerts) == []
    assert alerts.check(LOCAL) == ()


def test_lists_are_filtered_and_walked(world: World, alerts: Alerts) -> None:
    lab = world.budget("lab")
    world.policy("1usd/day", name="all", thresholds=[0.5])
    world.policy("10usd/day", name="lab", thresholds=[0.05, 0.1, 0.15], budget=lab)
    world.record("1.60", budget="lab")

    assert listed(alerts, budget="lab") == [
        "lab has reached 15% of its cost limit",
        "lab has reached 10% of its cost limit",
        "lab has reached 5% of its cost limit",
    ]
    assert listed(alerts, severity="error") == ["all is over its cost limit"]
    assert len(listed(alerts, type="cost_limit_approaching")) == 4
    whole = alerts.listed(LOCAL, AlertQuery())
    walked, after = [], None
    while True:
        page = alerts.listed(LOCAL, AlertQuery(), Slice(limit=2, after=after))
        walked += page.items
        after = page.next
        if after is None:
            break
    assert walked == list(whole.items)
    assert alerts.listed(LOCAL, AlertQuery(), Slice(page=2, limit=2)).items == whole.items[2:4]
    assert alerts.listed(LOCAL, AlertQuery(), Slice(page=2, limit=2)).total == 5
    with pytest.raises(InvalidInput, match="severity"):
        listed(alerts, severity="loud")
    with pytest.raises(InvalidInput, match="type"):
        listed(alerts, type="limit")
    with pytest.raises(NotFound):
        listed(alerts, budget="nobody's")


def test_an_acknowledgement_is_audited_and_done_once(world: World, alerts: Alerts) -> None:
    world.policy("1usd/day", thresholds=[0.5])
    world.record("0.60")
    id_ = alerts.listed(LOCAL, AlertQuery(acknowledged=False)).items[0].alert.alert_id
    ada = Caller("k1", "ada", Role.OPERATOR)
    first = alerts.acknowledge(ada, id_)
    world.pass_seconds(60)
    again = alerts.acknowledge(LOCAL, id_, verb="dismiss")

    assert first == again
    assert first.alert.acknowledged_by == "ada"
    assert listed(alerts, acknowledged=False) == []
    assert len(listed(alerts, acknowledged=True)) == 1
    changes = world.running.service.lists.changes(LOCAL, object_kind="alert").items
    assert [(one.actor, one.verb, one.object_id) for one in changes] == [
        ("ada", "acknowledge", id_)
    ]
    with pytest.raises(Forbidden):
        alerts.acknowledge(Caller("kv", "v", Role.VIEWER), id_)
    with pytest.raises(NotFound):
        alerts.acknowledge(LOCAL, "nobody")


def test_all_open_ones_at_once(world: World, alerts: Alerts) -> None:
    for name in ("one", "two"):
        world.policy("1usd/day", name=name, thresholds=[0.5])
    world.record("1.50")

    assert alerts.acknowledge_all(LOCAL, AlertQuery(severity="error")) == 2
    assert alerts.acknowledge_all(LOCAL, AlertQuery()) == 2
    assert alerts.acknowledge_all(LOCAL, AlertQuery()) == 0


def test_a_team_sees_and_acknowledges_its_own(world: World, alerts: Alerts) -> None:
    for team in ("a", "b"):
        world.policy("1usd/day", name=f"team {team}", scope={"team": team}, thresholds=[0.5])
    world.policy("1usd/day", name="each", per=["team"], thresholds=[0.5])
    world.policy("1usd/day", name="all", thresholds=[0.5])
    for caller in (TEAM_A, TEAM_B):
        world.record("0.60", caller=caller)
    theirs = next(
        v.alert.alert_id
        for v in alerts.listed(LOCAL, AlertQuery()).items
        if v.title[:6] == "team b"
    )

    assert sorted(listed(alerts, TEAM_A)) == [
        "each (a) has reached 50% of its cost limit",
        "team a has reached 50% of its cost limit",
    ]
    with pytest.raises(NotFound):
        alerts.one(TEAM_A, theirs)
    with pytest.raises(NotFound):
        alerts.acknowledge(TEAM_A, theirs)
    assert sorted(titles(alerts.check(TEAM_A))) == sorted(listed(alerts, TEAM_A))
    assert alerts.acknowledge_all(TEAM_A, AlertQuery()) == 2
    assert len(listed(alerts, acknowledged=False)) == 4


def test_a_team_walks_past_very_many_of_others(
    world: World, alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tekton_budget.service.alerts.LIMIT_MAX", 2)
    monkeypatch.setattr("tekton_budget.service.alerts.EXAMINED_MAX", 4)
    assert alerts.listed(TEAM_A, AlertQuery()).total == 0
    world.policy("1usd/day", name="each", per=["team"], thresholds=[0.5])
    world.record("0.60", team="a")
    for number in range(6):
        world.record("0.60", team=f"t{number}")
    first = alerts.listed(TEAM_A, AlertQuery(), Slice(limit=1))
    second = alerts.listed(TEAM_A, AlertQuery(), Slice(limit=1, after=first.next))

    assert (first.items, first.total) == ((), None)
    assert titles(second.items) == ["each (a) has reached 50% of its cost limit"]
    assert second.next is None
    world.record("0.60", team="a")  # past its limit: the newest of all
    assert len(alerts.listed(TEAM_A, AlertQuery(), Slice(limit=1)).items) == 1
    assert alerts.acknowledge_all(TEAM_A, AlertQuery()) == 2


def test_a_check_finds_what_no_call_has_moved_since_and_makes_none_twice(
    world: World, alerts: Alerts
) -> None:
    world.policy("1usd/day", name="daily", thresholds=[0.9])
    world.policy("1usd/month", name="monthly", per=["user"], thresholds=[0.9])
    world.record("0.60", user="ada")
    policies = world.running.service.policies
    assert alerts.check(LOCAL) == ()
    for name in ("daily", "monthly"):
        policies.change_policy(LOCAL, name, {"thresholds": [0.5]})

    first = alerts.check(LOCAL)
    assert sorted(titles(first)) == [
        "daily has reached 50% of its cost limit",
        "monthly (ada) has reached 50% of its cost limit",
    ]
    assert alerts.check(LOCAL) == first
    assert titles(alerts.check(LOCAL, period="monthly")) == [
        "monthly (ada) has reached 50% of its cost limit"
    ]
    assert alerts.check(LOCAL, budget="default") == first
    assert len(listed(alerts)) == 2
    world.record("0.05", user="ada")
    assert len(listed(alerts)) == 2, "the ledger knows what was told"
    kinds = [row["type"] for row in world.all("outbox")]
    assert kinds.count("threshold.crossed") == 2
    assert world.running.service.verifier.verify().is_good
    with pytest.raises(InvalidInput, match="period"):
        alerts.check(LOCAL, period="now and then")
    with pytest.raises(Forbidden):
        alerts.check(Caller("kv", "v", Role.VIEWER))


def test_a_check_answers_for_balances_that_are_older_than_alerts(
    world: World, alerts: Alerts
) -> None:
    world.policy("1usd/day", name="daily", thresholds=[0.5])
    world.record("0.60")
    world.change("DELETE FROM alerts")

    assert titles(alerts.check(LOCAL)) == ["daily has reached 50% of its cost limit"]
    assert len(alerts.check(LOCAL)) == len(listed(alerts)) == 1
    assert [row["type"] for row in world.all("outbox")].count("threshold.crossed") == 1


def test_what_no_longer_stands_above_is_not_answered(world: World, alerts: Alerts) -> None:
    policy = world.policy("1usd/day", name="daily", thresholds=[0.5])
    world.record("0.60")
    world.record("0.60")
    assert titles(alerts.check(LOCAL)) == ["daily is over its cost limit"]
    world.running.service.policies.change_policy(LOCAL, policy.policy_id, {"cost_limit": 2})
    assert titles(alerts.check(LOCAL)) == ["daily has reached 50% of its cost limit"]
    world.pass_seconds(24 * 3600)
    assert alerts.check(LOCAL) == ()


def test_a_rolling_limit_tells_again_once_it_has_slid_away(world: World, alerts: Alerts) -> None:
    world.policy("1usd per 60m", name="rolling", thresholds=[0.5])
    world.record("0.60")
    assert len(alerts.check(LOCAL)) == 1
    world.pass_seconds(2 * 3600)
    assert alerts.check(LOCAL) == ()
    world.record("0.60")

    assert len(alerts.check(LOCAL)) == 1
    assert len(listed(alerts)) == 2
    assert len({view.alert.at_us for view in alerts.listed(LOCAL, AlertQuery()).items}) == 2


def test_a_call_that_is_denied_alerts_nobody_by_itself(world: World, alerts: Alerts) -> None:
    world.policy("1usd/day", thresholds=[0.5])
    world.hold("5")

    assert listed(alerts) == []


def test_alerts_and_events_are_one_transaction(world: World, alerts: Alerts) -> None:
    world.policy("1usd/day", thresholds=[0.25, 0.5, 0.75])
    for _ in range(9):
        world.record("0.13")
    told = [
        row for row in world.all("outbox") if row["type"] in ("threshold.crossed", "limit.passed")
    ]
    assert [row["at_us"] for row in told] == [row["at_us"] for row in world.all("alerts")]
    assert [row["payload"] for row in told] == [row["facts"] for row in world.all("alerts")]


def test_a_run_s_cap_is_for_the_run_to_see_to(world: World, alerts: Alerts) -> None:
    runs = world.running.service.runs
    opened = runs.open_run(LOCAL, AskedRun(name="nightly", cap=Cap(cost_nano=10**9)))
    world.running.service.ledger.record(
        LOCAL, Used(cost=Decimal(2)), labels={"run": opened.run.name}
    ).result()

    assert {view.alert.severity for view in alerts.listed(LOCAL, AlertQuery()).items} == {
        Severity.INFO
    }


def test_an_event_leads_to_its_alert(world: World, alerts: Alerts) -> None:
    world.policy("1usd/day", name="team a", scope={"team": "a"}, thresholds=[0.5])
    world.record("0.60", caller=TEAM_A)
    passes = Passes(world.reader, world.running.writer, finish=id)
    passes.number_outbox()
    log = world.running.service.following.after(LOCAL, types=("threshold.crossed",))
    (event,) = log.events
    found = alerts.of_event(TEAM_A, event)

    assert found == alerts.listed(LOCAL, AlertQuery()).items[0]
    assert alerts.of_event(TEAM_B, event) is None
    assert alerts.of_event(LOCAL, event._replace(payload={**event.payload, "unit": "x"})) is None
    world.change("DELETE FROM alerts")
    assert alerts.of_event(LOCAL, event) is None


def test_they_are_kept_for_so_many_days(world: World, alerts: Alerts) -> None:
    world.policy("1usd/day", thresholds=[0.5])
    world.record("0.60")
    world.pass_seconds(89 * DAY_US // 1_000_000)
    keep = Keep(alerts_days=90.0)
    passes = Passes(world.reader, world.running.writer, finish=id, keep=keep)
    passes.prune()
    assert len(listed(alerts)) == 1
    world.pass_seconds(2 * DAY_US // 1_000_000)
    passes.prune()
    assert listed(alerts) == []
