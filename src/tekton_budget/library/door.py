"""The HTTP door of a service in this very process, spoken to in memory."""

import asyncio
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import structlog
from starlette.types import Scope

from tekton_budget.domain.caller import LOCAL, Caller
from tekton_budget.face.calling import (
    Addresses,
    AsyncGatewayTransport,
    GatewayTransport,
    Redirect,
)
from tekton_budget.face.calling.modules import Module
from tekton_budget.face.request import Labels, Request
from tekton_budget.frontends.api import create_app
from tekton_budget.frontends.http.auth import Doorkeeper
from tekton_budget.frontends.http.inner import Inner
from tekton_budget.library.loops import LoopThread
from tekton_budget.service.keys import KeyVerbs
from tekton_budget.settings import Settings
from tekton_budget.wiring import Running, open_service

if TYPE_CHECKING:
    from tekton_budget.library.passage import Passage


class Door:
    """The HTTP door's own application, spoken to in memory: one truth for both ways in."""

    def __init__(self, settings: Settings, key: str | None = None) -> None:
        quieten()
        self.running: Running = open_service(settings)
        try:
            keys = self.running.service.keys
            caller = LOCAL if key is None else keys.authenticate(key)
            self._doorkeeper = _Admits(caller, keys, settings)
            self._app: Any = create_app(self.running, doorkeeper=self._doorkeeper)  # Any: its state
            self._inner = Inner(self._app)
        except BaseException:
            self.running.close()
            raise
        self._passage: Passage | None = None
        self._opening = threading.Lock()

    async def answer(self, request: Request[Any]) -> Any:
        """One request through the application. Nothing is sent anywhere."""
        return await self._inner.answer(request)

    def redirect(self, labels: Labels) -> Redirect:
        """From the addresses of providers to the gateway in here."""
        return Redirect(Addresses(self.running.settings.upstreams), labels)

    def passage(self, loop: LoopThread) -> "Passage":
        """The gateway, which lives in that loop. Opened when first asked for: it is slow to load,
        and commands do without.
        """
        with self._opening:
            if self._passage is None:
                from tekton_budget.frontends.gateway import create_gateway
                from tekton_budget.library.passage import Passage

                meter = self._app.state.metrics.request
                gateway = create_gateway(self.running, self._doorkeeper, meter=meter)
                self._passage = Passage(gateway, loop)
            return self._passage

    def close(self, loop: LoopThread | None) -> None:
        """End the calls of clients, answer what was taken, and let go of the database."""
        if loop is not None and not loop.is_closed:
            if self._passage is not None:
                self.running.writer.end_waiting()
                loop.run(self._passage.close)
            loop.close()
        self.running.close()


class InProcess:
    """The door for threads: an event loop of its own runs the application."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._loop = LoopThread("budget-door")

    def answer(self, request: Request[Any]) -> Any:
        """Waits for the application's answer."""
        return self._loop.run(lambda: self.door.answer(request))

    def calls(self, http: Module, labels: Labels) -> GatewayTransport:
        """The way of providers' clients through the gateway."""
        from tekton_budget.library.calling import InProcessTransport

        return InProcessTransport(
            http, self.door.redirect(labels), lambda: self.door.passage(self._loop)
        )

    def close(self) -> None:
        """Answer what was taken, and let go of the database."""
        if not self._loop.is_closed:
            self.door.close(self._loop)


class AsyncInProcess:
    """The door for tasks: their own event loop runs the application."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._loop: LoopThread | None = None
        self._opening = threading.Lock()

    async def answer(self, request: Request[Any]) -> Any:
        """Awaits the application's answer."""
        return await self.door.answer(request)

    def calls(self, http: Module, labels: Labels) -> AsyncGatewayTransport:
        """The way of providers' clients through the gateway, which has a loop of its own: its
        connections belong to one, and its calls are settled whatever becomes of the caller's.
        """
        from tekton_budget.library.calling import AsyncInProcessTransport

        with self._opening:
            loop = self._loop = self._loop or LoopThread("budget-gateway")
        return AsyncInProcessTransport(
            http, self.door.redirect(labels), lambda: self.door.passage(loop)
        )

    async def close(self) -> None:
        """Answer what was taken, and let go of the database."""
        await asyncio.to_thread(self.door.close, self._loop)


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
    """Whoever may open the database is let in, or stands behind the key that was given.

    A key that comes with a call, to the gateway as its client's API key, goes before that.
    """

    def __init__(self, caller: Caller, keys: KeyVerbs, settings: Settings) -> None:
        super().__init__(keys, settings)
        self._caller = caller

    async def admit(self, scope: Scope, headers: dict[bytes, bytes]) -> Caller:
        """The caller of a key, else always the same."""
        if b"x-api-key" in headers:
            return await super().admit(scope, headers)
        return self._caller
