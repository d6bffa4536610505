"""What a call costs, did cost or would cost: exactly, with the card and the reasons."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tekton_budget.domain.errors import FieldFault, InvalidInput, invalid
from tekton_budget.domain.metering import Metered, context_of, read_response, read_stream
from tekton_budget.domain.naming import Unknown
from tekton_budget.domain.price import Bill, Found, PriceBook, bill_of
from tekton_budget.domain.units import UNITS, Part
from tekton_budget.service.prices.unknown import unknown_price, with_dates

Json = Mapping[str, Any]  # Any: JSON

REQUESTS_MAX = 10**9
_QUANTITY_MAX = 10**12
_OURS = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write_5m",
}
_BARE = ("generation_token_count", "prompt_eval_count", "eval_count", "inputTextTokenCount")
_OF_GEMINI = ("promptTokenCount", "totalTokenCount", "prompt_token_count", "total_token_count")


@dataclass(frozen=True, slots=True)
class Question:
    """Whose price, for which usage, and when.

    `response` is a provider's body as it came, or the frames of its stream; `usage` is that body's
    usage alone, or units of ours with their quantities.
    """

    model: str | None = None
    provider: str | None = None
    api: str | None = None
    response: Json | list[object] | None = None
    usage: Json | None = None
    at_us: int | None = None
    known_us: int | None = None
    context: Json = field(default_factory=dict)
    requests: int = 1


@dataclass(frozen=True, slots=True)
class Calculated:
    """The bill, what was read of the response, and what the provider says it charged."""

    bill: Bill
    metered: Metered
    at_us: int

    @property
    def difference(self) -> Decimal | None:
        """Ours less the provider's own, where it says one."""
        billed = self.metered.billed_usd
        return None if billed is None else self.bill.usd - billed


class Calculations:
    """Costs by the book in force."""

    def __init__(self, book: Callable[[], PriceBook], now_us: Callable[[], int]) -> None:
        self._book = book
        self._now_us = now_us

    def calculate(self, question: Question) -> Calculated:
        """What a usage costs; refuses names without a price, units without a rate, bad usage."""
        now_us = self._now_us()
        at_us = now_us if question.at_us is None else question.at_us
        known_us = now_us if question.known_us is None else question.known_us
        return calculated(self._book(), question, at_us=at_us, known_us=known_us)


def calculated(
    book: PriceBook,
    question: Question,
    *,
    at_us: int,
    known_us: int,
    found: Found | None = None,
) -> Calculated:
    """The same by any book; `found` is the card, where it is named and not looked for."""
    if not 0 <= question.requests <= REQUESTS_MAX:
        raise invalid("requests", f"send 0 to {REQUESTS_MAX}")
    name = question.model
    if name is None:
        name = metered_of(question, question.provider, None).model
        if name is None:
            why = "" if question.response is None else ": the response does not name it"
            raise invalid("model", f"send the model{why}")
    if found is None:
        looked = book.find(question.provider, name, valid_us=at_us, known_us=known_us)
        if isinstance(looked, Unknown):
            told = with_dates(book, question.provider, name, looked, at_us)
            raise unknown_price(question.provider, name, told)
        found = looked
    metered = metered_of(question, found.card.provider, name)
    made = bill_of(
        book, found, metered.parts, at_us=at_us, known_us=known_us, requests=question.requests
    )
    if isinstance(made, Unknown):
        raise unknown_price(found.card.provider, "the model of a further step", made)
    return Calculated(made, metered, at_us)


def metered_of(question: Question, provider: str | None, model: str | None) -> Metered:
    """The usage of a question in units."""
    if (question.response is None) == (question.usage is None):
        raise invalid("response", "send either the response of the provider, or usage")
    if not isinstance(question.usage, Mapping | None):
        raise InvalidInput("usage: send an object with the amounts used", code="invalid_usage")
    if question.usage is not None and not question.usage.keys() - _OURS.keys() - set(UNITS):
        return _in_units(question)
    body = question.response if question.usage is None else _around(question.usage)
    assert body is not None, "one of both is there"
    if isinstance(body, list):
        return read_stream(
            body, api=question.api, provider=provider, context=question.context, model=model
        )
    return read_response(
        body, api=question.api, provider=provider, context=question.context, model=model
    )


def _around(usage: Json) -> Json:
    """A body with nothing in it but its usage; some have their counts at the top."""
    if any(name in usage for name in _BARE):
        return usage
    is_gemini = any(name in usage for name in _OF_GEMINI)
    return {"usageMetadata" if is_gemini else "usage": usage}


def _in_units(question: Question) -> Metered:
    quantities: dict[str, int] = {}
    for name, sent in (question.usage or {}).items():
        unit = _OURS.get(name, name)
        is_whole = isinstance(sent, Decimal) and sent == sent.to_integral_value()
        quantity = int(sent) if is_whole else sent
        whole = isinstance(quantity, int) and not isinstance(quantity, bool)
        if not whole or not 0 <= quantity <= _QUANTITY_MAX:
            raise InvalidInput(
                f"usage.{name}: send a whole number, 0 to {_QUANTITY_MAX:,}",
                FieldFault(f"usage.{name}", "send a whole number"),
                code="invalid_usage",
            )
        if unit == "request" or unit in quantities:
            raise invalid(f"usage.{name}", "is sent twice, or is the field requests")
        quantities[unit] = quantity
    if not quantities:
        raise InvalidInput("usage: is empty, which is not the same as none", code="missing_usage")
    units = tuple((unit, quantities[unit]) for unit in UNITS if quantities.get(unit))
    return Metered(api="units", parts=(Part(units, context_of(question.context)),))
