"""Slips of unit: two claims a power of ten apart, and which of them is the slip."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import combinations

from .consensus import TOLERANCE
from .quote import Value, ratio

POWER_MIN = 2  # a factor of 100; prices a factor of ten apart are real
POWER_MAX = 9
PLAUSIBLE_FACTOR = Decimal(10)  # the better claim lies within this of the model's past or family


def power_of_ten(one: Value, other: Value) -> int | None:
    """The k ≥ 2 for which one pair is 10ᵏ times the other in both parts, within the tolerance."""
    low, high = sorted((one, other))
    ratios = [ratio(b, a) for a, b in zip(low, high, strict=True) if a and b]
    if not ratios or any(bool(a) != bool(b) for a, b in zip(low, high, strict=True)):
        return None
    for power in range(POWER_MIN, POWER_MAX + 1):
        whole = Decimal(10) ** power
        if all(abs(times - whole) <= whole * TOLERANCE for times in ratios):
            return power
    return None


def slips(claims: Mapping[str, Value], known: Iterable[Value]) -> dict[str, str]:
    """Sources whose claim is a slip of unit, with the reason.

    Of two claims a power of ten apart, it is the one that is farther from the prices known for the
    model's own past or family, provided that the other is near them.
    """
    references = [pair for pair in known if any(pair)]
    found: dict[str, str] = {}
    if not references:
        return found
    for one, other in combinations(sorted(claims), 2):
        power = power_of_ten(claims[one], claims[other])
        if power is None:
            continue
        near, far = sorted((one, other), key=lambda name: _distance(claims[name], references))
        if _distance(claims[near], references) <= PLAUSIBLE_FACTOR:
            found[far] = f"10^{power} away from {near}, which is near what is known of the model"
    return found


def factor(one: Value, other: Value) -> Decimal | None:
    """By how much two pairs differ, 1 or more, in the part that differs most.

    `None` where one of them has a price that the other has not.
    """
    if any(bool(a) != bool(b) for a, b in zip(one, other, strict=True)):
        return None
    return max(
        (ratio(max(a, b), min(a, b)) for a, b in zip(one, other, strict=True) if a and b),
        default=Decimal(1),
    )


def _distance(pair: Value, references: Iterable[Value]) -> Decimal:
    found = [one for reference in references if (one := factor(pair, reference)) is not None]
    return min(found, default=Decimal("Infinity"))
