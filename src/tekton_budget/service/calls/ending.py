"""How calls end: by what the provider told, by what can be proven, or unused."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from tekton_budget.domain.answer import Ended
from tekton_budget.domain.errors import BudgetError, Conflict, Unavailable
from tekton_budget.service.asks import Used
from tekton_budget.service.calls.call import Admitted
from tekton_budget.service.ledger import LedgerVerbs

log = structlog.get_logger(__name__)

EXTEND_SECONDS = 60  # all calls in flight are extended this often
LIFETIME_SECONDS = 120
_RETRY_SECONDS = (0.05, 0.2, 0.5, 1, 2, 5, 10, 10, 10, 10)
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
        return await self._end(admitted, used)

    async def estimated(
        self, admitted: Admitted, *, output_tokens: int, input_tokens: int | None = None
    ) -> Ended | None:
        """By what can be proven, never more than was held."""
        used = Used(
            input_tokens=admitted.input_tokens if input_tokens is None else input_tokens,
            output_tokens=output_tokens,
            estimated=True,
        )
        return await self._end(admitted, used)

    async def released(self, admitted: Admitted) -> None:
        """Unused: the provider refused it, or never had it."""
        self._in_flight.pop(self._key(admitted), None)
        try:
            await self._ledger.release(admitted.call.caller, admitted.grant.allocation_id)
        except BudgetError as error:  # it ends by time then, and is charged
            log.warning("release_failed", allocation=admitted.grant.allocation_id, cause=str(error))

    async def _end(self, admitted: Admitted, used: Used) -> Ended | None:
        """Settle; while the store is away a few times at once, and then on in the background."""
        self._in_flight.pop(self._key(admitted), None)
        work = asyncio.ensure_future(self._settle(admitted, used))
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)
        done, _ = await asyncio.wait((work,), timeout=3)
        return work.result() if done else None

    async def _settle(self, admitted: Admitted, used: Used) -> Ended | None:
        id_ = admitted.grant.allocation_id
        for pause in (*_RETRY_SECONDS, None):
            try:
                return await self._ledger.settle(
                    admitted.call.caller, id_, used, record_id=f"{id_}:usage"
                )
            except Unavailable:
                if pause is None:
                    log.exception("settle_failed", allocation=id_)
                    return None
                await asyncio.sleep(pause)
            except Conflict as error:  # it had expired, was ended elsewhere: the fact is recorded
                log.warning("settled_late", allocation=id_, cause=str(error))
                await self._ledger.record(
                    admitted.call.caller, used, allocation_id=id_, record_id=f"{id_}:late"
                )
                return None
        raise AssertionError("the last try returns")

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
