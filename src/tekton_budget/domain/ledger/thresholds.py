"""Thresholds: which of them a command's movements reach for the first time in a window."""

from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.decide import crossed
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.ledger.state import Posting, State
from tekton_budget.domain.policy import PPM


def newly_told(
    state: State, postings: tuple[Posting, ...]
) -> tuple[tuple[tuple[str, int], ...], tuple[Event, ...]]:
    """The threshold bits to set on each balance, and an event for each; one time a window."""
    told: list[tuple[str, int]] = []
    events: list[Event] = []
    for balance_id, (spent, held) in _net(postings).items():
        balance = state.balances[balance_id]
        policy = state.policies.by_no.get(balance.policy_no)
        if policy is None or not policy.judges:
            continue
        allowance = balance.allowance_at(policy, state.now_us)
        used = balance.used_at(state.now_us).plus(spent).plus(held)
        bits = crossed(allowance, used, policy.thresholds_ppm)
        if any(limit is not None and u > limit for limit, u in zip(allowance, used, strict=True)):
            bits |= 1 << len(policy.thresholds_ppm)
        new = bits & ~balance.told
        if not new:
            continue
        told.append((balance_id, new))
        for position, threshold in enumerate((*policy.thresholds_ppm, PPM)):
            if new >> position & 1:
                passed = position == len(policy.thresholds_ppm)
                type_ = EventType.LIMIT_PASSED if passed else EventType.THRESHOLD_CROSSED
                payload = {
                    "policy_id": policy.policy_id,
                    "name": policy.name,
                    "group": balance.group,
                    "balance_id": balance_id,
                    "threshold_ppm": threshold,
                    "used": used,
                    "allowance": allowance,
                    "closes_us": balance.closes_us,
                }
                events.append(Event(type_, policy.policy_id, policy.budget_id, payload))
    return tuple(told), tuple(events)


def _net(postings: tuple[Posting, ...]) -> dict[str, tuple[Amounts, Amounts]]:
    net: dict[str, tuple[Amounts, Amounts]] = {}
    for balance_id, _, spent, held in postings:
        before_spent, before_held = net.get(balance_id, (NOTHING, NOTHING))
        net[balance_id] = (before_spent.plus(spent), before_held.plus(held))
    return net
