"""Children in a store: loaded with their families, exact under threads, adopted as one."""

import threading
from collections import Counter
from dataclasses import replace

import pytest
from tests.storage.workbench import (
    HOUR_US,
    Bench,
    Clock,
    allocate,
    nano,
    record,
    release,
    settle,
)

from tekton_budget.domain.allocation import Allocation
from tekton_budget.domain.amounts import NOTHING
from tekton_budget.domain.answer import Denial, Ended, Expired, Grant
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.command import Expire, Extend, Together
from tekton_budget.domain.errors import BudgetError, Conflict
from tekton_budget.storage.packing import ALLOCATION_COLUMNS, allocation_from_row
from tekton_budget.storage.session import Session


def child(id_: str, cost: str = "0.1", of: str = "p", **fields):
    return allocate(id_, cost, parent_id=of, **fields)


def stored(bench: Bench, id_: str) -> Allocation:
    rows = bench.rows(f"SELECT {ALLOCATION_COLUMNS} FROM allocations WHERE id = '{id_}'")
    return allocation_from_row(rows[0])


def test_many_children_of_one_parent_never_hold_more_than_it_had(
    store_url: str, clock: Clock
) -> None:
    """From threads over two writers, while some end and give back, and others use more."""
    with Bench(store_url, clock=clock) as one, Bench(store_url, clock=clock) as two:
        purse = one.policy("purse", "2usd/day")
        one.run(allocate("p", "1", requests=10_000))
        answers: list[object] = []

        def work(thread: int) -> None:
            bench = (one, two)[thread % 2]
            for number in range(12):
                id_ = f"{thread}-{number}"
                answers.append(bench.run(child(id_)))
                if number % 3 == 0 and isinstance(answers[-1], Grant):
                    end = release(id_) if thread % 2 else settle(id_, "0.05")
                    assert isinstance(bench.run(end), Ended)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        kinds = Counter(type(answer) for answer in answers)
        assert set(kinds) == {Grant, Denial}
        parent = stored(one, "p")
        spent = one.balance(purse).spent.cost_nano
        assert parent.children.used_cost_nano == spent
        assert parent.children.lent_cost_nano + parent.holds[0].held.cost_nano + spent == nano("1")
        assert parent.holds[0].held.cost_nano < nano("0.1")  # what comes back can be lent again
        assert one.balance(purse).used_at(clock.now_us).cost_nano == nano("1")
        one.check()


def test_a_family_is_loaded_by_what_a_command_names(store_url: str, clock: Clock) -> None:
    with Bench(store_url, clock=clock) as bench:
        purse = bench.policy("purse", "9usd/day")
        bench.run(allocate("p", "1", requests=99))
        for id_, of, cost in (("c", "p", "0.5"), ("g", "c", "0.3"), ("h", "g", "0.2")):
            assert isinstance(bench.run(child(id_, cost, of)), Grant)
        bench.run(settle("h", "0.9"))

        held = {one: stored(bench, one).holds[0].held.cost_nano for one in "pcg"}
        assert held == {"p": nano("0.1"), "c": 0, "g": 0}
        assert stored(bench, "h").ancestors == (("", "p"), ("", "c"), ("", "g"))
        assert stored(bench, "h").parent_id == "g"
        bench.check()
        assert isinstance(bench.run(release("c")), Conflict)
        assert isinstance(bench.run(replace(release("p"), cascade=True)), Ended)
        assert {stored(bench, one).status.value for one in "pcg"} == {"released"}
        assert bench.balance(purse).held == NOTHING
        bench.check()


def test_a_family_of_one_batch(store_url: str, clock: Clock) -> None:
    with Bench(store_url, clock=clock) as bench:
        bench.policy("purse", "9usd/day")
        bench.policy("agents", "1usd/day", {"agent": "*"})
        answers = bench.together(
            allocate("p", "1", requests=99),
            child("c", "0.5", labels={"agent": "x"}),
            child("g", "0.3", "c"),
            child("d", "0.6"),
            settle("g", "0.2"),
            child("d2", "0.5"),
            replace(settle("p", "0.1"), cascade=True),
        )

        kinds = [Grant, Grant, Grant, Denial, Ended, Grant, Ended]
        assert [type(answer) for answer in answers] == kinds
        assert stored(bench, "p").children.used_cost_nano == nano("0.2")
        bench.check()


def test_labels_that_a_parent_gains_in_a_batch_are_its_childrens_too(
    store_url: str, clock: Clock
) -> None:
    """What these newly concern was not loaded: the commands are run again one by one."""
    with Bench(store_url, clock=clock) as bench:
        bench.policy("purse", "9usd/day")
        both = bench.policy("both", "9usd/day", {"agent": "x", "feature": "f"})
        bench.run(allocate("p", "1", requests=99))
        answers = bench.together(
            record("r", "0.1", allocation_id="p", labels={"feature": "f"}),
            child("c", "0.3", labels={"agent": "x"}),
        )

        assert isinstance(answers[1], Grant)
        assert bench.balance(both).held.cost_nano == nano("0.3")
        bench.check()


