"""The ask: judged against every policy that concerns it, held in all of them or in none."""

from collections.abc import Sequence

from tekton_budget.domain.answer import Denial
from tekton_budget.domain.command import Allocate, Fit
from tekton_budget.domain.decide import (
    Decision,
    Judgement,
    Verdict,
    decide,
    judge,
    largest_fit,
    passes,
)
from tekton_budget.domain.estimate import Prices, asked_by_each, assert_sound, shrinkable
from tekton_budget.domain.ledger.denial import denial_of
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
    size = shrinkable(ask)
    judgements = _judge_all(state, ask, concerns, prices, size)
    verdict = _decided(state, ask, judgements)
    if verdict.decision is not Decision.DENY:
        return granted(state, ask, judgements, verdict, prices, size)
    fitting = -1
    if size is not None:
        fitting = largest_fit(size, lambda n: _fits(ask, verdict.denied, prices, n))
    if ask.fit is Fit.CLAMP and fitting >= max(1, _min_grant(ask, concerns)):
        judgements = _judge_all(state, ask, concerns, prices, fitting)
        clamped = _decided(state, ask, judgements)
        assert clamped.decision is not Decision.DENY, "what fits jointly is granted"
        return granted(state, ask, judgements, clamped, prices, fitting, verdict.denied)
    denial = denial_of(state, ask, verdict, prices, fitting)
    return Outcome(denial, counted=_denials(ask, verdict, denial))


def _judge_all(
    state: State, ask: Allocate, concerns: Sequence[Concern], prices: Prices, size: int | None
) -> list[Judgement]:
    balances, now_us = state.balances, state.now_us
    asked = asked_by_each(ask, [concern.policy for concern in concerns], prices, size)
    return [
        judge(concern, balances[concern.balance_id], amounts, now_us)
        for concern, amounts in zip(concerns, asked, strict=True)
    ]


def _decided(state: State, ask: Allocate, judgements: Sequence[Judgement]) -> Verdict:
    priority = min(ask.priority, ask.caller.max_priority)
    return decide(judgements, priority=priority, shadow=state.settings.shadow)


def _fits(ask: Allocate, denied: Sequence[Judgement], prices: Prices, size: int) -> bool:
    """Whether the ask shrunk to `size` passes none of the policies that refused it whole.

    The others need no second look: what a smaller ask takes of a policy is never more.
    """
    asked = asked_by_each(ask, [judgement.policy for judgement in denied], prices, size)
    return not any(
        passes(j.allowance, j.spent.plus(j.held), amounts)
        for j, amounts in zip(denied, asked, strict=True)
    )


def _min_grant(ask: Allocate, concerns: Sequence[Concern]) -> int:
    """The least that a clamp may leave: the ask's own word, else the policies', which is tokens."""
    if ask.min_grant is not None:
        return ask.min_grant
    if ask.max_output_tokens is None and ask.tokens is None:
        return 0
    return max((c.policy.min_grant for c in concerns if c.policy.judges), default=0)


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
