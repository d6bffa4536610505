"""The ask: judged against every policy that concerns it, held in all of them or in none."""

from collections.abc import Sequence

from tekton_budget.domain.answer import Denial, Waiting
from tekton_budget.domain.command import Allocate
from tekton_budget.domain.decide import Verdict
from tekton_budget.domain.estimate import Prices, assert_sound, shrinkable
from tekton_budget.domain.ledger.denial import denial_of
from tekton_budget.domain.ledger.fitting import Fitting, preferred
from tekton_budget.domain.ledger.grant import granted
from tekton_budget.domain.ledger.refusal import refusal_of
from tekton_budget.domain.ledger.retry import remembered_answer
from tekton_budget.domain.ledger.state import DecisionCount, Outcome, State
from tekton_budget.domain.policy import Unpriced
from tekton_budget.domain.policy_set import Concern
from tekton_budget.domain.price import Card


def allocate(state: State, ask: Allocate) -> Outcome:
    """Grant or deny; a denial changes nothing but the count of denials, a dry run nothing at all.

    A dry run is judged afresh, whatever was answered under its id, and leaves nothing behind that
    another ask of the batch could see.
    """
    assert_sound(ask)
    if ask.dry_run:
        return Outcome(_asked(state, ask).answer)
    first = remembered_answer(state, ask)
    return _asked(state, ask) if first is None else Outcome(first)


def prices_for(state: State, ask: Allocate, concerns: Sequence[Concern]) -> Prices:
    """The prices that size an ask, all as valid and known now."""
    model, provider = ask.labels.get("model"), ask.labels.get("provider")
    own = _price(state, provider, model)
    if own is not None or ask.cost_nano is not None:
        return Prices(state.now_us, own)
    assumed: list[tuple[int, Card]] = []
    if model is None:
        for concern in concerns:
            named = _price(state, None, concern.policy.assume_model)
            if named is not None:
                assumed.append((concern.policy.no, named))
    default = _price(state, None, state.settings.assume_model) if model is None else None
    dearest = None
    if any(concern.policy.unpriced is Unpriced.HIGHEST for concern in concerns):
        dearest = state.book.dearest_of(provider, at_us=state.now_us)
    return Prices(state.now_us, None, default, dearest, tuple(assumed))


def _price(state: State, provider: str | None, model: str | None) -> Card | None:
    """A card that prices tokens; one of pictures or seconds sizes no ask."""
    if model is None:
        return None
    now_us = state.now_us
    found = state.book.card_named(provider, model, valid_us=now_us, known_us=now_us)
    if found is None or found.card.standard(at_us=now_us).dearest is None:
        return None
    return found.card


def _asked(state: State, ask: Allocate) -> Outcome:
    concerns = state.concerns(ask)
    prices = prices_for(state, ask, concerns)
    refusal = refusal_of(state, ask, concerns, prices)
    if refusal is not None:
        return Outcome(refusal)
    fitting = Fitting(state, ask, concerns, prices)
    ways = fitting.ways()
    first, last, whole = ways[0], ways[-1], shrinkable(ask)
    if not first.is_denied:
        return granted(state, ask, first.judgements, first.verdict, prices, whole)
    if ask.wait_us and fitting.awaits(ways):
        return Outcome(Waiting(ask.id))
    room = [fitting.room(way) for way in ways]
    best = preferred([fitting.of_use(way, n) for way, n in zip(ways, room, strict=True)])
    if best is None:
        denial = denial_of(state, ask, last.verdict, prices, room[-1])
        return Outcome(denial, counted=_denials(ask, last.verdict, denial))
    if not ways[best].is_denied:
        return granted(state, ask, last.judgements, last.verdict, prices, whole)
    size, denied = room[best], first.verdict.denied
    clamped = fitting.judged(size, landing=ways[best].landing)
    assert not clamped.is_denied, "what fits jointly is granted"
    return granted(state, ask, clamped.judgements, clamped.verdict, prices, size, denied)


def _denials(ask: Allocate, verdict: Verdict, denial: Denial) -> tuple[DecisionCount, ...]:
    """One count for each policy that denied."""
    labels = dict(ask.labels)
    sample: dict[str, object] = {
        "allocation_id": ask.id,
        "labels": labels,
        "detail": denial.detail,
    }
    return tuple(
        DecisionCount(j.policy.policy_id, j.concern.group, "deny", sample) for j in verdict.denied
    )
