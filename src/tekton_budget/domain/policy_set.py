"""All policies at a moment, and which of them concern a call."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tekton_budget.domain.allocation import Allocation
from tekton_budget.domain.balance import balance_id
from tekton_budget.domain.period import Period, Window
from tekton_budget.domain.policy import Budget, Policy, Status
from tekton_budget.domain.scope import SHARED_GROUP, Scope, ScopeIndex, group_labels, group_of

_COUNTING = (Status.STARTING, Status.ACTIVE)


class Concern(NamedTuple):
    """A policy that concerns a call, with the group and window the call falls in."""

    policy: Policy
    group: str
    window: Window
    balance_id: str
    group_missing: bool  # the call lacks a label of `per`
    parent: Allocation | None = None  # whose hold there the call takes a part of, if it does


class PolicySet:
    """The policies of one generation, indexed by what their scopes ask for."""

    def __init__(
        self, policies: Iterable[Policy] = (), budgets: Iterable[Budget] = (), generation: int = 0
    ) -> None:
        self.generation = generation
        self.budgets = {budget.budget_id: budget for budget in budgets}
        in_order = sorted(policies, key=lambda policy: policy.no)  # stores give them in any order
        self.by_no = {policy.no: policy for policy in in_order}
        counting = [p for p in in_order if p.status in _COUNTING and self._active(p)]
        self._merged = {p.no: self._within(p).merged(p.scope) for p in counting}
        self._index = ScopeIndex([(self._merged[p.no], p) for p in counting])
        self._called = {
            called: one for one in self.budgets.values() for called in (one.name, one.budget_id)
        }
        self._of_budget: dict[str, list[Policy]] = {
            called: [] for one in self.budgets.values() for called in (one.name, one.budget_id)
        }
        for policy in counting:
            for called in {policy.budget_id, self.budgets[policy.budget_id].name}:
                self._of_budget[called].append(policy)
        self.counting = counting
        self.asked_labels = frozenset(
            label
            for policy in counting
            for label in (*self._merged[policy.no].labels(), *policy.per)
        )
        self._windows: dict[int, Window] = {}
        self._current: dict[str, Policy] = {}  # by id, once it is asked for
        self._by_version: dict[tuple[str, int], Policy] = {}
        self._asks: dict[int, Mapping[str, str | list[str]]] = {}

    def _active(self, policy: Policy) -> bool:
        budget = self.budgets.get(policy.budget_id)
        return budget is not None and budget.is_active

    def _within(self, policy: Policy) -> Scope:
        """The scope that is added: its budget's, or what that was when the version began to end."""
        own = policy.budget_scope
        return self.budgets[policy.budget_id].scope if own is None else own

    def budget_called(self, called: str, bound: Mapping[str, str]) -> Budget | None:
        """The budget of that id or name that a call may name whose key is bound to these labels.

        One whose scope asks for another value of them is another team's, and not there for it.
        """
        budget = self._called.get(called)
        if budget is None or not bound:
            return budget
        asked = [one for one in budget.scope.requirements if one.label in bound]
        return budget if all(one.accepts(bound[one.label]) for one in asked) else None

    def current(self, policy_id: str) -> Policy | None:
        """The version of a policy that counts now: the active one, else the starting one."""
        if not self._current:
            active_last = sorted(self.counting, key=lambda p: p.status is Status.ACTIVE)
            self._current = {policy.policy_id: policy for policy in active_last}
        return self._current.get(policy_id)

    def goes_on_from(self, policy: Policy) -> Policy | None:
        """The version before, where windows and groups are the same: what it left is carried on."""
        if policy.version <= 1:
            return None
        if not self._by_version:
            self._by_version = {(p.policy_id, p.version): p for p in self.by_no.values()}
        last = self._by_version.get((policy.policy_id, policy.version - 1))
        if last is None or last.schedule != policy.schedule:
            return None
        return last if group_label_names(last) == group_label_names(policy) else None

    def counting_everywhere(self) -> list[Policy]:
        """Every version in force, also of budgets that are not active."""
        return [policy for policy in self.by_no.values() if policy.status in _COUNTING]

    def concerning(self, labels: Mapping[str, str], now_us: int) -> list[Policy]:
        """The policies that count a call with these labels now, in the order of their numbers."""
        found = [
            policy
            for policy in self._index.candidates(labels)
            if self._merged[policy.no].matches(labels) and _in_time(policy, now_us)
        ]
        named = labels.get("budget")
        if named is not None:
            known = {policy.no for policy in found}
            found += [
                policy
                for policy in self._of_budget.get(named, [])
                if policy.no not in known
                and policy.scope.matches(labels)
                and _in_time(policy, now_us)
            ]
            found.sort(key=lambda policy: policy.no)
        return found

    def is_in_force(self, policy: Policy, now_us: int) -> bool:
        """Whether it counts what is asked now, whatever its scope asks for."""
        return policy.no in self._merged and _in_time(policy, now_us)

    def scope_of(self, policy: Policy) -> Scope:
        """The policy's scope with its budget's added."""
        return self._merged.get(policy.no, policy.scope)

    def asks_of(self, policy: Policy) -> Mapping[str, str | list[str]]:
        """The same as in JSON; remembered, for each answer tells of it."""
        asks = self._asks.get(policy.no)
        if asks is None:
            asks = self._asks[policy.no] = self.scope_of(policy).to_json()
        return asks

    def concerns(self, labels: Mapping[str, str], call_id: str, now_us: int) -> list[Concern]:
        """The same with group, window and balance key; `call_id` groups what has no other group."""
        return [
            self.concern(policy, labels, call_id, now_us)
            for policy in self.concerning(labels, now_us)
        ]

    def concern(
        self, policy: Policy, labels: Mapping[str, str], call_id: str, now_us: int
    ) -> Concern:
        """Where a call falls in one policy."""
        group = _group(policy, labels, call_id)
        window = self.window(policy, now_us)
        missing = group is None
        named = SHARED_GROUP if group is None else group
        key = balance_id(policy.no, window.opens_us, named)
        return Concern(policy, named, window, key, missing)

    def window(self, policy: Policy, at_us: int) -> Window:
        """The policy's window at a moment; the last one answered is remembered."""
        last = self._windows.get(policy.no)
        if last is not None and last.opens_us <= at_us and _open_at(last, at_us):
            return last
        window = policy.schedule.window_at(at_us)
        self._windows[policy.no] = window
        return window


