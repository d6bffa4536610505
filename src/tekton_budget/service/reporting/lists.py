"""Lists of what was granted and of what people changed, as far as a key may see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tekton_budget.domain.allocation import Allocation, AllocationStatus
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import NotFound, invalid
from tekton_budget.domain.scope import checked_labels
from tekton_budget.service.limiting.named import budget_named, sees_policy, sees_scope
from tekton_budget.service.paging import LIMIT_MAX, Page, Slice, cursor_place, cursor_text
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.allocations import (
    AllocationFilter,
    AllocationPlace,
    AllocationRows,
    place_of,
)
from tekton_budget.storage.rows.audit import Audited, AuditRows

__all__ = ["AllocationQuery", "Audited", "Lists"]


@dataclass(frozen=True, slots=True)
class AllocationQuery:
    """Which allocations are asked for; those of a budget hold on one of its policies."""

    status: str | None = None
    is_active: bool | None = None
    context_id: str | None = None
    component: str | None = None
    tier: str | None = None
    provider: str | None = None
    model: str | None = None
    task_type: str | None = None
    key_id: str | None = None
    budget: str | None = None
    parent_id: str | None = None
    labels: Mapping[str, object] = field(default_factory=dict)


class Lists:
    """Allocations and the audit."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._allocations = AllocationRows(reader)
        self._audit = AuditRows(reader)

    def allocations(
        self, caller: Caller, query: AllocationQuery, part: Slice | None = None
    ) -> Page[Allocation]:
        """Newest first."""
        part = part if part is not None else Slice()
        after = cursor_place(part.after, AllocationPlace)
        wanted = self._wanted(caller, query)
        if wanted is None:
            return Page((), 0, part.page, part.limit)
        found = self._allocations.walk(wanted, limit=part.wanted, after=after)
        last = part.last(found)
        return part.cut(found, None if last is None else cursor_text(place_of(last)), None)

    def allocation(self, caller: Caller, allocation_id: str) -> Allocation:
        """By id: the key's own before those of others that it may see."""
        seen = [a for a in self._allocations.by_id(allocation_id) if caller.sees(a.labels)]
        seen.sort(key=lambda allocation: allocation.key_id != caller.key_id)
        if not seen:
            raise NotFound(
                f"There is no allocation {allocation_id!r} for this key: check the id and the key.",
                code="allocation_not_found",
            )
        return seen[0]

    def allocations_called(
        self, caller: Caller, called: Sequence[tuple[str | None, str]]
    ) -> list[Allocation]:
        """Those of some keys and ids that this key may see; without a key, of whichever has it."""
        wanted = set(called)
        return [
            one
            for one in self._allocations.by_ids({id_ for _, id_ in called})
            if ((one.key_id, one.id) in wanted or (None, one.id) in wanted)
            and caller.sees(one.labels)
        ]

    def allocations_of_context(
        self, caller: Caller, context_id: str, part: Slice | None = None
    ) -> Page[Allocation]:
        """All allocations of one context, newest first."""
        return self.allocations(caller, AllocationQuery(context_id=context_id), part)

    def active_of_context(self, caller: Caller, context_id: str) -> Allocation | None:
        """The newest active allocation that the key itself made for a context."""
        query = AllocationQuery(context_id=context_id, is_active=True, key_id=caller.key_id)
        return next(iter(self.allocations(caller, query, Slice(limit=1)).items), None)

    def changes(
        self,
        caller: Caller,
        *,
        object_kind: str | None = None,
        object_id: str | None = None,
        part: Slice | None = None,
    ) -> Page[Audited]:
        """Who changed what, newest first."""
        part = part if part is not None else Slice()
        place = cursor_place(part.after, int)
        found: list[Audited] = []
        while len(found) < part.wanted:
            page = self._audit.walk(
                limit=LIMIT_MAX, after=place, object_kind=object_kind, object_id=object_id
            )
            found += [one for one in page if self._sees_change(caller, one)]
            if len(page) < LIMIT_MAX:
                break
            place = page[-1].no
        found = found[: part.wanted]
        last = part.last(found)
        return part.cut(found, None if last is None else cursor_text(last.no), None)

    def _wanted(self, caller: Caller, query: AllocationQuery) -> AllocationFilter | None:
        named = {
            "context_id": query.context_id,
            "component": query.component,
            "tier": query.tier,
            "provider": query.provider,
            "model": query.model,
            "task_type": query.task_type,
        }
        given = {name: value for name, value in named.items() if value is not None}
        labels = checked_labels({**query.labels, **given})
        for name, value in caller.labels.items():
            if labels.setdefault(name, value) != value:
                return None
        if query.status is not None and query.status not in tuple(AllocationStatus):
            raise invalid("status", f"send one of {', '.join(AllocationStatus)}")
        numbers = None
        if query.budget is not None:
            policies = self._reader.policies()
            budget = budget_named(policies, caller, query.budget)
            own = (p for p in policies.by_no.values() if p.budget_id == budget.budget_id)
            numbers = frozenset(policy.no for policy in own)
        return AllocationFilter(
            query.status, query.is_active, query.key_id, labels, numbers, query.parent_id
        )

    def _sees_change(self, caller: Caller, change: Audited) -> bool:
        """A key with labels sees what was done to its own budgets and policies."""
        if not caller.labels:
            return True
        policies = self._reader.policies()
        if change.object_kind == "budget":
            budget = policies.budgets.get(change.object_id)
            return budget is not None and sees_scope(caller, budget.scope)
        if change.object_kind == "policy":
            versions = [p for p in policies.by_no.values() if p.policy_id == change.object_id]
            return bool(versions) and all(sees_policy(policies, caller, p) for p in versions)
        return False
