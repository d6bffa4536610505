"""Where limits stand, as the API shows it: balances, the status of a call, sums by period."""

from collections.abc import Sequence
from typing import Any

from pydantic import ConfigDict

from tekton_budget.frontends.api.bodies.usages import percentage
from tekton_budget.frontends.api.schemas import AmountsOut, TimeOut, UsdOut, View
from tekton_budget.frontends.http.wire import amounts, share, time_text, usd
from tekton_budget.service.reporting.balance_views import BalanceView
from tekton_budget.service.reporting.overview import BudgetSummary
from tekton_budget.service.reporting.standings import Near, Status

_AMOUNTS: dict[str, Any] = {"tokens": None, "cost": 50, "requests": None}
_BALANCE: dict[str, Any] = {  # Any: JSON
    "policy_id": "019ab2a0-93cb-7a10-8f0a-1f5a1d6a3b52",
    "name": "team=a monthly",
    "budget_id": "default",
    "type": "hard_limit",
    "enforcement": "hard_limit",
    "judges": True,
    "shadow": False,
    "period": "monthly",
    "timezone": "UTC",
    "group": "",
    "labels": {},
    "opens_at": "2026-11-01T00:00:00+00:00",
    "closes_at": "2026-12-01T00:00:00+00:00",
    "allowance": _AMOUNTS,
    "spent": {"tokens": 91000, "cost": 12.5, "requests": 40},
    "held": {"tokens": 1400, "cost": 0.5, "requests": 1},
    "remaining": {"tokens": None, "cost": 37, "requests": None},
    "share": 0.26,
    "resets_at": "2026-12-01T00:00:00+00:00",
    "carry": {"tokens": 0, "cost": 0, "requests": 0},
    "credit": {"tokens": 0, "cost": 0, "requests": 0},
    "landing": {"tokens": 0, "cost": 0, "requests": 0},
    "is_exception": False,
    "hidden": False,
}


class BalanceOut(View):
    """One policy, group and window. Numbers of others than the key that asks are `null`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_BALANCE]})

    policy_id: str
    name: str
    budget_id: str
    type: str
    enforcement: str
    judges: bool
    shadow: bool
    period: str
    timezone: str
    group: str
    labels: dict[str, str]
    opens_at: TimeOut
    closes_at: TimeOut
    allowance: AmountsOut | None
    spent: AmountsOut | None
    held: AmountsOut | None
    remaining: AmountsOut | None
    share: float | None
    resets_at: TimeOut
    carry: AmountsOut | None
    credit: AmountsOut | None
    landing: AmountsOut | None
    is_exception: bool
    hidden: bool


class NearOut(View):
    """A policy that would concern the call but for one label."""

    policy_id: str
    name: str
    label: str
    wanted: str | list[str]
    given: str | None


class StatusOut(View):
    """What holds for a call with these labels, fullest first; `binds` is met first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "labels": {"team": "a"},
                    "policies": [_BALANCE],
                    "binds": _BALANCE,
                    "near": [
                        {
                            "policy_id": "019ab2a0-93cb-7a10-8f0a-1f5a1d6a3b53",
                            "name": "team=b monthly",
                            "label": "team",
                            "wanted": "b",
                            "given": "a",
                        }
                    ],
                    "unbudgeted_calls": None,
                }
            ]
        }
    )

    labels: dict[str, str]
    policies: list[BalanceOut]
    binds: BalanceOut | None
    near: list[NearOut]
    unbudgeted_calls: int | None


