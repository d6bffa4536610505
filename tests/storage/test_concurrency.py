"""Many at once: threads, processes, first comers, policies that begin under load, and sudden deaths."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from tests.storage.callers import Callers
from tests.storage.workbench import (
    Bench,
    Clock,
    allocate,
    nano,
    new_policy,
    record,
    release,
    settle,
    told,
)

from tekton_budget.domain.amounts import NOTHING
from tekton_budget.domain.answer import Denial, Ended, Grant

KILLS = int(os.environ.get("BUDGET_TEST_KILLS", "100" if os.environ.get("CI") == "true" else "20"))


@pytest.fixture(scope="module")
def callers() -> Iterator[Callers]:
    callers = Callers()
    yield callers
    callers.close()


def lines_of(out: Path) -> Counter[str]:
    return Counter(line.split()[0] for line in out.read_text().splitlines())


def ids_of(out: Path, word: str) -> list[str]:
    pairs = (line.split() for line in out.read_text().splitlines())
    return [pair[1] for pair in pairs if pair[0] == word]


# Exactness ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 16])
def test_a_hard_limit_holds_to_the_last_cent_under_threads(
    store_url: str, clock: Clock, threads: int
) -> None:
    with Bench(store_url, clock=clock) as bench:
        policies = [
            bench.policy("purse", "1usd/day"),
            bench.policy("users", "9usd/day", per=("user",)),
        ]
        answers: list[object] = []

        def hammer(thread: int) -> None:
            for number in range(160 // threads):
                id_ = f"{thread}-{number}"
                answers.append(bench.run(allocate(id_, "0.01", labels={"user": f"u{thread}"})))

        workers = [threading.Thread(target=hammer, args=(t,)) for t in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

        assert Counter(type(answer) for answer in answers) == {Grant: 100, Denial: 60}
        assert bench.balance(policies[0]).held.cost_nano == nano(1)
        bench.check()


def test_every_cent_that_comes_back_can_be_spent(store_url: str, clock: Clock) -> None:
    with Bench(store_url, clock=clock) as bench:
        policy = bench.policy("purse", "1usd/day")
        spent = []

        def spend(thread: int) -> None:
            number = 0
            while True:
                number += 1
                id_ = f"{thread}-{number}"
                if isinstance(bench.run(allocate(id_, "0.1")), Denial):
                    if bench.balance(policy).spent.cost_nano >= nano("0.91"):
                        return
                    continue
                cost = random.Random(id_).choice(["0.03", "0.07", "0.1"])
                assert isinstance(bench.run(settle(id_, cost)), Ended)
                spent.append(nano(cost))

        workers = [threading.Thread(target=spend, args=(t,)) for t in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

        assert nano("0.91") <= sum(spent) <= nano(1)
        assert bench.balance(policy).spent.cost_nano == sum(spent)
        assert bench.balance(policy).held == NOTHING
        bench.check()


@pytest.mark.parametrize("settled", ["never", "0.01"])
def test_processes_share_a_limit_and_lose_no_cent(
    store_url: str, tmp_path: Path, callers: Callers, settled: str
) -> None:
    """The store's own clock, first touch by all at once, on one file or one database."""
    out = tmp_path / "out"
    with Bench(store_url) as bench:
        policy = bench.policy("purse", "1usd/total")
        users = bench.policy("users", "1usd/total", per=("user",))
        pids = [
            callers.start(
                url=store_url,
                out=str(out),
                name=name,
                threads=4,
                calls=20,
                cost="0.01",
                settled=settled,
            )
            for name in ("a", "b")
        ]
        for pid in pids:
            callers.wait(pid)

        words = lines_of(out)
        assert words["done"] == 2
        assert (words["granted"], words["Denial"]) == (100, 60)
        used = bench.balance(policy)
        assert used.spent.cost_nano + used.held.cost_nano == nano(1)
        of_users = [bench.balance(users, f"u{t}") for t in range(4)]
        assert sum(b.spent.cost_nano + b.held.cost_nano for b in of_users) == nano(1)
        bench.check()


