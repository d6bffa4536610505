"""The prices that size an ask: of its own model, or what stands in where there is none."""

from collections.abc import Sequence
from dataclasses import replace

from tekton_budget.domain.command import Allocate
from tekton_budget.domain.estimate import Prices
from tekton_budget.domain.further import Further
from tekton_budget.domain.ledger.state import State
from tekton_budget.domain.policy import Unpriced
from tekton_budget.domain.policy_set import Concern
from tekton_budget.domain.price import Card, Lack, dearest_fee, lack_of
from tekton_budget.domain.units import KIND_OF_UNIT


def prices_for(
    state: State, ask: Allocate, concerns: Sequence[Concern], at_us: int | None = None
) -> Prices:
    """The prices that size an ask, all as valid and known now, or when it was made."""
    at_us = state.now_us if at_us is None else at_us
    model, provider = ask.labels.get("model"), ask.labels.get("provider")
    own = _price(state, ask, provider, model, at_us)
    if ask.cost_nano is not None:
        return Prices(at_us, own)
    lack = None
    if own is not None:
        lack = None if ask.further is None else lack_of(own, ask.further, at_us=at_us)
        if lack is None or not lack.is_fee:
            return Prices(at_us, own, lack=lack)
    assumed: list[tuple[int, Card]] = []
    if model is None:
        for concern in concerns:
            named = _assumed(state, ask, concern.policy.assume_model, at_us)
            if named is not None:
                assumed.append((concern.policy.no, named))
    default = _assumed(state, ask, state.settings.assume_model, at_us) if model is None else None
    prices = Prices(at_us, None, default, None, tuple(assumed), lack)
    if any(concern.policy.unpriced is Unpriced.HIGHEST for concern in concerns):
        return _with_dearest(state, ask.further, provider, prices)
    return prices


def _with_dearest(
    state: State, further: Further | None, provider: str | None, prices: Prices
) -> Prices:
    """The dearest token of the provider, and beside it the dearest fee for what is no token."""
    dearest = state.book.dearest_of(provider, at_us=prices.at_us)
    if dearest is None or further is None:
        return replace(prices, dearest=dearest)
    cards, fees = state.book.current(at_us=prices.at_us, provider=provider), 0
    for unit, quantity in further.units:
        if unit not in KIND_OF_UNIT:
            fee = dearest_fee(cards, unit, at_us=prices.at_us)
            if fee is None:
                return replace(prices, lack=prices.lack or Lack(dearest, unit))
            fees += fee * quantity
    return replace(prices, dearest=dearest, fees=fees)


def _price(
    state: State, ask: Allocate, provider: str | None, model: str | None, at_us: int
) -> Card | None:
    """A card that prices tokens; one of pictures or seconds sizes only an ask for those."""
    if model is None:
        return None
    found = state.book.card_named(provider, model, valid_us=at_us, known_us=at_us)
    if found is None:
        return None
    if found.card.standard(at_us=at_us).dearest is None and not _is_without_tokens(ask):
        return None
    return found.card


def _assumed(state: State, ask: Allocate, model: str | None, at_us: int) -> Card | None:
    """The same of a model that is assumed, if it has a rate for all that is no token."""
    card = _price(state, ask, None, model, at_us)
    if card is None or ask.further is None:
        return card
    lack = lack_of(card, ask.further, at_us=at_us)
    return card if lack is None or not lack.is_fee else None


def _is_without_tokens(ask: Allocate) -> bool:
    """Whether all that it states is something else."""
    if ask.further is None or any(ask.further.counts):
        return False
    return not (ask.input_tokens or ask.max_output_tokens or ask.tokens)
