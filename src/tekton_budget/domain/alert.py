"""Alerts: a threshold crossed or a limit passed, in words for the person who acknowledges it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tekton_budget.domain.amounts import UNITS
from tekton_budget.domain.balance import parts_of
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.limit_text import short_amount
from tekton_budget.domain.period import time_text
from tekton_budget.domain.policy import PPM, Enforcement
from tekton_budget.domain.run import RUNS_BUDGET


class Severity(StrEnum):
    """How much it matters, least first."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class AlertType(StrEnum):
    """Which limit, and whether it is passed or approached."""

    TOKEN_LIMIT_APPROACHING = "token_limit_approaching"  # noqa: S105  (no secret)
    TOKEN_LIMIT_EXCEEDED = "token_limit_exceeded"  # noqa: S105  (no secret)
    COST_LIMIT_APPROACHING = "cost_limit_approaching"
    COST_LIMIT_EXCEEDED = "cost_limit_exceeded"
    REQUEST_LIMIT_APPROACHING = "request_limit_approaching"
    REQUEST_LIMIT_EXCEEDED = "request_limit_exceeded"


_NOUNS = {"tokens": "token", "cost": "cost", "requests": "request"}
_PASSED = {
    Enforcement.HARD_LIMIT: "Calls that need more are denied.",
    Enforcement.SOFT_LIMIT: "Calls go on, and are advised to use a cheaper model.",
    Enforcement.WARN: "Calls go on: the policy only warns.",
}
_APPROACHED = {
    Enforcement.HARD_LIMIT: "At the limit calls are denied.",
    Enforcement.SOFT_LIMIT: "At the limit calls are advised to use a cheaper model.",
    Enforcement.WARN: "At the limit calls go on: the policy only warns.",
}
_SHADOW = "The policy is in shadow: nothing is held back."


@dataclass(frozen=True, slots=True)
class Alert:
    """One crossing; `facts` is what its event told."""

    alert_id: str
    at_us: int
    budget_id: str
    policy_id: str
    severity: Severity
    type: AlertType
    facts: Mapping[str, Any]  # Any: JSON of `ledger.thresholds`
    acknowledged_us: int | None = None
    acknowledged_by: str | None = None

    @property
    def is_acknowledged(self) -> bool:
        """Whether somebody has seen to it."""
        return self.acknowledged_us is not None

    @property
    def balance_id(self) -> str:
        """The balance that crossed: policy version, window and group."""
        return str(self.facts["balance_id"])

    @property
    def group(self) -> str:
        """Whose balance it is; empty where the policy has no groups."""
        return parts_of(self.balance_id)[2]

    @property
    def unit(self) -> int:
        """The place of the unit that crossed, as in amounts."""
        return UNITS.index(self.facts["unit"])

    @property
    def used(self) -> int:
        """What was used of the unit that crossed."""
        return int(self.facts["used"][self.unit])

    @property
    def allowance(self) -> int:
        """What may be used of it."""
        return int(self.facts["allowance"][self.unit])

    @property
    def opens_us(self) -> int:
        """When the window opened; of a rolling policy, which has none, 0."""
        return parts_of(self.balance_id)[1]


def is_alert(event: Event) -> bool:
    """Whether an event is one that people are alerted of."""
    return event.type is EventType.THRESHOLD_CROSSED or event.type is EventType.LIMIT_PASSED


def severity_of(event: Event) -> Severity:
    """Nobody is held up by a policy in shadow; of a run's cap the run itself is told."""
    if event.payload["shadow"] or event.budget_id == RUNS_BUDGET:
        return Severity.INFO
    return Severity.ERROR if event.type is EventType.LIMIT_PASSED else Severity.WARNING


def type_of(event: Event) -> AlertType:
    """By the unit that crossed."""
    end = "exceeded" if event.type is EventType.LIMIT_PASSED else "approaching"
    return AlertType(f"{_NOUNS[str(event.payload['unit'])]}_limit_{end}")


def title_of(alert: Alert) -> str:
    """`team=a monthly has reached 80% of its cost limit`."""
    who = str(alert.facts["name"]) + (f" ({alert.group})" if alert.group else "")
    noun = _NOUNS[alert.facts["unit"]]
    if alert.type.endswith("exceeded"):
        return f"{who} is over its {noun} limit"
    return f"{who} has reached {_percent(alert.facts['threshold_ppm'])} of its {noun} limit"


def message_of(alert: Alert, zone: str) -> str:
    """The same with its numbers, what follows from it, and until when."""
    unit, limit = alert.facts["unit"], alert.allowance
    share = f" ({_percent(alert.used * PPM // limit)})" if limit else ""
    parts = [
        f"{title_of(alert)}: {short_amount(unit, alert.used)} of {short_amount(unit, limit)} "
        f"used{share}.",
        _consequence(alert),
    ]
    closes_us = alert.facts["closes_us"]
    if closes_us is not None:
        parts.append(f"It resets {time_text(closes_us, zone)}.")
    return " ".join(parts)


def _consequence(alert: Alert) -> str:
    if alert.facts["shadow"]:
        return _SHADOW
    told = _PASSED if alert.type.endswith("exceeded") else _APPROACHED
    return told[Enforcement(alert.facts["enforcement"])]


def _percent(ppm: int) -> str:
    hundredths = ppm * 100 // (PPM // 100)
    whole, rest = divmod(hundredths, 100)
    return f"{whole}" + (f".{rest:02d}".rstrip("0") if rest else "") + "%"
