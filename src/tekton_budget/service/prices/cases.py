"""Files of cases, run against the cards in them or the names of the book: what differs and how."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

from tekton_budget.domain.errors import FieldFault, InvalidInput
from tekton_budget.domain.naming import Alias, Resolution, Unknown
from tekton_budget.domain.naming.expectation import is_as_expected
from tekton_budget.domain.price import (
    Card,
    Found,
    PriceBook,
    card_from_json,
    moment_us,
    number_of,
)
from tekton_budget.service.prices.calculating import Calculated, Question, calculated
from tekton_budget.service.prices.unknown import unknown_price

Json = Mapping[str, Any]  # Any: JSON

COST_CASES = "cost-cases/1"
NAME_CASES = "name-cases/1"
_FOREVER_US = 1 << 60
_SUMS = Context(prec=120)  # for comparing only
_QUANTITY_MAX = 10**15
# A refusal's code → the class of error that a case may expect; the file's wording is its own.
_CLASSES = {
    "invalid_usage": "invalid usage",
    "missing_usage": "missing usage",
    "unpriced_unit": "unpriced unit",
}
_KNOWN_CLASSES = {*_CLASSES.values(), "unknown model", "unknown provider", "no price then"}


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case: what came out and what was expected, in words; `differs` is empty if they agree."""

    name: str
    outcome: str
    expected: str
    differs: str
    why: str = ""


def run_cost_cases(file: object) -> list[CaseRow]:
    """Every case of a file of costs, by the cards in the file."""
    fields, cases = _opened(file, COST_CASES)
    named = _mapping("rate_cards", fields.get("rate_cards"))
    cards = {str(name): _card(str(name), card) for name, card in named.items()}
    sound = {name: card for name, card in cards.items() if isinstance(card, Card)}
    book = PriceBook(sound.values(), mapped=_names_of(sound))
    return [_cost_row(book, cards, case, f"cases[{i}]") for i, case in enumerate(cases)]


def _card(name: str, card: object) -> Card | InvalidInput:
    """A card of the file; one that cannot be read is refused to the cases that name it."""
    try:
        return card_from_json(card, price_id=name, at=f"rate_cards.{name}.")
    except InvalidInput as fault:
        return fault


def _names_of(cards: Mapping[str, Card]) -> Iterator[Alias]:
    """The names of cards in a file, `seller/model@remark`, where their models have longer ones."""
    models = {card.model for card in cards.values()}
    for name, card in cards.items():
        short = str(name).rpartition("@")[0] or str(name)
        short = short.removeprefix(f"{card.provider}/")
        if short not in models:
            yield Alias(card.provider, short, card.provider, card.model)


def run_name_cases(file: object, book: PriceBook) -> list[CaseRow]:
    """Every name of a file, resolved and priced by a book as of the file's day."""
    fields, cases = _opened(file, NAME_CASES)
    at_us = moment_us("as_of", fields.get("as_of")) or 0
    return [_name_row(book, case, at_us, f"cases[{i}]") for i, case in enumerate(cases)]


def _cost_row(
    book: PriceBook, cards: Mapping[str, Card | InvalidInput], case: Json, at: str
) -> CaseRow:
    expected = _mapping(f"{at}.expected", case.get("expected") or {})
    name = str(case.get("id", at))
    wanted = str(expected.get("error", expected.get("cost_usd", "")))
    try:
        done = _costed(book, cards, case, at)
    except InvalidInput as refusal:
        if refusal.code == "invalid_file":
            raise
        return _refused(name, wanted, expected, _class_of(refusal), refusal.detail)
    why = "; ".join(reason for charge in done.bill.charges for reason in charge.why)
    differs = "; ".join(_differences(done, expected, at))
    return CaseRow(name, f"{done.bill.usd:f}", wanted, differs, why)


