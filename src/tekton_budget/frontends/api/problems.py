"""Refusals and denials as RFC 9457 problem documents, with a stable code and what to do next."""

from collections.abc import Mapping
from email.utils import formatdate
from types import MappingProxyType
from typing import Any

import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from tekton_budget.domain.answer import Denial
from tekton_budget.domain.errors import BudgetError, FieldFault, InvalidInput
from tekton_budget.frontends.http import wire
from tekton_budget.frontends.http.refused import status_of
from tekton_budget.frontends.http.standings import to_api_denial

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Malformed request",
    401: "Key needed",
    402: "Over budget",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Body too large",
    415: "Not JSON",
    422: "Invalid request",
    500: "Internal error",
    503: "Unavailable",
}
TEXT_MAX = 2_000
HELD_RETRY_SECONDS = 5  # others' holds are in the way: they come back when their calls end

log = structlog.get_logger(__name__)

Headers = dict[str, str]


def problem(
    status: int,
    code: str,
    detail: str,
    instance: str,
    fields: tuple[FieldFault, ...] = (),
    facts: Mapping[str, object] = MappingProxyType({}),
) -> dict[str, object]:
    """The document. Facts of the case stand beside the members of RFC 9457."""
    document: dict[str, object] = {
        "type": f"urn:tekton-budget:problem:{code}",
        "title": TITLES.get(status, "Refused"),
        "status": status,
        "code": code,
        "detail": _shown(detail),
        "instance": instance,
    }
    if fields:
        document["fields"] = [
            {"field": _shown(one.field), "message": _shown(one.message)} for one in fields
        ]
    for name, value in facts.items():
        document.setdefault(name, value)
    return document


def _shown(text: str) -> str:
    """A text that may repeat what was sent, which is of any length: its beginning and its end."""
    if len(text) <= TEXT_MAX:
        return text
    return f"{text[: TEXT_MAX // 2]} … {text[-TEXT_MAX // 2 :]}"


def of_refusal(error: BudgetError, instance: str) -> tuple[int, dict[str, object], Headers]:
    """Status, document and headers of a refusal."""
    status = status_of(error)
    headers: Headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        headers["Retry-After"] = str(error.extra.get("retry_after_seconds", 1))
    facts = {name: value for name, value in error.extra.items() if name != "cause"}
    document = problem(status, error.code, error.detail, instance, error.fields, facts)
    return status, document, headers


def of_denial(denial: Denial, instance: str) -> tuple[int, dict[str, object], Headers]:
    """402: the call may not be made; the limits that are passed, and what would be possible."""
    headers: Headers = {}
    if denial.retryable and denial.blocked_on == "held":
        headers["Retry-After"] = str(HELD_RETRY_SECONDS)
    elif denial.retryable and denial.resets_us is not None:
        headers["Retry-After"] = formatdate(denial.resets_us // 1_000_000 + 1, usegmt=True)
    facts = to_api_denial(denial)
    document = problem(402, denial.code, denial.detail, instance, facts=facts)
    return 402, document, headers


def of_fault(error: Exception, instance: str) -> tuple[int, dict[str, object], Headers]:
    """500: a bug of ours. What it was goes to the log, not to the caller."""
    log.error("request_failed", path=instance, exc_info=error)
    detail = "Something went wrong here; it is in the server's log. Ask again under the same id."
    return 500, problem(500, "internal_error", detail, instance), {}


class ProblemReply(wire.Reply):
    """A problem document as a response."""

    media_type = MEDIA_TYPE

    def __init__(self, told: tuple[int, dict[str, object], Headers]) -> None:
        status, document, headers = told
        super().__init__(document, status_code=status, headers=headers)


async def on_refusal(request: Request, error: Exception) -> Response:
    """The handler of `BudgetError` in routes."""
    assert isinstance(error, BudgetError)
    return ProblemReply(of_refusal(error, request.url.path))


async def on_invalid(request: Request, error: Exception) -> Response:
    """The handler of what FastAPI finds wrong with path, query or body."""
    assert isinstance(error, RequestValidationError)
    refusal = from_validation_errors(error.errors())
    return ProblemReply(of_refusal(refusal, request.url.path))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """The handler of what the framework refuses by itself: unknown routes and methods."""
    assert isinstance(error, HTTPException)
    status, path = error.status_code, request.url.path
    headers = dict(error.headers or {})
    code = {404: "route_not_found", 405: "method_not_allowed", 413: "body_too_large"}.get(
        status, "refused"
    )
    detail = str(error.detail)
    if status == 404:
        detail = f"There is no route {path}: /api/v1/docs lists them."
    elif status == 405:
        headers["Allow"] = ", ".join(_methods_of(request))
        detail = f"{path} does not take {request.method}; it takes {headers['Allow']}."
    return ProblemReply((status, problem(status, code, detail, path), headers))


def _methods_of(request: Request) -> list[str]:
    """All that the path takes; the framework names those of the first route only."""
    routes = request.app.router.routes
    path = {name: request.scope[name] for name in ("type", "path", "root_path", "headers")}
    return [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**path, "method": method})[0] is Match.FULL for route in routes)
    ]


async def on_fault(request: Request, error: Exception) -> Response:
    """The handler of everything else."""
    return ProblemReply(of_fault(error, request.url.path))


def from_validation_errors(errors: Any) -> InvalidInput:  # Any: pydantic's list of dicts
    """Each fault with its dotted field."""
    found: dict[str, list[str]] = {}
    for error in errors:
        said = found.setdefault(_field_of(error["loc"]), [])
        said.append(_message_of(error["type"], error["msg"]))
    faults = tuple(
        FieldFault(field, _OBJECT_OR_LIST if said == [_OBJECT, _LIST] else said[0])
        for field, said in found.items()
    )
    detail = "; ".join(f"{fault.field}: {fault.message}" for fault in faults[:10])
    return InvalidInput(detail, *faults)


def _field_of(location: tuple[object, ...]) -> str:
    parts = [str(part) for part in location if part not in _KINDS]
    if parts and parts[0] in ("body", "query", "path", "header"):
        parts = parts[1:]
    return ".".join(parts) or "body"


def _message_of(type_: str, message: str) -> str:
    if type_ == "extra_forbidden":
        return "is not a field of this request"
    if type_ in ("dict_type", "model_attributes_type"):
        return _OBJECT
    if type_ == "list_type":
        return _LIST
    return message.removeprefix("Value error, ")


# What pydantic adds to a field's place where an exception may be amounts or a word.
_KINDS = ("ExceptionFields", "literal['unlimited']", "dict[str,any]", "list[any]")

_OBJECT = "send a JSON object"
_LIST = "send a list"
_OBJECT_OR_LIST = "send a JSON object or a list"
