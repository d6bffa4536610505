"""The terminal of a run: handed to its command as a shell would, and taken back afterwards."""

import os
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self


class Terminal:
    """The controlling terminal, if there is one; without one nothing is done."""

    def __init__(self) -> None:
        self._fd: int | None = None
        self._given = False
        self._attributes: list[Any] | None = None  # Any: as termios keeps them

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._fd = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
        if self._fd is not None:
            with suppress(termios.error):
                self._attributes = termios.tcgetattr(self._fd)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.take()
        if self._fd is not None:
            os.close(self._fd)

    def give(self, group: int) -> bool:
        """Make a process group the one in the foreground, if ours is; whether it is now."""
        if self._fd is None:
            return False
        with suppress(OSError), _not_stopped():
            if os.tcgetpgrp(self._fd) == os.getpgrp():
                os.tcsetpgrp(self._fd, group)
                self._given = True
        return self._given

    def take(self) -> None:
        """Our own group in the foreground again, if it was before."""
        if self._fd is None or not self._given:
            return
        with suppress(OSError), _not_stopped():
            os.tcsetpgrp(self._fd, os.getpgrp())
        self._given = False

    def mend(self) -> None:
        """Its modes as they were: who is killed does not put them back."""
        if self._fd is not None and self._attributes is not None:
            with suppress(termios.error), _not_stopped():
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._attributes)


@contextmanager
def _not_stopped() -> Iterator[None]:
    """A group in the background that touches the terminal is stopped, unless it ignores that."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTTOU, before)