def _open_at(window: Window, at_us: int) -> bool:
    return window.closes_us is None or at_us < window.closes_us


def _in_time(policy: Policy, now_us: int) -> bool:
    if policy.starts_us is not None and now_us < policy.starts_us:
        return False
    return policy.ends_us is None or now_us < policy.ends_us


def group_label_names(policy: Policy) -> tuple[str, ...]:
    """The labels whose values name a group: those of `per`, after that of the period if it has one.

    A call without a session (or task) is its context's, or stands alone; the group then has that id
    in the place of the label.
    """
    period = policy.schedule.period
    if period is not Period.PER_SESSION and period is not Period.PER_TASK:
        return policy.per
    own = "session" if period is Period.PER_SESSION else "task"
    return (own, *(name for name in policy.per if name != own))


def regrouped(before: Policy, after: Policy, group: str) -> str | None:
    """What a version calls the group of an earlier one; `None` where its groups are others."""
    names, new_names = group_label_names(before), group_label_names(after)
    if sorted(names) != sorted(new_names):
        return None
    if names == new_names or group == SHARED_GROUP:
        return group
    return group_of(new_names, group_labels(names, group))


def _group(policy: Policy, labels: Mapping[str, str], call_id: str) -> str | None:
    period = policy.schedule.period
    if period is Period.PER_SESSION or period is Period.PER_TASK:
        names = group_label_names(policy)
        own = names[0]
        unit = labels.get(own) or labels.get("context_id") or call_id
        return group_of(names, {**labels, own: unit})
    if not policy.per:
        return SHARED_GROUP
    return group_of(policy.per, labels)
