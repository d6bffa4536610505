"""The processes in which callers run: started fresh, set off at one moment, killed if need be."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from tekton_budget.proof.adapter import Adapter, Closing, Connect
from tekton_budget.proof.call_log import CallLog
from tekton_budget.proof.caller import play
from tekton_budget.proof.turns import SECOND_NS, Caller

THREAD_BYTES = 512 * 1024
READY_SECONDS_MAX = 60.0
LATE_SECONDS_MAX = 60.0  # how long an answer may take after callers were told to stop
PRELOADED = ["tekton_budget.proof.crew", "tekton_budget.proof.ours", "tekton_budget.proof.foils"]
SET_OFF_NS = 20_000_000  # between the word and the start, so that every process has heard it


class CrewFailed(Exception):
    """A process could not do its part: it could not connect, or it hung."""


def _context() -> SpawnContext | ForkServerContext:
    """Nothing is shared by accident: processes come from a server that opened nothing, or fresh."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


@dataclass(frozen=True, slots=True)
class Task:
    """What one process has to do."""

    connect: Connect
    callers: tuple[Caller, ...]
    log: Path
    seconds_max: float


@dataclass(slots=True)
class Hand:
    """A process and the line to it."""

    process: BaseProcess
    line: Connection


class Crew:
    """Processes, hired when they are needed and kept from one workload to the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._context = _context()
        self._hands: list[Hand] = []

    def play(
        self,
        connect: Connect,
        processes: Sequence[tuple[Caller, ...]],
        logs: Sequence[Path],
        *,
        seconds_max: float,
        start_ns: int | None = None,
        meanwhile: Callable[[int], None] | None = None,
    ) -> None:
        """Let each process play its callers; comes back when all are done.

        `meanwhile` runs here, beside them, with the moment of the start.
        """
        while len(self._hands) < len(processes):
            self._hands.append(self._hired())
        hands = self._hands[: len(processes)]
        for hand, callers, log in zip(hands, processes, logs, strict=True):
            hand.line.send(Task(connect, callers, log, seconds_max))
        for hand in hands:
            self._heard(hand, READY_SECONDS_MAX)
        start = max(start_ns or 0, time.monotonic_ns() + SET_OFF_NS)
        for hand in hands:
            hand.line.send(start)
        if meanwhile is not None:
            meanwhile(start)
        if not self._hands:
            return  # killed meanwhile
        until_start = max(0, start - time.monotonic_ns()) / SECOND_NS
        for hand in hands:
            self._heard(hand, until_start + seconds_max + LATE_SECONDS_MAX)

    def kill(self) -> None:
        """`kill -9`, all of them at once."""
        for hand in self._hands:
            hand.process.kill()
        for hand in self._hands:
            hand.process.join()
            hand.line.close()
        self._hands = []

    def is_idle(self) -> bool:
        """Whether all have done what they were told."""
        return all(hand.line.poll() for hand in self._hands)

    def dismiss(self) -> None:
        """Tell all that there is nothing more to do."""
        for hand in self._hands:
            hand.line.close()
        for hand in self._hands:
            hand.process.join(5)
            if hand.process.is_alive():
                hand.process.kill()
                hand.process.join()
        self._hands = []

    def _hired(self) -> Hand:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=work, args=(theirs, self._folder), daemon=True)
        process.start()
        theirs.close()
        return Hand(process, ours)

    @staticmethod
    def _heard(hand: Hand, seconds: float) -> None:
        try:
            if not hand.line.poll(seconds):
                raise CrewFailed("a process hung")
            word = hand.line.recv()
        except (EOFError, OSError) as error:
            raise CrewFailed("a process died") from error
        if word is not None:
            raise CrewFailed(str(word))


def work(line: Connection, folder: Path) -> None:
    """What a process does: task after task, until the line is closed."""
    threading.stack_size(THREAD_BYTES)
    with quietened(folder):
        while True:
            try:
                task: Task = line.recv()
            except (EOFError, OSError):
                return
            try:
                _do(task, line)
            except Exception as error:  # noqa: BLE001  (told to whoever runs the proof)
                line.send(repr(error))


def _do(task: Task, line: Connection) -> None:
    adapter = task.connect()
    log = CallLog(task.log)
    set_off = threading.Event()
    start: list[int] = []
    threads = [
        threading.Thread(target=_play_when_told, args=(adapter, task, turns, log, set_off, start))
        for turns in task.callers
    ]
    for thread in threads:
        thread.start()
    line.send(None)
    start.append(line.recv())
    set_off.set()
    for thread in threads:
        thread.join()
    log.close()
    close(adapter)
    line.send(None)


def _play_when_told(
    adapter: Adapter,
    task: Task,
    turns: Caller,
    log: CallLog,
    set_off: threading.Event,
    start: list[int],
) -> None:
    set_off.wait()
    stop_ns = start[0] + int(task.seconds_max * SECOND_NS)
    play(adapter, turns, log, start_ns=start[0], stop_ns=stop_ns)


def close(adapter: Adapter) -> None:
    """Let an adapter go, if it has something to let go of."""
    if isinstance(adapter, Closing):
        adapter.close()


@contextmanager
def quietened(folder: Path) -> Iterator[None]:
    """The service's log goes to a file: the terminal belongs to the table."""
    import structlog

    before = structlog.get_config() if structlog.is_configured() else None
    with (folder / "service.log").open("a", buffering=1) as log:
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=log))
        try:
            yield
        finally:
            structlog.reset_defaults()  # as "never configured", which the library asks for
            if before is not None:
                structlog.configure(**before)
