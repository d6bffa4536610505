"""Refusals: what was asked cannot be done, with a stable code and what to do next.

A denial is not here: being over budget is a good answer, and answers are values (`decide.Denial`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One field that cannot be used as given: its dotted path and what to send instead."""

    field: str
    message: str


@dataclass(eq=False)
class BudgetError(Exception):
    """A refusal. `code` is stable and machine-readable; `detail` is one paragraph for people."""

    detail: str
    code: str = "refused"
    fields: tuple[FieldFault, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)  # Any: facts of the case, JSON-ready

    def __str__(self) -> str:
        return self.detail


class InvalidInput(BudgetError):
    """What was sent cannot be understood; every faulty field is named (HTTP 422)."""

    def __init__(
        self, detail: str, *fields: FieldFault, code: str = "invalid", **extra: Any
    ) -> None:
        super().__init__(detail, code, fields, extra)


class NotFound(BudgetError):
    """The named thing does not exist, or is not visible to this key (HTTP 404)."""

    def __init__(self, detail: str, code: str = "not_found", **extra: Any) -> None:
        super().__init__(detail, code, (), extra)


class Conflict(BudgetError):
    """The thing's state does not allow this, or the id was used for another (HTTP 409)."""

    def __init__(
        self, detail: str, *fields: FieldFault, code: str = "conflict", **extra: Any
    ) -> None:
        super().__init__(detail, code, fields, extra)


class Unauthenticated(BudgetError):
    """A key is needed and none that is valid was given (HTTP 401)."""

    def __init__(self, detail: str, code: str = "key_needed", **extra: Any) -> None:
        super().__init__(detail, code, (), extra)


class Forbidden(BudgetError):
    """The key is valid but may not do this (HTTP 403)."""

    def __init__(self, detail: str, code: str = "forbidden", **extra: Any) -> None:
        super().__init__(detail, code, (), extra)


class Unavailable(BudgetError):
    """The store is away or the queue is full; ask again under the same id (HTTP 503)."""

    def __init__(
        self, detail: str, *, code: str = "unavailable", retry_after_seconds: int = 1, **extra: Any
    ) -> None:
        super().__init__(detail, code, (), {"retry_after_seconds": retry_after_seconds, **extra})


def invalid(field_name: str, message: str, code: str = "invalid") -> InvalidInput:
    """The refusal of a single field; its message becomes the detail."""
    return InvalidInput(f"{field_name}: {message}", FieldFault(field_name, message), code=code)
