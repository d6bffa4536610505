"""An application served over real HTTP from a thread of the tests, quick to end."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn


@contextmanager
def listening(
    app: Any,
    *,
    lifespan: str = "off",
    port: int = 0,
    dates: bool = True,
    ws: Any = "none",
    **settings: Any,
) -> Iterator[str]:
    """Listen on a free port in a thread; the address. Without `dates` the application gives them."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)  # who connects before the server runs waits
    config = uvicorn.Config(
        app,
        log_level="warning",
        lifespan=lifespan,
        ws=ws,
        access_log=False,
        date_header=dates,
        **settings,
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stop()
        thread.join()
        listener.close()


class _Server(uvicorn.Server):
    """Ends at once: uvicorn looks up ten times a second, and waits a tenth of one for nothing."""

    async def main_loop(self) -> None:
        self.loop, self.told = asyncio.get_running_loop(), asyncio.Event()
        ticks = asyncio.create_task(super().main_loop())
        told = asyncio.create_task(self.told.wait())
        await asyncio.wait((ticks, told), return_when=asyncio.FIRST_COMPLETED)
        ticks.cancel()
        told.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        for server in self.servers:
            await server.wait_closed()
        await self.lifespan.shutdown()

    def stop(self) -> None:
        """Called from another thread."""
        self.should_exit = True
        with suppress(AttributeError, RuntimeError):  # not begun yet, or ended by itself
            self.loop.call_soon_threadsafe(self.told.set)
