"""An event loop in a thread of its own: what must go on whatever becomes of those who asked."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tekton_budget.domain.errors import BudgetError

T = TypeVar("T")


class LoopThread:
    """Work is handed to it from any thread or event loop, and is done before it ends."""

    def __init__(self, name: str) -> None:
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._ended = False
        self._handing = threading.RLock()  # a collector of garbage may hand over while one does
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more work."""
        return self._ended

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do this there, and wait for what comes of it."""
        begin = asyncio.run_coroutine_threadsafe
        return self._handed(lambda: begin(work(), self._loop)).result()

    def tell(self, act: Callable[[], object]) -> None:
        """Do this there soon."""
        self._handed(lambda: self._loop.call_soon_threadsafe(act))

    def close(self) -> None:
        """End it."""
        self.run(self._loop.shutdown_default_executor)
        with self._handing:
            self._ended = True
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _handed(self, hand: Callable[[], T]) -> T:
        if os.getpid() != self._process:  # its threads stayed behind, so nobody would answer
            raise BudgetError(
                "This budget was opened before the process was forked: open it in each process, "
                "after the fork.",
                code="forked",
            )
        with self._handing:
            if self._ended:
                raise BudgetError("This budget was closed: open another one.", code="closed")
            return hand()
