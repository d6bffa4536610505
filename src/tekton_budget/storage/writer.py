"""The writer: commands queue up, and one thread takes all that wait as one durable batch."""

import asyncio
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import structlog
import uuid_utils

from tekton_budget.domain.answer import Answer, Denial
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.command import Allocate, Command, Expire, LedgerSettings, Together
from tekton_budget.domain.errors import BudgetError, Unavailable
from tekton_budget.domain.ledger import Outcome, State, execute
from tekton_budget.storage import tables
from tekton_budget.storage.appending import Appender
from tekton_budget.storage.cache import Cache
from tekton_budget.storage.loading import Clock, WindowTurned, load
from tekton_budget.storage.rollup import Rollup
from tekton_budget.storage.session import CommitUnanswered, Repeat, Session, StoreAway

log = structlog.get_logger(__name__)

BATCH_MAX = 256
QUEUE_MAX = 20_000
REPEATS_MAX = 8
AWAY_SECONDS = 5.0
POLL_SECONDS = 0.2  # how often waiting asks look again for room that other processes made
DUE_MAX = 500

A = TypeVar("A")


class Ticket(Generic[A]):
    """A place in the queue: its answer is waited for by a thread or awaited by a task."""

    __slots__ = ("_future", "_loop", "deadline", "work")

    def __init__(self, work: "Command | Exclusive[A]", deadline: float = 0.0) -> None:
        self.work = work
        self.deadline = deadline  # until when a denied ask may wait for room
        self._loop = asyncio._get_running_loop()  # noqa: SLF001  (None outside of a task)
        self._future: Any = Future() if self._loop is None else self._loop.create_future()

    def result(self) -> A:
        """Wait in this thread. Refusals are raised."""
        return self._told(self._future.result())

    def __await__(self) -> Generator[Any, None, A]:
        """Wait in this task. Refusals are raised."""
        answer = yield from self._future.__await__()
        return self._told(answer)

    def _told(self, answer: object) -> A:
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[return-value]  # what the work answers

    @staticmethod
    def deliver(pairs: "Sequence[tuple[Ticket[Any], object]]") -> None:
        """Hand out answers: every thread at once, every event loop in one wake-up."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Any, object]]] = {}
        for ticket, answer in pairs:
            if ticket._loop is None:
                ticket._future.set_result(answer)
            else:
                by_loop.setdefault(ticket._loop, []).append((ticket._future, answer))
        for loop, answers in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve, answers)
            except RuntimeError:  # the loop is closed: nobody waits any more
                log.info("answers_unclaimed", count=len(answers))


def _resolve(answers: Sequence[tuple[Any, object]]) -> None:
    for future, answer in answers:
        if not future.done():
            future.set_result(answer)


@dataclass(frozen=True, slots=True)
class Exclusive(Generic[A]):
    """Work that no batch may run beside: a change of policies, alone in its transaction."""

    run: "Callable[[Exclusively], A]"
    id: str = ""


@dataclass(slots=True)
class Exclusively:
    """What exclusive work is given: the session inside its transaction, and what is in force."""

    session: Session
    cache: Cache
    now_us: int
    batch_id: str


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
        self.cache = Cache()
        self._connect = connect
        self._settings = settings
        self._clock: Clock = clock if clock is not None else lambda session: session.now_us()
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._appender = Appender(Rollup(settings.timezone))
        self._session: Session | None = None
        self._queue: deque[Ticket[Any]] = deque()
        self._waiting: list[Ticket[Any]] = []
        self._poll_at = 0.0
        self._wake = threading.Condition()
        self._stopping = False
        self._busy = 0
        self.batches = 0
        self.commands = 0
        self._thread = threading.Thread(target=self._work, name="budget-writer", daemon=True)

    def start(self) -> None:
        """Connect, so that a store that is away is told at once, and begin to take commands."""
        self._session = self._connect()
        self._thread.start()

    def stop(self) -> None:
        """Answer all that was taken, take no more, and let go of the store."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def queue_length(self) -> int:
        """Commands taken and not yet answered."""
        return len(self._queue) + self._busy

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
            if len(self._queue) >= self._queue_max:
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
            except Exception as error:
                log.exception("batch_failed")
                Ticket.deliver([(ticket, _fault(error, ticket)) for ticket in tickets])
            self._busy = 0
        if self._session is not None:
            self._session.close()

    def _take(self) -> list[Ticket[Any]] | None:
        """All that wait, up to a batch; exclusive work comes alone. `None`: time to end."""
        with self._wake:
            while not self._queue:
                if self._waiting and (self._stopping or time.monotonic() >= self._poll_at):
                    self._requeue()
                    continue
                if self._stopping:
                    return None
                timeout = self._poll_at - time.monotonic() if self._waiting else None
                self._wake.wait(timeout)
            first = self._queue.popleft()
            tickets = [first]
            if not isinstance(first.work, Exclusive):
                while self._queue and len(tickets) < self._batch_max:
                    if isinstance(self._queue[0].work, Exclusive):
                        break
                    tickets.append(self._queue.popleft())
            self._busy = len(tickets)
            return tickets

    def _requeue(self) -> None:
        """Let the asks that wait for room be judged again, in their order."""
        if self._stopping:
            for ticket in self._waiting:
                ticket.deadline = 0.0
        self._queue.extendleft(reversed(self._waiting))
        self._waiting.clear()
        self._poll_at = time.monotonic() + POLL_SECONDS

    def _run(self, tickets: list[Ticket[Any]]) -> None:
        first = tickets[0].work
        if isinstance(first, Exclusive):
            self._answer(tickets, lambda: [self._alone(first)])
            return
        dry = [t for t in tickets if _is_dry(t.work)]
        real = [t for t in tickets if not _is_dry(t.work)]
        if dry:
            self._answer(dry, lambda: self._batch([_command(t) for t in dry], dry_run=True))
        if real:
            self._answer(real, lambda: self._batch([_command(t) for t in real]))

    def _answer(self, tickets: list[Ticket[Any]], run: Callable[[], Sequence[object]]) -> None:
        """Run with repeats; where one command breaks the batch, each runs alone."""
        try:
            answers = self._repeated(run)
        except (StoreAway, CommitUnanswered) as error:
            unknown = isinstance(error, CommitUnanswered)
            Ticket.deliver([(t, _away(error, t, unknown=unknown)) for t in tickets])
            return
        except Exception as error:
            self._rollback_quietly()
            if len(tickets) == 1:
                log.exception("command_failed", id=tickets[0].work.id)
                Ticket.deliver([(tickets[0], _fault(error, tickets[0]))])
                return
            for ticket in tickets:
                self._run([ticket])
            return
        self._deliver(tickets, answers)

    def _deliver(self, tickets: list[Ticket[Any]], answers: Sequence[object]) -> None:
        now = time.monotonic()
        told = []
        freed = False
        for ticket, answer in zip(tickets, answers, strict=True):
            if isinstance(answer, _Parked) and now < ticket.deadline:
                self._waiting.append(ticket)
            elif isinstance(answer, _Parked):
                ticket.deadline = 0.0
                with self._wake:
                    self._queue.appendleft(ticket)
            else:
                freed = freed or not isinstance(answer, Denial)
                told.append((ticket, answer))
        Ticket.deliver(told)
        if self._waiting:
            with self._wake:
                if freed and told:
                    self._requeue()
                self._poll_at = min(self._poll_at or now, now) + POLL_SECONDS

    def _repeated(self, run: Callable[[], Sequence[object]]) -> Sequence[object]:
        give_up = time.monotonic() + AWAY_SECONDS
        repeats = 0
        while True:
            try:
                self._connected()
                return run()
            except WindowTurned:
                self._rollback_quietly()
            except Repeat as error:
                self._rollback_quietly()
                repeats += 1
                if repeats > REPEATS_MAX:
                    raise RuntimeError(f"the store kept asking to repeat: {error}") from error
                time.sleep(random.uniform(0, 0.002 * 2**repeats))  # noqa: S311  (no secret)
            except StoreAway as error:
                self._drop()
                if time.monotonic() > give_up or self._stopping or not _is_passing(error):
                    raise
                time.sleep(0.1)

    def _connected(self) -> Session:
        if self._session is None:
            self._session = self._connect()
        return self._session

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except Exception:  # noqa: BLE001  (it is gone either way)
                log.debug("close_failed")

    def _rollback_quietly(self) -> None:
        if self._session is None:
            return
        try:
            self._session.rollback()
        except StoreAway:
            self._drop()

    # One batch ----------------------------------------------------------------------------------

    def _batch(self, commands: list[Command], *, dry_run: bool = False) -> list[object]:
        """Load, decide, append, and the answers once it is durable."""
        due: tuple[tuple[str, str], ...] = ()
        while True:
            session = self._connected()
            batch_id = str(uuid_utils.uuid7())
            session.begin()
            all_: list[Command] = [Expire(batch_id, LOCAL, allocations=due)] if due else []
            all_ += commands
            state = load(session, self.cache, all_, self._settings, self._clock)
            outcomes = [_executed(state, command) for command in all_]
            more = self._due(session, state, commands, outcomes[-len(commands) :])
            if more and not set(more) <= set(due):
                session.rollback()
                due = tuple(sorted(set(due) | set(more)))
                continue
            if dry_run:
                session.rollback()
                return [outcome.answer for outcome in outcomes[-len(commands) :]]
            parked = [
                isinstance(o.answer, Denial) and _may_wait(c)
                for c, o in zip(all_, outcomes, strict=True)
            ]
            kept = [o for o, waits in zip(outcomes, parked, strict=True) if not waits]
            kept_commands = [c for c, waits in zip(all_, parked, strict=True) if not waits]
            written = self._appender.append(session, state, kept_commands, kept, batch_id)
            self._end(session, batch_id, written=written)
            remember = getattr(session, "remember_balances", None)
            if remember is not None:
                remember(list(state.balances))
            self.batches += 1
            self.commands += len(commands)
            own = list(zip(outcomes, parked, strict=True))[-len(commands) :]
            return [_Parked(o.answer) if waits else o.answer for o, waits in own]

    def _end(self, session: Session, batch_id: str, *, written: bool) -> None:
        if not written:
            session.rollback()
            return
        try:
            session.commit()
        except CommitUnanswered:
            self._drop()
            if not self._was_committed(batch_id):
                raise Repeat("the commit was lost") from None

    def _was_committed(self, batch_id: str) -> bool:
        """Look an unanswered commit up: whoever writes its id first decides whether it counts."""
        give_up = time.monotonic() + AWAY_SECONDS
        while True:
            try:
                session = self._connected()
                session.begin()
                insert = session.statements.insert(tables.batches, "id, at_us", or_ignore=True)
                session.write(insert, [(batch_id, 0)])
                sql = session.statements.select(tables.batches, "at_us", "id")
                keys = [batch_id] if session.statements.postgresql else f'["{batch_id}"]'
                at_us = session.execute(sql, (keys,))[0][0]
                session.commit()
                return bool(at_us)
            except (StoreAway, CommitUnanswered) as error:
                self._drop()
                if time.monotonic() > give_up:
                    raise CommitUnanswered(str(error)) from error
                time.sleep(0.1)

    def _due(
        self,
        session: Session,
        state: State,
        commands: Sequence[Command],
        outcomes: Sequence[Outcome],
    ) -> list[tuple[str, str]]:
        """What is past its time on the balances that just denied; it must not stand in the way."""
        denied = {
            concern.balance_id
            for command, outcome in zip(commands, outcomes, strict=True)
            if isinstance(outcome.answer, Denial)
            for part in (command.commands if isinstance(command, Together) else (command,))
            for concern in state.concerns(part)
        }
        if not denied:
            return []
        sql = (
            "SELECT key_id, id, holds FROM allocations WHERE status = 'active' "
            f"AND expires_us <= {session.statements.mark} ORDER BY expires_us LIMIT {DUE_MAX}"
        )
        rows = session.execute(sql, (state.now_us,))
        return [
            (key_id, id_)
            for key_id, id_, holds in rows
            if any(f'"{balance_id}"' in holds for balance_id in denied)
            and state.allocations.get((key_id, id_)) is None
        ]

    def _alone(self, work: Exclusive[Any]) -> object:
        session = self._connected()
        batch_id = str(uuid_utils.uuid7())
        session.begin(exclusive=True)
        self.cache.refresh(session)
        try:
            answer = work.run(Exclusively(session, self.cache, self._clock(session), batch_id))
        except BudgetError as refusal:
            self.cache.forget()
            session.rollback()
            return refusal
        except BaseException:
            self.cache.forget()
            raise
        try:
            session.commit()
        except CommitUnanswered:
            self._drop()
            if not self._was_committed(batch_id):
                raise Repeat("the commit was lost") from None
        return answer


