"""The other ends and turns of an allocation: release, extension and expiry."""

from dataclasses import replace

from tekton_budget.domain.allocation import LIFETIME_MAX_US, Allocation, AllocationStatus
from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.answer import Ended, Expired, Kept
from tekton_budget.domain.command import Expire, Extend, KeepAlive, Release
from tekton_budget.domain.errors import BudgetError, Conflict, invalid
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.ledger import ends
from tekton_budget.domain.ledger.draft import Draft
from tekton_budget.domain.ledger.family import below, cut_below, with_others, within_parent
from tekton_budget.domain.ledger.kept import kept_by_gateway
from tekton_budget.domain.ledger.retry import remember, remembered_answer
from tekton_budget.domain.ledger.settle import already_ended, unknown_allocation
from tekton_budget.domain.ledger.state import (
    Entry,
    Outcome,
    State,
    allocation_key,
)


def release(state: State, command: Release) -> Outcome:
    """End an allocation unused (or as far as it was used) and free its holds."""
    allocation = state.allocations.get(allocation_key(command))
    if allocation is None or not command.caller.sees(allocation.labels):
        return Outcome(unknown_allocation(command.allocation_id))
    kept = kept_by_gateway(allocation, command.caller)
    if kept is not None:
        return Outcome(kept)
    first = remembered_answer(state, command)
    is_release = allocation.status is AllocationStatus.RELEASED
    if is_release and first is not None and not isinstance(first, Conflict):
        return Outcome(first)
    if not allocation.is_active:
        return Outcome(already_ended(allocation))
    if allocation.children.active:
        if not command.cascade:
            return Outcome(ends.children_active(allocation))
        alone = replace(command, cascade=False)
        return ends.cascaded(state, allocation, ends.released, lambda trial: release(trial, alone))
    draft = Draft(state, allocation, {})
    draft.free()
    ended = draft.changed(AllocationStatus.RELEASED)
    answer = _ended(ended, draft.freed)
    event = Event(EventType.ALLOCATION_RELEASED, allocation.id, "", {"released": draft.freed})
    return draft.ended(
        answer, "release", AllocationStatus.RELEASED, event, remember(command, answer)
    )


def active_allocation(state: State, command: Extend) -> Allocation | BudgetError:
    """The allocation that is to go on longer, or with more; or why it is not this caller's to."""
    allocation = state.allocations.get(allocation_key(command))
    if allocation is None or not command.caller.sees(allocation.labels):
        return unknown_allocation(command.allocation_id)
    kept = kept_by_gateway(allocation, command.caller)
    if kept is not None:
        return kept
    if not allocation.is_active:
        return already_ended(allocation)
    lifetime_us = command.lifetime_us
    if lifetime_us is not None and not 0 < lifetime_us <= LIFETIME_MAX_US:
        return invalid("lifetime_seconds", "send 1 to 86400")
    return allocation


def extend(state: State, command: Extend) -> Outcome:
    """Move an active allocation's expiry; what it holds stays as it is.

    A child's ends at the latest with its parent's, and its children's with its own.
    """
    first = remembered_answer(state, command)
    if first is not None:
        return Outcome(first)
    allocation = active_allocation(state, command)
    if isinstance(allocation, BudgetError):
        return Outcome(allocation)
    assert command.lifetime_us is not None, "what moves nothing grows"
    expires_us = within_parent(state, allocation, state.now_us + command.lifetime_us)
    moved = replace(allocation, expires_us=expires_us, updated_us=state.now_us)
    answer = _ended(moved, NOTHING)
    event = Event(
        EventType.ALLOCATION_EXTENDED, allocation.id, "", {"expires_us": moved.expires_us}
    )
    outcome = Outcome(
        answer,
        entry=Entry("extend", allocation.key_id, allocation.id, (), str(moved.expires_us)),
        allocation=moved,
        events=(event,),
        remembered=remember(command, answer),
    )
    return with_others(outcome, cut_below(state, allocation, expires_us))


def keep_alive(state: State, command: KeepAlive) -> Outcome:
    """Move the expiry of all that still hold, in one entry; none is made to end sooner."""
    expires_us = state.now_us + command.lifetime_us
    parts = []
    found = [state.allocations.get(key) for key in dict.fromkeys(command.allocations)]
    active = [one for one in found if one is not None and one.is_active]
    trial = state.trial()
    for one in sorted(active, key=lambda one: len(one.ancestors)):  # none outlives its parent
        later_us = max(one.expires_us, within_parent(trial, one, expires_us))
        kept = replace(one, expires_us=later_us, updated_us=state.now_us)
        parts.append(Outcome(Kept(1), allocation=kept))
        trial.apply(parts[-1])
    if parts:
        detail = f"{len(parts)} until {expires_us}"
        parts[0].entry = Entry("extend", command.caller.key_id, command.id, (), detail)
    return Outcome(Kept(len(parts)), parts=tuple(parts))


def expire(state: State, command: Expire) -> Outcome:
    """End what is past its time, children before their parents."""
    trial, parts = state.trial(), []
    for key in dict.fromkeys(command.allocations):
        allocation = trial.allocations.get(key)
        if allocation is None or not allocation.is_active:
            continue
        if allocation.expires_us > state.now_us:
            continue
        for one in (*below(trial, allocation), allocation):
            outcome = ends.expired(trial, trial.allocations[one.key])
            trial.apply(outcome)
            parts.append(outcome)
    return Outcome(Expired(len(parts)), parts=tuple(parts))


def _ended(allocation: Allocation, freed: Amounts) -> Ended:
    return Ended(
        allocation_id=allocation.id,
        status=allocation.status.value,
        spent=Amounts(
            allocation.used.total,
            allocation.used_cost_nano,
            allocation.requests_of_its_own if allocation.usage_records else 0,
        ),
        released=freed,
        cost_nano=allocation.used_cost_nano,
        cost_source=None,
        record_id=None,
        expires_us=allocation.expires_us,
    )
