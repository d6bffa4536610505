"""Balance views: one policy, group and window with its numbers, as it is shown to a key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tekton_budget.domain.amounts import NOTHING, UNLIMITED, Amounts, Limits
from tekton_budget.domain.balance import Balance
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.ledger.standing import is_hidden, resets_at
from tekton_budget.domain.policy import PPM, Enforcement, Policy, kept_part
from tekton_budget.domain.policy_set import PolicySet, group_label_names
from tekton_budget.domain.scope import group_labels

_ENFORCING = (Enforcement.HARD_LIMIT, Enforcement.SOFT_LIMIT)


@dataclass(frozen=True, slots=True)
class BalanceView:
    """The numbers of one balance. Hidden ones tell of others' spending and are left out."""

    balance_id: str
    policy_id: str
    name: str
    budget_id: str
    enforcement: Enforcement
    judges: bool
    shadow: bool
    period: str
    timezone: str
    group: str
    labels: Mapping[str, str]  # that the group stands for
    opens_us: int
    closes_us: int | None
    allowance: Limits
    spent: Amounts
    held: Amounts
    remaining: Limits  # negative where facts went beyond
    share_ppm: int | None  # used of the allowance, in the unit that stands highest
    resets_us: int | None
    carry: Amounts = NOTHING
    credit: Amounts = NOTHING
    landing: Amounts = NOTHING  # of the allowance, kept for calls that are told to finish
    is_exception: bool = False
    hidden: bool = False


def view_of(
    policies: PolicySet, policy: Policy, balance: Balance, caller: Caller, now_us: int
) -> BalanceView:
    """A balance as a key may see it; a closed window as it stood at its end."""
    closed = balance.closes_us is not None and balance.closes_us <= now_us
    at_us = balance.closes_us - 1 if balance.closes_us is not None and closed else now_us
    hidden = is_hidden(caller, policy, balance.group, policies.scope_of(policy))
    allowance = UNLIMITED if hidden else balance.allowance_at(policy, at_us)
    spent = NOTHING if hidden else balance.spent_at(at_us)
    held = NOTHING if hidden else balance.held
    credit = NOTHING
    for one in balance.credits:
        if one.live(at_us) and not hidden:
            credit = credit.plus(one.amounts)
    names = group_label_names(policy)
    used = spent.plus(held)
    return BalanceView(
        balance_id=balance.id,
        policy_id=policy.policy_id,
        name=policy.name,
        budget_id=policy.budget_id,
        enforcement=policy.enforcement,
        judges=policy.judges,
        shadow=policy.shadow,
        period=policy.schedule.period.value,
        timezone=policy.schedule.zone,
        group=balance.group,
        labels=group_labels(names, balance.group) if names else {},
        opens_us=balance.opens_us,
        closes_us=balance.closes_us,
        allowance=allowance,
        spent=spent,
        held=held,
        remaining=allowance.minus(used),
        share_ppm=share_ppm(allowance, used),
        resets_us=resets_at(policy, balance, at_us),
        carry=NOTHING if hidden else balance.carry,
        credit=credit,
        landing=kept_part(policy, allowance),
        is_exception=balance.exception is not None,
        hidden=hidden,
    )


def share_ppm(allowance: Limits, used: Amounts) -> int | None:
    """How much is used of what is allowed, in the unit that stands highest; of 0, all is."""
    shares = [
        max(0, u) * PPM // limit if limit > 0 else PPM
        for limit, u in zip(allowance, used, strict=True)
        if limit is not None
    ]
    return max(shares, default=None)


def is_enforced(view: BalanceView) -> bool:
    """Whether it may stand in a call's way, and its numbers may be seen."""
    return view.judges and not view.shadow and not view.hidden and view.enforcement in _ENFORCING


def binding(views: Iterable[BalanceView]) -> BalanceView | None:
    """The limit that the next call meets first, of those that are enforced and may be seen.

    In each unit that is the one with the least left; of these the one whose share stands highest.
    """
    enforced = [view for view in views if is_enforced(view)]
    least: list[BalanceView] = []
    for unit in range(len(NOTHING)):
        limited = [(rest, v) for v in enforced if (rest := v.remaining[unit]) is not None]
        if limited:
            least.append(min(limited, key=lambda pair: pair[0])[1])
    return max(least, key=lambda view: view.share_ppm or 0, default=None)
