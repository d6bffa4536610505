"""Stores that fail: locked, full, read-only, away, or silent at the very moment of the commit."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from tests.storage.proxy import Proxy
from tests.storage.workbench import Bench, Clock, allocate, nano, record, release, settle, told

from tekton_budget.domain.answer import Ended, Grant, Recorded
from tekton_budget.domain.errors import Unavailable
from tekton_budget.domain.policy import Budget
from tekton_budget.domain.scope import Scope
from tekton_budget.storage import batch, postgres_session
from tekton_budget.storage.postgres_session import PostgresSession
from tekton_budget.storage.session import CommitUnanswered, Repeat, RowTaken, StoreAway
from tekton_budget.storage.sqlite_session import SqliteSession
from tekton_budget.storage.store import Store
from tekton_budget.storage.ticket import Exclusively


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "AWAY_SECONDS", 0.3)


# SQLite ----------------------------------------------------------------------------------------------


def hasty(store: Store) -> SqliteSession:
    return SqliteSession(str(store.path), busy_seconds=0.05)


def test_a_file_that_is_locked_for_a_moment_is_waited_for(sqlite_url: str, clock: Clock) -> None:
    with Bench(sqlite_url, clock=clock) as bench:
        bench.policy("purse", "10usd/day")
        other = sqlite3.connect(bench.store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        ticket = bench.submit(allocate("one"))
        with pytest.raises(TimeoutError):
            ticket.result(timeout=0.2)

        other.execute("COMMIT")

        assert isinstance(ticket.result(timeout=20), Grant)
        other.close()
        bench.check()


def test_a_file_that_stays_locked_is_told_and_found_again(sqlite_url: str, clock: Clock) -> None:
    with Bench(sqlite_url, clock=clock, connect=hasty) as bench:
        bench.policy("purse", "10usd/day")
        other = sqlite3.connect(bench.store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        refused = bench.run(allocate("one"))

        assert isinstance(refused, Unavailable)
        assert (refused.code, refused.extra["id"]) == ("store_away", "one")
        assert "locked" in refused.detail
        other.execute("ROLLBACK")
        other.close()
        assert isinstance(bench.run(allocate("one")), Grant)
        bench.check()


@pytest.mark.parametrize(
    ("pragma", "word"),
    [("PRAGMA max_page_count = {pages}", "full"), ("PRAGMA query_only = ON", "readonly")],
)
def test_a_full_or_read_only_file_is_told_at_once_and_recovers_by_itself(
    sqlite_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch, pragma: str, word: str
) -> None:
    monkeypatch.setattr(batch, "AWAY_SECONDS", 600.0)  # nobody waits for a disk to empty itself
    spoilt: list[str] = []

    def connect(store: Store) -> SqliteSession:
        session = SqliteSession(str(store.path))
        for statement in spoilt:
            session.execute(statement)
        return session

    with Bench(sqlite_url, clock=clock, connect=connect) as bench:
        policy = bench.policy("purse", "1000usd/day")
        bench.run(allocate("zero"))
        pages = bench.rows("PRAGMA page_count")[0][0]
        spoilt.append(pragma.format(pages=pages))
        bench.writer._runs._drop()  # the next connection is the spoilt one

        tickets = [bench.submit(allocate(f"a{i}", labels={"user": "x" * 500})) for i in range(40)]
        answers = [told(ticket) for ticket in tickets]

        refused = [answer for answer in answers if isinstance(answer, Unavailable)]
        assert refused
        assert {answer.code for answer in refused} == {"store_away"}
        assert all(word in answer.detail for answer in refused)
        assert bench.writer.queue_length == 0
        granted = sum(isinstance(answer, Grant) for answer in answers)
        assert bench.balance(policy).held.cost_nano == nano(1 + granted)
        spoilt.clear()
        again = [bench.run(allocate(f"a{i}", labels={"user": "x" * 500})) for i in range(40)]
        assert all(isinstance(answer, Grant) for answer in again)
        assert bench.balance(policy).held.cost_nano == nano(41)
        bench.check()


FULL_DISK = """
import resource, sys
sys.path[:0] = {path!r}
from tests.storage.workbench import Bench, Clock, allocate, told
from tekton_budget.domain.answer import Grant
from tekton_budget.domain.errors import Unavailable
with Bench({url!r}, clock=Clock()) as bench:
    bench.policy("purse", "1000usd/day")
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
    first = [bench.run(allocate(f"a{{i}}", labels={{"user": "x" * 2000}})) for i in range(150)]
    assert any(isinstance(answer, Grant) for answer in first), first[:1]
    refused = [answer for answer in first if not isinstance(answer, Grant)]
    assert refused and all(isinstance(answer, Unavailable) for answer in refused), refused[:1]
    print({{answer.code for answer in refused}}, refused[0].detail)
    granted = sum(isinstance(answer, Grant) for answer in first)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    again = [bench.run(allocate(f"a{{i}}", labels={{"user": "x" * 2000}})) for i in range(150)]
    assert again[: len(first)] and all(isinstance(answer, Grant) for answer in again)
    assert all(a == b for a, b in zip(first, again) if isinstance(a, Grant))
    bench.check()
