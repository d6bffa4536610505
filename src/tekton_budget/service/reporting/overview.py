"""Overview: a budget's standing by period in a few numbers, and what metrics count."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tekton_budget.domain.balance import Balance, balance_id, parts_of
from tekton_budget.domain.caller import LOCAL, Caller
from tekton_budget.domain.errors import invalid
from tekton_budget.domain.period import Period
from tekton_budget.domain.policy import PPM, Enforcement, Policy
from tekton_budget.domain.policy_set import PolicySet, group_label_names
from tekton_budget.domain.run import RUNS_BUDGET
from tekton_budget.domain.scope import SHARED_GROUP
from tekton_budget.service.limiting.named import budget_named
from tekton_budget.service.reporting.balance_views import BalanceView, view_of
from tekton_budget.service.reporting.reports import Reports, SummaryQuery, total_of
from tekton_budget.storage.housekeeping import unnumbered_count
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.allocations import AllocationRows
from tekton_budget.storage.rows.balances import BalanceRows
from tekton_budget.storage.rows.sums import Sums, UsageSums, rolled
from tekton_budget.storage.rows.usages import UsageFilter

POLICIES_MAX = 1000
_SHORTCUTS = ("tier", "provider", "component", "task_type", "model")


@dataclass(frozen=True, slots=True)
class BudgetSummary:
    """One policy of a period (its fullest group), or all usage of a period that has no policy.

    Input and output are known where rollups know the policy's scope.
    """

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
    tokens_allocated: int  # used, and still held
    tokens_used: int
    token_limit: int | None
    token_share_ppm: int | None
    cost_nano: int
    cost_limit_nano: int | None
    cost_share_ppm: int | None
    remaining_tokens: int | None
    remaining_cost_nano: int | None
    token_limit_exceeded: bool
    cost_limit_exceeded: bool
    active_allocations: int  # that have not used anything yet
    from_us: int | None
    to_us: int | None
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class PolicyCount:
    """A policy's fullest group, and how many groups its window has."""

    fullest: BalanceView
    groups: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What metrics tell of the store; the same from every process."""

    active_allocations: int
    unnumbered_events: int
    policies: tuple[PolicyCount, ...]


class Overview:
    """The few numbers that a dashboard and metrics show."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._balances = BalanceRows(reader)
        self._allocations = AllocationRows(reader)
        self._sums = UsageSums(reader)
        self._reports = Reports(reader)

    def summaries(
        self, caller: Caller, periods: Sequence[str], budget: str | None = None
    ) -> tuple[BudgetSummary, ...]:
        """For each period its policies, of one budget or of all.

        Whoever shows one number shows the first: a policy on everything, of money if there is one,
        else all that was used. What a key is bound to is everything for it.
        """
        policies = self._reader.policies()
        own = _limits(policies)
        if budget is not None:
            budget = budget_named(policies, caller, budget).budget_id
            own = [p for p in policies.counting_everywhere() if p.budget_id == budget]
        summaries: list[BudgetSummary] = []
        for period in periods:
            named = period.strip().lower()
            if named not in tuple(Period):
                raise invalid("period", f"send some of {', '.join(Period)}")
            of_period = [p for p in own if p.schedule.period == named]
            of_period.sort(key=lambda policy: _place(policies, caller, policy))
            views = [v for v, _ in self._fullest(policies, caller, of_period) if not v.hidden]
            shown = [self._summary(policies, view) for view in views]
            general = bool(views) and _is_general(policies, caller, _policy_of(policies, views[0]))
            if not views or (budget is None and not general):
                shown.insert(0, self._without_policy(caller, named, budget))
            summaries += shown
        return tuple(summaries)

    def cards(self, caller: Caller, periods: Sequence[str]) -> tuple[BudgetSummary, ...]:
        """The first of each period: the one number that a dashboard has room for."""
        first: dict[str, BudgetSummary] = {}
        for summary in self.summaries(caller, periods):
            first.setdefault(summary.period, summary)
        return tuple(first.values())

    def counts(self) -> Counts:
        """Counted for metrics, of the first so many policies."""
        policies = self._reader.policies()
        found = self._fullest(policies, LOCAL, _limits(policies)[:POLICIES_MAX])
        return Counts(
            self._allocations.active_count(),
            unnumbered_count(self._reader),
            tuple(PolicyCount(view, groups) for view, groups in found),
        )

    def fullest(
        self, caller: Caller, most: int, *, runs: Collection[str] = ()
    ) -> tuple[BalanceView, ...]:
        """The fullest groups that the key may see: of what people limit, and of some runs' caps."""
        policies = self._reader.policies()
        own = [p for p in policies.counting if p.budget_id == RUNS_BUDGET and p.policy_id in runs]
        own += _limits(policies)[:POLICIES_MAX]
        views = [view for view, _ in self._fullest(policies, caller, own) if not view.hidden]
        views.sort(key=lambda view: (-(view.share_ppm or 0), view.name))
        return tuple(views[:most])

    def _fullest(
        self, policies: PolicySet, caller: Caller, own: Sequence[Policy]
    ) -> Iterator[tuple[BalanceView, int]]:
        now_us = self._reader.now_us()
        ids = {p.no: balance_id(p.no, policies.window(p, now_us).opens_us, "") for p in own}
        shared = self._balances.standing(policies, list(ids.values()))
        for policy in own:
            balances: list[Balance] = [shared[ids[policy.no]]]
            groups = 0
            if group_label_names(policy):
                opens_us = policies.window(policy, now_us).opens_us
                groups = self._balances.group_count(policy.no, opens_us)
                first = self._balances.by_share(policy.no, opens_us, limit=1)
                balances = [one.balance for one in first] + balances
            views = [view_of(policies, policy, one, caller, now_us) for one in balances]
            yield max(views, key=lambda view: view.share_ppm or 0), groups

    def _summary(self, policies: PolicySet, view: BalanceView) -> BudgetSummary:
        policy = _policy_of(policies, view)
        scope = policies.scope_of(policy).to_json()
        asked = {name: value for name, value in scope.items() if isinstance(value, str)}
        shown = {name: asked.get(name) for name in _SHORTCUTS}
        sums = self._sums_of(policies, policy, view)
        used = view.spent.plus(view.held)
        return BudgetSummary(
            period=view.period,
            budget_id=view.budget_id,
            policy_id=view.policy_id,
            name=view.name,
            group=view.group,
            **shown,
            tokens_allocated=used.tokens,
            tokens_used=view.spent.tokens,
            token_limit=view.allowance.tokens,
            token_share_ppm=_share(view.spent.tokens, view.allowance.tokens),
            cost_nano=view.spent.cost_nano,
            cost_limit_nano=view.allowance.cost_nano,
            cost_share_ppm=_share(view.spent.cost_nano, view.allowance.cost_nano),
            remaining_tokens=_left(view.remaining.tokens),
            remaining_cost_nano=_left(view.remaining.cost_nano),
            token_limit_exceeded=_exceeded(view.spent.tokens, view.allowance.tokens),
            cost_limit_exceeded=_exceeded(view.spent.cost_nano, view.allowance.cost_nano),
            active_allocations=view.held.requests,
            from_us=view.opens_us,
            to_us=view.closes_us,
            input_tokens=None if sums is None else sums.input_tokens,
            output_tokens=None if sums is None else sums.output_tokens,
        )

    def _sums_of(self, policies: PolicySet, policy: Policy, view: BalanceView) -> Sums | None:
        """The usage of a policy's scope in the window, where one label at most tells it."""
        if policy.is_rolling or view.group != SHARED_GROUP or view.labels:
            return None
        labels = {}
        for requirement in policies.scope_of(policy).requirements:
            if len(requirement.values) != 1 or not requirement.only_values:
                return None
            labels[requirement.label] = requirement.values[0]
        provider, model = labels.pop("provider", None), labels.pop("model", None)
        wanted = UsageFilter(
            view.opens_us, view.closes_us, provider=provider, model=model, labels=labels
        )
        if not rolled(wanted, ()):
            return None
        return total_of(self._sums.by(wanted, ())[0].sums)

    def _without_policy(self, caller: Caller, period: str, budget: str | None) -> BudgetSummary:
        """All usage of the period's window that the key may see: no limit is set for it."""
        known = Period(period) not in (Period.PER_SESSION, Period.PER_TASK, Period.ROLLING)
        query = SummaryQuery(period=period if known else Period.TOTAL, budget=budget)
        report = self._reports.report(caller, by=(), query=query)
        interval, sums = report.interval, report.total
        return BudgetSummary(
            period=period,
            budget_id=budget,
            policy_id=None,
            name=None,
            group="",
            tier=None,
            provider=None,
            component=None,
            task_type=None,
            model=None,
            tokens_allocated=sums.total_tokens,
            tokens_used=sums.total_tokens,
            token_limit=None,
            token_share_ppm=None,
            cost_nano=sums.cost_nano,
            cost_limit_nano=None,
            cost_share_ppm=None,
            remaining_tokens=None,
            remaining_cost_nano=None,
            token_limit_exceeded=False,
            cost_limit_exceeded=False,
            active_allocations=0,
            from_us=interval.from_us,
            to_us=interval.to_us,
            input_tokens=sums.input_tokens,
            output_tokens=sums.output_tokens,
        )


