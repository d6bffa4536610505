"""HTTP: allocate and settle, every feature on, beside a plain FastAPI endpoint that does nothing."""

import asyncio
import json
import multiprocessing
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Row = tuple[str, float, str, bool]

CONNECTIONS = 64
SECONDS = 4.0
ROUNDS = 5
USERS = 20
KEY = "tb_live_benchmark_key_of_no_worth_0000000000000"

ASK = {
    "team": "a",
    "user": "u{user}",
    "provider": "openai",
    "model": "gpt-5-mini",
    "input_tokens": 900,
    "max_output_tokens": 500,
    "labels": {"feature": "search"},
}
USED = {"input_tokens": 900, "output_tokens": 230}


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Requests a second and the 99th percentile, in turns, so that noise strikes both alike."""
    seconds, rounds = (1.0, 2) if quick else (SECONDS, ROUNDS)
    ours, plain = [], []
    with serving("ours") as one, serving("plain") as other:
        for port in (one, other):
            load(port, 1.0)  # warm
        for _ in range(rounds):
            ours.append(load(one, seconds))
            plain.append(load(other, seconds))
    rate, plain_rate = (statistics.median(r for r, _ in runs) for runs in (ours, plain))
    slow, plain_slow = (statistics.median(p for _, p in runs) for runs in (ours, plain))
    ratio = rate / plain_rate
    told = (
        f"HTTP, durable, all features: {rate:,.0f} requests/s beside {plain_rate:,.0f} of nothing"
    )
    yield told, ratio, ">= 0.8", ratio >= 0.8
    ratio = slow / plain_slow
    told = f"HTTP, 99th percentile: {slow * 1000:.1f} ms beside {plain_slow * 1000:.1f} ms"
    yield told, ratio, "<= 3", ratio <= 3


# --- the two servers -----------------------------------------------------------------------------


@contextmanager
def serving(kind: str, **extra: str) -> Iterator[int]:
    """A server in a process of its own; its port."""
    with (
        tempfile.TemporaryDirectory(prefix="budget-bench-") as directory,
        Path(directory, "log").open("wb") as log,
    ):
        port = _free_port()
        environment = {**os.environ, **extra, "BENCH_HOME": directory, "BENCH_PORT": str(port)}
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.http", kind], env=environment, stdout=log, stderr=log
        )
        try:
            _wait_for(port, process, Path(directory, "log"))
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def serve_ours() -> None:
    """A key, three policies (one of them per user), thresholds, metrics and the access log."""

    from tekton_budget.domain.caller import LOCAL, Role
    from tekton_budget.server import serve
    from tekton_budget.settings import load_settings
    from tekton_budget.wiring import open_service

    url = os.environ.get("BENCH_DATABASE_URL") or f"sqlite:///{os.environ['BENCH_HOME']}/b.db"
    settings = load_settings(database_url=url, port=int(os.environ["BENCH_PORT"]))
    with open_service(settings, background=False) as running:
        service = running.service
        service.prices.set_price(
            LOCAL, "openai", "gpt-5-mini", {"rates": {"input": "0.25", "output": "2"}}
        )
        for fields in (
            {"limit": "1000000usd/month"},
            {"limit": "1000000usd+900Mtokens/day", "scope": {"team": "a"}},
            {"limit": "100000usd/day", "per": ["user"]},
        ):
            service.policies.create_policy(LOCAL, fields)
        service.keys.create_key(LOCAL, "bench", role=Role.CLIENT, secret=KEY)
    serve(settings)


def serve_plain() -> None:
    """The same bodies in and out, checked by FastAPI as usual, and nothing done with them."""
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Ask(BaseModel):
        team: str
        user: str
        provider: str
        model: str
        input_tokens: int
        max_output_tokens: int
        labels: dict[str, str]

    class Used(BaseModel):
        input_tokens: int
        output_tokens: int

    app = FastAPI()
    granted, ended = _sample_answers()

    @app.post("/api/v1/allocations", status_code=201)
    async def allocate(ask: Ask) -> dict[str, Any]:
        return granted

    @app.post("/api/v1/allocations/{allocation_id}/settle")
    async def settle(allocation_id: str, used: Used) -> dict[str, Any]:
        return ended

    uvicorn.run(
        app,
        port=int(os.environ["BENCH_PORT"]),
        access_log=False,
        http="httptools",
        loop="uvloop",
        log_level="warning",
    )


def _sample_answers() -> tuple[dict[str, Any], dict[str, Any]]:
    """Answers of the size and shape of ours."""
    policy = {
        "policy_id": "01a2095e-323b-73c1-9434-cd9cbec0ab59",
        "name": "team=a daily",
        "group": "",
        "enforcement": "hard_limit",
        "remaining": {"tokens": 899998600, "cost": 999999.998775, "requests": None},
        "resets_at": "2026-11-24T00:00:00+00:00",
    }
    at = "2026-11-23T17:04:57.914850+00:00"
    granted = {
        "allocation_id": "01a2095e-32aa-71ae-a9a5-411fb6bf7084",
        "status": "active",
        "decision": "allow",
        "granted": {"tokens": 1400, "cost": 0.001225, "requests": 1},
        "max_output_tokens": 500,
        "policies": [policy] * 3,
        "price": {
            "price_id": "01a2095e-32aa-71ae-a9a5-411fb6bf7085",
            "provider": "openai",
            "model": "gpt-5-mini",
            "input_per_million": 0.25,
            "output_per_million": 2,
            "input_cost_per_token": 0.00000025,
            "output_cost_per_token": 0.000002,
            "valid_from": at,
        },
        "expires_at": at,
        "reasons": [],
        "labels": {"team": "a", "user": "u1", "provider": "openai", "model": "gpt-5-mini"},
        **dict.fromkeys(("budget_id", "context_id", "component", "tier", "task_type")),
        "provider": "openai",
        "model": "gpt-5-mini",
        "priority": 5,
        "tokens_allocated": 1400,
        "tokens_used": 0,
        "input_tokens_used": 0,
        "output_tokens_used": 0,
        "estimated_cost": 0.001225,
        "actual_cost": 0,
        "creation_time": at,
        "expiration_time": at,
        "last_updated": at,
        "is_active": True,
        "metadata": {},
        "remaining_tokens": 1400,
        "usage_percentage": 0,
    }
    ended = {
        "allocation_id": "01a2095e-32aa-71ae-a9a5-411fb6bf7084",
        "status": "settled",
        "is_active": False,
        "spent": {"tokens": 1130, "cost": 0.000685, "requests": 1},
        "released": {"tokens": 270, "cost": 0.00054, "requests": 0},
        "cost": 0.000685,
        "cost_source": "book",
        "record_id": "01a2095e-32aa-71ae-a9a5-411fb6bf7086",
        "expires_at": at,
        "late": False,
        "policies": [policy] * 3,
        "tokens_used": 1130,
        "actual_cost": 0.000685,
        "expiration_time": at,
    }
    return granted, ended


# --- the load ------------------------------------------------------------------------------------


def load(port: int, seconds: float, connections: int = CONNECTIONS) -> tuple[float, float]:
    """Requests a second and their 99th percentile, from a process that does nothing else."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    caller = context.Process(target=_load, args=(theirs, port, seconds, connections))
    caller.start()
    rate, slow = ours.recv()
    caller.join()
    return rate, slow


