"""The grant: what is held where for a call that may be made, and all that tells of it."""

from collections.abc import Sequence
from dataclasses import replace

from tekton_budget.domain.allocation import Allocation, AllocationStatus, Hold, Stated
from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.answer import Grant, PinnedPrice, Standing
from tekton_budget.domain.command import Allocate, Landing
from tekton_budget.domain.decide import Judgement, Verdict
from tekton_budget.domain.errors import invalid
from tekton_budget.domain.estimate import Prices, cost_by, counts_of, shrinkable
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.ledger.children import lent, part_of, told_of_parent
from tekton_budget.domain.ledger.denial import alternatives_to, tightest_first
from tekton_budget.domain.ledger.family import with_others
from tekton_budget.domain.ledger.retry import remember
from tekton_budget.domain.ledger.standing import standing_after
from tekton_budget.domain.ledger.state import (
    ADOPTED,
    BYPASSED,
    SHADOW,
    DecisionCount,
    Entry,
    Outcome,
    Posting,
    State,
)
from tekton_budget.domain.ledger.thresholds import newly_told
from tekton_budget.domain.money import CALL_COST_NANO_MAX
from tekton_budget.domain.policy import Status
from tekton_budget.domain.price import Card


def granted(
    state: State,
    ask: Allocate,
    judgements: Sequence[Judgement],
    verdict: Verdict,
    prices: Prices,
    size: int | None,
    clamped_by: Sequence[Judgement] = (),
) -> Outcome:
    """Hold an ask of that size everywhere; `clamped_by` are those that the whole of it passed."""
    grant = _grant(state, ask, judgements, verdict, prices, size)
    others: list[Allocation] = []
    postings = tuple(
        Posting(j.concern.balance_id, reason_of(j, verdict), NOTHING, j.asked)
        for j in judgements
        if j.concern.parent is None
    )
    warned = [j for j in verdict.warned if j.concern.parent is None]
    told, events = newly_told(state, [(j.concern.balance_id, j.asked) for j in warned])
    budgets = {j.concern.policy.budget_id for j in judgements}
    payload: dict[str, object] = {
        "decision": grant.decision,
        "granted": grant.granted,
        "expires_us": grant.expires_us,
    }
    budget_id = budgets.pop() if len(budgets) == 1 else ""
    made = _allocation(ask, judgements, grant, prices.own, size)
    if ask.parent_id is not None:
        parent = lent(state, ask, made)
        made = replace(made, ancestors=(*parent.ancestors, parent.key))
        grant = told_of_parent(state, ask, grant)
        payload["parent_id"] = parent.id
        others = [parent]
    outcome = Outcome(
        grant,
        entry=Entry("allocate", ask.caller.key_id, ask.id, postings),
        allocation=made,
        created=True,
        told=told,
        events=(Event(EventType.ALLOCATION_CREATED, ask.id, budget_id, payload), *events),
        counted=decision_counts(ask, judgements, verdict, clamped_by),
        remembered=remember(ask, grant),
    )
    return with_others(outcome, others)


def _grant(
    state: State,
    ask: Allocate,
    judgements: Sequence[Judgement],
    verdict: Verdict,
    prices: Prices,
    size: int | None,
) -> Grant:
    counts = counts_of(ask, size)
    costs = [j.asked.cost_nano for j in judgements]
    if not costs:
        price = prices.own or prices.assumed or prices.dearest
        costs = [cost_by(ask, counts, size, price, prices)]
    if max(costs) > CALL_COST_NANO_MAX:
        raise invalid("tokens", "may cost more than any call can; check their number")
    whole = shrinkable(ask)
    return Grant(
        ask.id,
        verdict.decision.value,
        Amounts(counts.total, max(costs), ask.requests),
        size if ask.max_output_tokens is not None else None,
        state.now_us,
        ask.ends_at(state.now_us),
        _standings(state, ask, judgements),
        _pinned(prices.own, state.now_us),
        _reasons(state, ask, verdict, prices),
        tuple(j.policy.name for j in verdict.would_deny),
        tuple(j.policy.name for j in verdict.bypassed),
        whole if size != whole else None,
        any(_is_provisional(j, prices) for j in judgements) if prices.is_partial else False,
        ask.dry_run,
        ask.labels.get("tier"),
        _is_landing(state, judgements),
    )


