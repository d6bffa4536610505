"""Limits that are passed, as `on_budget_exceeded` tells of them: each policy and its usage."""

from collections.abc import Mapping
from typing import Any

from tekton_budget.domain.errors import NotFound
from tekton_budget.face.budget import Budget
from tekton_budget.face.refusals import BudgetExceeded
from tekton_budget.face.request import Json
from tekton_budget.frontends.tekton.apollo.models import BudgetPolicy
from tekton_budget.frontends.tekton.apollo.policies import Policies

EXCEEDED = "on_budget_exceeded"
Event = tuple[Any, ...]  # the name of the event, and its facts


class Passed:
    """Finds them in what the ledger answers."""

    def __init__(self, budget: Budget, policies: Policies) -> None:
        self._budget = budget
        self._policies = policies

    def by_denial(self, denial: BudgetExceeded) -> list[Event]:
        """The policies in the way, with what is used and held of each."""
        return self._events(
            (one["policy_id"], _tokens(one, "spent") + _tokens(one, "held"))
            for one in denial.policies
            if one.get("policy_id")
        )

    def by_answer(self, answer: Mapping[str, Any], labels: Mapping[str, str]) -> list[Event]:
        """Of what was let through: the policies of which more is used than they allow."""
        left = [one.get("remaining") or {} for one in answer.get("policies") or ()]
        if not any(one.get("tokens") == 0 for one in left):  # it is never told as less
            return []
        status = self._budget.status(labels)
        return self._events(
            (one["policy_id"], _tokens(one, "spent"))
            for one in status["policies"]
            if _is_passed(one)
        )

    def _events(self, found: Any) -> list[Event]:  # Any: pairs of ids and tokens
        return [
            (EXCEEDED, policy, used)
            for policy_id, used in found
            if (policy := self._policy(policy_id)) is not None
        ]

    def _policy(self, policy_id: str) -> BudgetPolicy | None:
        try:
            return self._policies.of_ledger(policy_id)
        except NotFound:  # another's, which this key may not see
            return None


def _is_passed(one: Json) -> bool:
    allowed = (one.get("allowance") or {}).get("tokens")
    return allowed is not None and _tokens(one, "spent") > allowed


def _tokens(one: Mapping[str, Any], name: str) -> int:
    return int((one.get(name) or {}).get("tokens") or 0)
