"""The gateway: any client's calls, each held to its budgets before it goes upstream."""

import re
import time
from dataclasses import replace
from typing import Any

import msgspec
import structlog
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from tekton_budget.domain.answer import Denial
from tekton_budget.domain.call import Need, read_request
from tekton_budget.domain.errors import BudgetError, Forbidden
from tekton_budget.domain.providers import DEMO, Family
from tekton_budget.domain.run import LAND_NOTE
from tekton_budget.frontends.gateway import counting, passing, streaming, whole
from tekton_budget.frontends.gateway.callers import Callers, with_user
from tekton_budget.frontends.gateway.exchange import Exchange
from tekton_budget.frontends.gateway.refusals import Refusal, of_denial, of_error, told
from tekton_budget.frontends.gateway.replays import Replays
from tekton_budget.frontends.gateway.routes import Route, Routes, Treatment, hidden
from tekton_budget.frontends.gateway.streaming import send_whole
from tekton_budget.frontends.gateway.upstream import (
    Headers,
    Upstream,
    UpstreamAnswer,
    UpstreamRequest,
)
from tekton_budget.frontends.http.receiving import read_body
from tekton_budget.frontends.http.refused import Malformed, NotJson
from tekton_budget.frontends.http.watched import AccessLog, Meter
from tekton_budget.service.calls import Admitted, Call, Calls
from tekton_budget.settings import Settings, Unmetered

BODY_MAX = 64 << 20
log = structlog.get_logger(__name__)
_decode = msgspec.json.Decoder(dict[str, Any]).decode  # Any: JSON
_PLAIN = (b"identity", b"")
_CLAMPS = {b"clamp": True, b"all": False}
_ALT_SSE = re.compile(rb"(?:^|&)(?:\$|%24)?alt=sse(?:&|$)")
_HOLDS = {b"growing": True, b"full": False}


