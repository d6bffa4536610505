"""Budgets and policies: created, changed and ended by people, each change written to the audit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tekton_budget.domain.amounts import Limits
from tekton_budget.domain.balance import Balance
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.command import LedgerSettings
from tekton_budget.domain.errors import Conflict, invalid
from tekton_budget.domain.event import EventType
from tekton_budget.domain.ledger.state import is_group
from tekton_budget.domain.policy import DEFAULT_BUDGET, Budget, GroupLimits, Policy, Status
from tekton_budget.domain.policy_set import PolicySet, group_label_names
from tekton_budget.domain.scope import Scope
from tekton_budget.service.asking.commands import checked_id, checked_metadata, new_id
from tekton_budget.service.asking.retries import Retry, done_before, note_done
from tekton_budget.service.limiting.changing import audit, event_of, may_change, replaced, within
from tekton_budget.service.limiting.named import budget_named, policy_named, versions_of
from tekton_budget.service.limiting.policy_fields import (
    BY_REPLACEMENT,
    NAME_MAX,
    Fields,
    changed_policy,
    group_limits,
    needs_replacement,
    new_policy,
)
from tekton_budget.service.limiting.starting import Started, Starting
from tekton_budget.service.limiting.templates import policies_of
from tekton_budget.storage.packing import budget_json, json_text, policy_spec
from tekton_budget.storage.policies import Changes
from tekton_budget.storage.session import Session
from tekton_budget.storage.writer import Exclusively, Writer


class PolicyVerbs:
    """The verbs that change what is limited. All run exclusively, so every batch sees one truth."""

    def __init__(
        self,
        writer: Writer,
        settings: LedgerSettings,
        open_session: Callable[[], Session],
    ) -> None:
        self._writer = writer
        self._settings = settings
        self._starting = Starting(writer, settings, open_session)

    # Budgets ------------------------------------------------------------------------------------

    def create_budget(  # noqa: PLR0913  (a budget is what all of this says)
        self,
        caller: Caller,
        *,
        name: str,
        owner: str = "",
        description: str = "",
        scope: Mapping[str, object] | None = None,
        metadata: Mapping[str, object] | None = None,
        policies: Sequence[Fields] = (),
        template: str | None = None,
        budget_id: str | None = None,
        retry: Retry | None = None,
    ) -> tuple[Budget, tuple[Policy, ...]]:
        """A budget, with the policies of a template and its own, if any: all or none."""
        may_change(caller)
        if template is not None:
            policies = (*policies_of(template, name), *policies)
        own_id = checked_id(budget_id, "budget_id")
        checked_metadata(metadata or {})
        own_scope = within(caller, dict(scope or {}))

        def run(alone: Exclusively) -> tuple[Budget, tuple[Policy, ...]]:
            changes = Changes(alone, self._settings)
            done = done_before(alone, caller, retry)
            if done is not None:
                first = [changes.policies.by_no[no] for no in done["policies"]]
                return changes.policies.budgets[done["budget_id"]], tuple(first)
            _unused_budget_name(changes.policies, name)
            _unused_budget_id(changes.policies, own_id)
            budget = Budget(
                own_id,
                _checked_name(name),
                Scope.from_json(own_scope),
                description=description,
                owner=owner,
                metadata=metadata or {},
                created_us=alone.now_us,
                updated_us=alone.now_us,
            )
            changes.insert_budget(budget)
            changes.refresh()
            audit(changes, caller, "create", "budget", budget.budget_id, None, budget_json(budget))
            changes.publish(event_of(EventType.BUDGET_CREATED, budget.budget_id, budget.budget_id))
            made = [self._start(changes, caller, fields, budget.budget_id) for fields in policies]
            numbers = [policy.no for policy in made]
            note = {"budget_id": budget.budget_id, "policies": numbers}
            note_done(alone, caller, retry, note)
            return budget, tuple(made)

        budget, made = self._writer.exclusively(run).result()
        return budget, tuple(self.finish(policy).policy for policy in made)

    def change_budget(self, caller: Caller, budget: str, fields: Fields) -> Budget:
        """Name, owner, description, scope, is_active and metadata; what is not named stays.

        Another scope gives the balances of its policies another meaning: each is replaced by a
        version that counts by it, and judges by the old one until that has counted.
        """
        may_change(caller)

        def run(alone: Exclusively) -> tuple[Budget, list[Policy]]:
            changes = Changes(alone, self._settings)
            before = budget_named(changes.policies, caller, budget)
            given: dict[str, Any] = {k: v for k, v in fields.items() if v is not None}
            if "scope" in given:
                given["scope"] = Scope.from_json(within(caller, dict(given["scope"])))
            if "name" in given and given["name"] != before.name:
                _unused_budget_name(changes.policies, given["name"])
                given["name"] = _checked_name(given["name"])
            if "metadata" in given:
                checked_metadata(given["metadata"])
            after = replace(before, **given, updated_us=alone.now_us)
            changes.update_budget(after)
            old, new = budget_json(before), budget_json(after)
            audit(changes, caller, "change", "budget", before.budget_id, old, new)
            changes.publish(event_of(EventType.BUDGET_CHANGED, before.budget_id, before.budget_id))
            return after, _rescoped(changes, before, after)

        changed, started = self._writer.exclusively(run).result()
        for policy in started:
            self.finish(policy)
        return changed

    def close_budget(self, caller: Caller, budget: str) -> Budget:
        """Deactivate: its policies no longer concern any call; what they counted stays."""
        return self.change_budget(caller, budget, {"is_active": False})

    # Policies -----------------------------------------------------------------------------------

    def create_policy(
        self,
        caller: Caller,
        fields: Fields,
        *,
        budget: str | None = None,
        backfill: bool = True,
        policy_id: str | None = None,
        retry: Retry | None = None,
    ) -> Started:
        """A policy, in three steps: start and adopt, sum older usage, activate."""
        may_change(caller)
        own_id = checked_id(policy_id, "policy_id")

        def run(alone: Exclusively) -> Policy:
            changes = Changes(alone, self._settings)
            done = done_before(alone, caller, retry)
            if done is not None:
                return changes.policies.by_no[done["no"]]
            budget_id = self._budget_id(changes, caller, budget)
            _unused_policy_id(changes.policies, own_id)
            made = self._start(
                changes, caller, fields, budget_id, policy_id=own_id, backfill=backfill
            )
            note_done(alone, caller, retry, {"no": made.no})
            return made

        return self.finish(self._writer.exclusively(run).result())

    def change_policy(self, caller: Caller, policy: str, fields: Fields) -> Started:
        """Amounts and the like change in place; what gives balances a new meaning replaces."""
        may_change(caller)

        def run(alone: Exclusively) -> Started:
            changes = Changes(alone, self._settings)
            found = policy_named(changes.policies, caller, policy)
            *others, before = versions_of(changes.policies, found.policy_id)
            after = changed_policy(before, fields, now_us=alone.now_us)
            if after.name != before.name:
                _unused_policy_name(changes.policies, after.name, before.policy_id)
            old, new = policy_spec(before), policy_spec(after)
            audit(changes, caller, "change", "policy", before.policy_id, old, new)
            changes.publish(event_of(EventType.POLICY_CHANGED, before.policy_id, before.budget_id))
            if needs_replacement(before, after):
                scope = Scope.from_json(within(caller, dict(after.scope.to_json())))
                return replaced(changes, before, replace(after, scope=scope))
            changes.update_policy(after)
            for other in others:  # it judges until the version that replaces it has counted
                changes.update_policy(_changed_alike(other, fields, alone.now_us))
            return Started(after, tuple(_lowered(changes, before, after)))

        started = self._writer.exclusively(run).result()
        if started.policy.status is Status.STARTING:
            finished = self.finish(started.policy)
            return replace(finished, notes=(*started.notes, *finished.notes))
        return started

    def end_policy(self, caller: Caller, policy: str) -> Policy:
        """Stop counting. What it counted stays and can be read."""
        may_change(caller)

        def run(alone: Exclusively) -> Policy:
            changes = Changes(alone, self._settings)
            before = policy_named(changes.policies, caller, policy)
            after = before
            for version in versions_of(changes.policies, before.policy_id):
                after = replace(version, status=Status.ENDED, updated_us=alone.now_us)
                changes.update_policy(after)
            note = policy_spec(before)
            audit(changes, caller, "end", "policy", before.policy_id, note, None)
            changes.publish(event_of(EventType.POLICY_ENDED, before.policy_id, before.budget_id))
            return after

        return self._writer.exclusively(run).result()

    def set_exceptions(
        self, caller: Caller, policy: str, groups: Mapping[str, object]
    ) -> dict[str, GroupLimits | None]:
        """Other amounts for groups: an object of limits, `"unlimited"`, or `None` to remove."""
        may_change(caller)
        wanted = {group: group_limits(group, value) for group, value in groups.items()}

        def run(alone: Exclusively) -> dict[str, GroupLimits | None]:
            changes = Changes(alone, self._settings)
            found = policy_named(changes.policies, caller, policy)
            versions = versions_of(changes.policies, found.policy_id)
            for group in wanted:
                _checked_group(versions, group)
            for group, limits in sorted(wanted.items()):
                for version in versions:
                    if is_group(version, group):
                        changes.set_exception(version, group, limits)
            after = json_text(wanted)
            audit(changes, caller, "except", "policy", found.policy_id, None, after)
            changes.publish(event_of(EventType.POLICY_CHANGED, found.policy_id, found.budget_id))
            return wanted

        return self._writer.exclusively(run).result()

    def finish(self, policy: Policy) -> Started:
        """Steps 2 and 3 of a creation; again after a crash they do what is left, and no more."""
        return self._starting.finish(policy)

    def _start(
        self,
        changes: Changes,
        caller: Caller,
        fields: Fields,
        budget_id: str,
        *,
        policy_id: str | None = None,
        backfill: bool = True,
    ) -> Policy:
        given = dict(fields)
        given["scope"] = within(caller, dict(given.get("scope") or {}))
        policy = new_policy(
            given,
            policy_id=policy_id or new_id(),
            budget_id=budget_id,
            zone=self._settings.timezone,
            now_us=changes.now_us,
        )
        if fields.get("name") is not None or _is_taken(changes.policies, policy.name):
            _unused_policy_name(changes.policies, policy.name, policy.policy_id)
        started = changes.start(policy, backfill=backfill)
        after = policy_spec(started)
        audit(changes, caller, "create", "policy", policy.policy_id, None, after)
        changes.publish(event_of(EventType.POLICY_CREATED, policy.policy_id, budget_id))
        return started

    def _budget_id(self, changes: Changes, caller: Caller, budget: str | None) -> str:
        if budget is not None:
            return budget_named(changes.policies, caller, budget).budget_id
        if DEFAULT_BUDGET in changes.policies.budgets:
            return DEFAULT_BUDGET
        now_us = changes.now_us
        default = Budget(
            DEFAULT_BUDGET,
            DEFAULT_BUDGET,
            Scope.from_json({}),
            description="Policies that belong to no other budget",
            created_us=now_us,
            updated_us=now_us,
        )
        changes.insert_budget(default)
        changes.refresh()
        return DEFAULT_BUDGET


def _checked_group(versions: Sequence[Policy], group: str) -> None:
    """A group that some version could ever count a call in."""
    if not any(is_group(version, group) for version in versions):
        names = group_label_names(versions[-1])
        form = "/".join(f"<{name}>" for name in names) or "empty: this policy has one group"
        raise invalid(f"groups.{group}", f"no call falls into that group; it must be {form}")


def _checked_name(name: str) -> str:
    text = name.strip()
    if not 0 < len(text) <= NAME_MAX or not text.isprintable():
        raise invalid("name", f"send 1 to {NAME_MAX} printable characters")
    return text


def _unused_budget_name(policies: PolicySet, name: str) -> None:
    if any(budget.name == name for budget in policies.budgets.values()):
        raise Conflict(f"A budget named {name!r} exists: choose another name.", code="name_taken")


def _unused_budget_id(policies: PolicySet, budget_id: str) -> None:
    if budget_id in policies.budgets:
        raise Conflict(f"The id {budget_id!r} is another budget's: send a new one.", code="id_used")


def _unused_policy_id(policies: PolicySet, policy_id: str) -> None:
    if any(policy.policy_id == policy_id for policy in policies.by_no.values()):
        raise Conflict(f"The id {policy_id!r} is another policy's: send a new one.", code="id_used")


def _is_taken(policies: PolicySet, name: str) -> bool:
    return any(policy.name == name for policy in policies.counting_everywhere())


def _unused_policy_name(policies: PolicySet, name: str, policy_id: str) -> None:
    for policy in policies.counting_everywhere():
        if policy.name == name and policy.policy_id != policy_id:
            raise Conflict(
                f'A policy named "{name}" exists ({policy.policy_id}): change it or take another.',
                code="name_taken",
                policy_id=policy.policy_id,
            )


def _rescoped(changes: Changes, before: Budget, after: Budget) -> list[Policy]:
    """The next versions of a budget's policies, where its scope is another one."""
    if before.scope == after.scope:
        return []
    last: dict[str, Policy] = {}
    for policy in sorted(changes.policies.counting_everywhere(), key=lambda policy: policy.no):
        if policy.budget_id != before.budget_id:
            continue
        if policy.budget_scope is None:
            changes.update_policy(replace(policy, budget_scope=before.scope))
        last[policy.policy_id] = policy
    if last and not after.is_active:
        raise Conflict(
            f'"{before.name}" is closed, and its policies count nothing. Change its scope when it '
            'is open again, or open it with the same request: {"is_active": true, "scope": …}',
            code="budget_closed",
        )
    changes.refresh()
    started = []
    for policy in last.values():
        changes.publish(event_of(EventType.POLICY_CHANGED, policy.policy_id, policy.budget_id))
        version = replace(policy, updated_us=changes.now_us)
        started.append(replaced(changes, policy, version).policy)
    return started


def _changed_alike(policy: Policy, fields: Fields, now_us: int) -> Policy:
    """An older version with the same change, but for what its balances cannot follow."""
    changed = changed_policy(policy, fields, now_us=now_us)
    kept = {name: getattr(policy, name) for name in BY_REPLACEMENT}
    return replace(changed, **kept)


def _lowered(changes: Changes, before: Policy, after: Policy) -> list[str]:
    """By how much a lowered limit is already passed."""
    if not any(
        old is not None and (new is not None and new < old)
        for old, new in zip(before.limits, after.limits, strict=True)
    ):
        return []
    return [
        f"passed_by {balance.group}: {json_text(beyond)}"
        for balance in changes.balances_of(after)
        if any(beyond := _beyond(after, balance, changes.now_us))
    ]


def _beyond(policy: Policy, balance: Balance, now_us: int) -> list[int]:
    allowed: Limits = balance.allowance_at(policy, now_us)
    used = balance.used_at(now_us)
    return [
        0 if limit is None else max(0, u - limit) for limit, u in zip(allowed, used, strict=True)
    ]
