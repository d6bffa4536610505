"""The gateway: chat completions through it, beside the same load sent straight to the provider.

The provider (`benchmarks.canned`) and the load are processes of their own on the same two cores;
what each takes of them is printed with the rates.
"""

import asyncio
import json
import multiprocessing
import os
import resource
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import http

Row = tuple[str, float, str, bool]

SECONDS = 4.0
ROUNDS = 5
CONNECTIONS = 16
STREAMS = 1000
RATE = 1250
ADDED_MS = 2.0
MEGABYTES_MAX = 300
KEY = "tb_live_benchmark_key_of_no_worth_0000000000000"
DIRECT, THROUGH = "/v1/chat/completions", "/gateway/openai/v1/chat/completions"

SYSTEM = "You help people who keep the books of a shop. Answer in at most three sentences. " * 6
BODY = {
    "model": "gpt-5-mini",
    "messages": [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "Which invoices of March were paid twice, and when? " * 8},
    ],
    "max_completion_tokens": 500,
}
# As the official client sends them.
HEADERS = (
    "host: 127.0.0.1\r\naccept-encoding: gzip, deflate\r\nconnection: keep-alive\r\n"
    "accept: application/json\r\ncontent-type: application/json\r\n"
    "user-agent: OpenAI/Python 3.57.0\r\nx-stainless-lang: python\r\n"
    "x-stainless-package-version: 3.57.0\r\nx-stainless-os: Linux\r\nx-stainless-arch: x64\r\n"
    "x-stainless-runtime: CPython\r\nx-stainless-runtime-version: 3.11.7\r\n"
    "x-stainless-async: false\r\nx-stainless-retry-count: 0\r\nx-stainless-read-timeout: 600\r\n"
)


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Calls a second, what one call takes longer, streams: in turns, so that noise strikes both."""
    seconds, rounds = (1.0, 2) if quick else (SECONDS, ROUNDS)
    with ExitStack() as stack:
        provider = stack.enter_context(serving("benchmarks.canned"))
        gateway = stack.enter_context(
            serving("benchmarks.gateway", BENCH_UPSTREAM=f"http://127.0.0.1:{provider.port}/v1")
        )
        measure(gateway, provider, 1.0)  # warm
        yield from _rates(gateway, provider, seconds, rounds)
        yield from _added(gateway, provider, seconds, rounds)
        yield from _frames(gateway, provider, seconds, rounds)
        yield from _open_streams(gateway, provider, STREAMS // 10 if quick else STREAMS)


def _rates(gateway: "Serving", provider: "Serving", seconds: float, rounds: int) -> Iterator[Row]:
    ours = [measure(gateway, provider, seconds) for _ in range(rounds)]
    direct = [measure(None, provider, seconds / 2) for _ in range(rounds)]
    rate, plain = (statistics.median(one.rate for one in runs) for runs in (ours, direct))
    took = [statistics.median(one.took[at] for one in ours) * 1e6 for at in range(3)]
    told = (
        f"gateway, {CONNECTIONS} connections, calls/s ({plain:,.0f} straight to the provider; CPU "
        f"of a call: ours {took[0]:,.0f} us, provider {took[1]:,.0f}, load {took[2]:,.0f})"
    )
    yield told, rate, f">= {RATE:,}", rate >= RATE


def _added(gateway: "Serving", provider: "Serving", seconds: float, rounds: int) -> Iterator[Row]:
    ours, direct = [], []
    for _ in range(rounds):
        ours.append(measure(gateway, provider, seconds / 2, connections=1).median_ms)
        direct.append(measure(None, provider, seconds / 4, connections=1).median_ms)
    slow, plain = statistics.median(ours), statistics.median(direct)
    told = (
        f"gateway, 1 connection, ms added (p50 {slow:.2f} beside {plain:.2f}; of its two commits "
        f"the disk alone takes {2 * _commit_ms():.2f})"
    )
    yield told, slow - plain, f"<= {ADDED_MS:g}", slow - plain <= ADDED_MS


def _commit_ms() -> float:
    """The median time of a commit of next to nothing, SQLite `FULL`, where the servers' files are."""
    times = []
    with tempfile.TemporaryDirectory(prefix="budget-bench-") as directory:
        connection = sqlite3.connect(f"{directory}/c.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE t (n INTEGER)")
        for number in range(100):
            begun = time.perf_counter()
            connection.execute("INSERT INTO t VALUES (?)", (number,))
            times.append(time.perf_counter() - begun)
        connection.close()
    return statistics.median(times) * 1000


