"""Refusals of an ask that cannot be judged: what it leaves open, what is not known of it."""

from collections.abc import Sequence

from tekton_budget.domain.allocation import LIFETIME_MAX_US
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.command import Allocate
from tekton_budget.domain.errors import (
    BudgetError,
    FieldFault,
    Forbidden,
    InvalidInput,
    NotFound,
    invalid,
)
from tekton_budget.domain.estimate import Prices, states_cost, states_tokens
from tekton_budget.domain.ledger.state import State
from tekton_budget.domain.naming import Unknown
from tekton_budget.domain.policy import Enforcement, PerMissing, Policy, Unpriced
from tekton_budget.domain.policy_set import Concern
from tekton_budget.domain.price import Lack

_ENFORCING = (Enforcement.HARD_LIMIT, Enforcement.SOFT_LIMIT)


def refusal_of(
    state: State, ask: Allocate, concerns: Sequence[Concern], prices: Prices
) -> BudgetError | None:
    """Why an ask cannot be judged, in this order; `None` if it can.

    An unknown budget, no policy (where that is refused), a faulty lifetime, a missing label, one
    group too many, amounts left open, a price not known. A shadowed policy refuses nothing.
    """
    shadow = state.settings.shadow
    unknown = unknown_budget(state, ask.labels.get("budget"), ask.caller)
    if unknown is not None:
        return unknown
    if not concerns and state.settings.deny_unbudgeted and not shadow:
        return _no_policy()
    if not 0 < ask.lifetime_us <= LIFETIME_MAX_US:
        fault = FieldFault("lifetime_seconds", "send 1 to 86400")
        return InvalidInput("lifetime_seconds: send 1 to 86400", fault)
    if ask.ends_at(state.now_us) <= state.now_us:
        return invalid("expires_at", "lies in the past")
    judging = [c for c in concerns if c.policy.judges and not (shadow or c.policy.shadow)]
    for concern in judging:
        refused = _no_group(state, ask, concern)
        if refused is not None:
            return refused
    return left_open(state, ask, judging, prices)


def unknown_budget(state: State, called: str | None, caller: Caller) -> BudgetError | None:
    """The refusal of a call that names a budget which there is not, or not for this key."""
    if called is None or state.policies.budget_called(called, caller.labels) is not None:
        return None
    return budget_not_found(called)


def budget_not_found(called: str) -> NotFound:
    """The refusal of a name or id."""
    return NotFound(
        f"Budget with ID {called!r} not found: GET /api/v1/budgets lists them.",
        code="budget_not_found",
    )


def unknown_price(
    state: State, model: str | None, provider: str | None, policy_name: str
) -> InvalidInput:
    """The refusal of a model without a price, with what to do about it."""
    now_us = state.now_us
    found = state.book.find(provider, model or "", valid_us=now_us, known_us=now_us)
    near = list(found.suggestions) if isinstance(found, Unknown) else []
    sellers = {one.partition("/")[0] for one in near if one.partition("/")[2] == model}
    if provider is None and len(sellers) > 1:
        text = f"several providers sell {model} ({', '.join(sorted(sellers))}): send provider"
        return InvalidInput(text, FieldFault("provider", text), code="unknown_price")
    name = f"{provider}/{model}" if provider else f"PROVIDER/{model}"
    hint = f" Near: {', '.join(near)}." if near else ""
    return InvalidInput(
        f'No price is known for {model} and "{policy_name}" limits cost.{hint} '
        f"Set one: tekton-budget prices set {name} --input USD --output USD (per 1M tokens), "
        "or send cost.",
        FieldFault("model", "no price is known"),
        code="unknown_price",
        suggestions=near,
    )


