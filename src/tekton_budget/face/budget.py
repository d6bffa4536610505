"""The two faces of the library: `Budget` for callers that wait, `AsyncBudget` for tasks."""

from types import TracebackType
from typing import Self, TypeVar

from tekton_budget.face.request import Async, AsyncTransport, Labels, Request, Sync, Transport
from tekton_budget.face.verbs import Verbs

R = TypeVar("R")


class Budget(Verbs, Sync):
    """The service's verbs over one transport. Safe to share between threads."""

    def __init__(self, transport: Transport, labels: Labels | None = None) -> None:
        super().__init__(labels)
        self.transport = transport

    def send(self, request: Request[R]) -> R:
        """Do what is asked; refusals are raised."""
        return request.read(self.transport.answer(request))

    def close(self) -> None:
        """Let go of connections, or of the database."""
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

    async def send(self, request: Request[R]) -> R:
        """Do what is asked; refusals are raised."""
        return request.read(await self.transport.answer(request))

    async def close(self) -> None:
        """Let go of connections, or of the database."""
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
