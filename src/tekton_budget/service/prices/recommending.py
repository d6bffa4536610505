"""Cheaper models for a job: by the book in force, with the exact cost of the same usage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.metering import context_of
from tekton_budget.domain.naming import Unknown, seller_id
from tekton_budget.domain.price import Bill, Found, ModelFacts, PriceBook, bill_of
from tekton_budget.domain.recommend import (
    ANY,
    Advice,
    Job,
    Needs,
    known_facts,
    needs_from_json,
    needs_of,
    recommend,
    sellers_in,
    waived_in,
)
from tekton_budget.domain.units import Part
from tekton_budget.service.prices.calculating import Question, metered_of
from tekton_budget.service.prices.unknown import unknown_model

Json = Mapping[str, Any]  # Any: JSON

CONTEXT_SIZE_DEFAULT = 4000
CONTEXT_SIZE_MAX = 10**12
LIMIT_DEFAULT = 10
LIMIT_MAX = 1000
_OUTPUT_SHARE = 4  # where only a length is told, a quarter of it is the answer


@dataclass(frozen=True, slots=True)
class Wish:
    """The model in use (or none), the usage, what the job needs, and who may sell it.

    `usage` is in units of ours or as the provider tells it; without one, a call that fills
    `context_size` stands for it. With one, `context_size` is the least context that will do. What
    `prefer` sells comes first; what costs more than `max_usd` is left out.
    """

    model: str | None = None
    provider: str | None = None
    usage: Json | None = None
    api: str | None = None
    context_size: int | None = None
    needs: object = None
    providers: tuple[str, ...] | None = None
    prefer: str | None = None
    max_usd: Decimal | None = None
    limit: int = LIMIT_DEFAULT
    at_us: int | None = None
    context: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recommended:
    """Models that would do, the best first, and what they were compared with."""

    items: tuple[Advice, ...]
    parts: tuple[Part, ...]
    needs: Needs
    bill: Bill | None
    facts: ModelFacts | None
    tier: str | None
    at_us: int


class Recommendations:
    """What to use instead."""

    def __init__(self, book: Callable[[], PriceBook], now_us: Callable[[], int]) -> None:
        self._book = book
        self._now_us = now_us

    def recommend(self, wish: Wish) -> Recommended:
        """Cheaper models that can do the job; refuses a model or a usage without a price."""
        now_us, book = self._now_us(), self._book()
        at_us = now_us if wish.at_us is None else wish.at_us
        if not 1 <= wish.limit <= LIMIT_MAX:
            raise invalid("limit", f"send 1 to {LIMIT_MAX}")
        providers = _providers(book, wish.providers)
        current = _current(book, wish, at_us, now_us)
        parts = _parts(wish, current, at_us)
        bill = None if current is None else _bill(book, current, parts, at_us, now_us)
        facts = None if current is None else known_facts(book, current.card)
        needs = needs_of(parts, facts)
        if wish.needs is not None:
            shown = replace(needs, features=needs.features - waived_in(wish.needs))
            needs = shown.and_also(needs_from_json(wish.needs))
        if wish.context_size is not None:
            needs = needs.and_also(Needs(context_tokens=wish.context_size))
        job = Job(parts, needs, 1, current, None if bill is None else bill.grains, providers)
        found = _chosen(book, wish, recommend(book, job, at_us=at_us, known_us=now_us))
        tier = None
        if current is not None:
            tier = book.tier_of(current.card.provider, current.card.model, at_us)
        return Recommended(tuple(found[: wish.limit]), parts, needs, bill, facts, tier, at_us)


def _providers(book: PriceBook, named: tuple[str, ...] | None) -> frozenset[str] | None:
    if named is None:
        return None
    wanted = frozenset(seller_id(one) if one != ANY else ANY for one in named)
    known = sellers_in(book)
    for name in sorted(wanted - known - {ANY}):
        text = f'no price of "{name}" is known; send {ANY} for all of {", ".join(sorted(known))}'
        raise invalid("providers", text)
    if not wanted:
        raise invalid("providers", f"name at least one, or {ANY}")
    return wanted


def _chosen(book: PriceBook, wish: Wish, found: list[Advice]) -> list[Advice]:
    """What costs no more than may be, the preferred seller's first."""
    if wish.max_usd is not None:
        found = [advice for advice in found if advice.usd <= wish.max_usd]
    if wish.prefer is not None:
        preferred = _providers(book, (wish.prefer,)) or frozenset()
        found.sort(key=lambda advice: seller_id(advice.card.provider) not in preferred)
    return found


def _current(book: PriceBook, wish: Wish, at_us: int, known_us: int) -> Found | None:
    if wish.model is None:
        if wish.provider is not None:
            raise invalid("model", "send the model in use too, or neither; providers narrows")
        return None
    found = book.find(wish.provider, wish.model, valid_us=at_us, known_us=known_us)
    if isinstance(found, Unknown):
        raise unknown_model(wish.provider, wish.model, found)
    return found


def _parts(wish: Wish, current: Found | None, at_us: int) -> tuple[Part, ...]:
    """The usage in units, all of it as if one model did it."""
    if wish.context_size is not None and not 0 < wish.context_size <= CONTEXT_SIZE_MAX:
        raise invalid("context_size", f"send 1 to {CONTEXT_SIZE_MAX:,}")
    question = Question(wish.model, wish.provider, wish.api, usage=wish.usage, context=wish.context)
    if wish.usage is None:
        size = wish.context_size or CONTEXT_SIZE_DEFAULT
        output = size // _OUTPUT_SHARE if _answers(current, at_us) else 0
        units = (("input", size - output), *((("output", output),) if output else ()))
        return (Part(units, context_of(wish.context)),)
    card = None if current is None else current.card
    provider, model = ("", "") if card is None else (card.provider, card.model)
    parts = metered_of(question, provider, model).parts
    return tuple(part._replace(model=None) for part in parts)


def _answers(current: Found | None, at_us: int) -> bool:
    """Whether the model in use sells tokens of output; one that embeds or ranks does not."""
    return current is None or current.card.standard(at_us=at_us).has_rate("output")


def _bill(
    book: PriceBook, current: Found, parts: tuple[Part, ...], at_us: int, known_us: int
) -> Bill:
    made = bill_of(book, current, parts, at_us=at_us, known_us=known_us)
    assert isinstance(made, Bill), "every part is of the model in use"
    return made
