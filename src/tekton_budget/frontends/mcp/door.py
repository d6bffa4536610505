"""`/mcp`: the Model Context Protocol over HTTP, for whoever the other doors let in too."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import structlog
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tekton_budget.domain.caller import Caller, Role
from tekton_budget.domain.errors import BudgetError, Forbidden, Unauthenticated, Unavailable
from tekton_budget.face.budget import AsyncBudget
from tekton_budget.frontends.http.auth import Doorkeeper
from tekton_budget.frontends.http.following import Hub
from tekton_budget.frontends.http.inner import Inner
from tekton_budget.frontends.http.labels import labels_of
from tekton_budget.frontends.http.refused import status_of
from tekton_budget.frontends.http.watched import AccessLog, Meter
from tekton_budget.frontends.http.wire import encode
from tekton_budget.frontends.mcp.desk import Desk
from tekton_budget.frontends.mcp.news import OfEvents
from tekton_budget.settings import Settings

if TYPE_CHECKING:
    from tekton_budget.frontends.mcp.sessions import Sessions

log = structlog.get_logger(__name__)

PATH = "/mcp"
BODY_MAX = 1 << 20
SESSIONS_MAX = 1000
IDLE_SECONDS = 1800.0
DESK = "tekton_budget.desk"  # in a request's scope
_CREDENTIALS = (b"x-api-key", b"authorization")
_METHODS = ("GET", "POST", "DELETE")
_HEADERS = (
    *("Authorization", "Content-Type", "X-API-Key", "X-Budget-Labels", "Last-Event-ID"),
    *("Mcp-Session-Id", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"),
)
_MAY_ADMINISTER = (Role.ADMIN, Role.OPERATOR)


class McpDoor:
    """An ASGI application at `/mcp`: keys, hosts and pages as everywhere, then the SDK.

    With several worker processes each request stands alone, for the next may come to another one:
    there are no sessions then, and subscriptions are by `subscriptions/listen` only.
    """

    def __init__(
        self,
        settings: Settings,
        api: ASGIApp,
        doorkeeper: Doorkeeper,
        hub: Hub,
        *,
        meter: Meter | None = None,
        access_log: AccessLog | None = None,
    ) -> None:
        self._api = api
        self._doorkeeper = doorkeeper
        self._hub = hub
        self._meter = meter
        self._access_log = access_log
        self._has_sessions = settings.workers == 1
        self._opening: asyncio.Task[Sessions] | None = None
        self._stopping = asyncio.Event()
        self._pages = CORSMiddleware(
            self._measured,
            allow_origins=settings.cors_origins,
            allow_methods=_METHODS,
            allow_headers=_HEADERS,
            expose_headers=("Mcp-Session-Id", "Retry-After", "WWW-Authenticate"),
        )

    def concerns(self, path: str) -> bool:
        """Whether a path is this door's."""
        return path in (PATH, f"{PATH}/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if any(name == b"origin" for name, _ in scope["headers"]):
            await self._pages(scope, receive, send)
        else:
            await self._measured(scope, receive, send)

    def stop(self) -> None:
        """Streams that are open end now; what was asked is still answered."""
        self._stopping.set()
        if self._opening is not None and self._opening.done():
            self._opening.result().end_listening()

    async def close(self) -> None:
        """End the sessions."""
        self.stop()
        if self._opening is not None:
            await (await self._opening).close()

    # One request --------------------------------------------------------------------------------

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        status, is_over = 499, False

        async def watched(message: Message) -> None:
            nonlocal status, is_over
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                is_over = not message.get("more_body", False)
            await send(message)

        try:
            await self._answered(scope, receive, watched)
            if not is_over and status != 499 and self._stopping.is_set():
                await send({"type": "http.response.body", "body": b""})
        except BudgetError as refusal:
            status = await _refuse(send, refusal)
        except ClientDisconnect:
            return
        finally:
            seconds = time.perf_counter() - begun
            if self._meter is not None:
                self._meter(scope["method"], PATH, status, seconds)
            if self._access_log is not None:
                self._access_log(scope, status, seconds)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        self._doorkeeper.refuse_page(headers)
        scope["caller"] = caller = await self._doorkeeper.admit(scope, headers)
        scope[DESK] = self._desk(scope, headers, caller)
        if self._stopping.is_set():
            raise Unavailable("The server is stopping: come back in a moment.", code="stopping")
        sessions = await self._opened()
        if scope["method"] == "GET":
            receive = self._until_stopped(receive)
        await sessions.answer(scope, receive, send, caller)

    def _desk(self, scope: Scope, headers: Mapping[bytes, bytes], caller: Caller) -> Desk:
        """The request's own credentials go with whatever its tools ask for."""
        own = [(name, headers[name]) for name in _CREDENTIALS if name in headers]
        face = AsyncBudget(Inner(self._api, own), labels_of(headers))
        administers = b"admin" in parse_qs(scope["query_string"]).get(b"tools", [])
        if administers and caller.role not in _MAY_ADMINISTER:
            raise Forbidden(
                f"The tools of administration are for keys with the role admin or operator; this "
                f"one is a {caller.role}. Leave out ?tools=admin.",
            )
        return Desk(face, administers=administers, news=OfEvents(self._hub, caller))

    async def _opened(self) -> "Sessions":
        """The SDK's part, loaded with the first request: it is slow to load."""
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> "Sessions":
        await asyncio.to_thread(_load)
        from tekton_budget.frontends.mcp.sessions import Sessions

        sessions = Sessions(
            has_sessions=self._has_sessions,
            sessions_max=SESSIONS_MAX,
            idle_seconds=IDLE_SECONDS,
            body_max=BODY_MAX,
        )
        await sessions.open()
        return sessions

    def _until_stopped(self, receive: Receive) -> Receive:
        """What a stream hears of its client, which seems to leave once the server stops."""

        async def heard() -> Message:
            message = asyncio.ensure_future(receive())
            stopped = asyncio.ensure_future(self._stopping.wait())
            try:
                await asyncio.wait((message, stopped), return_when=asyncio.FIRST_COMPLETED)
                return message.result() if message.done() else {"type": "http.disconnect"}
            finally:
                message.cancel()
                stopped.cancel()

        return heard


def _load() -> None:
    import tekton_budget.frontends.mcp.sessions  # noqa: F401  (in a thread, so that others go on)


async def _refuse(send: Send, refusal: BudgetError) -> int:
    """As the protocol has errors that come before any request is read."""
    status = status_of(refusal)
    data: dict[str, Any] = {"code": refusal.code, **refusal.extra}
    error = {"code": -32600, "message": refusal.detail, "data": data}
    body = encode({"jsonrpc": "2.0", "id": None, "error": error})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if isinstance(refusal, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"1"))
    with suppress(ConnectionResetError):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    return status
