"""A whole answer that takes its time, or goes wrong on its way."""

import asyncio
import gzip
from collections.abc import Callable, Sequence

from tests.providers.bill import Bill, Entry
from tests.providers.heads import head
from tests.providers.scenario import Scenario
from tests.providers.sending import Line, reset
from tests.providers.wire import Json, dumps

_BREAKS = {"stall", "reset", "close", "truncated"}


class Waiting:
    """Made when it is due; billed is what was generated until the client left."""

    def __init__(
        self,
        line: Line,
        make: Callable[[], Json],
        *,
        headers: Sequence[tuple[str, str]],
        scenario: Scenario,
        entry: Entry,
        bill: Bill,
        tokens: int,
    ) -> None:
        self._line, self._make, self._headers = line, make, headers
        self._scenario, self._entry, self._bill, self._tokens = scenario, entry, bill, tokens
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._rest = memoryview(b"")

    def begin(self) -> None:
        seconds = (self._scenario.first_ms + self._tokens * self._scenario.token_ms) / 1000
        if seconds:
            self._timer = self._loop.call_later(seconds, self._answer)
        else:
            self._answer()

    def gone(self) -> None:
        """The client has left."""
        if self._timer is not None:
            self._timer.cancel()
        done = self._tokens
        if self._scenario.token_ms:
            passed = (self._loop.time() - self._began) * 1000 - self._scenario.first_ms
            done = max(0, min(done, int(passed / self._scenario.token_ms)))
        self._end("gone", done)

    def _end(self, how: str, tokens: int) -> None:
        if tokens and not self._entry.end:
            self._entry.units["output"] = tokens
        self._bill.end(self._entry, how)

    def _answer(self) -> None:
        scenario, transport = self._scenario, self._line.transport
        body, kind = dumps(self._make()), "application/json"
        if scenario.gzip:
            body = gzip.compress(body)
        if scenario.fault == "garbage":
            body = b"\x00\x01 this is no JSON {"
        if scenario.fault == "html":
            body, kind = b"<html><body>502 Bad Gateway</body></html>", "text/html"
        length = f"content-length: {len(body)}"
        start = head(200, kind, self._headers, length, gzip=scenario.gzip)
        if scenario.fault in _BREAKS:
            self._break(start, body)
        elif scenario.chunk:
            transport.write(start)
            self._rest = memoryview(body)
            self._drip()
        else:
            transport.write(start + body)
            self._end("done", self._tokens)
            self._line.finished(keep=True)

    def _break(self, start: bytes, body: bytes) -> None:
        """`at` bytes of the body, or half of it where it is truncated, then what the fault says."""
        kind, at = self._scenario.fault, self._scenario.at
        part = body[: at or len(body) // 2] if at or kind == "truncated" else b""
        if part:
            self._line.transport.write(start + part)
        if kind == "stall":
            return
        self._end("fault", self._tokens)
        if kind == "reset":
            self._loop.call_later(0.005, reset, self._line.transport)
        else:
            self._line.finished(keep=False)

    def _drip(self) -> None:
        chunk = self._scenario.chunk
        self._line.transport.write(bytes(self._rest[:chunk]))
        self._rest = self._rest[chunk:]
        if self._rest:
            self._timer = self._loop.call_later(self._scenario.chunk_ms / 1000, self._drip)
        else:
            self._end("done", self._tokens)
            self._line.finished(keep=True)
