"""Rhetor's `BudgetManager` over the ledger: the same calls, and limits that hold.

Its answers have floats, as Rhetor's do; inside is none: amounts go to the ledger with the digits
that Python shows of them, and come from it exactly.
"""

import json
import logging
import os
import weakref
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from tekton_budget.domain.errors import Conflict, NotFound, invalid
from tekton_budget.domain.scope import checked_labels
from tekton_budget.face.budget import Budget
from tekton_budget.face.host_zone import host_zone
from tekton_budget.face.request import Labels
from tekton_budget.foreign.rows import cleaned
from tekton_budget.frontends.tekton.rhetor.checking import Checking, Estimate
from tekton_budget.frontends.tekton.rhetor.costs import Costs
from tekton_budget.frontends.tekton.rhetor.experience import Experience
from tekton_budget.frontends.tekton.rhetor.holds import Holds
from tekton_budget.frontends.tekton.rhetor.limits import Limits
from tekton_budget.frontends.tekton.rhetor.models import Models
from tekton_budget.frontends.tekton.rhetor.requests import Requests
from tekton_budget.frontends.tekton.rhetor.routing import Router
from tekton_budget.frontends.tekton.rhetor.shared import Shared
from tekton_budget.frontends.tekton.rhetor.usage import GROUPS, Usage
from tekton_budget.frontends.tekton.rhetor.words import (
    ALL_PROVIDERS,
    BUDGET,
    Amount,
    BudgetPeriod,
    BudgetPolicy,
    LocalClock,
    exact,
    labels_of,
    whole,
)

logger = logging.getLogger(__name__)

Json = dict[str, Any]  # Any: decoded JSON

HOLD_SECONDS = 300  # for a call to a model and its record
_UNSAID = {"component": "unknown", "task_type": "default"}
_VARIABLES = {
    BudgetPeriod.DAILY: "RHETOR_BUDGET_DAILY_LIMIT",
    BudgetPeriod.WEEKLY: "RHETOR_BUDGET_WEEKLY_LIMIT",
    BudgetPeriod.MONTHLY: "RHETOR_BUDGET_MONTHLY_LIMIT",
}


