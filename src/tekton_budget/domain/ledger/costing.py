"""Costing: what a usage costs, from whom that is known, and the row it is stored as."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tekton_budget.domain.allocation import Allocation
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import invalid
from tekton_budget.domain.ledger.state import State, UsageRecord
from tekton_budget.domain.money import CALL_COST_NANO_MAX, COST_NANO_MAX
from tekton_budget.domain.naming import DEPLOYED, seller_id
from tekton_budget.domain.policy import Policy, Unpriced
from tekton_budget.domain.price import Card, input_tokens, nano_half_even, with_own_part
from tekton_budget.domain.price import Unpriced as NoRate
from tekton_budget.domain.units import KIND_OF_UNIT, STANDARD, Part
from tekton_budget.domain.usage import CostSource, TokenCounts, Usage

# 2026-08-07, 20260807, 08-2026, 0807 or 2608: as providers date their models.
_DATE = re.compile(r"[-@](20\d{2}-?\d{2}-?\d{2}|\d{2}-20\d{2}|\d{4})")


class Costed(NamedTuple):
    """A usage's cost: as posted (`None` is unknown), as our book has it, and where it is from."""

    cost_nano: int | None
    book_cost_nano: int | None
    source: CostSource | None
    price_id: str | None
    provisional: bool = False
    note: str | None = None  # why it is an estimate, or not known


class Call(NamedTuple):
    """The call a usage tells of: who answered, the window it belongs to, what is known of it."""

    labels: Mapping[str, str]
    provider: str | None
    model: str | None
    placed_us: int  # its window, and the instant at which its price is valid
    known_us: int  # prices learnt later do not count
    requests: int
    asked: str | None = None  # the model of the labels


def call_of(
    usage: Usage, labels: Mapping[str, str], *, placed_us: int, known_us: int, requests: int
) -> Call:
    """The call with who really answered in the place of who was asked."""
    return Call(
        labels,
        usage.provider_used or labels.get("provider"),
        usage.model_used or labels.get("model"),
        placed_us,
        known_us,
        requests,
        labels.get("model"),
    )


def costed(
    state: State, usage: Usage, call: Call, policies: Sequence[Policy], held_nano: int
) -> Costed:
    """What is posted: the caller's cost if given, else the book's, else the best that stands in.

    Without a price, that is the model assumed where none is named, the dearest rate known where a
    policy wants it so, else all that is held for the call.
    """
    cost = _costed(state, usage, call, policies, held_nano)
    if (cost.cost_nano or 0) > CALL_COST_NANO_MAX or (cost.book_cost_nano or 0) > COST_NANO_MAX:
        raise invalid("tokens", "would cost more than any call can; check their number")
    return cost


def _costed(
    state: State, usage: Usage, call: Call, policies: Sequence[Policy], held_nano: int
) -> Costed:
    card = _card_of(state, usage, call)
    ours = None if card is None else _by_card(state, usage, call, card)
    if usage.cost_nano is not None:
        book_nano = None if ours is None else ours.cost_nano
        price_id = None if ours is None else ours.price_id
        return Costed(usage.cost_nano, book_nano, usage.cost_source, price_id)
    if ours is not None:
        return ours
    found = _by_another(state, usage, call, policies)
    if found is not None and _uncounted(usage) and (found.cost_nano or 0) <= held_nano:
        found = None  # no rate of tokens stands for what is no token; the hold was sized for it
    if found is not None:
        return found
    why = f"no price is known for {_named(call)}" if card is None else _card_lacks(card)
    if held_nano:
        note = f"{why}: all that was held for the call is charged"
        return Costed(held_nano, None, CostSource.ESTIMATED, None, provisional=True, note=note)
    return Costed(None, None, None, None, note=why)


def _named(call: Call) -> str:
    return call.model or "a call that names no model"


def _card_lacks(card: Card) -> str:
    return f"the card of {card.provider}/{card.model} has no rate for all that was used"


def _by_another(
    state: State, usage: Usage, call: Call, policies: Sequence[Policy]
) -> Costed | None:
    """By a card that stands in: of the model assumed, or the dearest where a policy wants it."""
    assumed = _assumed(state, call, policies)
    if assumed is not None:
        note = f"no model is named: {assumed.provider}/{assumed.model} is assumed"
        return _estimated(assumed, usage.counts, call, note)
    if any(p.unpriced is Unpriced.HIGHEST and p.limits.cost_nano is not None for p in policies):
        dearest = state.book.dearest_of(call.provider, at_us=call.placed_us)
        if dearest is not None:
            name = f"{dearest.provider}/{dearest.model}"
            note = f"no price is known for {_named(call)}: the dearest rate of {name} stands in"
            return _estimated(dearest, TokenCounts(other=usage.counts.total), call, note)
    return None


def _by_card(state: State, usage: Usage, call: Call, card: Card) -> Costed | None:
    """By the book: exactly where every unit used has a rate, else as an estimate, else not."""
    if not usage.parts:
        return _by_kinds(usage.counts, call, card)
    parts = with_own_part(usage.parts, call.model or "")
    cards = [_card_of_part(state, part, call, card) for part in parts]
    exact = _exactly(parts, cards, call, card)
    if exact is not None:
        return Costed(exact, exact, CostSource.BOOK, card.price_id)
    grains = _at_least(parts, cards, call, card)
    if grains is None:
        return None
    cost_nano = nano_half_even(grains)
    note = f"{_card_lacks(card)}: the dearest rate stands in"
    source = CostSource.ESTIMATED
    return Costed(cost_nano, cost_nano, source, card.price_id, provisional=True, note=note)