def test_first_comers_to_groups_and_windows_agree(store_url: str, clock: Clock) -> None:
    """Two writers, each batch of both full of groups that neither has seen."""
    with Bench(store_url, clock=clock) as first, Bench(store_url, clock=clock) as second:
        first.policy("users", "0.05usd/hour", per=("user",))
        for hour in range(6):
            tickets = []
            for bench in (first, second):
                for number in range(60):
                    labels = {"user": f"u{number % 10}"}
                    id_ = f"{hour}-{number}-{id(bench)}"
                    tickets.append(bench.submit(allocate(id_, "0.01", labels=labels)))
            answers = Counter(type(told(ticket)) for ticket in tickets)
            assert answers == {Grant: 50, Denial: 70}, hour
            clock.now_us += 3600 * 1_000_000
        assert first.rows("SELECT sum(groups) FROM group_counts") == [(60,)]
        first.check()


def test_two_writers_that_ask_for_the_last_dollar_at_one_moment_share_it(
    postgres_url: str, clock: Clock
) -> None:
    """Both wait until nobody else has the balance, and judge on what they then find."""
    with Bench(postgres_url, clock=clock) as first, Bench(postgres_url, clock=clock) as second:
        policy = first.policy("purse", "1usd/day")
        for bench, id_ in ((first, "a"), (second, "b")):  # the row is there, and known to both
            assert isinstance(bench.run(allocate(id_, "1")), Grant)
            assert isinstance(bench.run(release(id_)), Ended)
        with psycopg.connect(postgres_url) as other:
            other.execute("SELECT id FROM balances FOR UPDATE")
            tickets = [first.submit(allocate("c", "1")), second.submit(allocate("d", "1"))]
            for ticket in tickets:
                with pytest.raises(TimeoutError):
                    ticket.result(timeout=0.5)

        assert Counter(type(told(ticket)) for ticket in tickets) == {Grant: 1, Denial: 1}
        assert first.balance(policy).held.cost_nano == nano(1)
        first.check()


# Policies that begin while calls run ------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["1000usd/day", "1000usd/24h"])
def test_a_policy_that_begins_under_load_counts_everything_once(
    store_url: str, clock: Clock, limit: str
) -> None:
    with Bench(store_url, clock=clock) as bench, Bench(store_url, clock=clock) as other:
        bench.policy("first", "100000usd/total")
        stop = threading.Event()
        faults: list[object] = []

        def call(on: Bench, thread: int) -> None:
            number = 0
            while not stop.is_set() or number < 30:
                number += 1
                id_ = f"{thread}-{number}"
                labels = {"user": f"u{number % 3}"}
                if not isinstance(on.run(allocate(id_, "0.5", labels=labels)), Grant):
                    faults.append(id_)
                on.run(record(f"part-{id_}", "0.1", allocation_id=id_))
                if number % 3 == 0:
                    on.run(settle(id_, "0.6"))  # an overrun
                elif number % 3 == 1:
                    on.run(release(id_))
                on.run(record(f"fact-{id_}", "0.05", labels=labels))

        workers = [
            threading.Thread(target=call, args=(on, number))
            for number, on in enumerate((bench, bench, other, other))
        ]
        for worker in workers:
            worker.start()
        time.sleep(0.3)
        late = [
            bench.add(new_policy("late", limit), between=lambda: time.sleep(0.2)),
            other.add(new_policy("users", limit, per=("user",)), between=lambda: time.sleep(0.1)),
        ]
        time.sleep(0.2)
        stop.set()
        for worker in workers:
            worker.join()

        assert faults == []
        spent, held = bench.rows(
            "SELECT spent_cost_nano, held_cost_nano FROM balances WHERE policy_no = 1"
        )[0]
        for policy in late:
            sums = bench.rows(
                "SELECT sum(spent_cost_nano), sum(held_cost_nano), sum(spent_tokens), sum(spent_requests) "
                f"FROM balances WHERE policy_no = {policy.no}"
            )[0]
            assert tuple(map(int, sums))[:2] == (spent, held), policy.name
        whole = [
            [int(n) for n in bench.rows(
                "SELECT sum(spent_tokens), sum(spent_requests), sum(held_requests) FROM balances "
                f"WHERE policy_no = {number}"
            )[0]]
            for number in (1, 2, 3)
        ]  # fmt: skip
        assert whole[0] == whole[1] == whole[2]
        bench.check()


