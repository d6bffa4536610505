"""The gateway in this process: calls go in whole, and their answers come out as they are told.

It runs in an event loop of its own, so that a call is settled whatever becomes of whoever made it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Scope

from tekton_budget.domain.errors import BudgetError
from tekton_budget.frontends.gateway.app import Gateway
from tekton_budget.library.loops import LoopThread

UNREAD_MAX = 1 << 18  # bytes that wait for whoever asked; then the provider waits too
CLOSE_SECONDS = 10
_CLOSED = "this budget was closed"


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers."""

    status: int
    headers: list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Broken:
    """The answer ends before its end."""

    cause: str


class End:
    """All of the answer was told."""


END: Final = End()
Part = Head | bytes | End | Broken
Hand = Callable[[Part], object]


class Crossing:
    """One call on its way: told in the gateway's loop, taken elsewhere at the taker's pace."""

    def __init__(self, loop: LoopThread, body: bytes, hand: Hand) -> None:
        self._loop = loop
        self._body: bytes | None = body
        self._hand = hand
        self._taken = 0  # bytes, not yet told to the loop; the rest belongs to the loop
        self._unread = 0
        self._room = asyncio.Event()
        self._gone = asyncio.Event()

    def took(self, part: bytes) -> None:
        """Whoever asked has this part."""
        self._taken += len(part)
        if self._taken >= UNREAD_MAX // 2:
            taken, self._taken = self._taken, 0
            self._told(lambda: self._make_room(taken))

    def leave(self) -> None:
        """Whoever asked has gone; the gateway ends the call and bills what it was."""
        self._told(self.left)

    def _told(self, act: Callable[[], None]) -> None:
        with suppress(BudgetError):  # the budget was closed, or this is a fork
            self._loop.tell(act)

    # In the loop of the gateway ---------------------------------------------------------------

    def left(self) -> None:
        """The same, in the loop."""
        self._gone.set()
        self._room.set()

    async def cross(self, app: ASGIApp, scope: Scope) -> None:
        """Through the gateway to the end."""
        try:
            await app(scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001  (whoever asked is told)
            self.broke(str(error) or type(error).__name__)

    def broke(self, cause: str) -> None:
        """No more comes."""
        self._put(Broken(cause))

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._put(Head(message["status"], list(message["headers"])))
            return
        body = message.get("body", b"")
        if body:
            self._unread += len(body)
            self._put(body)
        if not message.get("more_body"):
            self._put(END)
        elif self._unread > UNREAD_MAX and not self._gone.is_set():
            self._room.clear()
            await self._room.wait()

    def _make_room(self, taken: int) -> None:
        self._unread -= taken
        if self._unread <= UNREAD_MAX:
            self._room.set()

    def _put(self, part: Part) -> None:
        if self._gone.is_set():
            return
        try:
            self._hand(part)
        except RuntimeError:  # the event loop of whoever asked has ended
            self.left()


class Passage:
    """The gateway, and all calls on their way through it."""

    def __init__(self, gateway: Gateway, loop: LoopThread) -> None:
        self._gateway = gateway
        self._loop = loop
        self._under_way: dict[asyncio.Task[None], Crossing] = {}
        self._closed = False

    def start(self, scope: Scope, body: bytes, hand: Hand) -> Crossing:
        """Begin a call; `hand` is called in the gateway's loop with each part of the answer."""
        crossing = Crossing(self._loop, body, hand)
        self._loop.tell(lambda: self._begin(crossing, scope))
        return crossing

    def _begin(self, crossing: Crossing, scope: Scope) -> None:
        if self._closed:
            crossing.broke(_CLOSED)
            return
        task = asyncio.get_running_loop().create_task(crossing.cross(self._gateway, scope))
        self._under_way[task] = crossing
        task.add_done_callback(self._under_way.pop)

    async def close(self) -> None:
        """End the calls on their way, bill them, and let go of the providers."""
        self._closed = True
        for crossing in self._under_way.values():
            crossing.broke(_CLOSED)
            crossing.left()
        under_way = list(self._under_way)
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._gateway.close()
