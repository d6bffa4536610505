"""News: when it is worth to look again at what somebody watches."""

import asyncio
from typing import Protocol

from tekton_budget.domain.caller import Caller
from tekton_budget.frontends.http.following import Follow, Hub

MOMENT_SECONDS = 1.0
TOGETHER_SECONDS = 0.2  # what comes so close together is one news
TURN_SECONDS = 30.0  # a window that turns is no event


class News(Protocol):
    """Comes once something may have changed since it was begun, or came last."""

    async def begin(self) -> None:
        """From now on."""

    async def come(self) -> None:
        """Wait for the next; raises what ends it, `StopAsyncIteration` where the server stops."""

    def end(self) -> None:
        """Until it is begun again nobody wants any."""


class EveryMoment:
    """Where no log of events is at hand: over a server, or a database that others write too."""

    async def begin(self) -> None:
        """Nothing to be done."""

    async def come(self) -> None:
        """A moment."""
        await asyncio.sleep(MOMENT_SECONDS)

    def end(self) -> None:
        """Nothing to be done."""


class OfEvents:
    """By the log of events, as far as a key may see it: nothing is looked at in vain."""

    def __init__(self, hub: Hub, caller: Caller) -> None:
        self._hub = hub
        self._caller = caller
        self._follow: Follow | None = None

    async def begin(self) -> None:
        """From the last event on."""
        follow = self._hub.follow(self._caller)
        await follow.begin()
        self._follow = follow

    async def come(self) -> None:
        """The next event, and those close behind it; or for so long none."""
        assert self._follow is not None, "begun"
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await anext(self._follow)
        except TimeoutError:
            return
        await asyncio.sleep(TOGETHER_SECONDS)
        await self.begin()

    def end(self) -> None:
        """The log is not looked at for this any more."""
        if self._follow is not None:
            self._follow.close()
            self._follow = None
