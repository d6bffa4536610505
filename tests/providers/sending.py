"""An answer on its way to the client: its pace, what goes wrong with it, and what it has cost so far."""

import asyncio
import socket
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from tests.providers.bill import Bill, Entry
from tests.providers.scenario import Scenario
from tests.providers.wire import Frames

AT_ONCE = 64 * 1024  # bytes gathered before they are written
HALVES_S = 0.002


class Line(Protocol):
    """The connection, as an answer sees it."""

    transport: asyncio.Transport
    is_paused: bool

    def finished(self, *, keep: bool) -> None: ...


class Sending:
    """Walks the frames. Ends by itself, by a fault, or by `gone` when the client has left."""

    def __init__(
        self,
        line: Line,
        frames: Frames,
        *,
        entry: Entry,
        bill: Bill,
        scenario: Scenario,
        head: bytes,
        error: Callable[[], bytes],
    ) -> None:
        self._line, self._frames, self._entry, self._bill = line, frames, entry, bill
        self._scenario, self._head, self._error = scenario, head, error
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._tokens = 0
        self._began = 0.0
        self._next: tuple[bytes, int] | None = None
        self._zip = zlib.compressobj(wbits=31) if scenario.gzip else None
        self._rest: list[bytes] = []  # pieces to send one by one
        self._after: Callable[[], None] | None = None
        self._is_over = False
        self._is_due = False

    def begin(self) -> None:
        if self._scenario.first_ms:
            self._timer = self._loop.call_later(self._scenario.first_ms / 1000, self._start)
        else:
            self._start()

    def gone(self) -> None:
        """The client has left: what was generated until now is billed."""
        self._over("gone")

    def resumed(self) -> None:
        if self._is_due:
            self._is_due = False
            self._tick()

    def _over(self, how: str) -> None:
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self._bill.end(self._entry, how)

    def _start(self) -> None:
        self._began = self._loop.time()
        self._line.transport.write(self._head)
        self._tick()

    def _tick(self) -> None:
        """Sends what is due by now, then waits for more to be due or for the client to read."""
        scenario = self._scenario
        if self._line.is_paused:
            self._is_due = True
            return
        out: list[bytes] = []
        size = 0
        while not self._is_over:
            frame = self._next or next(self._frames, None)
            self._next = None
            if frame is None:
                self._send(out, then=self._finish)
                return
            data, tokens = frame
            is_at = scenario.fault and tokens and self._tokens + tokens > scenario.at
            if is_at and self._fault(out, data):
                return
            if scenario.token_ms and tokens:
                due = self._began + (self._tokens + tokens) * scenario.token_ms / 1000
                if due > self._loop.time():
                    self._next = frame
                    self._send(out)
                    if not self._rest:
                        self._timer = self._loop.call_at(due, self._tick)
                    return
            if tokens:
                self._tokens += tokens
                self._entry.units["output"] = self._entry.units.get("output", 0) + tokens
            if data:
                out.append(data)
                size += len(data)
                if size >= AT_ONCE:
                    self._send(out)
                    out, size = [], 0
                    if self._rest:
                        return
                    if self._line.is_paused:
                        self._is_due = True
                        return

    def _send(self, frames: list[bytes], then: Callable[[], None] | None = None) -> None:
        scenario = self._scenario
        if self._zip is not None:
            zipped = [self._zip.compress(it) + self._zip.flush(zlib.Z_SYNC_FLUSH) for it in frames]
            frames = [*zipped, self._zip.flush()] if then is not None else zipped
        if scenario.chunk or scenario.fault == "split_utf8":
            self._rest += _recut(frames, scenario)
            self._after = then or self._tick
            self._drip()
            return
        if frames:
            self._line.transport.write(b"".join(map(_chunk, frames)))
        if then is not None:
            then()

    def _drip(self) -> None:
        """One piece, and the next one a moment later, so that they arrive apart."""
        if self._is_over:
            return
        if self._rest:
            self._line.transport.write(_chunk(self._rest.pop(0)))
            pause = self._scenario.chunk_ms / 1000 or (
                HALVES_S if self._scenario.fault == "split_utf8" else 0
            )
            self._timer = self._loop.call_later(pause, self._drip)
        elif self._after is not None:
            after, self._after = self._after, None
            after()

    def _finish(self) -> None:
        self._line.transport.write(b"0\r\n\r\n")
        self._over("done")
        self._line.finished(keep=True)

    def _fault(self, out: list[bytes], data: bytes) -> bool:
        """True: nothing follows."""
        kind = self._scenario.fault
        if kind == "invalid_sse":
            out.append(
                b'no field here\n:a comment\nevent\ndata: {"half": \n\n' + b"data: \xff\xfe\n\n"
            )
            self._scenario = _healed(self._scenario)
            return False
        if kind not in {"stall", "reset", "close", "garbage", "html", "truncated", "error_event"}:
            return False
        if kind in {"garbage", "html"}:
            out.append(b"<html><body>502 Bad Gateway</body></html>")
        elif kind == "truncated":
            out.append(data[: len(data) // 2])
        elif kind == "error_event":
            out.append(self._error())
        self._scenario = _healed(self._scenario)
        if kind == "stall":
            self._send(out)  # and until the client leaves, nothing
        else:
            self._send(out, then=lambda: self._break(kind))
        return True

    def _break(self, kind: str) -> None:
        self._over("fault")
        transport = self._line.transport
        if kind == "reset":
            self._loop.call_later(HALVES_S, reset, transport)  # what was written has left by then
        elif kind in {"error_event", "garbage", "html"}:
            transport.write(b"0\r\n\r\n")
            self._line.finished(keep=False)
        else:
            self._line.finished(keep=False)


def reset(transport: asyncio.Transport) -> None:
    """RST, not FIN; what was written before is given a moment to leave."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def _healed(scenario: Scenario) -> Scenario:
    return replace(scenario, fault=None, gzip=False)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _recut(frames: list[bytes], scenario: Scenario) -> list[bytes]:
    if scenario.chunk:
        whole = b"".join(frames)
        return [whole[at : at + scenario.chunk] for at in range(0, len(whole), scenario.chunk)]
    pieces = []
    for frame in frames:
        begin = 0
        for at, byte in enumerate(frame):
            if byte >= 0xC0:  # a character of several bytes begins here
                pieces.append(frame[begin : at + 1])
                begin = at + 1
        pieces.append(frame[begin:])
    return pieces
