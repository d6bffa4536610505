"""A private gateway: the service on a free port, for one command and those inside it."""

import asyncio
import contextlib
import hmac
import logging
import secrets
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn
from starlette.types import Scope

from tekton_budget.domain.caller import LOCAL, Caller
from tekton_budget.domain.errors import Unauthenticated
from tekton_budget.frontends.http.auth import Doorkeeper, presented_key
from tekton_budget.frontends.port import open_port
from tekton_budget.library import quieten
from tekton_budget.server.banner import address
from tekton_budget.settings import Settings
from tekton_budget.wiring import open_service

HOST = "127.0.0.1"
BACKLOG = 512
START_SECONDS = 30
GRACE_SECONDS = 2  # for calls under way when the command has ended
_KEY_PREFIX = "tb_run_"


@dataclass(frozen=True, slots=True)
class PrivateGateway:
    """Where it listens, and the key that its own command is given."""

    url: str
    key: str


@contextlib.contextmanager
def private_gateway(settings: Settings) -> Iterator[PrivateGateway]:
    """Serve the database that settings name until the block ends."""
    quieten()
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # the terminal is the command's
    key = _KEY_PREFIX + secrets.token_urlsafe(32)
    with contextlib.closing(_listening()) as listening, open_service(settings) as running:
        doorkeeper = _ByOneKey(key, Doorkeeper(running.service.keys, settings))
        server = _Server(open_port(running, doorkeeper=doorkeeper))
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, name="budget-gateway", daemon=True
        )
        thread.start()
        server.ready.wait(START_SECONDS)
        try:
            yield PrivateGateway(address(HOST, listening.getsockname()[1]), key)
        finally:
            running.writer.end_waiting()
            server.stop()
            thread.join()


class _ByOneKey(Doorkeeper):
    """Whoever has the key stands where the user stands; keys of the database work as ever.

    Without a key nobody is let in: other users of the machine reach the port as well.
    """

    def __init__(self, key: str, others: Doorkeeper) -> None:
        self._key = key.encode()
        self._others = others

    async def admit(self, scope: Scope, headers: dict[bytes, bytes]) -> Caller:
        """The user, or whoever a key of the database stands for."""
        if not headers.keys() & {b"x-api-key", b"authorization"}:
            raise Unauthenticated("This gateway belongs to one run; its key is in BUDGET_KEY.")
        if hmac.compare_digest(presented_key(headers).encode(), self._key):
            return LOCAL
        return await self._others.admit(scope, headers)

    async def needs_key(self) -> bool:
        """Always."""
        return True

    def forget(self) -> None:
        """After a change of keys."""
        self._others.forget()


class _Server(uvicorn.Server):
    """uvicorn in a thread, told to end at once."""

    def __init__(self, app: object) -> None:
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        super().__init__(
            uvicorn.Config(
                app,  # type: ignore[arg-type]  # an ASGI application by any of its types
                http="httptools",
                loop="asyncio",
                lifespan="on",
                log_config=None,
                log_level=None,
                access_log=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=GRACE_SECONDS,
                proxy_headers=False,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._told = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.ready.set()

    async def main_loop(self) -> None:
        """Until told; uvicorn's own looks up ten times a second."""
        ticks = asyncio.create_task(super().main_loop())
        told = asyncio.create_task(self._told.wait())
        await asyncio.wait((ticks, told), return_when=asyncio.FIRST_COMPLETED)
        for task in (ticks, told):
            task.cancel()

    def stop(self) -> None:
        """From another thread: answer what is under way, and end."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._told.set)


def _listening() -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.bind((HOST, 0))
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening
