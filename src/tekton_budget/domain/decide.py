"""The one decision this system exists for: may this call be made?"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from tekton_budget.domain.amounts import NOTHING, Amounts, Limits
from tekton_budget.domain.balance import Balance
from tekton_budget.domain.policy import PPM, Enforcement, PerMissing, Policy, kept_part
from tekton_budget.domain.policy_set import Concern


class Decision(StrEnum):
    """The one word of an answer, softest first."""

    ALLOW = "allow"
    WARN = "warn"
    DOWNGRADE = "downgrade"
    DENY = "deny"


class Judgement(NamedTuple):
    """One policy's view of an ask: what it stands at, what it allows, what is asked of it."""

    concern: Concern
    asked: Amounts
    spent: Amounts
    held: Amounts
    allowance: Limits
    kept: Amounts = NOTHING  # of the allowance, for the end and not for this ask

    @property
    def open(self) -> Limits:
        """What of the allowance this ask may use."""
        return self.allowance if self.kept is NOTHING else self.allowance.minus(self.kept)

    @property
    def policy(self) -> Policy:
        """The policy that judges."""
        return self.concern.policy

    @property
    def passed(self) -> bool:
        """Whether the ask would take any unit above its allowance; equal is fine."""
        return passes(self.open, self.spent.plus(self.held), self.asked)

    @property
    def remaining(self) -> Limits:
        """What is left before the ask; negative where facts went beyond."""
        return self.open.minus(self.spent.plus(self.held))

    @property
    def blocked_by_spent(self) -> bool:
        """Whether it would not fit even if every hold came back unused."""
        return passes(self.open, self.spent, self.asked)

    @property
    def never_fits(self) -> bool:
        """Whether the ask alone is more than all that it may ever use."""
        return passes(self.open, NOTHING, self.asked)

    @property
    def is_landing(self) -> bool:
        """Whether the ask meets the part that is kept for the end, or finds it begun."""
        part = kept_part(self.policy, self.allowance)
        if part is NOTHING:
            return False
        used = self.spent.plus(self.held)
        return any(
            kept > 0 and limit is not None and (u >= limit - kept or u + asked > limit - kept)
            for kept, limit, u, asked in zip(part, self.allowance, used, self.asked, strict=True)
        )


class Verdict(NamedTuple):
    """A decision with those policies that made it, each in the order of their numbers."""

    decision: Decision
    denied: tuple[Judgement, ...]
    downgraded: tuple[Judgement, ...]
    warned: tuple[Judgement, ...]
    bypassed: tuple[Judgement, ...]
    would_deny: tuple[Judgement, ...]


def passes(allowance: Limits, used: Amounts, asked: Amounts) -> bool:
    """Whether used and asked together exceed the allowance in any limited unit."""
    tokens, cost, requests = allowance
    return (
        (tokens is not None and used[0] + asked[0] > tokens)
        or (cost is not None and used[1] + asked[1] > cost)
        or (requests is not None and used[2] + asked[2] > requests)
    )


def _beyond(allowance: Limits, asked: Amounts, spent: Amounts, held: Amounts) -> bool:
    """The same without a sum to throw away: it is asked of every policy of every call."""
    tokens, cost, requests = allowance
    return (
        (tokens is not None and spent[0] + held[0] + asked[0] > tokens)
        or (cost is not None and spent[1] + held[1] + asked[1] > cost)
        or (requests is not None and spent[2] + held[2] + asked[2] > requests)
    )


def judge(
    concern: Concern, balance: Balance, asked: Amounts, now_us: int, *, landing: bool = False
) -> Judgement:
    """How one policy stands to an ask; `landing` says that it may use what is kept for the end."""
    policy = concern.policy
    allowance = balance.allowance_at(policy, now_us)
    return Judgement(
        concern,
        asked,
        balance.spent_at(now_us),
        balance.held,
        allowance,
        NOTHING if landing or not policy.landing_ppm else kept_part(policy, allowance),
    )


