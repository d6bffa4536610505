"""The methods that the requirements of Rhetor's adapter name: one request, from ask to cost."""

import asyncio
import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any

from tekton_budget.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, invalid
from tekton_budget.face.budget import Budget
from tekton_budget.face.refusals import BudgetExceeded
from tekton_budget.foreign.rhetor import BESIDE
from tekton_budget.frontends.tekton.rhetor.checking import UNJUDGED, Checking, Estimate, unjudged
from tekton_budget.frontends.tekton.rhetor.limits import Limits
from tekton_budget.frontends.tekton.rhetor.usage import Usage
from tekton_budget.frontends.tekton.rhetor.words import (
    ALL_PROVIDERS,
    Amount,
    BudgetPeriod,
    LocalClock,
    exact,
    shown,
)

Json = dict[str, Any]  # Any: decoded JSON


class Requests:
    """For callers that know what a call may cost, and give it a name of its own."""

    db_path: str
    budget: Budget
    clock: LocalClock
    _checking: Checking
    _limits: Limits
    _usage: Usage

    def allocate_budget(
        self,
        request_id: str,
        cost_estimate: Amount,
        provider: str,
        model: str,
        category: str | None = None,
    ) -> Json:
        """Hold what a request may cost: `{"allowed", "request_id", "reserved", …}`.

        The same request again gets the first answer. It is held until `record_cost`, or expires.
        """
        cost = exact(cost_estimate)
        try:
            hold = self.budget.allocate(
                provider=provider,
                model=model,
                cost=cost,
                labels=_category(category),
                allocation_id=request_id,
            )
        except BudgetExceeded as denial:
            info = self._checking.denied(denial, Estimate(0, 0, total_cost=cost))
            return {"request_id": request_id, **_without_tokens(info)}
        except (InvalidInput, Forbidden) as refusal:
            if refusal.code not in UNJUDGED:
                raise
            info = unjudged(refusal, Estimate(0, 0))
            return {"request_id": request_id, **_without_tokens(info)}
        return {
            "request_id": request_id,
            "allowed": True,
            "reserved": shown(hold.granted.cost),
            "decision": hold.decision,
            "warnings": list(hold.grant.reasons),
            "expires_at": self.clock.shown(hold.expires_at.isoformat()),
        }

    def record_cost(
        self,
        request_id: str,
        actual_cost: Amount,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
    ) -> Json:
        """What a request that was allocated did cost; what is left of its hold is free again."""
        found = self.budget.record(
            allocation_id=request_id,
            cost=exact(actual_cost),
            input_tokens=input_tokens or 0,
            output_tokens=output_tokens or 0,
            final=True,
            record_id=f"{request_id}.cost"[:200],
        )
        return {
            "request_id": request_id,
            "record_id": found.record_id,
            "cost": shown(found.cost),
            "late": found.late,
        }

    def get_budget_status(
        self, period: BudgetPeriod | str = BudgetPeriod.DAILY, category: str | None = None
    ) -> Json:
        """Spent, held and left of a period's limits; and what a category, a task type, spent."""
        named = BudgetPeriod(period)
        spent = self._usage.spent().of(named)
        status: Json = {"period": named.value, "total_cost": float(spent), "limits": []}
        if category is not None:
            _, groups = self._usage.summary(named, "task_type")
            of_category = groups.get(category, {"cost": Decimal(0)})["cost"]
            status |= {"category": category, "category_cost": float(of_category)}
        balances = self._limits.balances()
        for limit in self._limits.in_force():
            balance = balances.get(limit.policy["policy_id"])
            if limit.period != named.value or not limit.limits or balance is None:
                continue
            allowance = balance["allowance"]["cost"]
            used = balance["spent"]["cost"]
            status["limits"].append(
                {
                    "provider": limit.provider,
                    "limit": float(limit.amount),
                    "allowance": float(allowance),
                    "spent": float(used),
                    "held": float(balance["held"]["cost"]),
                    "remaining": float(balance["remaining"]["cost"]),
                    "usage_percentage": float(Decimal(used) / Decimal(allowance) * 100),
                    "exceeded": used > allowance,
                    "policy": limit.enforcement,
                    "resets_at": self.clock.shown(balance["resets_at"]),
                }
            )
        return status

    def reset_budget(
        self, period: BudgetPeriod | str = BudgetPeriod.DAILY, provider: str = ALL_PROVIDERS
    ) -> Json:
        """As much again as the limit, for the rest of the period: a credit, which the audit names.

        What was spent stays written; a second reset adds what was spent since the first.
        """
        named = BudgetPeriod(period)
        limit = self._limits.of(named, provider)
        if limit is None or not limit.limits:
            raise NotFound(f"There is no {named.value} limit of {provider} to reset.")
        balance = self._limits.balances().get(limit.policy["policy_id"])
        left = Decimal(0) if balance is None else _left(balance)
        missing = limit.amount - left if balance is not None else Decimal(0)
        if balance is not None and missing > 0:
            try:
                self.budget.credit(
                    f"{missing:f}usd",
                    policy=limit.policy["policy_id"],
                    reason=f"reset of the {named.value} limit of {provider}",
                    credit_id=_reset_id(balance),
                )
            except Conflict:
                missing = Decimal(0)  # another has reset it, just now
        return {
            "success": True,
            "period": named.value,
            "provider": provider,
            "credited": float(max(missing, Decimal(0))),
        }

    async def migrate_from_rhetor(self, db_path: str | None = None, **options: Any) -> Json:
        """Take over Rhetor's own file: its limits with their history, and all usage, each once.

        `options` are those of the import: `dry_run`, `shadow`, `enforce`, `until`. The answer
        is its report.
        """
        return await asyncio.to_thread(self._migrated, db_path or self.db_path, options)

    def _migrated(self, db_path: str, options: Json) -> Json:
        path = Path(db_path)
        if not path.is_file():
            raise invalid("db_path", f"there is no file {path}; name Rhetor's own rhetor.db")
        beside = {
            ending: file.read_bytes()
            for ending in BESIDE
            if (file := path.with_name(path.name + ending)).is_file()
        }
        given = {"timezone": self.clock.zone, "beside": beside, **options}
        return dict(self.budget.import_rhetor(path.read_bytes(), **given))

    def _check_amount(
        self, cost_estimate: Amount, provider: str, model: str, category: str | None
    ) -> tuple[bool, Json]:
        """Whether so much would fit now; nothing is held."""
        cost = exact(cost_estimate)
        try:
            hold = self.budget.allocate(
                provider=provider or None,
                model=model or None,
                cost=cost,
                labels=_category(category),
                dry_run=True,
            )
        except BudgetExceeded as denial:
            estimate = Estimate(0, 0, total_cost=cost)
            return False, _without_tokens(self._checking.denied(denial, estimate))
        except (InvalidInput, Forbidden) as refusal:
            if refusal.code not in UNJUDGED:
                raise
            return False, _without_tokens(unjudged(refusal, Estimate(0, 0)))
        return True, {
            "allowed": True,
            "warnings": list(hold.grant.reasons),
            "estimated_cost": float(cost),
        }


def _left(balance: Json) -> Decimal:
    return Decimal(balance["allowance"]["cost"]) - Decimal(balance["spent"]["cost"])


def _reset_id(balance: Json) -> str:
    """Of one reset of a window: two that saw the same allowance are one."""
    seen = f"{balance['policy_id']} {balance['resets_at']} {balance['allowance']['cost']}"
    return f"reset.{hashlib.sha256(seen.encode()).hexdigest()[:40]}"


def _category(category: str | None) -> dict[str, str]:
    return {} if category is None else {"task_type": category}


def _without_tokens(info: Json) -> Json:
    """Nobody said of how many tokens."""
    return {name: value for name, value in info.items() if name != "cost_estimate"}
