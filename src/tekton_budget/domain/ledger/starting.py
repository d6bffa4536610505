"""A new policy takes over what already is: active allocations at once, older usage afterwards."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from tekton_budget.domain.allocation import Allocation, Hold
from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.balance import Balance, balance_id, parts_of
from tekton_budget.domain.estimate import counted_at_most
from tekton_budget.domain.ledger.labelling import TIER, with_tier
from tekton_budget.domain.ledger.state import ADOPTED, BACKFILL, Posting
from tekton_budget.domain.policy import Credit, Policy
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.domain.price import PriceBook
from tekton_budget.domain.usage import TokenCounts


class PastUsage(NamedTuple):
    """What a backfill needs of a usage record.

    `recorded_us` is when it arrived, and of a reversal when that came which it takes back: on a
    rolling balance the two must leave together.
    """

    record_id: str
    labels: Mapping[str, str]
    counts: TokenCounts
    cost_nano: int
    requests: int
    placed_us: int
    recorded_us: int


def adopted(
    policies: PolicySet,
    policy: Policy,
    allocations: Iterable[Allocation],
    now_us: int,
    book: PriceBook,
    parents: Mapping[tuple[str, str], Allocation] | None = None,
) -> list[tuple[Allocation, Posting]]:
    """The active allocations that a new policy concerns, each with its new hold.

    Only those made in the policy's current window: older ones belong to windows it never had.
    A child's is a part of its parent's, where that has one; so parents come first.
    """
    window = policies.window(policy, now_us)
    found = []
    for allocation in allocations:
        if not allocation.is_active:
            continue
        above = _hold_above(allocation, policy, parents or {})
        if not (policy.is_rolling or window.opens_us <= allocation.created_us):
            continue
        labels = _labels(policies, policy, allocation.labels, book, allocation.created_us)
        if not _concerns(policies, policy, labels, now_us):
            continue
        key = above or policies.concern(policy, labels, allocation.id, now_us).balance_id
        held = _still_held(policy, allocation)
        hold = Hold(key, held, policy.tokens_counted, is_part=above is not None)
        changed = replace(allocation, holds=(*allocation.holds, hold), updated_us=now_us)
        found.append((changed, Posting(key, ADOPTED, NOTHING, held)))
    return found


def _hold_above(
    allocation: Allocation, policy: Policy, parents: Mapping[tuple[str, str], Allocation]
) -> str | None:
    """The balance on which the parent holds for a policy, if it does."""
    if not allocation.ancestors:
        return None
    holds = parents[allocation.ancestors[-1]].holds
    keys = (h.balance_id for h in holds if not h.is_unheld)
    return next((key for key in keys if parts_of(key)[0] == policy.no), None)


def _concerns(policies: PolicySet, policy: Policy, labels: Mapping[str, str], at_us: int) -> bool:
    """By its number: its amounts may have been changed since it began."""
    return any(one.no == policy.no for one in policies.concerning(labels, at_us))


def _labels(
    policies: PolicySet, policy: Policy, labels: Mapping[str, str], book: PriceBook, at_us: int
) -> Mapping[str, str]:
    """What is known of an older call, its tier too: nothing may have asked for that at the time."""
    if TIER not in policies.scope_of(policy).labels() and TIER not in policy.per:
        return labels
    return with_tier(labels, book, at_us)


def _still_held(policy: Policy, allocation: Allocation) -> Amounts:
    """What the allocation would hold here now, had the policy been there when it was made."""
    kinds, rest, children = policy.tokens_counted, allocation.rest, allocation.children
    further = None if allocation.stated is None else allocation.stated.further
    taken = allocation.used.counted(kinds) + children.lent.counted(kinds)
    taken += children.used.counted(kinds)
    tokens = counted_at_most(allocation.granted_counts, kinds, further) - taken
    return Amounts(max(0, tokens), rest.cost_nano, rest.requests)


def backfill_of(
    policies: PolicySet, policy: Policy, usage: Iterable[PastUsage], book: PriceBook
) -> dict[tuple[str, int], Amounts]:
    """Older usage summed by balance (and, for a rolling policy, by moment of arrival)."""
    sums: dict[tuple[str, int], Amounts] = {}
    for row in usage:
        labels = _labels(policies, policy, row.labels, book, row.placed_us)
        if not _concerns(policies, policy, labels, row.placed_us):
            continue
        concern = policies.concern(policy, labels, row.record_id, row.placed_us)
        at_us = row.recorded_us if policy.is_rolling else 0
        key = (balance_id(policy.no, concern.window.opens_us, concern.group), at_us)
        amounts = Amounts(row.counts.counted(policy.tokens_counted), row.cost_nano, row.requests)
        sums[key] = sums.get(key, NOTHING).plus(amounts)
    return sums


def backfill_postings(sums: Mapping[tuple[str, int], Amounts]) -> list[Posting]:
    """The postings of a backfill, oldest first; on rolling balances each counts at its moment."""
    return [
        Posting(key, BACKFILL, amounts, NOTHING, at_us)
        for (key, at_us), amounts in sorted(sums.items(), key=lambda item: (item[0][1], item[0][0]))
        if amounts != NOTHING
    ]


def credits_taken_over(
    before: Policy, policy: Policy, balance: Balance, now_us: int
) -> tuple[Credit, ...]:
    """The live credit of a group's open window, for the version that comes after.

    Where that has other windows, credit ends when the window it was given for would have closed.
    """
    live = tuple(credit for credit in balance.credits if credit.live(now_us))
    if before.schedule == policy.schedule:
        return live
    length_us = policy.schedule.length_us
    longest_us = None if length_us is None else now_us + length_us
    taken = []
    for credit in live:
        ends = [
            end for end in (credit.expires_us, balance.closes_us, longest_us) if end is not None
        ]
        taken.append(replace(credit, expires_us=min(ends, default=None)))
    return tuple(taken)
