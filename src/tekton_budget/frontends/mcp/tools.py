"""The tools: thirteen for an agent that spends, and a smaller set for who administers.

What they say is written for models: when to use it, in which units, what empty means. All of it is
in every prompt of every client, so each word costs; a test counts them.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tekton_budget.domain.errors import NotFound
from tekton_budget.frontends.mcp import administering, reading, spending
from tekton_budget.frontends.mcp.desk import Answer, Desk
from tekton_budget.frontends.mcp.parameters import (
    LABELS,
    MONEY,
    TEXT,
    TEXTS,
    TRUTH,
    WHOLE,
    Json,
    Parameter,
    checked,
    schema_of,
)

Run = Callable[[Desk, dict[str, Any]], Awaitable[Answer]]  # Any: arguments as checked


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: what it says of itself, its arguments, and the verb behind it."""

    name: str
    says: str
    run: Run
    parameters: tuple[Parameter, ...] = ()
    reads: bool = False  # changes nothing

    def schema(self) -> Json:
        """Of its arguments, none of them required."""
        return schema_of(self.parameters)


def _model(says: str = "provider/model, or model") -> Parameter:
    return Parameter("model", TEXT, says)


_INPUT = Parameter("input_tokens", WHOLE)
_OUTPUT = Parameter("output_tokens", WHOLE)
_COST = Parameter("cost", MONEY, "USD")
_TOKENS = Parameter("tokens", WHOLE, "input and output together")
_ALLOCATION = Parameter("allocation_id", TEXT)
_LABELS = Parameter("labels", LABELS, "further labels of the calls")
_SECONDS = Parameter("lifetime_seconds", WHOLE)
_CASCADE = Parameter("cascade", TRUTH, "end its delegated parts too")

STATUS = Tool(
    "budget_status",
    "How much budget is left: one sentence, then each limit with allowance, spent, held and "
    "remaining (cost in USD; null: not limited). Use before long work and when unsure. No limits "
    "listed: nothing bounds these calls.",
    reading.budget_status,
    (_LABELS,),
    reads=True,
)
REPORT = Tool(
    "usage_report",
    "What was spent: USD and tokens by labels. Empty: by model, of this run, else of this month.",
    reading.usage_report,
    (
        Parameter("by", TEXTS, "labels: model, user, team, task, agent, ..."),
        Parameter("period", TEXT, "open window", ("hourly", "daily", "weekly", "monthly", "total")),
        _LABELS,
    ),
    reads=True,
)
PRICES = Tool(
    "prices",
    "Prices in USD per 1,000,000 tokens. Empty: of models used lately.",
    reading.prices,
    (_model("provider/model; glob allowed: gpt-5*"),),
    reads=True,
)
DENIAL = Tool(
    "explain_denial",
    "Why a call was refused, what would fit instead, and how it stands now. Empty: the latest "
    "refusal of this session, else of the last day.",
    reading.explain_denial,
    (_LABELS,),
    reads=True,
)

