"""Denials and refusals in the shape of the API that was called, with what to do next."""

from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from tekton_budget.domain.answer import Denial, Standing
from tekton_budget.domain.errors import BudgetError, Unavailable
from tekton_budget.domain.providers import Family
from tekton_budget.frontends.gateway.upstream import Headers
from tekton_budget.frontends.http.refused import status_of
from tekton_budget.frontends.http.standings import to_api_denial
from tekton_budget.frontends.http.wire import encode, usd

BUSY_RETRY_SECONDS = 5
_NOT_AGAIN = frozenset({400, 401, 402, 403, 404, 409, 413, 422})
_JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is told to a client instead of a provider's answer."""

    status: int
    code: str
    message: str
    facts: dict[str, Any] = field(default_factory=dict)  # Any: JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def of_denial(denial: Denial, *, status: int) -> Refusal:
    """Over budget: `status` where it is spent, 429 where only others' holds are in the way."""
    busy = denial.blocked_on == "held" and denial.retryable
    headers: list[tuple[bytes, bytes]] = []
    if busy:
        headers.append((b"retry-after", b"%d" % BUSY_RETRY_SECONDS))
    elif denial.resets_us is not None and denial.retryable:
        at = formatdate(denial.resets_us // 1_000_000 + 1, usegmt=True)
        headers.append((b"retry-after", at.encode()))
    if not busy:
        headers.append((b"x-should-retry", b"false"))
    if denial.policies:
        headers += tightest(denial.policies)
    code = "budget_busy" if busy else "budget_exceeded"
    facts = to_api_denial(denial)
    return Refusal(429 if busy else status, code, denial.detail, facts, tuple(headers))


def of_error(error: BudgetError) -> Refusal:
    """What cannot be judged, or may not come in."""
    status = status_of(error)
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(error, Unavailable):
        after = error.extra.get("retry_after_seconds", 1)
        headers.append((b"retry-after", str(after).encode()))
    if status in _NOT_AGAIN:
        headers.append((b"x-should-retry", b"false"))
    facts: dict[str, Any] = {name: said for name, said in error.extra.items() if name != "cause"}
    if error.fields:
        facts["fields"] = [{"field": one.field, "message": one.message} for one in error.fields]
    return Refusal(status, error.code, error.detail, facts, tuple(headers))


def told(refusal: Refusal, family: Family) -> tuple[int, bytes, Headers]:
    """Status, body and headers, as clients of that API expect them."""
    body = _SHAPES[family](refusal)
    return refusal.status, encode(body), [_JSON, *refusal.headers]


def tightest(policies: tuple[Standing, ...]) -> Headers:
    """The tightest policy that this key may see, by name, and what it has left."""
    shown = [one for one in policies if not one.hidden]
    costs = [one for one in shown if one.remaining.cost_nano is not None]
    if costs:
        least = min(costs, key=lambda one: one.remaining.cost_nano or 0)
        left = usd(max(0, least.remaining.cost_nano or 0))
        return [
            (b"x-budget-policy", _header(least.name)),
            (b"x-budget-remaining-usd", bytes(left or b"")),
        ]
    tokens = [one for one in shown if one.remaining.tokens is not None]
    if tokens:
        least = min(tokens, key=lambda one: one.remaining.tokens or 0)
        left_tokens = b"%d" % max(0, least.remaining.tokens or 0)
        return [
            (b"x-budget-policy", _header(least.name)),
            (b"x-budget-remaining-tokens", left_tokens),
        ]
    return []


@lru_cache(maxsize=1024)  # the names of policies
def _header(text: str) -> bytes:
    """A name as a header's value may be: what is no plain letter is written in percents."""
    return quote(text, safe=" =,:/+*!@#$&'()[]{}<>?;|~^`\"").encode()


Shape = dict[str, Any]  # Any: JSON


def _openai(refusal: Refusal) -> Shape:
    quota = refusal.status == 429 and refusal.code == "budget_exceeded"
    code = "insufficient_quota" if quota else refusal.code
    kind = _OPENAI_TYPES.get(refusal.status, "invalid_request_error")
    error: Shape = {
        "message": refusal.message,
        "type": "insufficient_quota" if quota else kind,
        "param": _param(refusal),
        "code": code,
    }
    return {"error": {**error, "details": {"code": refusal.code, **refusal.facts}}}


def _anthropic(refusal: Refusal) -> Shape:
    kind = _ANTHROPIC_TYPES.get(refusal.status, "invalid_request_error")
    error = {
        "type": kind,
        "message": refusal.message,
        "details": {"code": refusal.code, **refusal.facts},
    }
    return {"type": "error", "error": error}


def _google(refusal: Refusal) -> Shape:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": refusal.code.upper(),
        "domain": "tekton-budget",
        "metadata": refusal.facts,
    }
    return {
        "error": {
            "code": refusal.status,
            "message": refusal.message,
            "status": _GOOGLE_STATUSES.get(refusal.status, "INVALID_ARGUMENT"),
            "details": [info],
        }
    }


def _param(refusal: Refusal) -> str | None:
    fields = refusal.facts.get("fields")
    return fields[0]["field"] if fields else None


# As the APIs name the kinds of their errors, by status.
_OPENAI_TYPES = {
    401: "authentication_error",
    402: "budget_exceeded",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "server_error",
    502: "server_error",
    503: "server_error",
    504: "server_error",
}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_GOOGLE_STATUSES = {
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",  # exhausted resources are asked for again by some clients
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_SHAPES: dict[Family, Callable[[Refusal], Shape]] = {
    Family.OPENAI: _openai,
    Family.AZURE: _openai,
    Family.ANTHROPIC: _anthropic,
    Family.GEMINI: _google,
}
