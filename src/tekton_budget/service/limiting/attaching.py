"""Attaching: policies are moved from one budget into another."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.command import LedgerSettings
from tekton_budget.domain.errors import Conflict, invalid
from tekton_budget.domain.event import EventType
from tekton_budget.domain.policy import Budget, Policy, Status
from tekton_budget.domain.run import RUNS_BUDGET
from tekton_budget.service.limiting.changing import audit, event_of, may_change, replaced
from tekton_budget.service.limiting.named import budget_named, policy_named, versions_of
from tekton_budget.service.limiting.starting import Started
from tekton_budget.storage.packing import json_text
from tekton_budget.storage.policies import Changes
from tekton_budget.storage.writer import Exclusively, Writer

POLICIES_MAX = 1000


class Attaching:
    """Which policies lie in which budget."""

    def __init__(
        self, writer: Writer, settings: LedgerSettings, finish: Callable[[Policy], Started]
    ) -> None:
        self._writer = writer
        self._settings = settings
        self._finish = finish

    def attach(self, caller: Caller, budget: str, policies: Sequence[str]) -> Budget:
        """Move policies, by id or name, into a budget, where they are not yet: all or none.

        Between budgets without a scope they keep what they counted; else the scope that concerns
        them is another, and each is replaced by a version that counts by it.
        """
        may_change(caller)
        named = tuple(dict.fromkeys(policies))
        if not 0 < len(named) <= POLICIES_MAX:
            raise invalid("policies", f"send 1 to {POLICIES_MAX} ids of policies")

        def run(alone: Exclusively) -> tuple[Budget, list[Policy]]:
            changes = Changes(alone, self._settings)
            target = budget_named(changes.policies, caller, budget)
            if not target.is_active:
                raise Conflict(
                    f'"{target.name}" is closed, and its policies count nothing. Open it first: '
                    '{"is_active": true}',
                    code="budget_closed",
                )
            started = []
            for name in named:
                policy = policy_named(changes.policies, caller, name)
                if RUNS_BUDGET in (policy.budget_id, target.budget_id):
                    raise invalid(
                        "policies", f'"{policy.name}" is the cap of a run and stays there'
                    )
                if policy.budget_id != target.budget_id:
                    started += self._move(changes, caller, policy, target)
                    changes.refresh()
            return target, started

        target, started = self._writer.exclusively(run).result()
        for policy in started:
            self._finish(policy)
        return target

    def _move(
        self, changes: Changes, caller: Caller, policy: Policy, target: Budget
    ) -> list[Policy]:
        """The version that begins, where one does."""
        source = changes.policies.budgets[policy.budget_id]
        versions = versions_of(changes.policies, policy.policy_id)
        moves = [{"budget_id": one.budget_id} for one in (source, target)]
        audit(changes, caller, "attach", "policy", policy.policy_id, *map(json_text, moves))
        changes.publish(event_of(EventType.POLICY_CHANGED, policy.policy_id, target.budget_id))
        if source.is_active and not (source.scope.requirements or target.scope.requirements):
            for version in versions:
                moved = replace(version, budget_id=target.budget_id, updated_us=changes.now_us)
                changes.update_policy(moved)
            return []
        last = versions[-1]
        after = replace(
            last,
            budget_id=target.budget_id,
            status=Status.STARTING,
            updated_us=changes.now_us,
        )
        return [replaced(changes, last, after).policy]
