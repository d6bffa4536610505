"""Runs as they are shown: what of the cap is used, by which models, in how many calls."""

from dataclasses import dataclass

from tekton_budget.domain.amounts import Limits
from tekton_budget.domain.balance import balance_id
from tekton_budget.domain.caller import LOCAL, Caller
from tekton_budget.domain.errors import NotFound
from tekton_budget.domain.policy import Policy, Status
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.domain.run import RUN, Counted, Run
from tekton_budget.domain.scope import SHARED_GROUP
from tekton_budget.service.paging import Page, Slice, cursor_place, cursor_text
from tekton_budget.service.reporting.balance_views import BalanceView, view_of
from tekton_budget.service.reporting.reports import ModelSums, total_of
from tekton_budget.service.runs.passing import RunPasses
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.balances import BalanceRows
from tekton_budget.storage.rows.runs import RunPlace, RunRows
from tekton_budget.storage.rows.sums import Key, Sums, UsageSums
from tekton_budget.storage.rows.usages import UsageFilter

INSIDE_MAX = 500  # nested runs whose usage is added up
NONE = "(none)"


@dataclass(frozen=True, slots=True)
class RunsQuery:
    """Which runs are asked for."""

    is_alive: bool | None = None


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with its numbers; those of the runs inside it are part of them."""

    run: Run
    is_alive: bool
    counted: Counted
    cap: BalanceView | None  # none: it is not capped
    total: Sums
    models: tuple[ModelSums, ...] = ()  # costliest first
    inside: tuple[Run, ...] = ()

    @property
    def cost_nano(self) -> int:
        """What was spent: as the cap's policy counts it, where there is one."""
        return self.total.cost_nano if self.cap is None else self.cap.spent.cost_nano


class RunViews:
    """The runs that a key may see."""

    def __init__(self, reader: Reader, rows: RunRows, passes: RunPasses) -> None:
        self._reader = reader
        self._rows = rows
        self._passes = passes
        self._balances = BalanceRows(reader)
        self._sums = UsageSums(reader)

    def run_named(self, caller: Caller, name_or_id: str) -> Run:
        """By name or id."""
        run = self._rows.named(name_or_id)
        if run is None or not caller.sees(run.labels):
            raise NotFound(
                f"There is no run {name_or_id!r}: tekton-budget runs list shows them.",
                code="run_not_found",
            )
        return run

    def show(self, caller: Caller, name_or_id: str) -> RunView:
        """One run, with the usage of those inside it by model."""
        run = self.run_named(caller, name_or_id)
        inside = self._rows.inside(run.name, INSIDE_MAX)
        sums: dict[Key, Sums] = {}
        for name in (run.name, *(one.name for one in inside)):
            wanted = UsageFilter(labels={RUN: name})
            for key, found in self._sums.by(wanted, ("provider", "model"))[0].sums.items():
                sums[key] = sums[key].plus(found) if key in sums else found
        costliest = sorted(sums.items(), key=lambda pair: (-pair[1].cost_nano, pair[0]))
        models = tuple(ModelSums(key[0] or NONE, key[1] or NONE, one) for key, one in costliest)
        return self._view(self._reader.policies(), run, total_of(sums), models, tuple(inside))

    def listed(self, caller: Caller, query: RunsQuery, part: Slice | None = None) -> Page[RunView]:
        """Latest start first; of their usage only the sum."""
        part = part if part is not None else Slice()
        place = cursor_place(part.after, RunPlace)
        alive_us = self._reader.now_us() if query.is_alive else None
        found: list[Run] = []
        while len(found) < part.wanted:
            page = self._rows.walk(limit=part.wanted, after=place, alive_us=alive_us)
            found += [run for run in page if caller.sees(run.labels)]
            if len(page) < part.wanted:
                break
            place = RunPlace(page[-1].started_us, page[-1].run_id)
        found = found[: part.wanted]
        last = part.last(found)
        cursor = None if last is None else cursor_text(RunPlace(last.started_us, last.run_id))
        page_of = part.cut(found, cursor, None)
        policies = self._reader.policies()
        views = tuple(self._view(policies, run, self._total(run)) for run in page_of.items)
        return Page(views, page_of.total, page_of.page, page_of.limit, page_of.next)

    def at_cap(self, run: Run) -> bool:
        """Whether nothing of the cap is left in some unit."""
        view = self._cap(self._reader.policies(), run)
        if view is None:
            return False
        pairs = zip(view.spent, view.allowance, strict=True)
        return any(allowed is not None and spent >= allowed for spent, allowed in pairs)

    def left_of(self, run: Run) -> Limits | None:
        """What is left of its cap."""
        view = self._cap(self._reader.policies(), run)
        if view is None:
            return None
        tokens, cost_nano, _ = view.remaining
        return Limits(
            None if tokens is None else max(0, tokens),
            None if cost_nano is None else max(0, cost_nano),
            None,
        )

    def policy_of(self, run: Run) -> Policy | None:
        """The policy that caps a run, while it is in force."""
        return _policy_of(self._reader.policies(), run)

    def _total(self, run: Run) -> Sums:
        return total_of(self._sums.by(UsageFilter(labels={RUN: run.name}), ())[0].sums)

    def _view(
        self,
        policies: PolicySet,
        run: Run,
        total: Sums,
        models: tuple[ModelSums, ...] = (),
        inside: tuple[Run, ...] = (),
    ) -> RunView:
        return RunView(
            run,
            run.is_alive(self._reader.now_us()),
            self._passes.counted(run),
            self._cap(policies, run),
            total,
            models,
            inside,
        )

    def _cap(self, policies: PolicySet, run: Run) -> BalanceView | None:
        policy = _policy_of(policies, run)
        if policy is None:
            return None
        now_us = self._reader.now_us()
        id_ = balance_id(policy.no, policies.window(policy, now_us).opens_us, SHARED_GROUP)
        balance = self._balances.standing(policies, [id_])[id_]
        return view_of(policies, policy, balance, LOCAL, now_us)


def _policy_of(policies: PolicySet, run: Run) -> Policy | None:
    versions = [
        policy for policy in policies.counting_everywhere() if policy.policy_id == run.policy_id
    ]
    return min(versions, key=lambda policy: policy.status is not Status.ACTIVE, default=None)
