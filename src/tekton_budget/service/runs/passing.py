"""Letting a run's calls through: whose they are, whether it still lives, how many there were."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from tekton_budget.domain.caller import LOCAL, Caller
from tekton_budget.domain.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from tekton_budget.domain.run import Counted, Run
from tekton_budget.service.keys import KeyVerbs, hash_of
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.runs import RunRows

FRESH_SECONDS = 0.5  # how long a run that was looked up is taken as it was
KNOWN_MAX = 10_000


@dataclass(frozen=True, slots=True)
class RunPass:
    """A run whose calls may be made now: for whom, and with labels that nothing overrides."""

    run_id: str
    name: str
    caller: Caller
    labels: Mapping[str, str]
    land_note: str | None
    parent_id: str | None = None  # of the allocation that its calls are parts of


class RunPasses:
    """Tokens → runs, from memory for as long as that is fresh; and counters, written in passes."""

    def __init__(self, reader: Reader, rows: RunRows, keys: KeyVerbs) -> None:
        self._reader = reader
        self._rows = rows
        self._keys = keys
        self._known: dict[str, tuple[RunPass, float]] = {}
        self._around_of: dict[str, tuple[str, ...]] = {}  # ids of the runs that one is in
        self._counted: dict[str, Counted] = {}
        self._lock = threading.Lock()

    def known(self, token: str) -> RunPass | None:
        """What `admit` would answer, where that needs no look at the store."""
        found = self._known.get(hash_of(token))
        return found[0] if found is not None and time.monotonic() < found[1] else None

    def admit(self, token: str) -> RunPass:
        """The run that a call belongs to; refuses where it, or one around it, has ended."""
        return self.known(token) or self._looked_up(hash_of(token))

    def forget(self) -> None:
        """After a run began or ended here: look again."""
        self._known.clear()

    def count(self, run_id: str, calls: int = 0, refused: int = 0, clamped: int = 0) -> None:
        """What became of calls, for a run and those around it; `flush` writes it down."""
        counted = Counted(calls, refused, clamped)
        for one in (run_id, *self._around_of.get(run_id, ())):
            self._add(one, counted)

    def counted(self, run: Run) -> Counted:
        """All that was counted for a run, as far as this process knows."""
        with self._lock:
            pending = self._counted.get(run.run_id, Counted())
        return pending.plus(Counted(run.calls, run.refused, run.clamped))

    def flush(self) -> int:
        """Write down what was counted; of how many runs."""
        with self._lock:
            counted, self._counted = self._counted, {}
        if not counted:
            return 0
        try:
            self._rows.add(counted)
        except BaseException:
            for run_id, one in counted.items():
                self._add(run_id, one)
            raise
        return len(counted)

    def _add(self, run_id: str, counted: Counted) -> None:
        with self._lock:
            self._counted[run_id] = self._counted.get(run_id, Counted()).plus(counted)

    def alive(self, run: Run) -> Run:
        """The run, if it and all around it live; refuses with which of them does not."""
        now_us = self._reader.now_us()
        for one in (run, *self._around(run)):
            if one.ended_us is not None:
                raise Forbidden(
                    f'The run "{one.name}" has ended. Continue it: tekton-budget run --name '
                    f"{one.name} -- COMMAND",
                    code="run_ended",
                    run=one.name,
                )
            if not one.is_alive(now_us):
                raise Unavailable(
                    f'The run "{one.name}" gives no sign of life: what began it is gone, or this '
                    "machine was asleep. Nothing is let through until it answers again.",
                    code="run_silent",
                    run=one.name,
                )
        return run

    def _looked_up(self, token_hash: str) -> RunPass:
        run = self._rows.by_token(token_hash)
        if run is None:
            self._known.pop(token_hash, None)
            raise NotFound(
                "This address belongs to no run: it was continued under another, or never begun. "
                "Begin one: tekton-budget run -- COMMAND",
                code="run_unknown",
            )
        self.alive(run)
        around = self._around(run)
        if around:
            self._around_of[run.run_id] = tuple(outer.run_id for outer in around)
        parents = [one.reserve_id for one in (run, *around) if one.reserve_id is not None]
        found = RunPass(
            run.run_id,
            run.name,
            self._caller_of(run),
            run.all_labels,
            run.land_note,
            next(iter(parents), None),
        )
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
            self._around_of = {run.run_id: self._around_of.get(run.run_id, ())}
        self._known[token_hash] = (found, time.monotonic() + FRESH_SECONDS)
        return found

    def _caller_of(self, run: Run) -> Caller:
        if not run.key_id:
            return LOCAL
        caller = self._keys.caller_of(run.key_id, run.key_name)
        if caller is None:
            raise Unauthenticated(
                f'The key "{run.key_name}" that began the run "{run.name}" is no longer valid.',
                code="key_invalid",
            )
        return caller

    def _around(self, run: Run) -> list[Run]:
        """The runs that it is nested in, the nearest first."""
        around: list[Run] = []
        outer_id = run.outer_id
        while outer_id is not None:
            outer = self._rows.by_id(outer_id)
            assert outer is not None, "runs are never deleted"
            around.append(outer)
            outer_id = outer.outer_id
        return around
