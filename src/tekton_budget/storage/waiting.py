"""The waiting room: asks that wait until they fit, called first come first served."""

from bisect import insort
from collections.abc import Sequence, Set
from itertools import count, islice
from typing import Any

from tekton_budget.storage.ticket import Ticket

CALLED_MAX = 32  # at a time: what is freed serves few, and each is judged anew


class WaitingRoom:
    """Tickets in the order in which they came first, with the balances that stand in their way.

    What is freed calls the first few whom it concerns, and while one of them is served the next
    few; so a release costs the same however many wait.
    """

    def __init__(self) -> None:
        self._tickets: list[Ticket[Any]] = []  # their commands have many answers
        self._places = count(1)
        self._freed: Set[str] = frozenset()  # what the last round was called for
        self._last = 0  # the place of the last who was called; 0 ends the round
        self._served = False  # whether one of those called has his answer

    def __len__(self) -> int:
        return len(self._tickets)

    @property
    def first_deadline(self) -> float:
        """When the first of them has waited long enough."""
        return min(ticket.deadline for ticket in self._tickets)

    def enter(self, ticket: Ticket[Any], balances: frozenset[str]) -> None:
        """Wait, at the place that the ticket had before if it did."""
        if not ticket.place:
            ticket.place = next(self._places)
        ticket.waits_on = balances
        insort(self._tickets, ticket, key=lambda one: one.place)

    def call_all(self) -> list[Ticket[Any]]:
        """Everybody, in order; all leave the room."""
        everybody, self._tickets, self._last = self._tickets, [], 0
        return [ticket for ticket in everybody if not ticket.is_abandoned]

    def call(self, freed: Set[str]) -> list[Ticket[Any]]:
        """The first few in whose way one of these balances stood; they leave the room."""
        self._freed = freed | self._freed if self._last else freed
        return self._call_after(0)

    def call_on(self, judged: Sequence[Ticket[Any]]) -> list[Ticket[Any]]:
        """The next few, once all that were called are judged and one of them was served."""
        if not self._last:
            return []
        again = {id(ticket) for ticket in self._tickets}
        self._served |= any(ticket.place and id(ticket) not in again for ticket in judged)
        if all(ticket.place < self._last for ticket in judged):
            return []
        return self._call_after(self._last if self._served else None)

    def _call_after(self, place: int | None) -> list[Ticket[Any]]:
        self._served, self._last = False, 0
        if place is None:
            return []
        concerned = (t for t in self._tickets if t.place > place and t.waits_on & self._freed)
        called = list(islice(concerned, CALLED_MAX))
        if called:
            self._last = called[-1].place
            gone = {ticket.place for ticket in called}
            self._tickets = [ticket for ticket in self._tickets if ticket.place not in gone]
        return [ticket for ticket in called if not ticket.is_abandoned]