def _by_kinds(counts: TokenCounts, call: Call, card: Card) -> Costed | None:
    try:
        grains = card.grains_of_counts(counts, call.requests, at_us=call.placed_us)
    except NoRate:
        return None
    cost_nano = nano_half_even(grains)
    if not card.is_guess(counts, at_us=call.placed_us):
        return Costed(cost_nano, cost_nano, CostSource.BOOK, card.price_id)
    note = f"{_card_lacks(card)}, or its kind was not told: the dearest rate stands in"
    return Costed(cost_nano, cost_nano, CostSource.ESTIMATED, card.price_id, note=note)


def _card_of_part(state: State, part: Part, call: Call, card: Card) -> Card | None:
    """Its own model's, where another one than the call's did it."""
    if part.model is None or part.model == call.model:
        return card
    return _found(state, (card.provider, part.model), call)


def _exactly(
    parts: Sequence[Part], cards: Sequence[Card | None], call: Call, whole: Card
) -> int | None:
    """All parts by their own cards, added up and rounded once; `None` if one has no rate."""
    grains = 0
    fees = call.requests
    for part, card in zip(parts, cards, strict=True):
        if card is None:
            return None
        fee, fees = (fees, 0) if card is whole else (0, fees)
        try:
            grains += card.grains_of(part, at_us=call.placed_us, requests=fee)
        except NoRate:
            return None
    return nano_half_even(grains)


def _at_least(
    parts: Sequence[Part], cards: Sequence[Card | None], call: Call, whole: Card
) -> int | None:
    """Rates as far as there are, the dearest of the card for other tokens, in 10⁻³⁰ USD.

    `None` if something was used that is no token and has no rate: nothing stands in for that.
    """
    grains = call.requests * whole.standard(at_us=call.placed_us).request
    for part, own in zip(parts, cards, strict=True):
        length = input_tokens(part.units)
        tariff = (own or whole).tariff(STANDARD, at_us=call.placed_us, input_tokens=length)
        for unit, quantity in part.units:
            rate = None if own is None else tariff.grains.get(unit)
            if rate is None:
                rate = tariff.dearest if unit in KIND_OF_UNIT else None
            if rate is None:
                return None
            grains += rate * quantity
    return grains


def _uncounted(usage: Usage) -> bool:
    """Whether something was used that is no token, so that no rate of tokens stands for it."""
    return any(unit not in KIND_OF_UNIT for part in usage.parts for unit, _ in part.units)


def _card_of(state: State, usage: Usage, call: Call) -> Card | None:
    """The card of the model that answered.

    Where models are deployed under names that say more than a response does (a data zone), the
    name that was asked for decides. It stands in for a dated name of the same model too, by which
    providers answer a call of the undated one, where that has no card of its own.
    """
    found: Card | None = None
    if usage.model_is_read and seller_id(call.provider or "") in DEPLOYED:
        found = _found(state, (call.provider, call.asked), call)
    if found is None:
        found = _found(state, (call.provider, call.model), call)
    said = usage.model_used is not None and not usage.model_is_read
    if found is None and said and usage.provider_used is None:
        # The provider is that of the ask, and another one's model answered.
        found = _found(state, (None, call.model), call)
    if found is None and usage.model_is_read and _is_dated(call.model, call.asked):
        found = _found(state, (call.provider, call.asked), call)
    return found


def _is_dated(answered: str | None, asked: str | None) -> bool:
    """Whether a name is another one with a date behind it."""
    if not answered or not asked or not answered.startswith(asked):
        return False
    return _DATE.fullmatch(answered, len(asked)) is not None


def _found(state: State, name: tuple[str | None, str | None], call: Call) -> Card | None:
    provider, model = name
    if model is None:
        return None
    found = state.book.card_named(provider, model, valid_us=call.placed_us, known_us=call.known_us)
    return None if found is None else found.card


def _assumed(state: State, call: Call, policies: Sequence[Policy]) -> Card | None:
    """The card of the model that is assumed where none is named."""
    if call.model is not None:
        return None
    for name in (*(policy.assume_model for policy in policies), state.settings.assume_model):
        if name is None:
            continue
        found = state.book.card_named(None, name, valid_us=call.placed_us, known_us=call.known_us)
        if found is not None and found.card.standard(at_us=call.placed_us).dearest is not None:
            return found.card
    return None


def _estimated(card: Card, counts: TokenCounts, call: Call, note: str) -> Costed:
    grains = card.grains_of_counts(counts, call.requests, at_us=call.placed_us)
    source = CostSource.ESTIMATED
    return Costed(nano_half_even(grains), None, source, card.price_id, provisional=True, note=note)


def usage_record(
    record_id: str,
    caller: Caller,
    allocation: Allocation | None,
    usage: Usage,
    call: Call,
    cost: Costed,
    now_us: int,
    *,
    late: bool,
) -> UsageRecord:
    """The usage as stored. Its own timestamp moves reports only, where there is an allocation."""
    return UsageRecord(
        record_id=record_id,
        key_id=caller.key_id,
        allocation_id=None if allocation is None else allocation.id,
        allocation_key_id=None if allocation is None else allocation.key_id,
        at_us=now_us if usage.timestamp_us is None else usage.timestamp_us,
        placed_us=call.placed_us,
        recorded_us=now_us,
        labels=dict(call.labels),
        provider=call.provider,
        model=call.model,
        counts=usage.counts,
        reasoning_tokens=usage.reasoning_tokens,
        requests=call.requests,
        cost_nano=cost.cost_nano,
        book_cost_nano=cost.book_cost_nano,
        cost_source=cost.source,
        price_id=cost.price_id,
        measurement=usage.measurement,
        late=late,
        provisional=cost.provisional,
        operation_id=usage.operation_id,
        request_id=usage.request_id,
        metadata=usage.metadata,
        parts=usage.parts,
    )
