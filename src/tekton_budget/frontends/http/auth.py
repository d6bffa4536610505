"""Who asks: the key that came with a request, or without keys the user of this machine."""

import asyncio
import ipaddress
import time
from urllib.parse import urlsplit

from starlette.types import Scope

from tekton_budget.domain.caller import LOCAL, Caller
from tekton_budget.domain.errors import BudgetError, Forbidden, Unauthenticated
from tekton_budget.service.keys import KeyVerbs
from tekton_budget.settings import Settings

FRESH_SECONDS = 0.5  # how long a key that was looked up is taken as it was
KNOWN_MAX = 10_000
_PROXY_HEADERS = (b"forwarded", b"via")
_READING = ("GET", "HEAD", "OPTIONS")


class Doorkeeper:
    """Lets requests in: by key, or without one where no key exists and all are on this machine."""

    def __init__(self, keys: KeyVerbs, settings: Settings) -> None:
        self._keys = keys
        self._keyless = is_loopback(settings.host) and not settings.api_require_auth
        self._hosts = {settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)}
        self._pages = frozenset(settings.cors_origins)
        self._known: dict[bytes, tuple[Caller, float]] = {}  # by header
        self._has_keys = (True, 0.0)

    def forget(self) -> None:
        """After a change of keys: look them up again."""
        self._known.clear()
        self._has_keys = (True, 0.0)

    async def admit(self, scope: Scope, headers: dict[bytes, bytes]) -> Caller:
        """Who this request is from; refuses with 401 or 403."""
        given = headers.get(b"x-api-key") or headers.get(b"authorization")
        if given is not None:
            known = self._known.get(given)
            if known is not None and time.monotonic() < known[1]:
                return known[0]
            return await self._looked_up(given, presented_key(headers))
        if await self.needs_key():
            raise Unauthenticated(
                "This server needs a key: send Authorization: Bearer KEY, or X-API-Key: KEY. "
                "An admin makes one by: tekton-budget keys create NAME"
            )
        self._refuse_foreign(scope)
        return LOCAL

    async def caller_of(self, secret: str) -> Caller:
        """Who a key stands for that came otherwise than in a header; refuses with 401."""
        given = b"Bearer " + secret.encode()
        known = self._known.get(given)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        return await self._looked_up(given, secret)

    async def needs_key(self) -> bool:
        """Whether whoever comes without a key is turned away."""
        return not self._keyless or await self._any_keys()

    def refuse_page(self, headers: dict[bytes, bytes]) -> None:
        """Turn away a page of another site, whatever key or method it comes with."""
        origin = headers.get(b"origin")
        if origin is not None and not self._is_page(origin.decode("latin-1")):
            raise Forbidden(
                "Pages of other sites are not served here: name the page in BUDGET_CORS_ORIGINS.",
                code="foreign_origin",
            )

    async def _looked_up(self, given: bytes, secret: str) -> Caller:
        known = self._known.get(given)
        if known is not None:  # one asks again; the others take it as it was for that long
            self._known[given] = (known[0], time.monotonic() + FRESH_SECONDS)
        try:
            caller = await asyncio.to_thread(self._keys.authenticate, secret)
        except BudgetError:
            self._known.pop(given, None)
            raise
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[given] = (caller, time.monotonic() + FRESH_SECONDS)
        return caller

    async def _any_keys(self) -> bool:
        found, until = self._has_keys
        if time.monotonic() >= until:
            found = await asyncio.to_thread(self._keys.has_keys)
            self._has_keys = (found, time.monotonic() + FRESH_SECONDS)
        return found

    def _refuse_foreign(self, scope: Scope) -> None:
        """Without keys only this machine's own programs may ask, not pages or proxies on it."""
        for name, value in scope["headers"]:
            if name in _PROXY_HEADERS or name.startswith(b"x-forwarded-"):
                raise Forbidden(
                    f"The request came through a proxy ({name.decode('latin-1')}). Without keys "
                    "this server serves its own machine only; make a key to open it: "
                    "tekton-budget keys create NAME",
                    code="proxied",
                )
            if name == b"host" and not self._is_own(_host_of(f"//{value.decode('latin-1')}")):
                raise Forbidden(
                    f"Requests for the host {value.decode('latin-1')!r} are refused: without keys "
                    "only localhost is served. Make a key, or set BUDGET_ALLOWED_HOSTS.",
                    code="foreign_host",
                )
            guarded = scope["type"] == "websocket" or scope["method"] not in _READING
            if name == b"origin" and guarded and not self._is_page(value.decode("latin-1")):
                raise Forbidden(
                    "A page of another site may not change anything here, nor listen. Make a key, "
                    "or name the page in BUDGET_CORS_ORIGINS.",
                    code="foreign_origin",
                )

    def _is_page(self, origin: str) -> bool:
        return origin in self._pages or self._is_own(_host_of(origin))

    def _is_own(self, host: str) -> bool:
        return host in self._hosts or is_loopback(host)


def presented_key(headers: dict[bytes, bytes]) -> str:
    """The key in `X-API-Key` or `Authorization: Bearer`."""
    own = headers.get(b"x-api-key")
    if own:
        return own.decode("latin-1").strip()
    scheme, _, secret = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("Send the key as Authorization: Bearer KEY, or as X-API-Key: KEY.")
    return secret.strip()


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine only."""
    if host.lower() in ("localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
