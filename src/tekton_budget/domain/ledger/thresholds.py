"""Thresholds: which of them a command's movements reach for the first time in a window.

A balance keeps the highest share that was told, so that thresholds may be changed meanwhile; one
that is passed comes after all. A rolling one has no window to tell it once in, so the sub-window in
which it began to tell stands above, and what it told is forgotten when that has left the length.
"""

from collections.abc import Iterable, Sequence

from tekton_budget.domain.amounts import NOTHING, UNITS, Amounts, Limits
from tekton_budget.domain.balance import Balance
from tekton_budget.domain.decide import crossed
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.ledger.state import State
from tekton_budget.domain.period import SUB_WINDOWS, sub_window_at
from tekton_budget.domain.policy import PPM, Enforcement, Policy

Told = tuple[tuple[str, int], ...]

_BITS = 20
_MASK = (1 << _BITS) - 1
_PASSED = PPM + 1


def newly_told(
    state: State, moved: Iterable[tuple[str, Amounts]]
) -> tuple[Told, tuple[Event, ...]]:
    """For each balance and what it gains: what it then has told, and an event for what is new."""
    return _told_of(
        state,
        [
            (balance_id, gained)
            for balance_id, gained in moved
            if gained.tokens > 0 or gained.cost_nano > 0 or gained.requests > 0
        ],
    )


def untold(state: State, balance_ids: Iterable[str]) -> tuple[Told, tuple[Event, ...]]:
    """The same for balances as they stand: a threshold may have come down to them."""
    return _told_of(state, [(balance_id, NOTHING) for balance_id in balance_ids])


def standing_event(
    policy: Policy, balance: Balance, now_us: int, *, shadow: bool = False
) -> Event | None:
    """The event of the highest threshold at which a balance stands now, told or not."""
    if not _tells(policy):
        return None
    allowance, used = balance.allowance_at(policy, now_us), balance.used_at(now_us)
    highest = _reached(policy, allowance, used)[-1:]
    found = _events(policy, balance, highest, used, allowance, shadow=shadow)
    return found[0] if found else None


def _tells(policy: Policy) -> bool:
    return policy.judges and policy.enforcement is not Enforcement.IGNORE


def _told_of(state: State, moved: Sequence[tuple[str, Amounts]]) -> tuple[Told, tuple[Event, ...]]:
    told: list[tuple[str, int]] = []
    events: list[Event] = []
    for balance_id, gained in moved:
        balance = state.balances[balance_id]
        policy = state.policies.by_no.get(balance.policy_no)
        if policy is None or not _tells(policy):
            continue
        allowance = balance.allowance_at(policy, state.now_us)
        used = balance.used_at(state.now_us).plus(gained)
        known, since = _told_before(balance, state.now_us)
        new = [share for share in _reached(policy, allowance, used) if share > known]
        if new:
            told.append((balance_id, new[-1] | since << _BITS))
            shadow = state.settings.shadow
            events += _events(policy, balance, new, used, allowance, shadow=shadow)
    return tuple(told), tuple(events)


def _told_before(balance: Balance, now_us: int) -> tuple[int, int]:
    """The highest share told so far and, of a rolling balance, since which sub-window."""
    if not balance.length_us:
        return balance.told & _MASK, 0
    current, since = sub_window_at(balance.length_us, now_us), balance.told >> _BITS
    if since < current - SUB_WINDOWS:
        return 0, current
    return balance.told & _MASK, since


def _reached(policy: Policy, allowance: Limits, used: Amounts) -> list[int]:
    """The shares that are reached, the lowest first."""
    bits = crossed(allowance, used, policy.thresholds_ppm)
    shares = [share for place, share in enumerate(policy.thresholds_ppm) if bits >> place & 1]
    if any(limit is not None and u > limit for limit, u in zip(allowance, used, strict=True)):
        shares.append(_PASSED)
    return shares


def _events(
    policy: Policy,
    balance: Balance,
    new: list[int],
    used: Amounts,
    allowance: Limits,
    *,
    shadow: bool,
) -> list[Event]:
    events = []
    for share in new:
        payload = {
            "policy_id": policy.policy_id,
            "name": policy.name,
            "group": balance.group,
            "balance_id": balance.id,
            "threshold_ppm": min(share, PPM),
            "unit": _unit(share, used, allowance),
            "used": used,
            "allowance": allowance,
            "closes_us": balance.closes_us,
            "enforcement": policy.enforcement.value,
            "shadow": shadow or policy.shadow,
        }
        type_ = EventType.LIMIT_PASSED if share == _PASSED else EventType.THRESHOLD_CROSSED
        events.append(Event(type_, policy.policy_id, policy.budget_id, payload))
    return events


def _unit(share: int, used: Amounts, allowance: Limits) -> str:
    """The unit that reached it: where several did, the one that stands highest, cost first."""
    reached = [
        (u * PPM // limit if limit else PPM, unit == 1, unit)
        for unit, (limit, u) in enumerate(zip(allowance, used, strict=True))
        if limit is not None
        and (u > limit if share == _PASSED else u > 0 and u * PPM >= limit * share)
    ]
    return UNITS[max(reached)[2]]
