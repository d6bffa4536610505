"""Policies: limits in full or in one line, with their groups, exceptions and credit."""

from typing import Annotated

from fastapi import Query

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.answer import Credited
from tekton_budget.domain.errors import invalid
from tekton_budget.domain.limit_text import amount_from_text
from tekton_budget.domain.money import COST_NANO_MAX, nano_from_usd
from tekton_budget.frontends.api.asking import Asker, IdempotencyKey, Pages, Verbs
from tekton_budget.frontends.api.bodies.answers import to_api_credited
from tekton_budget.frontends.api.bodies.limiting import (
    to_api_exception,
    to_api_policy,
)
from tekton_budget.frontends.api.bodies.limiting_bodies import (
    ChangedOut,
    CreditBody,
    CreditFields,
    CreditOut,
    ExceptionBody,
    ExceptionFields,
    ExceptionsOut,
    PolicyBody,
    PolicyChange,
    PolicyOut,
    SetOut,
)
from tekton_budget.frontends.api.bodies.spending import own_id, retry_of
from tekton_budget.frontends.api.body import AsSentRoute, exact_router
from tekton_budget.frontends.api.paging import listed
from tekton_budget.frontends.api.schemas import PageOut, TierText
from tekton_budget.frontends.http.wire import Reply
from tekton_budget.service.asking.commands import TOKENS_MAX
from tekton_budget.service.limiting.policy_fields import SCOPE_SHORTCUTS, enforcement_named
from tekton_budget.service.limiting.starting import Started
from tekton_budget.service.reporting.catalogue import PolicyQuery

router = exact_router("/policies")
groups_router = exact_router("/policies", AsSentRoute)  # names of groups are people's own words
credit_router = exact_router("/credit")

Text = Annotated[str | None, Query(max_length=256)]


@router.post("", status_code=201, response_model=PolicyOut)
def create_policy(
    body: PolicyBody, asker: Asker, verbs: Verbs, key: IdempotencyKey = None
) -> Reply:
    """Make a policy. It counts from now on, and judges once older usage of its window is summed."""
    started = verbs.policies.create_policy(
        asker,
        body.fields(),
        budget=body.budget_id,
        backfill=body.backfill,
        retry=retry_of("policies", key, body.given()),
    )
    return Reply(_started(started), status_code=201)


@router.put("", response_model=SetOut)
def set_limit(body: PolicyBody, asker: Asker, verbs: Verbs) -> Reply:
    """Make or change one policy: the one of that name, or of that scope, period and `per`."""
    done = verbs.short.set_limit(asker, body.fields(), budget=body.budget_id)
    shown = {"policy": to_api_policy(done.policy), "created": done.created, "notes": done.notes}
    return Reply(shown)


@router.get("", response_model=PageOut[PolicyOut])
def list_policies(
    asker: Asker,
    verbs: Verbs,
    pages: Pages,
    *,
    period: Text = None,
    tier: Annotated[TierText, Query(max_length=256)] = None,
    provider: Text = None,
    component: Text = None,
    task_type: Text = None,
    model: Text = None,
    enabled: Annotated[bool | None, Query()] = None,
    enforcement: Text = None,
    type: Text = None,
    budget_id: Text = None,
    name: Text = None,
) -> Reply:
    """The policies in force, with when each last judged a call."""
    values = (tier, provider, component, task_type, model)
    labels = {n: v for n, v in zip(SCOPE_SHORTCUTS, values, strict=True) if v is not None}
    said = enforcement or type
    query = PolicyQuery(
        period=None if period is None else period.lower(),
        enabled=enabled,
        enforcement=None if said is None else enforcement_named(said),
        budget=budget_id,
        name=name,
        labels=labels,
    )
    page = verbs.catalogue.policies(asker, query, pages)
    judged = verbs.standings.last_judged([one.policy.policy_id for one in page.items])
    return Reply(
        listed(page, lambda one: to_api_policy(one.policy, judged.get(one.policy.policy_id)))
    )