def _costed(
    book: PriceBook, cards: Mapping[str, Card | InvalidInput], case: Json, at: str
) -> Calculated:
    at_us = moment_us(f"{at}.at", case.get("at")) or 0
    provider, model = _text(case, "provider", at), _text(case, "model", at) or ""
    found: Found | None = None
    card_name = _text(case, "rate_card", at)
    if card_name is not None:
        if card_name not in cards:
            raise _broken(f"{at}.rate_card", f"there is no rate card {card_name!r} in the file")
        card = cards[card_name]
        if isinstance(card, InvalidInput):
            raise card
        if not card.is_valid(at_us):
            raise unknown_price(provider, model, Unknown("no price then"))
        found = Found(card, Resolution(card.provider, card.model, None, (f"card {card_name}",)))
    question = Question(
        model=model,
        provider=provider,
        api=_text(case, "api", at),
        response=_answered(case),
        usage=None if case.get("usage") is None else _mapping(f"{at}.usage", case["usage"]),
        context=_mapping(f"{at}.context", case.get("context") or {}),
    )
    return calculated(book, question, at_us=at_us, known_us=_FOREVER_US, found=found)


def _answered(case: Json) -> Any:  # Any: JSON of whatever kind a case tries
    """The response of a case, or the frames of its stream; one without any has told no usage."""
    response = case.get("response")
    return {} if response is None and case.get("usage") is None else response


def _refused(name: str, wanted: str, expected: Json, error: str, detail: str) -> CaseRow:
    outcome = f"refused: {error}"
    if not expected:
        return CaseRow(name, outcome, wanted, "", detail)
    if "error" not in expected:
        return CaseRow(name, outcome, wanted, f"expected a cost, got {error}", detail)
    # The class of error may be worded in any way; one of our own words must be the right one.
    if wanted != error and wanted in _KNOWN_CLASSES:
        return CaseRow(name, outcome, wanted, f"expected {wanted}, got {error}", detail)
    return CaseRow(name, outcome, wanted, "", detail)


def _class_of(refusal: InvalidInput) -> str:
    return str(refusal.extra.get("reason") or _CLASSES.get(refusal.code, refusal.code))


def _differences(done: Calculated, expected: Json, at: str) -> Iterator[str]:
    if "error" in expected:
        yield f"expected {expected['error']}, got a cost"
        return
    if "cost_usd" in expected:
        wanted = number_of(f"{at}.expected.cost_usd", expected["cost_usd"])
        if done.bill.usd != wanted:
            yield f"cost {done.bill.usd:f}, expected {wanted:f}"
    if "components" in expected:
        charged = (one for charge in done.bill.charges for one in charge.components)
        ours = _together((one.unit, Decimal(one.quantity), one.usd) for one in charged)
        theirs = _together(_expected_components(expected["components"], at))
        for one in sorted(ours - theirs):
            yield f"has {_in_words(one)}"
        for one in sorted(theirs - ours):
            yield f"lacks {_in_words(one)}"
    billed = expected.get("billed_by_provider_usd")
    ours_billed = done.metered.billed_usd
    if (
        billed is not None
        and ours_billed is not None
        and ours_billed != number_of(f"{at}.expected.billed_by_provider_usd", billed)
    ):
        yield f"billed {ours_billed:f}, expected {billed}"


_Told = tuple[str, Decimal, Decimal]


def _together(components: Iterable[_Told]) -> set[_Told]:
    """Each unit once, as files list them, though a call may be answered in several steps."""
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for unit, quantity, usd in components:
        before, paid = found.get(unit, (Decimal(0), Decimal(0)))
        found[unit] = _SUMS.add(before, quantity), _SUMS.add(paid, usd)
    return {(unit, quantity, usd.normalize(_SUMS)) for unit, (quantity, usd) in found.items()}


def _expected_components(components: object, at: str) -> Iterator[_Told]:
    for i, one in enumerate(_sequence(f"{at}.expected.components", components)):
        place = f"{at}.expected.components[{i}]"
        _mapping(place, one)
        quantity = number_of(f"{place}.quantity", one.get("quantity"))
        if abs(quantity) > _QUANTITY_MAX:
            raise _broken(f"{place}.quantity", f"must be at most {_QUANTITY_MAX:,}")
        if quantity:
            usd = number_of(f"{place}.usd", one.get("usd"))
            yield str(one.get("unit")), quantity, usd


