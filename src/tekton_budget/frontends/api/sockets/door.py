"""The door of the WebSockets: who may connect, how many, and how they end with the server."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qs

import structlog
from starlette.types import Receive, Scope, Send

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import (
    BudgetError,
    NotFound,
    Unauthenticated,
    Unavailable,
    invalid,
)
from tekton_budget.frontends.api import problems
from tekton_budget.frontends.api.edge import told
from tekton_budget.frontends.api.sockets.pushes import Push, Pushes
from tekton_budget.frontends.api.sockets.socket import GOING_AWAY, Opened, Socket
from tekton_budget.frontends.api.sockets.topics import ALL, BUDGETS, ENDPOINTS, EVERYTHING
from tekton_budget.frontends.http.auth import Doorkeeper
from tekton_budget.frontends.http.following import Follow, Hub
from tekton_budget.frontends.http.watched import AccessLog
from tekton_budget.service import Service
from tekton_budget.service.following import Logged

log = structlog.get_logger(__name__)

SOCKETS_MAX = 1000  # of a server process
STRANGERS_MAX = 100  # of them, that have not shown a key yet
CLOSE_SECONDS = 2.0  # for all to be told that the server stops
CLOCK_SECONDS = 60.0  # how long the store's clock is carried on by our own
SWITCHING, CLOSED = 101, 499

R = TypeVar("R")


class Sockets:
    """An ASGI application for WebSockets, and what all of them share."""

    def __init__(
        self,
        service: Service,
        doorkeeper: Doorkeeper,
        hub: Hub,
        *,
        count: Callable[[int], None] = lambda _: None,
        access_log: AccessLog | None = None,
    ) -> None:
        self._service = service
        self._doorkeeper = doorkeeper
        self._hub = hub
        self._count = count
        self._access_log = access_log
        self._pushes = Pushes(service)
        self._open: dict[Socket, bool] = {}  # whether it came with a key, or needs none
        self._stopping = False
        self._empty = asyncio.Event()
        self._clock = (0, 0.0)
        self._shared: dict[object, asyncio.Task[Any]] = {}  # Any: what each reads

    def __len__(self) -> int:
        """How many are connected."""
        return len(self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, from its handshake to its end."""
        begun, status = time.perf_counter(), CLOSED
        await receive()  # that it wants to connect
        try:
            opened = await self._opened(scope)
        except BudgetError as refusal:
            status = await _decline(scope, send, refusal)
        else:
            status = SWITCHING
            await self._served(opened, receive, send)
        finally:
            if self._access_log is not None:
                seconds = time.perf_counter() - begun
                self._access_log({**scope, "method": "GET"}, status, seconds)

    async def close(self) -> None:
        """Tell all that the server stops, and let nobody in any more."""
        self._stopping = True
        await self._hub.close()
        for one in list(self._open):
            one.end(GOING_AWAY, "the server stops")
        if self._open:
            self._empty.clear()
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._empty.wait()
            except TimeoutError:
                log.warning("sockets_cut_off", count=len(self._open))

    async def _served(self, opened: Opened, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        socket = Socket(self, opened, receive, send)
        self._open[socket] = opened.caller is not None
        self._count(len(self._open))
        try:
            await socket.run()
        finally:
            del self._open[socket]
            self._count(len(self._open))
            if not self._open:
                self._empty.set()

    async def _opened(self, scope: Scope) -> Opened:
        """How a connection begins; refuses whom it does not let in."""
        path = scope["path"]
        if path not in ENDPOINTS and path != EVERYTHING:
            raise NotFound(
                f"There is no WebSocket at {path}: connect to {', '.join((*ENDPOINTS, '/ws'))}."
            )
        after = _after(scope)
        caller: Caller | None
        try:
            scope["caller"] = caller = await self._doorkeeper.admit(scope, dict(scope["headers"]))
        except Unauthenticated as refusal:
            if refusal.code != "key_needed" or _shows_key(scope):
                raise
            caller = None  # it may show one in a message: pages cannot in a header
        strangers = sum(not known for known in self._open.values())
        if (
            self._stopping
            or len(self._open) >= SOCKETS_MAX
            or (caller is None and strangers >= STRANGERS_MAX)
        ):
            raise Unavailable(
                "There are too many WebSockets, or the server stops: connect again later.",
                code="sockets_full",
                retry_after_seconds=5,
            )
        await self._set_clock()
        if path == EVERYTHING:
            return Opened(BUDGETS, ALL, both_forms=True, caller=caller, after=after)
        return Opened(ENDPOINTS[path], (ENDPOINTS[path],), caller=caller, after=after)

    # --- what a socket asks for ----------------------------------------------------------------

    async def caller_of(self, secret: str) -> Caller | None:
        """Who a key stands for, if it is valid."""
        try:
            return await self._doorkeeper.caller_of(secret)
        except Unauthenticated:
            return None

    async def still_welcome(self, caller: Caller) -> bool:
        """Whether a client without a key may stay: until the first key is made."""
        return bool(caller.key_id) or not await self._doorkeeper.needs_key()

    def follow(self, caller: Caller, after: int | None) -> Follow:
        """The log of events from a position on."""
        return self._hub.follow(caller, after)

    async def pushes(
        self, caller: Caller, topics: Sequence[str], events: Sequence[Logged]
    ) -> tuple[Sequence[Push], frozenset[str | None]]:
        """What some events are told as, and which budgets they touched."""
        found = await asyncio.to_thread(self._pushes.of_events, caller, topics, events)
        return found.messages, found.touched

    async def budget_update(
        self, caller: Caller, budget_id: str | None, position: int
    ) -> dict[str, object] | None:
        """How a budget stands: read once for all who see the same at the same position."""
        key = ("budget", _who(caller), budget_id, position)
        return await self._once(key, lambda: self._pushes.of_budget(caller, budget_id))

    async def period_update(self, caller: Caller, period: str, position: int) -> dict[str, object]:
        """How the policies of a period stand; the same."""
        key = ("period", _who(caller), period, position)
        return await self._once(key, lambda: self._pushes.of_period(caller, period))

    def now_us(self) -> int:
        """The store's clock, as it was asked lately."""
        now_us, at = self._clock
        return now_us + int((time.monotonic() - at) * 1_000_000)

    async def _set_clock(self) -> None:
        if time.monotonic() - self._clock[1] >= CLOCK_SECONDS or not self._clock[0]:
            now_us = await asyncio.to_thread(self._service.health.now_us)
            self._clock = (now_us, time.monotonic())

    async def _once(self, key: object, read: Callable[[], R]) -> R:
        """The answer that another waits for already, if there is one."""
        task = self._shared.get(key)
        if task is None:
            task = self._shared[key] = asyncio.create_task(asyncio.to_thread(read))
            task.add_done_callback(partial(self._read, key))
        found: R = await asyncio.shield(task)
        return found

    def _read(self, key: object, task: "asyncio.Task[Any]") -> None:
        """Whoever waited for it may be gone: an error nobody looked at is no fault."""
        self._shared.pop(key, None)
        if not task.cancelled():
            task.exception()


def _who(caller: Caller) -> object:
    return caller.key_id, caller.name, tuple(sorted(caller.labels.items()))


def _shows_key(scope: Scope) -> bool:
    return any(name in (b"x-api-key", b"authorization") for name, _ in scope["headers"])


def _after(scope: Scope) -> int | None:
    """The position in the address, if there is one."""
    given = parse_qs(scope["query_string"].decode("latin-1")).get("after")
    if given is None:
        return None
    if not given[0].isascii() or not given[0].isdigit() or len(given[0]) > 18:
        raise invalid("after", "send the position of the last message that you have")
    return int(given[0])


async def _decline(scope: Scope, send: Send, refusal: BudgetError) -> int:
    """The handshake is answered by HTTP, with a problem document."""
    status, body, headers = told(problems.of_refusal(refusal, scope["path"]))
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return 403
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
    return status
