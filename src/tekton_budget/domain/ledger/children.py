"""Children: asks for a part of what another allocation holds; no balance moves for that part."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tekton_budget.domain.allocation import Allocation, Hold
from tekton_budget.domain.amounts import NOTHING, Amounts, Limits
from tekton_budget.domain.answer import Grant, Standing
from tekton_budget.domain.balance import parts_of
from tekton_budget.domain.command import Allocate
from tekton_budget.domain.decide import Decision, Judgement, Verdict, judge, stands_at_threshold
from tekton_budget.domain.errors import Conflict, NotFound, invalid
from tekton_budget.domain.ledger.kept import kept_by_gateway
from tekton_budget.domain.ledger.labelling import gives_tiers, with_tier
from tekton_budget.domain.period import Window
from tekton_budget.domain.policy import Enforcement
from tekton_budget.domain.policy_set import Concern

if TYPE_CHECKING:
    from tekton_budget.domain.ledger.state import State

DEPTH_MAX = 8
_OWN_LABEL = "key"  # nobody sends it: it is the name of the key that asks


def parent_key(ask: Allocate) -> tuple[str, str]:
    """The key of the allocation that an ask wants a part of."""
    owner = ask.caller.key_id if ask.parent_key_id is None else ask.parent_key_id
    return owner, ask.parent_id or ""


def concerns_foreseen(state: "State", ask: Allocate) -> list[Concern]:
    """The concerns of a child as far as they can be told before it is its turn.

    Its parent may be made by an earlier command of the batch; of that one the labels are known.
    """
    key = parent_key(ask)
    parent = state.allocations.get(key)
    inherited = state.asks.get(key, {}) if parent is None else parent.labels
    labels = _together(state, ask, inherited)
    state.asks[ask.caller.key_id, ask.id] = labels
    if parent is not None:
        return _concerns_below(state, parent, labels, ask.id)
    held = {policy.no for policy in state.policies.concerning(inherited, state.now_us)}
    concerns = state.policies.concerns(labels, ask.id, state.now_us)
    return [concern for concern in concerns if concern.policy.no not in held]


def asked_below(state: "State", ask: Allocate) -> tuple[Allocate, list[Concern]]:
    """The ask with its parent's labels and within its parent's time, and what it concerns.

    Refuses, in this order: a parent that is not there, has ended or whose time is over, a child too
    deep, a label that the parent has otherwise, a label that the key requires and neither has.
    """
    parent = state.allocations.get(parent_key(ask))
    if parent is None or not ask.caller.sees(parent.labels):
        raise NotFound(
            f"There is no allocation {ask.parent_id!r} for this key: check parent_id and the key.",
            code="allocation_not_found",
        )
    kept = kept_by_gateway(parent, ask.caller)
    if kept is not None:
        raise kept
    now_us = state.now_us
    if not parent.is_active or parent.expires_us <= now_us:
        over = "past its time" if parent.is_active else parent.status.value
        raise Conflict(
            f"The allocation {parent.id!r} is {over}, so it has nothing to give: ask without "
            "parent_id, or for a part of another.",
            code="parent_ended",
            status=parent.status.value,
        )
    if len(parent.ancestors) >= DEPTH_MAX:
        raise invalid(
            "parent_id",
            f"is {DEPTH_MAX} allocations deep, the most there may be: ask for a part of one above",
            code="too_deep",
        )
    for name, value in ask.labels.items():
        fixed = parent.labels.get(name)
        if fixed is not None and fixed != value and name != _OWN_LABEL:
            raise invalid(
                f"labels.{name}",
                f"is {fixed!r} of the parent; a child may add labels, not change them (ask for a "
                "parent without this label)",
                code="label_fixed",
            )
    labels = _together(state, ask, parent.labels)
    ask.caller.labelled(labels)
    ends_us = min(ask.ends_at(now_us), parent.expires_us)
    complete = replace(ask, labels=labels, expires_us=ends_us)
    return complete, _concerns_below(state, parent, labels, ask.id)


def _together(state: "State", ask: Allocate, inherited: Mapping[str, str]) -> Mapping[str, str]:
    labels = {**ask.labels, **inherited}
    if not gives_tiers(state.policies, state.book):
        return labels
    return with_tier(labels, state.book, state.now_us)


def _concerns_below(
    state: "State", parent: Allocation, labels: Mapping[str, str], call_id: str
) -> list[Concern]:
    """Each of the parent's holds, and the policies in which the parent holds nothing.

    A hold judges as its policy does, and is named for the parent.
    """
    parts = [part for hold in parent.holds if (part := concern_of_part(state, parent, hold))]
    held = {part.policy.no for part in parts}
    more = state.policies.concerns(labels, call_id, state.now_us)
    return parts + [concern for concern in more if concern.policy.no not in held]


def concern_of_part(state: "State", parent: Allocation, hold: Hold) -> Concern | None:
    """A hold as what judges a part of it; `None` of one that never held."""
    policy_no, opens_us, group = parts_of(hold.balance_id)
    policy = state.policies.by_no.get(policy_no)
    if hold.is_unheld or policy is None:
        return None
    own = replace(policy, name=f"allocation {parent.id}", thresholds_ppm=(), landing_ppm=0)
    window = Window(opens_us, None)
    return Concern(own, group, window, hold.balance_id, False, parent)


def _hold_of(concern: Concern) -> Hold:
    assert concern.parent is not None, "only a part is of a hold"
    return next(hold for hold in concern.parent.holds if hold.balance_id == concern.balance_id)


def judge_part(state: "State", concern: Concern, asked: Amounts) -> Judgement:
    """How a parent's hold stands to an ask, in the units that its policy limits."""
    parent = concern.parent
    assert parent is not None, "only a part is judged by its parent"
    free, kinds, children = _hold_of(concern).held, concern.policy.tokens_counted, parent.children
    own = parent.requests_of_its_own if parent.usage_records else 0
    spent = Amounts(
        parent.used.counted(kinds) + children.used.counted(kinds),
        parent.used_cost_nano + children.used_cost_nano,
        own + children.used_requests,
    )
    held = Amounts(children.lent.counted(kinds), children.lent_cost_nano, children.lent_requests)
    limits = state.balances[concern.balance_id].allowance_at(concern.policy, state.now_us)
    whole = spent.plus(held).plus(free)
    allowance = Limits(
        *(None if limit is None else all_ for limit, all_ in zip(limits, whole, strict=True))
    )
    return Judgement(concern, asked, spent, held, allowance)


