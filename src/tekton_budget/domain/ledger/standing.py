"""Standings: each policy's numbers as they are told to a caller."""

from collections.abc import Mapping

from tekton_budget.domain.amounts import NOTHING, Amounts, Limits
from tekton_budget.domain.answer import Standing
from tekton_budget.domain.balance import Balance
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.decide import Judgement
from tekton_budget.domain.period import SUB_WINDOWS, sub_window_at, sub_window_closes_at
from tekton_budget.domain.policy import Policy
from tekton_budget.domain.policy_set import group_label_names
from tekton_budget.domain.scope import Scope, group_labels

Asks = Mapping[str, str | list[str]]


def resets_at(policy: Policy, balance: Balance, now_us: int) -> int | None:
    """When the window turns; of a rolling policy, when the oldest of its spending leaves."""
    length_us = policy.schedule.length_us
    if length_us is None:
        return balance.closes_us
    oldest = sub_window_at(length_us, now_us) - SUB_WINDOWS
    counting = [
        index
        for index, amounts in balance.sub_windows.items()
        if index >= oldest and amounts != NOTHING
    ]
    return sub_window_closes_at(length_us, min(counting) + SUB_WINDOWS) if counting else None


def is_hidden(caller: Caller, policy: Policy, group: str, scope: Scope | None = None) -> bool:
    """Whether a policy's numbers tell of spending that is not this key's to see.

    They are its own where the policy's scope (with its budget's) and group name all the labels that
    are forced on the key, or the key itself.
    """
    asked = policy.scope if scope is None else scope
    return bool(caller.labels) and not _is_own(caller, policy, group, asked.to_json())


def _is_own(caller: Caller, policy: Policy, group: str, asks: Asks) -> bool:
    for name, value in caller.labels.items():
        if asks.get(name) != value:
            break
    else:
        return True
    names = group_label_names(policy)
    if not names:
        return bool(caller.name) and asks.get("key") == caller.name
    named = {**asks, **group_labels(names, group)}
    if caller.name and named.get("key") == caller.name:
        return True
    return all(named.get(name) == value for name, value in caller.labels.items())


def standing_before(
    judgement: Judgement,
    balance: Balance,
    caller: Caller,
    now_us: int,
    asks: Asks,
) -> Standing:
    """The numbers that an ask was judged on."""
    concern, asked, spent, held, allowance, kept = judgement
    policy = concern.policy
    hidden = bool(caller.labels) and not _is_own(caller, policy, balance.group, asks)
    return Standing(
        policy.policy_id,
        policy.name,
        balance.group,
        policy.enforcement,
        _HIDDEN if hidden else allowance,
        NOTHING if hidden else spent,
        NOTHING if hidden else held,
        asked,
        _HIDDEN if hidden else _left(judgement.open, spent, held),
        resets_at(policy, balance, now_us),
        policy.schedule.zone,
        hidden,
        None if hidden else asks,
        NOTHING if hidden else kept,
    )


def standing_after(
    policy: Policy,
    balance: Balance,
    spent: Amounts,
    held: Amounts,
    caller: Caller,
    now_us: int,
    asks: Asks,
) -> Standing:
    """The numbers once the movements of a command are posted."""
    hidden = bool(caller.labels) and not _is_own(caller, policy, balance.group, asks)
    allowance = balance.allowance_at(policy, now_us)
    spent = balance.spent_at(now_us).plus(spent)
    held = balance.held.plus(held)
    return Standing(
        policy.policy_id,
        policy.name,
        balance.group,
        policy.enforcement,
        _HIDDEN if hidden else allowance,
        NOTHING if hidden else spent,
        NOTHING if hidden else held,
        NOTHING,
        _HIDDEN if hidden else _left(allowance, spent, held),
        resets_at(policy, balance, now_us),
        policy.schedule.zone,
        hidden,
    )


_HIDDEN = Limits()


def _left(allowance: Limits, spent: Amounts, held: Amounts) -> Limits:
    tokens, cost_nano, requests = allowance
    return Limits(
        None if tokens is None else max(0, tokens - spent[0] - held[0]),
        None if cost_nano is None else max(0, cost_nano - spent[1] - held[1]),
        None if requests is None else max(0, requests - spent[2] - held[2]),
    )
