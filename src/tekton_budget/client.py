"""The HTTP client: the service's verbs over a network that may drop answers, sync and async."""

import asyncio
import ipaddress
import random
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import httpx

from tekton_budget.domain.errors import BudgetError, Unavailable, invalid
from tekton_budget.face import wire
from tekton_budget.face.budget import AsyncBudget, Budget
from tekton_budget.face.calling import (
    Addresses,
    AsyncGatewayTransport,
    GatewayTransport,
    Redirect,
)
from tekton_budget.face.calling.modules import Module
from tekton_budget.face.calling.redirect import Onward
from tekton_budget.face.environment import environment
from tekton_budget.face.request import Labels, Request

PATIENCE_SECONDS = 30.0
PAUSE_FIRST_SECONDS = 0.05
PAUSE_MAX_SECONDS = 5.0
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
CONNECTIONS_MAX = 256
Settings = dict[str, Any]  # Any: what a client of httpx or httpx2 takes
ASK_AGAIN = frozenset({429, 502, 503, 504})


class Client(Budget):
    """The verbs over HTTP, for callers that wait. Safe to share between threads."""

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        labels: Labels | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """`BUDGET_URL`, `BUDGET_KEY`, `BUDGET_LABELS` and `BUDGET_RUN` say what is not given."""
        found = environment()
        address = _Address(url or found.url, key or found.key, patience_seconds)
        super().__init__(HttpTransport(address), {**found.labels, **(labels or {})})
        self.url = address.base


class AsyncClient(AsyncBudget):
    """The verbs over HTTP, awaited. Safe to share between the tasks of one event loop."""

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        labels: Labels | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """`BUDGET_URL`, `BUDGET_KEY`, `BUDGET_LABELS` and `BUDGET_RUN` say what is not given."""
        found = environment()
        address = _Address(url or found.url, key or found.key, patience_seconds)
        super().__init__(AsyncHttpTransport(address), {**found.labels, **(labels or {})})
        self.url = address.base


class _Address:
    """Where the service is, by which key, and how long to try."""

    def __init__(self, url: str | None, key: str | None, patience_seconds: float) -> None:
        if url is None:
            raise invalid("url", "name the server: BUDGET_URL, or Client('http://host:8013')")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise invalid("url", f"{url!r} is no address of a server: http://host:8013")
        base = url.rstrip("/").removesuffix(wire.PREFIX).removesuffix("/api")
        self.base = base
        self.key = key
        self.patience_seconds = patience_seconds
        # A proxy for the outside world would make a call of this machine to itself a foreign one.
        self._trust_env = not _is_loopback(parts.hostname)
        self._scheme = parts.scheme

    def settings(self, http: Module = httpx, *, most: int | None = CONNECTIONS_MAX) -> Settings:
        """How a client of httpx or httpx2 reaches it, by at most so many connections."""
        return {
            "base_url": self.base,
            "trust_env": self._trust_env,
            "verify": _certificates(self._scheme),
            "timeout": http.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            "limits": http.Limits(max_connections=most, max_keepalive_connections=CONNECTIONS_MAX),
        }

    def redirect(self, labels: Labels) -> Redirect:
        """From the addresses of providers to the server's gateway."""
        addresses = Addresses(environment().upstreams)
        return Redirect(addresses, labels, base=self.base, key=self.key)

    def call(self, request: Request[Any]) -> dict[str, Any]:
        """The request in HTTP's words: the same bytes, the same ids, at every attempt."""
        query = wire.query_of(request)
        return {
            "method": request.method,
            "url": wire.path_of(request) + (f"?{query}" if query else ""),
            "content": wire.body_of(request),
            "headers": wire.headers_of(request, self.key),
            "timeout": httpx.Timeout(
                ANSWER_SECONDS + request.wait_seconds, connect=CONNECT_SECONDS
            ),
        }


class HttpTransport:
    """One pool of connections for threads."""

    def __init__(self, address: _Address) -> None:
        self._address = address
        self._http = httpx.Client(**address.settings())
        self._calling: dict[str, Any] = {}  # Any: a Client of httpx or httpx2, by module

    def answer(self, request: Request[Any]) -> Any:
        """Asks again where no answer came or the server could not, under the same id."""
        call = self._address.call(request)
        attempts = Attempts(request, self._address)
        while True:
            try:
                response = self._http.request(**call)
            except httpx.TransportError as error:
                pause = attempts.pause_after_error(error)
            else:
                if response.status_code not in ASK_AGAIN or attempts.are_over(response):
                    return _read(response)
                pause = attempts.pause_after(response)
            time.sleep(pause)

    def calls(self, http: Module, labels: Labels) -> GatewayTransport:
        """The way of providers' clients through the server's gateway."""
        client = self._calling.get(http.__name__)
        if client is None:
            made = http.Client(**self._address.settings(http, most=None))
            client = self._calling.setdefault(http.__name__, made)
        return _Forwarding(http, self._address.redirect(labels), client)

    def close(self) -> None:
        """Close the connections."""
        for client in (self._http, *self._calling.values()):
            client.close()


