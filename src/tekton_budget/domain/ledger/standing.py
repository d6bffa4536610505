"""Standings: each policy's numbers as they are told to a caller."""

from tekton_budget.domain.amounts import NOTHING, Amounts, Limits
from tekton_budget.domain.answer import Standing
from tekton_budget.domain.balance import Balance
from tekton_budget.domain.caller import Caller, Role
from tekton_budget.domain.decide import Judgement
from tekton_budget.domain.period import SUB_WINDOWS, sub_window_closes_at
from tekton_budget.domain.policy import Policy
from tekton_budget.domain.scope import group_labels


def resets_at(policy: Policy, balance: Balance, now_us: int) -> int | None:
    """When the window turns; of a rolling policy, when the oldest of its spending leaves."""
    if not balance.length_us:
        return balance.closes_us
    counting = [i for i, amounts in balance.sub_windows.items() if amounts != NOTHING]
    if not counting:
        return None
    leaves = sub_window_closes_at(balance.length_us, min(counting) + SUB_WINDOWS)
    return max(leaves, now_us)


def is_hidden(caller: Caller, policy: Policy, group: str) -> bool:
    """Whether a policy's numbers tell of spending that is not this key's to see."""
    if not caller.labels or caller.role in (Role.ADMIN, Role.OPERATOR):
        return False
    own = group_labels(policy.per, group) if policy.per and group else {}
    asked = policy.scope.to_json()
    return any(
        own.get(name) != value and asked.get(name) != value for name, value in caller.labels.items()
    )


def standing_before(
    judgement: Judgement, balance: Balance, caller: Caller, now_us: int
) -> Standing:
    """The numbers that an ask was judged on."""
    return _standing(
        judgement.policy,
        balance,
        judgement.allowance,
        judgement.spent,
        judgement.held,
        judgement.asked,
        caller,
        now_us,
    )


def standing_after(
    policy: Policy, balance: Balance, spent: Amounts, held: Amounts, caller: Caller, now_us: int
) -> Standing:
    """The numbers once the movements of a command are posted."""
    return _standing(
        policy,
        balance,
        balance.allowance_at(policy, now_us),
        balance.spent_at(now_us).plus(spent),
        balance.held.plus(held),
        NOTHING,
        caller,
        now_us,
    )


_HIDDEN = Limits()


def _standing(
    policy: Policy,
    balance: Balance,
    allowance: Limits,
    spent: Amounts,
    held: Amounts,
    asked: Amounts,
    caller: Caller,
    now_us: int,
) -> Standing:
    hidden = bool(caller.labels) and is_hidden(caller, policy, balance.group)
    used = spent.plus(held)
    remaining = Limits(
        *(
            None if limit is None else max(0, limit - u)
            for limit, u in zip(allowance, used, strict=True)
        )
    )
    return Standing(
        policy_id=policy.policy_id,
        name=policy.name,
        group=balance.group,
        enforcement=policy.enforcement.value,
        allowance=_HIDDEN if hidden else allowance,
        spent=NOTHING if hidden else spent,
        held=NOTHING if hidden else held,
        asked=asked,
        remaining=_HIDDEN if hidden else remaining,
        resets_us=resets_at(policy, balance, now_us),
        timezone=policy.schedule.zone,
        hidden=hidden,
    )
