"""A provider for benchmarks: chat completions from a can, so that it takes next to no time itself.

The faithful mock of the tests reads and counts what it is sent; this one only finds where a request
ends. `x-plays: paced` streams frames a few milliseconds apart, each with the time at which it was
sent; `x-plays: open` streams one a second until `GET /finish`.
"""

import asyncio
import json
import os
import time
from typing import Any

PACED_FRAMES = 20
PACED_SECONDS = 0.005
OPEN_SECONDS = 1.0
_END = b"\r\n\r\n"
_USAGE = {
    "prompt_tokens": 250,
    "completion_tokens": 180,
    "total_tokens": 430,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
_ID = {"id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "created": 1790000000, "model": "gpt-5-mini"}
_ANSWER = {
    **_ID,
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "The invoice was paid twice, on the 3rd and on the 5th. " * 14,
                "refusal": None,
                "annotations": [],
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": _USAGE,
    "service_tier": "default",
    "system_fingerprint": None,
}
_HEADERS = (
    "openai-organization: org-bench\r\nopenai-processing-ms: 412\r\nopenai-version: 2020-10-01\r\n"
    "x-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\n"
    "x-request-id: req_0123456789abcdef0123456789abcdef\r\n"
    "date: Tue, 24 Nov 2026 12:00:00 GMT\r\nserver: canned\r\n"
)


def _whole() -> bytes:
    body = json.dumps(_ANSWER).encode()
    head = (
        f"HTTP/1.1 200 OK\r\n{_HEADERS}content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def _frame(**fields: Any) -> bytes:
    frame = {**_ID, "object": "chat.completion.chunk", "usage": None, **fields}
    return _chunk(b"data: " + json.dumps(frame).encode() + b"\n\n")


def _piece(content: str) -> bytes:
    delta = {"index": 0, "delta": {"content": content}, "finish_reason": None}
    return _frame(choices=[delta])


def _timed() -> bytes:
    """A frame that tells when it was sent, in ns of this machine's clock: it always has 16 digits."""
    return _piece(f"at {time.perf_counter_ns():016d} ")


_WHOLE = _whole()
_HEAD = (
    f"HTTP/1.1 200 OK\r\n{_HEADERS}content-type: text/event-stream; charset=utf-8\r\n"
    "transfer-encoding: chunked\r\n\r\n"
).encode()
_OPEN_PIECE = _piece("and then ")
_TAIL = (
    _frame(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    + _frame(choices=[], usage=_USAGE)
    + _chunk(b"data: [DONE]\n\n")
    + _chunk(b"")
)
_FINISHED = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


_open: "set[Canned]" = set()


class Canned(asyncio.Protocol):
    """One connection: requests one after the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.buffer = b""

    def connection_lost(self, exc: Exception | None) -> None:
        _open.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        head = self.buffer.find(_END)
        if head < 0:
            return
        before = self.buffer[:head].lower()
        at = before.find(b"content-length: ")
        length = int(before[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self.buffer) < head + 4 + length:
            return
        self.buffer = b""
        if before.startswith(b"get /finish"):
            self._finish_all()
        elif b"x-plays: paced" in before:
            self.transport.write(_HEAD + _timed())
            self._pace(PACED_FRAMES - 1)
        elif b"x-plays: open" in before:
            self.transport.write(_HEAD + _OPEN_PIECE)
            _open.add(self)
        else:
            self.transport.write(_WHOLE)

    def _pace(self, left: int) -> None:
        if left:
            loop = asyncio.get_running_loop()
            loop.call_later(PACED_SECONDS, self._paced, left)
        else:
            self.transport.write(_TAIL)

    def _paced(self, left: int) -> None:
        self.transport.write(_timed())
        self._pace(left - 1)

    def _finish_all(self) -> None:
        for one in tuple(_open):
            one.transport.write(_TAIL)
        _open.clear()
        self.transport.write(_FINISHED)


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_server(Canned, "127.0.0.1", port, backlog=2048)
    while True:
        await asyncio.sleep(OPEN_SECONDS)
        for one in _open:
            one.transport.write(_OPEN_PIECE)


def serve() -> None:
    """On `BENCH_PORT`."""
    import uvloop

    uvloop.run(_serve(int(os.environ["BENCH_PORT"])))


if __name__ == "__main__":
    serve()
