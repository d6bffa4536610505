"""The worker: one thread that runs the background passes, one bounded step at a time."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from tekton_budget.service.passes import CHUNK_ROWS, EXPIRED_MAX, STARTING_SECONDS, Passes

log = structlog.get_logger(__name__)

COUNT_SECONDS = 0.5  # between two writings of what runs did
RETRY_SECONDS = 1.0  # after an error, at least


@dataclass(frozen=True, slots=True)
class Pass:
    """A step, how often it is taken, and how much of it means that there is more to do at once."""

    name: str
    run: Callable[[], int]
    seconds: float
    full: int = 1


def passes_of(
    passes: Passes, *, expire_seconds: float, relay_seconds: float, prune_seconds: float
) -> tuple[Pass, ...]:
    """The ledger's passes at the installation's intervals."""
    return (
        Pass("expire_due", passes.expire_due, expire_seconds, EXPIRED_MAX),
        Pass("number_outbox", passes.number_outbox, relay_seconds, CHUNK_ROWS),
        Pass("prune", passes.prune, prune_seconds, CHUNK_ROWS),
        Pass("count_runs", passes.count_runs, COUNT_SECONDS, CHUNK_ROWS),
        Pass("finish_starting", passes.finish_starting, STARTING_SECONDS, EXPIRED_MAX),
    )


class Worker:
    """Runs passes until it is stopped. An error is logged and the pass taken again."""

    def __init__(self, passes: Sequence[Pass]) -> None:
        self._passes = tuple(passes)
        self._stop = threading.Event()
        self._due = dict.fromkeys((one.name for one in self._passes), 0.0)
        self._thread = threading.Thread(target=self._work, name="budget-worker", daemon=True)

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to end."""
        return self._stop.is_set()

    def start(self) -> None:
        """Begin; every pass is due at once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._stop.is_set() and self._passes:
            one = min(self._passes, key=lambda each: self._due[each.name])
            wait_seconds = self._due[one.name] - time.monotonic()
            if wait_seconds > 0 and self._stop.wait(wait_seconds):
                return
            self._due[one.name] = time.monotonic() + self._take(one)

    def _take(self, one: Pass) -> float:
        """Take the step; in how many seconds it is due again."""
        try:
            done = one.run()
        except Exception as error:
            if self._stop.is_set():  # what it needs is being closed as well
                return one.seconds
            log.exception("pass_failed", name=one.name, error=str(error))
            return max(RETRY_SECONDS, one.seconds)
        if done:
            log.debug("pass_done", name=one.name, count=done)
        return 0.0 if done >= one.full else one.seconds
