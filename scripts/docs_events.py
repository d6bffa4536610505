"""Reference of the events: each type, when it is written, and the fields of its payload."""

from typing import NamedTuple

from docs_markdown import code, page, table

from tekton_budget.domain.event import EventType

PAGE = "events.md"


class Told(NamedTuple):
    """When an event is written, and what each field of its payload says."""

    when: str
    payload: dict[str, str]


_GRANTED = "amounts held: `tokens`, `cost`, `requests`"
_THRESHOLD = {
    "policy_id": "the policy",
    "name": "its name",
    "group": "the group, empty where the policy has none",
    "balance_id": "the balance, which is the policy's version, the window and the group",
    "threshold": "the threshold: 0.8 is 80 %",
    "unit": "which limit it is: `tokens`, `cost` or `requests`; of several, the one that stands highest",
    "used": "spent and held together, after the movement",
    "allowance": "what the group may use in this window; `null` in a unit without a limit",
    "resets_at": "when the window turns; `null` if never",
    "enforcement": "what passing the limit does",
    "shadow": "whether nothing is held back all the same",
}

EVENTS: dict[EventType, Told] = {
    EventType.ALLOCATION_CREATED: Told(
        "A call was granted",
        {
            "decision": "`allow`, `warn` or `downgrade`",
            "granted": _GRANTED,
            "expires_at": "when the hold ends by itself",
        },
    ),
    EventType.ALLOCATION_SETTLED: Told(
        "An allocation was closed with its usage",
        {
            "spent": "what it used in all",
            "status": "`settled`, or `expired` if it had ended by time before",
            "late": "whether it had ended before",
        },
    ),
    EventType.ALLOCATION_RELEASED: Told(
        "An allocation was given back", {"released": "what is free again"}
    ),
    EventType.ALLOCATION_EXTENDED: Told(
        "An allocation's expiry was moved, or it may use more",
        {
            "expires_at": "when it expires now",
            "granted": "where it grew, all that it may use",
            "max_output_tokens": "where it grew, how much of that is output",
        },
    ),
    EventType.ALLOCATION_EXPIRED: Told(
        "An allocation ended by time",
        {
            "released": "what is free again (`on_expiry` is `release`)",
            "charged_cost": "what was charged instead (`on_expiry` is `charge`)",
        },
    ),
    EventType.USAGE_RECORDED: Told(
        "A usage was recorded",
        {
            "allocation_id": "its allocation, if it has one",
            "cost": "what was posted; `null` is unknown",
            "late": "whether its allocation had ended before, if it has one",
        },
    ),
    EventType.THRESHOLD_CROSSED: Told(
        "A balance reached a threshold for the first time in its window", _THRESHOLD
    ),
    EventType.LIMIT_PASSED: Told(
        "A balance stands above its allowance for the first time in its window", _THRESHOLD
    ),
    EventType.CREDIT_GIVEN: Told(
        "A credit was given",
        {"group": "whom", "amounts": "how much", "reason": "why, as the giver said"},
    ),
    EventType.POLICY_CREATED: Told("A policy was made; it counts and does not judge yet", {}),
    EventType.POLICY_ACTIVATED: Told("A policy judges from now on", {}),
    EventType.POLICY_CHANGED: Told("A policy or one of its exceptions was changed", {}),
    EventType.POLICY_ENDED: Told("A policy stopped counting", {}),
    EventType.BUDGET_CREATED: Told("A budget was made", {}),
    EventType.BUDGET_CHANGED: Told("A budget was changed or deactivated", {}),
    EventType.PRICE_SET: Told(
        "A price was set or loaded", {"provider": "its seller", "model": "the model"}
    ),
    EventType.PRICES_TAKEN: Told(
        "A whole price list was taken over", {"list": "the list's version"}
    ),
}

INTRO = """An event is written in the same transaction as what it tells of, so there is none without the other. Each has a `type`, the
`subject_id` of what it tells of, a `budget_id` (`null` where several budgets or none are concerned), a `timestamp` and the payload
below, and gets its `position` in the log once it is durable. Positions have no gaps: `GET /api/v1/events?after=POSITION` goes on where
you stopped, and misses none. Money is USD. Events are kept for `outbox_days`; who comes later is told so (409 `events_pruned`).
A key with labels sees the events of its own calls, of policies (and groups) and budgets that are its own, and of prices."""


def text() -> str:
    """The page."""
    parts = []
    for type_, told in EVENTS.items():
        parts += [f"## {type_.value}", f"{told.when}."]
        if told.payload:
            rows = [(code(name), about) for name, about in told.payload.items()]
            parts.append(table(("payload", "what it says"), rows))
    return page("Events", INTRO, *parts)
