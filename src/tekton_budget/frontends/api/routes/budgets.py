"""Budgets: named folders of policies, and where they stand."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from tekton_budget.domain.policy import Budget
from tekton_budget.frontends.api.asking import Asker, IdempotencyKey, Pages, Verbs
from tekton_budget.frontends.api.bodies.answers import to_api_allocation
from tekton_budget.frontends.api.bodies.limiting import (
    to_api_budget,
    to_api_policy,
)
from tekton_budget.frontends.api.bodies.limiting_bodies import (
    BudgetOut,
    ChangedOut,
    PolicyFields,
    PolicyOut,
)
from tekton_budget.frontends.api.bodies.spending import own_id, retry_of
from tekton_budget.frontends.api.bodies.spending_bodies import AllocationOut
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.paging import listed
from tekton_budget.frontends.api.schemas import (
    Body,
    Id,
    Metadata,
    PageOut,
    ReadOnly,
    Scope,
    Truth,
)
from tekton_budget.frontends.http.wire import Reply
from tekton_budget.service import Service
from tekton_budget.service.reporting.catalogue import PolicyQuery
from tekton_budget.service.reporting.lists import AllocationQuery

router = exact_router("/budgets")


class BudgetBody(Body):
    """A budget, with its policies if any: all or none."""

    name: str = Field(examples=["research"])
    description: str | None = Field(None, max_length=4000)
    owner: str | None = Field(None, max_length=200)
    scope: Scope | None = Field(None, description="Added to the scope of each of its policies")
    metadata: Metadata | None = None
    policies: list[PolicyFields] = Field(default_factory=list, max_length=1000)
    template: str | None = Field(
        None,
        max_length=40,
        description="tekton: begin with Tekton's default policies, which all warn (15 of tokens by "
        "tier, 4 of money)",
        examples=["tekton"],
    )
    budget_id: Id | None = None


class BudgetChange(Body):
    """What is named changes; the rest stays."""

    name: str | None = None
    description: str | None = Field(None, max_length=4000)
    owner: str | None = Field(None, max_length=200)
    scope: Scope | None = None
    is_active: Truth | None = None
    metadata: Metadata | None = None
    budget_id: str | None = Field(None, description="Not used: the path names it")
    id: str | None = Field(None, description="Not used: the path names it")
    policies: ReadOnly = None
    created_at: ReadOnly = None
    updated_at: ReadOnly = None
    creation_time: ReadOnly = None

    def fields(self) -> dict[str, Any]:  # Any: fields of the service
        """What changes."""
        return {name: value for name, value in self.given().items() if name not in _NOT_USED}


class AttachBody(Body):
    """Which policies, by id or name."""

    policies: list[str] | None = Field(None, max_length=1000, examples=[["team=a monthly"]])
    policy_ids: list[str] | None = Field(None, max_length=1000, description="As policies")
    policy_id: str | None = Field(None, description="One alone")

    def named(self) -> list[str]:
        """All that are named."""
        alone = [] if self.policy_id is None else [self.policy_id]
        return [*(self.policies or ()), *(self.policy_ids or ()), *alone]


_NOT_USED = {"budget_id", "id", "policies", "created_at", "updated_at", "creation_time"}


@router.post("", status_code=201, response_model=BudgetOut)
def create_budget(
    body: BudgetBody, asker: Asker, verbs: Verbs, key: IdempotencyKey = None
) -> Reply:
    """Make a budget; its policies count from now on, with what was used in their windows."""
    budget, policies = verbs.policies.create_budget(
        asker,
        name=body.name,
        owner=body.owner or "",
        description=body.description or "",
        scope=body.scope,
        metadata=body.metadata,
        policies=[one.fields() for one in body.policies],
        template=body.template,
        budget_id=own_id(key, body.budget_id, "budget_id"),
        retry=retry_of("budgets", own_id(key, body.budget_id, "budget_id"), body.given()),
    )
    return Reply(to_api_budget(budget, [p.policy_id for p in policies]), status_code=201)


@router.get("", response_model=PageOut[BudgetOut])
def list_budgets(
    asker: Asker,
    verbs: Verbs,
    pages: Pages,
    is_active: Annotated[bool | None, Query()] = None,
    owner: Annotated[str | None, Query(max_length=200)] = None,
    name: Annotated[str | None, Query(max_length=200)] = None,
) -> Reply:
    """In the order of their making."""
    page = verbs.catalogue.budgets(asker, is_active=is_active, owner=owner, name=name, part=pages)
    policy_ids = verbs.catalogue.policy_ids(page.items)
    return Reply(listed(page, lambda one: to_api_budget(one, policy_ids[one.budget_id])))


# Names may have slashes in them (`model=openai/gpt-5 daily`), so what has more path goes before.
@router.put("/{budget:path}/policies", response_model=BudgetOut)
def attach_policies(budget: str, body: AttachBody, asker: Asker, verbs: Verbs) -> Reply:
    """Move policies into a budget; those that it has stay in it.

    Where neither budget has a scope, they keep what they counted; else they count by the new one.
    """
    return Reply(_shown(verbs, verbs.attaching.attach(asker, budget, body.named())))


@router.put("/{budget:path}", response_model=BudgetOut)
@router.patch("/{budget:path}", response_model=BudgetOut)
def change_budget(budget: str, body: BudgetChange, asker: Asker, verbs: Verbs) -> Reply:
    """Change what is named."""
    return Reply(_shown(verbs, verbs.policies.change_budget(asker, budget, body.fields())))


@router.delete("/{budget:path}", response_model=ChangedOut[BudgetOut])
def close_budget(budget: str, asker: Asker, verbs: Verbs) -> Reply:
    """Deactivate: its policies no longer concern any call; what they counted stays."""
    closed = verbs.policies.close_budget(asker, budget)
    message = f"Budget {closed.name} is no longer active."
    return Reply({"message": message, "data": _shown(verbs, closed)})


@router.get("/{budget:path}/policies", response_model=PageOut[PolicyOut])
def list_policies_of_budget(budget: str, asker: Asker, verbs: Verbs, pages: Pages) -> Reply:
    """The budget's policies in force."""
    page = verbs.catalogue.policies(asker, PolicyQuery(budget=budget), pages)
    judged = verbs.standings.last_judged([one.policy.policy_id for one in page.items])
    return Reply(
        listed(page, lambda one: to_api_policy(one.policy, judged.get(one.policy.policy_id)))
    )


@router.get("/{budget:path}/allocations", response_model=PageOut[AllocationOut])
def list_allocations_of_budget(
    budget: str,
    asker: Asker,
    verbs: Verbs,
    pages: Pages,
    is_active: Annotated[bool | None, Query()] = None,
) -> Reply:
    """The allocations that hold or held on its policies, newest first."""
    query = AllocationQuery(budget=budget, is_active=is_active)
    return Reply(listed(verbs.lists.allocations(asker, query, pages), to_api_allocation))


@router.get("/{budget:path}", response_model=BudgetOut)
def get_budget(budget: str, asker: Asker, verbs: Verbs) -> Reply:
    """By id or name."""
    return Reply(_shown(verbs, verbs.catalogue.budget(asker, budget)))


def _shown(verbs: Service, budget: Budget) -> dict[str, Any]:  # Any: JSON
    policy_ids = verbs.catalogue.policy_ids([budget])
    return to_api_budget(budget, policy_ids[budget.budget_id])
