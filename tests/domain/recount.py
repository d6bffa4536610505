"""The ledger counted by brute force: every balance anew, from all usage and all active holds.

It knows nothing of postings, increments or folds; it is what the ledger must always come to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tekton_budget.domain.amounts import Limits
from tekton_budget.domain.period import SUB_WINDOWS, sub_window_at
from tekton_budget.domain.policy import GroupLimits, Policy

Counted = tuple[int, int, int]  # tokens, cost, requests
ZERO: Counted = (0, 0, 0)


@dataclass
class Call:
    """An allocation: what it was granted, and the policies it holds on."""

    labels: Mapping[str, str]
    made_us: int
    tokens: Mapping[str, int]  # granted, by kind
    cost: int
    requests: int
    policies: set[str]
    charges: bool = False
    lands: bool = False  # it may use what is kept for the end
    active: bool = True
    parent: str | None = None
    parts: set[str] = field(default_factory=set)  # policies in which it holds of its parent
    accounts: dict[str, Counted] | None = None  # what it holds, kept step by step in a family
    charged: dict[str, Counted] = field(default_factory=dict)
    records: int = 0  # usages that stand; kept in a family


@dataclass
class Use:
    """A usage, or what stands in for one, with what each policy counts of it."""

    labels: Mapping[str, str]
    placed_us: int
    arrived_us: int
    counts: dict[str, Counted]  # by policy
    call: str | None = None
    stands_in: bool = False  # charged by an expiry, until measured usage arrives
    raw_tokens: Mapping[str, int] = field(default_factory=dict)
    raw_cost: int = 0
    raw_requests: int = 0
    homes: dict[str, tuple[Mapping[str, str], int]] = field(default_factory=dict)  # if not its own

    def home(self, policy: str) -> tuple[Mapping[str, str], int]:
        """The labels and the moment by which a policy counts it."""
        return self.homes.get(policy, (self.labels, self.placed_us))


@dataclass
class Given:
    """A credit: for one window, until it ends."""

    policy: str
    group: str
    opens_us: int
    amounts: Counted
    ends_us: int | None


@dataclass
class Recount:
    """All that ever happened, as plain lists."""

    policies: dict[str, Policy]
    calls: dict[str, Call] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    carries: dict[tuple[str, str], dict[int, Counted]] = field(default_factory=dict)
    exceptions: dict[tuple[str, str], GroupLimits] = field(default_factory=dict)
    credits: list[Given] = field(default_factory=list)

    def spent(self, name: str, group: str, at_us: int, now_us: int) -> Counted:
        """All usage in the window of a moment; of a rolling policy, all that came of late."""
        policy, total = self.policies[name], ZERO
        for use in self.uses:
            labels, placed_us = use.home(name)
            if name in use.counts and group_in(policy, labels) == group:
                length_us = policy.schedule.length_us
                if length_us is not None:
                    age = sub_window_at(length_us, now_us) - sub_window_at(
                        length_us, use.arrived_us
                    )
                    counts = age <= SUB_WINDOWS
                else:
                    counts = opening(policy, placed_us) == opening(policy, at_us)
                total = plus(total, use.counts[name]) if counts else total
        return total

    def held(self, name: str, group: str, at_us: int) -> Counted:
        """What active calls of that window were granted and have not yet used."""
        policy, total = self.policies[name], ZERO
        for id_, call in self.calls.items():
            labels, made_us = self.home(id_, name)
            mine = call.active and name in call.policies and group_in(policy, labels) == group
            if mine and opening(policy, made_us) == opening(policy, at_us):
                total = plus(total, self.left(id_, name))
        return total

    def left(
        self,
        id_: str,
        name: str,
        tokens: Mapping[str, int] | None = None,
        cost: int | None = None,
    ) -> Counted:
        """What a call still holds on one policy, or would, were it granted other amounts."""
        call = self.calls[id_]
        if call.accounts is not None and tokens is None and cost is None:
            return call.accounts[name]
        tokens = call.tokens if tokens is None else tokens
        cost = call.cost if cost is None else cost
        rest = (tokens_in(self.policies[name], tokens), cost, call.requests)
        for use in self.uses:
            if use.call == id_ and name in use.counts:
                rest = tuple(r - u for r, u in zip(rest, use.counts[name], strict=True))
        return tuple(max(0, r) for r in rest)

    # Families ------------------------------------------------------------------------------------

    def home(self, id_: str, name: str) -> tuple[Mapping[str, str], int]:
        """The labels and the moment by which a call holds on a policy: its parent's for a part."""
        call = self.calls[id_]
        if name in call.parts and call.parent is not None:
            return self.home(call.parent, name)
        return call.labels, call.made_us

    def children(self, id_: str, *, active: bool | None = None) -> list[str]:
        return [
            child
            for child, call in self.calls.items()
            if call.parent == id_ and active in (None, call.active)
        ]

    def depth(self, id_: str) -> int:
        parent = self.calls[id_].parent
        return 0 if parent is None else 1 + self.depth(parent)

    def below(self, id_: str) -> list[str]:
        """All active calls below one, the deepest first."""
        found = [
            one for child in self.children(id_, active=True) for one in (*self.below(child), child)
        ]
        return sorted(found, key=lambda one: -self.depth(one))

    def keep_accounts(self, id_: str) -> None:
        """From its first child on, what a call holds depends on what happened when."""
        call = self.calls[id_]
        if call.accounts is None:
            held = {name: self.left(id_, name) for name in call.policies}
            call.records = sum(use.call == id_ for use in self.uses)
            call.accounts = held

    def consumed(self, id_: str) -> Counted:
        """What a call and the ended ones below it have used."""
        total = ZERO
        for use in self.uses:
            if use.call == id_:
                total = plus(total, (sum(use.raw_tokens.values()), use.raw_cost, use.raw_requests))
        for child in self.children(id_, active=False):
            total = plus(total, self.consumed(child))
        return total

    def rest(self, id_: str) -> Counted:
        """What of a call's grant neither it has used nor its children have."""
        call = self.calls[id_]
        rest = minus((sum(call.tokens.values()), call.cost, call.requests), self.consumed(id_))
        for child in self.children(id_, active=True):
            lent = self.calls[child]
            rest = minus(rest, (sum(lent.tokens.values()), lent.cost, lent.requests))
        records = call.records if call.accounts is not None else self.uses_of(id_)
        return floored((rest[0], rest[1], 0 if records else rest[2]))

    def uses_of(self, id_: str) -> int:
        return sum(use.call == id_ for use in self.uses)

    def requests_of(self, id_: str) -> int:
        """The requests that a call's first usage spends."""
        call, left = self.calls[id_], self.calls[id_].requests
        if not self.children(id_):
            return left
        for child in self.children(id_):
            one = self.calls[child]
            left -= one.requests if one.active else self.consumed(child)[2]
        return max(min(1, call.requests), left)

    def take(self, id_: str, name: str, used: Counted, own: Counted = ZERO) -> bool:
        """Use up what a call holds on a policy, then what those above it do; whether they did."""
        call = self.calls[id_]
        assert call.accounts is not None
        taken = smaller(used, call.accounts[name])
        call.accounts[name] = minus(call.accounts[name], taken)
        beyond = minus(used, taken)
        beyond = minus(beyond, smaller(beyond, own))
        drawn = False
        while name in call.parts and call.parent is not None:
            call = self.calls[call.parent]
            assert call.accounts is not None
            taken = smaller(beyond, call.accounts[name])
            call.accounts[name] = minus(call.accounts[name], taken)
            beyond = minus(beyond, taken)
            drawn = drawn or any(taken)
        return drawn

    def close(self, id_: str) -> None:
        """A call ends: what it holds of its parent is the parent's again."""
        call = self.calls[id_]
        call.active = False
        if call.accounts is None:
            return
        for name, left in call.accounts.items():
            if name in call.parts and call.parent is not None:
                above = self.calls[call.parent].accounts
                assert above is not None
                above[name] = plus(above[name], left)
            call.accounts[name] = ZERO

    def allowance(self, name: str, group: str, now_us: int) -> Limits:
        """What a group may use in the window of now: limit or exception, and what is on top."""
        policy = self.policies[name]
        opens_us, exception = opening(policy, now_us), self.exceptions.get((name, group))
        limits = list(policy.limits)
        if exception is not None and exception.unlimited:
            return Limits(None, None, None)
        if exception is not None:
            own = (exception.tokens, exception.cost_nano, exception.requests)
            limits = [was if now is None else now for was, now in zip(limits, own, strict=True)]
        more = self.carries.get((name, group), {}).get(opens_us, ZERO)
        for credit in self.credits:
            mine = (credit.policy, credit.group, credit.opens_us) == (name, group, opens_us)
            if mine and (credit.ends_us is None or now_us < credit.ends_us):
                more = plus(more, credit.amounts)
        return Limits(*(None if u is None else u + m for u, m in zip(limits, more, strict=True)))

    def touch(self, name: str, group: str, opens_us: int, now_us: int) -> None:
        """The first touch of a window: what the windows before it, one after another, left over."""
        policy, known = self.policies[name], self.carries.setdefault((name, group), {})
        earlier = [moment for moment in known if moment < opens_us]
        carry, at_us = (known[max(earlier)], max(earlier)) if earlier else (ZERO, opens_us)
        exception = self.exceptions.get((name, group))
        limits = policy.limits if exception is None else exception.over(policy.limits)
        while policy.rollover and at_us < opens_us:
            used = plus(self.spent(name, group, at_us, now_us), self.held(name, group, at_us))
            carry = tuple(
                0
                if limit is None
                else min(cap if cap is not None else 10**30, max(0, limit + c - u))
                for limit, c, u, cap in zip(limits, carry, used, policy.rollover_cap, strict=True)
            )
            at_us = policy.schedule.window_at(at_us).closes_us
        known[opens_us] = carry


def plus(one: Counted, other: Counted) -> Counted:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def minus(one: Counted, other: Counted) -> Counted:
    return tuple(a - b for a, b in zip(one, other, strict=True))


def smaller(one: Counted, other: Counted) -> Counted:
    return tuple(min(a, b) for a, b in zip(one, other, strict=True))


def floored(one: Counted) -> Counted:
    return tuple(max(0, a) for a in one)


def opening(policy: Policy, at_us: int) -> int:
    return policy.schedule.window_at(at_us).opens_us


def group_in(policy: Policy, labels: Mapping[str, str]) -> str:
    return labels.get(policy.per[0], "") if policy.per else ""


def tokens_in(policy: Policy, tokens: Mapping[str, int]) -> int:
    kinds = policy.tokens_counted or tuple(tokens)
    return sum(tokens.get(kind, 0) for kind in kinds)


def applies(policy: Policy, labels: Mapping[str, str]) -> bool:
    return all(labels.get(k) == v for k, v in policy.scope.to_json().items())
