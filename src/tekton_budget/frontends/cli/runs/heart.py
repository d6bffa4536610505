"""The heart of a run: says every second that it lives, and hears when it has to stop."""

import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from tekton_budget.domain.errors import BudgetError
from tekton_budget.frontends.cli.runs.command import Stop

if TYPE_CHECKING:
    from tekton_budget.face.budget import Budget

BEAT_SECONDS = 1.0


class Heart:
    """Beats in a thread of its own from `start` to `stop`."""

    def __init__(
        self,
        budget: "Budget",
        run_id: str,
        ring: Callable[[Stop], None],
        *,
        stops_at_cap: bool,
        refused_before: int,
        outer_pid: int | None,
    ) -> None:
        self._budget = budget
        self._run_id = run_id
        self._ring = ring
        self._stops_at_cap = stops_at_cap
        self._refused_before = refused_before
        self._around = Around(outer_pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="budget-heart", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """No more beats."""
        self._over.set()
        self._thread.join()
        self._around.close()

    def beat(self) -> None:
        """Once: at cap, or without what is around it, the command has to stop."""
        if self._around.is_gone():
            self._ring(Stop.OUTER)
        try:
            state = self._budget.beat_run(self._run_id)
        except BudgetError as error:
            if error.code == "run_ended":
                self._ring(Stop.OUTER)
            return  # a server that is away lets nothing through; it may be back with the next
        at_cap = state["at_cap"] or state["refused"] > self._refused_before
        if self._stops_at_cap and at_cap:
            self._ring(Stop.CAP)

    def _work(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            self.beat()


class Around:
    """The process of the run around this one: watched, so that it is missed when it is killed."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid if pid is not None and _is_there(pid) else None
        self._fd: int | None = None
        if self._pid is not None and hasattr(os, "pidfd_open"):
            with suppress(OSError):
                self._fd = os.pidfd_open(self._pid)

    def is_gone(self) -> bool:
        """Whether it was there, and is no more; on Linux also before its parent has noticed."""
        if self._fd is not None:
            return bool(select.select([self._fd], [], [], 0)[0])
        return self._pid is not None and not _is_there(self._pid)

    def close(self) -> None:
        """Look no more."""
        if self._fd is not None:
            os.close(self._fd)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
