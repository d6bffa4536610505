"""Costing: what a usage costs, from whom that is known, and the row it is stored as."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tekton_budget.domain.allocation import Allocation
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import invalid
from tekton_budget.domain.ledger.state import State, UsageRecord
from tekton_budget.domain.money import CALL_COST_NANO_MAX, COST_NANO_MAX
from tekton_budget.domain.policy import Policy, Unpriced
from tekton_budget.domain.price import Price, nano_half_even
from tekton_budget.domain.usage import CostSource, TokenCounts, Usage


class Costed(NamedTuple):
    """A usage's cost: as posted (`None` is unknown), as our book has it, and where it is from."""

    cost_nano: int | None
    book_cost_nano: int | None
    source: CostSource | None
    price_id: str | None
    provisional: bool = False


UNKNOWN = Costed(None, None, None, None)


class Call(NamedTuple):
    """The call a usage tells of: who answered, the window it belongs to, what is known of it."""

    labels: Mapping[str, str]
    provider: str | None
    model: str | None
    placed_us: int  # its window, and the instant at which its price is valid
    known_us: int  # prices learnt later do not count
    requests: int


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
    price = _price_of(state, usage, call)
    book = None if price is None else nano_half_even(price.cost_atto(usage.counts, call.requests))
    price_id = None if price is None else price.price_id
    if usage.cost_nano is not None:
        return Costed(usage.cost_nano, book, usage.cost_source, price_id)
    if price is not None:
        counts = usage.counts
        guessed = (
            counts.other
            or (counts.cache_read and price.cache_read_atto is None)
            or (counts.cache_write and price.cache_write_atto is None)
        )
        return Costed(book, book, CostSource.ESTIMATED if guessed else CostSource.BOOK, price_id)
    assumed = _assumed(state, call, policies)
    if assumed is not None:
        return _estimated(assumed, assumed.cost_atto(usage.counts, call.requests))
    if any(p.unpriced is Unpriced.HIGHEST and p.limits.cost_nano is not None for p in policies):
        dearest = state.book.dearest_of(call.provider, at_us=call.placed_us)
        if dearest is not None:
            tokens = TokenCounts(other=usage.counts.total)
            return _estimated(dearest, dearest.cost_atto(tokens, call.requests))
    if held_nano:
        return Costed(held_nano, None, CostSource.ESTIMATED, None, provisional=True)
    return UNKNOWN


def _price_of(state: State, usage: Usage, call: Call) -> Price | None:
    if call.model is None:
        return None
    price = state.book.price_named(
        call.provider, call.model, valid_us=call.placed_us, known_us=call.known_us
    )
    if price is None and usage.model_used is not None and usage.provider_used is None:
        # The provider is that of the ask, and another one's model answered.
        price = state.book.price_named(
            None, call.model, valid_us=call.placed_us, known_us=call.known_us
        )
    return price


def _assumed(state: State, call: Call, policies: Sequence[Policy]) -> Price | None:
    """The price of the model that is assumed where none is named."""
    if call.model is not None:
        return None
    for name in (*(policy.assume_model for policy in policies), state.settings.assume_model):
        if name is None:
            continue
        price = state.book.price_named(None, name, valid_us=call.placed_us, known_us=call.known_us)
        if price is not None:
            return price
    return None


def _estimated(price: Price, cost_atto: int) -> Costed:
    cost_nano = nano_half_even(cost_atto)
    return Costed(cost_nano, None, CostSource.ESTIMATED, price.price_id, provisional=True)


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
    )
