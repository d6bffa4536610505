"""The background passes: expiry, numbering, pruning, finishing; each on both stores."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text

from tekton_budget.domain.answer import Grant
from tekton_budget.domain.command import Expire
from tekton_budget.domain.policy import Policy, Status
from tekton_budget.service.passes import Keep, Passes
from tekton_budget.storage import housekeeping

from .conftest import World


@pytest.fixture
def passes(world: World) -> Passes:
    verbs = world.running.service.policies
    return Passes(world.reader, world.running.writer, finish=verbs.finish)


def positions(world: World) -> list[tuple[int, int | None]]:
    return sorted((row["no"], row["position"]) for row in world.all("outbox"))


def test_what_is_past_its_time_is_ended_and_nothing_else(world: World, passes: Passes) -> None:
    policy = world.policy("10usd/day")
    grants = [world.hold("1") for _ in range(3)]
    world.pass_seconds(14 * 60)
    later = world.hold("1")

    assert passes.expire_due() == 0
    world.pass_seconds(60)
    assert passes.expire_due() == 3
    assert passes.expire_due() == 0

    states = {row["id"]: row["status"] for row in world.all("allocations")}
    assert [states[grant.allocation_id] for grant in grants] == ["expired"] * 3
    assert isinstance(later, Grant)
    assert states[later.allocation_id] == "active"
    held = [row["held_cost_nano"] for row in world.all("balances")]
    assert held == [1_000_000_000]
    assert policy.status is Status.ACTIVE


def test_events_get_positions_without_gaps_in_their_order(world: World, passes: Passes) -> None:
    world.policy()
    for _ in range(3):
        world.spend()
    first = len(positions(world))

    assert passes.number_outbox() == first
    assert passes.number_outbox() == 0
    world.spend()
    assert passes.number_outbox() == 2
    assert [position for _, position in positions(world)] == list(range(1, first + 3))


def test_positions_go_on_after_all_events_are_pruned(world: World, passes: Passes) -> None:
    world.policy()
    world.spend()
    before = passes.number_outbox()
    world.pass_seconds(8 * 86_400)
    assert passes.prune() > 0
    assert positions(world) == []

    world.spend()
    passes.number_outbox()

    assert [position for _, position in positions(world)] == [before + 1, before + 2]


def test_only_old_and_numbered_events_are_pruned(world: World, passes: Passes) -> None:
    world.policy()
    world.spend()
    world.pass_seconds(8 * 86_400)
    assert passes.prune() > 0  # batches; events that nobody was sent stay
    events = len(positions(world))
    assert events > 0
    passes.number_outbox()
    world.spend()
    passes.number_outbox()
    passes.prune()

    assert len(positions(world)) == 2
    assert passes.prune() == 0


def test_old_answers_batches_and_decisions_go_a_little_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "CHUNK_ROWS", 3)
    world.policy("10usd/day")
    for number in range(4):
        world.record("1", record_id=f"r{number}")
        world.spend("50", user=f"u{number}")  # denied
        world.pass_seconds(61)
    world.pass_seconds(91 * 86_400)
    world.record("1", record_id="new")
    verbs = world.running.service.policies
    passes = Passes(world.reader, world.running.writer, finish=verbs.finish)
    passes.number_outbox()
    tables = ("answers", "decisions", "decision_samples")
    before = {name: len(world.all(name)) for name in tables}
    assert before["decisions"] == 4

    assert passes.prune() == 3
    after = {name: len(world.all(name)) for name in tables}
    assert after == {name: count - 3 for name, count in before.items()}
    while passes.prune():
        pass

    assert [row["id"] for row in world.all("answers")] == ["c:new"]
    assert all(row["at_us"] == world.now_us for row in world.all("batches"))
    assert (world.all("decisions"), world.all("decision_samples")) == ([], [])
    assert len(world.all("usage")) == 5


def test_how_long_things_are_kept_is_set(world: World) -> None:
    world.policy("10usd/day")
    world.spend("50")
    world.pass_seconds(2 * 86_400)
    verbs = world.running.service.policies
    short = Passes(world.reader, world.running.writer, finish=verbs.finish, keep=Keep(1.5, 1.5))
    short.number_outbox()
    short.prune()

    assert world.all("outbox") == []
    assert world.all("decisions") == []


def test_a_policy_whose_creation_was_cut_off_is_finished(world: World) -> None:
    made = world.policy("10usd/day", name="daily")
    world.spend("1")
    verbs = world.running.service.policies
    passes = Passes(world.reader, world.running.writer, finish=verbs.finish)
    world.change("UPDATE policies SET status = 'starting' WHERE no = :no", no=made.no)
    world.change("UPDATE meta SET policy_generation = policy_generation + 1")

    assert passes.finish_starting() == 0  # it may still be at work
    world.pass_seconds(31)
    assert passes.finish_starting() == 1
    assert passes.finish_starting() == 0
    assert world.reader.policies().by_no[made.no].status is Status.ACTIVE


def test_a_policy_that_gets_on_is_left_to_whoever_finishes_it(quick: World) -> None:
    made = quick.policy("10usd/day", name="daily")
    finished: list[int] = []
    passes = Passes(
        quick.reader, quick.running.writer, finish=lambda policy: finished.append(policy.no)
    )
    quick.change("UPDATE policies SET status = 'starting' WHERE no = :no", no=made.no)
    quick.pass_seconds(31)
    for posted in ("1:1:a", "1:1:b", "1:1:b"):
        quick.change(
            "UPDATE policies SET spec = json_set(spec, '$.backfill_after', :posted)", posted=posted
        )
        quick.change("UPDATE meta SET policy_generation = policy_generation + 1")
        assert finished == []
        passes.finish_starting()

    assert finished == [made.no]


def test_one_that_cannot_be_finished_does_not_keep_the_others(quick: World) -> None:
    made = [quick.policy(f"{number}usd/day", name=f"p{number}") for number in (1, 2)]
    quick.change("UPDATE policies SET status = 'starting' WHERE no = 1")
    quick.change("UPDATE policies SET status = 'starting' WHERE no = 2")
    quick.change("UPDATE meta SET policy_generation = policy_generation + 1")
    quick.pass_seconds(31)
    finished = []

    def finish(policy: Policy) -> None:
        if policy.no == made[0].no:
            raise RuntimeError("poisoned")
        finished.append(policy.no)

    passes = Passes(quick.reader, quick.running.writer, finish=finish)

    assert passes.finish_starting() == 2
    assert finished == [made[1].no]


def test_one_that_cannot_be_ended_does_not_keep_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    grants = [world.hold("1", user=f"u{number}") for number in range(3)]
    poisoned = grants[1].allocation_id
    world.pass_seconds(1000)
    writer = world.running.writer

    class Poisoned:
        """A writer that fails on one allocation."""

        def submit(self, command: Expire) -> object:
            if any(id_ == poisoned for _, id_ in command.allocations):
                raise RuntimeError("poisoned")
            return writer.submit(command)

    verbs = world.running.service.policies
    passes = Passes(world.reader, writer, finish=verbs.finish)
    monkeypatch.setattr(passes, "_writer", Poisoned())

    assert passes.expire_due() == 2
    states = {row["id"]: row["status"] for row in world.all("allocations")}
    assert [states[grant.allocation_id] for grant in grants] == ["expired", "active", "expired"]


def test_positions_never_step_over_what_is_committed_later(
    open_world: Callable[..., World],
) -> None:
    worlds = [open_world(), open_world()]
    worlds[0].policy("100000usd/day")
    stop, done, faults = threading.Event(), threading.Event(), list[BaseException]()
    told: list[int] = []

    def spend(world: World) -> None:
        try:
            while not stop.is_set():
                world.record("0.001", team="a")
        except BaseException as error:
            faults.append(error)

    def relay(world: World) -> None:
        verbs = world.running.service.policies
        passes = Passes(world.reader, world.running.writer, finish=verbs.finish)
        try:
            while not stop.is_set():
                passes.number_outbox()
        except BaseException as error:
            faults.append(error)

    def follow(world: World) -> None:
        """A listener that asks for what is behind its last position."""
        at = 0
        query = text("SELECT position FROM outbox WHERE position > :at ORDER BY position")
        try:
            while not done.is_set() or at < len(world.all("outbox")):
                with world.running.store.engine.connect() as connection:
                    for (position,) in connection.execute(query, {"at": at}):
                        told.append(position)
                        at = position
        except BaseException as error:
            faults.append(error)

    work = [(spend, w) for w in (*worlds, *worlds)] + [(relay, w) for w in worlds]
    threads = [threading.Thread(target=run, args=(world,)) for run, world in work]
    listener = threading.Thread(target=follow, args=(worlds[0],))
    for thread in (*threads, listener):
        thread.start()
    while len(told) < 300 and not faults:
        pass
    stop.set()
    for thread in threads:
        thread.join()
    verbs = worlds[0].running.service.policies
    passes = Passes(worlds[0].reader, worlds[0].running.writer, finish=verbs.finish)
    while passes.number_outbox():
        pass
    done.set()
    listener.join()

    assert faults == []
    rows = worlds[0].all("outbox")
    assert sorted(row["position"] for row in rows) == list(range(1, len(rows) + 1))
    assert told == list(range(1, len(rows) + 1))
