"""Upstream: where calls go, whoever answers them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tekton_budget.frontends.gateway.connections import Connections

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """What is sent to a provider."""

    method: str
    url: str
    headers: Headers = field(default_factory=list)
    body: bytes = b""


class UpstreamAway(Exception):
    """The provider could not be reached, or went away. `sent`: it may have had the request."""

    def __init__(self, cause: str, *, sent: bool) -> None:
        super().__init__(cause)
        self.sent = sent


class UpstreamAnswer(Protocol):
    """A provider's answer, its body still to come."""

    status: int
    headers: Headers

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; raises `UpstreamAway` where it breaks off."""

    async def whole(self) -> bytes:
        """All of the body."""

    def close(self) -> None:
        """Let go; what has not yet come is cancelled."""


class Upstream(Protocol):
    """Whoever answers calls: a provider over HTTP, or one that is built in."""

    async def send(self, request: UpstreamRequest) -> UpstreamAnswer:
        """Send, and wait for status and headers; raises `UpstreamAway`."""


class OverHttp:
    """Providers over HTTP; what speaks it is loaded with the first call, not at each start."""

    def __init__(self) -> None:
        self._connections: Connections | None = None

    async def send(self, request: UpstreamRequest) -> UpstreamAnswer:
        """Send, and wait for status and headers."""
        if self._connections is None:
            from tekton_budget.frontends.gateway.connections import Connections

            self._connections = Connections()
        return await self._connections.send(request)

    async def close(self) -> None:
        """Let go of all connections."""
        if self._connections is not None:
            await self._connections.close()
