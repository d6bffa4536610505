"""Credit: an amount on top for one group, once, in its current window."""

from dataclasses import replace

from tekton_budget.domain.answer import Credited
from tekton_budget.domain.command import GiveCredit
from tekton_budget.domain.errors import BudgetError, NotFound, invalid
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.ledger.retry import remember, remembered_answer
from tekton_budget.domain.ledger.state import Entry, Outcome, State, is_group
from tekton_budget.domain.policy import Credit, Policy
from tekton_budget.domain.policy_set import Concern, group_label_names


def give_credit(state: State, command: GiveCredit) -> Outcome:
    """Add an amount to one group's current window; a rolling policy's lasts for one length."""
    assert not command.amounts.any_negative, "the door refuses negative amounts"
    first = remembered_answer(state, command)
    if first is not None:
        return Outcome(first)
    policy = state.policies.current(command.policy_id)
    if policy is None:
        return Outcome(NotFound("There is no such policy in force.", code="policy_not_found"))
    refused = _refused(state, command, policy)
    if refused is not None:
        return Outcome(refused)
    return _given(state, command, policy, state.concerns(command)[0])


def _refused(state: State, command: GiveCredit, policy: Policy) -> BudgetError | None:
    if not is_group(policy, command.group):
        form = "/".join(f"<{name}>" for name in group_label_names(policy))
        text = f"must be {form}" if form else "must be left out: this policy has one group"
        return invalid("group", text)
    if command.expires_us is not None and command.expires_us <= state.now_us:
        return invalid("expires_at", "lies in the past; send a later time or leave it out")
    balance = state.balances[state.concerns(command)[0].balance_id]
    allowance = balance.allowance_at(policy, state.now_us)
    if not any(
        amount and limit is not None
        for amount, limit in zip(command.amounts, allowance, strict=True)
    ):
        text = f'"{policy.name}" does not limit this unit; credit one that it limits'
        return invalid("amount", text)
    return None


def _given(state: State, command: GiveCredit, policy: Policy, concern: Concern) -> Outcome:
    balance = state.balances[concern.balance_id]
    expires_us = command.expires_us
    if expires_us is None and policy.schedule.length_us is not None:
        expires_us = state.now_us + policy.schedule.length_us
    credit = Credit(command.id, command.amounts, expires_us, command.reason)
    after = replace(balance, credits=(*balance.credits, credit)).allowance_at(policy, state.now_us)
    answer = Credited(
        command.id,
        policy.policy_id,
        policy.name,
        concern.group,
        command.amounts,
        after,
        expires_us,
        balance.closes_us,
    )
    payload = {"group": concern.group, "amounts": command.amounts, "reason": command.reason}
    return Outcome(
        answer,
        entry=credit_entry(command.caller.key_id, concern.balance_id, credit),
        credit=(concern.balance_id, credit),
        events=(Event(EventType.CREDIT_GIVEN, policy.policy_id, policy.budget_id, payload),),
        remembered=remember(command, answer),
    )


def credit_entry(key_id: str, balance_id: str, credit: Credit) -> Entry:
    """What the journal keeps of a credit on a balance."""
    detail = f"{balance_id} {','.join(str(amount) for amount in credit.amounts)}"
    return Entry("credit", key_id, credit.credit_id, (), detail)
