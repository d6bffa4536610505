"""Bounds: the most that a call inside what was asked for it can cost by a card."""

from collections.abc import Iterable
from typing import NamedTuple

from tekton_budget.domain.further import CACHE_WRITES, Further
from tekton_budget.domain.price.card import Card, input_tokens
from tekton_budget.domain.price.rates import INPUT_UNITS, Tariff, Unpriced
from tekton_budget.domain.units import (
    KIND_OF_UNIT,
    SAME_PRICE_TIERS,
    STANDARD,
    PriceContext,
)
from tekton_budget.domain.usage import TokenCounts

_NOTHING = Further()
_CONTEXT_FIELDS = frozenset(PriceContext._fields)


class Lack(NamedTuple):
    """Something stated that a card has no rate for: a unit, or a word of the context."""

    card: Card
    name: str

    @property
    def field(self) -> str:
        """Where the ask states it."""
        return f"{'context' if self.name in _CONTEXT_FIELDS else 'units'}.{self.name}"

    @property
    def is_fee(self) -> bool:
        """Whether it is no token, so that no rate of tokens can stand for it."""
        return self.name not in KIND_OF_UNIT and self.name not in _CONTEXT_FIELDS


def most_of_counts(card: Card, counts: TokenCounts, requests: int, *, at_us: int) -> int:
    """The most that so many tokens can cost, in 10⁻³⁰ USD: each of a kind, or fewer of it."""
    tariff = card.only
    if tariff is None:
        return most_of(card, counts, _NOTHING, requests, at_us=at_us)
    own = sum([count * rate for count, rate in zip(counts, tariff.most_by_kind, strict=True)])
    return own + requests * tariff.request


def most_of(card: Card, counts: TokenCounts, further: Further, requests: int, *, at_us: int) -> int:
    """The same with all that is stated beside: at whatever length, by whichever rates apply.

    For a token without a rate the dearest of its card counts, by standard rates too: as a usage
    with such a one is charged.
    """
    contexts = [_context_at(card, further.context)]
    if lack_of(card, further, at_us=at_us) is not None:
        contexts.append(STANDARD)
    length = sum(counts) - counts.output + input_tokens(further.units)
    return max(
        _by_tariff(tariff, longest, counts, further) + requests * tariff.request
        for context in contexts
        for longest, tariff in _tariffs(card, context, at_us, length)
    )


def lack_of(card: Card, further: Further, *, at_us: int) -> Lack | None:
    """The first thing stated that the card has no rate for."""
    try:
        context = _context_at(card, further.context)
        tariff = card.tariff(context, at_us=at_us, input_tokens=0)
    except Unpriced as refusal:
        return Lack(card, refusal.fields[0].field)
    lacking = (unit for unit, _ in further.units if _fee(tariff, unit) is None)
    return next((Lack(card, unit) for unit in lacking), None)


def dearest_fee(cards: Iterable[Card], unit: str, *, at_us: int) -> int | None:
    """The highest rate of a unit on any of these cards, in 10⁻³⁰ USD."""
    rates = (_fee(card.standard(at_us=at_us), unit) for card in cards)
    return max((rate for rate in rates if rate is not None), default=None)


def _context_at(card: Card, context: PriceContext) -> PriceContext:
    """Without a service tier that has no price of its own with this seller."""
    if (card.provider, context.service_tier) in SAME_PRICE_TIERS:
        return context._replace(service_tier=None)
    return context


def _tariffs(
    card: Card, context: PriceContext, at_us: int, length: int
) -> list[tuple[int, Tariff]]:
    try:
        return card.tariffs_within(context, at_us=at_us, input_tokens=length)
    except Unpriced:  # as a usage of such a context is charged: by standard rates
        return card.tariffs_within(STANDARD, at_us=at_us, input_tokens=length)


def _by_tariff(tariff: Tariff, longest: int, counts: TokenCounts, further: Further) -> int:
    """What these rates come to, where no more than the longest input they are for can be read."""
    into, output, read, write, other = tariff.most_by_kind
    if further.cache_write is not None:
        into = max(into, _of_writing(tariff, further.cache_write))
    grains = counts.output * output + counts.other * other
    inputs = [(into, counts.input), (read, counts.cache_read), (write, counts.cache_write)]
    for unit, quantity in further.units:
        rate = _fee(tariff, unit)
        if rate is None:
            rate = other if unit in KIND_OF_UNIT else 0
        if unit in INPUT_UNITS:
            inputs.append((rate, quantity))
        else:
            grains += rate * quantity
    for rate, quantity in sorted(inputs, reverse=True):
        taken = min(quantity, longest)
        grains += rate * taken
        longest -= taken
    return grains


def _of_writing(tariff: Tariff, cache_write: str) -> int:
    """The rate of input that may be written to a cache; the dearest, where there is none for it."""
    named, *shorter = CACHE_WRITES[cache_write]
    rate = tariff.grains.get(named, tariff.dearest or 0)
    return max([rate, *(tariff.grains.get(unit, 0) for unit in shorter)])


def _fee(tariff: Tariff, unit: str) -> int | None:
    """The rate of a unit; where it goes by what is not told, the highest."""
    rate = tariff.grains.get(unit)
    if rate is None and unit in tariff.sized:
        return max(one.grains for one in tariff.sized[unit].values())
    return rate
