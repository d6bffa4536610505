"""The functions of the original Budget's adapters for Apollo, plain and enhanced, over the ledger.

They answer with objects and never raise for what can be answered: `success` says how it went, and
`error` why not. Money is a `Decimal`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tekton_budget.domain.errors import BudgetError, NotFound, invalid
from tekton_budget.face.budget import Budget
from tekton_budget.face.request import new_id
from tekton_budget.foreign.apollo.reading import is_apollo_file
from tekton_budget.frontends.tekton.apollo import analysis, guidance, pricing
from tekton_budget.frontends.tekton.apollo.allocations import Allocations, Held, labels_of
from tekton_budget.frontends.tekton.apollo.models import (
    BudgetAllocation,
    BudgetPeriod,
    BudgetPolicy,
    BudgetPolicyType,
    BudgetTier,
)
from tekton_budget.frontends.tekton.apollo.policies import OWN, Policies
from tekton_budget.frontends.tekton.apollo.summaries import Summaries
from tekton_budget.frontends.tekton.apollo.token_budget import TokenBudgetManager

Answer = dict[str, Any]  # Any: JSON with decimals and times

SHORT = {
    "lightweight": BudgetTier.LOCAL_LIGHTWEIGHT,
    "midweight": BudgetTier.LOCAL_MIDWEIGHT,
    "heavyweight": BudgetTier.REMOTE_HEAVYWEIGHT,
}
_WORD = {tier.value: word for word, tier in SHORT.items()}


class ApolloAdapter:
    """What Apollo asks of a Budget component. Every call is of the component `apollo`."""

    def __init__(self, manager: TokenBudgetManager | None = None, **opening: Any) -> None:
        """Beside a manager, or over what a `TokenBudgetManager(**opening)` opens."""
        self.manager = manager or TokenBudgetManager(**opening)
        self.budget: Budget = self.manager.budget
        self.tier_mapping = dict(SHORT)
        self.apollo_budget_id = OWN
        self._policies = Policies(self.budget)
        self._allocations = Allocations(self.budget)
        self._summaries = Summaries(self.budget, self._policies, self._allocations)

    def allocate_tokens(
        self,
        context_id: str,
        amount: int,
        tier: str = "heavyweight",
        model: str | None = None,
        provider: str | None = None,
        task_type: str = "generation",
        priority: int = 5,
    ) -> Answer:
        """Hold tokens for a context, in the place of what it held."""

        def allocated() -> Answer:
            wanted = BudgetAllocation(
                allocation_id=new_id(),
                context_id=context_id,
                component=OWN,
                tier=tier_named(tier),
                provider=provider,
                model=model,
                task_type=task_type,
                priority=priority,
                tokens_allocated=amount,
                expiration_time=None,
            )
            words = self._allocations.take(wanted)[0].in_words()
            return {
                "allocation_id": words.allocation_id,
                "context_id": context_id,
                "amount": words.tokens_allocated,
                "remaining": words.remaining_tokens,
                "tier": tier,
                "success": True,
            }

        nothing = {"context_id": context_id, "amount": 0, "remaining": 0, "tier": tier}
        return _answered(allocated, nothing)

    def release_allocation(self, allocation_id: str) -> Answer:
        """Give back what it still holds; `success` is false where there is none that holds."""

        def released() -> Answer:
            held = self._found(allocation_id)
            if held.holds:
                self.budget.release(held.id)
            return {"allocation_id": allocation_id, "success": held.holds}

        return _answered(released, {"allocation_id": allocation_id})

    def record_token_usage(
        self,
        context_id: str,
        input_tokens: int,
        output_tokens: int,
        provider: str,
        model: str,
        request_id: str | None = None,
    ) -> Answer:
        """Post what a call used to its context's allocation; without one, as usage all the same."""

        def recorded() -> Answer:
            held = self._allocations.of_context(context_id)
            used: dict[str, Any] = {  # Any: a usage's fields
                "input_tokens": input_tokens,
                "output_tokens": output_tokens,
                "provider": provider,
                "model": model,
                "request_id": request_id,
            }
            if held is not None and held.holds:
                self.budget.record(allocation_id=held.id, **used)
                remaining = self._allocations.by_id(held.id).in_words().remaining_tokens
            else:
                self.budget.record(labels=self._labels(context_id, held, provider, model), **used)
                remaining = 0
            return {
                "context_id": context_id,
                "recorded_tokens": input_tokens + output_tokens,
                "remaining": remaining,
                "success": True,
            }

        nothing = {"context_id": context_id, "recorded_tokens": 0, "remaining": 0}
        return _answered(recorded, nothing)

    def get_budget_status(self, period: str = "daily", tier: str | None = None) -> Answer:
        """Each tier that has a policy of the period, by its short word."""

        def status() -> Answer:
            asked = None if tier is None else tier_named(tier)
            found = self._summaries.of(asked, _period(period), None, None)
            tiers = {
                _WORD[one.tier]: {
                    "allocated": one.total_allocated,
                    "used": one.total_used,
                    "remaining": one.remaining,
                    "limit": one.limit,
                    "usage_percentage": one.usage_percentage,
                    "limit_exceeded": one.is_exceeded,
                }
                for one in found
            }
            return {"period": period, "success": True, "tiers": tiers}

        return _answered(status, {"period": period})

    def get_allocation_status(self, allocation_id: str) -> Answer:
        """How it stands."""

        def status() -> Answer:
            words = self._found(allocation_id).in_words()
            ends = words.expiration_time
            return {
                "allocation_id": allocation_id,
                "context_id": words.context_id,
                "allocated": words.tokens_allocated,
                "used": words.tokens_used,
                "remaining": words.remaining_tokens,
                "tier": _WORD[words.tier],
                "is_active": words.is_active and not words.is_expired,
                "created_at": words.creation_time.isoformat(),
                "expires_at": None if ends is None else ends.isoformat(),
                "success": True,
            }

        return _answered(status, {"allocation_id": allocation_id})

    def set_budget_limit(
        self, tier: str, period: str, limit: int, *, policy_type: str | None = None
    ) -> Answer:
        """Make or change the limit of a tier's period.

        A new one warns, as the original's always do, unless `policy_type` says otherwise; one that
        is there keeps its type.
        """

        def made() -> Answer:
            wanted = tier_named(tier)
            policy = next(
                (
                    one
                    for one in self._policies.all().values()
                    if (one.tier, one.period) == (wanted, period)
                    and not (one.component or one.task_type)
                ),
                None,
            ) or BudgetPolicy(
                type=BudgetPolicyType.WARN, period=_period(period), tier=wanted, limit=limit
            )
            policy.limit = limit
            if policy_type is not None:
                policy.type = BudgetPolicyType(policy_type)
            self._policies.put(policy)
            return {
                "tier": tier,
                "period": period,
                "limit": limit,
                "type": policy.type,
                "policy_id": policy.policy_id,
                "success": True,
            }

        return _answered(made, {"tier": tier, "period": period})

    async def migrate_from_apollo(self, data_dir: str | None = None) -> Answer:
        """Import Apollo's files, as often as one likes: only what is new comes in.

        Its allocations are in no file. `success` says that both sides agree to the last token.
        """
        return await asyncio.to_thread(self._migrated, Path(data_dir or self.manager.data_dir))

    def _migrated(self, folder: Path) -> Answer:
        nothing: Answer = {
            "budgets_migrated": 0,
            "policies_migrated": 0,
            "allocations_migrated": 0,
            "usage_records_migrated": 0,
        }

        def migrated() -> Answer:
            files = {
                one.name: one.read_bytes()
                for one in folder.glob("*.json")
                if is_apollo_file(one.name)
            }
            if not files:
                raise invalid("data_dir", f"{folder} has no files of Apollo's budgets")
            report = self.budget.import_apollo(files)
            return {
                **nothing,
                "success": bool(report["verified"]),
                "budgets_migrated": int(bool(report["limits"])),
                "policies_migrated": sum(one["outcome"] == "made" for one in report["limits"]),
                "usage_records_migrated": report["usage"]["new"],
                "errors": [f"{one['where']}: {one['what']}" for one in report["faults"]],
                "report": report,
            }

        answer = _answered(migrated, nothing)
        if "error" in answer:
            answer["errors"] = [answer.pop("error")]
        return answer

    def _found(self, allocation_id: str) -> Held:
        """By the id that was given out; of one that was made anew since, the last part."""
        held = self._allocations.by_id(allocation_id)
        latest = self._allocations.of_context(held.in_words().context_id)
        is_same = latest is not None and latest.in_words().allocation_id == allocation_id
        return latest if latest is not None and is_same else held

    def _labels(
        self, context_id: str, held: Held | None, provider: str, model: str
    ) -> Mapping[str, str]:
        if held is not None:
            labels = labels_of(held.in_words())
            return {n: value for n, value in labels.items() if n not in ("provider", "model")}
        tier = self.manager.tier_of(OWN, provider, model)
        return {"component": OWN, "context_id": context_id, "tier": tier.value}


