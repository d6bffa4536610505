"""Problem documents → the exceptions that callers catch, the same over HTTP and in process."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from tekton_budget.domain.errors import (
    BudgetError,
    Conflict,
    FieldFault,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from tekton_budget.face.answers import moment

Problem = Mapping[str, Any]  # Any: decoded JSON

_OWN_MEMBERS = {"type", "title", "status", "detail", "code", "fields", "errors", "instance"}


class BudgetExceeded(BudgetError):
    """The call may not be made: `str()` says why, until when, and what to do."""

    def __init__(self, denial: Problem) -> None:
        super().__init__(str(denial["detail"]), str(denial.get("code", "over_budget")), (), denial)

    @property
    def denial(self) -> Problem:
        """All that was answered."""
        return self.extra

    @property
    def policies(self) -> list[Problem]:
        """Every policy that was passed, tightest first, with its numbers."""
        return list(self.denial.get("policies") or [])

    @property
    def policy(self) -> str:
        """The name of the tightest policy that was passed."""
        return str(self.policies[0]["name"]) if self.policies else ""

    @property
    def remaining(self) -> dict[str, Decimal | int]:
        """What that policy has left, in each unit that it limits; empty where that is hidden."""
        left = (self.policies[0].get("remaining") or {}) if self.policies else {}
        return {unit: value for unit, value in left.items() if value is not None}

    @property
    def resets_at(self) -> datetime | None:
        """When the last of the passed policies starts anew; `None` if one never does."""
        return moment(self.denial.get("resets_at"))

    @property
    def largest_fit(self) -> dict[str, Decimal | int] | None:
        """The largest call of the same shape that would be granted now."""
        fit = self.denial.get("largest_fit")
        if not fit:
            return None
        return {unit: value for unit, value in fit.items() if value is not None}

    @property
    def retryable(self) -> bool:
        """Whether the very same call may fit later."""
        return bool(self.denial.get("retryable"))

    @property
    def alternatives(self) -> list[str]:
        """Models by which the same call would fit now."""
        return list(self.denial.get("alternatives") or [])


class AllocationNotSettled(BudgetError):
    """The block was left without saying what the call used; the hold stays until it expires."""

    def __init__(self, allocation_id: str, expires_at: datetime) -> None:
        super().__init__(
            f"Allocation {allocation_id} was neither settled nor released, so it still holds its "
            f"amount (until {expires_at:%Y-%m-%d %H:%M:%S %Z}). Call hold.settle(input_tokens=…, "
            "output_tokens=…) inside the block, or hold.release() if nothing was used.",
            "allocation_not_settled",
            (),
            {"allocation_id": allocation_id},
        )


def error_from_problem(
    status: int, problem: Problem, retry_after: str | None = None
) -> BudgetError:
    """The exception that an answer stands for, with its code, fields and facts."""
    code, detail = str(problem.get("code", "")), str(problem.get("detail") or "")
    if status == 402 and "detail" in problem:
        return BudgetExceeded(problem)
    fields = _fields(problem)
    extra = {name: value for name, value in problem.items() if name not in _OWN_MEMBERS}
    detail = detail or f"The service answered {status} without saying why."
    match status:
        case 400 | 413 | 415 | 422:
            return InvalidInput(detail, *fields, code=code or "invalid", **extra)
        case 401:
            return Unauthenticated(detail, code or "key_needed", **extra)
        case 403:
            return Forbidden(detail, code or "forbidden", **extra)
        case 404 | 405:
            return NotFound(detail, code or "not_found", **extra)
        case 409:
            return Conflict(detail, *fields, code=code or "conflict", **extra)
        case 429 | 502 | 503 | 504:
            extra.pop("retry_after_seconds", None)
            seconds = int(retry_after) if retry_after and retry_after.isdigit() else 1
            return Unavailable(
                detail, code=code or "unavailable", retry_after_seconds=seconds, **extra
            )
        case _:
            return BudgetError(detail, code or f"http_{status}", fields, extra)


def _fields(problem: Problem) -> tuple[FieldFault, ...]:
    listed = problem.get("fields") or problem.get("errors") or []
    return tuple(
        FieldFault(str(one.get("field", "")), str(one.get("message", "")))
        for one in listed
        if isinstance(one, Mapping)
    )
