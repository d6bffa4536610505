"""A batch: load, decide, append in one transaction, and the answers once it is durable."""

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import structlog
import uuid_utils

from tekton_budget.domain.answer import Answer, Denial, Waiting
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.command import (
    Command,
    Expire,
    Extend,
    LedgerSettings,
    Record,
    Settle,
    Together,
)
from tekton_budget.domain.errors import BudgetError, Conflict, FieldFault
from tekton_budget.domain.ledger import (
    Outcome,
    allocation_key,
    answer_slot,
    balances_judged,
    execute,
)
from tekton_budget.storage import tables
from tekton_budget.storage.appending import Appender
from tekton_budget.storage.cache import Cache
from tekton_budget.storage.loading import Clock, Loaded, WindowTurned, load
from tekton_budget.storage.packing import json_text
from tekton_budget.storage.rollup import Rollup
from tekton_budget.storage.session import (
    CommitUnanswered,
    Repeat,
    RowTaken,
    Session,
    StoreAway,
)
from tekton_budget.storage.statements import due
from tekton_budget.storage.ticket import Exclusive, Exclusively

log = structlog.get_logger(__name__)

AWAY_SECONDS = 5.0
REPEATS_MAX = 8
TAKEN_MAX = 2  # a row that is taken again and again is taken by the batch itself
DUE_MAX = 500
ROUNDS_MAX = 20
NOT_COMMITTED = -1

T = TypeVar("T")


