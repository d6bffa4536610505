"""Logs: lines for people or JSON for machines, and one line for each request."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import IO, Any

import msgspec
import structlog
from starlette.types import Scope

from tekton_budget.domain.errors import invalid
from tekton_budget.settings import LogFormat, Settings

FLUSH_SECONDS = 0.1
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_encode = msgspec.json.Encoder().encode


def configure(settings: Settings) -> None:
    """All logs, ours and the libraries', in one form on standard error."""
    name = settings.log_level.upper()
    if name not in LEVELS:
        raise invalid("BUDGET_LOG_LEVEL", f"send one of {', '.join(LEVELS)}")
    level = logging.getLevelNamesMapping()[name]
    shared: list[Any] = [  # Any: structlog's processors have many signatures
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if settings.log_format is LogFormat.JSON:
        last: list[Any] = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_json),
        ]
    else:
        # The prettier default prints the local variables of every frame: keys and people's bodies.
        last = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn", "uvicorn.error", "asyncio", "alembic", "httpx"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))


class AccessLines:
    """A line for each request, without queries, bodies or keys; written several at a time.

    Writing waits for whoever reads the lines, so it is done ten times a second at most.
    """

    def __init__(self, settings: Settings, stream: IO[bytes] | None = None) -> None:
        self._stream = sys.stderr.buffer if stream is None else stream
        self._line: Callable[[Scope, int, float, datetime], bytes] = (
            _json_line if settings.log_format is LogFormat.JSON else _text_line
        )
        self._seen: list[tuple[Scope, int, float, float]] = []
        self._stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)

    def __call__(self, scope: Scope, status: int, seconds: float) -> None:
        """One request, answered."""
        if not self._seen:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        self._seen.append((scope, status, seconds, time.perf_counter()))

    def flush(self) -> None:
        """Write what is there."""
        seen, self._seen = self._seen, []
        if not seen:
            return
        now, clock = (
            datetime.fromisoformat(self._stamp(None, "", {})["timestamp"]),
            time.perf_counter(),
        )
        self._stream.write(
            b"".join(
                self._line(scope, status, seconds, now - timedelta(seconds=clock - ended))
                for scope, status, seconds, ended in seen
            )
        )
        self._stream.flush()


def _text_line(scope: Scope, status: int, seconds: float, at: datetime) -> bytes:
    who = _who(scope)
    path = scope.get("raw_path") or scope["path"].encode()
    return b"%b [request] %b %b %d %.1fms %b\n" % (
        _stamp_text(at).encode(),
        scope["method"].encode(),
        path,
        status,
        seconds * 1000,
        who,
    )


def _json_line(scope: Scope, status: int, seconds: float, at: datetime) -> bytes:
    caller = scope.get("caller")
    client = scope.get("client")
    return (
        _encode(
            {
                "timestamp": _stamp_text(at),
                "level": "info",
                "event": "request",
                "method": scope["method"],
                "path": (scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
                "status": status,
                "ms": round(seconds * 1000, 1),
                "key": caller.name if caller is not None else None,
                "client": client[0] if client else None,
            }
        )
        + b"\n"
    )


def _stamp_text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _who(scope: Scope) -> bytes:
    caller = scope.get("caller")
    client = scope.get("client")
    return _who_text(caller.name if caller is not None else "", client[0] if client else "")


@lru_cache(maxsize=1024)
def _who_text(name: str, client: str) -> bytes:
    return f"{client} {name}".strip().encode("utf-8", "replace")


def _json(event: object, **_: object) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