def _allocation(
    ask: Allocate,
    judgements: Sequence[Judgement],
    grant: Grant,
    price: Card | None,
    size: int | None,
) -> Allocation:
    return Allocation(
        key_id=ask.caller.key_id,
        id=ask.id,
        status=AllocationStatus.ACTIVE,
        labels=ask.labels,
        granted=grant.granted,
        max_output_tokens=grant.max_output_tokens,
        created_us=grant.created_us,
        expires_us=grant.expires_us,
        holds=tuple(
            Hold(j.concern.balance_id, j.asked, j.concern.policy.tokens_counted)
            if j.concern.parent is None
            else part_of(j)
            for j in judgements
        ),
        on_expiry=ask.on_expiry,
        priority=ask.priority,
        price_id=None if price is None else price.price_id,
        decision=grant.decision,
        updated_us=grant.created_us,
        metadata=ask.metadata,
        stated=_stated(ask, grant, size),
    )


def _stated(ask: Allocate, grant: Grant, size: int | None) -> Stated:
    return Stated(
        ask.input_tokens,
        grant.max_output_tokens,
        None if ask.tokens is None else size,
        None if ask.cost_nano is None else grant.granted.cost_nano,
        ask.further,
        ask.landing is Landing.MAY or (ask.landing is Landing.AUTO and grant.landing),
        ask.caller.in_gateway,
    )


def _standings(
    state: State, ask: Allocate, judgements: Sequence[Judgement]
) -> tuple[Standing, ...]:
    caller, now_us, policies = ask.caller, state.now_us, state.policies
    return tuple(
        standing_after(
            concern.policy if concern.parent is None else policies.by_no[concern.policy.no],
            state.balances[concern.balance_id],
            NOTHING,
            asked if concern.parent is None else NOTHING,
            caller,
            now_us,
            policies.asks_of(concern.policy),
        )
        for concern, asked, *_ in judgements
    )


def reason_of(judgement: Judgement, verdict: Verdict) -> str:
    """Why this hold may lift its balance above the allowance, if it may."""
    if judgement.policy.status is Status.STARTING:
        return ADOPTED
    if any(judgement is one for one in verdict.bypassed):
        return BYPASSED
    return SHADOW if any(judgement is one for one in verdict.would_deny) else ""


def _is_landing(state: State, judgements: Sequence[Judgement]) -> bool:
    """Whether a policy is down to what it keeps for the end; one in shadow changes no call."""
    return not state.settings.shadow and any(
        j.is_landing
        for j in judgements
        if j.policy.landing_ppm and j.policy.judges and not j.policy.shadow
    )


def _is_provisional(judgement: Judgement, prices: Prices) -> bool:
    """Whether the dearest known rate stands in for a price in this hold."""
    price = prices.price_for(judgement.policy)
    return price is not None and (price is prices.dearest or prices.lack is not None)


def _pinned(card: Card | None, now_us: int) -> PinnedPrice | None:
    if card is None:
        return None
    rates = card.standard(at_us=now_us)
    return PinnedPrice(
        card.price_id,
        card.provider,
        card.model,
        card.valid_from_us,
        rates.per_million("input"),
        rates.per_million("output"),
    )


def _reasons(state: State, ask: Allocate, verdict: Verdict, prices: Prices) -> tuple[str, ...]:
    """In words, softest advice last to be found: what each policy has to say of this call."""
    reasons = []
    if verdict.downgraded:
        cheaper = alternatives_to(state, ask, verdict.downgraded, prices)
        advice = (
            f"make a cheaper call, for example {cheaper[0]}" if cheaper else "make a cheaper call"
        )
        reasons += [f'"{j.policy.name}" would be passed: {advice}' for j in verdict.downgraded]
    reasons += [f'"{j.policy.name}" stands at or above its threshold' for j in verdict.warned]
    reasons += [f'"{j.policy.name}" is passed by priority' for j in verdict.bypassed]
    reasons += [f'"{j.policy.name}" would deny this call' for j in verdict.would_deny]
    return tuple(reasons)


def decision_counts(
    ask: Allocate,
    judgements: Sequence[Judgement],
    verdict: Verdict,
    clamped_by: Sequence[Judgement],
) -> tuple[DecisionCount, ...]:
    """Would-be denials, clamps and calls without a policy are counted beside the real denials."""
    if judgements and not verdict.would_deny and not clamped_by:
        return ()
    sample: dict[str, object] = {"allocation_id": ask.id, "labels": dict(ask.labels)}
    if not judgements:
        return (DecisionCount("", "", "unbudgeted", sample),)
    counts = [(one, "would_deny") for one in verdict.would_deny]
    counts += [(one, "clamp") for one in tightest_first(clamped_by)[:1]]
    return tuple(
        DecisionCount(one.policy.policy_id, one.concern.group, decision, sample)
        for one, decision in counts
    )
