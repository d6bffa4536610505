"""Topics: what each WebSocket is about, and which events are told on which of them."""

from collections.abc import Collection

from tekton_budget.domain.event import EventType
from tekton_budget.domain.period import Period

BUDGETS, ALERTS = "budget_events", "budget_alerts"
ALLOCATIONS, PRICES = "allocation_updates", "price_updates"
ALL = (BUDGETS, ALERTS, ALLOCATIONS, PRICES)
PERIODIC = {f"budget_update_{period}": period.value for period in Period}
KNOWN = (*ALL, *PERIODIC)

EVERYTHING = "/ws"
ENDPOINTS = {
    "/ws/budget/updates": BUDGETS,
    "/ws/budget/alerts": ALERTS,
    "/ws/budget/allocations": ALLOCATIONS,
    "/ws/budget/prices": PRICES,
}

# What documents call a channel → the topic.
_CHANNELS = {
    "budget": BUDGETS,
    "budgets": BUDGETS,
    "budget_update": BUDGETS,
    "budget_updates": BUDGETS,
    "alert": ALERTS,
    "alerts": ALERTS,
    "allocations": ALLOCATIONS,
    "allocation_update": ALLOCATIONS,
    "prices": PRICES,
    "price_update": PRICES,
}

_EVENTS = {
    BUDGETS: (
        EventType.ALLOCATION_CREATED,
        EventType.ALLOCATION_SETTLED,
        EventType.ALLOCATION_RELEASED,
        EventType.ALLOCATION_EXPIRED,
        EventType.ALLOCATION_EXTENDED,
        EventType.USAGE_RECORDED,
        EventType.CREDIT_GIVEN,
        EventType.POLICY_CREATED,
        EventType.POLICY_ACTIVATED,
        EventType.POLICY_CHANGED,
        EventType.POLICY_ENDED,
        EventType.BUDGET_CREATED,
        EventType.BUDGET_CHANGED,
    ),
    ALERTS: (EventType.THRESHOLD_CROSSED, EventType.LIMIT_PASSED),
    ALLOCATIONS: (
        EventType.ALLOCATION_CREATED,
        EventType.ALLOCATION_SETTLED,
        EventType.ALLOCATION_RELEASED,
        EventType.ALLOCATION_EXPIRED,
        EventType.ALLOCATION_EXTENDED,
    ),
    PRICES: (EventType.PRICE_SET, EventType.PRICES_TAKEN),
}
_TOPICS_OF = {
    type_.value: frozenset(topic for topic, types in _EVENTS.items() if type_ in types)
    for type_ in EventType
}


def topic_called(name: str) -> str:
    """The topic that a document's channel means, or the name as it is."""
    return _CHANNELS.get(name, name)


def topics_of(event_type: str, joined: Collection[str]) -> frozenset[str]:
    """On which of the topics that were joined an event is told."""
    return _TOPICS_OF.get(event_type, frozenset()).intersection(joined)
