"""A request's body: of bounded size, JSON, its numbers exact and its names in snake_case."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from urllib.parse import urlencode

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIRouter
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from tekton_budget.domain.errors import BudgetError, FieldFault, InvalidInput
from tekton_budget.frontends.api import problems
from tekton_budget.frontends.http import wire
from tekton_budget.frontends.http.receiving import read_body
from tekton_budget.frontends.http.refused import NotJson
from tekton_budget.service.importing.imports import may_move

BODY_MAX = 1 << 20
BATCH_BODY_MAX = 8 << 20
STORE_BODY_MAX = 256 << 20  # another program's whole store: some 500,000 records


def json_of(headers: dict[bytes, bytes], body: bytes) -> Any:  # Any: JSON
    """The body as JSON with names in snake_case; an empty one is an empty object."""
    return wire.in_snake_case(sent_json(headers, body))


def sent_json(headers: dict[bytes, bytes], body: bytes) -> Any:  # Any: JSON
    """The body as JSON, its names as they were sent."""
    if not body:
        return {}
    media_type = headers.get(b"content-type")
    if media_type is not None and media_type != b"application/json" and not _is_json(media_type):
        raise NotJson("Send JSON with Content-Type: application/json.", code="json_needed")
    return wire.decode(body)


class ExactRequest(Request):
    """A request whose JSON never passes through a float."""

    body_max = BODY_MAX

    async def body(self) -> bytes:
        """The body, bounded."""
        if not hasattr(self, "_bounded"):
            headers = dict(self.scope["headers"])
            try:
                self._bounded = await read_body(headers, self._receive, self.body_max)
                self._parsed = self.read(headers, self._bounded)
            except BudgetError as refusal:
                # FastAPI lets only its own kind of exception through at this place.
                raise Carried(refusal) from refusal
        return self._bounded

    async def json(self) -> Any:  # Any: JSON
        """The body's value."""
        await self.body()
        return self._parsed

    def read(self, headers: dict[bytes, bytes], body: bytes) -> Any:  # Any: JSON
        """What the bytes say."""
        return json_of(headers, body)


class Carried(HTTPException):
    """A refusal on its way through FastAPI's own handling of bodies."""

    def __init__(self, refusal: BudgetError) -> None:
        super().__init__(400, refusal.detail)
        self.refusal = refusal


async def on_carried(request: Request, error: Exception) -> Response:
    """Unpack the refusal."""
    assert isinstance(error, Carried)
    return await problems.on_refusal(request, error.refusal)


class ExactRoute(APIRoute):
    """A route that reads its JSON exactly, and takes no parameter that it does not know."""

    request_class = ExactRequest

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler over our request."""
        inner = super().get_route_handler()
        request_class = self.request_class
        known = frozenset(_parameters_of(self.dependant))
        names = known | frozenset(_names_in_models(self.dependant))

        async def handler(request: Request) -> Response:
            query = request.scope["query_string"]
            if query != query.lower():
                request = Request(_in_snake_case(request, names), request.receive)
            if known:
                _refuse_unknown(request, known)
            return await inner(request_class(request.scope, request.receive))

        return handler


def _parameters_of(dependant: Dependant) -> Iterator[str]:
    """The query's names; none where a model reads them, which says itself what it takes."""
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            yield field.alias
    for below in dependant.dependencies:
        yield from _parameters_of(below)


def _names_in_models(dependant: Dependant) -> Iterator[str]:
    """The names that models read from the query."""
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, inner in annotation.model_fields.items():
                yield inner.alias or name


def _in_snake_case(request: Request, names: frozenset[str]) -> Scope:
    """The scope of a request, with parameters like `startDate` under the names of the route."""
    query = request.query_params
    named = {
        name: snake
        for name in query
        if name not in names and (snake := wire.snake_case(name)) in names
    }
    for snake in named.values():
        if snake in query or list(named.values()).count(snake) > 1:
            raise wire.sent_twice(snake)
    sent = [(named.get(name, name), value) for name, value in query.multi_items()]
    return {**request.scope, "query_string": urlencode(sent).encode()}


def _refuse_unknown(request: Request, known: frozenset[str]) -> None:
    """A filter with a typing error would give everything, as if there were none."""
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        text = f"is not a parameter here; those are {', '.join(sorted(known))}"
        raise InvalidInput(f"{unknown[0]}: {text}", *(FieldFault(one, text) for one in unknown))


def exact_router(prefix: str, route_class: type[ExactRoute] = ExactRoute) -> APIRouter:
    """A router for a noun; `/budgets` is documented under `budgets`."""
    return APIRouter(
        prefix=prefix,
        tags=[prefix.strip("/").split("/")[0]],
        route_class=route_class,
        strict_content_type=False,  # JSON without a Content-Type is JSON
    )


class AsSentRequest(ExactRequest):
    """A request whose body's own names are people's words; those inside are ours."""

    def read(self, headers: dict[bytes, bytes], body: bytes) -> Any:  # Any: JSON
        """What the bytes say."""
        value = sent_json(headers, body)
        if type(value) is not dict:
            return value
        return {name: wire.in_snake_case(inner) for name, inner in value.items()}


class AsSentRoute(ExactRoute):
    """A route for such bodies."""

    request_class = AsSentRequest


class LargeRequest(ExactRequest):
    """A request with many commands in it."""

    body_max = BATCH_BODY_MAX


class LargeRoute(ExactRoute):
    """A route that takes many commands at once."""

    request_class = LargeRequest


class FileRequest(LargeRequest):
    """A request that carries a file: only the names around it are ours."""

    def read(self, headers: dict[bytes, bytes], body: bytes) -> Any:  # Any: JSON
        """What the bytes say."""
        return wire.outer_in_snake_case(sent_json(headers, body))


class FileRoute(ExactRoute):
    """A route that takes a file."""

    request_class = FileRequest


class StoreRequest(FileRequest):
    """A request that carries another program's whole store."""

    body_max = STORE_BODY_MAX


class StoreRoute(ExactRoute):
    """A route that takes a store."""

    request_class = StoreRequest

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The same for keys that may: of others so large a body is not even taken in."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            may_move(request.scope["caller"])
            return await inner(request)

        return handler


def _is_json(media_type: bytes) -> bool:
    essence = media_type.split(b";", 1)[0].strip().lower()
    return essence == b"application/json" or essence.endswith(b"+json")
