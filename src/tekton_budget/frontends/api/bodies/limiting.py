"""Budgets, policies and balances → JSON, with the original's field names wherever it has them."""

from collections.abc import Iterable

from tekton_budget.domain.amounts import Limits
from tekton_budget.domain.limit_text import limits_text
from tekton_budget.domain.period import period_text
from tekton_budget.domain.policy import Budget, GroupLimits, Policy
from tekton_budget.frontends.http.wire import amounts, ppm, time_text, usd
from tekton_budget.service.limiting.policy_fields import SCOPE_SHORTCUTS


def to_api_budget(budget: Budget, policy_ids: Iterable[str]) -> dict[str, object]:
    """A budget."""
    return {
        "budget_id": budget.budget_id,
        "name": budget.name,
        "description": budget.description,
        "owner": budget.owner,
        "scope": budget.scope.to_json(),
        "policies": list(policy_ids),
        "is_active": budget.is_active,
        "created_at": time_text(budget.created_us),
        "updated_at": time_text(budget.updated_us),
        "creation_time": time_text(budget.created_us),
        "metadata": budget.metadata,
    }


def to_api_policy(policy: Policy, last_judged_us: int | None = None) -> dict[str, object]:
    """A policy."""
    scope, schedule = policy.scope.to_json(), policy.schedule
    thresholds = [ppm(share) for share in policy.thresholds_ppm]
    length_us = schedule.length_us
    return {
        "policy_id": policy.policy_id,
        "name": policy.name,
        "budget_id": policy.budget_id,
        "type": policy.enforcement.value,
        "enforcement": policy.enforcement.value,
        "shadow": policy.shadow,
        "limit": f"{limits_text(policy.limits)} {period_text(schedule)}",
        "token_limit": policy.limits.tokens,
        "cost_limit": usd(policy.limits.cost_nano),
        "request_limit": policy.limits.requests,
        "period": schedule.period.value,
        "timezone": schedule.zone,
        "anchor": schedule.anchor,
        "length_seconds": None if length_us is None else length_us // 1_000_000,
        "scope": scope,
        **{name: scope.get(name) for name in SCOPE_SHORTCUTS},
        "per": policy.per,
        "per_missing": policy.per_missing.value,
        "thresholds": thresholds,
        "warning_threshold": thresholds[0] if thresholds else None,
        "action_threshold": thresholds[1] if len(thresholds) > 1 else None,
        "tokens_counted": policy.tokens_counted or None,
        "rollover": policy.rollover,
        "rollover_cap": amounts(policy.rollover_cap) if policy.rollover_cap != Limits() else None,
        "bypass_priority": policy.bypass_priority,
        "unpriced": policy.unpriced.value,
        "assume_model": policy.assume_model,
        "min_grant": policy.min_grant,
        "landing": ppm(policy.landing_ppm),
        "ladder": policy.ladder,
        "hold": policy.hold.value,
        "default_output_tokens": policy.default_output_tokens,
        "max_groups": policy.max_groups,
        "starts_at": time_text(policy.starts_us),
        "ends_at": time_text(policy.ends_us),
        "start_date": time_text(policy.starts_us),
        "end_date": time_text(policy.ends_us),
        "enabled": policy.enabled,
        "status": policy.status.value,
        "version": policy.version,
        "backfilled_from": time_text(policy.backfilled_from_us),
        "last_judged_at": time_text(last_judged_us),
        "created_at": time_text(policy.created_us),
        "updated_at": time_text(policy.updated_us),
        "metadata": policy.metadata,
    }


def to_api_exception(limits: GroupLimits | None) -> object:
    """An exception as it was set."""
    if limits is None:
        return None
    if limits.unlimited:
        return "unlimited"
    return {
        "token_limit": limits.tokens,
        "cost_limit": usd(limits.cost_nano),
        "request_limit": limits.requests,
    }
