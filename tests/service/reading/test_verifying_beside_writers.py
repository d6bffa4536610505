"""Verification while others write and prune: nothing false is found, and what is wrong still is."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tekton_budget.domain.answer import Grant
from tekton_budget.service.passes import Keep, Passes
from tekton_budget.service.verifying import Verifier, balance_check, rollup_check

from .conftest import World


@contextmanager
def writing(*worlds: World) -> Iterator[list[BaseException]]:
    """Callers that spend, hold and let go as fast as they can, two of each world."""
    stop = threading.Event()
    faults: list[BaseException] = []

    def work(world: World, user: str) -> None:
        turn = 0
        try:
            while not stop.is_set():
                turn += 1
                world.spend("0.001", team="a", user=f"{user}{turn % 7}", model="gpt-5")
                world.record("0.002", team="b", user=user)
                held = world.hold("0.003", team="a", user=user)
                if turn % 3 and isinstance(held, Grant):
                    verbs = world.running.service.ledger
                    from tekton_budget.domain.caller import LOCAL

                    verbs.release(LOCAL, held.allocation_id).result()
        except BaseException as error:  # told by the test
            faults.append(error)

    threads = [
        threading.Thread(target=work, args=(world, f"u{number}{place}"))
        for place, world in enumerate(worlds)
        for number in range(2)
    ]
    for thread in threads:
        thread.start()
    try:
        yield faults
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def limited(world: World) -> None:
    world.policy("100000usd/day", name="all")
    world.policy("100000usd/24h", name="rolling", per=["user"])
    world.policy("1000usd/month", name="by user", per=["user"], rollover=True)


@pytest.mark.parametrize("tail", [0, 2000])
def test_nothing_false_is_found_beside_writers(
    open_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch, tail: int
) -> None:
    monkeypatch.setattr(balance_check, "TAIL_MAX", tail)
    monkeypatch.setattr(balance_check, "ROUNDS_MAX", 3)
    monkeypatch.setattr(rollup_check, "TAIL_MAX", tail)
    monkeypatch.setattr(rollup_check, "ROUNDS_MAX", 3)
    monkeypatch.setattr(rollup_check, "TOGETHER_MAX", 7)
    first, second = open_world(), open_world()
    limited(first)
    found = []
    with writing(first, second) as faults:
        while len(first.reader.rows(_entries())) < 50:
            pass
        found += [Verifier(first.reader).verify() for _ in range(4)]

    assert faults == []
    assert [f.text() for each in found for f in each.findings] == []
    assert found[-1].entries > found[0].entries
    assert Verifier(first.reader).verify().is_good


def _entries():
    from sqlalchemy import select

    from tekton_budget.storage import tables

    return select(tables.journal.c.no)


def test_a_changed_digit_is_found_beside_writers_and_pruning(world: World) -> None:
    limited(world)
    world.spend("1", team="c", user="quiet")
    verbs = world.running.service.policies
    passes = Passes(
        world.reader, world.running.writer, finish=verbs.finish, keep=Keep(0.00000001, 0.00000001)
    )
    world.change(
        "UPDATE balances SET spent_cost_nano = 1000000009 WHERE grp = 'quiet' AND length_us > 0"
    )
    with writing(world) as faults:
        passes.number_outbox()
        world.pass_seconds(49 * 3600)
        passes.prune()
        found = Verifier(world.reader).verify()
        passes.prune()

    assert faults == []
    assert [(f.table, f.column, f.difference) for f in found.findings] == [
        ("balances", "spent_cost_nano", 9)
    ]
