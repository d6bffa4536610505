"""The pulse: the store's vital signs, taken at most once at a time and never waited for long."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from tekton_budget.service.health import Health, Vitals

WAIT_SECONDS = 1.0


class Slow(Exception):
    """The store has not answered yet."""


class Pulse:
    """Asks the store in a thread of its own, so that a stuck one holds up nobody but itself."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="budget-pulse")
        self._under_way: asyncio.Future[Vitals] | None = None

    async def taken(self) -> Vitals:
        """The vital signs; raises `Slow`, or the refusal of a store that is away."""
        future = self._under_way
        loop = asyncio.get_running_loop()
        if future is None or future.done() or future.get_loop() is not loop:
            future = loop.run_in_executor(self._thread, self._health.vitals)
            future.add_done_callback(_seen)
            self._under_way = future
        done, _ = await asyncio.wait({future}, timeout=WAIT_SECONDS)
        if not done:
            raise Slow
        return future.result()

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _seen(future: "asyncio.Future[Vitals]") -> None:
    """Whoever waited may be gone: an error nobody looked at is no fault."""
    if not future.cancelled():
        future.exception()
