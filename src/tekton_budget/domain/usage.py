"""What a call really used, by kind of token, and what of it a policy counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from operator import add, sub
from typing import NamedTuple

from tekton_budget.domain.units import Part

KINDS = ("input", "output", "cache_read", "cache_write", "other")


class TokenCounts(NamedTuple):
    """Tokens by kind; the kinds never overlap. `other` is a total whose kinds are not known."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        """All tokens."""
        return sum(self)

    def plus(self, more: "TokenCounts") -> "TokenCounts":
        """Kind by kind."""
        return TokenCounts(*map(add, self, more))

    def minus(self, less: "TokenCounts") -> "TokenCounts":
        """Kind by kind."""
        return TokenCounts(*map(sub, self, less))

    def counted(self, kinds: tuple[str, ...]) -> int:
        """The tokens that a policy counts; no kinds named means all. Unknown kinds always count."""
        if not kinds:
            return self.total
        named = zip(KINDS, self, strict=True)
        return sum(count for kind, count in named if kind in kinds or kind == "other")


NO_TOKENS = TokenCounts()


class CostSource(StrEnum):
    """Where the posted cost of a usage comes from."""

    BOOK = "book"
    CALLER = "caller"
    PROVIDER = "provider"
    ESTIMATED = "estimated"


class Measurement(StrEnum):
    """Whether a usage was measured, or stands in for one that never arrived."""

    MEASURED = "measured"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class UsageFault:
    """Why a usage cannot be told from what a provider returned."""

    code: str  # invalid_usage, missing_usage
    detail: str


@dataclass(frozen=True, slots=True)
class Response:
    """A provider's own answer, or its stream's frames, of which a usage is still to be read."""

    body: Mapping[str, object] | list[object]
    api: str | None = None  # of which API it is, where its shape does not say
    context: Mapping[str, object] = field(default_factory=dict)  # what it cannot say


@dataclass(frozen=True, slots=True)
class Usage:
    """A usage as told by a caller. `cost_nano` is the cost they were charged, if they know it.

    What has a `response` is read of it when the labels of the call are known: which of its numbers
    include which hangs on the seller.
    """

    counts: TokenCounts = NO_TOKENS
    reasoning_tokens: int = 0  # inside `counts.output`, for information
    cost_nano: int | None = None
    cost_source: CostSource = CostSource.CALLER
    provider_used: str | None = None
    model_used: str | None = None
    timestamp_us: int | None = None
    measurement: Measurement = Measurement.MEASURED
    operation_id: str | None = None
    request_id: str | None = None
    metadata: str = "{}"  # JSON text, kept as given
    parts: tuple[Part, ...] = ()  # what `counts` is made of, where that is known
    model_is_read: bool = False  # `model_used` is as the response names it, not the caller
    response: Response | None = None

    def assert_sound(self) -> None:
        """The door refuses negative and contradictory numbers; none may come this far."""
        assert min(self.counts) >= 0, "tokens are not negative"
        assert self.cost_nano is None or self.cost_nano >= 0, "a cost is not negative"
        assert 0 <= self.reasoning_tokens <= self.counts.total, "reasoning is part of the tokens"
