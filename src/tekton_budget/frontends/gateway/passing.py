"""Calls that are passed on as they are: those that cost nothing, and those that are let through."""

from tekton_budget.frontends.gateway.exchange import Exchange, Sender, away
from tekton_budget.frontends.gateway.headers import to_client
from tekton_budget.frontends.gateway.refusals import told
from tekton_budget.frontends.gateway.streaming import send_whole
from tekton_budget.frontends.gateway.upstream import UpstreamAway


async def passed(exchange: Exchange, method: str, sender: Sender) -> int:
    """Both bodies untouched; the status."""
    request = exchange.upstream_request(method, exchange.route.path, exchange.raw)
    family = exchange.route.provider.family
    try:
        answer = await sender(request)
    except UpstreamAway as error:
        refusal = told(away(error, exchange.route), family)
        await send_whole(exchange.send, refusal)
        return refusal[0]
    try:
        headers = to_client(answer.headers)
        start = {"type": "http.response.start", "status": answer.status, "headers": headers}
        await exchange.send(start)
        async for chunk in answer.chunks():
            body = {"type": "http.response.body", "body": chunk, "more_body": True}
            await exchange.send(body)
        await exchange.send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        answer.close()
    return answer.status
