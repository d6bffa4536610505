"""Where tiers stand: what was used in a period's current window, against the nearest policy."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from tekton_budget.domain.errors import NotFound
from tekton_budget.domain.period import Period, Schedule, us_from_datetime
from tekton_budget.domain.zones import datetime_from_us
from tekton_budget.face.budget import Budget
from tekton_budget.face.host_zone import host_zone
from tekton_budget.face.request import Labels
from tekton_budget.foreign.store import IMPORTED_FROM, Kind
from tekton_budget.frontends.tekton.apollo import clock
from tekton_budget.frontends.tekton.apollo.allocations import Allocations
from tekton_budget.frontends.tekton.apollo.models import (
    BudgetAllocation,
    BudgetPeriod,
    BudgetPolicy,
    BudgetSummary,
    BudgetTier,
)
from tekton_budget.frontends.tekton.apollo.policies import Policies

# A session's and a task's window has no end of its own; a day is said, as Apollo says it.
ENDLESS = (BudgetPeriod.PER_SESSION, BudgetPeriod.PER_TASK)


class Summaries:
    """Summaries by tier."""

    def __init__(self, budget: Budget, policies: Policies, allocations: Allocations) -> None:
        self._budget = budget
        self._policies = policies
        self._allocations = allocations

    def of(
        self,
        tier: BudgetTier | str | None,
        period: BudgetPeriod | str,
        component: str | None,
        task_type: str | None,
    ) -> list[BudgetSummary]:
        """One a tier that has a policy for the period and these calls."""
        policies = self._policies.all().values()
        tiers = [tier] if tier else list(BudgetTier)
        found = [
            (one, policy)
            for one in tiers
            if (policy := _nearest(policies, one, period, component, task_type)) is not None
        ]
        if not found:
            return []
        said = {"component": component, "task_type": task_type}
        labels = {name: value for name, value in said.items() if value}
        start, end = window(BudgetPeriod(period))
        used = {} if period in ENDLESS else self._used(start, end, labels)
        held = [one.in_words() for one in self._allocations.active(labels)]
        return [
            _summary(
                policy,
                [one for one in held if one.tier == tier_],
                self._fullest(policy) if period in ENDLESS else used.get(str(policy.tier), 0),
                {"component": component, "task_type": task_type},
                (start, end),
            )
            for tier_, policy in found
        ]

    def _used(self, start: datetime, end: datetime, labels: Labels) -> dict[str, int]:
        """By tier, without what Rhetor's store told: Apollo had counted the same calls itself."""
        told: dict[str, int] = {}
        try:
            self._budget.budget(Kind.RHETOR.value)
        except NotFound:  # nothing was imported, so no record needs to be looked at
            pass
        else:
            told = self._by_tier(start, end, {**labels, IMPORTED_FROM: Kind.RHETOR.value})
        used = self._by_tier(start, end, labels)
        return {tier: tokens - told.get(tier, 0) for tier, tokens in used.items()}

    def _by_tier(self, start: datetime, end: datetime, labels: Labels) -> dict[str, int]:
        report = self._budget.usage_report(
            by=["tier"], start=start.astimezone(), end=end.astimezone(), labels=labels
        )
        return {str(row["values"]["tier"]): row["total_tokens"] for row in report["rows"]}

    def _fullest(self, policy: BudgetPolicy) -> int:
        """Of the session or task that has used most of its limit."""
        ledger_id = self._policies.ledger_ids().get(policy.policy_id)
        if ledger_id is None:
            return 0
        first = next(iter(self._budget.groups(ledger_id, limit=1)["items"]), None)
        return int(((first or {}).get("spent") or {}).get("tokens") or 0)


def window(period: BudgetPeriod) -> tuple[datetime, datetime]:
    """The current one, as the host's clock shows its ends."""
    now = clock.now()
    if period in ENDLESS:
        return clock.local(now), clock.local(now) + timedelta(days=1)
    zone = host_zone()
    found = Schedule(Period(period.value), zone).window_at(us_from_datetime(now))
    assert found.closes_us is not None, "a calendar window ends"
    start, end = (datetime_from_us(at, zone) for at in (found.opens_us, found.closes_us))
    return start.replace(tzinfo=None), end.replace(tzinfo=None)


def _nearest(
    policies: Iterable[BudgetPolicy],
    tier: BudgetTier | str,
    period: BudgetPeriod | str,
    component: str | None,
    task_type: str | None,
) -> BudgetPolicy | None:
    """The one that is summed up: for a component or a task type rather than a general one."""
    nearest = None
    for policy in policies:
        if (
            policy.tier != tier
            or policy.period != period
            or not _concerns(policy, component, task_type)
        ):
            continue
        if nearest is None or policy.component or policy.task_type:
            nearest = policy
    return nearest


def _concerns(policy: BudgetPolicy, component: str | None, task_type: str | None) -> bool:
    if not policy.enabled:
        return False
    if policy.component and component and policy.component != component:
        return False
    if policy.task_type and task_type and policy.task_type != task_type:
        return False
    return policy.end_date is None or clock.local_now() <= policy.end_date


def _summary(
    policy: BudgetPolicy,
    held: list[BudgetAllocation],
    used: int,
    said: dict[str, str | None],
    ends: tuple[datetime, datetime],
) -> BudgetSummary:
    return BudgetSummary(
        **said,
        period=policy.period,
        tier=policy.tier,
        total_allocated=sum(one.tokens_allocated for one in held),
        total_used=used,
        limit=policy.limit,
        usage_percentage=used / policy.limit if policy.limit > 0 else 0.0,
        active_allocations=sum(one.is_active and not one.is_expired for one in held),
        start_time=ends[0],
        end_time=ends[1],
    )
