"""Templates: the policies that a new budget begins with where one is named."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.price import TIERS

TEKTON: Final = "tekton"
TEMPLATES: Final = (TEKTON,)
BUDGET_NAME_MAX = 150  # of a budget's name in the names of its policies

# Tekton's own defaults: tokens by tier, money for all; they warn and deny nothing.
_MILLION = 1_000_000
_TOKENS: Final[Mapping[str, tuple[int, int, int]]] = {
    "hourly": (1_000_000, 500_000, 100_000),
    "daily": (10 * _MILLION, 5 * _MILLION, 1 * _MILLION),
    "weekly": (50 * _MILLION, 25 * _MILLION, 5 * _MILLION),
    "monthly": (200 * _MILLION, 100 * _MILLION, 20 * _MILLION),
    "per_session": (8_000, 16_000, 32_000),
}
_COSTS: Final[Mapping[str, Decimal]] = {
    "hourly": Decimal("0.50"),
    "daily": Decimal(5),
    "weekly": Decimal(25),
    "monthly": Decimal(100),
}


def policies_of(template: str, budget: str) -> list[dict[str, Any]]:  # Any: fields of policies
    """The fields of a template's policies, named after the budget; refuses an unknown template."""
    if template.lower() != TEKTON:
        raise invalid("template", f"send one of {', '.join(TEMPLATES)}, or leave it out")
    said = budget.strip()[:BUDGET_NAME_MAX]
    by_tier = [
        {"name": f"{said} {tier} {period}", "tier": tier, "period": period, "token_limit": tokens}
        for period, limits in _TOKENS.items()
        for tier, tokens in zip(TIERS, limits, strict=True)
    ]
    for_all = [
        {"name": f"{said} {period}", "period": period, "cost_limit": usd}
        for period, usd in _COSTS.items()
    ]
    return [{**one, "enforcement": "warn"} for one in (*for_all, *by_tier)]
