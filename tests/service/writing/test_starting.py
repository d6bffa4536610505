"""A policy whose older usage has many groups: posted in short steps, exactly once."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from tests.service.writing.conftest import Clock
from tests.service.writing.test_policies import balances

from tekton_budget.domain.answer import Denial
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.policy import Policy, Status
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.service.limiting import starting
from tekton_budget.service.limiting.policies import PolicyVerbs
from tekton_budget.service.limiting.starting import Started
from tekton_budget.settings import load_settings
from tekton_budget.storage import policies, tables
from tekton_budget.storage.packing import unpack_postings
from tekton_budget.wiring import Running, open_service

CENT = 10_000_000
GROUPS = 11
LIMITS = ("1usd/day", "1usd/24h")


def use(running: Running, user: int, cents: int) -> None:
    cost = Decimal(cents) / 100
    running.service.ledger.record(LOCAL, Used(cost=cost), labels={"user": f"u{user:02d}"}).result()


def used(running: Running, clock: Clock) -> dict[str, tuple[int, int]]:
    """Something by each group at two moments, and what that comes to."""
    for user in range(GROUPS):
        use(running, user, user + 1)
    clock.pass_seconds(1600)  # another sixtieth of a day
    for user in range(GROUPS):
        use(running, user, 1)
    return {f"u{user:02d}": ((user + 2) * CENT, 0) for user in range(GROUPS)}


def begun(running: Running, monkeypatch: pytest.MonkeyPatch, limit: str) -> Policy:
    with monkeypatch.context() as patched:
        patched.setattr(PolicyVerbs, "finish", lambda _, policy: Started(policy))
        fields = {"limit": limit, "per": ["user"], "name": "p"}
        made = running.service.policies.create_policy(LOCAL, fields).policy
    assert made.status is Status.STARTING
    return made


@contextmanager
def cut_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever finishes a policy fails after some chunks."""
    left, post = iter(range(steps)), starting.Starting._post

    def counted(*args: Any) -> bool:
        next(left)
        return post(*args)

    with monkeypatch.context() as patched:
        patched.setattr(starting.Starting, "_post", counted)
        yield


def backfills(running: Running) -> list[int]:
    """How many postings each entry of a backfill has."""
    j = tables.journal.c
    query = select(j.postings).where(j.kind == "backfill").order_by(j.no)
    with running.store.engine.connect() as connection:
        return [len(unpack_postings(row[0])) for row in connection.execute(query)]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_what_was_cut_short_goes_on_where_it_stopped(
    running: Running, clock: Clock, monkeypatch: pytest.MonkeyPatch, limit: str, chunk: int
) -> None:
    monkeypatch.setattr(policies, "CHUNK", chunk)
    expected = used(running, clock)
    policy = begun(running, monkeypatch, limit)
    for steps in (0, 1):
        with cut_after(steps, monkeypatch), suppress(RuntimeError):  # unless few chunks were enough
            running.service.policies.finish(policy)
        use(running, steps, 7)  # counts on what is posted already and on what is not
        spent, held = expected[f"u{steps:02d}"]
        expected[f"u{steps:02d}"] = (spent + 7 * CENT, held)

    settings = load_settings(database_url=running.settings.database_url)
    with open_service(settings, clock=clock) as other:
        done = other.service.policies.finish(policy).policy

        assert done.status is Status.ACTIVE
        assert done.backfill_after is None
        assert balances(other, policy.no) == expected
        assert max(backfills(other)) <= max(chunk, 2)
        assert not other.service.verifier.verify().findings
        ask = Ask(labels={"user": "u10"}, cost=Decimal("0.89"))
        assert isinstance(other.service.ledger.allocate(LOCAL, ask).result(), Denial)


KILLED = """
import os, signal, sys
from tekton_budget.service.limiting import starting
from tekton_budget.settings import load_settings
from tekton_budget.storage import policies
from tekton_budget.wiring import open_service

policies.CHUNK = 2
left, post = iter(range(2)), starting.Starting._post

def counted(*args):
    if next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
    return post(*args)

starting.Starting._post = counted
for _ in range(2):  # two that die, one after the other: to read the modules takes longer than that
    child = os.fork()
    if child == 0:
        break
    died = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert died == -signal.SIGKILL, died
else:
    sys.exit()
with open_service(load_settings(database_url=sys.argv[1]), clock=lambda: int(sys.argv[2])) as running:
    policy = max(running.reader.policies().by_no.values(), key=lambda one: one.no)
    running.service.policies.finish(policy)
"""


@pytest.mark.parametrize("limit", LIMITS)
def test_a_sudden_death_between_chunks_counts_nothing_twice(
    running: Running, clock: Clock, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    expected = used(running, clock)
    policy = begun(running, monkeypatch, limit)
    url = running.settings.database_url
    subprocess.run([sys.executable, "-c", KILLED, url, str(clock.now_us)], check=True)
    assert 0 < len(balances(running, policy.no)) < GROUPS

    running.service.policies.finish(policy)

    assert balances(running, policy.no) == expected
    assert not running.service.verifier.verify().findings


def test_two_that_finish_the_same_policy_share_the_work(
    running: Running, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "CHUNK", 1)
    expected = used(running, clock)
    policy = begun(running, monkeypatch, "1usd/day")
    settings = load_settings(database_url=running.settings.database_url)
    with open_service(settings, clock=clock) as other:
        both = [
            threading.Thread(target=one.service.policies.finish, args=(policy,))
            for one in (running, other)
        ]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()

    assert balances(running, policy.no) == expected
    assert running.reader.policies().by_no[policy.no].status is Status.ACTIVE
    assert len(backfills(running)) == GROUPS
    assert not running.service.verifier.verify().findings
