"""Rhetor's limits as policies of the budget `rhetor`: one in force for a period and a provider.

A changed limit is another policy, and the one before it ends: its history stays, as in Rhetor. The
new one counts and judges before the old one ends, so that there is no moment without a limit.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tekton_budget.domain.errors import Conflict, NotFound
from tekton_budget.domain.scope import MISSING
from tekton_budget.face.budget import Budget
from tekton_budget.foreign.rhetor.shape import ENFORCEMENTS
from tekton_budget.foreign.store import IMPORTED_FROM
from tekton_budget.frontends.tekton.rhetor.words import (
    ALL_PROVIDERS,
    BUDGET,
    BudgetPeriod,
    BudgetPolicy,
    LocalClock,
)

_PAGE = 1000
_TRIES = 20
_AMOUNT_MAX = Decimal(1_000_000_000)  # what no spending reaches is no limit
_NUMBER = re.compile(r"#(\d{1,18})$")


@dataclass(frozen=True, slots=True)
class Limit:
    """One row of Rhetor's settings."""

    number: int
    period: str
    provider: str
    amount: Decimal  # USD; 0 or less is no limit
    enforcement: str  # Rhetor's word
    start_date: str
    policy: dict[str, Any]  # Any: the policy as the face answers it

    @property
    def limits(self) -> bool:
        """Whether anything can pass it."""
        return 0 < self.amount <= _AMOUNT_MAX


class Limits:
    """What is limited, read afresh each time: other processes change it too."""

    def __init__(self, budget: Budget, clock: LocalClock) -> None:
        self._budget = budget
        self._clock = clock

    def in_force(self) -> list[Limit]:
        """Each period's and provider's, by number; of two the later, which a change was making."""
        found: dict[tuple[str, str], Limit] = {}
        for limit in self._all():
            if _is_in_force(limit):
                found[limit.period, limit.provider] = limit
        return sorted(found.values(), key=lambda one: one.number)

    def of(self, period: BudgetPeriod, provider: str) -> Limit | None:
        """The one in force."""
        same = (period.value, provider)
        return next((one for one in self.in_force() if (one.period, one.provider) == same), None)

    def set(
        self, period: BudgetPeriod, provider: str, amount: Decimal, policy: BudgetPolicy
    ) -> Limit:
        """A new one, then the end of all before it."""
        made = self._made(period, provider, amount, policy)
        for one in self._all():
            same = (one.period, one.provider) == (made.period, made.provider)
            if same and one.number < made.number and _is_in_force(one):
                self._end(one, made)
        return made

    def enforce(self, limit: Limit, policy: BudgetPolicy) -> None:
        """Another enforcement of the same limit, in place."""
        fields: dict[str, Any] = {"metadata": _metadata(limit, enforcement=policy.value)}
        if limit.limits:
            fields["enforcement"] = ENFORCEMENTS[policy.value]
        self._budget.change_policy(limit.policy["policy_id"], **fields)

    def balances(self) -> dict[str, dict[str, Any]]:
        """What stands in the windows that are open now, by policy."""
        found: dict[str, dict[str, Any]] = {}
        after: str | None = None
        while True:
            try:
                page = self._budget.balances(BUDGET, after=after, limit=_PAGE)
            except NotFound:
                return found
            found |= {one["policy_id"]: one for one in page["items"]}
            after = page["next"]
            if after is None:
                return found

    def _made(
        self, period: BudgetPeriod, provider: str, amount: Decimal, policy: BudgetPolicy
    ) -> Limit:
        """Two that set one at once would give it one number, and so one name: the later repeats."""
        for _ in range(_TRIES):
            before = self._all(make=True)
            number = max((one.number for one in before), default=0) + 1
            limits = 0 < amount <= _AMOUNT_MAX
            kept = {
                "id": number,
                "limit_amount": str(amount),
                "enforcement": policy.value,
                "active": True,
            }
            try:
                made = self._budget.create_policy(
                    budget=BUDGET,
                    name=f"rhetor {provider} {period.value} #{number}",
                    period=period.value,
                    timezone=self._clock.zone,
                    scope={} if provider == ALL_PROVIDERS else {"provider": provider},
                    cost_limit=amount if limits else Decimal(0),
                    enforcement=ENFORCEMENTS[policy.value] if limits else "ignore",
                    enabled=limits,
                    thresholds=[1],  # Rhetor warns of what passes a limit, not before
                    metadata={BUDGET: kept},
                )
            except Conflict:
                continue
            return self._read(made)
        raise Conflict(f"The limit of {provider} is being changed by others; set it again.")

    def _end(self, limit: Limit, after: Limit) -> None:
        self._budget.change_policy(
            limit.policy["policy_id"],
            enabled=False,
            ends_at=after.policy["created_at"],
            metadata=_metadata(limit, active=False),
        )

    def _all(self, *, make: bool = False) -> list[Limit]:
        """History too, by number; with `make` the budget is there afterwards."""
        found: list[Limit] = []
        after: str | None = None
        while True:
            try:
                page = self._budget.policies(budget_id=BUDGET, after=after, limit=_PAGE)
            except NotFound:
                if make:
                    self._make_budget()
                return []
            found += [self._read(one) for one in page["items"] if _is_rhetors(one)]
            after = page["next"]
            if after is None:
                break
        return sorted(found, key=lambda one: one.number)

    def _make_budget(self) -> None:
        """As an import makes it: Rhetor's own past, and every call from now on."""
        self._budget.create_budget(
            BUDGET,
            budget_id=BUDGET,
            owner=BUDGET,
            description="The limits of Rhetor's BudgetManager",
            scope={IMPORTED_FROM: [MISSING, BUDGET]},
        )

    def _read(self, policy: dict[str, Any]) -> Limit:
        kept = policy["metadata"].get(BUDGET) or {}
        named = _NUMBER.search(policy["name"])
        number = kept.get("id") or (int(named[1]) if named else 0)
        amount = Decimal(policy["cost_limit"] or 0)
        if not policy["enabled"] and not amount:
            amount = Decimal(kept.get("limit_amount", 0))
        word = kept.get("enforcement")
        if policy["enabled"] and ENFORCEMENTS.get(str(word)) != policy["enforcement"]:
            word = _word(policy["enforcement"])  # changed here since
        return Limit(
            number,
            policy["period"],
            policy["scope"].get("provider", ALL_PROVIDERS),
            amount,
            word or _word(policy["enforcement"]),
            kept.get("start_date") or self._clock.shown(policy["created_at"]),
            policy,
        )


def _is_in_force(limit: Limit) -> bool:
    kept = limit.policy["metadata"].get(BUDGET) or {}
    if limit.policy["enabled"]:
        return limit.policy["ends_at"] is None
    return bool(kept.get("active")) and not limit.policy["cost_limit"]


def _is_rhetors(policy: dict[str, Any]) -> bool:
    """Whether Rhetor could have it; others that people put into the budget judge all the same."""
    asked = policy["scope"].get("provider", ALL_PROVIDERS)
    return (
        policy["cost_limit"] is not None
        and policy["period"] in {period.value for period in BudgetPeriod}
        and not policy["scope"].keys() - {"provider"}
        and isinstance(asked, str)
    )


def _metadata(limit: Limit, **changed: object) -> dict[str, Any]:
    kept = limit.policy["metadata"].get(BUDGET) or {"id": limit.number}
    return {**limit.policy["metadata"], BUDGET: {**kept, **changed}}


def _word(enforcement: str) -> str:
    words = {ours: word for word, ours in ENFORCEMENTS.items()}
    return words.get(enforcement, BudgetPolicy.WARN.value)