class Gateway:
    """An ASGI application below `/gateway` and `/r`."""

    def __init__(
        self,
        settings: Settings,
        routes: Routes,
        callers: Callers,
        calls: Calls,
        upstream: Upstream,
        demo: Upstream,
        *,
        meter: Meter | None = None,
        access_log: AccessLog | None = None,
    ) -> None:
        self._settings = settings
        self._routes = routes
        self._callers = callers
        self._calls = calls
        self._upstream = upstream
        self._demo = demo
        self._meter = meter
        self._access_log = access_log
        self._replays = Replays()
        self._lets_pass = settings.gateway_unmetered is Unmetered.PASS

    def concerns(self, path: str) -> bool:
        """Whether a path is the gateway's."""
        return self._routes.concerns(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, measured and logged; what goes wrong is told in the API's own shape."""
        begun = time.perf_counter()
        status, template, family = 499, "/gateway", Family.OPENAI
        started = False

        async def watched(message: Any) -> None:  # Any: ASGI's message
            nonlocal started
            started = True
            await send(message)

        try:
            try:
                route = self._routes.find(scope["method"], scope["path"])
                template, family = route.template, _spoken(route)
                status = await self._answered(scope, receive, watched, route)
            except BudgetError as error:
                if started:
                    raise
                status = await _refused(watched, of_error(error), family)
            except (ClientDisconnect, ConnectionResetError):
                raise
            except Exception:
                log.exception("gateway_failed", path=hidden(scope["path"]))
                if started:
                    raise
                status = await _refused(watched, _FAULT, family)
        except ClientDisconnect:
            return
        finally:
            seconds = time.perf_counter() - begun
            if self._meter is not None:
                self._meter(scope["method"], template, status, seconds)
            if self._access_log is not None:
                scope["raw_path"] = hidden(scope["path"]).encode()
                self._access_log(scope, status, seconds)

    async def decline(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A WebSocket: 426, by which clients that try one first go on by HTTP at once."""
        await receive()  # that it wants to connect
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close"})
            return
        status, body, headers = told(_NO_WEBSOCKETS, Family.OPENAI)
        start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
        await send(start)
        await send({"type": "websocket.http.response.body", "body": body})

    async def _answered(self, scope: Scope, receive: Receive, send: Send, route: Route) -> int:
        headers = dict(scope["headers"])
        if headers.get(b"upgrade", b"").lower() == b"websocket":  # the server knows none
            return await _refused(send, _NO_WEBSOCKETS, _spoken(route))
        admission = await self._callers.admit(scope, headers, route)
        scope["caller"] = admission.caller
        exchange = Exchange(
            route=route,
            admission=admission,
            headers=scope["headers"],
            query=scope["query_string"],
            raw=await read_body(headers, receive, BODY_MAX),
            body={},
            receive=receive,
            send=send,
        )
        if route.treatment is not Treatment.METERED:
            if route.treatment is Treatment.UNMETERED:
                self._let_pass(route)
            return await passing.passed(exchange, scope["method"], self._sender(route))
        return await self._metered(exchange, headers)

    async def _metered(self, exchange: Exchange, headers: dict[bytes, bytes]) -> int:
        need = self._read(exchange)
        if need.stream:
            admitted = await self._admitted(exchange, headers, need)
            if isinstance(admitted, Refusal):
                return await _refused(exchange.send, admitted, _spoken(exchange.route))
            sender = self._sender(exchange.route)
            return await streaming.streamed(exchange, admitted, sender, self._calls)
        key = headers.get(b"idempotency-key")
        if key is None:
            answer = await self._whole(exchange, headers, need)
        else:
            who = exchange.admission
            place = who.caller.key_id, who.run_id or "", key
            route = exchange.route
            asked = f"{route.provider.name} {route.path}".encode()
            content = b"\n".join((asked, exchange.query, exchange.raw))
            answer = await self._replays.once(
                place, content, lambda: self._whole(exchange, headers, need)
            )
        await send_whole(exchange.send, answer)
        return answer[0]

    async def _whole(
        self, exchange: Exchange, headers: dict[bytes, bytes], need: Need
    ) -> whole.Answer:
        """The answer to a call that does not stream."""
        admitted = await self._admitted(exchange, headers, need)
        if isinstance(admitted, Refusal):
            return told(admitted, _spoken(exchange.route))
        sender = self._sender(exchange.route)
        return await whole.exchanged(exchange, admitted, sender, self._calls)

    def _read(self, exchange: Exchange) -> Need:
        """What a request needs; refuses what cannot be bounded."""
        route = exchange.route
        try:
            exchange.body = _json(exchange.raw, exchange.headers)
            need = self._need(exchange, route.model)
        except BudgetError:
            self._callers.count(exchange.admission, refused=True)
            raise
        if need.unmetered:
            log.warning("unmetered_fields", provider=route.provider.name, fields=need.unmetered)
        exchange.admission = with_user(exchange.admission, need.user)
        return need

    def _need(self, exchange: Exchange, model: str | None) -> Need:
        """What the request needs of a model; `None`: of the one that its body names."""
        route = exchange.route
        assert route.api is not None, "a metered route has an API"
        return read_request(
            route.api,
            exchange.body,
            model=model,
            stream=_streams(route, exchange.query),
            unmetered=self._lets_pass,
        )

    async def _admitted(
        self, exchange: Exchange, headers: dict[bytes, bytes], need: Need
    ) -> Admitted | Refusal:
        """Whether a call may be made, and how large."""
        admission, route = exchange.admission, exchange.route
        try:
            call = Call(
                caller=replace(admission.caller, in_gateway=True),
                provider=route.provider.seller,
                labels=admission.labels,
                need=need,
                parent_id=admission.parent_id,
                note=admission.run_note if admission.run_id is not None else LAND_NOTE,
                clamps=_choice(headers, b"x-budget-fit", _CLAMPS, default=True),
                grows=_choice(headers, b"x-budget-hold", _HOLDS, default=None),
                count=counting.counter(exchange, need, self._sender(route)),
                need_of=lambda model: self._need(exchange, model),
            )
            admitted = await self._calls.admit(call)
        except BudgetError:
            self._callers.count(admission, refused=True)
            raise
        if isinstance(admitted, Denial):
            self._callers.count(admission, refused=True)
            return of_denial(admitted, status=self._settings.denial_status)
        self._callers.count(admission, clamped=admitted.clamped_from is not None)
        return admitted

    def _let_pass(self, route: Route) -> None:
        if not self._lets_pass:
            raise Forbidden(
                f"{route.path} of {route.provider.name} is not let through: what it costs cannot "
                "be bounded and read, so no limit could hold it. Use a route that is metered (see "
                "docs/how-to/gateway.md), or let such calls pass uncounted by the setting "
                "BUDGET_GATEWAY_UNMETERED=pass.",
                code="route_unmetered",
            )
        log.warning("unmetered_call", provider=route.provider.name, path=route.path)

    def _sender(self, route: Route) -> Any:  # Any: a Sender
        return self._send_demo if route.provider is DEMO else self._upstream.send

    async def _send_demo(self, request: UpstreamRequest) -> UpstreamAnswer:
        return await self._demo.send(request)

    async def close(self) -> None:
        """Write what is still to be written, and let go of the providers."""
        await self._calls.endings.close()
        close = getattr(self._upstream, "close", None)
        if close is not None:
            await close()


_NO_WEBSOCKETS = Refusal(
    426,
    "websockets_unsupported",
    "The budget gateway speaks HTTP: send the same as a POST, with `stream` if it is to stream.",
)
_FAULT = Refusal(
    500,
    "internal_error",
    "Something went wrong in the budget gateway; it is in its log. What was held is charged by "
    "what can be proven.",
)


def _spoken(route: Route) -> Family:
    """In whose shape errors are told: the demo speaks Anthropic's too."""
    if route.api is not None and route.api.value.startswith("anthropic"):
        return Family.ANTHROPIC
    return route.provider.family


def _streams(route: Route, query: bytes) -> bool | None:
    """Whether the path says that frames are wanted: Google streams one JSON array without `alt`.

    Such an array is read whole, so nothing of it could be cut where its hold ends.
    """
    return _ALT_SSE.search(query) is not None if route.stream else route.stream


def _json(raw: bytes, headers: Headers) -> dict[str, Any]:  # Any: JSON
    if any(name == b"content-encoding" and value not in _PLAIN for name, value in headers):
        raise NotJson("Send the body uncompressed.", code="body_compressed")
    try:
        return _decode(raw)
    except msgspec.ValidationError as error:
        raise Malformed("The body must be a JSON object.", code="malformed_json") from error
    except msgspec.DecodeError as error:
        raise Malformed(f"The body is not valid JSON: {error}", code="malformed_json") from error
    except RecursionError as error:
        raise Malformed("The body is nested too deep.", code="malformed_json") from error


def _choice(
    headers: dict[bytes, bytes], name: bytes, words: dict[bytes, bool], *, default: bool | None
) -> Any:  # Any: bool, or None where that is the default
    given = headers.get(name)
    if given is None:
        return default
    found = words.get(given.strip().lower())
    if found is None:
        said = " or ".join(word.decode() for word in words)
        raise Malformed(f"{name.decode()}: send {said}.", code="header_invalid")
    return found


async def _refused(send: Send, refusal: Refusal, family: Family) -> int:
    await send_whole(send, told(refusal, family))
    return refusal.status