def test_all_or_none_of_a_family(store_url: str, clock: Clock) -> None:
    with Bench(store_url, clock=clock) as bench:
        bench.policy("purse", "9usd/day")
        commands = (allocate("p", "1", requests=99), child("c", "0.5"), child("d", "0.6"))
        denied = bench.run(Together("t", LOCAL, "", commands))
        bench.check()

        assert isinstance(denied, Denial)
        assert bench.rows("SELECT id FROM allocations") == []


def test_due_children_are_ended_before_another_is_denied(store_url: str, clock: Clock) -> None:
    with Bench(store_url, clock=clock) as bench:
        bench.policy("purse", "1usd/day")
        bench.run(allocate("p", "1", requests=99, lifetime_us=HOUR_US))
        bench.run(child("c", "1"))
        bench.run(child("g", "1", "c"))
        clock.now_us += HOUR_US // 2

        assert isinstance(bench.run(child("d", "1")), Grant)
        assert {stored(bench, one).status.value for one in "cg"} == {"expired"}
        clock.now_us += HOUR_US
        assert bench.run(Expire("e", LOCAL, "", (("", "p"),))) == Expired(2)
        bench.check()


def test_a_parent_that_ends_sooner_takes_its_children_with_it(store_url: str, clock: Clock) -> None:
    with Bench(store_url, clock=clock) as bench:
        bench.policy("purse", "1usd/day")
        bench.run(allocate("p", "1", requests=99, lifetime_us=HOUR_US))
        bench.run(child("c", "0.5", lifetime_us=HOUR_US))
        bench.run(Extend("e", LOCAL, "{}", "p", lifetime_us=60_000_000))

        assert stored(bench, "c").expires_us == clock.now_us + 60_000_000
        bench.run(Extend("f", LOCAL, "{}", "c", lifetime_us=HOUR_US))
        assert stored(bench, "c").expires_us == clock.now_us + 60_000_000


def test_a_new_policy_adopts_parents_before_children(
    store_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the pages of active allocations have those first that end first."""
    monkeypatch.setattr("tekton_budget.storage.policies.PAGE", 2)
    with Bench(store_url, clock=clock) as bench:
        bench.policy("purse", "9usd/day")
        bench.run(allocate("p", "1", requests=99, lifetime_us=HOUR_US))
        bench.run(child("c", "0.5", labels={"user": "alice"}))
        bench.run(child("g", "0.2", "c"))
        bench.run(allocate("other", "1"))
        bench.run(settle("g", "0.1"))
        bench.run(child("h", "0.2", "c"))
        each = bench.policy("each", "20usd/day", per=("user",))

        assert bench.balance(each).held.cost_nano == nano("1.9")
        assert bench.balance(each, "alice").held == NOTHING
        held = {one: stored(bench, one).holds[1].held.cost_nano for one in "pch"}
        assert held == {"p": nano("0.5"), "c": nano("0.2"), "h": nano("0.2")}
        bench.run(replace(release("p"), cascade=True))
        assert bench.balance(each).held.cost_nano == nano("1")
        bench.check()


def test_a_child_of_another_keys_parent(store_url: str, clock: Clock) -> None:
    """Ids are the asking key's own, whoever made the parent."""
    owner = Caller("k1", "one", Role.CLIENT, {"team": "a"})
    other = Caller("k2", "two", Role.CLIENT, {"team": "a"})
    stranger = Caller("k3", "three", Role.CLIENT, {"team": "b"})
    with Bench(store_url, clock=clock) as bench:
        bench.policy("purse", "9usd/day")
        labels = {"team": "a"}
        bench.run(allocate("p", "1", owner, labels={**labels, "key": "one"}, requests=99))
        mine = bench.run(child("c", "0.5", caller=other, labels={**labels, "key": "two"}))
        same_id = bench.run(child("c", "0.2", caller=owner, labels=labels))
        unseen = bench.run(child("x", "0.2", caller=stranger, labels={"team": "b"}))

        assert (type(mine), type(same_id)) == (Grant, Grant)
        assert isinstance(unseen, BudgetError)
        assert unseen.code == "allocation_not_found"
        assert isinstance(bench.run(settle("c", "0.4", caller=other)), Ended)
        rows = bench.rows("SELECT key_id, status FROM allocations WHERE id = 'c' ORDER BY 1")
        assert rows == [("k1", "active"), ("k2", "settled")]
        ended = bench.run(replace(release("p", owner), cascade=True))
        assert isinstance(ended, Ended)
        bench.check()


def test_a_family_takes_two_more_statements_however_large(
    store_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Bench(store_url, clock=clock) as bench:
        bench.policy("purse", "99usd/day")
        bench.run(allocate("p", "10", requests=99))
        for number in range(12):
            bench.run(child(f"c{number}"))
            bench.run(child(f"g{number}", of=f"c{number}"))
        fetched: list[int] = []
        kind = type(bench.writer._runs._session)
        fetch = kind.fetch

        def tapped(session: Session, queries):
            fetched.append(sum("FROM allocations" in sql for sql, _ in queries))
            return fetch(session, queries)

        monkeypatch.setattr(kind, "fetch", tapped)
        bench.together(*(settle(f"g{number}", "0.1") for number in range(12)))
        assert sum(fetched) == 2
        bench.run(replace(release("p"), cascade=True))
        assert sum(fetched) == 4
        bench.run(allocate("q", "1"))
        assert sum(fetched) == 5
        bench.check()