def with_thresholds(state: "State", verdict: Verdict, judgements: Sequence[Judgement]) -> Verdict:
    """The verdict with a warning of each inherited policy that stands at a threshold anyway."""
    standing = []
    for judgement in judgements:
        concern = judgement.concern
        if concern.parent is None:
            continue
        policy = state.policies.by_no[concern.policy.no]
        if not policy.judges or policy.enforcement is Enforcement.IGNORE:
            continue
        whole = concern._replace(policy=policy, parent=None)
        as_it_is = judge(whole, state.balances[concern.balance_id], NOTHING, state.now_us)
        if stands_at_threshold(as_it_is):
            standing.append(as_it_is)
    if not standing:
        return verdict
    warned = (*verdict.warned, *standing)
    decision = Decision.WARN if verdict.decision is Decision.ALLOW else verdict.decision
    return verdict._replace(decision=decision, warned=warned)


def free_of(concern: Concern, asked: Amounts) -> Amounts:
    """What a child may take of its parent's hold: what it asks, as far as there is so much."""
    return Amounts.smaller(asked, _hold_of(concern).held)


def part_of(judgement: Judgement) -> Hold:
    """The child's own hold of it."""
    concern, asked, *_ = judgement
    held = free_of(concern, asked)
    return Hold(concern.balance_id, held, concern.policy.tokens_counted, is_part=True)


def told_of_parent(state: "State", ask: Allocate, grant: Grant) -> Grant:
    """The grant with what the child has from its parent."""
    parent = state.allocations[parent_key(ask)]
    reasons = grant.reasons
    if grant.expires_us == parent.expires_us:
        reasons = (*reasons, f"it ends with its parent, allocation {parent.id}")
    return replace(grant, parent_id=parent.id, labels=ask.labels, reasons=reasons)


def lent_more(
    state: "State", before: Allocation, grown: Allocation, gains: Mapping[str, Amounts]
) -> Allocation:
    """The parent once a child has grown by so much of its holds."""
    parent = state.allocations[before.ancestors[-1]]
    known = parent.children
    counts = grown.granted_counts.minus(before.granted_counts)
    children = known._replace(
        lent=known.lent.plus(counts),
        lent_cost_nano=known.lent_cost_nano + grown.granted.cost_nano - before.granted.cost_nano,
    )
    return replace(parent, holds=_less(parent, gains), children=children, updated_us=state.now_us)


def _less(parent: Allocation, taken: Mapping[str, Amounts]) -> tuple[Hold, ...]:
    return tuple(
        hold._replace(held=hold.held.minus(taken.get(hold.balance_id, NOTHING)))
        for hold in parent.holds
    )


def lent(state: "State", ask: Allocate, child: Allocation) -> Allocation:
    """The parent once the child has its part."""
    parent = state.allocations[parent_key(ask)]
    taken = {hold.balance_id: hold.held for hold in child.holds if hold.is_part}
    known, granted = parent.children, child.granted
    own = known.own_requests
    if parent.usage_records:
        own = parent.requests_of_its_own
    children = known._replace(
        made=known.made + 1,
        active=known.active + 1,
        lent=known.lent.plus(child.granted_counts),
        lent_cost_nano=known.lent_cost_nano + granted.cost_nano,
        lent_requests=known.lent_requests + granted.requests,
        own_requests=own,
    )
    holds = _less(parent, taken)
    return replace(parent, holds=holds, children=children, updated_us=state.now_us)


def parent_standing(judgement: Judgement) -> Standing:
    """A parent that stands in the way, by its numbers: what it has given, lent and has left."""
    concern, asked, spent, held, allowance, _ = judgement
    assert concern.parent is not None, "named for its parent"
    return Standing(
        policy_id="",
        name=concern.policy.name,
        group="",
        enforcement=concern.policy.enforcement,
        allowance=allowance,
        spent=spent,
        held=held,
        asked=asked,
        remaining=judgement.remaining,
        resets_us=None,
        timezone=concern.policy.schedule.zone,
        allocation_id=concern.parent.id,
    )


def parent_advice(judgement: Judgement, unit: int) -> str:
    """What gives a child more room: less of others, or more for the parent from the start."""
    parent = judgement.concern.parent
    assert parent is not None, "advice on a parent"
    missing = judgement.asked[unit] - max(0, judgement.remaining[unit] or 0)
    if unit == 2:
        more = f"ask for it with requests: {parent.granted.requests + missing} or more"
    else:
        more = "ask for it with more"
    if parent.children.active:
        return f"It is the parent: settle or release its children that are done, or {more}."
    return f"It is the parent: {more}."
