"""The library: a budget over a server, or in this very process over the user's own database."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import unquote

import structlog
from starlette.types import ASGIApp, Message, Scope

from tekton_budget.domain.caller import LOCAL, Caller
from tekton_budget.domain.errors import BudgetError
from tekton_budget.face import wire
from tekton_budget.face.budget import AsyncBudget, Budget
from tekton_budget.face.environment import environment
from tekton_budget.face.request import Labels, Request
from tekton_budget.frontends.api import create_app
from tekton_budget.frontends.http.auth import Doorkeeper
from tekton_budget.settings import Settings, load_settings
from tekton_budget.wiring import Running, open_service

T = TypeVar("T")
B = TypeVar("B")


class Door:
    """The HTTP door's own application, spoken to in memory: one truth for both ways in."""

    def __init__(self, settings: Settings, key: str | None = None) -> None:
        quieten()
        self.running: Running = open_service(settings)
        try:
            caller = LOCAL if key is None else self.running.service.keys.authenticate(key)
            self._app: ASGIApp = create_app(self.running, doorkeeper=_Admits(caller))
        except BaseException:
            self.running.close()
            raise

    async def answer(self, request: Request[Any]) -> Any:
        """One request through the application. Nothing is sent anywhere."""
        body = wire.body_of(request)
        headers = [
            (name.encode(), value.encode())
            for name, value in wire.headers_of(request, None).items()
        ]
        path = wire.path_of(request)
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": wire.query_of(request).encode(),
            "root_path": "",
            "headers": [*headers, (b"host", b"localhost")],
            "client": ("127.0.0.1", 0),
            "server": ("localhost", 0),
            "state": {},
        }
        told = _Told(body)
        await self._app(scope, told.receive, told.send)
        return wire.read_answer(told.status, bytes(told.body), told.retry_after)

    def close(self) -> None:
        """Answer what was taken, and let go of the database."""
        self.running.close()


class InProcess:
    """The door for threads: an event loop of its own runs the application."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="budget-door", daemon=True
        )
        self._thread.start()

    def answer(self, request: Request[Any]) -> Any:
        """Waits for the application's answer."""
        if os.getpid() != self._process:  # its threads stayed behind, so nobody would answer
            raise BudgetError(
                "This budget was opened before the process was forked: open it in each process, "
                "after the fork.",
                code="forked",
            )
        return self._run(self.door.answer(request))

    def close(self) -> None:
        """Answer what was taken, and let go of the database."""
        if self._loop.is_closed():
            return
        self._run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.door.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class AsyncInProcess:
    """The door for tasks: their own event loop runs the application."""

    def __init__(self, door: Door) -> None:
        self.door = door

    async def answer(self, request: Request[Any]) -> Any:
        """Awaits the application's answer."""
        return await self.door.answer(request)

    async def close(self) -> None:
        """Answer what was taken, and let go of the database."""
        await asyncio.to_thread(self.door.close)


def open(  # noqa: A001  (tekton_budget.open reads as it should)
    url: str | None = None,
    *,
    database_url: str | None = None,
    labels: Labels | None = None,
    key: str | None = None,
) -> Budget:
    """A budget to ask: the server at `url` or `BUDGET_URL`, else a database in this process.

    Which database: `database_url`, else `BUDGET_DATABASE_URL`, else the user's own. `labels` (and
    those of `BUDGET_LABELS` and `BUDGET_RUN`) are sent with every call.
    """
    return _opened(url, database_url, labels, key, _sync_client, _sync_in_process)


def open_async(
    url: str | None = None,
    *,
    database_url: str | None = None,
    labels: Labels | None = None,
    key: str | None = None,
) -> AsyncBudget:
    """The same with verbs that are awaited."""
    return _opened(url, database_url, labels, key, _async_client, _async_in_process)


def open_in_process(
    settings: Settings, *, labels: Labels | None = None, key: str | None = None
) -> Budget:
    """A budget over the database that settings name, in this process, with these labels alone."""
    return Budget(InProcess(Door(settings, key)), labels)


def _opened(
    url: str | None,
    database_url: str | None,
    labels: Labels | None,
    key: str | None,
    client: Callable[[str, str | None, Labels], B],
    in_process: Callable[[Door, Labels], B],
) -> B:
    found = environment()
    together = {**found.labels, **(labels or {})}
    url = url or (found.url if database_url is None else None)
    if url is not None:
        return client(url, key or found.key, together)
    return in_process(Door(load_settings(database_url=database_url), key), together)


def _sync_client(url: str, key: str | None, labels: Labels) -> Budget:
    from tekton_budget.client import Client

    return Client(url, key=key, labels=labels)


def _async_client(url: str, key: str | None, labels: Labels) -> AsyncBudget:
    from tekton_budget.client import AsyncClient

    return AsyncClient(url, key=key, labels=labels)


def _sync_in_process(door: Door, labels: Labels) -> Budget:
    return Budget(InProcess(door), labels)


def _async_in_process(door: Door, labels: Labels) -> AsyncBudget:
    return AsyncBudget(AsyncInProcess(door), labels)


def quieten() -> None:
    """Warnings to standard error, and no more, unless the program has its own ideas of logs."""
    if not structlog.is_configured():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.dev.ConsoleRenderer(
                    colors=False, exception_formatter=structlog.dev.plain_traceback
                ),
            ],
        )


class _Admits(Doorkeeper):
    """Whoever may open the database is let in, or stands behind the key that was given."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def admit(self, scope: Scope, headers: dict[bytes, bytes]) -> Caller:
        """Always the same caller."""
        del scope, headers
        return self._caller

    def forget(self) -> None:
        """Nothing was looked up."""


class _Told:
    """One request's body on its way in, and the answer on its way out."""

    def __init__(self, body: bytes) -> None:
        self._sent = body
        self.status = 500
        self.retry_after: str | None = None
        self.body = bytearray()

    async def receive(self) -> Message:
        """The whole body at once."""
        return {"type": "http.request", "body": self._sent, "more_body": False}

    async def send(self, message: Message) -> None:
        """Collects the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            for name, value in message["headers"]:
                if name == b"retry-after":
                    self.retry_after = value.decode()
        else:
            self.body += message.get("body", b"")
