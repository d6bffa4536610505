"""A run's command: started in a group of its own, watched, stopped in stages, waited for."""

import os
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from types import FrameType

from tekton_budget.frontends.cli.runs.terminal import Terminal

STAGE_SECONDS = 10.0  # between two ways of telling a command to stop
_STAGES = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)
_WOKEN_BY = (*_PASSED_ON, signal.SIGCHLD)
_WAITS_FOR_TERMINAL = (signal.SIGTTIN, signal.SIGTTOU)


class Stop(StrEnum):
    """Why a command was stopped."""

    CAP = "cap"
    WALL = "wall"
    OUTER = "outer"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The command's own code (128 and the signal's number, where one ended it)."""

    code: int
    stopped: Stop | None


class Bell:
    """Wakes whoever waits for a command: by a signal, or from another thread with a reason."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        for end in (self._reading, self._writing):
            os.set_blocking(end, False)
        self._reasons: deque[Stop] = deque()

    def ring(self, reason: Stop) -> None:
        """The command has to stop; from any thread."""
        self._reasons.append(reason)
        with suppress(OSError):
            os.write(self._writing, b"\0")

    def reasons(self) -> Iterator[Stop]:
        """Those since the last time."""
        while self._reasons:
            yield self._reasons.popleft()

    def wait(self, seconds: float | None) -> list[int]:
        """Until woken or so long: the numbers of the signals that arrived."""
        ready, _, _ = select.select([self._reading], [], [], seconds)
        if not ready:
            return []
        with suppress(BlockingIOError):
            return [number for number in os.read(self._reading, 512) if number]
        return []

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Signals to us wake it, instead of ending us."""
        before = {number: signal.signal(number, _noted) for number in _WOKEN_BY}
        wakened = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakened)
            for number, handler in before.items():
                signal.signal(number, handler)

    def close(self) -> None:
        """No more."""
        os.close(self._reading)
        os.close(self._writing)


def _noted(number: int, frame: FrameType | None) -> None:
    """It is written to the pipe already."""
    del number, frame


def run_command(
    command: Sequence[str],
    variables: Mapping[str, str],
    bell: Bell,
    *,
    wall_seconds: float | None = None,
    stage_seconds: float = STAGE_SECONDS,
    resumed: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run it to its end. `OSError` where it cannot be started. `resumed`: before it goes on."""
    with Terminal() as terminal, bell.listening():
        process = subprocess.Popen(command, env=dict(variables), process_group=0)  # noqa: S603  (what was asked for)
        watched = _Watched(process, terminal, bell, stage_seconds, resumed)
        watched.begin(wall_seconds)
        return watched.ended()


class _Watched:
    """A command under way."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        terminal: Terminal,
        bell: Bell,
        stage_seconds: float,
        resumed: Callable[[], None],
    ) -> None:
        self._process = process
        self._terminal = terminal
        self._bell = bell
        self._stage_seconds = stage_seconds
        self._resumed = resumed
        self._wall_at: float | None = None
        self._stopped: Stop | None = None
        self._stages = iter(_STAGES)
        self._stage_at: float | None = None

    def begin(self, wall_seconds: float | None) -> None:
        """The terminal is the command's; if it asked for it too early, it asks again."""
        if self._terminal.give(self._process.pid):
            self._send(signal.SIGCONT)
        if wall_seconds is not None:
            self._wall_at = time.monotonic() + wall_seconds

    def ended(self) -> Outcome:
        """Wait for its end."""
        while (status := self._changed()) is None:
            for number in self._bell.wait(self._seconds_left()):
                if number in _PASSED_ON:
                    self._send(number)
            for reason in self._bell.reasons():
                self._stop(reason)
            self._look_at_the_clock()
        code = os.waitstatus_to_exitcode(status)
        self._process.returncode = code
        self._terminal.take()
        if code < 0:
            self._terminal.mend()
        if self._stopped is not None:
            self._send(signal.SIGTERM)  # whatever of its group is left
        return Outcome(code if code >= 0 else 128 - code, self._stopped)

    def _changed(self) -> int | None:
        """Its end; where it only was stopped, we stop as well, as a shell expects it of a job."""
        pid, status = os.waitpid(self._process.pid, os.WNOHANG | os.WUNTRACED)
        if pid == 0:
            return None
        if not os.WIFSTOPPED(status):
            return status
        waits = os.WSTOPSIG(status) in _WAITS_FOR_TERMINAL
        if not (waits and self._terminal.give(self._process.pid)):
            self._terminal.take()
            os.killpg(os.getpgrp(), signal.SIGTSTP)  # here we stay until we are continued
            self._resumed()
            self._terminal.give(self._process.pid)
        self._send(signal.SIGCONT)
        return None

    def _seconds_left(self) -> float | None:
        times = [at for at in (self._wall_at, self._stage_at) if at is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        if self._wall_at is not None and now >= self._wall_at:
            self._wall_at = None
            self._stop(Stop.WALL)
        if self._stage_at is not None and now >= self._stage_at:
            self._next_stage()

    def _stop(self, reason: Stop) -> None:
        if self._stopped is None:
            self._stopped = reason
            self._next_stage()

    def _next_stage(self) -> None:
        number = next(self._stages, None)
        self._stage_at = None
        if number is not None:
            self._send(number)
            self._send(signal.SIGCONT)  # who is stopped hears nothing
            self._stage_at = time.monotonic() + self._stage_seconds

    def _send(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
