"""The one table of what other components may ask for: names, descriptions, parameters, answers.

Messages and tools are two ways to the same acts. Hermes is told of the tools by the same table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]  # Any: JSON

PERIODS = (
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "yearly",
    "total",
    "per_session",
    "per_task",
    "rolling",
)


class Act(StrEnum):
    """What can be asked for; the value is the tool's name."""

    ALLOCATE = "AllocateBudget"
    CHECK = "CheckBudget"
    RECORD = "RecordUsage"
    STATUS = "GetBudgetStatus"
    RECOMMEND = "GetModelRecommendations"
    ROUTE = "RouteWithBudgetAwareness"
    ANALYSE = "GetUsageAnalytics"
    HEALTH = "health_check"
    INFO = "component_info"


@dataclass(frozen=True, slots=True)
class Capability:
    """A group of tools, in Tekton's words."""

    name: str
    description: str
    modality: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One act: as a tool, and as a message with its answer, where it is one."""

    act: Act
    description: str
    capability: str
    tags: tuple[str, ...]
    parameters: Mapping[str, Json]
    required: tuple[str, ...] = ()
    message: str | None = None
    answer: str | None = None

    @property
    def schema(self) -> Json:
        """JSON Schema of the parameters."""
        return {
            "type": "object",
            "properties": {name: dict(one) for name, one in self.parameters.items()},
            "required": list(self.required),
        }


CAPABILITIES = (
    Capability("budget_management", "Hold, check and record what calls use", "resource"),
    Capability("model_recommendations", "Models that do the job for less", "optimization"),
    Capability("budget_analytics", "What was used, by what and when", "analytics"),
)
COMPONENT = "component"  # the group of the two tools that every component has


def _text(description: str) -> Json:
    return {"type": "string", "description": description}


def _whole(description: str, **more: Any) -> Json:  # Any: JSON
    return {"type": "integer", "minimum": 0, "description": description, **more}


_COMPONENT = _text("Who uses it; of a message, its sender if left out")
_TASK = {**_text("Kind of task"), "default": "default"}
_PROVIDER = _text("Provider, such as openai")
_MODEL = _text("Model, such as gpt-5-mini")
_CONTEXT = _text("The conversation or piece of work that it belongs to")
_TIER = _text("local_lightweight, local_midweight or remote_heavyweight")
_PERIOD: Json = {"type": "string", "enum": list(PERIODS), "default": "daily"}

TABLE: tuple[Entry, ...] = (
    Entry(
        Act.ALLOCATE,
        "Hold tokens for a task, before it begins. Over budget it is not granted: success is false "
        "and error says why, when that ends, and what would fit",
        "budget_management",
        ("budget", "allocation"),
        {
            "context_id": _CONTEXT,
            "amount": _whole("Tokens to hold, of input and output together", minimum=1),
            "component": _COMPONENT,
            "tier": _TIER,
            "provider": _PROVIDER,
            "model": _MODEL,
            "task_type": _TASK,
            "priority": {"type": "integer", "minimum": 1, "maximum": 10, "default": 5},
        },
        ("amount",),
        "budget.allocate_tokens",
        "budget.allocation_response",
    ),
    Entry(
        Act.CHECK,
        "Whether a call would be within all limits now. Nothing is held: to be sure, allocate",
        "budget_management",
        ("budget", "check"),
        {
            "provider": _PROVIDER,
            "model": _MODEL,
            "input_text": _text("What would be sent, from which tokens are estimated"),
            "input_tokens": _whole("Instead of input_text"),
            "max_output_tokens": _whole("At most; left out, four times the input"),
            "component": _COMPONENT,
            "task_type": _TASK,
            "context_id": _CONTEXT,
        },
        ("provider", "model"),
        "budget.check_budget",
        "budget.check_response",
    ),
    Entry(
        Act.RECORD,
        "Record what a call used: tokens, or both texts, from which tokens are estimated. It goes "
        "to the allocation, if there is one for it, else it is recorded all the same",
        "budget_management",
        ("budget", "usage"),
        {
            "provider": _PROVIDER,
            "model": _MODEL,
            "input_tokens": _whole("Tokens sent"),
            "output_tokens": _whole("Tokens received"),
            "input_text": _text("Instead of input_tokens"),
            "output_text": _text("Instead of output_tokens"),
            "component": _COMPONENT,
            "task_type": _TASK,
            "context_id": _CONTEXT,
            "allocation_id": _text("As AllocateBudget gave it"),
            "request_id": _text("The provider's id of the call"),
            "metadata": {"type": "object", "description": "Kept with the record"},
            "final": {"type": "boolean", "description": "It was the last: the rest is free again"},
        },
        ("provider", "model"),
        "budget.record_usage",
        "budget.usage_response",
    ),
    Entry(
        Act.STATUS,
        "How limits of a period stand: used, limit, what remains",
        "budget_management",
        ("budget", "status"),
        {
            "period": _PERIOD,
            "tier": _TIER,
            "provider": _PROVIDER,
            "component": _text("apollo and rhetor get their own form, by tiers"),
        },
        (),
        "budget.get_budget_status",
        "budget.status_response",
    ),
    Entry(
        Act.RECOMMEND,
        "Cheaper models that can do the same: cost, saving, and what would be lost",
        "model_recommendations",
        ("model", "recommendations", "budget"),
        {
            "provider": _PROVIDER,
            "model": _MODEL,
            "task_type": _TASK,
            "context_size": _whole("Tokens of a typical call", minimum=1, default=4000),
        },
        (),
        "budget.get_model_recommendations",
        "budget.recommendations_response",
    ),
    Entry(
        Act.ROUTE,
        "Which model to call: the asked one if it is within limits, else one that is. Where none "
        "is, it is not allowed, and that is said",
        "model_recommendations",
        ("model", "routing", "budget"),
        {
            "input_text": _text("What would be sent, from which tokens are estimated"),
            "task_type": _TASK,
            "input_tokens": _whole("Instead of input_text"),
            "default_provider": _PROVIDER,
            "default_model": _text("The model that would be called"),
            "candidates": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Models to try in its place, as provider/model; left out, those "
                "that the price book recommends",
            },
            "component": _COMPONENT,
            "context_id": _CONTEXT,
        },
        ("default_model",),
        "budget.route_with_budget_awareness",
        "budget.routing_response",
    ),
    Entry(
        Act.ANALYSE,
        "What was used in a period or interval: totals, averages, by provider, model, component "
        "and kind of task, and over time",
        "budget_analytics",
        ("budget", "analytics", "usage"),
        {
            "period": _PERIOD,
            "provider": _PROVIDER,
            "model": _MODEL,
            "component": _text("Only of this one"),
            "task_type": _text("Only of this kind"),
            "start_date": _text("Instead of a period: from, as 2026-11-01 or a time"),
            "end_date": _text("Instead of a period: until"),
        },
        (),
        "budget.get_usage_analytics",
        "budget.analytics_response",
    ),
    Entry(Act.HEALTH, "How this component and its parts do", COMPONENT, ("health",), {}),
    Entry(Act.INFO, "What this component is and can do", COMPONENT, ("info",), {}),
)
BY_MESSAGE = {entry.message: entry for entry in TABLE if entry.message is not None}
