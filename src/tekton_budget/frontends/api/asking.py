"""What every route needs to know of a request: who asks, and of which service."""

from typing import Annotated, cast

from fastapi import Depends, Header, Request

from tekton_budget.domain.caller import Caller
from tekton_budget.frontends.api.bodies.spending import ID_PATTERN
from tekton_budget.frontends.api.paging import asked_slice
from tekton_budget.frontends.http.auth import Doorkeeper
from tekton_budget.service import Service
from tekton_budget.service.paging import Slice
from tekton_budget.wiring import Running


def caller_of(request: Request) -> Caller:
    """Who asks; found out before any route is looked for."""
    return cast(Caller, request.scope["caller"])  # a scope is untyped


def running_of(request: Request) -> Running:
    """The running service."""
    return cast(Running, request.app.state.running)  # a state is untyped


def service_of(request: Request) -> Service:
    """The service's verbs."""
    return running_of(request).service


Asker = Annotated[Caller, Depends(caller_of)]
Verbs = Annotated[Service, Depends(service_of)]
Runs = Annotated[Running, Depends(running_of)]
Pages = Annotated[Slice, Depends(asked_slice)]


def doorkeeper_of(request: Request) -> Doorkeeper:
    """Who lets requests in."""
    return cast(Doorkeeper, request.app.state.doorkeeper)  # a state is untyped


Guard = Annotated[Doorkeeper, Depends(doorkeeper_of)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=ID_PATTERN,
        description="Your id of this request: the same again gets the first answer",
    ),
]
