"""The common form: what one price source lists for one model, in our units and words."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, NamedTuple

from ..domain.errors import InvalidInput

MILLION = Decimal(1_000_000)

Rates = Mapping[str, Decimal]  # token unit → USD per 1,000,000
Fee = Decimal | Mapping[str, Decimal]  # USD each; or by search context size


class Tier(NamedTuple):
    """Rates for all tokens of a request whose input is above `over` (or reaches it)."""

    over: int
    rates: Rates
    inclusive: bool = False


class ServiceTier(NamedTuple):
    """What a service tier changes: rates, and the tiers above a context length."""

    rates: Rates
    tiers: tuple[Tier, ...] = ()


class Hours(NamedTuple):
    """Rates within spans of a day, "HH:MM-HH:MM" in UTC, on weekdays 1 (Monday) to 7."""

    spans: tuple[str, ...]
    rates: Rates
    weekdays: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """One model at one source, as of the source's date, or between two dates (to exclusive)."""

    source: str
    listed_as: str
    provider: str  # our id of the seller
    model: str
    region: str | None = None  # of a seller whose names carry one; "*": every region but global
    mode: str | None = None
    rates: Rates = field(default_factory=dict)
    tiers: tuple[Tier, ...] = ()
    service_tiers: Mapping[str, ServiceTier] = field(default_factory=dict)
    schedule: tuple[Hours, ...] = ()
    fees: Mapping[str, Fee] = field(default_factory=dict)
    regions: Mapping[str, Decimal] = field(default_factory=dict)  # factors on the rates
    valid_from: str | None = None
    valid_to: str | None = None
    names: tuple[str, ...] = ()  # other names that the source lists for the very same
    facts: Mapping[str, object] = field(default_factory=dict)

    def called(self, model: str) -> "Listing":
        """The same under another name."""
        return replace(self, model=model)


class Problem(NamedTuple):
    """What could not be used: the entry as listed, the key in it ("" is the whole), and why."""

    listed_as: str
    key: str
    reason: str


class Reading(NamedTuple):
    """All that a list holds for us, and all that was refused."""

    listings: tuple[Listing, ...]
    problems: tuple[Problem, ...]


class BadNumber(ValueError):
    """A value that is no amount of money."""


def parsed(text: str | bytes) -> Any:  # Any: JSON
    """A list's document with its numbers as decimals; `InvalidInput` if it is no JSON."""
    try:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise InvalidInput(
            "the price list is not valid JSON; fetch it again or give another file",
            code="invalid_file",
        ) from error


def _no_number(text: str) -> Decimal:
    raise ValueError(text)


def amount(value: object) -> Decimal:
    """A listed price as a decimal. Refused: no number, not finite, negative, beyond all bounds."""
    if isinstance(value, str):
        value = _from_text(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        raise BadNumber("not a number")
    if value < 0:
        raise BadNumber("negative: a dynamic price, or none")
    if value and not -24 <= value.adjusted() <= 9:
        raise BadNumber("beyond all bounds")
    return value + 0


def _from_text(text: str) -> Decimal | None:
    try:
        return Decimal(text) if text.isascii() and len(text) <= 40 else None
    except ArithmeticError:
        return None


def whole(value: object) -> int | None:
    """A count in a list, or nothing if it is none."""
    try:
        found = amount(value)
    except BadNumber:
        return None
    return int(found) if found == found.to_integral_value() else None


def plain(value: Decimal) -> str:
    """A decimal's shortest text without exponent, to at most 10⁻¹⁸ USD a token."""
    if -value.normalize().as_tuple().exponent > 12:  # type: ignore[operator] # it is finite
        value = round(value, 12)
    text = format(value.normalize(), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def flat_rates(
    listed_as: str, prices: Mapping[str, object], units: Mapping[str, str], problems: list[Problem]
) -> dict[str, Decimal]:
    """Prices as listed, by our units; one of no unit, or of no amount, is a problem."""
    rates = {}
    for key, value in prices.items():
        if value is None:
            continue
        if key not in units:
            problems.append(Problem(listed_as, key, "unknown price key"))
            continue
        try:
            rates[units[key]] = amount(value)
        except BadNumber as fault:
            problems.append(Problem(listed_as, key, str(fault)))
    return rates


def entries(document: object) -> Iterator[tuple[str, Mapping[str, Any]]]:  # Any: JSON
    """The objects of a document's object, by name; what is no object is passed over."""
    if isinstance(document, Mapping):
        for name, value in document.items():
            if isinstance(value, Mapping):
                yield name, value


def objects(document: object) -> Iterator[Mapping[str, Any]]:  # Any: JSON
    """The objects of a document's list."""
    if isinstance(document, list):
        yield from (value for value in document if isinstance(value, Mapping))


def text_of(value: object) -> str | None:
    """A text of a sensible length, or nothing."""
    return value if isinstance(value, str) and 0 < len(value) <= 200 else None


def filled(facts: Mapping[str, object]) -> dict[str, object]:
    """Facts without what is not known."""
    return {name: value for name, value in facts.items() if value is not None and value != []}