class AsyncHttpTransport:
    """One pool of connections for tasks."""

    def __init__(self, address: _Address) -> None:
        self._address = address
        self._http = httpx.AsyncClient(**address.settings())
        self._calling: dict[str, Any] = {}  # Any: an AsyncClient of httpx or httpx2, by module

    async def answer(self, request: Request[Any]) -> Any:
        """Asks again where no answer came or the server could not, under the same id."""
        call = self._address.call(request)
        attempts = Attempts(request, self._address)
        while True:
            try:
                response = await self._http.request(**call)
            except httpx.TransportError as error:
                pause = attempts.pause_after_error(error)
            else:
                if response.status_code not in ASK_AGAIN or attempts.are_over(response):
                    return _read(response)
                pause = attempts.pause_after(response)
            await asyncio.sleep(pause)

    def calls(self, http: Module, labels: Labels) -> AsyncGatewayTransport:
        """The way of providers' clients through the server's gateway."""
        client = self._calling.get(http.__name__)
        if client is None:
            made = http.AsyncClient(**self._address.settings(http, most=None))
            client = self._calling[http.__name__] = made
        return _AsyncForwarding(http, self._address.redirect(labels), client)

    async def close(self) -> None:
        """Close the connections."""
        for client in (self._http, *self._calling.values()):
            await client.aclose()


class _Forwarding(GatewayTransport):
    """Calls of providers' clients, over connections to the server's gateway."""

    def __init__(self, http: Module, redirect: Redirect, client: Any) -> None:
        super().__init__(http, redirect)
        self._client = client

    def pass_on(self, request: Any, onward: Onward) -> Any:
        """The same request to the server; its answer as it comes."""
        answer = self._client.send(_forwarded(self.http, request, onward), stream=True)
        return _answered(self.http, answer)

    def close(self) -> None:
        """The connections are the budget's, and closed with it."""


class _AsyncForwarding(AsyncGatewayTransport):
    """The same for tasks."""

    def __init__(self, http: Module, redirect: Redirect, client: Any) -> None:
        super().__init__(http, redirect)
        self._client = client

    async def pass_on(self, request: Any, onward: Onward) -> Any:
        """The same request to the server; its answer as it comes."""
        answer = await self._client.send(_forwarded(self.http, request, onward), stream=True)
        return _answered(self.http, answer)

    async def aclose(self) -> None:
        """The connections are the budget's, and closed with it."""


def _forwarded(http: Module, request: Any, onward: Onward) -> Any:
    timeout = request.extensions.get("timeout")
    return http.Request(
        request.method,
        onward.url,
        headers=onward.headers,
        stream=request.stream,
        extensions={} if timeout is None else {"timeout": timeout},
    )


def _answered(http: Module, answer: Any) -> Any:
    """The answer with its body as it came over the wire, for the client to read."""
    return http.Response(
        answer.status_code,
        headers=answer.headers,
        stream=answer.stream,
        extensions=answer.extensions,
    )


class Attempts:
    """How often one request was tried, and how long to wait before it is tried again."""

    def __init__(self, request: Request[Any], address: _Address) -> None:
        self._request = request
        self._address = address
        self._give_up_at = time.monotonic() + address.patience_seconds + request.wait_seconds
        self._pause_seconds = PAUSE_FIRST_SECONDS

    def are_over(self, response: httpx.Response) -> bool:
        """Whether the next attempt would come too late; then this answer stands."""
        return time.monotonic() + _retry_after(response) > self._give_up_at

    def pause_after(self, response: httpx.Response) -> float:
        """As long as the server asks for, or longer if it goes on."""
        return max(_retry_after(response), self._next_pause())

    def pause_after_error(self, error: httpx.TransportError) -> float:
        """A connection that was refused or broke: raises once patience is over."""
        if isinstance(error, httpx.UnsupportedProtocol):
            raise invalid("url", str(error)) from error
        pause = self._next_pause()
        if time.monotonic() + pause > self._give_up_at:
            raise self._unreachable(error) from error
        return pause

    def _next_pause(self) -> float:
        """Twice as long each time, with dice, so that callers do not come back all at once."""
        pause = self._pause_seconds * random.uniform(0.5, 1)  # noqa: S311  (no secret)
        self._pause_seconds = min(2 * self._pause_seconds, PAUSE_MAX_SECONDS)
        return pause

    def _unreachable(self, error: httpx.TransportError) -> BudgetError:
        body = self._request.body or {}
        id_ = body.get("allocation_id") or body.get("record_id") or self._request.id
        known: dict[str, Any] = {"id": id_} if id_ else {}
        why = str(error) or type(error).__name__
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unavailable(
                f"No server answers at {self._address.base} ({why}). Start one with "
                "`tekton-budget serve`, or unset BUDGET_URL to use your own database.",
                code="unreachable",
                **known,
            )
        return Unavailable(
            f"{self._address.base} did not answer ({why}), so it is not known whether this was "
            "done. Ask again under the same id to learn.",
            code="outcome_unknown",
            **known,
        )


def _read(response: httpx.Response) -> Any:
    return wire.read_answer(
        response.status_code, response.content, response.headers.get("retry-after")
    )


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return min(float(text), PAUSE_MAX_SECONDS) if text.isdigit() else 0


def _certificates(scheme: str) -> ssl.SSLContext | bool:
    """Whom to trust; without TLS nobody, for reading all authorities takes 30 ms of a start."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if scheme == "http" else True


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


__all__ = ["AsyncClient", "Client"]
