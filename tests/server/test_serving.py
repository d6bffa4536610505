"""Serving: how a server starts, whom it refuses, how it ends, and that workers are replaced."""

import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import BudgetError
from tekton_budget.server import serve
from tekton_budget.server.banner import banner
from tekton_budget.server.logs import AccessLines, configure
from tekton_budget.settings import LogFormat, Settings, load_settings


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """What a server sets up in this process is undone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    before = structlog.get_config() if structlog.is_configured() else None
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    if before is not None:
        structlog.configure(**before)


PROGRAM = """
import json, sys
from tekton_budget.server import serve
from tekton_budget.settings import load_settings
if __name__ == "__main__":
    serve(load_settings(**json.loads(sys.argv[1])), announce=lambda text: print(text, flush=True))
"""
SECONDS_MAX = 120


class Server:
    """A server in a process of its own, and what it said."""

    def __init__(self, home: Path, **settings: Any) -> None:
        home.mkdir(exist_ok=True)
        program = home / "server.py"
        program.write_text(PROGRAM)
        self.log = home / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(program), json.dumps({"port": 0, **settings})],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        self.said = []
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("Stop it"):
                break
        assert self.said, self.log.read_text()
        self.url = self.said[0].split(" on ")[1].split()[0]
        self.http = httpx.Client(base_url=self.url, timeout=60)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS_MAX)

    def close(self) -> None:
        self.http.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def running(home: Path, **settings: Any) -> Iterator[Server]:
    server = Server(home, **settings)
    try:
        yield server
    finally:
        server.close()


def until(found: Any) -> Any:
    """What a look gives, as soon as it gives something."""
    give_up_at = time.monotonic() + SECONDS_MAX
    while time.monotonic() < give_up_at:
        value = found()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("it never came to be")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_answers_what_it_took(
    tmp_path: Path, sqlite_url: str, number: int
) -> None:
    with running(tmp_path / "s", database_url=sqlite_url) as server:
        server.http.post("/api/v1/policies", json={"limit": "1usd/day"})
        server.http.post("/api/v1/allocations", json={"cost": 1})
        answers: list[httpx.Response] = []
        waiting = threading.Thread(
            target=lambda: answers.append(
                httpx.post(
                    f"{server.url}/api/v1/allocations",
                    json={"cost": 1, "wait_seconds": 300},
                    timeout=SECONDS_MAX,
                )
            )
        )
        waiting.start()
        until(lambda: "tekton_budget_queue" in server.http.get("/metrics").text)
        time.sleep(0.5)  # so that the ask has reached the queue
        code = server.stop(number)
        waiting.join()

        assert code == 0, server.log.read_text()
        assert answers[0].status_code == 402
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.url}/health")


def test_a_server_says_where_it_is_and_logs_each_request_without_secrets(
    tmp_path: Path, sqlite_url: str
) -> None:
    with running(tmp_path / "s", database_url=sqlite_url, log_format="json") as server:
        key = server.http.post("/api/v1/keys", json={"name": "k", "role": "admin"}).json()["key"]
        server.http.get("/api/v1/budgets?owner=secret", headers={"x-api-key": key})
        server.stop()
        log = server.log.read_text()
        lines = [json.loads(line) for line in log.splitlines()]

        assert sqlite_url in "".join(server.said)
        assert key not in log
        assert "owner=secret" not in log
        requests = [one for one in lines if one["event"] == "request"]
        assert [(one["method"], one["path"], one["status"]) for one in requests] == [
            ("POST", "/api/v1/keys", 201),
            ("GET", "/api/v1/budgets", 200),
        ]
        assert requests[1]["key"] == "k"
        assert requests[1]["client"] == "127.0.0.1"


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_the_log_of_a_fault_has_no_local_variables(
    log_format: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(key: str) -> None:
        raise RuntimeError(f"a fault with a key of {len(key)}")

    configure(load_settings(log_format=log_format))
    try:
        fail("tb_live_" + "x" * 32)
    except RuntimeError as error:
        structlog.get_logger("some").error("request_failed", exc_info=error)
    log = capsys.readouterr().err

    assert "a fault with a key of 40" in log
    assert "in fail" in log
    assert "xxx" not in log


@pytest.mark.parametrize(
    ("settings", "code", "advice"),
    [
        ({"host": "0.0.0.0"}, "keys_needed", "keys create"),
        ({"workers": 2}, "workers_need_postgresql", "BUDGET_DATABASE_URL"),
        ({"log_level": "LOUD"}, "invalid", "DEBUG"),
        ({"host": "203.0.113.1"}, "port_in_use", "203.0.113.1"),
    ],
)
def test_what_would_not_be_safe_is_refused_with_what_to_do(
    sqlite_url: str, settings: dict[str, Any], code: str, advice: str
) -> None:
    with pytest.raises(BudgetError) as told:
        serve(load_settings(database_url=sqlite_url, port=0, **settings))

    assert told.value.code == code
    assert advice in told.value.detail


def test_a_port_that_is_taken_is_told(sqlite_url: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BudgetError, match=f"127.0.0.1:{port}.*--port") as told:
            serve(load_settings(database_url=sqlite_url, port=port))

    assert told.value.code == "port_in_use"


def test_beyond_loopback_a_first_admin_key_is_enough(tmp_path: Path, sqlite_url: str) -> None:
    key = "tb_live_of_a_container_0123456789"
    with running(
        tmp_path / "s",
        database_url=sqlite_url,
        host="0.0.0.0",
        admin_key=key,
    ) as server:
        port = server.url.rsplit(":", 1)[1]
        url = f"http://127.0.0.1:{port}/api/v1/budgets"

        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers={"x-api-key": key}).status_code == 200
        assert "Bearer $BUDGET_KEY" in "".join(server.said)


def test_workers_share_a_port_and_one_that_dies_is_replaced(
    tmp_path: Path, postgres_url: str
) -> None:
    with running(tmp_path / "s", database_url=postgres_url, workers=2) as server:

        def answered() -> bool:
            try:
                return httpx.get(f"{server.url}/ready").status_code == 200
            except httpx.TransportError:
                return False

        until(answered)
        children = until(lambda: _two_children(server.process.pid))
        httpx.post(f"{server.url}/api/v1/policies", json={"limit": "1usd/day"})
        os.kill(children[0], signal.SIGKILL)
        until(lambda: _replaced(server.process.pid, children))
        granted = 0
        for _ in range(20):
            answer = _asked_again(f"{server.url}/api/v1/allocations", {"cost": "0.1"})
            granted += answer.status_code == 201
        code = server.stop()

        assert granted == 10
        assert code == 0, server.log.read_text()
        assert "worker_died" in server.log.read_text()
        assert not _alive(children[1])


def test_workers_end_with_the_process_that_watches_over_them(
    tmp_path: Path, postgres_url: str
) -> None:
    with running(tmp_path / "s", database_url=postgres_url, workers=2) as server:
        children = until(lambda: _two_children(server.process.pid))
        until(lambda: "worker_started" in server.log.read_text())
        server.process.kill()

        until(lambda: not any(map(_alive, children)))


def test_the_banner_has_lines_for_every_address() -> None:
    def told(host: str, **fields: Any) -> str:
        fields = {"port": 1, "database": "d", "needs_key": False, "workers": 1, **fields}
        return banner(host=host, **fields)

    assert "http://127.0.0.1:1/api/v1/policies" in told("0.0.0.0")
    assert "http://[::1]:1/api/v1/policies" in told("::1")
    assert "(3 processes)" in told("127.0.0.1", workers=3)
    assert "BUDGET_KEY" not in told("127.0.0.1")


@pytest.mark.parametrize("form", list(LogFormat))
def test_a_line_cannot_be_forged_by_a_path(form: LogFormat) -> None:
    stream = io.BytesIO()
    lines = AccessLines(Settings(log_format=form), stream)
    scope = {
        "method": "GET",
        "path": "/a\nforged",
        "raw_path": b"/a%0Aforged",
        "caller": Caller(name="k"),
        "client": ("127.0.0.1", 5),
    }

    import asyncio

    async def write() -> None:
        lines(scope, 200, 0.0015)
        lines(scope, 404, 0.0015)

    asyncio.run(write())
    lines.flush()
    lines.flush()

    written = stream.getvalue().decode().splitlines()
    assert len(written) == 2
    assert "/a%0Aforged" in written[0]
    assert "404" in written[1]
    assert "1.5" in written[0]


def _asked_again(url: str, body: Any) -> httpx.Response:
    """A connection that a dying worker had taken is lost; whoever asks again is answered."""
    while True:
        try:
            return httpx.post(url, json=body)
        except httpx.TransportError:
            continue


def _children(pid: int) -> list[int]:
    """Workers only: multiprocessing has a helper of its own."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [one for one in map(int, found) if b"spawn_main" in _command_of(one)]


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _two_children(pid: int) -> list[int] | None:
    found = _children(pid)
    return found if len(found) == 2 else None


def _replaced(pid: int, before: list[int]) -> bool:
    found = _children(pid)
    return len(found) == 2 and before[0] not in found


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