def _in_words(one: _Told) -> str:
    return f"{one[1]:,f} {one[0]} for {one[2]:f} USD"


def _name_row(book: PriceBook, case: Json, at_us: int, at: str) -> CaseRow:
    name = _text(case, "name", at)
    if name is None:
        raise _broken(f"{at}.name", "send the name")
    provider = _text(case, "provider_hint" if "provider_hint" in case else "provider", at)
    found = book.resolver.resolve(provider, name, at_us)
    answer = None if case.get("answer") is None else _mapping(f"{at}.answer", case["answer"])
    wanted = "unknown" if answer is None else f"{answer.get('provider')}/{answer.get('model')}"
    if isinstance(found, Unknown):
        hint = ", ".join(found.suggestions)
        differs = "" if answer is None else f"expected {wanted}, is unknown"
        return CaseRow(name, found.reason, wanted, differs, hint)
    region = "" if found.region is None else f" ({found.region})"
    outcome, why = f"{found.provider}/{found.model}{region}", ", ".join(found.path)
    if answer is None:
        return CaseRow(name, outcome, wanted, "expected to be unknown", why)
    differs = "; ".join(_name_differences(book, found, answer, at_us, at))
    return CaseRow(name, outcome, wanted, differs, why)


def _name_differences(
    book: PriceBook, found: Resolution, answer: Json, at_us: int, at: str
) -> Iterator[str]:
    seller, model = str(answer.get("provider")), str(answer.get("model"))
    if not is_as_expected(book.resolver, found, seller, model, at_us):
        yield f"expected {seller}/{model}"
    for unit in ("input", "output"):
        told = answer.get(f"{unit}_usd_per_mtok")
        if told is None:
            continue
        wanted = number_of(f"{at}.answer.{unit}_usd_per_mtok", told)
        rate = _rate(book, found, unit, at_us)
        if rate != wanted:
            yield f"{unit} {'unknown' if rate is None else f'{rate:f}'}, expected {wanted:f}"


def _rate(book: PriceBook, found: Resolution, unit: str, at_us: int) -> Decimal | None:
    """The rate of a model on a day; of one that was retired before, the last."""
    key = found.provider, found.model
    card = book.card_at(key, valid_us=at_us, known_us=_FOREVER_US, region=found.region)
    if card is None:
        ends = [one.valid_to_us or 0 for one in book.history(key)]
        last_us = max((end for end in ends if 0 < end <= at_us), default=0) - 1
        card = book.card_at(key, valid_us=last_us, known_us=_FOREVER_US, region=found.region)
    return None if card is None else card.standard(at_us=at_us).per_million(unit)


def _opened(file: object, known: str) -> tuple[Json, Sequence[Json]]:
    fields = _mapping("file", file)
    if fields.get("format") != known:
        raise _broken(
            "format", f'is {fields.get("format")!r}; send a file with "format": "{known}"'
        )
    cases = _sequence("cases", fields.get("cases"))
    for i, case in enumerate(cases):
        _mapping(f"cases[{i}]", case)
    return fields, cases


def _text(case: Json, name: str, at: str) -> str | None:
    value = case.get(name)
    if not isinstance(value, str | None):
        raise _broken(f"{at}.{name}", "must be a text, or null")
    return value


def _mapping(field: str, value: object) -> Json:
    if not isinstance(value, Mapping):
        raise _broken(field, "must be an object")
    return value


def _sequence(field: str, value: object) -> Sequence[Any]:  # Any: JSON
    if not isinstance(value, list):
        raise _broken(field, "must be a list")
    return value


def _broken(field: str, message: str) -> InvalidInput:
    return InvalidInput(f"{field}: {message}", FieldFault(field, message), code="invalid_file")
