"""A hold: what was granted to one call, to be settled inside its `with` block."""

import functools
from collections.abc import Awaitable, Callable, Generator, Mapping
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

from tekton_budget.face import ledger
from tekton_budget.face.answers import Grant, PolicyLeft, Quantity, Recorded, Settled
from tekton_budget.face.refusals import AllocationNotSettled
from tekton_budget.face.request import Async, Request, Sync, given, new_id, verb

P = ParamSpec("P")
R = TypeVar("R")
Amount = Decimal | int | str | float


class HoldVerb(Generic[P]):
    """A method that describes an ask: a `Hold` on `Sync`, a `PendingHold` on `Async`."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Request[Grant]]) -> None:
        self.describe = describe
        functools.update_wrapper(cast("Callable[..., Any]", self), describe)

    @overload
    def __get__(self, face: None, kind: type) -> Self: ...
    @overload
    def __get__(self, face: Sync, kind: type) -> "Callable[P, Hold]": ...
    @overload
    def __get__(self, face: Async, kind: type) -> "Callable[P, PendingHold]": ...
    def __get__(self, face: Sync | Async | None, kind: type) -> Any:
        if face is None:
            return self

        @functools.wraps(self.describe)
        def called(*args: P.args, **kwargs: P.kwargs) -> "Hold | PendingHold":
            request = self.describe(face, *args, **kwargs)
            if isinstance(face, Async):
                return PendingHold(face, request)
            return Hold(face, face.send(request))

        return called


class HoldVerbs:
    """What was granted, and the verbs that end or move it."""

    def __init__(self, grant: Grant) -> None:
        self.grant = grant
        self._ended = grant.dry_run
        self._record_id = new_id()
        self._expires_at = grant.expires_at
        self._granted = grant.granted
        self._max_output_tokens = grant.max_output_tokens

    @property
    def allocation_id(self) -> str:
        """By which it can be settled from anywhere."""
        return self.grant.allocation_id

    @property
    def parent_id(self) -> str | None:
        """Of the allocation that it is a part of."""
        return self.grant.parent_id

    @property
    def max_output_tokens(self) -> int | None:
        """What the model may be allowed to write: as asked, or less if the ask was clamped."""
        return self._max_output_tokens

    @property
    def granted(self) -> Quantity:
        """All that it may use."""
        return self._granted

    @property
    def expires_at(self) -> datetime:
        """When time ends it, unless it is extended."""
        return self._expires_at

    @property
    def decision(self) -> str:
        """`allow`, `warn` or `downgrade`."""
        return self.grant.decision

    @property
    def landing(self) -> bool:
        """Whether a policy is down to what it keeps for the end: finish now."""
        return self.grant.landing

    @property
    def policies(self) -> tuple[PolicyLeft, ...]:
        """Every policy that concerns the call, and what is left of it."""
        return self.grant.policies

    @property
    def is_open(self) -> bool:
        """Whether it was neither settled nor released here."""
        return not self._ended

    @verb
    def settle(
        self,
        response: object = ledger.UNSAID,
        *,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cache_read_tokens: int = 0,
        cache_write_tokens: int = 0,
        reasoning_tokens: int = 0,
        tokens: int = 0,
        cost: Amount | None = None,
        model_used: str | None = None,
        provider_used: str | None = None,
        estimated: bool = False,
        operation_id: str | None = None,
        request_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        api: str | None = None,
        context: Mapping[str, Any] | None = None,
        cascade: bool = False,
    ) -> Request[Settled]:
        """Say what the call really used; the rest of the hold is free again.

        One with active children is refused (`children_active`), unless `cascade` ends them with it.

        `response` is the provider's own answer (an SDK's object or its JSON), or the chunks of its
        stream: everything is read of it. If nothing can be, the whole hold is charged as an
        estimate, and `usage_error` of the answer says why.
        """
        used = ledger.used_fields(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=cache_read_tokens,
            cache_write_tokens=cache_write_tokens,
            reasoning_tokens=reasoning_tokens,
            tokens=tokens,
            cost=cost,
            model_used=model_used,
            provider_used=provider_used,
            estimated=estimated,
            operation_id=operation_id,
            request_id=request_id,
            metadata=metadata,
            response=response,
            api=api,
            context=context,
        )
        id_, record_id = self.allocation_id, self._record_id
        return ledger.settle(id_, used, labels, record_id, self._end, cascade=cascade)

    @verb
    def release(self, *, cascade: bool = False) -> Request[Settled]:
        """Give back all that it still holds: nothing was used, or all of it was recorded.

        With `cascade` its active children are given back with it.
        """
        return ledger.release(self.allocation_id, self._end, cascade=cascade)

    @HoldVerb
    def child(
        self,
        *,
        model: str | None = None,
        provider: str | None = None,
        input_tokens: int | None = None,
        max_output_tokens: int | None = None,
        tokens: int | None = None,
        cost: Amount | None = None,
        requests: int | None = None,
        labels: Mapping[str, str] | None = None,
        fit: str | None = None,
        min_grant: int | None = None,
        priority: int | None = None,
        lifetime_seconds: int | None = None,
        expires_at: datetime | str | None = None,
        on_expiry: str | None = None,
        wait_seconds: float = 0,
        dry_run: bool = False,
        allocation_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        units: Mapping[str, int] | None = None,
        context: Mapping[str, Any] | None = None,
        cache_write: str | None = None,
    ) -> Request[Grant]:
        """A part of this hold, for someone who works for it, as a hold of its own.

        It has this one's labels and may add some; what it leaves returns here. It ends at the
        latest with this one. `BudgetExceeded` if so much is not free here.
        """
        return ledger.ask(
            parent_id=self.allocation_id,
            allocation_id=allocation_id,
            labels={**(labels or {}), **given(model=model, provider=provider)},
            input_tokens=input_tokens,
            max_output_tokens=max_output_tokens,
            tokens=tokens,
            cost=cost,
            requests=requests,
            fit=fit,
            min_grant=min_grant,
            priority=priority,
            lifetime_seconds=lifetime_seconds,
            expires_at=expires_at,
            on_expiry=on_expiry,
            wait_seconds=wait_seconds,
            dry_run=dry_run,
            metadata=metadata,
            units=units,
            context=context,
            cache_write=cache_write,
        )

    @verb
    def extend(
        self,
        lifetime_seconds: int | None = None,
        *,
        max_output_tokens: int | None = None,
        tokens: int | None = None,
        cost: Amount | None = None,
        fit: str | None = None,
        min_grant: int | None = None,
    ) -> Request[Settled]:
        """Move its expiry to so long from now, or let it use more, or both.

        `max_output_tokens`, `tokens` or `cost`, whichever the ask stated, is the new total. Where
        there is no room `BudgetExceeded` is raised and the hold stays as it is; `fit="clamp"` takes
        what there is, if that is at least `min_grant` more.
        """
        return ledger.extend(
            self.allocation_id,
            lifetime_seconds,
            self._moved,
            max_output_tokens=max_output_tokens,
            tokens=tokens,
            cost=ledger.exact(cost),
            fit=fit,
            min_grant=min_grant,
        )

    @verb
    def record(
        self,
        response: object = ledger.UNSAID,
        *,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cache_read_tokens: int = 0,
        cache_write_tokens: int = 0,
        reasoning_tokens: int = 0,
        tokens: int = 0,
        cost: Amount | None = None,
        model_used: str | None = None,
        provider_used: str | None = None,
        estimated: bool = False,
        operation_id: str | None = None,
        request_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        record_id: str | None = None,
        api: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Request[Recorded]:
        """Post a part of the usage and keep the hold: one more step of a longer call."""
        used = ledger.used_fields(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=cache_read_tokens,
            cache_write_tokens=cache_write_tokens,
            reasoning_tokens=reasoning_tokens,
            tokens=tokens,
            cost=cost,
            model_used=model_used,
            provider_used=provider_used,
            estimated=estimated,
            operation_id=operation_id,
            request_id=request_id,
            metadata=metadata,
            response=response,
            api=api,
            context=context,
        )
        return ledger.record(
            used, labels=labels, allocation_id=self.allocation_id, record_id=record_id
        )

    def _end(self, settled: Settled) -> Settled:
        self._ended = True
        return settled

    def _moved(self, settled: Settled) -> Settled:
        self._expires_at = settled.expires_at or self._expires_at
        if settled.granted is not None:
            self._granted, self._max_output_tokens = settled.granted, settled.max_output_tokens
        return settled

    def _leave(self, error: BaseException | None) -> None:
        """By an exception the hold stays, to end by its `on_expiry`: the call may have used it."""
        if error is None and not self._ended:
            raise AllocationNotSettled(self.allocation_id, self.expires_at)

    def __repr__(self) -> str:
        state = "open" if self.is_open else "ended"
        return f"<{type(self).__name__} {self.allocation_id} {state} {self.granted}>"


class Hold(HoldVerbs, Sync):
    """A grant in a `with` block that must be settled or released before it is left."""

    def __init__(self, budget: Sync, grant: Grant) -> None:
        super().__init__(grant)
        self._budget = budget

    def send(self, request: Request[R]) -> R:
        """By the way its budget sends."""
        return self._budget.send(request)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave(error)


class AsyncHold(HoldVerbs, Async):
    """The same in an `async with` block; its verbs are awaited."""

    def __init__(self, budget: Async, grant: Grant) -> None:
        super().__init__(grant)
        self._budget = budget

    async def send(self, request: Request[R]) -> R:
        """By the way its budget sends."""
        return await self._budget.send(request)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave(error)


class PendingHold(Awaitable[AsyncHold]):
    """What `AsyncBudget.allocate` gives: `await` it, or enter it with `async with`."""

    def __init__(self, budget: Async, request: Request[Grant]) -> None:
        self._budget = budget
        self._request = request
        self._hold: AsyncHold | None = None

    def __await__(self) -> Generator[Any, None, AsyncHold]:
        return self._opened().__await__()

    async def __aenter__(self) -> AsyncHold:
        self._hold = await self._opened()
        return self._hold

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._hold is not None, "entered before it is left"
        await self._hold.__aexit__(kind, error, trace)

    async def _opened(self) -> AsyncHold:
        return AsyncHold(self._budget, await self._budget.send(self._request))
