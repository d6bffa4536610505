"""The two faces of the library: `Budget` for callers that wait, `AsyncBudget` for tasks."""

from types import ModuleType, TracebackType
from typing import Any, Self, TypeVar

from tekton_budget.domain.scope import checked_labels
from tekton_budget.face.calling import Clients, http_module
from tekton_budget.face.request import Async, AsyncTransport, Labels, Request, Sync, Transport
from tekton_budget.face.verbs import Verbs

R = TypeVar("R")


class Budget(Verbs, Sync):
    """The service's verbs over one transport. Safe to share between threads."""

    def __init__(self, transport: Transport, labels: Labels | None = None) -> None:
        super().__init__(labels)
        self.transport = transport
        self._clients = Clients()

    def http_client(
        self, labels: Labels | None = None, *, module: ModuleType | str | None = None
    ) -> Any:  # Any: a Client of httpx2 or httpx
        """A client for a provider's SDK whose every call is held to its limits.

        `OpenAI(http_client=budget.http_client())` and `Anthropic(http_client=…)` need no server and
        no other change: addresses and keys stay the provider's own. `labels` come on top of the
        budget's. `module` (`"httpx2"` or `"httpx"`) says of which library it is; left out, httpx2
        where that is installed, as by today's SDKs. Close it, or the budget.
        """
        http = http_module(module)
        together = checked_labels({**self.labels, **(labels or {})})
        return self._clients.opened(http.Client, self.transport.calls(http, together))

    def send(self, request: Request[R]) -> R:
        """Do what is asked; refusals are raised."""
        return request.read(self.transport.answer(request))

    def close(self) -> None:
        """Let go of connections, or of the database; clients that it gave are closed with it."""
        for client in self._clients.taken():
            client.close()
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncBudget(Verbs, Async):
    """The same verbs, awaited. Safe to share between the tasks of one event loop."""

    def __init__(self, transport: AsyncTransport, labels: Labels | None = None) -> None:
        super().__init__(labels)
        self.transport = transport
        self._clients = Clients()

    def http_client(
        self, labels: Labels | None = None, *, module: ModuleType | str | None = None
    ) -> Any:  # Any: an AsyncClient of httpx2 or httpx
        """A client for a provider's async SDK whose every call is held to its limits.

        `AsyncOpenAI(http_client=budget.http_client())` and `AsyncAnthropic(http_client=…)` need no
        server and no other change: addresses and keys stay the provider's own. `labels` come on top
        of the budget's. `module` (`"httpx2"` or `"httpx"`) says of which library it is; left out,
        httpx2 where that is installed, as by today's SDKs. Close it, or the budget.
        """
        http = http_module(module)
        together = checked_labels({**self.labels, **(labels or {})})
        return self._clients.opened(http.AsyncClient, self.transport.calls(http, together))

    async def send(self, request: Request[R]) -> R:
        """Do what is asked; refusals are raised."""
        return request.read(await self.transport.answer(request))

    async def close(self) -> None:
        """Let go of connections, or of the database; clients that it gave are closed with it."""
        for client in self._clients.taken():
            await client.aclose()
        await self.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
