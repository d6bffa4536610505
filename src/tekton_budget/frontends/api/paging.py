"""Pages: `after` walks a list without gaps or repeats, `page` serves the original's clients."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from tekton_budget.service.paging import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    Page,
    Slice,
    cursor_place,
    cursor_text,
)

T = TypeVar("T")


def asked_slice(
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Items of a page")] = LIMIT_DEFAULT,
    page: Annotated[int, Query(ge=1, le=10_000, description="Which page; better: after")] = 1,
    after: Annotated[
        str | None, Query(max_length=1000, description="`next` of the page before")
    ] = None,
) -> Slice:
    """The query parameters of every list."""
    return Slice(page, limit, after)


def listed(page: Page[T], show: Callable[[T], object]) -> dict[str, object]:
    """A page as the API shows it."""
    return {
        "items": [show(item) for item in page.items],
        "total": page.total,
        "page": page.page,
        "limit": page.limit,
        "next": page.next,
    }


def page_of(items: Sequence[T], part: Slice, key: Callable[[T], str]) -> Page[T]:
    """One page of a list that is in memory and ordered by `key`, which no two items share."""
    after = cursor_place(part.after, str)
    rest = [item for item in items if after is None or key(item) > after]
    found = rest[: part.wanted]
    last = part.last(found)
    return part.cut(found, None if last is None else cursor_text(key(last)), len(items))
