"""Holds that grow with a stream: a slice of output ahead of what arrives, as long as there is room.

What arrives is counted in bytes, of which there are never fewer than tokens; so what is held covers
what the provider bills, and a margin what it had on its way when it was told to stop.
"""

import asyncio
import time

from tekton_budget.domain.answer import Ended
from tekton_budget.domain.errors import BudgetError
from tekton_budget.service.asking.ledger import LedgerVerbs
from tekton_budget.service.calls.call import Admitted

AGAIN_SECONDS = 0.02  # after a slice that did not fit: others' holds come back all the time


class Growth:
    """The hold of one stream."""

    def __init__(
        self, ledger: LedgerVerbs, admitted: Admitted, *, slice_tokens: int, margin_tokens: int
    ) -> None:
        need = admitted.call.need
        self.covered = admitted.grant.max_output_tokens or 0  # output tokens held so far
        self._most = (admitted.max_output or 0) * need.answers
        self._ledger = ledger
        self._admitted = admitted
        self._slice = slice_tokens
        self._margin = margin_tokens
        self._asked: asyncio.Task[None] | None = None
        self._again_at = 0.0

    async def carries(self, said: int) -> bool:
        """Whether the hold covers a stream that has said so much, with what is on its way.

        Asks for the next slice in good time; waits for the answer only where it is needed now.
        """
        if self.covered >= self._most:
            return True
        if self.covered - said < self._margin + self._slice // 2:
            self._ask()
        while self._is_short(said) and self._asked is not None:
            await self._asked
            if self._is_short(said):
                self._ask()
        return not self._is_short(said)

    async def to_the_most(self) -> None:
        """Hold all that it may want, as far as there is room: what comes cannot be cut."""
        await self.close()
        await self._grow(self._most)

    async def close(self) -> None:
        """Let the last slice be answered, so that nothing is asked for after the end."""
        if self._asked is not None:
            await self._asked

    def _is_short(self, said: int) -> bool:
        return self.covered < self._most and self.covered - said < self._margin

    def _ask(self) -> None:
        if self._asked is None and time.monotonic() >= self._again_at:
            self._asked = asyncio.get_running_loop().create_task(
                self._grow(self.covered + self._slice)
            )

    async def _grow(self, total: int) -> None:
        try:
            answer = await self._ledger.extend(
                self._admitted.call.caller,
                self._admitted.grant.allocation_id,
                max_output_tokens=max(self.covered, min(self._most, total)),
                fit="clamp",
                min_grant=1,
                quiet=True,
            )
        except BudgetError:  # what cannot be held now is no reason to end before it is needed
            answer = None
        self._asked = None
        if isinstance(answer, Ended) and answer.max_output_tokens is not None:
            self.covered = answer.max_output_tokens
        else:
            self._again_at = time.monotonic() + AGAIN_SECONDS