@router.get("/{policy:path}", response_model=PolicyOut)
def get_policy(policy: str, asker: Asker, verbs: Verbs) -> Reply:
    """By id or name."""
    found = verbs.catalogue.policy(asker, policy).policy
    judged = verbs.standings.last_judged([found.policy_id])
    return Reply(to_api_policy(found, judged.get(found.policy_id)))


@router.put("/{policy:path}", response_model=PolicyOut)
@router.patch("/{policy:path}", response_model=PolicyOut)
def change_policy(policy: str, body: PolicyChange, asker: Asker, verbs: Verbs) -> Reply:
    """Change what is named: amounts and the like at once, period, scope and per by replacement."""
    return Reply(_started(verbs.policies.change_policy(asker, policy, body.fields())))


@router.delete("/{policy:path}", response_model=ChangedOut[PolicyOut])
def end_policy(policy: str, asker: Asker, verbs: Verbs) -> Reply:
    """Stop counting. What was counted stays and can be read."""
    ended = verbs.policies.end_policy(asker, policy)
    return Reply({"message": f"Policy {ended.name} has ended.", "data": to_api_policy(ended)})


@groups_router.put("/{policy:path}/groups", response_model=ExceptionsOut)
def set_exceptions(
    policy: str, body: dict[str, ExceptionBody], asker: Asker, verbs: Verbs
) -> Reply:
    """Other amounts for groups: `{"alice": {"cost_limit": 200}, "bob": "unlimited"}`.

    `null` removes an exception.
    """
    groups = {
        group: one.given() if isinstance(one, ExceptionFields) else one
        for group, one in body.items()
    }
    done = verbs.policies.set_exceptions(asker, policy, groups)
    return Reply({"groups": {group: to_api_exception(one) for group, one in done.items()}})


@router.post("/{policy:path}/credit", status_code=201, response_model=CreditOut)
def give_credit(
    policy: str, body: CreditFields, asker: Asker, verbs: Verbs, key: IdempotencyKey = None
) -> Reply:
    """An amount on top for one group's current window, once."""
    ticket = verbs.ledger.give_credit(
        asker,
        policy,
        _amounts(body),
        group=body.group or "",
        reason=body.reason or "",
        expires_us=body.expires_at,
        credit_id=own_id(key, body.credit_id, "credit_id"),
    )
    return _credited(ticket.result())


@credit_router.post("", status_code=201, response_model=CreditOut)
def give_credit_to(
    body: CreditBody, asker: Asker, verbs: Verbs, key: IdempotencyKey = None
) -> Reply:
    """The same for the policy and group that labels mean, as `{"user": "alice"}`."""
    ticket = verbs.short.give_credit(
        asker,
        _amounts(body),
        labels=body.labels,
        policy=body.policy,
        group=body.group,
        reason=body.reason or "",
        expires_us=body.expires_at,
        credit_id=own_id(key, body.credit_id, "credit_id"),
    )
    return _credited(ticket.result())


def _started(started: Started) -> dict[str, object]:
    shown = to_api_policy(started.policy)
    return {**shown, "notes": started.notes} if started.notes else shown


def _amounts(body: CreditFields) -> Amounts:
    if body.amount is not None:
        if body.cost is not None or body.tokens is not None or body.requests is not None:
            raise invalid("amount", "send either amount, or cost, tokens and requests")
        return amount_from_text(body.amount)
    try:
        cost_nano = 0 if body.cost is None else nano_from_usd(body.cost)
    except ValueError as error:
        raise invalid("cost", "send USD as a number") from error
    if not 0 <= cost_nano <= COST_NANO_MAX:
        raise invalid("cost", f"send 0 to {COST_NANO_MAX // 10**9} USD")
    tokens, requests = body.tokens or 0, body.requests or 0
    for field, value in (("tokens", tokens), ("requests", requests)):
        if not 0 <= value <= TOKENS_MAX:
            raise invalid(field, f"send 0 to {TOKENS_MAX}")
    return Amounts(tokens, cost_nano, requests)


def _credited(credited: Credited) -> Reply:
    return Reply(to_api_credited(credited), status_code=201)
