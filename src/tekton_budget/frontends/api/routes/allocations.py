"""Allocations: asked for, settled, released, extended, and found again."""

from fastapi import Request
from fastapi.responses import Response

from tekton_budget.frontends.api import answers, spending
from tekton_budget.frontends.api.asking import Asker, IdempotencyKey, Verbs
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.hot import HotRoutes
from tekton_budget.frontends.api.wire import Reply

router = exact_router("/allocations")


async def _hot(request: Request) -> Response:
    """The same answer as the edge gives, where a request comes around it."""
    hot: HotRoutes = request.app.state.hot
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


@router.post("", status_code=201)
async def allocate(request: Request) -> Response:
    """May this call be made? 201 holds what it may use; 402 says what to do instead."""
    return await _hot(request)


@router.post("/{allocation_id}/settle")
async def settle(allocation_id: str, request: Request) -> Response:
    """End an allocation with what was really used; the rest is free again."""
    del allocation_id  # the edge reads it from the path
    return await _hot(request)


@router.post("/{allocation_id}/release")
async def release(allocation_id: str, asker: Asker, verbs: Verbs) -> Reply:
    """Give back all that an allocation still holds."""
    return Reply(answers.to_api_ended(await verbs.ledger.release(asker, allocation_id)))


@router.post("/{allocation_id}/extend")
async def extend(
    allocation_id: str,
    body: spending.ExtendBody,
    asker: Asker,
    verbs: Verbs,
    key: IdempotencyKey = None,
) -> Reply:
    """Let an allocation live so many seconds from now."""
    request = spending.extend_of(body, allocation_id, key)
    ticket = verbs.ledger.extend(asker, allocation_id, request.lifetime_seconds, request.id)
    return Reply(answers.to_api_ended(await ticket))
