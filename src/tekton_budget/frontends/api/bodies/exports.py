"""Exports: long lists as CSV or NDJSON, written page by page as they are read."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.responses import Response, StreamingResponse

from tekton_budget.frontends.api.bodies.filters import CSV, NDJSON
from tekton_budget.frontends.http.wire import encode

T = TypeVar("T")
Write = Callable[[Sequence[T]], str]


def csv_writer(head: Sequence[str], row: Callable[[T], Sequence[object]]) -> Write[T]:
    """Pages as lines of CSV, the head before the first."""
    pending: list[Sequence[object]] = [head]

    def write(page: Sequence[T]) -> str:
        lines = [*pending, *(row(item) for item in page)]
        pending.clear()
        return csv_text(lines)

    return write


def ndjson_writer(show: Callable[[T], object]) -> Write[T]:
    """Pages as lines of JSON."""

    def write(page: Sequence[T]) -> str:
        return "".join(f"{encode(show(item)).decode()}\n" for item in page)

    return write


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Lines of CSV as RFC 4180 has them."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


async def streamed(
    pages: Iterator[Sequence[T]], write: Write[T], media_type: str, name: str
) -> Response:
    """The pages as they come; a refusal is still told if the first cannot be read."""
    first = await run_in_threadpool(next, pages, ())

    async def body() -> AsyncIterator[str]:
        yield write(first)
        async for page in iterate_in_threadpool(pages):
            yield write(page)

    return StreamingResponse(
        body(), media_type=_with_charset(media_type), headers=_as_file(name, media_type)
    )


def table(rows: Iterable[Sequence[object]], name: str) -> Response:
    """A short table as CSV."""
    return Response(csv_text(rows), media_type=_with_charset(CSV), headers=_as_file(name, CSV))


def _with_charset(media_type: str) -> str:
    return f"{media_type}; charset=utf-8"


def _as_file(name: str, media_type: str) -> dict[str, str]:
    ending = {CSV: "csv", NDJSON: "ndjson"}[media_type]
    return {"Content-Disposition": f'attachment; filename="{name}.{ending}"'}
