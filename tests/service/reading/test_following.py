"""The log of events: read from a position on without gaps, and nobody sees what is another team's."""

from decimal import Decimal

import pytest
from tests.service.reading.conftest import TEAM_A, TEAM_B, World

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import Conflict, InvalidInput
from tekton_budget.service.asking.asks import Ask
from tekton_budget.service.following import Following, Log
from tekton_budget.service.passes import Keep, Passes


@pytest.fixture
def following(world: World) -> Following:
    return world.running.service.following


def number(world: World, keep: Keep | None = None) -> Passes:
    passes = Passes(world.reader, world.running.writer, finish=id, keep=keep)
    while passes.number_outbox():
        pass
    return passes


def told(log: Log) -> list[tuple[str, str]]:
    return [(event.type, event.subject_id) for event in log.events]


def test_pages_put_together_are_the_whole_log(world: World, following: Following) -> None:
    world.policy(name="all")
    for _ in range(7):
        world.spend("0.10")
    number(world)
    whole = following.after(LOCAL)

    walked, place = [], None
    while True:
        log = following.after(LOCAL, place, limit=3)
        walked += log.events
        place = log.next
        if not log.more:
            break

    assert walked == list(whole.events)
    assert [event.position for event in walked] == list(range(1, len(walked) + 1))
    assert whole.next == whole.last == place
    assert not following.after(LOCAL, place).events


def test_an_event_that_is_not_numbered_yet_comes_later(world: World, following: Following) -> None:
    world.spend("0.10")
    before = following.after(LOCAL)
    number(world)
    after = following.after(LOCAL, before.next)

    assert before.events == ()
    assert before.next == 0
    assert [event.type for event in after.events] == ["allocation.created", "allocation.settled"]


def test_only_the_types_that_are_asked_for(world: World, following: Following) -> None:
    world.spend("0.10")
    number(world)
    log = following.after(LOCAL, types=("allocation.settled",))

    assert [event.type for event in log.events] == ["allocation.settled"]
    assert log.next == log.last
    with pytest.raises(InvalidInput, match="no type of event"):
        following.after(LOCAL, types=("allocation.lost",))


def test_what_was_pruned_is_said(world: World, following: Following) -> None:
    for _ in range(3):
        world.spend("0.10")
    passes = number(world, Keep(outbox_days=1.0))
    world.pass_seconds(2 * 24 * 3600)
    world.spend("0.10")
    number(world)
    while passes.prune():
        pass
    kept = following.after(LOCAL)
    with pytest.raises(Conflict, match="after=6") as refused:
        following.after(LOCAL, 2)

    assert refused.value.code == "events_pruned"
    assert refused.value.extra["next"] == 6
    assert [event.position for event in kept.events] == [7, 8]
    assert following.after(LOCAL, 6).events == kept.events


def test_a_log_that_is_pruned_whole_goes_on_where_it_was(
    world: World, following: Following
) -> None:
    world.spend("0.10")
    passes = number(world, Keep(outbox_days=1.0))
    world.pass_seconds(2 * 24 * 3600)
    while passes.prune():
        pass

    assert following.after(LOCAL) == Log((), 2, 2)
    assert following.after(LOCAL, 2) == Log((), 2, 2)
    with pytest.raises(Conflict, match="after=2"):
        following.after(LOCAL, 1)


def test_a_position_ahead_of_the_log_is_refused(world: World, following: Following) -> None:
    world.spend("0.10")
    number(world)
    with pytest.raises(InvalidInput, match="another database"):
        following.after(LOCAL, 3)


