"""What was read of a response: the units used, and what else it says about the bill."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from tekton_budget.domain.units import KIND_OF_UNIT, Part
from tekton_budget.domain.usage import KINDS, TokenCounts


@dataclass(frozen=True, slots=True)
class Metered:
    """One call, measured. A call that used nothing has one part without units."""

    api: str  # as recognised: `openai.chat`, …
    parts: tuple[Part, ...]  # one; more where a call was answered in several steps
    model: str | None = None  # who answered, as the response names it
    reasoning_tokens: int = 0  # inside the output tokens, for information
    billed_usd: Decimal | None = None  # what the provider itself says it charged
    response_id: str | None = None


def counts_of(parts: Iterable[Part]) -> TokenCounts:
    """The tokens by the kinds that policies count; what is no token is of no kind."""
    kinds = dict.fromkeys(KINDS, 0)
    for part in parts:
        for unit, quantity in part.units:
            kind = KIND_OF_UNIT.get(unit)
            if kind is not None:
                kinds[kind] += quantity
    return TokenCounts(**kinds)