def unknown_rate(lack: Lack, policy_name: str) -> InvalidInput:
    """The refusal of a unit or context without a rate, with what to do about it."""
    card, field = lack.card, lack.field
    name = f"{card.provider}/{card.model}"
    if field.startswith("context."):
        advice = f"Load a card with such rates (tekton-budget prices load, for {name})"
    else:
        option = "--fee" if lack.is_fee else "--rate"
        advice = f"Set one: tekton-budget prices set {name} {option} {lack.name}=USD"
    return InvalidInput(
        f'The price of {name} has no rate for {field} and "{policy_name}" limits cost. '
        f"{advice}, or send cost.",
        FieldFault(field, "no price is known"),
        code="unknown_price",
        unit=lack.name,
    )


def _no_policy() -> Forbidden:
    return Forbidden(
        "No policy concerns this call and calls without one are refused here. "
        "Set a limit for it (tekton-budget set LABEL=VALUE AMOUNT/PERIOD) or label the call.",
        code="no_policy",
    )


def _no_group(state: State, ask: Allocate, concern: Concern) -> InvalidInput | None:
    policy = concern.policy
    if concern.group_missing and policy.per_missing is PerMissing.DENY:
        missing = [name for name in policy.per if name not in ask.labels]
        return InvalidInput(
            f'The policy "{policy.name}" needs the label {", ".join(missing)}: send it.',
            *(FieldFault(f"labels.{name}", f'needed by "{policy.name}"') for name in missing),
            code="label_missing",
        )
    if concern.balance_id in state.overfull and policy.enforcement in _ENFORCING:
        return InvalidInput(
            f'The policy "{policy.name}" keeps at most {policy.max_groups:,} groups and '
            f"{concern.group!r} would be one more: check what {', '.join(policy.per)} is sent, "
            "or raise max_groups.",
            FieldFault("labels", f'too many groups in "{policy.name}"'),
            code="too_many_groups",
        )
    return None


def left_open(
    state: State, ask: Allocate, judging: Sequence[Concern], prices: Prices
) -> InvalidInput | None:
    """The refusal of an ask that leaves open what an enforcing policy limits, or has no price."""
    faults: list[FieldFault] = []
    unpriced: Policy | None = None
    for concern in judging:
        policy = concern.policy
        if policy.enforcement not in _ENFORCING:
            continue
        limits = state.balances[concern.balance_id].allowance_at(policy, state.now_us)
        if limits.tokens is not None and not states_tokens(ask):
            faults.append(_open_tokens(ask, policy))
        if limits.cost_nano is None or _is_costed(ask, policy, prices):
            continue
        fault = _open_cost(ask, policy)
        if fault is not None:
            faults.append(fault)
        elif policy.unpriced is not Unpriced.ALLOW:
            unpriced = unpriced or policy
    if faults:
        return InvalidInput(
            "This ask leaves open what it may use: " + "; ".join(f.message for f in faults) + ".",
            *faults,
            code="amount_needed",
        )
    if unpriced is None:
        return None
    if prices.lack is not None:
        return unknown_rate(prices.lack, unpriced.name)
    return unknown_price(state, ask.labels.get("model"), ask.labels.get("provider"), unpriced.name)


def _is_costed(ask: Allocate, policy: Policy, prices: Prices) -> bool:
    """Whether the policy knows what the ask may cost: by rates of its own, if it wants those."""
    if not states_cost(ask, prices.price_for(policy)):
        return False
    return prices.lack is None or policy.unpriced is not Unpriced.DENY


def _open_tokens(ask: Allocate, policy: Policy) -> FieldFault:
    field = "tokens"
    if ask.input_tokens is not None:
        field = "max_output_tokens"
    elif ask.max_output_tokens is not None:
        field = "input_tokens"
    return FieldFault(field, f'"{policy.name}" limits tokens: send {field}')


def _open_cost(ask: Allocate, policy: Policy) -> FieldFault | None:
    """What a cost that is not stated lacks; `None` if it is nothing but the model's price."""
    if not states_tokens(ask):
        text = "send cost, or model with input_tokens and max_output_tokens"
        return FieldFault("cost", f'"{policy.name}" limits cost: {text}')
    if ask.labels.get("model") is None and policy.unpriced is not Unpriced.ALLOW:
        return FieldFault("model", f'"{policy.name}" limits cost: send model, or cost')
    return None
