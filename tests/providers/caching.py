"""What a provider keeps of prompts it has read: the prefixes, by a digest at each boundary."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

LEAST = 1_024  # shorter prefixes are not kept
KEPT = 10_000


@dataclass(slots=True)
class Prompt:
    """Tokens of the input, by how they are charged; the sum is what the model read."""

    fresh: int
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0

    @property
    def tokens(self) -> int:
        return self.fresh + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def units(self) -> dict[str, int]:
        units = {
            "input": self.fresh,
            "cache_read": self.cache_read,
            "cache_write_5m": self.cache_write_5m,
            "cache_write_1h": self.cache_write_1h,
        }
        return {unit: n for unit, n in units.items() if n}


@dataclass(slots=True)
class Block:
    """A piece of the prompt, its tokens, and whether the request asks to keep all up to here."""

    content: object
    tokens: int
    keep: str | None = None  # "5m", "1h"


class PromptCache:
    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def clear(self) -> None:
        self._seen.clear()

    def automatic(self, model: str, blocks: Iterable[Block], *, step: int = 128) -> Prompt:
        """As OpenAI and Google do unasked: whole steps of the longest prefix seen before."""
        total, read = 0, 0
        marks = []
        for digest, tokens in self._boundaries(model, blocks):
            total = tokens
            if tokens >= LEAST:
                if digest in self._seen:
                    read = tokens
                marks.append(digest)
        self._keep(marks)
        read = min(read, max(0, total - 1)) // step * step
        return Prompt(total - read, read)

    def asked(self, model: str, blocks: list[Block]) -> Prompt:
        """As Anthropic does where the request marks it: what was kept is read, the rest up to the
        last mark is written at the rate of the first mark after it."""
        read, last, total = 0, 0, 0
        marks = []
        ends = []
        for block, (digest, tokens) in zip(blocks, self._boundaries(model, blocks), strict=True):
            total = tokens
            if digest in self._seen:
                read = tokens
            if block.keep and tokens >= LEAST:
                last = tokens
                marks.append(digest)
                ends.append((tokens, block.keep))
        read = min(read, last)
        self._keep(marks)
        written = {"5m": 0, "1h": 0}
        begin = read
        for end, keep in ends:
            if end > begin:
                written[keep] += end - begin
                begin = end
        return Prompt(total - max(last, read), read, written["5m"], written["1h"])

    def _boundaries(self, model: str, blocks: Iterable[Block]) -> list[tuple[bytes, int]]:
        running = blake2b(model.encode(), digest_size=16)
        tokens = 0
        found = []
        for block in blocks:
            running.update(msgspec.json.encode(block.content))
            tokens += block.tokens
            found.append((running.digest(), tokens))
        return found

    def _keep(self, digests: list[bytes]) -> None:
        for digest in digests:
            self._seen[digest] = None
        while len(self._seen) > KEPT:
            self._seen.popitem(last=False)
