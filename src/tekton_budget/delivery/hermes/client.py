"""Speaking to Hermes over HTTP: bounded in time and size, in whichever layout it has its routes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from tekton_budget.delivery.hermes import wire
from tekton_budget.delivery.hermes.answers import (
    Away,
    Expired,
    Listed,
    Offered,
    Registered,
    Strange,
    Taken,
)
from tekton_budget.delivery.hermes.profile import Profile

if TYPE_CHECKING:
    import httpx

LAYOUTS = ("/api", "")  # the second with newer versions of Hermes's own framework
ANSWER_BYTES_MAX = 8 << 20
TOKEN_HEADER = "X-Authentication-Token"  # noqa: S105  (a header's name)
_NO_SUCH_PATH = "Not Found"  # FastAPI's word; of a thing that is not there Hermes says which


class Unanswered(Exception):
    """No answer, or none in time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `value` is its JSON, or `None` where it is none. `at`: when, by Hermes's clock."""

    status: int
    value: Any  # Any: JSON
    text: str
    at: float | None

    @property
    def is_no_path(self) -> bool:
        """Whether this layout does not have the route."""
        known = isinstance(self.value, dict) and self.value.get("detail") != _NO_SUCH_PATH
        return self.status == 404 and not known

    def error(self, what: str) -> str:
        """The answer as an error in a line."""
        return f"{what}: HTTP {self.status} {wire.detail_of(self.value, self.text)}".rstrip()


class HermesClient:
    """One Hermes. `layout` is where it was found, and looked for anew when it is not there."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self.url = url.rstrip("/").removesuffix("/api")
        self.layout: str | None = None
        self._timeout_seconds = timeout_seconds
        self._http: httpx.AsyncClient | None = None

    async def register(self, profile: Profile) -> Registered | Strange | Away:
        """Tell where we are; again under the same id overwrites."""
        try:
            reply = await self._ask("POST", "/register", body=wire.to_register(profile))
            if reply.status != 200:
                return Strange(reply.error("registration refused"))
            return wire.from_register(reply.value, profile.component_id)
        except wire.Unreadable as error:
            return Strange(str(error))
        except Unanswered as error:
            return Away(str(error))

    async def beat(
        self, component_id: str, token: str, status: Mapping[str, Any]
    ) -> Taken | Expired | Strange | Away:
        """Tell that we live, and how."""
        body = wire.to_heartbeat(component_id, status)
        try:
            reply = await self._ask("POST", "/heartbeat", body=body, token=token)
        except Unanswered as error:
            return Away(str(error))
        if reply.status == 401:
            return Expired(reply.error("heartbeat refused"))
        if reply.status != 200 or not _is_success(reply.value):
            return Strange(reply.error("heartbeat not taken"))
        return Taken()

    async def look(self, profile: Profile, component_id: str, at: float) -> Listed | Strange | Away:
        """Whether its listing has us by this id; `at` is our time, if it does not say its own."""
        try:
            reply = await self._ask("GET", "/components")
            if reply.status != 200:
                return Strange(reply.error("no listing"))
            now = at if reply.at is None else reply.at
            return wire.from_listing(reply.value, profile, component_id, now)
        except wire.Unreadable as error:
            return Strange(str(error))
        except Unanswered as error:
            return Away(str(error))

    async def offer(self, profile: Profile) -> Offered | Strange | Away:
        """See to it that each of our tools is in its registry, once, as it is now."""
        try:
            reply = await self._ask("GET", "/mcp/v2/tools")
            if reply.status != 200:
                return Strange(reply.error("no listing of tools"))
            changes = wire.tool_changes(reply.value, profile)
            for tool_id in changes.removed:
                await self._remove(tool_id)
            for body in changes.added:
                reply = await self._ask("POST", "/mcp/v2/tools", body=body)
                if reply.status != 200 or not _is_success(reply.value):
                    return Strange(reply.error(f"tool {body['name']} refused"))
        except wire.Unreadable as error:
            return Strange(str(error))
        except Unanswered as error:
            return Away(str(error))
        return Offered(len(profile.tools))

    async def leave(self, component_id: str, token: str) -> Taken | Expired | Strange | Away:
        """Have the entry taken out. The id goes into the query; in a body it is not read."""
        path = f"/unregister?component_id={quote(component_id, safe='')}"
        try:
            reply = await self._ask("POST", path, token=token)
        except Unanswered as error:
            return Away(str(error))
        if reply.status == 401:
            return Expired(reply.error("not unregistered"))
        return Taken() if reply.status == 200 else Strange(reply.error("not unregistered"))

    async def withdraw(self, profile: Profile) -> None:
        """Take our tools out, as far as it listens."""
        try:
            for body in wire.tool_bodies(profile):
                await self._remove(body["id"])
        except Unanswered:
            return

    async def close(self) -> None:
        """Let go of the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _remove(self, tool_id: str) -> None:
        await self._ask("DELETE", f"/mcp/v2/tools/{quote(tool_id, safe='')}")

    async def _ask(
        self, method: str, path: str, *, body: object = None, token: str | None = None
    ) -> Reply:
        """One question, in the layout that is known, else in whichever answers."""
        first = self.layout if self.layout is not None else LAYOUTS[0]
        for layout in (first, *(one for one in LAYOUTS if one != first)):
            reply = await self._sent(method, self.url + layout + path, body, token)
            if not reply.is_no_path:
                self.layout = layout
                return reply
        self.layout = None
        return reply

    async def _sent(self, method: str, url: str, body: object, token: str | None) -> Reply:
        import httpx  # takes four tenths of a second: in this thread, and only if there is a Hermes

        if self._http is None:
            # A proxy from the environment is for the way out, not for the neighbour.
            self._http = httpx.AsyncClient(timeout=self._timeout_seconds, trust_env=False)
        headers = {} if token is None else {TOKEN_HEADER: token}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),  # drops of an answer restart httpx's own
                self._http.stream(method, url, content=content, headers=headers) as response,
            ):
                return await _read(response)
        except TimeoutError as error:
            raise Unanswered(f"no answer within {self._timeout_seconds:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise Unanswered(str(error) or type(error).__name__) from error


async def _read(response: "httpx.Response") -> Reply:
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > ANSWER_BYTES_MAX:
            raise Unanswered(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    text = content[:1000].decode("utf-8", "replace")
    return Reply(response.status_code, value, text, _date(response.headers.get("date")))


def _date(text: str | None) -> float | None:
    try:
        return None if text is None else parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None


def _is_success(value: object) -> bool:
    return isinstance(value, dict) and value.get("success") is True
