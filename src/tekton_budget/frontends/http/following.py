"""The hub: one look at the log of events for all who follow it in this process.

Whoever follows has a place in the log and takes what lies beyond it, at their own pace: nothing is
pushed into a queue, so a slow one holds up nobody and costs no memory. What was numbered lately is
kept in memory for all; older places are read from the store. Without followers nothing is asked.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple, Self
from weakref import WeakSet

import structlog

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import BudgetError, Unauthenticated, Unavailable
from tekton_budget.service.following import Concerned, Following, Logged, known_types
from tekton_budget.service.keys import KeyVerbs

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.25
AWAY_SECONDS = 2.0  # between two looks while the store is away
KEYS_SECONDS = 1.0  # how long a key that was revoked goes on at most, beside what keys are kept for
READ_MAX = 1000
RECENT_MAX = 4000


class _Recent(NamedTuple):
    event: Logged
    concerned: Concerned
    whole: bool  # nobody's labels were read: only for keys that see everything


class Hub:
    """Followers of the log, in one event loop."""

    def __init__(self, following: Following, keys: KeyVerbs) -> None:
        self._following = following
        self._keys = keys
        self._follows: WeakSet[Follow] = WeakSet()
        self._recent: deque[_Recent] = deque(maxlen=RECENT_MAX)
        self._last = 0
        self._news = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    def follow(
        self, caller: Caller, after: int | None = None, types: Sequence[str] = ()
    ) -> "Follow":
        """Every event after a position (or from now on) that this key may see, as it comes.

        `with closing(hub.follow(caller)) as events: async for event in events: …`. Iterating raises
        what `Following.after` refuses, `Unavailable` where a place cannot be read, and
        `Unauthenticated` once the key is no longer valid; it ends when the server stops. Its
        `position` says where to go on.
        """
        found = Follow(self, caller, after, known_types(types))
        self._follows.add(found)
        return found

    def forget(self, follow: "Follow") -> None:
        """One less to look for."""
        self._follows.discard(follow)

    @property
    def is_looking(self) -> bool:
        """Whether the log is looked at now and then: somebody follows."""
        return self._looking is not None and not self._looking.done()

    async def close(self) -> None:
        """End all who follow; who comes later gets nothing."""
        self._closed = True
        self._wake()
        if self._looking is not None and self._looking.get_loop() is asyncio.get_running_loop():
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    async def beyond(
        self, caller: Caller, place: int | None, *, first: bool
    ) -> tuple[Sequence[_Recent], int]:
        """Waits for what lies beyond a place: events, seen or not, and the place behind them."""
        self._look()
        if place is None:
            return (), await asyncio.to_thread(self._following.last_position)
        if not first:
            recent = self._kept(place, bound=bool(caller.labels))
            if recent:
                return recent, recent[-1].event.position
            if place >= self._last:
                await self._news.wait()
                return (), place
        whole = not caller.labels
        events, concerned, _ = await asyncio.to_thread(
            self._following.stretch, place, READ_MAX, whole=whole
        )
        if not events:
            return (), place
        return [_Recent(event, concerned, whole) for event in events], events[-1].position

    @property
    def is_closed(self) -> bool:
        """Whether the server stops."""
        return self._closed

    def _kept(self, place: int, *, bound: bool) -> list[_Recent]:
        """What is kept in memory beyond a place; nothing where that does not reach so far back."""
        if not self._recent or self._recent[0].event.position > place + 1:
            return []
        start = place + 1 - self._recent[0].event.position
        found = list(islice(self._recent, start, start + READ_MAX))
        return [] if bound and any(one.whole for one in found) else found

    def _look(self) -> None:
        """Begin to look at the log, in the event loop of who follows."""
        loop = asyncio.get_running_loop()
        task = self._looking
        if self._closed or (task is not None and not task.done() and task.get_loop() is loop):
            return
        self._recent.clear()
        self._last = 0
        self._news = asyncio.Event()
        self._looking = loop.create_task(self._work(), name="budget-hub")

    async def _work(self) -> None:
        self._last = await self._tried_last()
        self._wake()
        checked = loop_time()
        while self._follows and not self._closed:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._take()
                if loop_time() - checked >= KEYS_SECONDS:
                    checked = loop_time()
                    follows = list(self._follows)  # here, where others come and go
                    if await asyncio.to_thread(self._end_revoked, follows):
                        self._wake()
            except Unavailable:
                await asyncio.sleep(AWAY_SECONDS)
            except Exception:
                log.exception("following_failed")
                await asyncio.sleep(AWAY_SECONDS)

    async def _take(self) -> None:
        """What was numbered since the last look."""
        last = await asyncio.to_thread(self._following.last_position)
        while self._last < last:
            whole = not any(one.caller.labels for one in self._follows)
            events, concerned, _ = await asyncio.to_thread(
                self._following.stretch, self._last, READ_MAX, whole=whole
            )
            if not events:
                return
            self._recent += [_Recent(event, concerned, whole) for event in events]
            self._last = events[-1].position
            self._wake()

    async def _tried_last(self) -> int:
        while True:
            try:
                return await asyncio.to_thread(self._following.last_position)
            except Unavailable:
                await asyncio.sleep(AWAY_SECONDS)
            except Exception:
                log.exception("following_failed")  # those who wait for news wait on
                await asyncio.sleep(AWAY_SECONDS)

    def _end_revoked(self, follows: Sequence["Follow"]) -> bool:
        """Whether some follow by a key that is no longer valid; they are refused from now on."""
        known: dict[tuple[str, str], bool] = {}
        for one in follows:
            caller = one.caller
            if not caller.key_id:
                continue
            key = (caller.key_id, caller.name)
            if key not in known:
                known[key] = self._keys.caller_of(*key) is not None
            if not known[key]:
                one.refusal = Unauthenticated(
                    "The key is no longer valid: follow with another one.", code="key_invalid"
                )
        return not all(known.values())

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class Follow:
    """One follower's way through the log, event by event."""

    def __init__(self, hub: Hub, caller: Caller, after: int | None, types: frozenset[str]) -> None:
        self._hub = hub
        self.caller = caller
        self.position = after  # behind the last event that was given, or passed over
        self.refusal: BudgetError | None = None
        self._types = types
        self._place = after
        self._first = after is not None
        self._ready: deque[Logged] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Logged:
        while not self._ready:
            await self._fetch()
        event = self._ready.popleft()
        self.position = event.position if self._ready else self._place
        return event

    async def some(self) -> list[Logged]:
        """All that is there, at least one event; waits for it."""
        while not self._ready:
            await self._fetch()
        found = list(self._ready)
        self._ready.clear()
        self.position = self._place
        return found

    async def begin(self) -> int:
        """Take the place from which to follow, so that nothing after this call is missed."""
        while self._place is None:
            await self._fetch()
        return self._place

    def close(self) -> None:
        """Follow no longer; the log is not looked at for this one any more."""
        self._hub.forget(self)

    async def _fetch(self) -> None:
        if self._hub.is_closed:
            raise StopAsyncIteration
        if self.refusal is not None:
            raise self.refusal
        recent, self._place = await self._hub.beyond(self.caller, self._place, first=self._first)
        self._first = False
        self._ready += [
            event
            for event, concerned, _ in recent
            if (not self._types or event.type in self._types)
            and concerned.seen_by(self.caller, event)
        ]
        if not self._ready:
            self.position = self._place


def loop_time() -> float:
    """The event loop's own clock."""
    return asyncio.get_running_loop().time()
