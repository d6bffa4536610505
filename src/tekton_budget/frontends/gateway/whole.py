"""Answers that come whole: read, settled, and then handed over."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec

from tekton_budget.domain.call import Api, measured_input
from tekton_budget.frontends.gateway import partial
from tekton_budget.frontends.gateway.exchange import (
    Exchange,
    Sender,
    away,
    context_of,
    granted_headers,
    left_headers,
)
from tekton_budget.frontends.gateway.headers import to_client
from tekton_budget.frontends.gateway.refusals import Refusal, told
from tekton_budget.frontends.gateway.upstream import Headers, UpstreamAnswer, UpstreamAway
from tekton_budget.service.calls import Admitted, Calls

_ERRORS_FROM = 400
REFUSED_FROM = 300  # a redirect has done nothing either, and is not followed
Answer = tuple[int, bytes, Headers]
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_exact = msgspec.json.Decoder(float_hook=Decimal).decode
_BULK = frozenset({"data", "embedding", "embeddings"})  # numbers that are on no bill


async def opened(
    exchange: Exchange, admitted: Admitted, sender: Sender, calls: Calls
) -> UpstreamAnswer | Answer:
    """Send a call: status and headers of the provider's answer, or what is told where it is away.

    From here on it is kept alive; whoever gets an answer ends it, or leaves it to its time.
    """
    endings = calls.endings
    endings.began(admitted)
    try:
        return await sender(exchange.request(admitted))
    except UpstreamAway as error:
        if error.sent:
            await endings.estimated(admitted, output_tokens=0)
        else:
            await endings.released(admitted)
        return told(away(error, exchange.route), exchange.route.provider.family)
    except asyncio.CancelledError:  # the provider may have it: it ends by time, and is charged
        endings.left(admitted)
        raise
    except Exception:  # a fault of ours, so nothing was sent
        await endings.released(admitted)
        raise


async def exchanged(exchange: Exchange, admitted: Admitted, sender: Sender, calls: Calls) -> Answer:
    """The provider's answer with what it cost; settled even if whoever asked has gone."""
    answer = await opened(exchange, admitted, sender, calls)
    if isinstance(answer, tuple):
        return answer
    try:
        return await ended(exchange, admitted, answer, calls)
    finally:
        calls.endings.left(admitted)  # whatever went wrong: it is not kept alive for ever


async def ended(
    exchange: Exchange, admitted: Admitted, answer: UpstreamAnswer, calls: Calls
) -> Answer:
    """The rest of it, once status and headers are there."""
    endings = calls.endings
    try:
        body = await answer.whole()
    except UpstreamAway as error:
        if answer.status < REFUSED_FROM:
            await endings.estimated(admitted, output_tokens=0)
        else:
            await endings.released(admitted)
        return told(away(error, exchange.route), exchange.route.provider.family)
    finally:
        answer.close()
    if answer.status >= REFUSED_FROM:
        await endings.released(admitted)
        if answer.status < _ERRORS_FROM:
            return told(_redirected(answer, exchange), exchange.route.provider.family)
        return answer.status, body, to_client(answer.headers) + granted_headers(admitted)
    api = admitted.call.need.api
    response = read(body, api)
    if response is None:
        most = admitted.grant.max_output_tokens or 0
        output = most if admitted.hides_output else min(most, len(body))
        settled = await endings.estimated(admitted, output_tokens=output)
    else:
        settled = await endings.settled(admitted, response, context=context_of(exchange.body))
        # To digest what was sent takes a while: the answer goes first.
        told_best = response if isinstance(response, dict) else partial.last(api, response)
        counted = measured_input(api, told_best)
        asyncio.get_running_loop().call_soon(calls.learn, admitted, counted)
    headers = to_client(answer.headers) + granted_headers(admitted)
    return answer.status, body, headers + left_headers(admitted, settled)


def _redirected(answer: UpstreamAnswer, exchange: Exchange) -> Refusal:
    """A client that follows a redirect goes around us, with its own key: it is not told where."""
    provider = exchange.route.provider
    place = dict(answer.headers).get(b"location", b"").decode("latin-1")
    return Refusal(
        502,
        "upstream_redirects",
        f"The provider {provider.name} answered {answer.status}: what was asked is not at "
        f"{provider.url}. Nothing was charged. Set BUDGET_UPSTREAM_{provider.name.upper()} to the "
        f"address that it redirects to ({place.partition('?')[0][:200] or 'it names none'}).",
        headers=((b"x-should-retry", b"false"),),
    )


def read(body: bytes, api: Api) -> dict[str, Any] | list[Any] | None:  # Any: JSON
    """The answer as JSON, without what is large and on no bill; `None` if it tells no usage.

    Google streams a JSON array where nobody asked it for events.
    """
    try:
        if api is Api.OPENAI_EMBEDDINGS or api is Api.GEMINI_EMBED:
            raw = _fields(body)
            return {name: _exact(value) for name, value in raw.items() if name not in _BULK}
        found = _exact(body)
    except msgspec.DecodeError:
        return None
    if isinstance(found, list):
        return partial.complete(api, found) if all(isinstance(it, dict) for it in found) else None
    is_told = isinstance(found, dict) and partial.tells_usage(api, found)
    return found if is_told else None
