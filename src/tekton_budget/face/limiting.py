"""Policies, their groups and credit, and budgets: what is limited."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tekton_budget.face.ledger import text_of
from tekton_budget.face.request import (
    Json,
    Labels,
    Request,
    deleted,
    given,
    got,
    new_id,
    put,
    same,
    verb,
)

Scope = Mapping[str, str | Sequence[str]]


class LimitVerbs:
    """Policies and budgets: what is limited."""

    labels: Labels

    @verb
    def set_limit(
        self,
        /,
        limit: str,
        *,
        scope: Scope | None = None,
        per: Sequence[str] | str = (),
        name: str | None = None,
        budget: str | None = None,
        **fields: Any,
    ) -> Request[Json]:
        """Make or change one policy: that of this name, or of this scope, period and `per`.

        Answers `{"policy", "created", "notes"}`. `fields` are a policy's others: `enforcement`,
        `shadow`, `timezone`, `thresholds`, …
        """
        body = given(
            limit=limit,
            scope=dict(scope or {}),
            per=[per] if isinstance(per, str) else list(per) or None,
            name=name,
            budget_id=budget,
            **fields,
        )
        return Request("set_limit", "PUT", "/policies", same, body=body)

    @verb
    def create_policy(self, /, *, budget: str | None = None, **fields: Any) -> Request[Json]:
        """One more policy, by its fields."""
        body = given(budget_id=budget, **fields)
        return Request("create_policy", "POST", "/policies", same, body=body, id=new_id())

    @verb
    def change_policy(self, /, policy: str, **fields: Any) -> Request[Json]:
        """What is named changes; the rest stays. `None` empties a field."""
        return put("change_policy", "/policies/{policy}", {"policy": policy}, fields)

    @verb
    def end_policy(self, policy: str) -> Request[Json]:
        """Stop counting and judging; what was counted can still be read."""
        return deleted("end_policy", "/policies/{policy}", {"policy": policy})

    @verb
    def policy(self, policy: str) -> Request[Json]:
        """One policy, by id or name."""
        return got("policy", "/policies/{policy}", {"policy": policy})

    @verb
    def policies(
        self, /, *, after: str | None = None, limit: int | None = None, **filters: Any
    ) -> Request[Json]:
        """A page of policies in force."""
        return got("policies", "/policies", query=given(after=after, limit=limit, **filters))

    @verb
    def groups(
        self,
        policy: str,
        *,
        sort: str | None = None,
        group: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Request[Json]:
        """A page of a policy's groups with their balances in the current window, or of one."""
        query = given(sort=sort, group=group, after=after, limit=limit)
        return got("groups", "/policies/{policy}/groups", {"policy": policy}, query)

    @verb
    def set_exceptions(self, policy: str, groups: Mapping[str, Any]) -> Request[Json]:
        """Others for groups: `{"alice": {"cost_limit": 200}, "bob": "unlimited", "eve": None}`."""
        return put("set_exceptions", "/policies/{policy}/groups", {"policy": policy}, groups)

    @verb
    def credit(
        self,
        amount: str,
        *,
        labels: Labels | None = None,
        policy: str | None = None,
        group: str | None = None,
        reason: str = "",
        expires_at: datetime | str | None = None,
        credit_id: str | None = None,
    ) -> Request[Json]:
        """An amount on top, once, for one group's window of the policy that is named or meant."""
        body = given(
            amount=amount,
            labels=dict(labels or {}),
            policy=policy,
            group=group,
            reason=reason or None,
            expires_at=text_of(expires_at),
            credit_id=credit_id or new_id(),
        )
        return Request("credit", "POST", "/credit", same, body=body)

    @verb
    def create_budget(
        self,
        name: str,
        *,
        owner: str | None = None,
        description: str | None = None,
        scope: Scope | None = None,
        policies: Sequence[Mapping[str, Any]] = (),
        template: str | None = None,
        budget_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Request[Json]:
        """A folder of policies, with its policies if any: all or none.

        `template="tekton"` begins with Tekton's default policies, which warn.
        """
        body = given(
            name=name,
            owner=owner,
            description=description,
            scope=dict(scope or {}),
            policies=list(policies) or None,
            template=template,
            budget_id=budget_id,
            metadata=metadata,
        )
        own_id = budget_id or new_id()
        return Request("create_budget", "POST", "/budgets", same, body=body, id=own_id)

    @verb
    def attach_policies(self, budget: str, policies: Sequence[str]) -> Request[Json]:
        """Move policies, by id or name, into a budget: all or none. Answers the budget."""
        body = {"policies": list(policies)}
        return put("attach_policies", "/budgets/{budget}/policies", {"budget": budget}, body)

    @verb
    def change_budget(self, /, budget: str, **fields: Any) -> Request[Json]:
        """Name, owner, description, scope, is_active, metadata; what is not named stays."""
        return put("change_budget", "/budgets/{budget}", {"budget": budget}, fields)

    @verb
    def close_budget(self, budget: str) -> Request[Json]:
        """Deactivate: its policies no longer concern any call."""
        return deleted("close_budget", "/budgets/{budget}", {"budget": budget})

    @verb
    def budget(self, budget: str) -> Request[Json]:
        """One budget, by id or name."""
        return got("budget", "/budgets/{budget}", {"budget": budget})

    @verb
    def budgets(
        self,
        *,
        is_active: bool | None = None,
        owner: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Request[Json]:
        """A page of budgets."""
        query = given(is_active=is_active, owner=owner, after=after, limit=limit)
        return got("budgets", "/budgets", query=query)

    @verb
    def balances(
        self, budget: str, *, after: str | None = None, limit: int | None = None
    ) -> Request[Json]:
        """A page of a budget's policies with their groups in the current window."""
        query = given(after=after, limit=limit)
        return got("balances", "/budgets/{budget}/balances", {"budget": budget}, query)
