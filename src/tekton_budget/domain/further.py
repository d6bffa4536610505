"""What an ask states beside its tokens: more amounts, what prices hang on, writing to a cache."""

from collections.abc import Mapping
from typing import NamedTuple

from tekton_budget.domain.units import KIND_OF_UNIT, STANDARD, UNITS, PriceContext
from tekton_budget.domain.usage import KINDS, NO_TOKENS, TokenCounts

# As what input may be written to a cache, by the lifetime that the ask names; the first is what it
# says, and where there are longer ones, shorter ones may be beside them.
CACHE_WRITES = {"5m": ("cache_write_5m",), "1h": ("cache_write_1h", "cache_write_5m")}
SAID_OTHERWISE = {
    "input": "input_tokens",
    "output": "max_output_tokens",
    "request": "requests",
}


class Further(NamedTuple):
    """Bounds of a call beside its own tokens. `units` are more than those, never part of them."""

    units: tuple[tuple[str, int], ...] = ()  # each above 0, in UNITS' order
    context: PriceContext = STANDARD
    cache_write: str | None = None  # the input may be written to a cache: a key of CACHE_WRITES
    counts: TokenCounts = NO_TOKENS  # of `units`, those that are tokens


def further_of(
    units: Mapping[str, int], context: PriceContext, cache_write: str | None
) -> Further | None:
    """What is stated beside tokens; `None` if nothing is."""
    stated = tuple((unit, units[unit]) for unit in UNITS if units.get(unit))
    if not stated and context == STANDARD and cache_write is None:
        return None
    kinds = dict.fromkeys(KINDS, 0)
    for unit, quantity in stated:
        if unit in KIND_OF_UNIT:
            kinds[KIND_OF_UNIT[unit]] += quantity
    return Further(stated, context, cache_write, TokenCounts(**kinds))
