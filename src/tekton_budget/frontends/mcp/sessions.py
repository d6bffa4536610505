"""Sessions over HTTP: the SDK's streamable transport, each session its key's own, all bounded."""

import asyncio
import logging
from dataclasses import replace
from typing import cast

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import Receive, Scope, Send

from tekton_budget.domain.caller import Caller
from tekton_budget.frontends.mcp.desk import Desk, Memory
from tekton_budget.frontends.mcp.door import DESK
from tekton_budget.frontends.mcp.protocol import Context, Protocol

_MEMORY = "tekton_budget.memory"


class Sessions:
    """Who talks to this process by the protocol."""

    def __init__(
        self,
        *,
        has_sessions: bool,
        sessions_max: int,
        idle_seconds: float,
        body_max: int,
    ) -> None:
        logging.getLogger("mcp").setLevel(logging.WARNING)  # it logs the names of sessions
        self._protocol = Protocol(_desk_of, has_sessions=has_sessions)
        # Hosts and pages are looked at by the door, as for every other one.
        self._transport = StreamableHTTPSessionManager(
            self._protocol.server,
            stateless=not has_sessions,
            session_idle_timeout=idle_seconds if has_sessions else None,
            max_sessions=sessions_max,
            max_request_body_size=body_max,
        )
        self._closing = asyncio.Event()
        self._is_open = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin; ready when it returns."""
        self._running = asyncio.get_running_loop().create_task(self._run())
        opened = asyncio.get_running_loop().create_task(self._is_open.wait())
        await asyncio.wait((self._running, opened), return_when=asyncio.FIRST_COMPLETED)
        if self._running.done():
            opened.cancel()
            self._running.result()

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """One request. A session of another key is not there."""
        token = AccessToken(token=caller.key_id, client_id=caller.key_id, scopes=[])
        scope["user"] = AuthenticatedUser(token)
        await self._transport.handle_request(scope, receive, send)

    def end_listening(self) -> None:
        """Streams of subscriptions end in order."""
        self._protocol.end_listening()

    async def close(self) -> None:
        """End every session."""
        self._closing.set()
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        """What begins the transport has to end it too: one task does both."""
        async with self._transport.run():
            self._is_open.set()
            await self._closing.wait()


def _desk_of(ctx: Context) -> Desk:
    """The request's own, with what its session remembers; nothing else keeps that."""
    assert ctx.request is not None, "every message came in a request"
    desk = cast(Desk, ctx.request.scope[DESK])
    connection = ctx.session._connection  # noqa: SLF001  (nothing public lasts as a session does)
    if connection.session_id is None:
        return desk
    return replace(desk, memory=connection.state.setdefault(_MEMORY, Memory()))