class BudgetSummaryOut(View):
    """A policy's window (its fullest group), or all usage of a period that no policy limits."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "period": "daily",
                    "budget_id": "default",
                    "policy_id": "019ab2a0-93cb-7a10-8f0a-1f5a1d6a3b52",
                    "name": "daily",
                    "group": "",
                    "tier": None,
                    "provider": None,
                    "component": None,
                    "task_type": None,
                    "model": None,
                    "total_tokens_allocated": 92400,
                    "total_tokens_used": 91000,
                    "token_limit": None,
                    "token_usage_percentage": None,
                    "total_cost": 1.25,
                    "cost_limit": 5,
                    "cost_usage_percentage": 25,
                    "active_allocations": 1,
                    "start_time": "2026-11-23T00:00:00+00:00",
                    "end_time": "2026-11-24T00:00:00+00:00",
                    "remaining_tokens": None,
                    "remaining_cost": 3.7,
                    "token_limit_exceeded": False,
                    "cost_limit_exceeded": False,
                    "input_tokens": 80000,
                    "output_tokens": 11000,
                    "spent": 1.25,
                    "limit": 5,
                }
            ]
        }
    )

    period: str
    budget_id: str | None
    policy_id: str | None
    name: str | None
    group: str
    tier: str | None
    provider: str | None
    component: str | None
    task_type: str | None
    model: str | None
    total_tokens_allocated: int
    total_tokens_used: int
    token_limit: int | None
    token_usage_percentage: float | None
    total_cost: UsdOut
    cost_limit: UsdOut
    cost_usage_percentage: float | None
    active_allocations: int
    start_time: TimeOut
    end_time: TimeOut
    remaining_tokens: int | None
    remaining_cost: UsdOut
    token_limit_exceeded: bool
    cost_limit_exceeded: bool
    input_tokens: int | None
    output_tokens: int | None
    spent: float
    limit: float


def to_api_balance(view: BalanceView) -> dict[str, object]:
    """A balance with all its numbers, or without them where they are not the key's to see."""
    shown = not view.hidden
    zone = view.timezone
    return {
        "policy_id": view.policy_id,
        "name": view.name,
        "budget_id": view.budget_id,
        "type": view.enforcement,
        "enforcement": view.enforcement,
        "judges": view.judges,
        "shadow": view.shadow,
        "period": view.period,
        "timezone": zone,
        "group": view.group if shown else "",
        "labels": view.labels if shown else {},
        "opens_at": time_text(view.opens_us, zone),
        "closes_at": time_text(view.closes_us, zone),
        "allowance": amounts(view.allowance) if shown else None,
        "spent": amounts(view.spent) if shown else None,
        "held": amounts(view.held) if shown else None,
        "remaining": amounts(view.remaining) if shown else None,
        "share": share(view.share_ppm, 1_000_000) if shown and view.share_ppm is not None else None,
        "resets_at": time_text(view.resets_us, zone),
        "carry": amounts(view.carry) if shown else None,
        "credit": amounts(view.credit) if shown else None,
        "landing": amounts(view.landing) if shown else None,
        "is_exception": view.is_exception,
        "hidden": view.hidden,
    }


def to_api_status(status: Status) -> dict[str, object]:
    """What holds for a call."""
    return {
        "labels": status.labels,
        "policies": [to_api_balance(view) for view in status.policies],
        "binds": None if status.binds is None else to_api_balance(status.binds),
        "near": [_near(near) for near in status.near],
        "unbudgeted_calls": status.unbudgeted_calls,
    }


def to_api_summaries(
    summaries: Sequence[BudgetSummary], *, in_percent: bool
) -> list[dict[str, object]]:
    """The original's summaries; what is used of a limit as a fraction of 1, or in percent."""
    return [_summary(summary, in_percent=in_percent) for summary in summaries]


def _summary(summary: BudgetSummary, *, in_percent: bool) -> dict[str, object]:
    def used(share_ppm: int | None) -> object:
        if share_ppm is None:
            return None
        return (percentage if in_percent else share)(share_ppm, 1_000_000)

    return {
        "period": summary.period,
        "budget_id": summary.budget_id,
        "policy_id": summary.policy_id,
        "name": summary.name,
        "group": summary.group,
        "tier": summary.tier,
        "provider": summary.provider,
        "component": summary.component,
        "task_type": summary.task_type,
        "model": summary.model,
        "total_tokens_allocated": summary.tokens_allocated,
        "total_tokens_used": summary.tokens_used,
        "token_limit": summary.token_limit,
        "token_usage_percentage": used(summary.token_share_ppm),
        "total_cost": usd(summary.cost_nano),
        "cost_limit": usd(summary.cost_limit_nano),
        "cost_usage_percentage": used(summary.cost_share_ppm),
        "active_allocations": summary.active_allocations,
        "start_time": time_text(summary.from_us),
        "end_time": time_text(summary.to_us),
        "remaining_tokens": summary.remaining_tokens,
        "remaining_cost": usd(summary.remaining_cost_nano),
        "token_limit_exceeded": summary.token_limit_exceeded,
        "cost_limit_exceeded": summary.cost_limit_exceeded,
        "input_tokens": summary.input_tokens,
        "output_tokens": summary.output_tokens,
        # The dashboard formats both as numbers, so that `null` would break it.
        "spent": usd(summary.cost_nano),
        "limit": usd(summary.cost_limit_nano or 0),
    }


def _near(near: Near) -> dict[str, object]:
    return {
        "policy_id": near.policy_id,
        "name": near.name,
        "label": near.label,
        "wanted": near.wanted,
        "given": near.given,
    }
