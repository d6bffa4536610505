"""The edge: where every request is let in, measured and logged, and where the hot routes end."""

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tekton_budget.domain.caller import LOCAL, Caller
from tekton_budget.domain.errors import BudgetError
from tekton_budget.frontends.api import problems
from tekton_budget.frontends.http import wire
from tekton_budget.frontends.http.auth import Doorkeeper
from tekton_budget.frontends.http.watched import AccessLog, Meter

# What may be read without a key: whether the service is there, and how to speak to it.
OPEN = frozenset({"/", "/health", "/ready", "/status", "/favicon.ico"})
OPEN_BELOW = tuple(
    f"{prefix}/{name}"
    for prefix in ("/api/v1", "/api")
    for name in ("docs", "redoc", "openapi.json", "discovery", "health")
)

Answered = tuple[int, bytes, list[tuple[bytes, bytes]]]  # status, body, headers
HotRoute = Callable[[Caller, dict[bytes, bytes], Receive, str, str], Awaitable[Answered]]


class HotHandlers(Protocol):
    """The routes that are answered at the edge."""

    def found(self, method: str, path: str) -> tuple[HotRoute, str, str] | None:
        """The handler of a request, its route's template, and the id in its path."""


class Edge:
    """Wraps the application: admits callers, answers hot routes, sees every outcome."""

    def __init__(
        self,
        inner: ASGIApp,
        doorkeeper: Doorkeeper,
        hot: HotHandlers,
        *,
        meter: Meter | None = None,
        access_log: AccessLog | None = None,
    ) -> None:
        self._inner = inner
        self._doorkeeper = doorkeeper
        self._found = hot.found
        self.meter = meter
        self.access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        begun = time.perf_counter()
        status, route = 499, ""
        try:
            hot = self._found(scope["method"], scope["path"])
            if hot is not None:
                status, route = await self._hot(scope, receive, send, hot), hot[1]
            else:
                status, route = await self._routed(scope, receive, send)
        except ClientDisconnect:
            return
        finally:
            seconds = time.perf_counter() - begun
            if self.meter is not None:
                self.meter(scope["method"], route, status, seconds)
            if self.access_log is not None:
                self.access_log(scope, status, seconds)

    async def _hot(
        self, scope: Scope, receive: Receive, send: Send, hot: tuple[HotRoute, str, str]
    ) -> int:
        handler, _, id_ = hot
        headers = dict(scope["headers"])
        try:
            scope["caller"] = caller = await self._doorkeeper.admit(scope, headers)
            status, body, own = await handler(caller, headers, receive, id_, scope["path"])
        except BudgetError as refusal:
            status, body, own = told(problems.of_refusal(refusal, scope["path"]))
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001  (the edge: a fault is told, logged and over)
            status, body, own = told(problems.of_fault(error, scope["path"]))
        own.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": own})
        await send({"type": "http.response.body", "body": body})
        return status

    async def _routed(self, scope: Scope, receive: Receive, send: Send) -> tuple[int, str]:
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        path = scope["path"]
        try:
            scope["caller"] = await self._admitted(scope)
            await self._inner(scope, receive, watched)
        except BudgetError as refusal:
            await _send(watched, told(problems.of_refusal(refusal, path)))
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001  (the edge, as above)
            if status:  # the answer is under way (or told already by the handler of faults)
                return status, _route_of(scope)
            await _send(watched, told(problems.of_fault(error, path)))
        return status, _route_of(scope)

    async def _admitted(self, scope: Scope) -> Caller:
        path: str = scope["path"]
        if path in OPEN or path.startswith(OPEN_BELOW):
            return LOCAL_READER
        return await self._doorkeeper.admit(scope, dict(scope["headers"]))


# Whoever asks for what is open to all may do nothing else.
LOCAL_READER = Caller(role=LOCAL.role.VIEWER)


def told(problem: tuple[int, dict[str, object], dict[str, str]]) -> Answered:
    """A problem document as bytes."""
    status, document, headers = problem
    own = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    own.append((b"content-type", problems.MEDIA_TYPE.encode()))
    return status, wire.encode(document), own


async def _send(send: Send, answer: Answered) -> None:
    status, body, headers = answer
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _route_of(scope: Scope) -> str:
    """The route's template, so that metrics have few names."""
    return getattr(scope.get("route"), "path_format", "")
