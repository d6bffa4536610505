"""Bills: what a call costs by the book, each part of it by the card of the model that did it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tekton_budget.domain.naming import Unknown
from tekton_budget.domain.price.book import Found, PriceBook
from tekton_budget.domain.price.card import Charge
from tekton_budget.domain.price.grain import usd_of
from tekton_budget.domain.units import STANDARD, Part


@dataclass(frozen=True, slots=True)
class Bill:
    """The cost of a call: one charge for each part, and how the model's name was understood."""

    found: Found
    charges: tuple[Charge, ...]

    @property
    def grains(self) -> int:
        """In 10⁻³⁰ USD."""
        return sum(charge.grains for charge in self.charges)

    @property
    def usd(self) -> Decimal:
        """USD with all digits; nothing is rounded."""
        return usd_of(self.grains)


def bill_of(
    book: PriceBook,
    found: Found,
    parts: Sequence[Part],
    *,
    at_us: int,
    known_us: int,
    requests: int = 1,
) -> Bill | Unknown:
    """What a call costs that `found` answered; its own fee for the request counts once.

    `Unknown` if another model did a part and has no price; `Unpriced` if a unit has no rate.
    """
    charges: list[Charge] = []
    parts = with_own_part(parts, found.resolution.model)
    fees = requests
    for part in parts:
        card = found.card
        if part.model is not None and part.model != found.resolution.model:
            other = book.find(card.provider, part.model, valid_us=at_us, known_us=known_us)
            if isinstance(other, Unknown):
                return other
            card = other.card
        fee, fees = (fees, 0) if card is found.card else (0, fees)
        charges.append(card.charge(part.units, part.context, at_us=at_us, requests=fee))
    return Bill(found, tuple(charges))


def with_own_part(parts: Sequence[Part], model: str) -> Sequence[Part]:
    """The parts of a call with one of its own model, empty if need be: its fee falls due there."""
    if any(part.model is None or part.model == model for part in parts):
        return parts
    return (*parts, Part((), parts[0].context if parts else STANDARD))
