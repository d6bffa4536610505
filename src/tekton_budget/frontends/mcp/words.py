"""Sentences and numbers as models read them: dollars short, tokens and calls counted."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Any

Json = Mapping[str, Any]  # Any: decoded JSON

_CENT = Decimal("0.01")
_SMALL = Decimal("0.1")


def usd(value: Decimal | int, rounding: str = ROUND_HALF_EVEN) -> str:
    """`$1.12`; below ten cents with two digits that say something: `$0.0042`."""
    value = Decimal(value)
    step = _CENT
    if 0 < abs(value) < _SMALL:
        step = max(Decimal(1).scaleb(value.adjusted() - 1), Decimal("1e-9"))
    whole, _, digits = f"{abs(value).quantize(step, rounding=rounding):,f}".partition(".")
    return f"{'-' if value < 0 else ''}${whole}.{digits.rstrip('0').ljust(2, '0')}"


def left(limit: Json) -> str:
    """`$1.12 of $2.00 left`, in the unit that stands nearest to its end."""
    remaining, allowance = limit["remaining"], limit["allowance"]
    shares = []
    for unit in ("cost", "tokens", "requests"):
        if allowance[unit] is None:
            continue
        rest, whole = Decimal(remaining[unit]), Decimal(allowance[unit])
        share = rest / whole if whole else Decimal(-1)
        shares.append((share, unit, rest, whole))
    _, unit, rest, whole = min(shares, key=lambda one: one[0])
    if rest < 0:
        return f"{amount(unit, -rest)} over the {amount(unit, whole)}"
    return f"{amount(unit, rest, ROUND_DOWN)} of {amount(unit, whole)} left"


def amount(unit: str, value: Decimal | int, rounding: str = ROUND_HALF_EVEN) -> str:
    """With its unit."""
    if unit == "cost":
        return usd(value, rounding)
    return f"{int(value):,} {unit if value != 1 else unit[:-1]}"


def place(limit: Json, labels: Json) -> str:
    """`in this run`, or which limit it is."""
    if "run" in labels and limit["budget_id"] == "runs":
        return "in this run"
    return f'in "{limit["name"]}"' + (f" for {limit['group']}" if limit["group"] else "")


def counted(number: int, noun: str) -> str:
    """`1 call`, `14 calls`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def units(amounts: Json | None) -> str:
    """`$0.40, 1,400 tokens`: all that is more than nothing."""
    found = [
        amount(unit, amounts[unit])
        for unit in ("cost", "tokens")
        if amounts is not None and amounts.get(unit)
    ]
    return ", ".join(found) or "nothing"


def listed(names: Sequence[str], most: int = 5) -> str:
    """`a, b and 3 more`."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def plain(value: Any) -> Any:
    """JSON for the protocol's SDK, which knows no decimals: a number where a double says it with
    all its digits, else text.
    """
    if isinstance(value, Decimal):
        if value == value.to_integral_value() and abs(value) < 2**53:
            return int(value)
        double = float(value)
        return double if Decimal(repr(double)) == value else f"{value:f}"
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value
