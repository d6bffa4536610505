"""The mock provider: all wire formats over real HTTP, its bill, and faults on demand.

    with provider() as mock:                        # in a thread of the tests
        mock.plays("gpt-4o", Scenario(tokens=200, token_ms=2))
        OpenAI(base_url=f"{mock.url}/v1", api_key="k")...
        mock.bill.settled(); mock.bill.units()

What is played: header `x-mock: {json}`, else what was set for the model (`plays`), else, for the
model `recorded:NAME`, that recording, else `mock.default`. See scenario.py for what there is.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop
from tests.providers.connection import Connection
from tests.providers.mock import MockProvider

__all__ = ["MockProvider", "provider", "serve"]


async def serve(mock: MockProvider, host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(mock), host, port, backlog=2048)
    mock.url = f"http://{host}:{server.sockets[0].getsockname()[1]}"
    return server


@contextmanager
def provider() -> Iterator[MockProvider]:
    """In a thread, on a free port."""
    mock = MockProvider()
    ready = threading.Event()
    loop = uvloop.new_event_loop()
    ending = asyncio.Event()

    async def run() -> None:
        server = await serve(mock)
        ready.set()
        await ending.wait()
        server.close()
        while mock.connections:
            for connection in list(mock.connections):
                connection.abort()
            await asyncio.sleep(0)

    def main() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(run())

    thread = threading.Thread(target=main, name="mock provider", daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield mock
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(10)
