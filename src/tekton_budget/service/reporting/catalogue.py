"""The catalogue: budgets and policies as they are, listed and found, as far as a key may see."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import NotFound
from tekton_budget.domain.policy import Budget, Policy, Status
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.domain.run import RUNS_BUDGET
from tekton_budget.domain.scope import Scope
from tekton_budget.service.limiting.named import budget_named, policy_named, sees_policy, sees_scope
from tekton_budget.service.paging import Page, Slice, cursor_place, cursor_text
from tekton_budget.storage.reading import Reader

Thing = TypeVar("Thing")


class Place(NamedTuple):
    """Where a walk stopped."""

    created_us: int
    id: str


@dataclass(frozen=True, slots=True)
class PolicyQuery:
    """Which policies are asked for. `labels` are values that their scope must name."""

    period: str | None = None
    enabled: bool | None = None
    enforcement: str | None = None
    budget: str | None = None
    name: str | None = None
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy with the scope that its budget adds to."""

    policy: Policy
    scope: Scope


class Catalogue:
    """What budgets and policies there are."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def budgets(
        self,
        caller: Caller,
        *,
        is_active: bool | None = None,
        owner: str | None = None,
        name: str | None = None,
        part: Slice | None = None,
    ) -> Page[Budget]:
        """In the order of their making; that of runs has lists of its own."""
        found = [
            budget
            for budget in self._reader.policies().budgets.values()
            if budget.budget_id != RUNS_BUDGET
            and sees_scope(caller, budget.scope)
            and is_active in (None, budget.is_active)
            and owner in (None, budget.owner)
            and name in (None, budget.name)
        ]
        found.sort(key=_budget_place)
        return _page(found, part, _budget_place)

    def budget(self, caller: Caller, budget: str) -> Budget:
        """By id or name."""
        return budget_named(self._reader.policies(), caller, budget)

    def policy_ids(self, budgets: Iterable[Budget]) -> dict[str, list[str]]:
        """The policies in force of each budget."""
        found: dict[str, list[str]] = {budget.budget_id: [] for budget in budgets}
        for policy in _in_force(self._reader.policies()):
            if policy.budget_id in found:
                found[policy.budget_id].append(policy.policy_id)
        return found

    def policies(
        self, caller: Caller, query: PolicyQuery, part: Slice | None = None
    ) -> Page[PolicyView]:
        """Those in force, in the order of their making; caps of runs only where asked for."""
        policies = self._reader.policies()
        budget_id = None
        if query.budget is not None:
            budget_id = budget_named(policies, caller, query.budget).budget_id
        found = [
            policy
            for policy in _in_force(policies)
            if sees_policy(policies, caller, policy)
            and (budget_id or _not_of_runs(policy)) == policy.budget_id
            and _matches(policy, policies.scope_of(policy), query)
        ]
        page = _page(found, part, _policy_place)
        views = tuple(PolicyView(p, policies.scope_of(p)) for p in page.items)
        return Page(views, page.total, page.page, page.limit, page.next)

    def policy(self, caller: Caller, policy: str) -> PolicyView:
        """By id or name; by id also one that has ended."""
        policies = self._reader.policies()
        try:
            found = policy_named(policies, caller, policy)
        except NotFound:
            versions = [p for p in policies.by_no.values() if p.policy_id == policy]
            last = max(versions, key=lambda version: version.no, default=None)
            if last is None or not sees_policy(policies, caller, last):
                raise
            found = last
        return PolicyView(found, policies.scope_of(found))


def _not_of_runs(policy: Policy) -> str | None:
    return None if policy.budget_id == RUNS_BUDGET else policy.budget_id


def _in_force(policies: PolicySet) -> list[Policy]:
    """One version of each policy: the one that judges, else the one that starts."""
    found: dict[str, Policy] = {}
    for policy in policies.counting_everywhere():
        known = found.get(policy.policy_id)
        if known is None or policy.status is Status.ACTIVE:
            found[policy.policy_id] = policy
    return sorted(found.values(), key=_policy_place)


def _matches(policy: Policy, scope: Scope, query: PolicyQuery) -> bool:
    asked = scope.to_json()
    return (
        query.period in (None, policy.schedule.period.value)
        and query.enabled in (None, policy.enabled)
        and query.enforcement in (None, policy.enforcement.value)
        and query.name in (None, policy.name)
        and all(_names(asked.get(label), value) for label, value in (query.labels or {}).items())
    )


def _names(asked: str | list[str] | None, value: str) -> bool:
    return value == asked or (isinstance(asked, list) and value in asked)


def _budget_place(budget: Budget) -> Place:
    return Place(budget.created_us, budget.budget_id)


def _policy_place(policy: Policy) -> Place:
    return Place(policy.created_us, policy.policy_id)


def _page(found: list[Thing], part: Slice | None, place: Callable[[Thing], Place]) -> Page[Thing]:
    part = part if part is not None else Slice()
    after = cursor_place(part.after, Place)
    rest = found if after is None else [one for one in found if place(one) > after]
    read = rest[: part.wanted]
    last = part.last(read)
    return part.cut(read, None if last is None else cursor_text(place(last)), len(found))