def test_a_team_sees_its_own_events_and_no_others(world: World, following: Following) -> None:
    """Each kind of event, of team a, of team b and of all."""
    world.price()
    world.budget("lab-a", team="a")
    world.budget("lab-b", team="b")
    for team in ("a", "b"):
        world.policy("1usd/day", name=f"team {team}", scope={"team": team}, thresholds=[0.5])
    world.policy("1usd/day", name="each", per=["team"], thresholds=[0.5])
    world.policy("9usd/day", name="all", thresholds=[0.1])
    spent = {}
    for caller in (TEAM_A, TEAM_B):
        spent[caller.name] = world.spend("0.60", caller).allocation_id
        world.record("0.50", caller=caller, record_id="the-same-id")
    number(world)
    log = following.after(TEAM_A)
    by_policy = {e.payload["name"]: e for e in log.events if e.type == "threshold.crossed"}

    assert [kind for kind, subject in told(log) if subject == spent["a"]] == [
        "allocation.created",
        "allocation.settled",
    ]
    assert spent["b"] not in {subject for _, subject in told(log)}
    assert sum(kind == "usage.recorded" for kind, _ in told(log)) == 1
    assert set(by_policy) == {"team a", "each"}
    assert by_policy["each"].payload["group"] == "a"
    assert sum(kind == "policy.created" for kind, _ in told(log)) == 1
    assert sum(kind == "budget.created" for kind, _ in told(log)) == 1
    assert sum(kind == "price.set" for kind, _ in told(log)) == 1
    assert log.next == log.last


def test_credit_is_told_to_whom_it_is_given(world: World, following: Following) -> None:
    each = world.policy("1usd/day", name="each", per=["team"])
    for team in ("a", "b"):
        give = world.running.service.ledger.give_credit
        give(LOCAL, each.policy_id, Amounts(0, 10**9, 0), group=team).result()
    number(world)
    (given,) = following.after(TEAM_A, types=("credit.given",)).events

    assert given.payload["group"] == "a"


def test_a_page_has_a_size(following: Following) -> None:
    for limit in (0, 1001):
        with pytest.raises(InvalidInput, match="limit"):
            following.after(LOCAL, limit=limit)


def test_the_same_id_of_two_keys_is_two_calls(world: World, following: Following) -> None:
    verb = world.running.service.ledger.release
    for caller in (TEAM_A, TEAM_B):
        world.running.service.ledger.allocate(caller, _ask(), allocation_id="step-1").result()
    verb(TEAM_B, "step-1").result()
    number(world)

    assert told(following.after(TEAM_A)) == [("allocation.created", "step-1")]
    assert len(following.after(TEAM_B).events) == 2


def test_an_older_event_that_does_not_know_its_key_is_shown_where_no_call_of_that_id_is_foreign(
    world: World, following: Following
) -> None:
    ledger = world.running.service.ledger
    ledger.allocate(TEAM_A, _ask(), allocation_id="both").result()
    ledger.allocate(TEAM_A, _ask(), allocation_id="own").result()
    ledger.allocate(TEAM_B, _ask(), allocation_id="both").result()
    number(world)
    with world.running.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE outbox SET key_id = NULL")

    assert told(following.after(TEAM_A)) == [("allocation.created", "own")]


def test_very_many_of_others_are_passed_over_in_bounded_steps(
    world: World, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tekton_budget.service.following.LIMIT_MAX", 4)
    monkeypatch.setattr("tekton_budget.service.following.EXAMINED_MAX", 8)
    for _ in range(5):
        world.spend("0.10", TEAM_B)
    own = world.hold("0.10", TEAM_A)
    number(world)
    first = following.after(TEAM_A, limit=2)
    second = following.after(TEAM_A, first.next, limit=2)

    assert (first.events, first.next, first.more) == ((), 8, True)
    assert told(second) == [("allocation.created", own.allocation_id)]
    assert not second.more


def test_a_viewer_without_labels_sees_all(world: World, following: Following) -> None:
    world.spend("0.10", TEAM_A)
    number(world)

    assert len(following.after(Caller("kv", "v", Role.VIEWER)).events) == 2


def _ask() -> Ask:
    return Ask(cost=Decimal("0.10"))
