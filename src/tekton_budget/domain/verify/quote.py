"""Quotes: what each source says a model costs, and what was accepted before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Context, Decimal

Rates = Mapping[str, Decimal]
"""Dimension → USD per 1,000,000 units. A dimension is a unit (`input`), or a unit under a
condition (`input@>200000`, `output@batch`), which is compared and decided by itself."""

NO_RATES: Rates = {}

Value = tuple[Decimal, ...]
"""Rates that are compared together: input and output, or one further dimension."""


@dataclass(frozen=True, slots=True)
class Quote:
    """One source's claim for one model of one seller, as of one instant.

    Sources with dated or scheduled prices are evaluated at that instant before they get here.
    Rates are taken as they come: what is no price is found by the guards and said, not raised.
    """

    source: str
    provider: str
    model: str
    rates: Rates
    listed_as: str = ""  # the source's own spelling: regions are seen in it
    currency: str = "USD"
    mode: str | None = None  # chat, embedding, image … if the source says
    as_of: date | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was accepted last for the model, and what each source said then."""

    rates: Rates
    said: Mapping[str, Rates] = field(default_factory=dict)  # source → its rates then
    proposed: Rates = field(default_factory=dict)  # a change that waits since `proposed_at`
    proposed_at: datetime | None = None


_RATIO = Context(prec=28)  # for comparing only: no rate is ever made of a ratio


def ratio(rate: Decimal, of: Decimal) -> Decimal:
    """How many times one rate is another, which is not zero."""
    return _RATIO.divide(rate, of)
