"""Retries under an idempotency key: the answer that was paid for is given again, not bought again.

Known to this process only, and for a while: a retry that comes elsewhere or later is a call of its
own, and charged as one. So is one whose first try brought nothing that was paid for.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import blake2b

from tekton_budget.domain.errors import Conflict, invalid
from tekton_budget.frontends.gateway.whole import REFUSED_FROM, Answer

KEPT_SECONDS = 600
KEPT_MAX = 1_000
BYTES_MAX = 64 << 20
KEY_MAX = 255
_AGAIN = (b"x-budget-replayed", b"true")
Place = tuple[str, str, bytes]  # the Budget key, the run, and the idempotency key


@dataclass(slots=True)
class _Kept:
    """One call; without an answer while it is under way."""

    digest: bytes
    done: asyncio.Event = field(default_factory=asyncio.Event)
    answer: Answer | None = None
    until: float = 0.0

    @property
    def size(self) -> int:
        return 0 if self.answer is None else len(self.answer[1])


class Replays:
    """Answers by idempotency key, the oldest forgotten first."""

    def __init__(self) -> None:
        self._under_way: dict[Place, _Kept] = {}
        self._ended: OrderedDict[Place, _Kept] = OrderedDict()
        self._bytes = 0

    async def once(
        self, place: Place, content: bytes, call: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """The answer of `call`, or that of the same call before; 409 where that was another."""
        if not 0 < len(place[2]) <= KEY_MAX:
            raise invalid(
                "Idempotency-Key", f"send 1 to {KEY_MAX} characters", code="header_invalid"
            )
        digest = blake2b(content, digest_size=16).digest()
        while (first := self._found(place)) is not None:
            if first.digest != digest:
                raise Conflict(
                    "This Idempotency-Key was sent with another request before: use a new key for "
                    "a new call, and the same body for a retry.",
                    code="idempotency_mismatch",
                )
            await first.done.wait()
            if first.answer is not None:
                status, body, headers = first.answer
                return status, body, [*headers, _AGAIN]
        kept = self._under_way[place] = _Kept(digest)
        try:
            answer = await call()
            if answer[0] < REFUSED_FROM:
                self._keep(place, kept, answer)
            return answer
        finally:
            del self._under_way[place]
            kept.done.set()

    def _found(self, place: Place) -> _Kept | None:
        found = self._ended.get(place)
        if found is not None and found.until < time.monotonic():
            self._forget(place)
            found = None
        return found or self._under_way.get(place)

    def _keep(self, place: Place, kept: _Kept, answer: Answer) -> None:
        kept.answer, kept.until = answer, time.monotonic() + KEPT_SECONDS
        self._ended[place] = kept
        self._bytes += kept.size
        while len(self._ended) > KEPT_MAX or self._bytes > BYTES_MAX:
            self._forget(next(iter(self._ended)))

    def _forget(self, place: Place) -> None:
        self._bytes -= self._ended.pop(place).size
