"""Usage: what a call really used, posted to exactly the balances it holds; and the settled end."""

from collections.abc import Mapping
from dataclasses import replace

from tekton_budget.domain.allocation import Allocation, AllocationStatus
from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.answer import Ended, Recorded, Standing
from tekton_budget.domain.command import Record, Settle
from tekton_budget.domain.errors import BudgetError, Conflict, InvalidInput, NotFound, invalid
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.ledger import ends
from tekton_budget.domain.ledger.costing import Costed, call_of, costed, usage_record
from tekton_budget.domain.ledger.draft import Draft
from tekton_budget.domain.ledger.kept import kept_by_gateway
from tekton_budget.domain.ledger.reading import fault_of, usage_read
from tekton_budget.domain.ledger.refusal import unknown_budget
from tekton_budget.domain.ledger.retry import remember, remembered_answer
from tekton_budget.domain.ledger.standing import standing_after
from tekton_budget.domain.ledger.state import (
    UNHELD,
    Entry,
    Outcome,
    Posting,
    State,
    allocation_key,
    concerns_added,
    is_datable,
    placed_at,
)
from tekton_budget.domain.ledger.thresholds import newly_told
from tekton_budget.domain.usage import CostSource, Usage, UsageFault

_TO_RECORD = (
    "The allocation had expired, so nothing is held that could be charged: send the amounts instead"
    " (input_tokens, output_tokens, … or cost)."
)
_TO_SETTLE = (
    "Nothing was recorded: settle the allocation with this response, and what is held for it is "
    "charged as an estimate; or send the amounts instead (input_tokens, output_tokens, … or cost)."
)
_TO_COUNT = (
    "Nothing was recorded: send the amounts instead (input_tokens, output_tokens, … or cost)."
)


def settle(state: State, command: Settle) -> Outcome:
    """Close an allocation with at most one further usage; the rest of its hold is free again."""
    allocation = state.allocations.get(allocation_key(command))
    if allocation is None or not command.caller.sees(allocation.labels):
        return Outcome(unknown_allocation(command.allocation_id))
    kept = kept_by_gateway(allocation, command.caller)
    if kept is not None:
        return Outcome(kept)
    first = remembered_answer(state, command)
    if first is not None:
        if allocation.status is AllocationStatus.RELEASED or isinstance(first, Conflict):
            return Outcome(already_ended(allocation))
        return Outcome(first)
    late = allocation.status is AllocationStatus.EXPIRED and command.usage is not None
    if not allocation.is_active and not late:
        return Outcome(already_ended(allocation))
    refused: BudgetError | None = (
        _changed_labels(allocation, command)
        or _misdated(state, command.usage)
        or unknown_budget(state, command.labels.get("budget"), command.caller)
    )
    if refused is None and allocation.children.active and not command.cascade:
        refused = ends.children_active(allocation)
    if refused is not None:
        return Outcome(refused)
    if allocation.children.active:
        alone = replace(command, cascade=False)
        return ends.cascaded(state, allocation, ends.expired, lambda trial: settle(trial, alone))
    return _closed(state, command, allocation, late=late)


def _closed(state: State, command: Settle, allocation: Allocation, *, late: bool) -> Outcome:
    if command.usage is None or command.usage.response is None:
        return _settled(state, command, command.usage, allocation, late=late)
    return _settled_by_response(state, command, command.usage, allocation, late=late)


def record(state: State, command: Record) -> Outcome:
    """Post a usage: a fact, never denied."""
    first = remembered_answer(state, command)
    if first is not None:
        return Outcome(first)
    refused = _misdated(state, command.usage) or unknown_budget(
        state, command.labels.get("budget"), command.caller
    )
    if refused is not None:
        return Outcome(refused)
    if command.allocation_id is None:
        try:
            placed_us = placed_at(command.usage.timestamp_us, state.now_us)
            usage = usage_read(
                state, command.usage, command.labels, placed_us=placed_us, known_us=state.now_us
            )
        except InvalidInput as refusal:
            return Outcome(_unread(refusal, _TO_COUNT))
        return _recorded_alone(state, command, usage)
    allocation = state.allocations.get(allocation_key(command))
    if allocation is None or not command.caller.sees(allocation.labels):
        return Outcome(unknown_allocation(command.allocation_id))
    refused = kept_by_gateway(allocation, command.caller) or _changed_labels(allocation, command)
    if refused is not None:
        return Outcome(refused)
    try:
        usage = _read(state, command.usage, allocation, command.labels)
    except InvalidInput as refusal:
        return Outcome(_unread(refusal, _TO_SETTLE if allocation.is_active else _TO_COUNT))
    return _recorded(state, command, usage, allocation)


