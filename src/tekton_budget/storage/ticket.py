"""A ticket: a place in the writer's queue, whose answer a thread waits for or a task awaits."""

import asyncio
from _thread import allocate_lock
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from tekton_budget.domain.command import Command
from tekton_budget.storage.cache import Cache
from tekton_budget.storage.session import Session

log = structlog.get_logger(__name__)

A = TypeVar("A")

_NONE_YET = object()


@dataclass(slots=True)
class Exclusively:
    """What exclusive work is given: the session inside its transaction, and what is in force."""

    session: Session
    cache: Cache
    now_us: int
    batch_id: str


@dataclass(frozen=True, slots=True)
class Exclusive(Generic[A]):
    """Work that no batch may run beside: a change of policies, alone in its transaction."""

    run: Callable[[Exclusively], A]
    id: str = ""


class Ticket(Generic[A]):
    """A place in the queue. Taken in a task it is awaited, elsewhere `result` waits for it."""

    __slots__ = (
        "_answer",
        "_answered",
        "_future",
        "deadline",
        "loop",
        "place",
        "waits_on",
        "work",
    )

    def __init__(self, work: Command | Exclusive[A], deadline: float = 0.0) -> None:
        self.work = work
        self.deadline = deadline  # until when a denied ask may wait for room
        self.place = 0  # among those who wait, once it does
        self.waits_on: frozenset[str] = frozenset()  # the balances that stand in its way
        self.loop: asyncio.AbstractEventLoop | None = asyncio._get_running_loop()  # noqa: SLF001  (None outside of a task)
        self._answer: object = _NONE_YET
        self._answered: Any = None  # a lock, which is the cheapest thing that a thread can wait for
        self._future: Any = None  # its answers have many types
        if self.loop is None:
            self._answered = allocate_lock()
            self._answered.acquire()
        else:
            self._future = self.loop.create_future()

    def result(self, timeout: float = -1) -> A:
        """Wait in this thread. Refusals are raised; so is `TimeoutError` where a time is given."""
        if self._answered is None:
            return self._told(self._future.result())
        if not self._answered.acquire(timeout=timeout):
            raise TimeoutError
        self._answered.release()  # for whoever else waits for the same ticket
        return self._told(self._answer)

    def __await__(self) -> Generator[Any, None, A]:
        """Wait in this task. Refusals are raised."""
        answer = yield from self._future.__await__()
        return self._told(answer)

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits any more."""
        if self.loop is None:
            return False
        return self.loop.is_closed() or bool(self._future.cancelled())

    def resolve(self, answer: object) -> None:
        """Give the answer, once: in the ticket's own loop, or from any thread if it has none."""
        if self._answered is None:
            if not self._future.done():
                self._future.set_result(answer)
        elif self._answer is _NONE_YET:
            self._answer = answer
            self._answered.release()

    def _told(self, answer: object) -> A:
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[return-value]  # what the work answers


def deliver(answered: Sequence[tuple[Ticket[Any], object]]) -> None:
    """Hand out answers: every thread at once, every event loop in one wake-up."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Ticket[Any], object]]] = {}
    for ticket, answer in answered:
        if ticket.loop is None:
            ticket.resolve(answer)
        else:
            by_loop.setdefault(ticket.loop, []).append((ticket, answer))
    for loop, answers in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, answers)
        except RuntimeError:  # the loop is closed: nobody waits any more
            log.info("answers_unclaimed", count=len(answers))


def _resolve(answered: Sequence[tuple[Ticket[Any], object]]) -> None:
    for ticket, answer in answered:
        ticket.resolve(answer)
