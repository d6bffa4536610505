"""The writer: batches, retries, waiting asks, dry runs and work that runs alone, on both stores."""

import asyncio
import hashlib
import json
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import pytest
from tests.storage.workbench import (
    HOUR_US,
    NOON_US,
    SECOND_US,
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

from tekton_budget.domain.allocation import OnExpiry
from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.answer import Credited, Denial, Ended, Grant, Recorded, Several
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.command import AuditNote, Expire, Extend, Fit, GiveCredit, Together
from tekton_budget.domain.errors import BudgetError, Conflict, InvalidInput, NotFound, Unavailable
from tekton_budget.domain.ledger import execute
from tekton_budget.domain.policy import Budget
from tekton_budget.domain.scope import Scope
from tekton_budget.storage import appending, batch, tables, writer
from tekton_budget.storage.batch import Batches
from tekton_budget.storage.waiting import CALLED_MAX
from tekton_budget.storage.writer import Writer


def whole_store(bench: Bench) -> str:
    """A hash of every row of every table."""
    digest = hashlib.sha256()
    for table in tables.metadata.sorted_tables:
        names = ", ".join(column.name for column in table.columns)
        for row in sorted(map(repr, bench.rows(f"SELECT {names} FROM {table.name}"))):
            digest.update(f"{table.name}{row}".encode())
    return digest.hexdigest()


# Retries -----------------------------------------------------------------------------------------


def test_a_retry_gets_the_first_answer_and_changes_nothing(bench: Bench) -> None:
    policy = bench.policy("purse", "10usd/day")
    first = [bench.run(command) for command in (allocate("one"), settle("one", "0.4"))]
    before = whole_store(bench)

    again = [bench.run(command) for command in (allocate("one"), settle("one", "0.4"))]

    assert again == first
    assert [type(answer) for answer in first] == [Grant, Ended]
    assert whole_store(bench) == before
    assert bench.balance(policy).spent == Amounts(80, nano("0.4"), 1)


def test_a_retry_in_another_process_gets_the_first_answer(store_url: str, clock: Clock) -> None:
    with Bench(store_url, clock=clock) as first, Bench(store_url, clock=clock) as second:
        first.policy("purse", "10usd/day")
        answers = [first.run(allocate("one")), first.run(settle("one")), first.run(record("two"))]

        assert [
            second.run(command) for command in (allocate("one"), settle("one"), record("two"))
        ] == answers
        second.check()


def test_an_id_used_with_other_content_is_refused_and_named(bench: Bench) -> None:
    bench.policy("purse", "10usd/day")
    bench.run(allocate("one"))
    bench.run(record("usage"))

    refused = bench.run(allocate("one", "2"))
    assert isinstance(refused, Conflict)
    assert (refused.code, refused.fields[0].field) == ("id_reused", "cost")
    assert bench.run(record("usage", "2")).code == "id_reused"


def test_copies_of_a_command_in_one_batch_count_once(bench: Bench) -> None:
    policy = bench.policy("purse", "10usd/day")

    asks = bench.together(*[allocate("one")] * 3, allocate("one", "2"))
    assert asks[0] == asks[1] == asks[2]
    assert asks[3].code == "id_reused"
    ends = bench.together(settle("one"), settle("one"), record("two"), record("two"))

    assert ends[0] == ends[1]
    assert ends[2] == ends[3]
    assert bench.balance(policy).spent == Amounts(80 + 60, nano(2), 2)


def test_a_whole_life_in_one_batch(bench: Bench) -> None:
    policy = bench.policy("purse", "10usd/day")

    answers = bench.together(
        allocate("one", 4),
        record("part", 1, allocation_id="one"),
        Extend("later", LOCAL, "{}", "one", lifetime_us=HOUR_US),
        settle("one", 1),
        settle("one", 1),
        allocate("one", 4),
    )

    assert [type(answer) for answer in answers] == [Grant, Recorded, Ended, Ended, Ended, Grant]
    assert answers[3] == answers[4]
    assert answers[5] == answers[0]
    assert bench.run(settle("one", 1)) == answers[3]
    assert bench.balance(policy).spent.cost_nano == nano(2)
    assert bench.balance(policy).held == NOTHING


def test_a_denial_is_judged_afresh(bench: Bench) -> None:
    bench.policy("purse", "1usd/day")
    bench.run(allocate("one", 1))
    assert isinstance(bench.run(allocate("two", 1)), Denial)

    bench.run(release("one"))

    assert isinstance(bench.run(allocate("two", 1)), Grant)


def test_a_usage_id_counts_once_even_after_its_answer_is_forgotten(bench: Bench) -> None:
    policy = bench.policy("purse", "10usd/day")
    bench.run(record("usage"))
    bench.run(allocate("one"))
    bench.run(settle("one", record_id="r"))
    session = bench.store.connect()
    session.execute("DELETE FROM answers")
    session.close()

    assert bench.run(record("usage")).code == "id_reused"
    bench.run(allocate("two"))
    refused = bench.run(settle("two", record_id="usage"))
    assert (refused.code, refused.fields[0].field) == ("id_reused", "record_id")
    assert isinstance(bench.run(allocate("one")), Grant)
    assert isinstance(bench.run(settle("one", record_id="r")), Ended)
    assert bench.balance(policy).spent.cost_nano == nano(2)


def test_one_usage_id_for_two_commands_of_a_batch_refuses_only_the_second(bench: Bench) -> None:
    policy = bench.policy("purse", "10usd/day")
    bench.together(allocate("one"), allocate("two"), allocate("three"))

    answers = bench.together(
        settle("one", record_id="same"), settle("two", record_id="same"), settle("three")
    )

    assert [type(answer) for answer in answers] == [Ended, Conflict, Ended]
    assert bench.balance(policy).spent.cost_nano == nano(2)
    assert isinstance(bench.run(settle("two", record_id="other")), Ended)


def test_one_usage_id_twice_in_commands_that_stand_together_refuses_all(bench: Bench) -> None:
    both = Together("both", LOCAL, "", (record("same"), record("other"), record("same", "2")))

    assert bench.run(both).code == "id_reused"
    assert bench.rows("SELECT count(*) FROM usage") == [(0,)]


# Together ----------------------------------------------------------------------------------------


def test_commands_together_hold_all_or_none(bench: Bench) -> None:
    policy = bench.policy("purse", "3usd/day")
    asks = tuple(allocate(id_, 1) for id_ in ("a", "b"))

    assert isinstance(bench.run(Together("both", LOCAL, "", asks)), Several)
    denied = bench.run(Together("more", LOCAL, "", (allocate("c", 1), allocate("d", 1))))
    refused = bench.run(Together("bad", LOCAL, "", (settle("a", 1), settle("unknown", 1))))

    assert isinstance(denied, Denial)
    assert isinstance(refused, NotFound)
    assert refused.extra["index"] == 1
    assert bench.balance(policy).held.cost_nano == nano(2)
    assert bench.balance(policy).spent == NOTHING
    assert isinstance(bench.run(settle("a", 1)), Ended)


def test_a_dry_run_inside_makes_all_that_stands_together_dry(bench: Bench) -> None:
    bench.policy("purse", "3usd/day")
    bench.run(allocate("zero", 1))
    before = whole_store(bench)

    asks = (allocate("a", 1), replace(allocate("b", 1), dry_run=True))
    assert isinstance(bench.run(Together("both", LOCAL, "", asks)), Several)

    assert whole_store(bench) == before


# Dry runs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cost", [1, 5])
def test_a_dry_run_answers_what_the_real_one_would_and_leaves_no_trace(
    bench: Bench, clock: Clock, cost: int
) -> None:
    bench.policy("purse", "3usd/day", per=("user",))
    labels = {"user": 'new "one"'}
    bench.run(replace(allocate("old", 3, labels=labels), lifetime_us=SECOND_US))
    clock.now_us += 2 * SECOND_US
    before = whole_store(bench)

    dry = bench.run(replace(allocate("one", cost, labels=labels), dry_run=True))
    unknown = bench.run(replace(allocate("two", 1, labels={"user": "b"}), dry_run=True))

    assert whole_store(bench) == before
    assert isinstance(unknown, Grant)
    real = bench.run(allocate("one", cost, labels=labels))
    assert replace(dry, dry_run=False) == real


# Faults of one command ----------------------------------------------------------------------------


def test_a_command_that_cannot_be_placed_is_refused_alone(bench: Bench) -> None:
    bench.policy("purse", "10usd/day")

    answers = bench.together(
        allocate("one"), record("bad", at_us=10**18), record("worse", at_us=-1), allocate("two")
    )

    assert [type(answer) for answer in answers] == [Grant, InvalidInput, InvalidInput, Grant]
    assert bench.writer.batches == 1


def test_a_refusal_raised_while_judging_is_that_commands_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.policy("purse", "10usd/day")
    execute = batch.execute

    def raising(state, command):
        if command.id == "poison":
            raise InvalidInput("no")
        return execute(state, command)

    monkeypatch.setattr(batch, "execute", raising)

    answers = bench.together(allocate("one"), allocate("poison"), allocate("two"))

    assert [type(answer) for answer in answers] == [Grant, InvalidInput, Grant]
    assert bench.writer.batches == 1


def test_a_command_that_breaks_a_rule_of_ours_fails_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = bench.policy("purse", "10usd/day")
    execute = batch.execute

    def breaking(state, command):
        assert command.id != "poison", "this must hold"
        return execute(state, command)

    monkeypatch.setattr(batch, "execute", breaking)
    tickets = []
    bench.writer.exclusively(
        lambda alone: tickets.extend(
            bench.submit(allocate(id_)) for id_ in ("one", "poison", "two")
        )
    ).result()

    assert isinstance(tickets[0].result(), Grant)
    with pytest.raises(RuntimeError, match="'poison' could not be executed: this must hold"):
        tickets[1].result()
    assert isinstance(tickets[2].result(), Grant)
    assert bench.balance(policy).held.cost_nano == nano(2)


def test_a_row_that_the_store_refuses_fails_only_its_own_command(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = bench.policy("purse", "10usd/day")
    usage_row = appending.usage_row

    def without_measurement(row):
        found = list(usage_row(row))
        if row.record_id == "poison":
            found[24] = None  # measurement, which is never null
        return tuple(found)

    monkeypatch.setattr(appending, "usage_row", without_measurement)
    tickets = []
    bench.writer.exclusively(
        lambda alone: tickets.extend(bench.submit(record(id_)) for id_ in ("a", "poison", "b"))
    ).result()

    assert isinstance(tickets[0].result(), Recorded)
    with pytest.raises(RuntimeError, match="poison"):
        tickets[1].result()
    assert isinstance(tickets[2].result(), Recorded)
    assert bench.balance(policy).spent.cost_nano == nano(2)
    monkeypatch.undo()
    assert isinstance(bench.run(record("poison")), Recorded)


# Expiry before a denial ----------------------------------------------------------------------------


@pytest.mark.parametrize("group", ["alice", 'a "quoted" \\ one', "ünï:côdé"])
def test_what_is_due_does_not_stand_in_the_way(bench: Bench, clock: Clock, group: str) -> None:
    policy = bench.policy("purse", "1usd/day", per=("user",))
    labels = {"user": group}
    bench.run(replace(allocate("old", 1, labels=labels), lifetime_us=SECOND_US))
    assert isinstance(bench.run(allocate("early", 1, labels=labels)), Denial)
    clock.now_us += SECOND_US

    assert isinstance(bench.run(allocate("new", 1, labels=labels)), Grant)

    key = next(iter(bench.rows("SELECT grp FROM balances WHERE opened = 1")))[0]
    assert bench.balance(policy, key).held.cost_nano == nano(1)
    assert bench.rows("SELECT status FROM allocations WHERE id = 'old'") == [("expired",)]


def test_what_is_due_elsewhere_is_left_to_the_pass(bench: Bench, clock: Clock) -> None:
    bench.policy("mine", "1usd/day", {"team": "a"})
    bench.policy("other", "1usd/day", {"team": "b"})
    bench.run(replace(allocate("old", 1, labels={"team": "b"}), lifetime_us=SECOND_US))
    bench.run(allocate("held", 1, labels={"team": "a"}))
    clock.now_us += SECOND_US

    assert isinstance(bench.run(allocate("new", 1, labels={"team": "a"})), Denial)

    assert bench.rows("SELECT status FROM allocations WHERE id = 'old'") == [("active",)]


def test_more_than_one_round_of_due_holds_is_expired(
    bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "DUE_MAX", 3)
    bench.policy("purse", "1usd/day")
    bench.together(*[replace(allocate(f"old{i}", "0.1"), lifetime_us=SECOND_US) for i in range(10)])
    clock.now_us += SECOND_US

    assert isinstance(bench.run(allocate("new", 1)), Grant)


def test_a_due_hold_is_expired_even_if_its_settlement_comes_in_the_same_batch(
    bench: Bench, clock: Clock
) -> None:
    bench.policy("purse", "1usd/day")
    ask = replace(allocate("old", 1), lifetime_us=SECOND_US, on_expiry=OnExpiry.RELEASE)
    bench.run(ask)
    clock.now_us += SECOND_US

    answers = bench.together(allocate("new", 1), settle("old", "0.5"))

    assert isinstance(answers[0], Grant)
    assert answers[1].late


def test_an_expiry_pass_ends_what_is_due_and_nothing_else(bench: Bench, clock: Clock) -> None:
    policy = bench.policy("purse", "9usd/day")
    bench.run(replace(allocate("due", 1), lifetime_us=SECOND_US))
    bench.run(allocate("later", 1))
    clock.now_us += SECOND_US

    expired = bench.run(Expire("pass", LOCAL, allocations=(("", "due"), ("", "later"), ("", "x"))))

    assert expired.count == 1
    assert bench.balance(policy).held.cost_nano == nano(1)


# Windows -------------------------------------------------------------------------------------------


def test_a_window_that_turns_while_locks_are_taken_is_not_missed(
    store_url: str, clock: Clock
) -> None:
    looks = []

    def turning(session: object) -> int:
        looks.append(1)
        return NOON_US + HOUR_US - (1 if len(looks) == 1 else 0)

    with Bench(store_url, clock=clock) as bench:
        policy = bench.policy("purse", "1usd/hour")
        bench.run(allocate("one", 1))
    turns = Writer(bench.store.connect, bench.settings, clock=turning)
    turns.start()

    answer = turns.submit(allocate("two", 1)).result()

    turns.stop()
    assert isinstance(answer, Grant)
    assert len(looks) == 4
    with Bench(store_url, clock=clock) as bench:
        assert bench.balance(policy).opens_us == NOON_US + HOUR_US
        bench.check()


# Waiting asks --------------------------------------------------------------------------------------


def test_an_ask_that_waits_is_granted_when_room_is_made(bench: Bench) -> None:
    bench.policy("purse", "1usd/day")
    bench.run(allocate("one", 1))
    waiting = bench.submit(replace(allocate("two", 1), wait_us=60 * SECOND_US))
    assert isinstance(bench.run(allocate("three", 1)), Denial)  # others are not held up
    assert bench.writer.queue_length == 1

    bench.run(release("one"))

    assert isinstance(waiting.result(timeout=20), Grant)
    assert bench.rows("SELECT sum(count) FROM decisions") == [(1,)]


def test_asks_that_wait_are_served_in_their_order(bench: Bench) -> None:
    bench.policy("purse", "1usd/day")
    bench.run(allocate("one", 1))
    waiting = [
        bench.submit(replace(allocate(f"w{i}", 1), wait_us=60 * SECOND_US)) for i in range(3)
    ]
    for before, ticket in zip(["one", "w0", "w1"], waiting, strict=True):
        bench.run(release(before))
        assert isinstance(ticket.result(timeout=20), Grant)


def test_an_ask_that_waits_sees_what_another_process_frees(store_url: str, clock: Clock) -> None:
    with Bench(store_url, clock=clock) as bench, Bench(store_url, clock=clock) as other:
        bench.policy("purse", "1usd/day")
        bench.run(allocate("one", 1))
        waiting = bench.submit(replace(allocate("two", 1), wait_us=60 * SECOND_US))
        bench.run(record("passing by", 0))

        other.run(release("one"))

        assert isinstance(waiting.result(timeout=20), Grant)


def test_an_ask_that_waited_long_enough_is_denied_and_counted_once(bench: Bench) -> None:
    bench.policy("purse", "1usd/day")
    bench.run(allocate("one", 1))

    denied = bench.submit(replace(allocate("two", 1), wait_us=SECOND_US // 20)).result(timeout=20)

    assert isinstance(denied, Denial)
    assert bench.rows("SELECT sum(count) FROM decisions") == [(1,)]
    assert bench.writer.queue_length == 0


def test_asks_wait_beside_a_busy_queue_no_longer_than_they_would(bench: Bench) -> None:
    bench.policy("purse", "1usd/day")
    bench.run(allocate("one", 1))
    waiting = bench.submit(replace(allocate("two", 1), wait_us=SECOND_US // 20))
    stop = threading.Event()
    last = []

    def keep_busy() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            last[:] = [bench.submit(record(f"busy{number}", 0))]
            if number % 100 == 0:
                last[0].result(timeout=60)  # the queue has an end, but never a gap

    thread = threading.Thread(target=keep_busy)
    thread.start()
    try:
        assert isinstance(waiting.result(timeout=30), Denial)
    finally:
        stop.set()
        thread.join()
        last[0].result(timeout=60)


def test_stopping_answers_those_who_wait(store_url: str, clock: Clock) -> None:
    bench = Bench(store_url, clock=clock)
    bench.policy("purse", "1usd/day")
    bench.run(allocate("one", 1))
    waiting = bench.submit(replace(allocate("two", 1), wait_us=300 * SECOND_US))

    bench.close()

    assert isinstance(waiting.result(timeout=1), Denial)
    with pytest.raises(Unavailable, match="stopping") as refused:
        bench.submit(allocate("three"))
    assert refused.value.extra["id"] == "three"


def test_room_is_not_held_for_a_task_that_went_away(bench: Bench) -> None:
    policy = bench.policy("purse", "1usd/day")
    bench.run(allocate("one", 1))

    async def leave() -> None:
        ticket = bench.submit(replace(allocate("two", 1), wait_us=300 * SECOND_US))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_answer(ticket), 0.05)

    asyncio.run(leave())
    bench.run(release("one"))
    bench.run(record("later", 0))

    assert bench.balance(policy).held == NOTHING


def waiting_clamp(id_: str, cost: str | int, wait_us: int = 60 * SECOND_US, **fields):
    ask = allocate(id_, cost, **fields)
    return replace(ask, tokens=None, fit=Fit.CLAMP, wait_us=wait_us)


def let_it_settle(bench: Bench, name: str) -> None:
    """Until whoever was called has been judged, and who is called after them."""
    for number in range(4):
        bench.run(record(f"{name}{number}", 0))


def test_a_clamp_waits_for_more_than_a_crumb(bench: Bench) -> None:
    bench.policy("purse", "1usd/day")
    bench.run(allocate("one", "0.99"))
    waiting = bench.submit(waiting_clamp("two", "0.60"))
    assert isinstance(bench.run(waiting_clamp("three", "0.02")), Grant)  # of which half is there
    assert bench.writer.queue_length == 1

    bench.run(release("one"))

    assert waiting.result(timeout=20).granted.cost_nano == nano("0.60")


def test_a_clamp_takes_what_there_is_when_its_time_is_up_or_no_hold_is_in_the_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "POLL_SECONDS", 60.0)
    bench.policy("purse", "1usd/day")
    bench.run(allocate("one", "0.90"))

    soon = bench.submit(waiting_clamp("two", "0.60", SECOND_US // 20)).result(timeout=20)
    waiting = bench.submit(waiting_clamp("three", "0.60"))
    bench.run(release("two"))
    bench.run(settle("one", "0.90"))  # spent now, all of it

    assert soon.granted.cost_nano == nano("0.10")
    assert waiting.result(timeout=20).granted.cost_nano == nano("0.10")


def test_a_release_judges_few_of_many_who_wait_and_first_those_who_came_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "POLL_SECONDS", 60.0)
    bench.policy("purse", "1usd/day")
    bench.together(allocate("one", "0.95"), allocate("few", "0.05"))
    tickets = [bench.submit(waiting_clamp(f"w{i}", "0.90")) for i in range(3 * CALLED_MAX)]
    let_it_settle(bench, "came")
    judged: list[str] = []

    def counted(state, command):
        judged.append(command.id)
        return execute(state, command)

    monkeypatch.setattr(batch, "execute", counted)

    bench.run(release("few"))
    let_it_settle(bench, "few")
    asked = [id_ for id_ in judged if id_.startswith("w")]
    assert asked == [f"w{i}" for i in range(CALLED_MAX)]

    judged.clear()
    bench.run(release("one"))
    let_it_settle(bench, "one")
    asked = [id_ for id_ in judged if id_.startswith("w")]
    assert asked == [f"w{i}" for i in range(2 * CALLED_MAX)]  # one was served, so more are asked
    assert tickets[0].result(timeout=20).granted.cost_nano == nano("0.90")


def test_all_who_wait_are_served_where_there_is_room_for_all(
    store_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "POLL_SECONDS", 60.0)
    with Bench(store_url, clock=clock, batch_max=10) as bench:
        bench.policy("purse", "1usd/day")
        bench.run(allocate("one", 1))
        waiting = [
            bench.submit(replace(allocate(f"w{i}", "0.01"), wait_us=60 * SECOND_US))
            for i in range(2 * CALLED_MAX + 5)
        ]
        bench.run(release("one"))

        assert all(isinstance(ticket.result(timeout=20), Grant) for ticket in waiting)


def test_who_waits_is_called_by_a_credit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "POLL_SECONDS", 60.0)
    policy = bench.policy("purse", "1usd/day")
    bench.run(record("spent", 1))
    waiting = bench.submit(replace(allocate("two", 1), wait_us=60 * SECOND_US))

    bench.run(GiveCredit("more", LOCAL, "", policy.policy_id, amounts=Amounts(0, nano(1), 0)))

    assert isinstance(waiting.result(timeout=20), Grant)


def test_nobody_waits_for_a_hold_past_its_time(bench: Bench, clock: Clock) -> None:
    bench.policy("purse", "1usd/day")
    bench.run(allocate("one", 1, lifetime_us=60 * SECOND_US))
    waiting = bench.submit(replace(allocate("two", 1), wait_us=60 * SECOND_US))
    bench.run(record("sync", 0))

    clock.now_us += 60 * SECOND_US

    assert isinstance(waiting.result(timeout=20), Grant)


def test_a_busy_queue_sees_what_another_process_frees(store_url: str, clock: Clock) -> None:
    with Bench(store_url, clock=clock) as bench, Bench(store_url, clock=clock) as other:
        bench.policy("purse", "1usd/day")
        bench.run(allocate("one", 1))
        waiting = bench.submit(replace(allocate("two", 1), wait_us=60 * SECOND_US))
        other.run(release("one"))
        give_up, number, answers = time.monotonic() + 10, 0, []
        while not answers and time.monotonic() < give_up:
            bench.run(record(f"busy{number}", 0))
            number += 1
            with suppress(TimeoutError):
                answers.append(waiting.result(timeout=0))

        assert isinstance(answers[0], Grant)


def test_what_others_wait_for_keeps_nobody_from_what_is_freed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "POLL_SECONDS", 60.0)
    bench.policy("a", "1usd/day", {"team": "a"})
    bench.policy("b", "1usd/day", {"team": "b"})
    for team in "ab":
        bench.run(allocate(f"held {team}", 1, labels={"team": team}))
    for i in range(CALLED_MAX + 1):
        bench.submit(waiting_clamp(f"a{i}", 1, labels={"team": "a"}))
    waiting = bench.submit(waiting_clamp("b", 1, labels={"team": "b"}))

    bench.run(release("held b"))

    assert isinstance(waiting.result(timeout=20), Grant)


async def _answer(ticket):
    return await ticket


# The queue ------------------------------------------------------------------------------------------


def test_tasks_await_what_threads_wait_for(bench: Bench) -> None:
    bench.policy("purse", "10usd/day")

    async def both() -> list[object]:
        tickets = [bench.submit(allocate(id_)) for id_ in ("one", "two")]
        return [await ticket for ticket in tickets]

    assert [type(answer) for answer in asyncio.run(both())] == [Grant, Grant]


def test_a_full_queue_is_told_with_the_id_to_ask_again(store_url: str, clock: Clock) -> None:
    bench = Bench(store_url, clock=clock, queue_max=2, start=False)
    tickets = [bench.submit(allocate(id_)) for id_ in ("one", "two")]

    with pytest.raises(Unavailable) as full:
        bench.submit(allocate("three"))

    assert (full.value.code, full.value.extra["id"]) == ("queue_full", "three")
    bench.writer.start()
    assert all(isinstance(told(ticket), Grant) for ticket in tickets)
    bench.close()


def test_stopping_answers_all_that_was_taken(store_url: str, clock: Clock) -> None:
    bench = Bench(store_url, clock=clock)
    bench.policy("purse", "100usd/day")
    tickets = [bench.submit(allocate(f"a{i}", "0.01")) for i in range(300)]

    bench.close()

    assert Counter(type(ticket.result(timeout=0)) for ticket in tickets) == {Grant: 300}


def test_long_batches_make_the_next_ones_smaller(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BATCH_SECONDS", 0.0)
    bench.policy("purse", "100usd/day")
    for start in range(0, 1000, 250):
        bench.together(*[record(f"r{start + i}", 0) for i in range(250)])

    assert bench.writer.commands == 1000
    assert bench.writer.batches > 8


def test_waiting_for_the_locks_of_others_makes_no_batch_smaller(
    store_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every process would take less at a time the more of them there are, and all be slower."""
    ticking = SimpleNamespace(monotonic=lambda: ticking.now, sleep=time.sleep, now=0.0)
    monkeypatch.setattr(writer, "time", ticking)
    monkeypatch.setattr(batch, "time", ticking)

    def contended(store):
        session = store.connect()
        name = "lock_balances" if store.is_postgresql else "begin"
        lock = getattr(session, name)

        def waited(*args, **options):
            ticking.now += 60.0
            return lock(*args, **options)

        setattr(session, name, waited)
        return session

    with Bench(store_url, clock=clock, connect=contended) as bench:
        bench.policy("purse", "100usd/day")
        for start in range(0, 1000, 250):
            bench.together(*[allocate(f"a{start + i}", "0.01") for i in range(250)])

        assert bench.writer.batches == 4


@pytest.mark.parametrize("policies", [1, 10])
def test_a_batch_takes_the_same_statements_whatever_its_size(
    store_url: str, clock: Clock, policies: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BATCH_SECONDS", 60.0)
    counts: list[int] = []

    def counting(store):
        session = store.connect()
        for name in ("execute", "write", "by_keys", "lock_balances", "commit", "begin", "fetch"):
            _count_calls(session, name, counts)
        append = session.append
        session.append = lambda writes: (counts.extend([1] * len(writes)), append(writes))[1]
        return session

    with Bench(store_url, clock=clock, connect=counting) as bench:
        for number in range(policies):
            bench.policy(f"p{number}", "1000usd/day", per=("user",) if number % 3 else ())
        found = []
        for size in (2, 1, 200):
            ids = [f"{size}-{i}" for i in range(size)]
            counts.clear()
            bench.together(*[allocate(i, "0.1", labels={"user": f"{size}{i}"}) for i in ids])
            bench.together(*[settle(i, "0.1") for i in ids])
            found.append(len(counts))
        bench.check()

    assert found[1] == found[2]  # the first opened the window


def _count_calls(session, name: str, counts: list[int]) -> None:
    original = getattr(session, name)

    def counted(*args, **kwargs):
        counts.append(1)
        return original(*args, **kwargs)

    setattr(session, name, counted)


# What is told ----------------------------------------------------------------------------------------


def test_when_a_policy_last_judged_is_told_every_few_seconds(bench: Bench, clock: Clock) -> None:
    bench.policy("purse", "100usd/day")
    bench.policy("counted", "100usd/day", enabled=False)
    query = "SELECT policy_id, last_judged_us FROM policy_use"
    bench.run(allocate("one"))
    assert bench.rows(query) == [("purse", NOON_US)]
    clock.now_us += 9 * SECOND_US
    bench.run(allocate("two"))
    assert bench.rows(query) == [("purse", NOON_US)]
    clock.now_us += SECOND_US
    bench.run(record("three"))

    assert bench.rows(query) == [("purse", NOON_US + 9 * SECOND_US)]


def test_a_storm_of_denials_is_counted_whole_and_told_ten_times_a_minute(
    bench: Bench, clock: Clock
) -> None:
    bench.policy("purse", "1usd/day", per=("user",))
    for minute in range(2):
        asks = [allocate(f"{minute}-{i}", 2, labels={"user": "a"}) for i in range(30)]
        bench.together(*asks)
        bench.together(*asks)
        clock.now_us += 60 * SECOND_US

    assert bench.rows("SELECT count FROM decisions ORDER BY minute_us") == [(60,), (60,)]
    assert bench.rows("SELECT count(*) FROM decision_samples") == [(20,)]
    assert bench.rows("SELECT count(*) FROM balances") == [(0,)]  # nobody used anything


def test_only_what_was_done_is_audited(bench: Bench) -> None:
    bench.policy("purse", "1usd/day")
    note = AuditNote("credit", "policy", "purse")
    credit = GiveCredit("c1", LOCAL, "{}", "purse", "", Amounts(0, nano(1), 0), "fair", None, note)
    unknown = replace(credit, id="c2", policy_id="unknown")

    answers = bench.together(credit, credit, unknown)
    inside = bench.run(Together("t", LOCAL, "", (replace(credit, id="c3"), record("r"))))

    assert [type(answer) for answer in answers] == [Credited, Credited, NotFound]
    assert isinstance(inside, Several)
    assert bench.rows("SELECT count(*) FROM audit") == [(2,)]
    assert isinstance(bench.run(allocate("one", 2)), Grant)


# Exclusive work --------------------------------------------------------------------------------------


def test_a_change_of_policies_is_seen_by_every_writer(store_url: str, clock: Clock) -> None:
    with Bench(store_url, clock=clock) as first, Bench(store_url, clock=clock) as second:
        first.policy("purse", "10usd/day")
        assert isinstance(second.run(allocate("one", 5)), Grant)

        policy = second.policy("tight", "6usd/day")

        assert isinstance(first.run(allocate("two", 2)), Denial)
        assert first.balance(policy).held.cost_nano == nano(5)
        first.check()


def test_what_exclusive_work_saw_before_it_failed_is_forgotten(bench: Bench) -> None:
    bench.policy("purse", "10usd/day")

    def refused(changes) -> None:
        changes.start(new_policy("never", "0usd/day"), backfill=False)
        raise Conflict("no")

    def broken(changes) -> None:
        changes.start(new_policy("never", "0usd/day"), backfill=False)
        raise ZeroDivisionError

    with pytest.raises(Conflict):
        bench.change(refused)
    with pytest.raises(RuntimeError):
        bench.change(broken)

    assert isinstance(bench.run(allocate("one")), Grant)
    bench.policy("real", "0usd/day")  # takes the generation that the failed ones had taken
    assert isinstance(bench.run(allocate("two")), Denial)


def test_readers_see_policies_only_once_they_are_durable(bench: Bench) -> None:
    bench.policy("purse", "10usd/day")
    seen = []

    def looking(changes) -> None:
        changes.insert_budget(Budget("b", "b", Scope.from_json({})))
        changes.refresh()
        seen.append("b" in bench.writer.cache.policies.budgets)

    bench.change(looking)

    assert seen == [False]
    assert "b" in bench.writer.cache.policies.budgets


def test_a_ledger_that_lost_its_balances_rows_to_pruning_finds_them_missing(
    bench: Bench, clock: Clock
) -> None:
    policy = bench.policy("purse", "1usd/day")
    bench.run(allocate("one", 1))
    bench.run(release("one"))
    session = bench.store.connect()
    session.execute("DELETE FROM balances")
    session.execute("DELETE FROM journal")
    session.close()

    assert isinstance(bench.run(allocate("two", 1)), Grant)
    assert bench.balance(policy).held.cost_nano == nano(1)


def test_a_writer_never_started_stops_at_once(store_url: str) -> None:
    Bench(store_url, start=False).close()


def test_batches_can_be_driven_without_a_thread(store_url: str, clock: Clock) -> None:
    with Bench(store_url, clock=clock, start=False) as bench:
        runs = Batches(bench.store.connect, bench.settings, clock)

        (answer,) = runs.run([allocate("one")])

        runs.close()
        assert isinstance(answer, Grant)
        assert not isinstance(answer, BudgetError)


def test_what_failed_here_is_not_taken_for_what_happened_elsewhere(
    store_url: str, clock: Clock
) -> None:
    """Both changes take the same number of the policies' generation; only one of them is real."""
    with Bench(store_url, clock=clock) as first, Bench(store_url, clock=clock) as second:
        first.policy("purse", "10usd/day")

        def refused(changes) -> None:
            changes.start(new_policy("never", "10usd/day"), backfill=False)
            raise Conflict("no")

        with pytest.raises(Conflict):
            first.change(refused)
        second.change(lambda changes: changes.start(new_policy("real", "0usd/day"), backfill=False))

        assert isinstance(first.run(allocate("one")), Denial)


def test_a_threshold_is_told_once_a_window_whatever_batches_it_takes(
    bench: Bench, clock: Clock
) -> None:
    bench.policy("purse", "10usd/day", thresholds_ppm=(500_000,))
    told_of = "SELECT count(*) FROM outbox WHERE type = 'threshold.crossed'"
    for number in range(4):
        bench.run(allocate(f"a{number}", 2))
    assert bench.rows(told_of) == [(1,)]
    clock.now_us += 24 * HOUR_US
    bench.together(*[allocate(f"b{number}", 2) for number in range(4)])

    assert bench.rows(told_of) == [(2,)]


def test_how_much_of_its_limit_a_group_has_used_is_kept_up_to_date(bench: Bench) -> None:
    bench.policy("purse", "10usd/day", per=("user",))
    shares = "SELECT grp, share_permille FROM balances ORDER BY share_permille DESC"
    bench.run(allocate("a", 2, labels={"user": "a"}))
    bench.run(allocate("b", 5, labels={"user": "b"}))
    assert [row[1] for row in bench.rows(shares)] == [500, 200]

    bench.together(release("b"), settle("a", 3))

    assert [row[1] for row in bench.rows(shares)] == [300, 0]


def test_what_is_answered_is_on_disk(store_url: str) -> None:
    with Bench(store_url, start=False) as bench:
        session = bench.store.connect()
        if bench.store.is_postgresql:
            assert session.execute("SHOW synchronous_commit") == [("on",)]
            assert session.execute("SHOW transaction_isolation") == [("read committed",)]
        else:
            assert session.execute("PRAGMA synchronous") == [(2,)]
            assert session.execute("PRAGMA fullfsync") == [(1,)]
            assert session.execute("PRAGMA journal_mode") == [("wal",)]
        session.close()


# Labels that come with a usage --------------------------------------------------------------------


def labels_of(bench: Bench, id_: str = "one") -> tuple[dict[str, str], str | None]:
    rows = bench.rows(f"SELECT labels, context_id FROM allocations WHERE id = '{id_}'")
    return json.loads(rows[0][0]), rows[0][1]


def test_labels_that_came_with_a_usage_are_kept_with_the_allocation(bench: Bench) -> None:
    bench.policy("purse", "10usd/day")
    bench.run(allocate("one", 1, labels={"user": "a"}))
    bench.run(replace(record("r1", 1, allocation_id="one"), labels={"run": "x", "user": "a"}))
    assert labels_of(bench) == ({"user": "a", "run": "x"}, None)
    bench.run(record("r2", 1, allocation_id="one"))
    bench.run(replace(settle("one", 1), labels={"context_id": "c"}))

    assert labels_of(bench) == ({"user": "a", "run": "x", "context_id": "c"}, "c")
    rows = bench.rows("SELECT labels FROM usage ORDER BY no")
    assert [json.loads(row[0]).get("run") for row in rows] == ["x", "x", "x"]
    bench.check()


@pytest.mark.parametrize("made_before", [True, False])
def test_labels_of_one_batch_add_up(bench: Bench, made_before: bool) -> None:
    both = bench.policy("both", "10usd/day", {"run": "x", "session": "s"})
    if made_before:
        bench.run(allocate("one", 5))
    answers = bench.together(
        *([] if made_before else [allocate("one", 5)]),
        replace(record("r1", 1, allocation_id="one"), labels={"run": "x"}),
        replace(record("r2", 1, allocation_id="one"), labels={"session": "s"}),
        settle("one", 1),
    )

    assert not any(isinstance(answer, BudgetError) for answer in answers)
    assert labels_of(bench)[0] == {"run": "x", "session": "s"}
    assert bench.balance(both).spent.cost_nano == nano(3)
    bench.check()


def test_labels_of_commands_that_belong_together_add_up(bench: Bench) -> None:
    both = bench.policy("both", "10usd/day", {"run": "x", "session": "s"})
    parts = (
        allocate("one", 5),
        replace(record("r1", 1, allocation_id="one"), labels={"run": "x"}),
        replace(settle("one", 1), labels={"session": "s"}),
    )

    assert isinstance(bench.run(Together("t", LOCAL, "", parts)), Several)

    assert labels_of(bench)[0] == {"run": "x", "session": "s"}
    assert bench.balance(both).spent.cost_nano == nano(2)
    bench.check()


@pytest.mark.parametrize("per", [(), ("run",)])
def test_labels_that_were_refused_do_not_count_for_the_rest_of_the_batch(
    bench: Bench, per: tuple[str, ...]
) -> None:
    policy = bench.policy("each", "10usd/day", {"session": "s"}, per=per)
    both = bench.policy("both", "10usd/day", {"run": "x", "session": "s"})
    bench.run(allocate("one", 5, labels={"user": "a"}))
    refused, settled = bench.together(
        replace(record("r1", 1, allocation_id="one"), labels={"run": "x", "user": "b"}),
        replace(settle("one", 1), labels={"session": "s"}),
    )

    assert isinstance(refused, BudgetError)
    assert isinstance(settled, Ended)
    assert labels_of(bench)[0] == {"user": "a", "session": "s"}
    assert bench.balance(policy).spent.cost_nano == nano(1)
    assert bench.balance(both).spent.cost_nano == 0
    bench.check()
