"""The writer: commands queue up, and one thread takes all that wait as one durable batch."""

import gc
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from tekton_budget.domain.answer import Answer, Waiting
from tekton_budget.domain.command import Allocate, Command, Expire, LedgerSettings, Together
from tekton_budget.domain.errors import BudgetError, Unavailable
from tekton_budget.storage.batch import Batches
from tekton_budget.storage.cache import Cache
from tekton_budget.storage.loading import Clock
from tekton_budget.storage.session import CommitUnanswered, Session, StoreAway
from tekton_budget.storage.ticket import Exclusive, Exclusively, Ticket, deliver
from tekton_budget.storage.waiting import WaitingRoom

__all__ = ["Exclusively", "Ticket", "Writer"]

log = structlog.get_logger(__name__)

BATCH_MAX = 256
BATCH_MIN = 64  # below that the wait for the disk is what takes the time
BATCH_SECONDS = 0.05  # a transaction may hold its locks so long
QUEUE_MAX = 20_000
POLL_SECONDS = 0.2  # how often waiting asks look again for room that other processes made

A = TypeVar("A")
Watch = Callable[[Sequence[object], float, int], None]  # answers, seconds, how many wait


class Writer:
    """One thread, one connection, one queue. Every change of the ledger goes through here."""

    def __init__(
        self,
        connect: Callable[[], Session],
        settings: LedgerSettings,
        *,
        clock: Clock | None = None,
        batch_max: int = BATCH_MAX,
        queue_max: int = QUEUE_MAX,
    ) -> None:
        self._runs = Batches(connect, settings, clock)
        self._batch_max = self._batch_limit = batch_max
        self._queue_max = queue_max
        self._queue: deque[Ticket[Any]] = deque()
        self._waiting = WaitingRoom()
        self._poll_at = 0.0
        self._wake = threading.Condition()
        self._stopping = False
        self._patient = True  # whether asks may wait for room
        self._busy = 0
        self.batches = 0
        self.commands = 0
        self.watch: Watch | None = None
        self._last: tuple[Sequence[object], float] | None = None
        self._thread = threading.Thread(target=self._work, name="budget-writer", daemon=True)

    @property
    def cache(self) -> Cache:
        """The policies and prices that the last batch was judged by."""
        return self._runs.cache

    def start(self) -> None:
        """Connect, so that a store that is away is told at once, and begin to take commands."""
        try:
            self._runs.connect()
        except StoreAway as error:
            raise Unavailable(
                f"The store cannot be opened: {error}", code="store_away", retry_after_seconds=2
            ) from error
        self._thread.start()

    def stop(self) -> None:
        """Answer all that was taken, take no more, and let go of the store."""
        with self._wake:
            self._stopping = True
            self._runs.hurried = True
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def end_waiting(self) -> None:
        """Judge those that wait for room once more, and let nobody wait from now on."""
        with self._wake:
            self._patient = False
            self._wake.notify_all()

    @property
    def queue_length(self) -> int:
        """Commands taken and not yet answered."""
        return len(self._queue) + len(self._waiting) + self._busy

    @property
    def queue_max(self) -> int:
        """Commands that may wait."""
        return self._queue_max

    @property
    def is_working(self) -> bool:
        """Whether it takes commands."""
        return self._thread.is_alive() and not self._stopping

    def submit(self, command: Command) -> Ticket[Answer]:
        """Queue one command; raises `Unavailable` when the queue is full or the writer stops."""
        wait_us = command.wait_us if isinstance(command, Allocate) else 0
        deadline = time.monotonic() + wait_us / 1_000_000 if wait_us else 0.0
        return self._put(Ticket(command, deadline))

    def exclusively(self, run: Callable[[Exclusively], A], id_: str = "") -> Ticket[A]:
        """Queue work that runs alone, in a transaction of its own."""
        return self._put(Ticket(Exclusive(run, id_)))

    def _put(self, ticket: Ticket[A]) -> Ticket[A]:
        with self._wake:
            if self._stopping:
                raise Unavailable(
                    "The service is stopping; ask again under the same id.", id=ticket.work.id
                )
            if len(self._queue) + len(self._waiting) >= self._queue_max:
                raise Unavailable(
                    f"{self._queue_max} commands wait already; ask again under the same id.",
                    code="queue_full",
                    id=ticket.work.id,
                )
            self._queue.append(ticket)
            self._wake.notify()
        return ticket

    # The thread ---------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            tickets = self._take()
            if tickets is None:
                break
            try:
                self._run(tickets)
            except Exception as error:  # noqa: BLE001  (the edge of the loop)
                _tell_of("batch_failed", error)
                deliver([(ticket, _fault(error, ticket)) for ticket in tickets])
            self._busy = 0
        self._runs.close()

    def _take(self) -> list[Ticket[Any]] | None:
        """All that wait, up to a batch; exclusive work comes alone. `None`: time to end."""
        with self._wake:
            while True:
                if self._waiting and (not self._may_wait or time.monotonic() >= self._poll_at):
                    self._requeue()
                if self._queue:
                    return self._taken()
                if self._stopping:
                    return None
                self._wake.wait(self._poll_at - time.monotonic() if self._waiting else None)

    @property
    def _may_wait(self) -> bool:
        return self._patient and not self._stopping

    def _taken(self) -> list[Ticket[Any]]:
        tickets = [self._queue.popleft()]
        weight = _weight(tickets[0].work)
        while self._queue and not isinstance(tickets[0].work, Exclusive):
            work = self._queue[0].work
            weight += _weight(work)
            if isinstance(work, Exclusive) or weight > self._batch_limit:
                break
            tickets.append(self._queue.popleft())
        self._busy = len(tickets)
        return tickets

    def _requeue(self) -> None:
        """Let the asks that wait for room be judged again, first come first served."""
        self._queue_first(self._waiting.call_all())

    def _queue_first(self, tickets: Sequence[Ticket[Any]]) -> None:
        """Before all others; whoever has waited long enough asks without waiting."""
        now = time.monotonic()
        for ticket in tickets:
            if not self._may_wait or now >= ticket.deadline:
                ticket.deadline = 0.0
        self._queue.extendleft(reversed(tickets))

    def _run(self, tickets: Sequence[Ticket[Any]]) -> None:
        first = tickets[0].work
        if isinstance(first, Exclusive):
            self._answer(tickets, lambda: [self._runs.run_alone(first)])
            return
        dry = [t for t in tickets if _is_dry(t.work)]
        real = [t for t in tickets if not _is_dry(t.work)]
        if dry:
            self._answer(dry, lambda: self._runs.run([_command(t) for t in dry], dry_run=True))
        if real:
            self._answer(real, lambda: self._batch(real))
            self._show()

    def _show(self) -> None:
        """Let whoever watches see the last batch, once its callers have their answers."""
        last, self._last = self._last, None
        if last is not None and self.watch is not None:
            self.watch(*last, len(self._queue))

    def _batch(self, tickets: Sequence[Ticket[Any]]) -> Sequence[object]:
        """One batch; the next are smaller if it held its locks for long, and larger again if not.

        How long it waited for others' locks says nothing: smaller ones would only wait more often.
        """
        began = time.monotonic()
        with _collector_paused():
            answers = self._runs.run([_command(t) for t in tickets])
        ended = time.monotonic()
        took = ended - self._runs.locked_at
        self.batches += 1
        self.commands += len(tickets)
        self._last = (answers, ended - began)
        if took > BATCH_SECONDS and 2 * len(tickets) > self._batch_limit:
            least = min(BATCH_MIN, self._batch_max)
            self._batch_limit = max(least, min(self._batch_limit, len(tickets)) * 3 // 4)
        elif took < BATCH_SECONDS / 2:
            self._batch_limit = min(self._batch_max, self._batch_limit * 3 // 2)
        return answers

    def _answer(self, tickets: Sequence[Ticket[Any]], run: Callable[[], Sequence[object]]) -> None:
        """Run; where one command breaks the batch, each runs alone, so that only it fails."""
        try:
            answers = run()
        except (StoreAway, CommitUnanswered) as error:
            deliver([(ticket, _away(error, ticket)) for ticket in tickets])
        except Exception as error:  # noqa: BLE001  (whatever it is, it must not take others along)
            if len(tickets) == 1:
                _tell_of("command_failed", error, id=tickets[0].work.id)
                deliver([(tickets[0], _fault(error, tickets[0]))])
                return
            log.warning("batch_taken_apart", commands=len(tickets), cause=str(error))
            for ticket in tickets:
                self._run([ticket])
        else:
            self._sort(tickets, answers)

    def _sort(self, tickets: Sequence[Ticket[Any]], answers: Sequence[object]) -> None:
        """Hand out what is answered; what would rather wait does, until something is freed."""
        told = []
        for ticket, answer in zip(tickets, answers, strict=True):
            if isinstance(answer, Waiting):
                self._waiting.enter(ticket, answer.balances)
            else:
                told.append((ticket, answer))
        deliver(told)
        if not self._waiting:
            return
        now = time.monotonic()
        if isinstance(tickets[0].work, Exclusive):
            self._poll_at = 0.0
        elif self._poll_at <= now:
            self._poll_at = now + POLL_SECONDS
        freed = self._runs.freed()
        waiting = self._waiting
        self._queue_first(waiting.call(freed) if freed else waiting.call_on(tickets))
        if waiting:
            self._poll_at = min(self._poll_at, waiting.first_deadline)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """A batch makes thousands of objects and no cycles; to look for those took 40 % of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _command(ticket: Ticket[Any]) -> Command:
    """The ticket's command; once its time to wait is over, it asks without waiting."""
    command = ticket.work
    assert isinstance(command, Command)
    if isinstance(command, Allocate) and command.wait_us and ticket.deadline == 0.0:
        return replace(command, wait_us=0)
    return command


def _weight(work: object) -> int:
    """How many commands' work it is."""
    if isinstance(work, Together):
        return sum(map(_weight, work.commands))
    return len(work.allocations) if isinstance(work, Expire) else 1


def _is_dry(work: object) -> bool:
    if isinstance(work, Together):
        return any(map(_is_dry, work.commands))
    return isinstance(work, Allocate) and work.dry_run


def _away(error: StoreAway | CommitUnanswered, ticket: Ticket[Any]) -> Unavailable:
    if isinstance(error, CommitUnanswered):
        return Unavailable(
            "The store did not say whether this was written; ask again under the same id to learn.",
            code="outcome_unknown",
            retry_after_seconds=2,
            id=ticket.work.id,
            cause=str(error),
        )
    return Unavailable(
        f"The store is away ({error}); nothing was changed. Ask again under the same id.",
        code="store_away",
        retry_after_seconds=2,
        id=ticket.work.id,
        cause=str(error),
    )


def _tell_of(event: str, error: Exception, **facts: str) -> None:
    """With the trace as text: a renderer that shows the locals of a batch takes seconds for it."""
    log.error(event, **facts, trace="".join(traceback.format_exception(error)))


def _fault(error: Exception, ticket: Ticket[Any]) -> BaseException:
    if isinstance(error, BudgetError):
        return error
    fault = RuntimeError(f"the command {ticket.work.id!r} could not be executed: {error}")
    fault.__cause__ = error
    return fault
