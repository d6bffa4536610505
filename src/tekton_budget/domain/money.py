"""Exact money: integers of 10⁻⁹ USD inside, decimals at the edges, never a binary float."""

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

NANO_PER_USD = 1_000_000_000

# The largest amount a 64-bit column holds, kept far enough below the edge for sums of balances.
COST_NANO_MAX = 4_000_000_000 * NANO_PER_USD

# What a single call may cost: hundreds of such still fit into a column. More is a slip of units.
CALL_COST_NANO_MAX = 10_000_000 * NANO_PER_USD

_WIDE = Context(prec=60, traps=[InvalidOperation])
_NANO = Decimal("1E-9")


def nano_from_usd(usd: Decimal | int | str) -> int:
    """Dollars → 10⁻⁹ dollars, rounded once, half to even. Refuses what is no finite number."""
    return _nano(usd, ROUND_HALF_EVEN)


def nano_ceiling(usd: Decimal | int | str) -> int:
    """Dollars → 10⁻⁹ dollars, rounded up: what a hold must cover."""
    return _nano(usd, ROUND_CEILING)


def usd_from_nano(cost_nano: int) -> Decimal:
    """10⁻⁹ dollars → dollars, exactly, without trailing zeros: `Decimal('0.1')`."""
    whole, rest = divmod(abs(cost_nano), NANO_PER_USD)
    digits = f"{whole}.{rest:09d}".rstrip("0").rstrip(".") if rest else str(whole)
    return Decimal(f"-{digits}" if cost_nano < 0 else digits)


def usd_text(cost_nano: int) -> str:
    """Dollars as people write them: `$48.70`, `$1,250.00`, `$0.000023`; never rounded."""
    sign = "-" if cost_nano < 0 else ""
    whole, rest = divmod(abs(cost_nano), NANO_PER_USD)
    cents = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{sign}${whole:,}.{cents}"


def _nano(usd: Decimal | int | str, rounding: str) -> int:
    try:
        exact = Decimal(usd)  # takes every digit, whatever the context
        if not exact.is_finite():
            raise ValueError(f"{usd!r} is not an amount of money")
        return int(exact.quantize(_NANO, rounding=rounding, context=_WIDE).scaleb(9, _WIDE))
    except InvalidOperation as error:
        raise ValueError(f"{usd!r} is not an amount of money") from error
