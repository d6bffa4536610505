"""Commands about limits: where they stand, which there are, a new amount."""

from decimal import Decimal
from typing import Any

from tekton_budget.face.budget import AsyncBudget
from tekton_budget.frontends.api.commanding.said import (
    Answering,
    Json,
    Said,
    Values,
    amount_of,
    counted,
    lines,
    said_labels,
    text_of,
    tokens,
    usd,
)

_SCOPED = ("provider", "tier", "component")
_PAGE = 500
_BUDGETS_MAX = 100  # of which limits are shown
_PASSED = "passed_by "
_MEANS = {
    "ignore": "calls beyond it are counted, and that is all",
    "warn": "calls beyond it are let through, with a warning",
    "soft_limit": "calls beyond it are let through, with advice to call something cheaper",
    "hard_limit": "calls beyond it are denied",
}
_THRESHOLDS = (Decimal("0.8"), Decimal("0.95"))


async def show_budget(budget: AsyncBudget, values: Values) -> Said:
    """`/budget`, `status`: where the limits of a period stand."""
    period = str(values["period"])
    wanted = said_labels(values, *_SCOPED)
    found = [
        one
        for folder in (await budget.budgets(limit=_BUDGETS_MAX))["items"]
        if folder["is_active"]
        for one in await budget.summaries(folder["budget_id"], period)
        if one["policy_id"] is not None
        and all(one[name] == value for name, value in wanted.items())
    ]
    used = await budget.usage_summary(period=period, labels=wanted)
    whom = _whom(wanted)
    limits = [_standing(one) for one in found]
    return Said(
        lines(
            f"Used in the open {period} window by {whom}: {usd(used['total_cost'])}, "
            f"{tokens(used['total_tokens'])}, in {counted(used['count'], 'record')}.",
            limits or f"No {period} limit is set for {whom}.",
        ),
        {"period": period, "summary": found, "usage": used},
    )


async def show_limits(budget: AsyncBudget, values: Values) -> Said:
    """`/limits`: those in force, or a new amount."""
    period, amount = text_of(values, "period"), amount_of(values, "amount")
    if period is not None and amount is not None:
        return await _set_amount(budget, period, amount)
    found = [
        one for one in await _policies(budget) if period in (None, one["period"]) and one["enabled"]
    ]
    told = [f"{one['name']}: {one['limit']}, {one['enforcement']}" for one in found]
    return Said(
        lines("Limits in force:", told) if told else "No limits are set. Set one: /limits daily 5",
        {"policies": found},
    )


async def set_limit(budget: AsyncBudget, values: Values) -> Said:
    """`set-limit`: as the original, a new limit warns unless its type is said."""
    period, limit = str(values["period"]), amount_of(values, "limit")
    assert limit is not None  # it is needed
    scope = said_labels(values, *_SCOPED)
    kind, folder = text_of(values, "policy_type"), text_of(values, "budget_id")
    known = [
        one
        for one in await _policies(budget)
        if _is_alike(one, scope, period) and folder in (None, one["budget_id"])
    ]
    fields: dict[str, Any] = {"enforcement": kind or (None if known else "warn")}
    told = [amount_of(values, name) for name in ("warning_threshold", "action_threshold")]
    if any(one is not None for one in told):
        fields["thresholds"] = sorted(
            {
                one if one is not None else usual
                for one, usual in zip(told, _THRESHOLDS, strict=True)
            }
        )
    elif not known:
        fields["thresholds"] = list(_THRESHOLDS)
    answer = await budget.set_limit(f"{limit:f}usd/{period}", scope=scope, budget=folder, **fields)
    policy = answer["policy"]
    words = ["set-limit", period, f"{limit:f}"]
    words += [f"--{name} {value}" for name, value in scope.items()]
    return Said(
        lines(
            _changed(answer),
            [f"Policy: {policy['policy_id']} of the budget {policy['budget_id']}"],
            _notes(answer),
            *_how_to_deny(policy, " ".join(words), is_chosen=kind is not None),
        ),
        answer,
    )


async def _set_amount(budget: AsyncBudget, period: str, amount: Decimal) -> Said:
    """The hard limit on all calls, where there is one such, changes; else the one that there is."""
    hard = [
        one
        for one in await _policies(budget)
        if _is_alike(one, {}, period) and one["enforcement"] == "hard_limit"
    ]
    if len(hard) == 1:
        changed = await budget.change_policy(hard[0]["policy_id"], cost_limit=amount)
        answer: Json = {"policy": changed, "created": False, "notes": changed.get("notes")}
    else:
        answer = await budget.set_limit(f"{amount:f}usd/{period}")
    policy = answer["policy"]
    return Said(
        lines(
            _changed(answer),
            _notes(answer),
            *_how_to_deny(policy, f"set-limit {period} {amount:f}", is_chosen=False),
        ),
        answer,
    )


def _changed(answer: Json) -> str:
    policy = answer["policy"]
    told = "New limit" if answer["created"] else "Changed limit"
    means = _MEANS[policy["enforcement"]]
    if policy["shadow"]:
        means = "it is judged in the shadow only, and nothing is denied"
    scope = _whom(policy["scope"])
    kind = policy["enforcement"]
    return f'{told} "{policy["name"]}" for {scope}: {policy["limit"]}, {kind}: {means}.'


def _notes(answer: Json) -> list[str]:
    """What the change has to say; that it is passed already without its numbers of the ledger."""
    notes = list(answer.get("notes") or [])
    told = [one for one in notes if not one.startswith(_PASSED)]
    return told if len(told) == len(notes) else [*told, "It is passed already."]


def _how_to_deny(policy: Json, again: str, *, is_chosen: bool) -> list[str]:
    if is_chosen or policy["enforcement"] == "hard_limit":
        return []
    return [f"To deny them: {again} --policy-type hard_limit"]


def _standing(one: Json) -> str:
    parts = [f"{one['name'] or one['period']}:"]
    if one["cost_limit"] is not None:
        share = f" ({_percent(one['cost_usage_percentage'])})"
        parts.append(f"{usd(one['total_cost'])} of {usd(one['cost_limit'])}{share}")
    if one["token_limit"] is not None:
        share = f" ({_percent(one['token_usage_percentage'])})"
        parts.append(f"{one['total_tokens_used']:,} of {tokens(one['token_limit'])}{share}")
    if one["cost_limit"] is None and one["token_limit"] is None:
        parts.append(f"{usd(one['total_cost'])}, {tokens(one['total_tokens_used'])}")
    if one["cost_limit_exceeded"] or one["token_limit_exceeded"]:
        parts.append("- passed")
    return " ".join(parts)


def _percent(value: Decimal | int | None) -> str:
    """A share of one in percent."""
    return "" if value is None else f"{Decimal(value) * 100:.1f} %"


def _whom(scope: Json) -> str:
    told = " ".join(
        f"{name}={value if isinstance(value, str) else ','.join(value)}"
        for name, value in scope.items()
    )
    return f"calls with {told}" if told else "all calls"


def _is_alike(policy: Json, scope: Json, period: str) -> bool:
    return (
        policy["scope"] == scope
        and policy["period"] == period
        and not policy["per"]
        and policy["cost_limit"] is not None
    )


async def _policies(budget: AsyncBudget) -> list[Json]:
    found: list[Json] = []
    after: str | None = None
    while True:
        page = await budget.policies(after=after, limit=_PAGE)
        found += page["items"]
        after = page.get("next")
        if after is None:
            return found


COMMANDS: dict[str, Answering] = {
    "budget": show_budget,
    "status": show_budget,
    "limits": show_limits,
    "set-limit": set_limit,
}
