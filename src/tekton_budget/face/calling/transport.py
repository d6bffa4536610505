"""Transports of httpx and httpx2 that lead to a gateway; refusals are answers, as SDKs expect."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Self

from tekton_budget.domain.errors import BudgetError, NotFound
from tekton_budget.face.calling.modules import Module
from tekton_budget.face.calling.redirect import Onward, Redirect

Request = Any  # Any: a Request of httpx or httpx2
Response = Any  # Any: a Response of the same module


class GatewayTransport(ABC):
    """For clients that wait. Safe to share between threads."""

    def __init__(self, http: Module, redirect: Redirect) -> None:
        self.http = http
        self._redirect = redirect

    def handle_request(self, request: Request) -> Response:
        """One call through the gateway."""
        try:
            return self.pass_on(request, self._redirect.of(request))
        except BudgetError as error:
            return refused(self.http, error)

    @abstractmethod
    def pass_on(self, request: Request, onward: Onward) -> Response:
        """Send it there."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what it holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncGatewayTransport(ABC):
    """The same for tasks."""

    def __init__(self, http: Module, redirect: Redirect) -> None:
        self.http = http
        self._redirect = redirect

    async def handle_async_request(self, request: Request) -> Response:
        """One call through the gateway."""
        try:
            return await self.pass_on(request, self._redirect.of(request))
        except BudgetError as error:
            return refused(self.http, error)

    @abstractmethod
    async def pass_on(self, request: Request, onward: Onward) -> Response:
        """Send it there."""

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of what it holds."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


def refused(http: Module, error: BudgetError) -> Response:
    """A refusal of our own, in words that every SDK finds; raised, they would hide it as a fault
    of the connection and try again.
    """
    status, google = (404, "NOT_FOUND") if isinstance(error, NotFound) else (500, "INTERNAL")
    told = {"message": error.detail, "type": error.code, "code": error.code, "status": google}
    headers = {"x-should-retry": "false"}
    return http.Response(status, headers=headers, json={"type": "error", "error": told})
