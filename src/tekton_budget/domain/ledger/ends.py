"""Ends that no usage comes with: what is still held is free again, or charged as an estimate."""

from collections.abc import Callable

from tekton_budget.domain.allocation import Allocation, AllocationStatus, OnExpiry
from tekton_budget.domain.answer import Expired
from tekton_budget.domain.errors import BudgetError, Conflict
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.ledger.draft import Draft
from tekton_budget.domain.ledger.family import below
from tekton_budget.domain.ledger.state import Outcome, State

Ends = Callable[[State, Allocation], Outcome]


def expired(state: State, allocation: Allocation) -> Outcome:
    """Ended by time, or with its parent: as its `on_expiry` says."""
    if allocation.on_expiry is OnExpiry.CHARGE:
        return _charged(state, allocation)
    draft = Draft(state, allocation, {})
    draft.free()
    event = Event(EventType.ALLOCATION_EXPIRED, allocation.id, "", {"released": draft.freed})
    return draft.ended(Expired(1), "expire", AllocationStatus.EXPIRED, event)


def released(state: State, allocation: Allocation) -> Outcome:
    """Given back with its parent."""
    draft = Draft(state, allocation, {})
    draft.free()
    event = Event(EventType.ALLOCATION_RELEASED, allocation.id, "", {"released": draft.freed})
    return draft.ended(Expired(1), "release", AllocationStatus.RELEASED, event)


def _charged(state: State, allocation: Allocation) -> Outcome:
    """The rest of the hold becomes spent, until measured usage arrives after all."""
    draft = Draft(state, allocation, {})
    draft.charge_rest(f"{allocation.id}~expired")  # no caller's id can have that letter
    cost_nano = draft.changed(AllocationStatus.EXPIRED).estimated_cost_nano
    event = Event(EventType.ALLOCATION_EXPIRED, allocation.id, "", {"charged_cost_nano": cost_nano})
    return draft.ended(Expired(1), "expire", AllocationStatus.EXPIRED, event)


def cascaded(
    state: State, allocation: Allocation, end: Ends, last: Callable[[State], Outcome]
) -> Outcome:
    """End all below an allocation, the deepest first, and then itself."""
    trial, parts = ended_below(state, allocation, end)
    outcome = last(trial)
    assert not isinstance(outcome.answer, BudgetError), "refused before anything has ended"
    return Outcome(outcome.answer, parts=(*parts, outcome))


def ended_below(state: State, allocation: Allocation, end: Ends) -> tuple[State, list[Outcome]]:
    """The outcomes of all below, and the state once they are applied."""
    trial, parts = state.trial(), []
    for one in below(state, allocation):
        outcome = end(trial, trial.allocations[one.key])
        trial.apply(outcome)
        parts.append(outcome)
    return trial, parts


def children_active(allocation: Allocation) -> Conflict:
    """The refusal of the end of a parent whose children still hold."""
    number = allocation.children.active
    what = "1 active child" if number == 1 else f"{number} active children"
    return Conflict(
        f"The allocation {allocation.id!r} has {what}: end them first, or send cascade: true to "
        "end them with it.",
        code="children_active",
        children=number,
    )