def _frames(gateway: "Serving", provider: "Serving", seconds: float, rounds: int) -> Iterator[Row]:
    """Streams whose frames come some ms apart: how long each takes from provider to client."""
    ours, direct = [], []
    for _ in range(rounds):
        ours.append(measure(gateway, provider, seconds / 2, connections=4, plays="paced"))
        direct.append(measure(None, provider, seconds / 4, connections=4, plays="paced"))
    first, plain = (statistics.median(one.first_ms for one in runs) for runs in (ours, direct))
    told = f"stream, first frame, ms held back (p50 {first:.2f} beside {plain:.2f})"
    yield told, first - plain, "<= 1", first - plain <= 1
    frame, plain = (statistics.median(one.frame_ms for one in runs) for runs in (ours, direct))
    told = f"stream, each frame, ms held back (p50 {frame:.2f} beside {plain:.2f})"
    yield told, frame - plain, "<= 1", frame - plain <= 1


def _open_streams(gateway: "Serving", provider: "Serving", streams: int) -> Iterator[Row]:
    before = gateway.megabytes
    measure(gateway, provider, 0, connections=streams, plays="open")
    peak = gateway.peak_megabytes
    told = f"{streams:,} streams open at once, resident MB at most ({before:,.0f} before)"
    yield told, peak, f"< {MEGABYTES_MAX}", peak < MEGABYTES_MAX


# --- processes -----------------------------------------------------------------------------------


class Serving(NamedTuple):
    """A server in a process of its own."""

    port: int
    pid: int

    @property
    def seconds(self) -> float:
        """The CPU time that it took so far; 0 where the system does not say."""
        stat = Path(f"/proc/{self.pid}/stat")
        if not stat.exists():
            return 0.0
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def megabytes(self) -> float:
        """Resident now."""
        return self._memory("VmRSS:")

    @property
    def peak_megabytes(self) -> float:
        """Resident at most so far."""
        return self._memory("VmHWM:")

    def _memory(self, name: str) -> float:
        status = Path(f"/proc/{self.pid}/status")
        if not status.exists():
            found = subprocess.check_output(["ps", "-o", "rss=", "-p", str(self.pid)], text=True)
            return int(found) / 1024
        return int(status.read_text().partition(name)[2].split()[0]) / 1024


