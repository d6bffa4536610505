"""WebSockets of whole server processes: told of the end, resumed after a restart, on several workers."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.server.test_serving import Server, running, until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

SECONDS = 60


@contextmanager
def page(server: Server, path: str = "/ws/budget/allocations") -> Iterator[ClientConnection]:
    url = server.url.replace("http://", "ws://") + path
    with connect(url, proxy=None, open_timeout=SECONDS, close_timeout=1) as socket:
        assert "Connected" in socket.recv(timeout=SECONDS)
        yield socket


def allocate(server: Server, id_: str) -> None:
    body = {"allocation_id": id_, "cost": "0.01"}
    server.http.post("/api/v1/allocations", json=body).raise_for_status()


def heard(socket: ClientConnection, last: str) -> list[dict[str, Any]]:
    """The allocations told of until this one is."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["payload"]["allocation_id"] != last:
        message = json.loads(socket.recv(timeout=SECONDS))
        assert message["type"] == "allocation_update", message
        found.append(message)
    return found


def the_end(socket: ClientConnection) -> ConnectionClosed:
    """How it was closed, whatever came before."""
    while True:
        try:
            socket.recv(timeout=SECONDS)
        except ConnectionClosed as closed:
            return closed


def ids(messages: list[dict[str, Any]]) -> list[str]:
    return [message["payload"]["allocation_id"] for message in messages]


def test_the_end_of_the_server_is_told_and_after_it_nothing_is_missed(
    tmp_path: Path, sqlite_url: str
) -> None:
    with running(tmp_path / "a", database_url=sqlite_url) as server, page(server) as socket:
        allocate(server, "one")
        place = heard(socket, "one")[-1]["position"]
        server.process.send_signal(signal.SIGTERM)
        closed = the_end(socket)
        code = server.process.wait(SECONDS)

        assert code == 0, server.log.read_text()
        assert closed.rcvd is not None
        assert (closed.rcvd.code, closed.rcvd.reason) == (1001, "the server stops")

    with running(tmp_path / "b", database_url=sqlite_url) as server:
        allocate(server, "two")
        with page(server, f"/ws/budget/allocations?after={place}") as socket:
            allocate(server, "three")

            assert ids(heard(socket, "three")) == ["two", "three"]


def test_a_server_that_is_killed_loses_no_event(tmp_path: Path, sqlite_url: str) -> None:
    path = "/ws/budget/allocations?after=0"
    settings = {"database_url": sqlite_url, "relay_seconds": 3600}
    with running(tmp_path / "a", **settings) as server, page(server) as socket:
        for number in range(20):
            allocate(server, f"call-{number}")
        server.process.send_signal(signal.SIGKILL)
        the_end(socket)

    with running(tmp_path / "b", database_url=sqlite_url) as server, page(server, path) as socket:
        assert ids(heard(socket, "call-19")) == [f"call-{number}" for number in range(20)]


def test_every_worker_follows_by_itself(tmp_path: Path, postgres_url: str) -> None:
    """Sockets land on whichever process takes them; each hears of all, whoever was asked."""
    settings = {"database_url": postgres_url, "workers": 2, "relay_seconds": 0.05}
    with running(tmp_path / "s", **settings) as server:
        opened = [page(server) for _ in range(12)]
        sockets = [one.__enter__() for one in opened]
        for number in range(15):
            allocate(server, f"call-{number}")
        stories = [ids(heard(socket, "call-14")) for socket in sockets]
        workers = until(lambda: _sockets_by_process(server))

        assert stories == [[f"call-{number}" for number in range(15)]] * 12
        assert sum(workers) == 12
        os.kill(server.process.pid, signal.SIGTERM)
        codes = set()
        for socket in sockets:
            try:
                socket.recv(timeout=SECONDS)
            except ConnectionClosed as closed:
                codes.add(closed.rcvd.code if closed.rcvd else None)
        for one in opened:
            one.__exit__(None, None, None)
        assert codes == {1001}


def _sockets_by_process(server: Server) -> list[float]:
    """What all workers together have; it is written down a moment later."""
    lines = server.http.get("/metrics").text.splitlines()
    found = [float(one.split()[-1]) for one in lines if one.startswith("tekton_budget_websockets")]
    return found if sum(found) == 12 else []
