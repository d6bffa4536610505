"""How calls end: by what the provider told, by what can be proven, or unused."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import structlog

from tekton_budget.domain.answer import Ended
from tekton_budget.domain.errors import BudgetError, Conflict, Unavailable
from tekton_budget.service.asking.asks import Used
from tekton_budget.service.asking.ledger import LedgerVerbs
from tekton_budget.service.calls.call import Admitted

log = structlog.get_logger(__name__)

EXTEND_SECONDS = 60  # all calls in flight are extended this often
LIFETIME_SECONDS = 120
AWAITED_SECONDS = 3  # by the client; after that the store may take its time
_RETRY_SECONDS = (0.05, 0.2, 0.5, 1, 2, 5, 10, 10, 10, 10)
E = TypeVar("E")
Response = Mapping[str, Any] | list[Any]  # Any: JSON


class Endings:
    """Ends every call exactly once, however it went; calls in flight are kept alive until then."""

    def __init__(self, ledger: LedgerVerbs) -> None:
        self._ledger = ledger
        self._in_flight: dict[tuple[str, str], Admitted] = {}
        self._keeping: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def in_flight(self) -> int:
        """How many calls are under way in this process."""
        return len(self._in_flight)

    def began(self, admitted: Admitted) -> None:
        """A call goes upstream: what it holds is kept from now on."""
        self._in_flight[self._key(admitted)] = admitted
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.get_running_loop().create_task(self._keep())

    def left(self, admitted: Admitted) -> None:
        """Nobody knows what became of it: it is kept alive no longer."""
        self._in_flight.pop(self._key(admitted), None)

    async def settled(
        self,
        admitted: Admitted,
        response: Response,
        *,
        context: Mapping[str, object],
        estimated: bool = False,
    ) -> Ended | None:
        """By the provider's own word. `None`: the store was away for so long that it goes on."""
        used = Used(
            response=response,
            api=admitted.call.need.api.value,
            context=context,
            estimated=estimated,
        )
        return await self._used(admitted, used)

    async def estimated(
        self, admitted: Admitted, *, output_tokens: int, input_tokens: int | None = None
    ) -> Ended | None:
        """By what can be proven, never more than was held."""
        used = Used(
            input_tokens=admitted.input_tokens if input_tokens is None else input_tokens,
            output_tokens=output_tokens,
            estimated=True,
        )
        return await self._used(admitted, used)

    async def released(self, admitted: Admitted) -> None:
        """Unused: the provider refused it, or never had it."""
        id_ = admitted.grant.allocation_id

        async def release() -> None:
            try:
                await self._ledger.release(admitted.call.caller, id_)
            except Unavailable:
                raise
            except BudgetError as error:  # it was ended elsewhere, or by time
                log.warning("release_failed", allocation=id_, cause=str(error))

        await self._end(admitted, release)

    async def _used(self, admitted: Admitted, used: Used) -> Ended | None:
        id_ = admitted.grant.allocation_id

        async def settle() -> Ended | None:
            caller = admitted.call.caller
            try:
                return await self._ledger.settle(caller, id_, used, record_id=f"{id_}:usage")
            except Conflict as error:  # it had expired, was ended elsewhere: the fact is recorded
                log.warning("settled_late", allocation=id_, cause=str(error))
                await self._ledger.record(caller, used, allocation_id=id_, record_id=f"{id_}:late")
                return None

        return await self._end(admitted, settle)

    async def _end(self, admitted: Admitted, end: Callable[[], Awaitable[E]]) -> E | None:
        """End it, if it takes long in the background: it is done even if whoever asked has gone."""
        self._in_flight.pop(self._key(admitted), None)
        id_ = admitted.grant.allocation_id
        try:  # the rule; a task for it would take as long as all the rest
            async with asyncio.timeout(AWAITED_SECONDS):
                return await end()
        except (Unavailable, TimeoutError):
            work = self._go_on(end, id_)
        except asyncio.CancelledError:
            self._go_on(end, id_)
            raise
        done, _ = await asyncio.wait((work,), timeout=AWAITED_SECONDS)
        return work.result() if done else None

    def _go_on(self, end: Callable[[], Awaitable[E]], id_: str) -> "asyncio.Task[E | None]":
        """In the background; what was done already is not done again."""
        work = asyncio.ensure_future(_patiently(end, id_))
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)
        return work

    async def _keep(self) -> None:
        """One command a minute for all of them."""
        while self._in_flight:
            await asyncio.sleep(EXTEND_SECONDS)
            keys = list(self._in_flight)
            if keys:
                try:
                    await self._ledger.keep_alive(keys, LIFETIME_SECONDS)
                except BudgetError as error:
                    log.warning("keep_alive_failed", calls=len(keys), cause=str(error))

    async def close(self) -> None:
        """Wait for what is still being written."""
        if self._keeping is not None:
            self._keeping.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)

    @staticmethod
    def _key(admitted: Admitted) -> tuple[str, str]:
        return admitted.call.caller.key_id, admitted.grant.allocation_id


async def _patiently(end: Callable[[], Awaitable[E]], id_: str) -> E | None:
    """While the store is away, again and again, less and less often."""
    for pause in _RETRY_SECONDS:
        try:
            return await end()
        except Unavailable:
            await asyncio.sleep(pause)
    try:
        return await end()
    except Unavailable:  # it ends by time then, and is charged
        log.exception("ending_failed", allocation=id_)
        return None