class Batches:
    """Runs batches and exclusive work on one connection, which is made anew when it is lost."""

    def __init__(
        self, connect: Callable[[], Session], settings: LedgerSettings, clock: Clock | None = None
    ) -> None:
        self.cache = Cache(settings.timezone)
        self._connect = connect
        self._settings = settings
        self._clock = clock
        self._appender = Appender(Rollup(settings.timezone))
        self._session: Session | None = None
        self._is_away = False
        self._outcomes: Sequence[Outcome] = ()  # of the last batch
        self.hurried = False  # at the end nobody waits for a store that is away
        self.locked_at = 0.0  # when the last batch had its locks: what it waited is not its own

    def connect(self) -> None:
        """Connect now, so that a store that is away is told at once."""
        self._connected()

    def close(self) -> None:
        """Let go of the store."""
        self._drop()

    def run(
        self, commands: Sequence[Command], *, dry_run: bool = False
    ) -> list[Answer | BudgetError | Waiting]:
        """All commands in their order, in one transaction that dry runs leave no trace of."""
        return self._repeated(lambda: self._batch(commands, dry_run=dry_run))

    def freed(self) -> set[str]:
        """The balances on which the last batch ended holds or gave credit."""
        freed: set[str] = set()
        for outcome in self._outcomes:
            for part in outcome.each():
                if part.credit is not None:
                    freed.add(part.credit[0])
                if part.entry is not None:
                    postings = part.entry.postings
                    freed.update(p.balance_id for p in postings if p.held.any_negative)
        return freed

    def run_alone(self, work: Exclusive[Any]) -> object:
        """Exclusive work in a transaction of its own; a refusal raised inside is its answer."""
        return self._repeated(lambda: self._alone(work))

    # Repeats ------------------------------------------------------------------------------------

    def _repeated(self, run: Callable[[], T]) -> T:
        """Until it is done, cannot be done, or has taken too long; then `StoreAway` is raised."""
        patience = 0.0 if self._is_away or self.hurried else AWAY_SECONDS
        give_up = time.monotonic() + patience
        repeats = taken = 0
        while True:
            try:
                answer = run()
            except WindowTurned:
                self.rollback()
            except Repeat as error:
                self.rollback()
                repeats += 1
                taken += isinstance(error, RowTaken)
                if taken > TAKEN_MAX:
                    raise
                if repeats > REPEATS_MAX and time.monotonic() > give_up:
                    raise StoreAway(f"it kept asking to repeat: {error}") from error
                pause = random.uniform(0, 0.002 * 2 ** min(repeats, REPEATS_MAX))  # noqa: S311  (no secret)
                time.sleep(pause)
            except StoreAway as error:
                self._drop()
                if not error.passing or time.monotonic() > give_up or self.hurried:
                    self._is_away = True
                    raise
                time.sleep(0.1)
            except BaseException:
                self.rollback()
                raise
            else:
                self._is_away = False
                return answer

    def rollback(self) -> None:
        """Forget what was begun; a connection on which even that fails is let go."""
        if self._session is None:
            return
        try:
            self._session.rollback()
        except StoreAway:
            self._drop()

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

    # One batch ----------------------------------------------------------------------------------

    def _batch(
        self, commands: Sequence[Command], *, dry_run: bool
    ) -> list[Answer | BudgetError | Waiting]:
        """Judge, expire what is due on the balances that denied and judge again, then append."""
        expired: set[tuple[str, str]] = set()
        while True:
            session = self._connected()
            opening = session.begin()
            self.locked_at = time.monotonic()
            batch_id = str(uuid_utils.uuid7())
            first = [Expire(batch_id, LOCAL, allocations=tuple(sorted(expired)))] if expired else []
            loaded = load(
                session, self.cache, [*first, *commands], self._settings, opening, self._clock
            )
            if session.statements.postgresql:  # rows are locked as they are loaded
                self.locked_at = time.monotonic()
            outcomes = [_judged(loaded, position) for position in range(len(loaded.commands))]
            more = self._due(session, loaded, outcomes, expired)
            if not more or len(expired) > DUE_MAX * ROUNDS_MAX:
                break
            session.rollback()
            expired |= more
        answers = [outcome.answer for outcome in outcomes]
        self._outcomes = () if dry_run else outcomes
        if dry_run:
            session.rollback()
        else:
            self._append(session, loaded, outcomes, answers, batch_id)
        return answers[len(first) :]

    def _append(
        self,
        session: Session,
        loaded: Loaded,
        outcomes: Sequence[Outcome],
        answers: Sequence[object],
        batch_id: str,
    ) -> None:
        """Write all but what waits: it has not been answered, so nothing has happened."""
        kept = [i for i, answer in enumerate(answers) if not isinstance(answer, Waiting)]
        writes = self._appender.writes(
            session,
            loaded,
            [loaded.commands[i] for i in kept],
            [outcomes[i] for i in kept],
            batch_id,
        )
        if not writes:
            session.rollback()
            return
        self._ended(batch_id, lambda: session.append(writes))
        self._appender.committed()
        state = loaded.state  # a new row may have been taken away again: nothing was posted on it
        session.remember_balances([id_ for id_ in state.balances if id_ not in state.new_balances])

    def _due(
        self,
        session: Session,
        loaded: Loaded,
        outcomes: Sequence[Outcome],
        expired: set[tuple[str, str]],
    ) -> set[tuple[str, str]]:
        """What is past its time on the balances that just denied: it must not stand in the way."""
        denied: set[str] = set()
        ended: set[tuple[str, str]] = set()  # by commands before the first that was denied
        for command, outcome in zip(loaded.commands, outcomes, strict=True):
            if isinstance(outcome.answer, Denial | Waiting):
                for part in _parts(command):
                    denied.update(balances_judged(loaded.state, part))
                    if isinstance(part, Extend):  # what it shall let live on
                        ended.add(allocation_key(part))
            elif not denied:
                ended.update(_ended_by(outcome))
        if not denied:
            return set()
        needles = session.listed([json_text(key) for key in sorted(denied)])
        sql = due(postgresql=session.statements.postgresql)
        most = len(expired) + len(ended) + DUE_MAX  # those are still found, and lead to nothing new
        rows = session.execute(sql, (loaded.state.now_us, needles, most))
        return {(row[0], row[1]) for row in rows} - expired - ended

    # The end of a transaction -------------------------------------------------------------------

    def _ended(self, batch_id: str, commit: Callable[[], None]) -> None:
        try:
            commit()
        except CommitUnanswered:
            self._drop()
            if not self._was_committed(batch_id):
                raise Repeat("the commit was lost") from None

    def _was_committed(self, batch_id: str) -> bool:
        """Look an unanswered commit up: whoever writes its id first decides whether it counts."""
        give_up = time.monotonic() + (0.0 if self._is_away else AWAY_SECONDS)
        while True:
            try:
                return self._looked_up(self._connected(), batch_id)
            except (StoreAway, CommitUnanswered, Repeat) as error:
                self._drop()
                lasting = isinstance(error, StoreAway) and not error.passing
                if lasting or time.monotonic() > give_up or self.hurried:
                    self._is_away = True
                    raise CommitUnanswered(str(error)) from error
                time.sleep(0.1)

    def _looked_up(self, session: Session, batch_id: str) -> bool:
        session.begin()
        s = session.statements
        if s.postgresql:  # where the lost transaction may still be under way on the server
            insert = s.insert(tables.batches, "id, at_us", or_ignore=True)
            session.write(insert, [(batch_id, NOT_COMMITTED)])
        rows = session.by_keys(tables.batches, "at_us", "id", [batch_id])
        if s.postgresql:
            session.commit()
        else:
            session.rollback()
        return bool(rows) and rows[0][0] != NOT_COMMITTED

    # Exclusive work -----------------------------------------------------------------------------

    def _alone(self, work: Exclusive[Any]) -> object:
        """What it reads of its own changes is forgotten unless they are durable."""
        self._outcomes = ()
        session = self._connected()
        opening = session.begin(exclusive=True)
        batch_id = str(uuid_utils.uuid7())
        cache = self.cache.copy()
        cache.bring_to(session, opening.policy_generation, opening.price_generation)
        now_us = session.now_us() if self._clock is None else self._clock(session)
        try:
            answer = work.run(Exclusively(session, cache, now_us, batch_id))
        except BudgetError as refusal:
            session.rollback()
            return refusal
        cache.refresh(session)
        insert = session.statements.insert(tables.batches, "id, at_us")
        session.write(insert, [(batch_id, now_us)])
        self._ended(batch_id, session.commit)
        self.cache.adopt(cache)
        return answer


