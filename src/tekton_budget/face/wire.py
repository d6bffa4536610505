"""Requests → HTTP's words, and answers back: JSON whose numbers never pass through a float."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from tekton_budget.domain.errors import BudgetError
from tekton_budget.face.refusals import error_from_problem
from tekton_budget.face.request import Request

PREFIX = "/api/v1"

encode = msgspec.json.Encoder(decimal_format="number").encode
decode = msgspec.json.Decoder(float_hook=Decimal).decode


def path_of(request: Request[Any]) -> str:
    """The path with its names in place, whatever characters are in them."""
    named = {name: quote(value, safe="") for name, value in request.named.items()}
    return PREFIX + request.path.format(**named)


def query_of(request: Request[Any]) -> str:
    """The query; truths as `true` and `false`, several values as several parameters."""
    pairs = [
        (name, _query_text(one))
        for name, value in request.query.items()
        for one in (value if isinstance(value, list | tuple) else [value])
    ]
    return urlencode(pairs)


def headers_of(request: Request[Any], key: str | None) -> dict[str, str]:
    """Whose request it is, and under which id."""
    headers = {"accept": "application/json"}
    if request.body is not None:
        headers["content-type"] = "application/json"
    if request.id and request.method == "POST":
        headers["idempotency-key"] = request.id
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    return headers


def body_of(request: Request[Any]) -> bytes:
    """The body, its decimals as numbers with all their digits."""
    return b"" if request.body is None else encode(plain(request.body))


def read_answer(status: int, body: bytes, retry_after: str | None = None) -> Any:
    """The value of a good answer; others are raised as what they stand for."""
    try:
        value = decode(body) if body else None
    except msgspec.DecodeError as error:
        raise BudgetError(
            f"The answer (HTTP {status}) is not JSON. Is BUDGET_URL a Tekton Budget server? It "
            f"begins: {body[:60].decode(errors='replace')!r}",
            code="not_understood",
        ) from error
    if status < 400:
        return with_decimals(value)
    problem = with_decimals(value) if isinstance(value, dict) else {}
    raise error_from_problem(status, problem, retry_after)


def with_decimals(value: Any) -> Any:
    """Money as decimals, whole dollars too, which JSON writes like any whole number."""
    if isinstance(value, list):
        return [with_decimals(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    for name, inner in value.items():
        if isinstance(inner, dict | list):
            if name not in _AS_SENT:
                value[name] = with_decimals(inner)
        elif type(inner) is int and _is_money(name):
            value[name] = Decimal(inner)
    return value


def _is_money(name: str) -> bool:
    return name in _MONEY or name.startswith("cost_") or name.endswith("_cost")


_MONEY = frozenset({"cost", "savings", "input", "output", "cache_read", "cache_write", "request"})
_MONEY |= {"rate", "factor", "billed_by_provider", "difference"}
_AS_SENT = frozenset({"labels", "metadata", "scope", "anchor"})


def _query_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def plain(value: Any) -> Any:
    """Decimals without exponents: `1E+2` is a number, but not every reader's."""
    if isinstance(value, Decimal):
        return msgspec.Raw(f"{value:f}".encode()) if value.is_finite() else str(value)
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value
