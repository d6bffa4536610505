"""The waiting room: who is called by what is freed, and in which order."""

import asyncio

from tests.storage.workbench import allocate

from tekton_budget.storage.ticket import Ticket
from tekton_budget.storage.waiting import CALLED_MAX, WaitingRoom

ON_A, ON_B = frozenset({"a"}), frozenset({"b", "c"})


def room_of(number: int, balances: frozenset[str] = ON_A) -> tuple[WaitingRoom, list[Ticket]]:
    room, tickets = WaitingRoom(), [Ticket(allocate(f"w{i}"), float(i + 1)) for i in range(number)]
    for ticket in tickets:
        room.enter(ticket, balances)
    return room, tickets


def test_the_first_whom_it_concerns_are_called_and_keep_their_places() -> None:
    room, tickets = room_of(CALLED_MAX + 2)
    other = Ticket(allocate("other"), 0.5)
    room.enter(other, ON_B)

    assert room.first_deadline == 0.5
    assert room.call({"x"}) == []
    assert room.call({"a"}) == tickets[:CALLED_MAX]
    assert len(room) == 3
    for ticket in reversed(tickets[:CALLED_MAX]):
        room.enter(ticket, ON_A)
    assert room.call_on(tickets[:CALLED_MAX]) == []
    assert room.call({"b", "x"}) == [other]
    assert room.call_all() == tickets
    assert len(room) == 0


def test_the_next_are_called_once_all_are_judged_and_one_was_served() -> None:
    room, tickets = room_of(2 * CALLED_MAX + 1)
    first, second = room.call({"a"}), tickets[CALLED_MAX : 2 * CALLED_MAX]
    head, tail = first[:10], first[10:]
    for ticket in [*head[:3], *head[4:]]:  # one of the head is served
        room.enter(ticket, ON_A)
    assert room.call_on(head) == []
    for ticket in tail:
        room.enter(ticket, ON_A)
    stranger = Ticket(allocate("stranger"))

    assert room.call_on([stranger]) == []
    assert room.call_on([*tail, stranger]) == second
    for ticket in second:
        room.enter(ticket, ON_A)
    assert room.call_on(second) == []  # nobody was served
    assert room.call_on([stranger]) == []


def test_what_is_freed_while_some_are_called_begins_anew_for_both() -> None:
    room, tickets = room_of(CALLED_MAX + 1)
    other = Ticket(allocate("other"), 1.0)
    called = room.call({"a"})
    room.enter(other, ON_B)
    for ticket in called[1:]:
        room.enter(ticket, ON_A)

    assert room.call({"c"}) == tickets[1:]
    assert len(room) == 1  # the other comes after them


def test_a_task_that_went_away_is_not_called() -> None:
    async def leave() -> tuple[WaitingRoom, list[Ticket]]:
        room, tickets = room_of(3)
        tickets[0]._future.cancel()
        return room, tickets

    room, tickets = asyncio.run(leave())
    assert room.call({"a"}) == []  # nor are the others: their loop is closed
    room, tickets = room_of(1)
    assert room.call_all() == tickets
