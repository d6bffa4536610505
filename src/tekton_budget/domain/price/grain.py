"""Grains: integers of 10⁻³⁰ USD, in which every rate times every factor is exact."""

from decimal import Context, Decimal, Inexact, InvalidOperation

GRAINS_PER_USD = 10**30
GRAINS_PER_NANO = 10**21
RATE_DECIMALS = 18  # of USD for one token, request, second …: 12 of USD per 1,000,000
FACTOR_DECIMALS = 6  # two factors at most, a region's and a contract's: 18 + 6 + 6 = 30

EXACT = Context(prec=120, traps=[InvalidOperation, Inexact])


def nano_half_even(grains: int) -> int:
    """10⁻³⁰ USD → 10⁻⁹ USD, rounded once, half to even: what the ledger posts."""
    whole, rest = divmod(grains, GRAINS_PER_NANO)
    twice = rest * 2
    if twice > GRAINS_PER_NANO or (twice == GRAINS_PER_NANO and whole & 1):
        whole += 1
    return whole


def nano_up(grains: int) -> int:
    """10⁻³⁰ USD → 10⁻⁹ USD, rounded up: what a hold takes."""
    return -(-grains // GRAINS_PER_NANO)


def usd_of(grains: int) -> Decimal:
    """10⁻³⁰ USD → USD with all its digits, without trailing zeros or exponent."""
    whole, rest = divmod(grains, GRAINS_PER_USD)
    return Decimal(f"{whole}.{rest:030d}".rstrip("0").rstrip("."))


def plain(number: Decimal) -> Decimal:
    """The same number without trailing zeros or exponent."""
    return Decimal(f"{EXACT.normalize(number):f}")