class _Side(StrEnum):
    """What one policy that is passed wants of a call."""

    LET = "let"
    DENY = "deny"
    DOWNGRADE = "downgrade"
    BYPASSED = "bypassed"
    WOULD_DENY = "would_deny"


def decide(judgements: Sequence[Judgement], *, priority: int, shadow: bool) -> Verdict:
    """All policies together; the hardest passed one speaks. `shadow` lets everything through."""
    sides: dict[_Side, list[Judgement]] = {}
    warned: list[Judgement] = []
    for judgement in judgements:
        policy = judgement.concern.policy
        if not policy.judges:
            continue
        side = _side(judgement, priority=priority, shadow=shadow)
        if side is not _Side.LET:
            sides.setdefault(side, []).append(judgement)
        if policy.enforcement is not Enforcement.IGNORE and stands_at_threshold(judgement):
            warned.append(judgement)
    if not sides:
        decision = Decision.WARN if warned else Decision.ALLOW
        return Verdict(decision, (), (), tuple(warned), (), ())
    if _Side.DENY in sides:
        decision = Decision.DENY
    elif _Side.DOWNGRADE in sides:
        decision = Decision.DOWNGRADE
    else:
        decision = Decision.WARN if warned else Decision.ALLOW
    return Verdict(
        decision,
        tuple(sides.get(_Side.DENY, ())),
        tuple(sides.get(_Side.DOWNGRADE, ())),
        tuple(warned),
        tuple(sides.get(_Side.BYPASSED, ())),
        tuple(sides.get(_Side.WOULD_DENY, ())),
    )


def _side(judgement: Judgement, *, priority: int, shadow: bool) -> _Side:
    concern, asked, spent, held, allowance, kept = judgement
    policy = concern.policy
    shadowed = shadow or policy.shadow
    if shadowed and concern.group_missing and policy.per_missing is PerMissing.DENY:
        return _Side.WOULD_DENY
    enforcement = policy.enforcement
    if enforcement is Enforcement.HARD_LIMIT:
        if kept is not NOTHING:
            allowance = allowance.minus(kept)
        if not _beyond(allowance, asked, spent, held):
            return _Side.LET
        if policy.bypass_priority is not None and priority >= policy.bypass_priority:
            return _Side.BYPASSED
        return _Side.WOULD_DENY if shadowed else _Side.DENY
    if enforcement is Enforcement.SOFT_LIMIT and not shadowed and judgement.passed:
        return _Side.DOWNGRADE
    return _Side.LET


def stands_at_threshold(judgement: Judgement) -> bool:
    """Whether the balance, after the hold, is at or above the policy's lowest threshold."""
    concern, asked, spent, held, allowance, _ = judgement
    thresholds = concern.policy.thresholds_ppm
    if not thresholds:
        return judgement.passed
    lowest = thresholds[0]
    for limit, a, s, h in zip(allowance, asked, spent, held, strict=True):
        if limit is not None and a + s + h > 0 and (a + s + h) * PPM >= limit * lowest:
            return True
    return False


def crossed(allowance: Limits, used: Amounts, thresholds_ppm: tuple[int, ...]) -> int:
    """The thresholds that `used` has reached in any unit, a bit each, lowest first."""
    bits = 0
    for limit, u in zip(allowance, used, strict=True):
        if limit is None or u <= 0:
            continue
        for position, threshold in enumerate(thresholds_ppm):
            if u * PPM >= limit * threshold:
                bits |= 1 << position
    return bits


def largest_fit(size: int, fits: Callable[[int], bool]) -> int:
    """The largest n of 0..size that fits, or -1; `fits` never turns true again as n grows."""
    low, high = -1, size
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    assert low < 0 or fits(low), "the largest fit must fit"
    assert low >= size or not fits(low + 1), "one more must not fit"
    return low
