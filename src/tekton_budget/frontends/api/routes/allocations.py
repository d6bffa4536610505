"""Allocations: asked for, settled, released, extended, and found again."""

from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import TypeAdapter

from tekton_budget.domain.answer import Denial
from tekton_budget.frontends.api import problems
from tekton_budget.frontends.api.asking import Asker, IdempotencyKey, Pages, Verbs
from tekton_budget.frontends.api.bodies import answers, spending
from tekton_budget.frontends.api.bodies.filters import labels_of
from tekton_budget.frontends.api.bodies.spending_bodies import (
    AllocationOut,
    EndedOut,
    GrantOut,
    ReleasedOut,
)
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.edge import HotHandlers
from tekton_budget.frontends.api.paging import listed
from tekton_budget.frontends.api.schemas import DenialOut, PageOut, TierText
from tekton_budget.frontends.http.wire import Reply
from tekton_budget.service.reporting.lists import AllocationQuery

router = exact_router("/allocations")

Text = Annotated[str | None, Query(max_length=256)]


def _declared(adapter: TypeAdapter[Any]) -> dict[str, Any]:  # Any: JSON of OpenAPI
    """The body of a hot route for the document: nobody else reads it."""
    schema = adapter.json_schema(mode="validation")
    parameter = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "pattern": spending.ID_PATTERN},
        "description": "Your id of this request: the same again gets the first answer",
    }
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"content": content}, "parameters": [parameter]}


@router.post(
    "",
    status_code=201,
    response_model=GrantOut,
    responses={
        402: {
            "model": DenialOut,
            "description": "Over budget: what stands in the way, and what would be possible",
        }
    },
    openapi_extra=_declared(spending.ASK),
)
async def allocate(request: Request) -> Response:
    """May this call be made? 201 holds what it may use; 402 says what to do instead.

    Send labels (`team`, `user`, `model`, …) as fields or in `labels`, and an amount: `cost`, or
    `tokens`, or `input_tokens` with `max_output_tokens` of a `model`. `dry_run: true` answers as
    the real ask would, and holds nothing. `wait_seconds` waits until it fits.
    """
    return await _hot(request)


@router.post(
    "/{allocation_id}/children",
    status_code=201,
    response_model=GrantOut,
    responses={
        402: {
            "model": DenialOut,
            "description": "More than the parent has free, or than a policy of the child's has",
        }
    },
    openapi_extra=_declared(spending.ASK),
)
async def allocate_child(allocation_id: str, request: Request) -> Response:
    """A part of an allocation, for someone who works for it: the same as an ask with `parent_id`.

    It has its parent's labels and may add some; what it leaves returns to its parent.
    """
    del allocation_id  # the edge reads it from the path
    return await _hot(request)


@router.post(
    "/{allocation_id}/settle", response_model=EndedOut, openapi_extra=_declared(spending.SETTLE)
)
async def settle(allocation_id: str, request: Request) -> Response:
    """End an allocation with what was really used; the rest is free again."""
    del allocation_id  # the edge reads it from the path
    return await _hot(request)


@router.post("/{allocation_id}/release", response_model=ReleasedOut)
async def release(
    allocation_id: str, asker: Asker, verbs: Verbs, body: spending.ReleaseBody | None = None
) -> Reply:
    """Give back all that an allocation still holds."""
    cascade = bool((body or {}).get("cascade"))
    ticket = verbs.ledger.release(asker, allocation_id, cascade=cascade)
    ended = await ticket
    message = f"Allocation {allocation_id} has been released."
    of_original = {"message": message, "tokens_released": ended.released.tokens}
    return Reply({**answers.to_api_ended(ended), **of_original})


@router.post(
    "/{allocation_id}/extend",
    response_model=EndedOut,
    responses={402: {"model": DenialOut, "description": "Over budget: it stays as it is"}},
)
async def extend(
    allocation_id: str,
    body: spending.ExtendBody,
    asker: Asker,
    verbs: Verbs,
    key: IdempotencyKey = None,
) -> Reply:
    """Let an allocation live so many seconds from now, or use more: up to new totals.

    `max_output_tokens`, `tokens` or `cost`, whichever its ask stated, is the new total and never
    less than what was granted. 402 where there is no room; it then stays active as it was.
    """
    request = spending.extend_of(body, allocation_id, key)
    answer = await verbs.ledger.extend(
        asker,
        allocation_id,
        request.lifetime_seconds,
        max_output_tokens=request.max_output_tokens,
        tokens=request.tokens,
        cost=request.cost,
        fit=request.fit,
        min_grant=request.min_grant,
        id_=request.id,
    )
    if isinstance(answer, Denial):
        path = f"/api/v1/allocations/{allocation_id}/extend"
        return problems.ProblemReply(problems.of_denial(answer, path))
    return Reply(answers.to_api_ended(answer))


@router.get("", response_model=PageOut[AllocationOut])
def list_allocations(
    asker: Asker,
    verbs: Verbs,
    pages: Pages,
    *,
    status: Text = None,
    is_active: Annotated[bool | None, Query()] = None,
    context_id: Text = None,
    component: Text = None,
    tier: Annotated[TierText, Query(max_length=256)] = None,
    provider: Text = None,
    model: Text = None,
    task_type: Text = None,
    team: Text = None,
    user: Text = None,
    budget_id: Text = None,
    key_id: Text = None,
    parent_id: Text = None,
    label: Annotated[
        list[str] | None,
        Query(max_length=40, description="Any label, as name=value; repeatable"),
    ] = None,
) -> Reply:
    """The newest first."""
    labels = labels_of(label or ())
    labels |= {name: one for name, one in (("team", team), ("user", user)) if one is not None}
    query = AllocationQuery(
        status=status,
        is_active=is_active,
        context_id=context_id,
        component=component,
        tier=tier,
        provider=provider,
        model=model,
        task_type=task_type,
        key_id=key_id,
        budget=budget_id,
        parent_id=parent_id,
        labels=labels,
    )
    return Reply(listed(verbs.lists.allocations(asker, query, pages), answers.to_api_allocation))


@router.get("/context/{context_id}", response_model=PageOut[AllocationOut])
def list_allocations_of_context(context_id: str, asker: Asker, verbs: Verbs, pages: Pages) -> Reply:
    """All of one context, the newest first."""
    page = verbs.lists.allocations_of_context(asker, context_id, pages)
    return Reply(listed(page, answers.to_api_allocation))


@router.get("/{allocation_id}", response_model=AllocationOut)
def get_allocation(allocation_id: str, asker: Asker, verbs: Verbs) -> Reply:
    """One, by its id."""
    return Reply(answers.to_api_allocation(verbs.lists.allocation(asker, allocation_id)))


async def _hot(request: Request) -> Response:
    """The same answer as the edge gives, where a request comes around it."""
    hot: HotHandlers = request.app.state.hot
    found = hot.found(request.method, request.url.path)
    assert found is not None, "declared here for the document, answered at the edge"
    handler, _, id_ = found
    headers = dict(request.scope["headers"])
    status, body, own = await handler(
        request.scope["caller"], headers, request.receive, id_, request.url.path
    )
    response = Response(body, status)
    for name, value in own:
        response.headers[name.decode()] = value.decode()
    return response