class BudgetManager(Costs, Requests):
    """Cost budgets of LLM calls. Safe to share between threads; each process may have its own.

    `check_budget` and `route_with_budget_awareness` hold what they allow until the call is
    recorded (or for `hold_seconds`), so that checks at the same time cannot all be allowed the same
    money. They hold the estimate, or what the largest of the last calls of the model took; or,
    with `output_tokens`, answers of that length. A call that takes more yet is recorded all the
    same, and the next checks answer for it. A thread (or task) that checks the same text again is
    taken to have dropped its call before, and that hold is given back: who checks in one thread
    and calls in others, the same text several times at once, holds one of them. `allocate_budget`
    with `record_cost` names each call, and is exact for callers who know what it may cost.
    """

    def __init__(  # noqa: PLR0913  (Rhetor's own, and where the budget is)
        self,
        db_path: str | None = None,
        *,
        budget: Budget | None = None,
        url: str | None = None,
        database_url: str | None = None,
        key: str | None = None,
        labels: Labels | None = None,
        timezone: str | None = None,
        hold_seconds: float = HOLD_SECONDS,
        output_tokens: int | None = None,
    ) -> None:
        """Over `budget`, or what `tekton_budget.open(url, database_url=…, key=…, labels=…)` opens.

        Without any of these: the server at `BUDGET_URL`, else the database of the settings.
        `db_path` is Rhetor's own file, which `migrate_from_rhetor` takes over; nothing is written
        there. Days are those of `timezone`, else of this host. `RHETOR_BUDGET_DAILY_LIMIT` and its
        like make limits for all providers where there are none, by `RHETOR_BUDGET_POLICY`.
        """
        self.db_path = db_path or _usual_file()
        self.default_policy = _policy_of_environment()
        limits = {period: _limit_of_environment(name) for period, name in _VARIABLES.items()}
        self.budget = budget or _opened(url, database_url, key, labels)
        # Rhetor's callers never close it: then the end of the object, or of the program, does.
        own = self.budget if budget is None else None
        self._closing = weakref.finalize(self, _nothing if own is None else own.close)
        self.clock = LocalClock(timezone or host_zone())
        self.output_tokens = output_tokens
        self._models = Models(self.budget)
        self._limits = Limits(self.budget, self.clock)
        self._usage = Usage(self.budget, self.clock)
        self._holds = Holds(hold_seconds)
        self._experience = Experience()
        self._shared = Shared()
        self._checking = Checking(
            self.budget, self._limits, self._usage, self._holds, self._shared, int(hold_seconds)
        )
        self._router = Router(self.budget, self._models)
        self._models.know_free_ones()
        for period, amount in limits.items():
            if amount > 0 and self._limits.of(period, ALL_PROVIDERS) is None:
                self._limits.set(period, ALL_PROVIDERS, amount, self.default_policy)

    def close(self) -> None:
        """Let go of the budget, if it was opened here. Holds of unrecorded calls expire."""
        self._closing()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # What was used ----------------------------------------------------------------------------

    def record_usage(
        self,
        provider: str,
        model: str,
        component: str,
        task_type: str,
        input_tokens: int,
        output_tokens: int,
        cost: Amount | None,
        metadata: Json | None = None,
    ) -> None:
        """Post what a call cost; the hold of its check, if there was one, ends with it.

        `None` is what the price book says.
        """
        usd = None if cost is None else exact(cost)
        call = (provider, model, component, task_type)
        self._record(call, None, (input_tokens, output_tokens), usd, metadata)

    def record_completion(
        self,
        provider: str,
        model: str,
        input_text: str,
        output_text: str,
        component: str = "unknown",
        task_type: str = "default",
        metadata: Json | None = None,
    ) -> Json:
        """Post a call by its texts, at the price book's prices."""
        tokens = self._tokens(model, input_text, output_text)
        call = (provider, model, component, task_type)
        record = self._record(call, input_text, tokens, None, metadata)
        if record["cost"] is None:  # it says why
            cost = self._cost(provider, model, tokens)
        else:
            parts = [Decimal(record[name] or 0) for name in ("input_cost", "output_cost")]
            cost = Estimate(*tokens, parts[0], parts[1], Decimal(record["cost"]))
        return {
            "provider": provider,
            "model": model,
            "component": component,
            "task_type": task_type,
            "timestamp": self.clock.shown(record["timestamp"]),
            **cost.shown(),
        }

    def get_usage(
        self,
        period: BudgetPeriod | str = BudgetPeriod.DAILY,
        provider: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> list[Json]:
        """Each usage of a period, or of `"custom"` from `start_date` on, oldest first."""
        start: datetime | str
        if period == "custom":
            if start_date is None:
                raise ValueError("Custom period requires start_date parameter")
            start = self.clock.moment(start_date)
        else:
            start = self._usage.opened_at(BudgetPeriod(period))
        end = None if end_date is None else self.clock.moment(end_date)
        return self._usage.rows(start, end, provider or None)

    def get_current_usage_total(
        self, period: BudgetPeriod | str = BudgetPeriod.DAILY, provider: str | None = None
    ) -> float:
        """USD of the period that is open now."""
        named = BudgetPeriod(period)
        return float(self._usage.spent(provider or None).of(named))

    def get_usage_summary(
        self, period: BudgetPeriod | str = BudgetPeriod.DAILY, group_by: str = "provider"
    ) -> Json:
        """Sums of the period that is open now, in all and by a label."""
        if period == "custom":
            raise ValueError("Custom period requires start_date parameter")
        named = BudgetPeriod(period)
        total, groups = self._usage.summary(named, group_by if group_by in GROUPS else GROUPS[0])
        if not total["count"]:
            return {"period": named.value, "total_cost": 0.0, "total_tokens": 0, "groups": {}}
        if group_by not in GROUPS:
            raise KeyError(group_by)
        return {
            "period": named.value,
            "total_cost": float(total["cost"]),
            "total_input_tokens": total["total_tokens"] - total["output_tokens"],
            "total_output_tokens": total["output_tokens"],
            "total_tokens": total["total_tokens"],
            "count": total["count"],
            "groups": {
                name: {
                    "cost": float(sums["cost"]),
                    "input_tokens": sums["total_tokens"] - sums["output_tokens"],
                    "output_tokens": sums["output_tokens"],
                    "count": sums["count"],
                }
                for name, sums in groups.items()
            },
        }

    # What is limited --------------------------------------------------------------------------

    def get_budget_limit(self, period: BudgetPeriod | str, provider: str = ALL_PROVIDERS) -> float:
        """USD; 0 where there is no limit."""
        limit = self._limits.of(BudgetPeriod(period), provider)
        return 0.0 if limit is None else float(limit.amount)

    def set_budget_limit(
        self,
        period: BudgetPeriod | str,
        limit_amount: Amount,
        provider: str = ALL_PROVIDERS,
        enforcement: BudgetPolicy | str | None = None,
    ) -> bool:
        """A limit in the place of the one in force, whose history stays; 0 is no limit."""
        named = BudgetPeriod(period)
        policy = self.default_policy if not enforcement else BudgetPolicy(enforcement)
        self._limits.set(named, _named(provider), exact(limit_amount), policy)
        return True

    def get_enforcement_policy(
        self, period: BudgetPeriod | str, provider: str = ALL_PROVIDERS
    ) -> str:
        """Rhetor's word; the default where there is no limit."""
        limit = self._limits.of(BudgetPeriod(period), provider)
        return self.default_policy.value if limit is None else limit.enforcement

    def set_enforcement_policy(
        self,
        period: BudgetPeriod | str,
        policy: BudgetPolicy | str,
        provider: str = ALL_PROVIDERS,
    ) -> bool:
        """What passing the limit in force does; without one, one of 0 keeps the word."""
        named, wanted = BudgetPeriod(period), BudgetPolicy(policy)
        limit = self._limits.of(named, provider)
        if limit is None:
            self._limits.set(named, _named(provider), Decimal(0), wanted)
        else:
            self._limits.enforce(limit, wanted)
        return True

    def get_budget_settings(self) -> dict[str, list[Json]]:
        """The limits in force, by period."""
        found: dict[str, list[Json]] = {period.value: [] for period in BudgetPeriod}
        for limit in self._limits.in_force():
            found[limit.period].append(
                {
                    "id": limit.number,
                    "provider": limit.provider,
                    "limit_amount": float(limit.amount),
                    "enforcement": limit.enforcement,
                    "start_date": limit.start_date,
                }
            )
        return found

    # What may be called -----------------------------------------------------------------------

    def check_budget(
        self,
        provider: str | Amount = "",
        model: str = "",
        input_text: str = "",
        component: str = "unknown",
        task_type: str = "default",
        *,
        cost_estimate: Amount | None = None,
        category: str | None = None,
    ) -> tuple[bool, Json]:
        """Whether a call may be made, and why; what is allowed is held until it is recorded.

        With `cost_estimate` (by name, or in the first place before provider, model and category)
        it is asked for that much, and nothing is held.
        """
        if not isinstance(provider, str | None):
            named = component if component != "unknown" else None
            return self._check_amount(provider, model, input_text, category or named)
        if cost_estimate is not None:
            return self._check_amount(cost_estimate, provider, model, category)
        return self._checked((provider, model, component, task_type), input_text)

    def route_with_budget_awareness(
        self,
        input_text: str,
        task_type: str,
        default_provider: str,
        default_model: str,
        component: str = "unknown",
    ) -> tuple[str, str, list[str]]:
        """The model to call, for which the call is held, and warnings.

        The default if it fits, else the first cheaper one that does, else a free one. Where nothing
        fits `BudgetExceeded` is raised: no model is named that the budget does not allow.
        """
        call = (default_provider, default_model, component, task_type)
        estimate = self._estimate(default_provider, default_model, input_text)
        size = self._size(default_provider, default_model, estimate)
        tokens = (estimate.input_tokens, size.output_tokens)
        return self._router.route(call, input_text, tokens, self._checked)

    # Inside -----------------------------------------------------------------------------------

    def _checked(self, call: tuple[str, str, str, str], input_text: str) -> tuple[bool, Json]:
        provider, model, component, task_type = call
        estimate = self._estimate(provider, model, input_text)
        size = self._size(provider, model, estimate)
        # A check that says neither is of a call that may be recorded with both.
        said = {
            name: word
            for name, word in (("component", component), ("task_type", task_type))
            if word != _UNSAID[name]
        }
        named = (provider, model)
        return self._checking.check(named, input_text, estimate, size, labels_of(**said))

    def _record(
        self,
        call: tuple[str, str, str, str],
        text: str | None,
        tokens: tuple[int, int],
        cost: Decimal | None,
        metadata: Json | None,
    ) -> Json:
        found = self._posted(call, text, tokens, cost, metadata)
        self._experience.note(call[:2], found["output_tokens"], found["cost"])
        return found

    def _posted(
        self,
        call: tuple[str, str, str, str],
        text: str | None,
        tokens: tuple[int, int],
        cost: Decimal | None,
        metadata: Json | None,
    ) -> Json:
        provider, model, component, task_type = call
        json.dumps(metadata or {})  # what is no JSON is refused before anything is posted
        if cost is not None and cost < 0:
            raise ValueError(f"a call costs 0 USD or more, not {cost}")
        labels = labels_of(component=component, task_type=task_type)
        kept = _kept(component=component, task_type=task_type)
        used: Json = {
            "input_tokens": whole(tokens[0]),
            "output_tokens": whole(tokens[1]),
            "cost": cost,
            "labels": labels,
            "metadata": cleaned(
                {BUDGET: {"metadata": metadata or {}, **kept}} if kept else metadata
            ),
        }
        held = self._holds.take((provider, model), text, labels)
        if held is not None and held.labels.items() <= labels.items():
            try:
                found = self.budget.record(allocation_id=held.allocation_id, final=True, **used)
            except (Conflict, NotFound):
                held = None  # it expired, or somebody ended it: the usage is a fact all the same
            else:
                return dict(found.answer)
        found = self.budget.record(provider=provider or None, model=model or None, **used)
        if held is not None:  # only now, lest others take what this call has used
            self._checking.release(held.allocation_id)
        return dict(found.answer)


def _nothing() -> None:
    """A budget that was given stays open."""


def _opened(
    url: str | None, database_url: str | None, key: str | None, labels: Labels | None
) -> Budget:
    from tekton_budget import library

    return library.open(url, database_url=database_url, key=key, labels=labels)


def _usual_file() -> str:
    """Where Rhetor keeps its own: in its folder, below Tekton's."""
    return os.path.join(os.environ.get("TEKTON_ROOT", ""), "Rhetor", "rhetor.db")  # noqa: PTH118  (text, as Rhetor's)


def _policy_of_environment() -> BudgetPolicy:
    word = os.environ.get("RHETOR_BUDGET_POLICY") or BudgetPolicy.WARN.value
    try:
        return BudgetPolicy(word)
    except ValueError:
        words = ", ".join(policy.value for policy in BudgetPolicy)
        raise invalid("RHETOR_BUDGET_POLICY", f"is {word!r}; set one of {words}") from None


def _limit_of_environment(name: str) -> Decimal:
    text = os.environ.get(name) or "0"
    try:
        return exact(text)
    except ValueError:
        raise invalid(name, f"is {text!r}; set USD as a number, or 0 for no limit") from None


def _named(provider: str) -> str:
    """Refuses what no limit can ask for."""
    checked_labels({"provider": provider})
    return provider


def _kept(**words: object) -> Json:
    """The others, for the way back."""
    known = labels_of(**words)
    return {
        name: str(word) for name, word in words.items() if word is not None and name not in known
    }
