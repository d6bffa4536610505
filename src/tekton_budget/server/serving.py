"""Serving: a socket, the service, the application, and an orderly end."""

import asyncio
import contextlib
import gc
import importlib.util
import os
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, cast

import structlog
import uvicorn

from tekton_budget.domain.errors import Conflict, Forbidden, invalid
from tekton_budget.frontends.http.auth import is_loopback
from tekton_budget.frontends.port import open_port
from tekton_budget.server.banner import address, banner
from tekton_budget.server.crew import Crew, end_with_parent
from tekton_budget.server.logs import AccessLines, configure
from tekton_budget.settings import Settings
from tekton_budget.tekton_environment import tekton_environment
from tekton_budget.wiring import Running, open_service

log = structlog.get_logger(__name__)

BACKLOG = 2048
GRACE_SECONDS = 30  # for requests under way to be answered
KEEP_ALIVE_SECONDS = 75
PING_SECONDS = 20.0  # a WebSocket's client that has not answered the last one is gone
MESSAGE_BYTES_MAX = 64 * 1024  # that a WebSocket's client may send at once


def serve(settings: Settings, *, announce: Callable[[str], None] = print) -> None:
    """Run until told to stop; refuses what would not be safe, with what to do instead."""
    configure(settings)
    penia = tekton_environment().penia_differs()
    if penia is not None:
        log.warning(
            "ports_differ",
            budget_port=settings.port,
            penia_port=penia,
            do="Who looks for penia finds nobody there: set PENIA_PORT as BUDGET_PORT.",
        )
    with contextlib.closing(_listening(settings)) as listening:
        with open_service(settings, background=settings.workers == 1) as running:
            _refuse_unsafe(settings, running)
            told = banner(
                host=settings.host,
                port=listening.getsockname()[1],
                database=running.store.shown(),
                needs_key=running.service.keys.has_keys(),
                workers=settings.workers,
            )
            if settings.workers == 1:
                port = listening.getsockname()[1]
                server = _Server(settings, running, lambda: announce(told), port)
                server.run([listening])
                return
        announce(told)
        Crew(settings, listening, _work).run()


def _refuse_unsafe(settings: Settings, running: Running) -> None:
    if not is_loopback(settings.host) and not running.service.keys.has_keys():
        raise Forbidden(
            f"On {settings.host} others can reach this server, so it starts only with keys. Make "
            "one first: tekton-budget keys create admin --role admin (or set BUDGET_ADMIN_KEY).",
            code="keys_needed",
        )
    if settings.api_require_auth and not running.service.keys.has_keys():
        raise Forbidden(
            "BUDGET_API_REQUIRE_AUTH asks for a key, and there is none that could be shown. Make "
            "one first: tekton-budget keys create admin --role admin (or set BUDGET_ADMIN_KEY).",
            code="keys_needed",
        )
    if settings.workers > 1 and not running.store.is_postgresql:
        raise invalid(
            "workers",
            "more than 1 needs PostgreSQL: SQLite lets one process write at a time, so more "
            "workers would only wait for each other. Set BUDGET_DATABASE_URL=postgresql://…",
            code="workers_need_postgresql",
        )


def _listening(settings: Settings) -> socket.socket:
    """The socket, taken before anything else is started."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise Conflict(
            f"Cannot listen on {address(settings.host, settings.port)}: {error.strerror}. Stop "
            "what listens there, or choose another port: --port 8014 (or BUDGET_PORT=8014).",
            code="port_in_use",
        ) from error
    listening.setblocking(False)
    listening.set_inheritable(True)
    return listening


class _Server(uvicorn.Server):
    """uvicorn's server over a running service: it ends by answering what it took."""

    def __init__(
        self,
        settings: Settings,
        running: Running,
        started: Callable[[], None],
        port: int,
        *,
        stop_all: Callable[[], None] | None = None,
        is_first: bool = True,
    ) -> None:
        self._running = running
        self._lines = AccessLines(settings) if settings.access_log else None
        self._told_started = started
        self._port = app = open_port(running, access_log=self._lines)
        app.api.state.stop = stop_all if stop_all is not None else self._stop
        if settings.hermes_url is not None:
            from tekton_budget.server.hermes import join_hermes

            join_hermes(running, app.api, port, is_first=is_first)
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws=cast("type[asyncio.Protocol]", _socket_protocol),  # it is called like one
                ws_max_size=MESSAGE_BYTES_MAX,
                ws_per_message_deflate=False,
                ws_ping_interval=PING_SECONDS,
                ws_ping_timeout=PING_SECONDS,
                loop="uvloop" if importlib.util.find_spec("uvloop") else "asyncio",
                lifespan="on",
                log_config=None,
                log_level=None,
                access_log=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
                proxy_headers=False,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # what is there by now stays: to look through it again and again takes long
        self._told_started()
        if self._running.hermes is not None:
            self._running.hermes.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more; whoever waits for room is told that there is none."""
        log.info("stopping")
        self._running.writer.end_waiting()
        await self._port.stop()
        await super().shutdown(sockets)
        if self._running.hermes is not None:  # in Tekton's order: after the last answer
            await asyncio.to_thread(self._running.hermes.stop)
        if self._lines is not None:
            self._lines.flush()
        log.info("stopped")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn does, but a signal that was obeyed is not raised again."""
        before = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Once: stop in order. Ctrl-C twice: at once."""
        del frame
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    def _stop(self) -> None:
        self.should_exit = True


def _socket_protocol(**parts: Any) -> asyncio.Protocol:  # Any: uvicorn's own
    """What speaks to a WebSocket's client: loaded with the first of them."""
    from tekton_budget.server.connections import SocketProtocol

    return SocketProtocol(**parts)


def _work(settings: Settings, listening: socket.socket, number: int) -> None:
    """One worker of a crew, the first of which speaks to Hermes."""
    configure(settings)
    end_with_parent()
    parent = os.getppid()
    with open_service(settings.model_copy(update={"admin_key": None})) as running:
        server = _Server(
            settings,
            running,
            lambda: log.info("worker_started"),
            listening.getsockname()[1],
            stop_all=lambda: os.kill(parent, signal.SIGTERM),
            is_first=number == 0,
        )
        server.run([listening])