class ApolloEnhancedAdapter(ApolloAdapter):
    """The same, with advice on models and what calls made of their tokens."""

    def provide_model_guidance(
        self,
        context_id: str,
        task_type: str,
        task_description: str,
        provider_preferences: Sequence[str] | None = None,
        max_cost: Decimal | float | str | None = None,
        preferred_tier: str | None = None,
    ) -> Answer:
        """Up to three models of the price book for a task, that the budget lets it use now."""
        wish = guidance.Wish(
            context_id=context_id,
            task_type=task_type,
            task_description=task_description,
            providers=tuple(provider_preferences or ()),
            max_cost=None if max_cost is None else Decimal(str(max_cost)),
            tier=tier_named(preferred_tier or "heavyweight"),
        )
        return guidance.guided(self.budget, self._summaries, wish)

    def get_token_usage_analytics(
        self,
        period: BudgetPeriod | str = BudgetPeriod.DAILY,
        provider: str | None = None,
        model: str | None = None,
        component: str | None = None,
        task_type: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> Answer:
        """Usage of a period, or between two dates: totals, averages, groups, a series."""
        asked = analysis.interval(_period(period), start_date, end_date)
        said = {"component": component, "task_type": task_type}
        labels = {name: value for name, value in said.items() if value}
        return analysis.analytics(self.budget, asked, provider, model, labels)

    def get_completion_efficiency(
        self,
        provider: str,
        model: str,
        context_id: str | None = None,
        period: BudgetPeriod | str = BudgetPeriod.DAILY,
    ) -> Answer:
        """What a model wrote for what it read and cost, and others at the same task types."""
        asked = analysis.interval(_period(period), None, None)
        return analysis.efficiency(self.budget, asked, provider, model, context_id)

    async def migrate_pricing_data(self) -> Answer:
        """Apollo's own prices, for those models that the price book does not know."""
        return await asyncio.to_thread(pricing.migrated, self.budget)


def tier_named(word: str) -> BudgetTier:
    """By its short word or its name."""
    found = SHORT.get(word.lower()) or next(
        (t for t in BudgetTier if t.value == word.lower()), None
    )
    if found is None:
        raise invalid("tier", f"send one of {', '.join(SHORT)}")
    return found


def _period(word: BudgetPeriod | str) -> BudgetPeriod:
    try:
        return BudgetPeriod(word)
    except ValueError:
        raise invalid(
            "period", f"send one of {', '.join(one.value for one in BudgetPeriod)}"
        ) from None


def _answered(act: Callable[[], Answer], otherwise: Answer) -> Answer:
    try:
        return act()
    except NotFound:
        return {**otherwise, "success": False, "error": "Allocation not found"}
    except (BudgetError, ValueError) as error:
        return {**otherwise, "success": False, "error": str(error)}
