"""Events: the facts we publish, written with the entries they tell of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class EventType(StrEnum):
    """What happened, subject first, in the past tense."""

    ALLOCATION_CREATED = "allocation.created"
    ALLOCATION_SETTLED = "allocation.settled"
    ALLOCATION_RELEASED = "allocation.released"
    ALLOCATION_EXTENDED = "allocation.extended"
    ALLOCATION_EXPIRED = "allocation.expired"
    USAGE_RECORDED = "usage.recorded"
    THRESHOLD_CROSSED = "threshold.crossed"
    LIMIT_PASSED = "limit.passed"
    CREDIT_GIVEN = "credit.given"
    POLICY_CREATED = "policy.created"
    POLICY_ACTIVATED = "policy.activated"
    POLICY_CHANGED = "policy.changed"
    POLICY_ENDED = "policy.ended"
    BUDGET_CREATED = "budget.created"
    BUDGET_CHANGED = "budget.changed"
    PRICE_SET = "price.set"
    PRICES_TAKEN = "prices.taken"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact, about one object of one budget (empty where it concerns several or none)."""

    type: EventType
    subject_id: str
    budget_id: str = ""
    payload: Mapping[str, object] = field(default_factory=dict)  # JSON-ready; money in 10⁻⁹ USD
