"""Rates: what one unit costs, and which of a card's rates apply to a request."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from tekton_budget.domain.errors import FieldFault, InvalidInput
from tekton_budget.domain.price.grain import EXACT, GRAINS_PER_USD, plain
from tekton_budget.domain.units import TOKEN_UNITS, UNITS

MILLION = 1_000_000
SIZES = ("low", "medium", "high")
INPUT_UNITS = frozenset(unit for unit in TOKEN_UNITS if unit.startswith(("input", "cache")))
_NONE: Mapping[str, "dict[str, Rate]"] = MappingProxyType({})


class Unpriced(InvalidInput):
    """Something was used that the card has no rate for: no cost is better than a wrong one."""

    def __init__(self, unit: str, detail: str) -> None:
        super().__init__(detail, FieldFault(unit, detail), code="unpriced_unit", unit=unit)


class Rate(NamedTuple):
    """USD for so many of a unit: per 1,000,000 tokens, per 1,000 searches, for each request."""

    usd: Decimal
    per: int = 1

    @property
    def grains(self) -> int:
        """10⁻³⁰ USD for one."""
        return int(EXACT.divide(EXACT.multiply(self.usd, GRAINS_PER_USD), self.per))

    def times(self, factor: Decimal) -> "Rate":
        """The same under a surcharge or discount."""
        return self if factor == 1 else Rate(plain(EXACT.multiply(self.usd, factor)), self.per)


class Rates(NamedTuple):
    """Rates by unit; some fees go by the size of the search context instead."""

    flat: Mapping[str, Rate]
    sized: Mapping[str, Mapping[str, Rate]] = _NONE

    def replaced_by(self, other: "Rates") -> "Rates":
        """These with the other's in the place of those it names."""
        if not other.flat and not other.sized:
            return self
        flat = {unit: rate for unit, rate in self.flat.items() if unit not in other.sized}
        sized = {unit: rates for unit, rates in self.sized.items() if unit not in other.flat}
        return Rates({**flat, **other.flat}, {**sized, **other.sized})

    def of_size(self, size: str | None) -> dict[str, Rate]:
        """The rates of a request with such a search context."""
        if size is None:
            return dict(self.flat)
        found = {unit: by_size[size] for unit, by_size in self.sized.items() if size in by_size}
        return {**self.flat, **found}

    def times(self, factor: Decimal, of_tokens: Decimal) -> "Rates":
        """The same under factors: one for fees, one for the rates of tokens."""
        flat = {
            unit: rate.times(of_tokens if unit in TOKEN_UNITS else factor)
            for unit, rate in self.flat.items()
        }
        sized = {
            unit: {size: rate.times(factor) for size, rate in by_size.items()}
            for unit, by_size in self.sized.items()
        }
        return Rates(flat, sized)


class Tier(NamedTuple):
    """Rates for requests whose input is longer than so many tokens: for all their tokens."""

    above: int
    rates: Rates


class ServiceTier(NamedTuple):
    """The rates that a service tier names; those it does not name stay standard."""

    rates: Rates
    tiers: tuple[Tier, ...] = ()


class Slot(NamedTuple):
    """Rates at times of the day, in seconds of a UTC day `[start, end)`, on weekdays (Monday 1)."""

    windows: tuple[tuple[int, int], ...]
    weekdays: frozenset[int]
    rates: Rates

    def covers(self, weekday: int, second: int) -> bool:
        """Whether an instant lies in it; a window may wrap midnight, of equal ends is all day."""
        return weekday in self.weekdays and any(
            start <= second < end if start < end else second >= start or second < end
            for start, end in self.windows
        )


# Where a card has no rate of its own for one, the other's is charged: that is how the sellers
# publish it. Everything else that lacks a rate is an error.
_PART_OF: Mapping[str, str] = MappingProxyType({"reasoning": "output"})
_ONE_RATE: Mapping[str, str] = MappingProxyType(
    {  # "text, image, video" is one line of the price table; audio is another
        **_PART_OF,
        "input_image": "input",
        "input_video": "input",
        "cache_image_read": "cache_read",
        "cache_video_read": "cache_read",
    }
)
_SHARED_AT: Mapping[str, Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("google", "vertex", "xai", "alibaba", "openrouter"), _ONE_RATE)
)


def shared_rates(provider: str) -> Mapping[str, str]:
    """Unit → the unit at whose rate this seller charges it where it lists none for it."""
    return _SHARED_AT.get(provider, _PART_OF)


class Tariff:
    """The rates of one card that apply to a request, compiled to integers of 10⁻³⁰ USD."""

    __slots__ = (
        "_lacks_kinds",
        "by_kind",
        "dearest",
        "grains",
        "most_by_kind",
        "prices_text",
        "rate_of",
        "request",
        "sized",
    )

    def __init__(self, rates: Rates, shared: Mapping[str, str], size: str | None) -> None:
        known = rates.of_size(size)
        charged_as = {unit: other for unit, other in shared.items() if other in known}
        charged_as |= {unit: unit for unit in known}
        self.rate_of = {
            unit: (charged_as[unit], known[charged_as[unit]])
            for unit in UNITS
            if unit in charged_as
        }
        self.grains = {unit: rate.grains for unit, (_, rate) in self.rate_of.items()}
        tokens = [self.grains[unit] for unit in TOKEN_UNITS if unit in self.grains]
        self.dearest = max(tokens, default=None)
        kinds = [
            self.grains.get(unit) for unit in ("input", "output", "cache_read", "cache_write_5m")
        ]
        self._lacks_kinds = tuple(rate is None for rate in kinds)
        fallback = self.dearest or 0
        self.by_kind = (*(fallback if rate is None else rate for rate in kinds), fallback)
        into, output, *rest = self.by_kind  # input may be found in a cache, an answer be reasoning
        into = max(into, self.grains.get("cache_read", 0))
        self.most_by_kind = (into, max(output, self.grains.get("reasoning", 0)), *rest)
        self.sized = rates.sized
        self.prices_text = "input" in known and "output" in known
        self.request = self.grains.get("request", 0)
        if "request" in rates.sized and size not in rates.sized["request"]:
            self.request = max(rate.grains for rate in rates.sized["request"].values())

    def lacks(self, counts: tuple[int, ...]) -> bool:
        """Whether a kind of token was used whose rate is not known, or only the dearest stands."""
        missing = zip(self._lacks_kinds, counts, strict=False)
        return bool(counts[-1]) or any(lack and count for lack, count in missing)

    def has_rate(self, unit: str) -> bool:
        """Whether a unit can be charged."""
        return unit in self.rate_of

    def per_million(self, unit: str) -> Decimal | None:
        """USD for 1,000,000 tokens of a unit; `None` where it has no rate."""
        found = self.rate_of.get(unit)
        return None if found is None else found[1].usd

    def missing(self, unit: str) -> Unpriced:
        """The refusal of a unit without a rate."""
        if unit in self.sized:
            return Unpriced(
                unit,
                f"the fee for each {unit} goes by the size of the search context "
                f"({', '.join(self.sized[unit])}) and the usage does not tell it: send "
                "context.search_context_size",
            )
        return Unpriced(unit, f"{unit} was used and the card has no rate for it: set one")