AGENT_TOOLS: tuple[Tool, ...] = (
    STATUS,
    Tool(
        "plan",
        "How many more steps (model calls) of which model fit into what is left, at the median and "
        "the 90th percentile of past calls; says what it assumed. Reserves nothing. Use before you "
        "choose how thoroughly to work. steps null: unbounded.",
        reading.plan,
        (
            Parameter("steps", WHOLE, "do so many fit?"),
            Parameter("models", TEXTS, "each provider/model; empty: those used lately"),
            Parameter("input_tokens", WHOLE, "per step; empty: as past calls"),
            Parameter("output_tokens", WHOLE, "per step; empty: as past calls"),
            _LABELS,
        ),
        reads=True,
    ),
    Tool(
        "estimate",
        "Exact cost in USD of one call, and whether it fits now. Reserves nothing. Empty: a call "
        "like past ones.",
        reading.estimate,
        (_model(), _INPUT, _OUTPUT, _LABELS),
        reads=True,
    ),
    Tool(
        "allocate",
        "Reserve budget before a model call; settle it afterwards. Answers allocation_id and what "
        "is granted until when, or why not: then do what the text says. Say model with "
        "input_tokens and max_output_tokens, or cost, or tokens. Empty: a call like past ones, at "
        "their 90th percentile.",
        spending.allocate,
        (
            _model(),
            _INPUT,
            Parameter("max_output_tokens", WHOLE),
            _TOKENS,
            _COST,
            Parameter("fit", TEXT, "clamp: take less if all does not fit", ("all", "clamp")),
            Parameter("wait_seconds", WHOLE, "wait for room, at most 300"),
            Parameter("lifetime_seconds", WHOLE, "default 900"),
            _LABELS,
        ),
    ),
    Tool(
        "settle",
        "Say what the call of an allocation really used; the rest is free again. Empty: ends the "
        "latest allocation of this session; without numbers all that it held is charged.",
        spending.settle,
        (
            _ALLOCATION,
            _INPUT,
            _OUTPUT,
            Parameter("cache_read_tokens", WHOLE, "not in input_tokens"),
            _COST,
            _model("that really answered, if another"),
            _CASCADE,
        ),
    ),
    Tool(
        "release",
        "Give back an allocation that was not used. Empty: the latest of this session.",
        spending.release,
        (_ALLOCATION, _CASCADE),
    ),
    Tool(
        "extend",
        "Let an allocation live longer, or use more: max_output_tokens, tokens or cost is its new "
        "total. Empty: the latest, 900 seconds from now.",
        spending.extend,
        (
            _ALLOCATION,
            Parameter("lifetime_seconds", WHOLE, "from now"),
            Parameter("max_output_tokens", WHOLE),
            _TOKENS,
            _COST,
        ),
    ),
    Tool(
        "delegate",
        "A part of an allocation for a sub-agent, as an allocation of its own: pass its id on. "
        "What it leaves returns. Empty: half of what the latest allocation has free.",
        spending.delegate,
        (
            Parameter("allocation_id", TEXT, "the parent"),
            _COST,
            _TOKENS,
            Parameter("agent", TEXT, "name of the sub-agent"),
            _SECONDS,
        ),
    ),
    Tool(
        "record_usage",
        "Report usage of a call that was not allocated, or one step of an allocation that goes on. "
        "A fact: never refused. Empty: records nothing, shows the latest.",
        spending.record_usage,
        (
            _model(),
            _INPUT,
            _OUTPUT,
            Parameter("cache_read_tokens", WHOLE, "not in input_tokens"),
            _COST,
            _ALLOCATION,
            _LABELS,
        ),
    ),
    REPORT,
    PRICES,
    Tool(
        "recommend_model",
        "Cheaper models for the same work, with cost, saving and what is lost. Use when budget is "
        "short. Empty: instead of the model used most, for calls like past ones.",
        reading.recommend_model,
        (
            _model(),
            _INPUT,
            _OUTPUT,
            Parameter("needs", TEXTS, "tools, vision, structured_output, reasoning, ..."),
        ),
        reads=True,
    ),
    DENIAL,
)

ADMIN_TOOLS: tuple[Tool, ...] = (
    STATUS,
    REPORT,
    PRICES,
    DENIAL,
    Tool(
        "set_limit",
        "Make or change one limit: of the calls that scope asks for, once or per label. Empty: "
        "lists the limits in force.",
        administering.set_limit,
        (
            Parameter("limit", TEXT, "50usd/month, 5Mtokens/day, 100requests/hour"),
            Parameter("scope", LABELS, "labels that calls must have; empty: every call"),
            Parameter("per", TEXTS, "labels of which each value has the limit for itself"),
            Parameter("name", TEXT),
            Parameter("enforcement", TEXT, "", ("hard_limit", "soft_limit", "warn", "ignore")),
        ),
    ),
    Tool(
        "credit",
        "Give an amount on top of a limit, once, for its current window. Empty: which limits are "
        "fullest.",
        administering.credit,
        (
            Parameter("amount", TEXT, "10usd, 1Mtokens"),
            Parameter("policy", TEXT, "name or id; or say labels"),
            Parameter("group", TEXT, "whose, of a limit per label"),
            Parameter("labels", LABELS),
            Parameter("reason", TEXT),
        ),
    ),
)


def tools_of(desk: Desk) -> tuple[Tool, ...]:
    """Those that a client is shown."""
    return ADMIN_TOOLS if desk.administers else AGENT_TOOLS


async def called(desk: Desk, name: str, arguments: Mapping[str, Any]) -> Answer:
    """One tool's answer; refusals and denials are raised."""
    tools = {tool.name: tool for tool in tools_of(desk)}
    if name not in tools:
        raise NotFound(
            f"There is no tool {name!r} here; there are {', '.join(tools)}.", code="tool_not_found"
        )
    tool = tools[name]
    return await tool.run(desk, checked(tool.parameters, arguments))