def _load(pipe: Any, port: int, seconds: float, connections: int) -> None:
    import uvloop

    pipe.send(uvloop.run(_run(port, seconds, connections)))


async def _run(port: int, seconds: float, connections: int) -> tuple[float, float]:
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + seconds
    begun = time.perf_counter()
    callers = []
    for number in range(connections):
        _, caller = await loop.create_connection(
            lambda number=number: Caller(number, ends_at), "127.0.0.1", port
        )
        callers.append(caller)
    await asyncio.gather(*(caller.done for caller in callers))
    took = time.perf_counter() - begun
    times = sorted(t for caller in callers for t in caller.times)
    return len(times) / took, times[int(len(times) * 0.99)]


class Caller(asyncio.Protocol):
    """One connection: ask, settle what was granted, ask again, until time is up."""

    def __init__(self, number: int, ends_at: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self.loop.create_future()
        self.times: list[float] = []
        self.ends_at = ends_at
        ask = json.dumps({**ASK, "user": f"u{number % USERS}"}).encode()
        self.ask = _request("/api/v1/allocations", ask)
        self.used = json.dumps(USED).encode()
        self.buffer = b""
        self.settling = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._send(self.ask)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self.buffer.find(b"content-length: ") + 16
        length = int(self.buffer[at : self.buffer.find(b"\r\n", at)])
        if len(self.buffer) < head + 4 + length:
            return
        answer, self.buffer = self.buffer, b""
        now = self.loop.time()
        self.times.append(now - self.begun)
        expected = b"HTTP/1.1 200" if self.settling else b"HTTP/1.1 201"
        if not answer.startswith(expected):
            self.done.set_exception(RuntimeError(answer.decode()))
            self.transport.close()
        elif self.settling and now > self.ends_at:
            self.done.set_result(None)
            self.transport.close()
        elif self.settling:
            self.settling = False
            self._send(self.ask)
        else:
            self.settling = True
            at = answer.find(b'"allocation_id":"') + 17
            id_ = answer[at : answer.find(b'"', at)].decode()
            self._send(_request(f"/api/v1/allocations/{id_}/settle", self.used))

    def _send(self, request: bytes) -> None:
        self.begun = self.loop.time()
        self.transport.write(request)


def _request(path: str, body: bytes) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            break
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")


if __name__ == "__main__":
    {"ours": serve_ours, "plain": serve_plain}[sys.argv[1]]()
