"""Whether a call may be made, as the ledger says it, in the fields of Rhetor's answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tekton_budget.domain.errors import BudgetError, Forbidden, InvalidInput
from tekton_budget.face.answers import Grant
from tekton_budget.face.budget import Budget
from tekton_budget.face.refusals import BudgetExceeded
from tekton_budget.frontends.tekton.rhetor.experience import Size
from tekton_budget.frontends.tekton.rhetor.holds import Holds, Model
from tekton_budget.frontends.tekton.rhetor.limits import Limit, Limits
from tekton_budget.frontends.tekton.rhetor.shared import Shared
from tekton_budget.frontends.tekton.rhetor.usage import Spent, Usage
from tekton_budget.frontends.tekton.rhetor.words import (
    ALL_PROVIDERS,
    BudgetPeriod,
    BudgetPolicy,
    shown,
)

Json = dict[str, Any]  # Any: decoded JSON

# A call that cannot be judged is not allowed: nobody knows whether it fits.
UNJUDGED = frozenset({"unknown_price", "amount_needed", "no_policy"})


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens and USD of a call; without USD, why nobody knows them."""

    input_tokens: int
    output_tokens: int
    input_cost: Decimal | None = None
    output_cost: Decimal | None = None
    total_cost: Decimal | None = None
    unknown: str = ""

    def cost_of(self, output_tokens: int) -> Decimal:
        """USD of the same call with so many tokens of output, at the same rate."""
        assert self.input_cost is not None, "its price is known"
        assert self.output_cost is not None, "its price is known"
        if not self.output_tokens:
            return self.input_cost
        return self.input_cost + self.output_cost * output_tokens / self.output_tokens

    def shown(self) -> Json:
        """In Rhetor's fields."""
        told: Json = {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "input_cost": shown(self.input_cost),
            "output_cost": shown(self.output_cost),
            "total_cost": shown(self.total_cost),
        }
        return {**told, "unknown_price": self.unknown} if self.unknown else told


