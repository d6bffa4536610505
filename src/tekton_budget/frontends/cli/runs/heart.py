"""The heart of a run: says every second that it lives, and hears when it has to stop."""

import os
import threading
from collections.abc import Callable
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
        self._outer_pid = outer_pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="budget-heart", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """No more beats."""
        self._over.set()
        self._thread.join()

    def beat(self) -> None:
        """Once: at cap, or without what is around it, the command has to stop."""
        if self._outer_pid is not None and not is_there(self._outer_pid):
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


def is_there(pid: int) -> bool:
    """Whether a process lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
