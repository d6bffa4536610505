"""The daily acts in few words: set a limit, give credit, without naming policy, group or id."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tekton_budget.domain.amounts import Amounts, Limits
from tekton_budget.domain.answer import Credited
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import Conflict, NotFound, invalid
from tekton_budget.domain.limit_text import limits_text
from tekton_budget.domain.money import usd_from_nano
from tekton_budget.domain.policy import DEFAULT_BUDGET, Policy
from tekton_budget.domain.policy_set import PolicySet, group_label_names
from tekton_budget.domain.scope import SHARED_GROUP, checked_labels, group_of
from tekton_budget.service.asking.ledger import LedgerVerbs
from tekton_budget.service.limiting.named import budget_named, policy_named, sees_policy
from tekton_budget.service.limiting.policies import PolicyVerbs
from tekton_budget.service.limiting.policy_fields import SCOPE_SHORTCUTS, Fields, new_policy

if TYPE_CHECKING:
    from tekton_budget.storage.ticket import Ticket

_UNITS = ("token_limit", "cost_limit", "request_limit")
_NOT_CHANGED = ("limit", "name", "scope", "per", "period", "length_seconds", *SCOPE_SHORTCUTS)
_CHOICES_MAX = 10


@dataclass(frozen=True, slots=True)
class SetLimit:
    """The policy that now holds the limit, whether it was made, and what the change has to say."""

    policy: Policy
    created: bool
    notes: tuple[str, ...] = ()


class Choice(NamedTuple):
    """A policy and group that labels may mean."""

    policy: Policy
    group: str


class ShortForms:
    """Verbs that find what they mean, in terms of those that are told."""

    def __init__(
        self, policies: PolicyVerbs, ledger: LedgerVerbs, current: Callable[[], PolicySet]
    ) -> None:
        self._policies = policies
        self._ledger = ledger
        self._current = current

    def set_limit(self, caller: Caller, fields: Fields, *, budget: str | None = None) -> SetLimit:
        """Make or change one policy: the one of that name, or of that scope, period and `per`."""
        if fields.get("limit") is None:
            raise invalid("limit", 'say how much, like "50usd/month" or "5Mtokens/day"')
        found = self._policy_meant(caller, fields, budget)
        if found is None:
            try:
                made = self._policies.create_policy(caller, fields, budget=budget)
            except Conflict:
                found = self._policy_meant(caller, fields, budget)  # made by another, just now
                if found is None:
                    raise
            else:
                return SetLimit(made.policy, created=True, notes=made.notes)
        changed = self._policies.change_policy(caller, found.policy_id, _changes(found, fields))
        return SetLimit(changed.policy, created=False, notes=changed.notes)

    def give_credit(
        self,
        caller: Caller,
        amounts: Amounts,
        *,
        labels: Mapping[str, object] | None = None,
        policy: str | None = None,
        group: str | None = None,
        reason: str = "",
        expires_us: int | None = None,
        credit_id: str | None = None,
    ) -> "Ticket[Credited]":
        """An amount on top, for the policy and group that are named, or that the labels mean."""
        policies = self._current()
        given = checked_labels(labels or {})
        if policy is not None:
            found = policy_named(policies, caller, policy)
            chosen = Choice(found, _group_meant(found, given) if group is None else group)
        else:
            chosen = _chosen(policies, caller, given, amounts)
        return self._ledger.give_credit(
            caller,
            chosen.policy.policy_id,
            amounts,
            group=chosen.group,
            reason=reason,
            expires_us=expires_us,
            credit_id=credit_id,
        )

    def _policy_meant(self, caller: Caller, fields: Fields, budget: str | None) -> Policy | None:
        policies = self._current()
        in_force = [p for p in policies.counting_everywhere() if sees_policy(policies, caller, p)]
        name = fields.get("name")
        if name is not None:
            return next((p for p in in_force if p.name == str(name).strip()), None)
        budget_id = DEFAULT_BUDGET
        if budget is not None:
            budget_id = budget_named(policies, caller, budget).budget_id
        wanted = new_policy(
            {**fields, "scope": {**(fields.get("scope") or {}), **caller.labels}},
            policy_id="",
            budget_id=budget_id,
            zone="UTC",
            now_us=0,
        )
        alike = {p.policy_id: p for p in in_force if _is_alike(p, wanted)}
        same_units = [p for p in alike.values() if _units(p.limits) == _units(wanted.limits)]
        choices = same_units or list(alike.values())
        if len(choices) > 1:
            names = ", ".join(f'"{p.name}"' for p in choices[:_CHOICES_MAX])
            raise Conflict(
                f"Several policies have this scope and period: {names}. Say which, by its name.",
                code="ambiguous",
                choices=[p.name for p in choices[:_CHOICES_MAX]],
            )
        return choices[0] if choices else None


def _is_alike(policy: Policy, wanted: Policy) -> bool:
    """Of the same calls, in the same groups and rhythm, and limited in a unit that is given."""
    return (
        policy.budget_id == wanted.budget_id
        and policy.scope == wanted.scope
        and set(policy.per) == set(wanted.per)
        and policy.schedule.period is wanted.schedule.period
        and policy.schedule.length_us == wanted.schedule.length_us
        and bool(_units(policy.limits) & _units(wanted.limits))
    )


def _units(limits: Limits) -> set[int]:
    return {unit for unit, limit in enumerate(limits) if limit is not None}


def _changes(found: Policy, fields: Fields) -> dict[str, object]:
    """What was said, as a change: units that were not named keep their limits."""
    text = new_policy({"limit": fields["limit"]}, policy_id="", budget_id="", zone="UTC", now_us=0)
    limits = text.limits
    changes: dict[str, object] = {"enabled": True}
    changes |= {name: value for name, value in fields.items() if name not in _NOT_CHANGED}
    for field, value in zip(_UNITS, limits, strict=True):
        if value is not None:
            changes[field] = usd_from_nano(value) if field == "cost_limit" else value
    if fields.get("name") is None:
        return changes
    for field in ("scope", "per", *SCOPE_SHORTCUTS):
        if fields.get(field):
            changes[field] = fields[field]
    schedule = text.schedule
    if (schedule.period, schedule.length_us) != (found.schedule.period, found.schedule.length_us):
        changes["period"] = schedule.period.value
        if schedule.length_us is not None:
            changes["length_seconds"] = schedule.length_us // 1_000_000
    return changes


def _chosen(
    policies: PolicySet, caller: Caller, labels: Mapping[str, str], amounts: Amounts
) -> Choice:
    """The one policy that labels mean; refuses with the choices where there are several."""
    found = _choices(policies, caller, labels, amounts)
    said = " ".join(f"{name}={value}" for name, value in labels.items())
    unit = limits_text(Limits(*(amount or None for amount in amounts)))
    if not found:
        raise NotFound(
            f"No policy that could take {unit} is meant by {said or 'no label'}. What concerns a "
            f"call: tekton-budget status {said}".rstrip(),
            code="policy_not_found",
        )
    if len(found) > 1:
        names = ", ".join(f'"{one.policy.name}"' for one in found[:_CHOICES_MAX])
        raise Conflict(
            f"{said or 'No label'} may mean several policies: {names}. Name one before the labels.",
            code="ambiguous",
            choices=[
                {"policy": one.policy.name, "group": one.group} for one in found[:_CHOICES_MAX]
            ],
        )
    return found[0]


def _choices(
    policies: PolicySet, caller: Caller, labels: Mapping[str, str], amounts: Amounts
) -> list[Choice]:
    """Policies that the labels name in full; else by their groups; else all that concern them."""
    in_full: list[Choice] = []
    by_group: list[Choice] = []
    concerned: list[Choice] = []
    wanted = {unit for unit, amount in enumerate(amounts) if amount}
    for policy in policies.counting:
        names = group_label_names(policy)
        group = group_of(names, labels) if names else SHARED_GROUP
        fits = policy.judges and wanted <= _units(policy.limits)
        if group is None or not fits or not sees_policy(policies, caller, policy):
            continue
        scope = policies.scope_of(policy)
        asked = {one.label for one in scope.requirements}
        if scope.matches(labels):
            concerned.append(Choice(policy, group))
            if set(labels) == asked | set(names):
                in_full.append(Choice(policy, group))
        if names and set(labels) == set(names):
            by_group.append(Choice(policy, group))
    return in_full or by_group or concerned


def _group_meant(policy: Policy, labels: Mapping[str, str]) -> str:
    names = group_label_names(policy)
    group = group_of(names, labels) if names else SHARED_GROUP
    if group is None:
        form = " ".join(f"{name}=…" for name in names)
        raise invalid("group", f'"{policy.name}" has a limit for each {form}: say for whom')
    return group
