"""A policy's numbers for a call, as grants and denials show them."""

from tekton_budget.domain.answer import Denial, Fitting, Standing
from tekton_budget.frontends.http.wire import amounts, time_text, usd


def to_api_standing(standing: Standing) -> dict[str, object]:
    """What a policy has left, in brief. Numbers of others than the key that asks are left out."""
    return {
        "policy_id": standing.policy_id,
        "name": standing.name,
        "group": standing.group,
        "enforcement": standing.enforcement,
        "remaining": None if standing.hidden else amounts(standing.remaining),
        "resets_at": time_text(standing.resets_us, standing.timezone),
    }


def to_api_passed(standing: Standing) -> dict[str, object]:
    """A policy that stands in the way, with all that explains it."""
    shown = not standing.hidden
    parent = {} if standing.allocation_id is None else {"allocation_id": standing.allocation_id}
    return parent | {
        "policy_id": standing.policy_id,
        "name": standing.name,
        "scope": standing.scope,
        "group": standing.group if shown else None,
        "enforcement": standing.enforcement,
        "allowance": amounts(standing.allowance) if shown else None,
        "spent": amounts(standing.spent) if shown else None,
        "held": amounts(standing.held) if shown else None,
        "asked": amounts(standing.asked),
        "remaining": amounts(standing.remaining) if shown else None,
        "landing": amounts(standing.kept) if shown else None,
        "resets_at": time_text(standing.resets_us, standing.timezone),
    }


def to_api_fit(fit: Fitting | None) -> dict[str, object] | None:
    """The largest ask of the same shape that would be granted now."""
    if fit is None:
        return None
    return {
        "tokens": fit.tokens,
        "cost": usd(fit.cost_nano),
        "max_output_tokens": fit.max_output_tokens,
    }


def to_api_denial(denial: Denial) -> dict[str, object]:
    """The facts of a denial, beside the members of a problem document."""
    return {
        "allocation_id": denial.allocation_id,
        "decision": "deny",
        "policies": [to_api_passed(standing) for standing in denial.policies],
        "largest_fit": to_api_fit(denial.largest_fit),
        "alternatives": denial.alternatives,
        "blocked_on": denial.blocked_on,
        "retryable": denial.retryable,
        "never_fits": denial.never_fits,
        "resets_at": time_text(denial.resets_us),
        "dry_run": denial.dry_run,
    }
