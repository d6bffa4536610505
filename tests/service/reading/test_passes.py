"""The background passes: expiry, numbering, pruning, finishing; each on both stores."""

import pytest

from tekton_budget.domain.answer import Grant
from tekton_budget.domain.policy import Status
from tekton_budget.service.passes import Passes

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
