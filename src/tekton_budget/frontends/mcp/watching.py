"""Watching: which of some resources have changed, for those who subscribed to them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from tekton_budget.domain.errors import BudgetError, Unauthenticated, Unavailable
from tekton_budget.frontends.mcp import resources
from tekton_budget.frontends.mcp.desk import Desk

log = structlog.get_logger(__name__)

Tell = Callable[[str], Awaitable[None]]

WATCHED_MAX = 100  # of one client
AWAY_SECONDS = 2.0  # between two looks while the store is away


class Watch:
    """One client's resources: each is looked at after news, and told of if it looks different.

    A look is what its reader would get, so whatever changes that is told of: a call, a threshold,
    a credit, a window that turned, a new price. Several changes between two looks are one.
    """

    def __init__(self, desk: Desk, tell: Tell, ended: Callable[[], None] = lambda: None) -> None:
        self._desk = desk
        self._tell = tell
        self._ended = ended
        self._seen: dict[str, bytes | None] = {}
        self._task: asyncio.Task[None] | None = None

    async def add(self, uris: Iterable[str]) -> None:
        """From now on these too; refuses what is not there, and too many."""
        new = [uri for uri in dict.fromkeys(uris) if uri not in self._seen]
        if len(self._seen) + len(new) > WATCHED_MAX:
            raise Unavailable(
                f"A client may watch {WATCHED_MAX} resources at most: unsubscribe from some.",
                code="too_many_subscriptions",
            )
        if self._task is None:
            await self._desk.news.begin()
        try:
            for uri in new:
                await resources.read(self._desk, uri)
                self._seen[uri] = await resources.look_of(self._desk, uri)
        finally:
            if self._task is None and self._seen:
                self._task = asyncio.get_running_loop().create_task(self._go_on())
            elif not self._seen:
                self.close()

    def drop(self, uri: str) -> None:
        """No longer this one."""
        self._seen.pop(uri, None)
        if not self._seen:
            self.close()

    def close(self) -> None:
        """None any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._desk.news.end()

    async def _go_on(self) -> None:
        try:
            while True:
                try:
                    await self._desk.news.come()
                    await self._look()
                except Unavailable as error:
                    log.warning("resources_not_read", why=error.code)
                    await asyncio.sleep(AWAY_SECONDS)
        except (Unauthenticated, StopAsyncIteration):
            self._ended()  # the key was revoked, or the server stops

    async def _look(self) -> None:
        for uri in list(self._seen):
            try:
                look = await resources.look_of(self._desk, uri)
            except (Unauthenticated, Unavailable):
                raise
            except BudgetError as error:
                log.debug("resource_not_read", uri=uri, why=error.code)
                continue
            if uri in self._seen and look != self._seen[uri]:
                self._seen[uri] = look
                await self._tell(uri)