"""


def test_a_disk_that_takes_no_more_loses_nothing(sqlite_url: str) -> None:
    code = FULL_DISK.format(url=sqlite_url, path=sys.path)

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr


def test_a_commit_that_the_disk_fails_is_looked_up(
    sqlite_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Bench(sqlite_url, clock=clock) as bench:
        policy = bench.policy("purse", "10usd/day")
        commit = SqliteSession.commit
        faults = ["before", "after"]

        def failing(session: SqliteSession) -> None:
            fault = faults.pop(0) if faults else ""
            if fault == "after":
                commit(session)
            if fault:
                raise CommitUnanswered("disk I/O error")
            commit(session)

        monkeypatch.setattr(SqliteSession, "commit", failing)

        assert isinstance(bench.run(allocate("one")), Grant)
        faults[:] = ["after"]
        assert isinstance(bench.run(allocate("two")), Grant)

        assert bench.balance(policy).held.cost_nano == nano(2)
        assert bench.rows("SELECT count(*) FROM journal") == [(2,)]
        bench.check()


def test_a_store_that_cannot_be_opened_is_told_at_the_start(tmp_path) -> None:
    with Bench(f"sqlite:///{tmp_path}/budget.db", start=False) as bench:
        (tmp_path / "budget.db").rename(tmp_path / "moved.db")
        (tmp_path / "budget.db").mkdir()

        with pytest.raises(Unavailable, match="cannot be opened"):
            bench.writer.start()


# PostgreSQL: a connection that is lost ----------------------------------------------------------------


def test_a_terminated_connection_is_made_anew(postgres_url: str, clock: Clock) -> None:
    with Bench(postgres_url, clock=clock) as bench:
        policy = bench.policy("purse", "1000usd/day")
        stop = threading.Event()

        def terminate() -> None:
            with psycopg.connect(postgres_url, autocommit=True) as admin:
                while not stop.is_set():
                    admin.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                    stop.wait(0.05)

        thread = threading.Thread(target=terminate)
        thread.start()
        answers = []
        try:
            for number in range(50):
                id_ = f"a{number}"
                while not isinstance(answer := bench.run(allocate(id_)), Grant):
                    assert isinstance(answer, Unavailable)
                answers.append(answer)
        finally:
            stop.set()
            thread.join()

        assert [bench.run(allocate(f"a{n}")) for n in range(50)] == answers
        assert bench.balance(policy).held.cost_nano == nano(50)
        bench.check()


@contextmanager
def through(url: str) -> Iterator[Proxy]:
    proxy = Proxy(url)
    try:
        yield proxy
    finally:
        proxy.close()


def test_a_database_that_is_away_is_told_and_found_again(postgres_url: str, clock: Clock) -> None:
    with through(postgres_url) as proxy, Bench(proxy.url, clock=clock) as bench:
        policy = bench.policy("purse", "10usd/day")
        bench.run(allocate("one"))
        proxy.down()

        began = time.monotonic()
        refused = [bench.run(allocate("two")) for _ in range(3)]
        assert {(r.code, r.extra["id"]) for r in refused} == {("store_away", "two")}
        assert refused[0].extra["retry_after_seconds"] > 0
        assert time.monotonic() - began < 20

        proxy.up()
        assert isinstance(bench.run(allocate("two")), Grant)
        assert bench.balance(policy).held.cost_nano == nano(2)
        bench.check()


@pytest.mark.parametrize("cuts", [["before"], ["after"], ["before", "after"], ["after"] * 2])
def test_a_commit_without_an_answer_is_looked_up(
    postgres_url: str, clock: Clock, cuts: list[str]
) -> None:
    with through(postgres_url) as proxy, Bench(proxy.url, clock=clock) as bench:
        policy = bench.policy("purse", "10usd/day")
        proxy.cuts[:] = cuts

        answer = bench.run(allocate("one"))

        assert proxy.commits_cut == len(cuts)
        proxy.cuts[:] = cuts
        assert [type(answer), type(bench.run(record("two")))] == [Grant, Recorded]
        assert proxy.commits_cut == 2 * len(cuts)
        assert bench.balance(policy).held.cost_nano == nano(1)
        assert bench.balance(policy).spent.cost_nano == nano(1)
        assert bench.rows("SELECT count(*) FROM journal") == [(2,)]
        bench.check()


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_change_of_policies_whose_commit_is_not_answered_happens_once(
    postgres_url: str, clock: Clock, cut: str
) -> None:
    with through(postgres_url) as proxy, Bench(proxy.url, clock=clock) as bench:
        proxy.cuts[:] = [cut]

        bench.budget(Budget("b", "b", Scope.from_json({})))

        assert bench.rows("SELECT budget_id FROM budgets") == [("b",)]
        assert "b" in bench.writer.cache.policies.budgets


def test_a_commit_that_cannot_be_looked_up_is_told_as_such(
    postgres_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with through(postgres_url) as proxy, Bench(proxy.url, clock=clock) as bench:
        policy = bench.policy("purse", "10usd/day")
        connect = PostgresSession.__init__

        def down_after(self, *args, **kwargs) -> None:
            if proxy.commits_cut:
                raise StoreAway("gone")
            connect(self, *args, **kwargs)

        monkeypatch.setattr(PostgresSession, "__init__", down_after)
        proxy.cuts[:] = ["after"]

        refused = bench.run(allocate("one"))

        assert isinstance(refused, Unavailable)
        assert (refused.code, refused.extra["id"]) == ("outcome_unknown", "one")
        monkeypatch.undo()
        assert isinstance(bench.run(allocate("one")), Grant)  # the first answer
        assert bench.balance(policy).held.cost_nano == nano(1)
        assert bench.rows("SELECT count(*) FROM journal") == [(1,)]


# PostgreSQL: locks -------------------------------------------------------------------------------------


def test_a_lock_that_takes_too_long_is_asked_for_again(
    postgres_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = postgres_session.OPTIONS.replace("lock_timeout=10s", "lock_timeout=50ms")
    monkeypatch.setattr(postgres_session, "OPTIONS", options)
    monkeypatch.setattr(batch, "AWAY_SECONDS", 30.0)
    with Bench(postgres_url, clock=clock) as bench:
        bench.policy("purse", "10usd/day")
        bench.run(allocate("one"))
        with psycopg.connect(postgres_url) as other:
            other.execute("SELECT id FROM balances FOR UPDATE")
            ticket = bench.submit(release("one"))
            with pytest.raises(TimeoutError):
                ticket.result(timeout=0.4)
        assert isinstance(ticket.result(timeout=20), Ended)
        bench.check()


def test_a_lock_that_is_never_given_ends_in_a_503(
    postgres_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = postgres_session.OPTIONS.replace("lock_timeout=10s", "lock_timeout=20ms")
    monkeypatch.setattr(postgres_session, "OPTIONS", options)
    with Bench(postgres_url, clock=clock) as bench:
        bench.policy("purse", "10usd/day")
        bench.run(allocate("one"))
        with psycopg.connect(postgres_url) as other:
            other.execute("SELECT id FROM balances FOR UPDATE")

            answers = bench.together(settle("one"), record("two"))

            assert {answer.code for answer in answers} == {"store_away"}
        assert isinstance(bench.run(settle("one")), Ended)
        bench.check()


@pytest.mark.parametrize(
    ("state", "raised"),
    [
        ("40001", Repeat),
        ("40P01", Repeat),
        ("55P03", Repeat),
        ("23505", RowTaken),
        ("53100", StoreAway),
        ("57P03", StoreAway),
        ("25006", StoreAway),
        ("23514", psycopg.errors.CheckViolation),
    ],
)
def test_what_the_database_says_is_understood(
    postgres_url: str, state: str, raised: type[Exception]
) -> None:
    session = PostgresSession(postgres_url)

    with pytest.raises(raised):
        session.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$")

    session.close()


def test_deadlocks_repeat_the_batch(
    store_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [Repeat("deadlock")] * 3

    def connect(store: Store):
        session = store.connect()
        append = session.append

        def failing(writes) -> None:
            for sql, rows in writes[:3] if faults else ():
                session.write(sql, rows)
            if faults:
                raise faults.pop()
            append(writes)

        session.append = failing
        return session

    with Bench(store_url, clock=clock, connect=connect) as bench:
        policy = bench.policy("purse", "10usd/day")
        answers = bench.together(allocate("one"), allocate("two"))

        assert [type(answer) for answer in answers] == [Grant, Grant]
        assert bench.balance(policy).held.cost_nano == nano(2)
        bench.check()


def test_two_writers_that_use_one_id_at_once_agree(postgres_url: str, clock: Clock) -> None:
    with Bench(postgres_url, clock=clock) as first, Bench(postgres_url, clock=clock) as second:
        policy = first.policy("purse", "1000usd/day")
        for round_ in range(15):
            ids = [f"{round_}-{i}" for i in range(20)]
            mine = [first.submit(allocate(id_)) for id_ in ids]
            theirs = [second.submit(allocate(id_)) for id_ in reversed(ids)]
            assert [told(t) for t in mine] == [told(t) for t in reversed(theirs)]

        assert first.balance(policy).held.cost_nano == nano(300)
        first.check()


def test_statements_that_the_server_forgot_are_prepared_anew(
    postgres_url: str, clock: Clock
) -> None:
    with Bench(postgres_url, clock=clock) as bench:
        bench.policy("purse", "1000usd/day")
        for round_ in range(8):
            if round_ == 5:  # by now every statement of an ask is prepared
                forget_prepared(bench)
            assert told(bench.submit(allocate(f"call-{round_}")))
        bench.check()


def forget_prepared(bench: Bench) -> None:
    """What a pipeline leaves behind that is broken off while it prepares a statement."""

    def run(alone: Exclusively) -> None:
        # Inside a block the driver does not see it.
        alone.session.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")

    bench.writer.exclusively(run).result()


def test_each_writer_on_a_database_has_a_slot_of_its_own(postgres_url: str) -> None:
    Bench(postgres_url, start=False).close()
    sessions = [PostgresSession(postgres_url) for _ in range(3)]

    assert sorted(session.slot for session in sessions) == [0, 1, 2]
    sessions[1].close()
    deadline = time.monotonic() + 10
    while (again := PostgresSession(postgres_url)).slot != 1 and time.monotonic() < deadline:
        again.close()
    assert again.slot == 1
    for session in (sessions[0], sessions[2], again):
        session.close()
