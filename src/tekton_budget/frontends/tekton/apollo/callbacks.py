"""Whom to tell of allocations, policies and limits: plain functions at once, coroutines soon."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

EVENTS = (
    "on_allocation_created",
    "on_allocation_updated",
    "on_allocation_expired",
    "on_budget_exceeded",
    "on_policy_updated",
)


class Callbacks:
    """What was registered for each event. One that fails stops neither its caller nor others."""

    def __init__(self) -> None:
        self.registered: dict[str, list[Callable[..., Any]]] = {event: [] for event in EVENTS}
        self.loop: asyncio.AbstractEventLoop | None = None  # of whoever started the manager
        self._tasks: set[asyncio.Task[Any]] = set()

    def register(self, event_type: str, callback: Callable[..., Any]) -> None:
        """From now on; an unknown event is only logged."""
        if event_type not in self.registered:
            logger.warning("Unknown event type: %s; it is one of %s", event_type, ", ".join(EVENTS))
            return
        self.registered[event_type].append(callback)

    def tell(self, event_type: str, *facts: object) -> None:
        """All of them, in the order in which they came."""
        for callback in list(self.registered[event_type]):
            try:
                if inspect.iscoroutinefunction(callback):
                    self._begin(callback, facts)
                else:
                    callback(*facts)
            except Exception:
                logger.exception("A callback for %s failed", event_type)

    def _begin(self, callback: Callable[..., Any], facts: tuple[object, ...]) -> None:
        """In the loop that runs here, else in that of the start, from whatever thread this is."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            if self.loop is None or not self.loop.is_running():
                raise RuntimeError(
                    "no event loop runs in which to await it: start the manager, or register a "
                    "plain function"
                ) from None
            asyncio.run_coroutine_threadsafe(callback(*facts), self.loop)
            return
        task = loop.create_task(callback(*facts))
        self._tasks.add(task)  # a loop alone does not keep its tasks alive
        task.add_done_callback(self._tasks.discard)
