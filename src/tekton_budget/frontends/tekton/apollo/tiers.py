"""Apollo's tables: the tier of a call, and how many tokens it is given when it names none."""

from collections.abc import Mapping

from tekton_budget.foreign.apollo.tiers import MODEL_TIERS, PROVIDER_TIERS
from tekton_budget.frontends.tekton.apollo.models import BudgetPeriod, BudgetTier, TaskPriority

LIGHT, MID, HEAVY = (
    BudgetTier.LOCAL_LIGHTWEIGHT,
    BudgetTier.LOCAL_MIDWEIGHT,
    BudgetTier.REMOTE_HEAVYWEIGHT,
)
DEFAULT_LIMITS = {
    LIGHT: {
        BudgetPeriod.HOURLY: 1_000_000,
        BudgetPeriod.DAILY: 10_000_000,
        BudgetPeriod.PER_SESSION: 8_000,
    },
    MID: {
        BudgetPeriod.HOURLY: 500_000,
        BudgetPeriod.DAILY: 5_000_000,
        BudgetPeriod.PER_SESSION: 16_000,
    },
    HEAVY: {
        BudgetPeriod.HOURLY: 100_000,
        BudgetPeriod.DAILY: 1_000_000,
        BudgetPeriod.PER_SESSION: 32_000,
    },
}


def _sizes(low: int) -> dict[int, int]:
    """Each priority has twice what the one below it has."""
    return {priority: low << step for step, priority in enumerate(TaskPriority)}


DEFAULT_ALLOCATIONS = {
    "default": _sizes(1_000),
    "chat": _sizes(2_000),
    "coding": _sizes(4_000),
    "analysis": _sizes(4_000),
}


class Tiers:
    """Which tier a call is of. Names are compared whole; each manager has tables of its own."""

    def __init__(self) -> None:
        self.model_tiers = _tiers(MODEL_TIERS)
        self.component_tiers: dict[str, BudgetTier] = {}
        self.provider_tiers = _tiers(PROVIDER_TIERS)

    def tier_of(self, component: str | None, provider: str | None, model: str | None) -> BudgetTier:
        """By its model, else its component, else its provider; the dearest if none is known."""
        found = self.model_tiers.get(model.lower()) if model else None
        found = found or (self.component_tiers.get(component) if component else None)
        found = found or (self.provider_tiers.get(provider.lower()) if provider else None)
        return found or HEAVY

    def get_model_tier(self, model: str) -> BudgetTier:
        """The tier of a model; the dearest if it is not known."""
        return self.model_tiers.get(model.lower(), HEAVY)

    def set_model_tier(self, model: str, tier: BudgetTier) -> None:
        """Say it for this process. For all callers: `tekton-budget prices tier`."""
        self.model_tiers[model.lower()] = tier

    def get_component_tier(self, component: str) -> BudgetTier | None:
        """The tier of a component's calls, if one was set."""
        return self.component_tiers.get(component)

    def set_component_tier(self, component: str, tier: BudgetTier) -> None:
        """Say it for this process."""
        self.component_tiers[component] = tier

    def get_provider_tier(self, provider: str) -> BudgetTier:
        """The tier of a provider's calls; the dearest if it is not known."""
        return self.provider_tiers.get(provider.lower(), HEAVY)

    def set_provider_tier(self, provider: str, tier: BudgetTier) -> None:
        """Say it for this process."""
        self.provider_tiers[provider.lower()] = tier


def size_of(task_type: str, priority: int) -> int:
    """How many tokens an ask gets that names no number."""
    sizes = DEFAULT_ALLOCATIONS.get(task_type)
    if sizes is None:
        return DEFAULT_ALLOCATIONS["default"][TaskPriority.NORMAL]
    return sizes.get(priority, sizes[TaskPriority.NORMAL])


def _tiers(table: Mapping[str, str]) -> dict[str, BudgetTier]:
    return {name: BudgetTier(tier) for name, tier in table.items()}
