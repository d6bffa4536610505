"""Clients of httpx and httpx2 whose calls go through the gateway in this process."""

import asyncio
import functools
import queue
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from starlette.types import Scope

from tekton_budget.face.calling import AsyncGatewayTransport, GatewayTransport, Redirect
from tekton_budget.face.calling.modules import Module
from tekton_budget.face.calling.redirect import Onward
from tekton_budget.face.calling.transport import Request, Response
from tekton_budget.library.passage import Broken, Crossing, End, Head, Part, Passage


class Opens(Protocol):
    """Opens the gateway where it is not open yet."""

    def __call__(self) -> Passage:
        """The gateway; refuses in a fork, or once it was closed."""


class InProcessTransport(GatewayTransport):
    """For threads."""

    def __init__(self, http: Module, redirect: Redirect, passage: Opens) -> None:
        super().__init__(http, redirect)
        self._passage = passage

    def pass_on(self, request: Request, onward: Onward) -> Response:
        """Status and headers as soon as they are known."""
        taking = _Taking(self.http, request)
        inbox = _Inbox()
        crossing = self._passage().start(_scope(request, onward), request.read(), inbox.put)
        body = _sync_body(self.http)(crossing, inbox, taking)
        try:
            head = taking.head(body.take())
        except BaseException:
            crossing.leave()
            raise
        return self.http.Response(head.status, headers=head.headers, stream=body)

    def close(self) -> None:
        """The gateway is the budget's, and closed with it."""


class AsyncInProcessTransport(AsyncGatewayTransport):
    """For tasks of any event loop."""

    def __init__(self, http: Module, redirect: Redirect, passage: Opens) -> None:
        super().__init__(http, redirect)
        self._passage = passage

    async def pass_on(self, request: Request, onward: Onward) -> Response:
        """Status and headers as soon as they are known."""
        taking = _Taking(self.http, request)
        inbox = _AsyncInbox()
        sent = await request.aread()
        crossing = self._passage().start(_scope(request, onward), sent, inbox.put)
        body = _async_body(self.http)(crossing, inbox, taking)
        try:
            head = taking.head(await body.take())
        except BaseException:
            crossing.leave()
            raise
        return self.http.Response(head.status, headers=head.headers, stream=body)

    async def aclose(self) -> None:
        """The gateway is the budget's, and closed with it."""


def _scope(request: Request, onward: Onward) -> Scope:
    parts = urlsplit(onward.url)
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": onward.headers,
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 0),
        "state": {},
    }


class _Taking:
    """What is made of the parts of an answer, in the words of the client's module."""

    def __init__(self, http: Module, request: Request) -> None:
        self._http = http
        self._request = request
        self.seconds: float | None = request.extensions.get("timeout", {}).get("read")

    def head(self, part: Part) -> Head:
        """The first part."""
        assert isinstance(part, Head), "an answer begins with its head"
        return part

    def part(self, part: Part) -> Part:
        """Any part; raises where the answer broke off."""
        if isinstance(part, Broken):
            raise self._http.RemoteProtocolError(part.cause, request=self._request)
        return part

    def late(self) -> Exception:
        """Nothing came for as long as the client waits."""
        text = f"nothing came for {self.seconds} seconds"
        error: Exception = self._http.ReadTimeout(text, request=self._request)
        return error


class _Inbox:
    """Parts on their way to a thread."""

    def __init__(self) -> None:
        self._parts: queue.SimpleQueue[Part] = queue.SimpleQueue()
        self.put = self._parts.put

    def get(self, seconds: float | None) -> Part:
        """The next one; raises `TimeoutError`."""
        try:
            return self._parts.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None


class _AsyncInbox:
    """Parts on their way to a task."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parts: asyncio.Queue[Part] = asyncio.Queue()

    def put(self, part: Part) -> None:
        """From the gateway's loop."""
        self._loop.call_soon_threadsafe(self._parts.put_nowait, part)

    async def get(self, seconds: float | None) -> Part:
        """The next one; raises `TimeoutError`."""
        if not self._parts.empty():
            return self._parts.get_nowait()
        async with asyncio.timeout(seconds):
            return await self._parts.get()


class _Leaving:
    """Whoever lets go of an answer before its end has gone, said or not."""

    _crossing: Crossing
    _over = False

    def leave(self) -> None:
        """Once is enough."""
        if not self._over:
            self._over = True
            self._crossing.leave()

    def __del__(self) -> None:
        self.leave()


class _Body(_Leaving):
    """An answer's body for threads."""

    def __init__(self, crossing: Crossing, inbox: _Inbox, taking: _Taking) -> None:
        self._crossing, self._inbox, self._taking = crossing, inbox, taking

    def take(self) -> Part:
        """The next part."""
        try:
            return self._taking.part(self._inbox.get(self._taking.seconds))
        except TimeoutError:
            raise self._taking.late() from None

    def __iter__(self) -> Iterator[bytes]:
        while not self._over:
            part = self.take()
            if isinstance(part, bytes):
                self._crossing.took(part)
                yield part
            elif isinstance(part, End):
                self._over = True

    def close(self) -> None:
        """No more of it is wanted."""
        self.leave()


class _AsyncBody(_Leaving):
    """The same for tasks."""

    def __init__(self, crossing: Crossing, inbox: _AsyncInbox, taking: _Taking) -> None:
        self._crossing, self._inbox, self._taking = crossing, inbox, taking

    async def take(self) -> Part:
        """The next part."""
        try:
            return self._taking.part(await self._inbox.get(self._taking.seconds))
        except TimeoutError:
            raise self._taking.late() from None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self._over:
            part = await self.take()
            if isinstance(part, bytes):
                self._crossing.took(part)
                yield part
            elif isinstance(part, End):
                self._over = True

    async def aclose(self) -> None:
        """No more of it is wanted."""
        self.leave()


@functools.cache
def _sync_body(http: Module) -> Any:  # Any: a class that is of that module too
    return type("Body", (_Body, http.SyncByteStream), {})


@functools.cache
def _async_body(http: Module) -> Any:  # Any: as above
    return type("AsyncBody", (_AsyncBody, http.AsyncByteStream), {})
