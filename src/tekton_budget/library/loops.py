"""An event loop in a thread of its own: what must go on whatever becomes of those who asked."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tekton_budget.domain.errors import BudgetError

T = TypeVar("T")


class LoopThread:
    """Work is handed to it from any thread or event loop."""

    def __init__(self, name: str) -> None:
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    @property
    def is_closed(self) -> bool:
        """Whether it has ended."""
        return self._loop.is_closed()

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do this there, and wait for what comes of it."""
        self._check()
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result()

    def tell(self, act: Callable[[], object]) -> None:
        """Do this there soon."""
        self._check()
        try:
            self._loop.call_soon_threadsafe(act)
        except RuntimeError as error:  # it ended meanwhile
            raise _closed() from error

    def close(self) -> None:
        """End it."""
        self.run(self._loop.shutdown_default_executor)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _check(self) -> None:
        if os.getpid() != self._process:  # its threads stayed behind, so nobody would answer
            raise BudgetError(
                "This budget was opened before the process was forked: open it in each process, "
                "after the fork.",
                code="forked",
            )
        if self._loop.is_closed():
            raise _closed()


def _closed() -> BudgetError:
    return BudgetError("This budget was closed: open another one.", code="closed")