def _judged(loaded: Loaded, position: int) -> Outcome:
    """One command's outcome, which the commands after it see; a refusal changes nothing."""
    state, command = loaded.state, loaded.commands[position]
    refusal = loaded.refused.get(position) or _reused_record(loaded, command)
    if refusal is not None:
        return Outcome(refusal)
    try:
        outcome = execute(state, command)
    except BudgetError as refused:
        return Outcome(refused)
    state.apply(outcome)
    for part in outcome.each():
        loaded.recorded.update((record.key_id, record.record_id) for record in part.usage)
    return outcome


def _reused_record(loaded: Loaded, command: Command) -> Conflict | None:
    """The refusal of a usage id that is there already, unless it is this very command's."""
    seen: set[tuple[str, str]] = set()
    for part in _parts(command):
        if isinstance(part, Record):
            id_ = part.id
        elif isinstance(part, Settle) and part.usage is not None:
            id_ = part.record_id
        else:
            continue
        if answer_slot(part) in loaded.state.answers:
            continue
        key = (part.caller.key_id, id_)
        if key in loaded.recorded or key in seen:
            return Conflict(
                f"A usage is already recorded under the id {id_!r}: it counts once. "
                "Send a new id for a further usage.",
                FieldFault("record_id", "was used before"),
                code="id_reused",
            )
        seen.add(key)
    return None


def _parts(command: Command) -> list[Command]:
    if isinstance(command, Together):
        return [leaf for part in command.commands for leaf in _parts(part)]
    return [command]


def _ended_by(outcome: Outcome) -> list[tuple[str, str]]:
    return [
        (part.allocation.key_id, part.allocation.id)
        for part in outcome.each()
        if part.allocation is not None and not part.allocation.is_active
    ]