def test_a_limit_that_is_lowered_under_load_lets_nothing_more_through(
    store_url: str, clock: Clock
) -> None:
    with Bench(store_url, clock=clock) as bench:
        policy = bench.policy("purse", "1000usd/day")
        stop = threading.Event()
        granted: list[str] = []

        def call(thread: int) -> None:
            number = 0
            while not stop.is_set():
                number += 1
                id_ = f"{thread}-{number}"
                if isinstance(bench.run(allocate(id_, "0.01")), Grant):
                    granted.append(id_)

        workers = [threading.Thread(target=call, args=(thread,)) for thread in range(4)]
        for worker in workers:
            worker.start()
        while len(granted) < 100:
            time.sleep(0.01)
        lowered = new_policy("purse", "0.5usd/day").limits

        def lower(changes) -> int:
            current = changes.policies.by_no[policy.no]
            changes.update_policy(replace(current, limits=lowered))
            return len(changes._session.execute("SELECT id FROM allocations"))

        at_that_moment = bench.change(lower)
        time.sleep(0.1)
        stop.set()
        for worker in workers:
            worker.join()

        assert bench.rows("SELECT count(*) FROM allocations") == [(at_that_moment,)]
        bench.check()


# Sudden deaths ----------------------------------------------------------------------------------------


def test_a_killed_process_loses_no_answer(store_url: str, tmp_path: Path, callers: Callers) -> None:
    """Killed at any point, again and again, on one store: what was answered is there, once."""
    kills = KILLS // 2  # on each of two stores
    dice = random.Random(os.environ.get("BUDGET_TEST_SEED", "1"))
    out = tmp_path / "out"
    with Bench(store_url) as bench:
        policy = bench.policy("purse", "100000usd/total")
        bench.policy("users", "100000usd/total", per=("user",))
    for number in range(kills):
        name = f"k{number}"
        pid = callers.start(
            url=store_url,
            out=str(out),
            name=name,
            threads=6,
            calls=10_000,
            cost="0.02",
            settled="0.01",
        )
        give_up = time.monotonic() + 60
        while f"granted {name}" not in (out.read_text() if out.exists() else ""):
            assert time.monotonic() < give_up, "the callers never began"
            time.sleep(0.01)
        time.sleep(dice.random() * 0.15)
        callers.kill(pid)

    with Bench(store_url) as bench:
        bench.check()
        asked, granted, settled = (ids_of(out, word) for word in ("asking", "granted", "settled"))
        known = {row[0]: row[1] for row in bench.rows("SELECT id, status FROM allocations")}
        assert set(granted) <= set(known)
        assert all(known[id_] == "settled" for id_ in settled)
        before = bench.balance(policy)
        labels = {id_: {"user": f"u{id_.split('-')[1]}"} for id_ in asked}
        tickets = [bench.submit(allocate(id_, "0.02", labels=labels[id_])) for id_ in asked]
        assert all(isinstance(told(ticket), Grant) for ticket in tickets)
        again = bench.balance(policy)
        fresh = len(set(asked) - set(known))
        assert again.spent == before.spent
        assert again.held.cost_nano == before.held.cost_nano + fresh * nano("0.02")
        tickets = [bench.submit(settle(id_, "0.01")) for id_ in asked]
        assert all(isinstance(told(ticket), Ended) for ticket in tickets)
        last = bench.balance(policy)
        assert (last.spent.cost_nano, last.held) == (len(asked) * nano("0.01"), NOTHING)
        assert last.spent.requests == len(asked)
        bench.check()
