"""The ask: judged against every policy that concerns it, held in all of them or in none."""

from tekton_budget.domain.answer import Denial, Waiting
from tekton_budget.domain.command import Allocate
from tekton_budget.domain.decide import Verdict
from tekton_budget.domain.estimate import assert_sound, shrinkable
from tekton_budget.domain.ledger.children import asked_below
from tekton_budget.domain.ledger.denial import denial_of
from tekton_budget.domain.ledger.fitting import Fitting, preferred
from tekton_budget.domain.ledger.grant import granted
from tekton_budget.domain.ledger.pricing import prices_for
from tekton_budget.domain.ledger.refusal import refusal_of
from tekton_budget.domain.ledger.retry import remembered_answer
from tekton_budget.domain.ledger.state import DecisionCount, Outcome, State


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


def _asked(state: State, ask: Allocate) -> Outcome:
    if ask.parent_id is None:
        concerns = state.concerns(ask)
    else:
        ask, concerns = asked_below(state, ask)
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
        in_the_way = frozenset(j.concern.balance_id for j in first.verdict.denied)
        return Outcome(Waiting(ask.id, in_the_way))
    room = [fitting.room(way) for way in ways]
    best = preferred([fitting.of_use(way, n) for way, n in zip(ways, room, strict=True)])
    if best is None:
        least = fitting.at_least()
        if least is not None:  # what is denied is the least that would have been taken
            ask, last = least.ask, least.judged(least.whole, landing=last.landing)
        denial = denial_of(state, ask, last.verdict, prices, room[-1])
        return Outcome(
            denial, counted=() if ask.quiet else denial_counts(ask, last.verdict, denial)
        )
    if not ways[best].is_denied:
        return granted(state, ask, last.judgements, last.verdict, prices, whole)
    size, denied = room[best], first.verdict.denied
    clamped = fitting.judged(size, landing=ways[best].landing)
    assert not clamped.is_denied, "what fits jointly is granted"
    return granted(state, ask, clamped.judgements, clamped.verdict, prices, size, denied)


def denial_counts(ask: Allocate, verdict: Verdict, denial: Denial) -> tuple[DecisionCount, ...]:
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
