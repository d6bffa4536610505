"""Connections to providers over HTTP, kept open."""

import io
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from tekton_budget.frontends.gateway.upstream import (
    Headers,
    UpstreamAnswer,
    UpstreamAway,
    UpstreamRequest,
)

CONNECT_SECONDS = 10
SILENCE_SECONDS = 600  # without a byte, while it thinks or stalls
_AT_ONCE_MAX = 1 << 20
_BREAKS = (aiohttp.ClientError, TimeoutError, OSError)


class _Way(NamedTuple):
    """An address, and the proxy that the environment names for it."""

    url: URL
    proxy: URL | None


def _way(address: str) -> _Way:
    url = URL(address, encoded=True)
    if url.host is None or proxy_bypass(url.host):
        return _Way(url, None)
    proxy = getproxies().get(url.scheme)
    if not proxy or proxy.startswith("https:"):  # as aiohttp does: proxies over TLS are passed by
        return _Way(url, None)
    return _Way(url, URL(proxy))


class Connections:
    """Providers over HTTP. Redirects are not followed: they would carry the key elsewhere."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._ways: dict[str, _Way] = {}

    async def send(self, request: UpstreamRequest) -> UpstreamAnswer:
        """Send, and wait for status and headers."""
        session = self._session or self._opened()
        way = self._ways.get(request.url) or self._known(request.url)
        headers = CIMultiDict(
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
        )
        try:
            response = await session.request(
                request.method,
                way.url,
                data=_payload(request.body),
                headers=headers,
                allow_redirects=False,
                proxy=way.proxy,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise UpstreamAway(str(error), sent=False) from error
        except _BREAKS as error:
            raise _broken(error) from error
        return _Answer(response)

    async def close(self) -> None:
        """Let go of all connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60, ttl_dns_cache=60),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
            ),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # to look for a proxy anew at each call is a third of what it costs
        )
        return self._session

    def _known(self, url: str) -> _Way:
        found = _way(url)
        if len(self._ways) < 1000:
            self._ways[url] = found
        return found


def _broken(error: BaseException) -> UpstreamAway:
    return UpstreamAway(str(error) or type(error).__name__, sent=True)


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    """A body as aiohttp sends it: a large one in pieces, so that others are served meanwhile."""
    if len(body) > _AT_ONCE_MAX:
        return io.BytesIO(body)
    return body or None


class _Answer:
    """aiohttp's response."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Headers = [(name.lower(), value) for name, value in response.raw_headers]

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except _BREAKS as error:
            raise _broken(error) from error

    async def whole(self) -> bytes:
        """All of the body."""
        try:
            return await self._response.read()
        except _BREAKS as error:
            raise _broken(error) from error

    def close(self) -> None:
        """An answer that was read to its end gives its connection back, others end theirs."""
        self._response.close()
