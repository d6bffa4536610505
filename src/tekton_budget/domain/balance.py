"""A balance: what one group of one policy has spent and holds in one window."""

from dataclasses import dataclass, field, replace

from tekton_budget.domain.amounts import NOTHING, Amounts, Limits
from tekton_budget.domain.period import SUB_WINDOWS, Period, sub_window_at
from tekton_budget.domain.policy import Credit, GroupLimits, Policy, allowance


def balance_id(policy_no: int, opens_us: int, group: str) -> str:
    """The balance's key; locks are taken in its order."""
    return f"{policy_no}:{opens_us}:{group}"


def parts_of(balance_id_: str) -> tuple[int, int, str]:
    """The policy number, the opening of the window and the group that a key is made of."""
    policy_no, opens_us, group = balance_id_.split(":", 2)
    return int(policy_no), int(opens_us), group


@dataclass(slots=True)
class Balance:
    """The working copy of one balance inside a batch; increments alone go back to the store.

    A rolling policy has one balance a group that never closes; `sub_windows` then says how much of
    `spent` came in which sixtieth of its length, and what has left the length no longer counts.
    """

    id: str
    policy_no: int
    group: str
    opens_us: int
    closes_us: int | None
    spent: Amounts = NOTHING
    held: Amounts = NOTHING
    carry: Amounts = NOTHING
    exception: GroupLimits | None = None
    credits: tuple[Credit, ...] = ()
    length_us: int = 0  # of a rolling policy
    sub_windows: dict[int, Amounts] = field(default_factory=dict)
    told: int = 0  # thresholds told in this window; see `ledger.thresholds`
    opened: bool = True  # carry and exception are settled

    def spent_at(self, now_us: int) -> Amounts:
        """What counts as spent at a moment: all of a window, or what still lies in the length."""
        if not self.length_us:
            return self.spent
        oldest = sub_window_at(self.length_us, now_us) - SUB_WINDOWS
        total = NOTHING
        for index, amounts in self.sub_windows.items():
            if index >= oldest:
                total = total.plus(amounts)
        return total

    def used_at(self, now_us: int) -> Amounts:
        """Spent and held together: what a limit is judged on."""
        return self.spent_at(now_us).plus(self.held)

    def counts_at(self, posted_us: int, now_us: int) -> bool:
        """Whether what was posted at a moment still counts at a later one."""
        if not self.length_us:
            return True
        oldest = sub_window_at(self.length_us, now_us) - SUB_WINDOWS
        return sub_window_at(self.length_us, posted_us) >= oldest

    def allowance_at(self, policy: Policy, now_us: int) -> Limits:
        """What this group may use now."""
        if self.exception is None and not self.credits and self.carry is NOTHING:
            return policy.limits
        return allowance(
            policy.limits,
            exception=self.exception,
            carry=self.carry,
            credits=self.credits,
            now_us=now_us,
        )

    def post(self, spent: Amounts, held: Amounts, at_us: int) -> None:
        """Add increments; on a rolling balance the spent part goes to the moment's sub-window."""
        self.held = self.held.plus(held)
        if spent is NOTHING:
            return
        self.spent = self.spent.plus(spent)
        if self.length_us and spent != NOTHING:
            add_to_sub_window(self.sub_windows, self.length_us, spent, at_us)

    def copy(self) -> "Balance":
        """An independent working copy."""
        return replace(self, sub_windows=dict(self.sub_windows))


def add_to_sub_window(
    sub_windows: dict[int, Amounts], length_us: int, spent: Amounts, at_us: int
) -> None:
    """Count an amount at its moment, and forget what had left the length by then."""
    index = sub_window_at(length_us, at_us)
    sub_windows[index] = sub_windows.get(index, NOTHING).plus(spent)
    for old in [known for known in sub_windows if known < index - SUB_WINDOWS]:
        del sub_windows[old]


def carry_into(
    policy: Policy, last: Balance, opens_us: int, exception: GroupLimits | None = None
) -> Amounts:
    """What an unused rest of the last touched window adds to the one that opens now.

    Idle windows in between are folded by the same rule: each would have carried its limit and carry
    in full, up to the cap. Limit and exception are those in force now; credit is spent or gone, it
    never carries. Where the last one is of this very window, the policy has been replaced in it:
    what was carried into it then stays.
    """
    if not policy.rollover or policy.schedule.period is Period.ROLLING:
        return NOTHING
    if last.opens_us == opens_us:
        return last.carry
    steps = policy.schedule.windows_between(last.opens_us, opens_us)
    limits = policy.limits if exception is None else exception.over(policy.limits)
    rest = [
        _carried(limit, carry, used, cap, steps)
        for limit, carry, used, cap in zip(
            limits, last.carry, last.spent.plus(last.held), policy.rollover_cap, strict=True
        )
    ]
    return Amounts(*rest) if any(rest) else NOTHING


def _carried(limit: int | None, carry: int, used: int, cap: int | None, steps: int) -> int:
    if limit is None or steps < 1:
        return 0
    rest = max(0, limit + carry - used) + limit * (steps - 1)
    return rest if cap is None else min(cap, rest)


def opened_balance(
    policy: Policy,
    group: str,
    *,
    opens_us: int,
    closes_us: int | None,
    last: Balance | None = None,
    exception: GroupLimits | None = None,
) -> Balance:
    """A group's balance at its first touch in a window: carry is fixed here and never revised."""
    return Balance(
        id=balance_id(policy.no, opens_us, group),
        policy_no=policy.no,
        group=group,
        opens_us=opens_us,
        closes_us=closes_us,
        carry=NOTHING if last is None else carry_into(policy, last, opens_us, exception),
        exception=exception,
        length_us=policy.schedule.length_us or 0,
    )
