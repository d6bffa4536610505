"""Refusals as HTTP statuses, the same through every door."""

from tekton_budget.domain.errors import (
    BudgetError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)


class TooLarge(BudgetError):
    """The body is larger than the route takes (HTTP 413)."""


class NotJson(BudgetError):
    """The body is of another media type than JSON (HTTP 415)."""


class Malformed(BudgetError):
    """The body cannot be read at all (HTTP 400)."""


STATUS_OF: dict[type[BudgetError], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    NotJson: 415,
    InvalidInput: 422,
    Unavailable: 503,
}


def status_of(error: BudgetError) -> int:
    """The status of a refusal: that of the nearest kind."""
    return next((STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF), 400)