@dataclass(frozen=True, slots=True)
class _Parked:
    """A denial whose asker would rather wait."""

    denial: Answer | BudgetError


def _executed(state: State, command: Command) -> Outcome:
    outcome = execute(state, command)
    state.apply(outcome)
    return outcome


def _command(ticket: Ticket[Any]) -> Command:
    """The ticket's command; once its time to wait is over, it asks without waiting."""
    command = ticket.work
    assert isinstance(command, Command)
    if isinstance(command, Allocate) and command.wait_us and ticket.deadline == 0.0:
        return replace(command, wait_us=0)
    return command


def _may_wait(command: Command) -> bool:
    return isinstance(command, Allocate) and command.wait_us > 0


def _is_dry(work: object) -> bool:
    return isinstance(work, Allocate) and work.dry_run


def _is_passing(error: StoreAway) -> bool:
    """Whether waiting a moment may help; a full disk is told at once."""
    text = str(error).lower()
    return "full" not in text and "readonly" not in text and "read-only" not in text


def _away(error: Exception, ticket: Ticket[Any], *, unknown: bool) -> Unavailable:
    if unknown:
        return Unavailable(
            "The store did not say whether this was written; ask again under the same id to learn.",
            code="outcome_unknown",
            retry_after_seconds=2,
            id=ticket.work.id,
            cause=str(error),
        )
    return Unavailable(
        "The store is away; nothing was changed. Ask again under the same id.",
        code="store_away",
        retry_after_seconds=2,
        id=ticket.work.id,
        cause=str(error),
    )


def _fault(error: Exception, ticket: Ticket[Any]) -> BaseException:
    if isinstance(error, BudgetError):
        return error
    fault = RuntimeError(f"the command {ticket.work.id!r} could not be executed: {error}")
    fault.__cause__ = error
    return fault