@contextmanager
def serving(module: str, **extra: str) -> Iterator[Serving]:
    """A module's server until the block ends."""
    with (
        tempfile.TemporaryDirectory(prefix="budget-bench-") as directory,
        Path(directory, "log").open("wb") as log,
    ):
        port = http._free_port()
        environment = {**os.environ, **extra, "BENCH_HOME": directory, "BENCH_PORT": str(port)}
        process = subprocess.Popen(
            [sys.executable, "-m", module], env=environment, stdout=log, stderr=log
        )
        try:
            http._wait_for(port, process, Path(directory, "log"))
            yield Serving(port, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def serve() -> None:
    """A key, three policies (one of them per user), thresholds, metrics and the access log."""
    from tekton_budget.domain.caller import LOCAL, Role
    from tekton_budget.server import serve
    from tekton_budget.settings import load_settings
    from tekton_budget.wiring import open_service

    url = os.environ.get("BENCH_DATABASE_URL") or f"sqlite:///{os.environ['BENCH_HOME']}/b.db"
    settings = load_settings(
        database_url=url,
        port=int(os.environ["BENCH_PORT"]),
        upstreams={"openai": os.environ["BENCH_UPSTREAM"]},
        upstream_keys={"openai": "sk-benchmark"},
    )
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
        service.keys.create_key(
            LOCAL, "bench", role=Role.CLIENT, labels={"team": "a"}, takes_user=True, secret=KEY
        )
    serve(settings)


# --- the load ------------------------------------------------------------------------------------


class Measured(NamedTuple):
    """What a load met with."""

    rate: float  # calls a second
    median_ms: float  # of a call
    first_ms: float  # of a stream's first frame, as below
    frame_ms: float  # from the provider's sending of a frame to its arrival
    took: tuple[
        float, float, float
    ]  # CPU seconds of a call: the gateway's, the provider's, the load's


def measure(
    gateway: Serving | None,
    provider: Serving,
    seconds: float,
    *,
    connections: int = CONNECTIONS,
    plays: str = "",
) -> Measured:
    """A load from a process that does nothing else; without a gateway straight to the provider."""
    port, path = (provider.port, DIRECT) if gateway is None else (gateway.port, THROUGH)
    servers = [one for one in (gateway, provider) if one is not None]
    before = [one.seconds for one in servers]
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    options = (port, path, provider.port, seconds, connections, plays)
    caller = context.Process(target=_load, args=(theirs, *options))
    caller.start()
    theirs.close()  # so that a load that dies is noticed
    met = ours.recv()
    caller.join()
    if isinstance(met, str):
        raise RuntimeError(met)
    calls, took, own, times, firsts, frames = met
    spent = [(one.seconds - then) / calls for one, then in zip(servers, before, strict=True)]
    return Measured(
        calls / took,
        statistics.median(times) * 1000,
        statistics.median(firsts) * 1000 if firsts else 0.0,
        statistics.median(frames) * 1000 if frames else 0.0,
        (spent[0] if gateway is not None else 0.0, spent[-1], own / calls),
    )


def _load(pipe: Any, *options: Any) -> None:
    import uvloop

    try:
        pipe.send(uvloop.run(_run(*options)))
    except Exception as error:
        pipe.send(repr(error))


async def _run(
    port: int, path: str, provider: int, seconds: float, connections: int, plays: str
) -> tuple[int, float, float, list[float], list[float], list[float]]:
    loop = asyncio.get_running_loop()
    used = _own_seconds()
    begun = time.perf_counter()
    ends_at = begun + seconds
    callers = []
    for number in range(connections):
        request = _request(path, number, plays)
        _, caller = await loop.create_connection(
            lambda request=request: Caller(request, ends_at, streams=bool(plays)), "127.0.0.1", port
        )
        callers.append(caller)
    if plays == "open":
        await asyncio.gather(*(asyncio.shield(caller.began) for caller in callers))
        await asyncio.sleep(2)
        await _finish(provider)
    await asyncio.gather(*(caller.done for caller in callers))
    took = time.perf_counter() - begun
    times = [t for caller in callers for t in caller.times]
    firsts = [t for caller in callers for t in caller.firsts]
    frames = [t for caller in callers for t in caller.frames]
    return len(times), took, _own_seconds() - used, times, firsts, frames


def _own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _request(path: str, number: int, plays: str) -> bytes:
    fields = {**BODY, "safety_identifier": f"u{number % http.USERS}"}
    if plays:
        fields["stream"] = True
    body = json.dumps(fields).encode()
    head = (
        f"POST {path} HTTP/1.1\r\n{HEADERS}authorization: Bearer {KEY}\r\n"
        f"x-plays: {plays or 'whole'}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _finish(provider: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", provider)
    writer.write(b"GET /finish HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


class Caller(asyncio.Protocol):
    """One connection: call, read the answer to its end, call again, until time is up."""

    def __init__(self, request: bytes, ends_at: float, *, streams: bool) -> None:
        loop = asyncio.get_running_loop()
        self.request, self.ends_at, self.streams = request, ends_at, streams
        self.done: asyncio.Future[None] = loop.create_future()
        self.began: asyncio.Future[None] = loop.create_future()  # the first answer has
        self.times: list[float] = []
        self.firsts: list[float] = []
        self.frames: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._call()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(f"hung up: {self.buffer[:300]!r}"))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.streams:
            self._stream_received(data)
        else:
            self._whole_received()

    def _whole_received(self) -> None:
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self.buffer.find(b"content-length: ") + 16
        length = int(self.buffer[at : self.buffer.find(b"\r\n", at)])
        if len(self.buffer) >= head + 4 + length:
            self._answered()

    def _stream_received(self, data: bytes) -> None:
        now = time.perf_counter_ns()
        at, before = data.find(b'"at '), len(self.frames)
        while at >= 0:
            self.frames.append((now - int(data[at + 4 : at + 20])) / 1e9)
            at = data.find(b'"at ', at + 20)
        if not self.came and b"data: " in data:
            self.came = True
            if self.frames:
                self.firsts.append(self.frames[before])
            if not self.began.done():
                self.began.set_result(None)
        if self.buffer.endswith(b"0\r\n\r\n"):
            if b"[DONE]" not in self.buffer:
                self._fail()
            else:
                self._answered()

    def _answered(self) -> None:
        now = time.perf_counter()
        if not self.buffer.startswith(b"HTTP/1.1 200"):
            self._fail()
            return
        self.times.append(now - self.asked)
        if now < self.ends_at:
            self._call()
        else:
            self.done.set_result(None)
            self.transport.close()

    def _fail(self) -> None:
        self.done.set_exception(RuntimeError(self.buffer.decode(errors="replace")))
        self.transport.close()

    def _call(self) -> None:
        self.buffer, self.came = b"", False
        self.asked = time.perf_counter()
        self.transport.write(self.request)


if __name__ == "__main__":
    serve()