class Checking:
    """Asks the ledger, and holds what it grants."""

    def __init__(
        self,
        budget: Budget,
        limits: Limits,
        usage: Usage,
        holds: Holds,
        shared: Shared,
        lifetime_seconds: int,
    ) -> None:
        self._budget = budget
        self._limits = limits
        self._usage = usage
        self._holds = holds
        self._shared = shared
        self._lifetime_seconds = lifetime_seconds

    def check(
        self,
        named: Model,
        text: str,
        estimate: Estimate,
        size: Size,
        labels: Mapping[str, str],
    ) -> tuple[bool, Json]:
        """Whether a call of at least that size may be made, and what Rhetor tells of it."""
        provider, model = named
        before = self._holds.abandoned(text)
        if before is not None:
            self.release(before)
        try:
            hold = self._budget.allocate(
                provider=provider or None,
                model=model or None,
                **_amounts(estimate, size),
                labels=dict(labels),
                lifetime_seconds=self._lifetime_seconds,
            )
        except BudgetExceeded as denial:
            return False, self.denied(denial, estimate)
        except (InvalidInput, Forbidden) as refusal:
            if refusal.code not in UNJUDGED:
                raise
            return False, unjudged(refusal, estimate)
        self._holds.add(named, hold.allocation_id, text, labels)
        if estimate.total_cost == 0:
            return True, {
                "allowed": True,
                "reason": "Free model",
                "cost_estimate": estimate.shown(),
            }
        return True, self._allowed(provider, estimate, hold.grant)

    def denied(self, denial: BudgetExceeded, estimate: Estimate) -> Json:
        """By which limit: the shortest period first, a provider's own before that of all."""
        passed = {one["policy_id"]: one for one in denial.policies}
        ours = [one for one in self._in_force() if one.policy["policy_id"] in passed]
        info: Json = {"allowed": False}
        if ours:
            limit = min(ours, key=_rank)
            standing = passed[limit.policy["policy_id"]]
            info["reason"] = f"{limit.period.capitalize()} budget limit exceeded"
        else:
            standing = denial.policies[0] if denial.policies else {}
            info["reason"] = f"Budget limit exceeded: {denial.policy}"
        info["limit"] = _cost_of(standing, "allowance")
        info["usage"] = _cost_of(standing, "spent")
        info["estimated_cost"] = shown(estimate.total_cost)
        info["policy"] = BudgetPolicy.ENFORCE.value
        info["cost_estimate"] = estimate.shown()
        info["detail"] = str(denial)
        return info

    def _allowed(self, provider: str, estimate: Estimate, grant: Grant) -> Json:
        limits = self._in_force()
        spent = self._shared.read(("spent", provider), lambda: self._usage.spent(provider))
        own = {one.period: one for one in limits if one.provider == provider}
        warnings = self._warnings(limits, provider, spent, estimate)
        warnings += [f'"{name}" would deny this call' for name in grant.would_deny]
        if estimate.unknown:
            warnings.append(estimate.unknown)
        info: Json = {"allowed": True, "warnings": warnings}
        info |= {f"{one.value}_usage": float(spent.of(one)) for one in BudgetPeriod}
        for period in BudgetPeriod:
            limit = own.get(period.value)
            info[f"{period.value}_limit"] = 0.0 if limit is None else float(limit.amount)
        info["estimated_cost"] = shown(estimate.total_cost)
        info["cost_estimate"] = estimate.shown()
        return info

    def _warnings(
        self, limits: list[Limit], provider: str, spent: Spent, estimate: Estimate
    ) -> list[str]:
        """Of limits that only warn: the provider's own, then those of all."""
        warned = [
            one for one in limits if one.limits and one.enforcement == BudgetPolicy.WARN.value
        ]
        found: list[str] = []
        for one in sorted((one for one in warned if one.provider == provider), key=_rank):
            found += _warned_of(one, "", spent.of(BudgetPeriod(one.period)), estimate)
        of_all = sorted((one for one in warned if one.provider == ALL_PROVIDERS), key=_rank)
        balances = self._shared.read("balances", self._limits.balances) if of_all else {}
        for one in of_all:
            standing = balances.get(one.policy["policy_id"], {"spent": {"cost": 0}})
            current = Decimal(standing["spent"]["cost"])
            found += _warned_of(one, " for all providers", current, estimate)
        return found

    def _in_force(self) -> list[Limit]:
        return self._shared.read("limits", self._limits.in_force)

    def release(self, allocation_id: str) -> None:
        """Give back what a check holds."""
        try:
            self._budget.release(allocation_id)
        except BudgetError:
            return  # it has expired meanwhile, or will


def _warned_of(limit: Limit, whose: str, current: Decimal, estimate: Estimate) -> list[str]:
    """That a limit will be passed, if it will."""
    if current + (estimate.total_cost or 0) <= limit.amount:
        return []
    return [
        f"{limit.period.capitalize()} budget limit of ${float(limit.amount):.2f}{whose} "
        f"will be exceeded (current: ${float(current):.2f})"
    ]


def unjudged(refusal: BudgetError, estimate: Estimate) -> Json:
    """Not allowed, for it cannot be told whether it fits."""
    reason = "Unknown price" if refusal.code == "unknown_price" else "Cannot be judged"
    return {
        "allowed": False,
        "reason": reason,
        "detail": str(refusal),
        "cost_estimate": estimate.shown(),
    }


def _amounts(estimate: Estimate, size: Size) -> Json:
    """What to ask for: the tokens, and a cost where the last calls cost more than these would."""
    tokens = estimate.input_tokens + size.output_tokens
    if estimate.total_cost is not None and size.cost > estimate.cost_of(size.output_tokens):
        return {"tokens": tokens, "cost": size.cost}
    return {"input_tokens": estimate.input_tokens, "max_output_tokens": size.output_tokens}


_ORDER = [period.value for period in BudgetPeriod]


def _rank(limit: Limit) -> tuple[int, bool]:
    return _ORDER.index(limit.period), limit.provider == ALL_PROVIDERS


def _cost_of(standing: Mapping[str, Any], name: str) -> float | None:
    units = standing.get(name) or {}
    return shown(units.get("cost"))