def _limits(policies: PolicySet) -> list[Policy]:
    """What people limit; a run's cap is shown with the run."""
    return [policy for policy in policies.counting if policy.budget_id != RUNS_BUDGET]


def _policy_of(policies: PolicySet, view: BalanceView) -> Policy:
    return policies.by_no[parts_of(view.balance_id)[0]]


def _is_general(policies: PolicySet, caller: Caller, policy: Policy) -> bool:
    """Whether it is on every call that the key can make, together."""
    return not group_label_names(policy) and all(
        one.label in caller.labels and one.accepts(caller.labels[one.label])
        for one in policies.scope_of(policy).requirements
    )


def _place(policies: PolicySet, caller: Caller, policy: Policy) -> tuple[object, ...]:
    """What stops calls goes before what only tells, and the tighter limit before the looser."""
    limit = policy.limits.cost_nano
    return (
        not _is_general(policies, caller, policy),
        limit is None,
        not policy.judges,
        -list(Enforcement).index(policy.enforcement),
        limit,
    )


def _share(used: int, limit: int | None) -> int | None:
    if limit is None:
        return None
    return used * PPM // limit if limit > 0 else PPM


def _left(remaining: int | None) -> int | None:
    return None if remaining is None else max(0, remaining)


def _exceeded(used: int, limit: int | None) -> bool:
    return limit is not None and used > limit