def unknown_allocation(allocation_id: str) -> NotFound:
    """The refusal of an id that is not this caller's."""
    return NotFound(
        f"There is no allocation {allocation_id!r} for this key: check the id and the key.",
        code="allocation_not_found",
    )


def already_ended(allocation: Allocation) -> Conflict:
    """The refusal of a second, different end."""
    return Conflict(
        f"The allocation {allocation.id!r} is already {allocation.status.value}. Usage that comes "
        "later is recorded by its own id: POST /api/v1/usage/record with allocation_id.",
        code="already_settled",
        status=allocation.status.value,
    )


def _changed_labels(allocation: Allocation, command: Settle | Record) -> InvalidInput | None:
    for name, value in command.labels.items():
        fixed = allocation.labels.get(name)
        if fixed is not None and fixed != value:
            return invalid(
                f"labels.{name}",
                f"is fixed as {fixed!r} since the ask; usage may add labels, not change them "
                "(model_used and provider_used say what really answered)",
                code="label_fixed",
            )
    return None


def _misdated(state: State, usage: Usage | None) -> InvalidInput | None:
    if usage is None or is_datable(usage.timestamp_us, state.now_us):
        return None
    if (usage.timestamp_us or 0) < 0:
        return invalid("timestamp", "lies before 1970; correct it or leave it out")
    return invalid("timestamp", "lies more than 5 minutes ahead; check the clock or leave it out")


def _read(state: State, sent: Usage, allocation: Allocation, labels: Mapping[str, str]) -> Usage:
    made_us = allocation.created_us
    together = {**allocation.labels, **labels}
    return usage_read(state, sent, together, placed_us=made_us, known_us=made_us)


def _unread(refusal: InvalidInput, advice: str) -> InvalidInput:
    """The refusal of a response, with what to do about it."""
    return InvalidInput(f"{refusal.detail}. {advice}", *refusal.fields, code=refusal.code)


def _settled_by_response(
    state: State, command: Settle, sent: Usage, allocation: Allocation, *, late: bool
) -> Outcome:
    try:
        usage = _read(state, sent, allocation, command.labels)
        return _settled(state, command, usage, allocation, late=late)
    except InvalidInput as refusal:
        if late:
            return Outcome(_unread(refusal, _TO_RECORD))
        return _charged(state, command, allocation, fault_of(refusal))


def _settled(
    state: State, command: Settle, usage: Usage | None, allocation: Allocation, *, late: bool
) -> Outcome:
    draft = Draft(state, allocation, command.labels)
    cost: Costed | None = None
    if usage is not None:
        caller = command.caller
        cost = draft.use(usage, command.record_id, caller, late=late, ends=True)
    else:
        draft.free()
    draft.add_unheld(concerns_added(state, allocation, command.labels))
    status = AllocationStatus.EXPIRED if late else AllocationStatus.SETTLED
    answer = Ended(
        allocation_id=allocation.id,
        status=status.value,
        released=draft.freed,
        spent=draft.spent(),
        cost_nano=draft.used_cost_nano if cost is None else cost.cost_nano,
        cost_source=_source(cost),
        record_id=None if cost is None else command.record_id,
        expires_us=allocation.expires_us,
        late=late,
        policies=draft.standings(command.caller),
        book_cost_nano=None if cost is None else cost.book_cost_nano,
        cost_note=None if cost is None else cost.note,
    )
    event = Event(
        EventType.ALLOCATION_SETTLED,
        allocation.id,
        draft.budget_id(),
        {"spent": answer.spent, "status": status.value, "late": late},
    )
    return draft.outcome(command, status, answer, event)


