"""A card: one seller's rates for one model, valid for a time, known since."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from tekton_budget.domain.naming import DEPLOYED
from tekton_budget.domain.price.grain import EXACT, usd_of
from tekton_budget.domain.price.rates import (
    INPUT_UNITS,
    Rate,
    Rates,
    ServiceTier,
    Slot,
    Tariff,
    Tier,
    Unpriced,
    shared_rates,
)
from tekton_budget.domain.units import STANDARD, Part, PriceContext
from tekton_budget.domain.usage import TokenCounts

ONE = Decimal(1)
DAY_SECONDS = 86_400
EVERYWHERE = "*"
_US = 1_000_000
_MONDAY = 3  # 1970-01-01 was a Thursday


class Component(NamedTuple):
    """A part of a cost: so many of a unit at a rate."""

    unit: str
    quantity: int
    rate: Rate
    grains: int

    @property
    def usd(self) -> Decimal:
        """USD with all digits."""
        return usd_of(self.grains)


@dataclass(frozen=True, slots=True)
class Charge:
    """What a usage costs by one card, exactly, and of what the cost is made."""

    card: "Card"
    components: tuple[Component, ...]
    grains: int
    why: tuple[str, ...]  # which of the card's rates apply, in words

    @property
    def usd(self) -> Decimal:
        """USD with all digits."""
        return usd_of(self.grains)


@dataclass(frozen=True)
class Card:
    """Rates with what changes them: length of input, service tier, time of day, region, contract.

    `valid_from_us` and `valid_to_us` say for which usage it is, half-open; `known_since_us` when it
    was learnt. A unit that was used and has no rate is `Unpriced`, never something else's rate.
    """

    price_id: str
    provider: str
    model: str
    rates: Rates
    tiers: tuple[Tier, ...] = ()  # by rising length
    service_tiers: Mapping[str, ServiceTier] = field(default_factory=dict)
    schedule: tuple[Slot, ...] = ()
    regions: Mapping[str, Decimal] = field(default_factory=dict)
    valid_from_us: int = 0
    valid_to_us: int | None = None
    known_since_us: int = 0
    source: str = "manual"
    status: str | None = None  # of one in a list: verified, single_source, or curated by a person
    factor: Decimal = ONE  # of a contract
    region: str | None = None  # where a usage does not tell its own
    _tariffs: dict[tuple[object, ...], Tariff] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def is_valid(self, at_us: int) -> bool:
        """Whether it is the price of what was used at a moment."""
        return self.valid_from_us <= at_us and (
            self.valid_to_us is None or at_us < self.valid_to_us
        )

    def knows(self, region: str) -> bool:
        """Whether the card says what is different in a region, if only that nothing is."""
        return region in self.regions or EVERYWHERE in self.regions

    def valid_between(self, from_us: int, to_us: int | None) -> "Card":
        """The same rates for other dates."""
        return replace(self, valid_from_us=from_us, valid_to_us=to_us)

    def learnt_at(self, us: int) -> "Card":
        """The same card, known since another moment."""
        return replace(self, known_since_us=us)

    def under(self, factor: Decimal, region: str | None) -> "Card":
        """The same card under a contract, in a region."""
        return replace(self, factor=factor, region=region)

    def charge(
        self,
        units: Sequence[tuple[str, int]],
        context: PriceContext = STANDARD,
        *,
        at_us: int,
        requests: int = 1,
    ) -> Charge:
        """The cost of a usage with its components; `Unpriced` if a unit has no rate."""
        tariff = self.tariff(context, at_us=at_us, input_tokens=input_tokens(units))
        quantities: dict[str, int] = {}
        rates: dict[str, Rate] = {}
        for unit, quantity in _with_fee(units, tariff, requests):
            if unit not in tariff.rate_of:
                raise tariff.missing(unit)
            charged_as, rates_of = tariff.rate_of[unit]
            quantities[charged_as] = quantities.get(charged_as, 0) + quantity
            rates[charged_as] = rates_of
        components = tuple(
            Component(unit, quantities[unit], rates[unit], quantities[unit] * rates[unit].grains)
            for unit in tariff.rate_of
            if unit in quantities
        )
        total = sum(one.grains for one in components)
        return Charge(self, components, total, self._why(context, at_us, input_tokens(units)))

    def grains_of(self, part: Part, *, at_us: int, requests: int = 1) -> int:
        """The same cost in 10⁻³⁰ USD and nothing else: what a ledger needs, quickly."""
        units, context, _ = part
        ladder = self._ladder if context is STANDARD else None
        if ladder is None:
            tariff = self.tariff(context, at_us=at_us, input_tokens=input_tokens(units))
        else:
            steps, tariffs = ladder
            tariff = tariffs[bisect_left(steps, input_tokens(units))] if steps else tariffs[0]
        grains = tariff.grains
        try:
            cost = sum([grains[unit] * quantity for unit, quantity in units])
        except KeyError as error:
            raise tariff.missing(str(error.args[0])) from None
        if requests and (tariff.request or tariff.sized):
            if "request" in tariff.sized and "request" not in grains:
                raise tariff.missing("request")
            cost += requests * tariff.request
        return cost

    def grains_of_counts(self, counts: TokenCounts, requests: int, *, at_us: int) -> int:
        """The cost of tokens known by kind alone; the dearest rate for a kind without one.

        Tokens of no known kind (`other`) may be of any: the dearest rate they can reach counts.
        """
        tariff = self.only
        if tariff is None:
            tariff = self._tariff_of(counts, at_us)
        if tariff.dearest is None and any(counts):
            raise tariff.missing("input")
        own = sum([count * rate for count, rate in zip(counts, tariff.by_kind, strict=True)])
        return own + requests * tariff.request

    def is_guess(self, counts: TokenCounts, *, at_us: int) -> bool:
        """Whether a cost by kinds alone took the dearest rate for one that is not known."""
        tariff = self.only or self._tariff_of(counts, at_us)
        return tariff.lacks(counts) or ("request" in tariff.sized)

    def standard(self, *, at_us: int) -> Tariff:
        """The rates of a short, ordinary request at a moment."""
        return self.only or self.tariff(STANDARD, at_us=at_us, input_tokens=0)

    def plain_rates(self) -> Rates:
        """The rates of a short, ordinary request by day, as contract and region make them."""
        return self._agreed(self.rates, self.region)

    def tariff(self, context: PriceContext, *, at_us: int, input_tokens: int) -> Tariff:
        """The rates that apply to a request."""
        passed = sum(1 for tier in self.tiers if input_tokens > tier.above)
        slot = self._slot_at(at_us)
        service = self._service(context)
        inner = 0 if service is None else sum(input_tokens > t.above for t in service.tiers)
        tier_name, region, size = context
        region = region or self.region
        if region is not None and self.provider in DEPLOYED and not self.knows(region):
            raise Unpriced(
                "region",
                f"nothing is known of the price of {self.provider}/{self.model} in {region}: set "
                f"it, for example as {self.provider}/{region}/{self.model}",
            )
        key = (passed, inner, slot, tier_name, region, size)
        found = self._tariffs.get(key)
        if found is None:
            layers = [self.rates]
            layers += [] if slot is None else [self.schedule[slot].rates]
            layers += [self.tiers[passed - 1].rates] if passed else []
            layers += [] if service is None else [service.rates]
            layers += [service.tiers[inner - 1].rates] if service and inner else []
            found = self._tariffs[key] = self._compiled(layers, region, size)
        return found

    def tariffs_within(
        self, context: PriceContext, *, at_us: int, input_tokens: int
    ) -> list[tuple[int, Tariff]]:
        """The rates that a request of at most so long an input can get, each with its longest."""
        service = self._service(context)
        steps = {tier.above for tier in (*self.tiers, *(service.tiers if service else ()))}
        longest = sorted(step for step in steps if step < input_tokens)
        return [
            (one, self.tariff(context, at_us=at_us, input_tokens=one))
            for one in (*longest, input_tokens)
        ]

    @cached_property
    def only(self) -> Tariff | None:
        """The one tariff of a card on which neither length nor time matters."""
        if self.tiers or self.schedule:
            return None
        return self.tariff(STANDARD, at_us=0, input_tokens=0)

    @cached_property
    def _ladder(self) -> tuple[tuple[int, ...], tuple[Tariff, ...]] | None:
        """Lengths, and the tariff up to each and above the last; `None` if time matters too."""
        if self.schedule:
            return None
        steps = tuple(tier.above for tier in self.tiers)
        lengths = (0, *(step + 1 for step in steps))
        return steps, tuple(
            self.tariff(STANDARD, at_us=0, input_tokens=length) for length in lengths
        )

    def _tariff_of(self, counts: TokenCounts, at_us: int) -> Tariff:
        """By the input; where tokens of no kind could be input, by whichever tier is dearest."""
        least = counts.input + counts.cache_read + counts.cache_write
        lengths = {
            least,
            *(t.above + 1 for t in self.tiers if least <= t.above < least + counts.other),
        }
        tariffs = [self.tariff(STANDARD, at_us=at_us, input_tokens=one) for one in lengths]
        return max(tariffs, key=lambda one: one.dearest or 0)

    def _slot_at(self, at_us: int) -> int | None:
        if not self.schedule:
            return None
        days, second = divmod(at_us // _US, DAY_SECONDS)
        weekday = (days + _MONDAY) % 7 + 1
        for number, slot in enumerate(self.schedule):
            if slot.covers(weekday, second):
                return number
        return None

    def _service(self, context: PriceContext) -> ServiceTier | None:
        if context.service_tier is None:
            return None
        found = self.service_tiers.get(context.service_tier)
        if found is None:
            known = ", ".join(self.service_tiers) or "none but the standard one"
            raise Unpriced(
                "service_tier",
                f"the card of {self.provider}/{self.model} has no rates for the service tier "
                f'"{context.service_tier}" (it knows {known}): set them',
            )
        return found

    def _compiled(self, layers: Iterable[Rates], region: str | None, size: str | None) -> Tariff:
        rates = Rates({})
        for layer in layers:
            rates = rates.replaced_by(layer)
        return Tariff(self._agreed(rates, region), shared_rates(self.provider), size)

    def _agreed(self, rates: Rates, region: str | None) -> Rates:
        surcharge = self._surcharge(region)
        if surcharge == 1 and self.factor == 1:
            return rates
        return rates.times(self.factor, EXACT.multiply(self.factor, surcharge))

    def _surcharge(self, region: str | None) -> Decimal:
        if region is None:
            return ONE
        return self.regions.get(region, self.regions.get(EVERYWHERE, ONE))

    def _why(self, context: PriceContext, at_us: int, length: int) -> tuple[str, ...]:
        return tuple(self._reasons(context, at_us, length))

    def _reasons(self, context: PriceContext, at_us: int, length: int) -> Iterator[str]:
        for tier in reversed(self.tiers):
            if length > tier.above:
                yield f"input of {length:,} tokens is above {tier.above:,}"
                break
        if self._slot_at(at_us) is not None:
            yield "rates of this time of day"
        if context.service_tier is not None:
            yield f"service tier {context.service_tier}"
        region = context.region or self.region
        if self._surcharge(region) != 1:
            yield f"region {region}: × {self._surcharge(region)}"
        if self.factor != 1:
            yield f"contract: × {self.factor}"


def input_tokens(units: Iterable[tuple[str, int]]) -> int:
    """How long the input of a request is: what was cached or written to a cache is part of it."""
    return sum([quantity for unit, quantity in units if unit in INPUT_UNITS])


def units_of(counts: TokenCounts) -> tuple[tuple[str, int], ...]:
    """Tokens known by kind alone as units; those of no known kind are none."""
    named = (
        ("input", counts.input),
        ("output", counts.output),
        ("cache_read", counts.cache_read),
        ("cache_write_5m", counts.cache_write),
    )
    return tuple((unit, count) for unit, count in named if count)


def _with_fee(
    units: Iterable[tuple[str, int]], tariff: Tariff, requests: int
) -> Iterator[tuple[str, int]]:
    yield from units
    if requests and ("request" in tariff.rate_of or "request" in tariff.sized):
        yield "request", requests
