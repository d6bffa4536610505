"""A real server in a thread, and a proxy in front of it that loses answers."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.http_server import listening

import tekton_budget
from tekton_budget.frontends.api import create_app
from tekton_budget.library import quieten
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service

CLIENT_VARIABLES = ("BUDGET_URL", "BUDGET_KEY", "BUDGET_LABELS", "BUDGET_RUN", "BUDGET_OUTPUT")


@dataclass(frozen=True)
class Served:
    """A server: where it listens, where its store is, and what runs inside."""

    url: str
    port: int
    database_url: str
    running: Running


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever runs the tests has variables and a database of their own."""
    for name in CLIENT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BUDGET_DATABASE_URL", f"sqlite:///{tmp_path / 'own.db'}")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    quieten()  # its logs must not stand in the output of commands that the test runs
    database_url = f"sqlite:///{tmp_path / 'served.db'}"
    with (
        open_service(load_settings(database_url=database_url)) as running,
        listening(create_app(running)) as url,
    ):
        yield Served(url, int(url.rpartition(":")[2]), database_url, running)


@pytest.fixture(params=["in process", "over HTTP"])
def budget(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tekton_budget.Budget]:
    """The same verbs either way."""
    if request.param == "over HTTP":
        served = request.getfixturevalue("served")
        with tekton_budget.open(served.url) as opened:
            yield opened
    else:
        with tekton_budget.open(database_url=f"sqlite:///{tmp_path / 'here.db'}") as opened:
            yield opened


class LossyProxy:
    """Passes requests on, one connection each, and loses some answers after the work was done."""

    def __init__(self, port: int, loses: Callable[[int], bool]) -> None:
        self._upstream = port
        self._loses = loses
        self.answers = 0
        self.lost = 0
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._passed, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self._run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _passed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _message(reader):
                up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
                up_writer.write(request)
                answer = await _message(up_reader)
                up_writer.close()
                self.answers += 1
                if self._loses(self.answers):
                    self.lost += 1
                    return
                writer.write(answer)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return head + await reader.readexactly(length)


@pytest.fixture
def lossy(served: Served) -> Iterator[LossyProxy]:
    """Every third answer is lost."""
    proxy = LossyProxy(served.port, lambda number: number % 3 == 0)
    yield proxy
    proxy.close()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