def _charged(state: State, command: Settle, allocation: Allocation, fault: UsageFault) -> Outcome:
    """The call was made and what it used cannot be told: all that is held for it is charged.

    It is an estimate, which the measured usage takes back when it is recorded after all.
    """
    draft = Draft(state, allocation, command.labels)
    record_id = f"{allocation.id}~unread"  # no caller's id can have that letter
    draft.charge_rest(record_id)
    draft.add_unheld(concerns_added(state, allocation, command.labels))
    ended = draft.changed(AllocationStatus.SETTLED)
    answer = Ended(
        allocation_id=allocation.id,
        status=ended.status.value,
        released=NOTHING,
        spent=draft.spent(),
        cost_nano=ended.estimated_cost_nano if allocation.cost_is_known else None,
        cost_source=CostSource.ESTIMATED.value,
        record_id=record_id,
        expires_us=allocation.expires_us,
        policies=draft.standings(command.caller),
        usage_error=fault,
    )
    event = Event(
        EventType.ALLOCATION_SETTLED,
        allocation.id,
        draft.budget_id(),
        {"spent": answer.spent, "status": answer.status, "late": False},
    )
    return draft.outcome(command, AllocationStatus.SETTLED, answer, event)


def _recorded(state: State, command: Record, usage: Usage, allocation: Allocation) -> Outcome:
    late = not allocation.is_active
    draft = Draft(state, allocation, command.labels)
    cost = draft.use(usage, command.id, command.caller, late=late)
    draft.add_unheld(concerns_added(state, allocation, command.labels))
    standings = draft.standings(command.caller)
    answer = _answer(command, usage, allocation, cost, standings, late=late)
    event = Event(
        EventType.USAGE_RECORDED,
        command.id,
        draft.budget_id(),
        {"allocation_id": allocation.id, "cost_nano": cost.cost_nano, "late": late},
    )
    return draft.outcome(command, allocation.status, answer, event)


def _recorded_alone(state: State, command: Record, usage: Usage) -> Outcome:
    now_us, caller = state.now_us, command.caller
    usage.assert_sound()
    placed_us = placed_at(usage.timestamp_us, now_us)
    concerns = state.concerns(command)
    policies = [concern.policy for concern in concerns]
    call = call_of(usage, command.labels, placed_us=placed_us, known_us=now_us, requests=1)
    cost = costed(state, usage, call, policies, 0)
    spent = [
        Amounts(usage.counts.counted(policy.tokens_counted), cost.cost_nano or 0, 1)
        for policy in policies
    ]
    standings = tuple(
        standing_after(
            concern.policy,
            state.balances[concern.balance_id],
            amounts,
            NOTHING,
            caller,
            now_us,
            state.policies.asks_of(concern.policy),
        )
        for concern, amounts in zip(concerns, spent, strict=True)
    )
    answer = _answer(command, usage, None, cost, standings, late=False)
    moved = [(c.balance_id, amounts) for c, amounts in zip(concerns, spent, strict=True)]
    told, events = newly_told(state, moved)
    budgets = {policy.budget_id for policy in policies}
    budget_id = budgets.pop() if len(budgets) == 1 else ""
    event = Event(EventType.USAGE_RECORDED, command.id, budget_id, {"cost_nano": cost.cost_nano})
    postings = tuple(Posting(key, UNHELD, amounts, NOTHING) for key, amounts in moved)
    return Outcome(
        answer,
        entry=Entry("record", caller.key_id, command.id, postings),
        usage=(usage_record(command.id, caller, None, usage, call, cost, now_us, late=False),),
        told=told,
        events=(event, *events),
        remembered=remember(command, answer),
    )


def _answer(
    command: Record,
    usage: Usage,
    allocation: Allocation | None,
    cost: Costed,
    standings: tuple[Standing, ...],
    *,
    late: bool,
) -> Recorded:
    return Recorded(
        record_id=command.id,
        allocation_id=None if allocation is None else allocation.id,
        status=None if allocation is None else allocation.status.value,
        total_tokens=usage.counts.total,
        cost_nano=cost.cost_nano,
        book_cost_nano=cost.book_cost_nano,
        cost_source=_source(cost),
        late=late,
        policies=standings,
        cost_note=cost.note,
    )


def _source(cost: Costed | None) -> str | None:
    return None if cost is None or cost.source is None else cost.source.value
