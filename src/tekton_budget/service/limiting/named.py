"""Which budget or policy is meant by an id or a name, as far as a key may see it."""

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import InvalidInput, NotFound
from tekton_budget.domain.ledger.standing import is_hidden
from tekton_budget.domain.policy import Budget, Policy, Status
from tekton_budget.domain.policy_set import PolicySet, group_label_names
from tekton_budget.domain.scope import Scope, group_labels


def budget_named(policies: PolicySet, caller: Caller, name_or_id: str) -> Budget:
    """A budget by id or name, if this key may see it."""
    found = policies.budgets.get(name_or_id)
    if found is None:
        named = [b for b in policies.budgets.values() if b.name == name_or_id]
        found = named[0] if named else None
    if found is None or not sees_scope(caller, found.scope):
        raise NotFound(
            f"Budget with ID {name_or_id!r} not found: GET /api/v1/budgets lists them.",
            code="budget_not_found",
        )
    return found


def policy_named(policies: PolicySet, caller: Caller, name_or_id: str) -> Policy:
    """A policy in force by id or name, if this key may see it."""
    everywhere = policies.counting_everywhere()
    named = [p for p in everywhere if p.policy_id == name_or_id]
    named = named or [p for p in everywhere if p.name == name_or_id]
    found = None
    if named:
        versions = versions_of(policies, named[0].policy_id)
        found = min(versions, key=lambda p: p.status is not Status.ACTIVE)
    if found is None or not sees_policy(policies, caller, found):
        raise NotFound(
            f"Policy {name_or_id!r} not found: GET /api/v1/policies lists them.",
            code="policy_not_found",
        )
    return found


def versions_of(policies: PolicySet, policy_id: str) -> list[Policy]:
    """The versions in force, oldest first: one, or two while the later one begins."""
    versions = [p for p in policies.counting_everywhere() if p.policy_id == policy_id]
    return sorted(versions, key=lambda policy: policy.no)


def sees_policy(policies: PolicySet, caller: Caller, policy: Policy) -> bool:
    """Whether a key's labels lie within a policy's scope (its budget's included)."""
    budget = policies.budgets.get(policy.budget_id)
    scope = policy.scope if budget is None else budget.scope.merged(policy.scope)
    return sees_scope(caller, scope)


def sees_scope(caller: Caller, scope: Scope) -> bool:
    """Whether each label forced on a key is asked for, with that very value, by a scope."""
    if not caller.labels:
        return True
    asked = scope.to_json()
    return all(asked.get(name) == value for name, value in caller.labels.items())


def group_version(policies: PolicySet, policy_id: str, group: str) -> Policy | None:
    """The latest version that keeps such groups: a policy may have been replaced since."""
    versions = [p for p in policies.by_no.values() if p.policy_id == policy_id]
    for policy in sorted(versions, key=lambda p: -p.no):
        try:
            group_labels(group_label_names(policy), group)
        except InvalidInput:
            continue
        return policy
    return None


def sees_group(policies: PolicySet, caller: Caller, policy: Policy | None, group: str) -> bool:
    """Whether the numbers of one group of a policy are this key's to see."""
    if not caller.labels:
        return True
    if policy is None:
        return False
    return not is_hidden(caller, policy, group, policies.scope_of(policy))
