"""The worker: passes taken in turn, errors survived, stopped at once."""

import threading
import time

import pytest
import structlog

from tekton_budget.domain.caller import LOCAL
from tekton_budget.service.asking.asks import Ask
from tekton_budget.service.passes import Passes
from tekton_budget.settings import load_settings
from tekton_budget.wiring import open_service
from tekton_budget.worker import Pass, Worker, passes_of


def finished(done: threading.Event) -> bool:
    return done.wait(30)


def test_a_full_pass_is_taken_again_at_once() -> None:
    left, done = [3, 2, 1, 0], threading.Event()

    def run() -> int:
        count = left.pop(0)
        if not left:
            done.set()
        return count

    worker = Worker([Pass("much", run, seconds=3600, full=1)])
    worker.start()

    assert finished(done)
    worker.stop()
    assert left == []


def test_a_pass_that_fails_is_told_and_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tekton_budget.worker.RETRY_SECONDS", 0.001)
    done, tries = threading.Event(), []

    def run() -> int:
        tries.append(len(tries))
        if len(tries) < 3:
            raise ValueError("the store is away")
        done.set()
        return 0

    with structlog.testing.capture_logs() as logs:
        worker = Worker([Pass("shaky", run, seconds=0.001)])
        worker.start()
        assert finished(done)
        worker.stop()

    told = [entry for entry in logs if entry["event"] == "pass_failed"]
    assert [entry["name"] for entry in told] == ["shaky", "shaky"]
    assert "the store is away" in told[0]["error"]


def test_every_pass_gets_its_turn() -> None:
    seen, done = set(), threading.Event()

    def run(name: str) -> int:
        seen.add(name)
        if len(seen) == 3:
            done.set()
        return 0

    passes = [Pass(name, lambda name=name: run(name), 0.01) for name in ("a", "b", "c")]
    worker = Worker(passes)
    worker.start()

    assert finished(done)
    worker.stop()


def test_a_waiting_worker_stops_at_once() -> None:
    taken = threading.Event()

    def run() -> int:
        taken.set()
        return 0

    worker = Worker([Pass("rare", run, seconds=3600)])
    worker.start()
    assert finished(taken)
    began = time.monotonic()
    worker.stop()

    assert time.monotonic() - began < 60


def test_an_error_while_stopping_is_not_told() -> None:
    under_way, go = threading.Event(), threading.Event()

    def run() -> int:
        under_way.set()
        go.wait(30)
        raise ValueError("closed")

    with structlog.testing.capture_logs() as logs:
        worker = Worker([Pass("late", run, seconds=3600)])
        worker.start()
        assert finished(under_way)
        stopping = threading.Thread(target=worker.stop)
        stopping.start()
        while not worker.is_stopping:
            pass
        go.set()
        stopping.join()

    assert [entry for entry in logs if entry["event"] == "pass_failed"] == []


def test_a_worker_that_never_began_stops() -> None:
    Worker([]).stop()
    idle = Worker([])
    idle.start()
    idle.stop()


def test_the_ledgers_passes_do_their_work(store_url: str) -> None:
    now_us = [1_793_620_800_000_000]
    with open_service(load_settings(database_url=store_url), clock=lambda: now_us[0]) as running:
        verbs = running.service
        passes = Passes(running.reader, running.writer, finish=verbs.policies.finish)
        grant = verbs.ledger.allocate(LOCAL, Ask(tokens=1)).result()
        now_us[0] += 1_000_000_000
        worker = Worker(
            passes_of(passes, expire_seconds=0.01, relay_seconds=0.01, prune_seconds=3600)
        )
        worker.start()
        counts = running.service.overview.counts()
        while counts.active_allocations or counts.unnumbered_events:
            counts = running.service.overview.counts()
        worker.stop()

        assert running.service.lists.allocation(LOCAL, grant.allocation_id).status == "expired"
