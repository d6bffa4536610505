"""Every command in words: what it takes, and what for. One table for reading, help and clients."""

from dataclasses import dataclass
from enum import StrEnum

from tekton_budget.domain.policy import Enforcement

PERIODS = ("hourly", "daily", "weekly", "monthly", "quarterly", "yearly", "total")
_TIERS = ("local_lightweight", "local_midweight", "remote_heavyweight")


class Kind(StrEnum):
    """What a value is."""

    TEXT = "text"
    REST = "rest"  # all words that are left, as one text
    WHOLE = "whole"  # a whole number, 0 or more
    USD = "usd"
    SHARE = "share"  # from 0 to 1
    FLAG = "flag"
    FILTERS = "filters"  # all words that are left, as NAME=VALUE


@dataclass(frozen=True, slots=True)
class Part:
    """A parameter (by its place) or an option (by its name, with `--`)."""

    name: str
    about: str
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    needed: bool = False
    default: str | None = None
    no: str = ""  # of a flag, the option that says the opposite
    yields: bool = False  # a word that is none of the choices is for the parameter after it


@dataclass(frozen=True, slots=True)
class Word:
    """One command."""

    name: str
    about: str
    parameters: tuple[Part, ...] = ()
    options: tuple[Part, ...] = ()

    def usage(self, sign: str = "") -> str:
        """How it is written; `sign` stands before the name."""
        parts = [
            *(f"<{one.name}>" if one.needed else f"[{one.name}]" for one in self.parameters),
            *(option_text(one) if one.needed else f"[{option_text(one)}]" for one in self.options),
        ]
        return " ".join([f"{sign}{self.name}", *parts])


def option_text(option: Part) -> str:
    """An option as it is written."""
    name = f"--{option.name.replace('_', '-')}"
    if option.kind is Kind.FLAG:
        return f"{name}|--{option.no}"
    return f"{name} {'|'.join(option.choices) or option.name.rsplit('_', 1)[-1].upper()}"


def _period(default: str, *, yields: bool = False) -> Part:
    about = f"The window that is open now ({default})"
    return Part("period", about, choices=PERIODS, default=default, yields=yields)


_PROVIDER = Part("provider", "Who sells the model, as openai")
_MODEL = Part("model", "The model, or a glob as gpt-5*")
_COMPONENT = Part("component", "The component that calls, as ergon")
_TIER = Part("tier", "The tier of the model", choices=_TIERS)
_DAYS = Part("days", "Days to look back, today included (30)", Kind.WHOLE)

# What the chat of Tekton's page takes, with a stroke before it.
CHAT: tuple[Word, ...] = (
    Word(
        "help", "The commands, or how one of them is used", (Part("command", "Which", Kind.REST),)
    ),
    Word("budget", "Where the limits of a period stand", (_period("monthly"),)),
    Word(
        "limits",
        "The limits in force, or a new amount for all calls of a period",
        (
            Part("period", "Of which period", choices=PERIODS),
            Part("amount", "The new limit in USD", Kind.USD),
        ),
    ),
    Word(
        "usage",
        "What was used in a period, in all or by a component",
        (_period("monthly", yields=True), _COMPONENT),
    ),
    Word(
        "query",
        "Single usages, newest first",
        (
            Part(
                "filters",
                "As provider=openai model=gpt-5-mini component=ergon limit=20",
                Kind.FILTERS,
            ),
        ),
    ),
    Word("models", "What is known of models, and what they cost", (_PROVIDER, _MODEL)),
    Word("prices", "What models cost", (_PROVIDER, _MODEL)),
    Word(
        "recommend",
        "Models for a task, by their price",
        (Part("task", "What is to be done", Kind.REST, needed=True),),
    ),
    Word(
        "analyze",
        "Where the money went, and how it develops",
        (Part("period", "Of its open window", choices=PERIODS, yields=True), _DAYS),
    ),
    Word(
        "optimize",
        "What cheaper models would have saved",
        (Part("period", "Of its open window", choices=PERIODS, yields=True), _DAYS),
    ),
    Word(
        "alerts",
        "Alerts that nobody has acknowledged; clear acknowledges all of them",
        (
            Part("action", "What to do (list)", choices=("list", "clear", "acknowledge")),
            Part("alert_id", "Which, to acknowledge one"),
        ),
    ),
    Word("refresh", "Nothing has to be: every answer is of this moment"),
    Word("clear", "Empties the chat, which its page does by itself"),
)

# What the original's command line takes.
LINE: tuple[Word, ...] = (
    Word("start", "Start the service"),
    Word(
        "status",
        "Where the limits of a period stand, and what was used",
        options=(_period("daily"), _TIER, _PROVIDER, _COMPONENT),
    ),
    Word(
        "get-usage",
        "What was used, by provider, model and component",
        (Part("period", "Hour by hour, day by day, …", choices=PERIODS, needed=True),),
        (
            _PROVIDER,
            _MODEL,
            _COMPONENT,
            Part("days", "Days to look back, today included (7)", Kind.WHOLE, default="7"),
        ),
    ),
    Word(
        "set-limit",
        "Set or change a limit in USD",
        (
            Part("period", "Of each hour, day, …", choices=PERIODS, needed=True),
            Part("limit", "USD", Kind.USD, needed=True),
        ),
        (
            Part("budget_id", "The budget it belongs to (default)"),
            _PROVIDER,
            _TIER,
            _COMPONENT,
            Part(
                "policy_type",
                "What passing it does; a new limit warns unless you say otherwise (warn)",
                choices=tuple(Enforcement),
            ),
            Part("warning_threshold", "Share of it at which to tell (0.8)", Kind.SHARE),
            Part("action_threshold", "Share of it at which to tell again (0.95)", Kind.SHARE),
        ),
    ),
    Word(
        "allocate create",
        "Ask for tokens before a call",
        options=(
            Part("context_id", "What the call belongs to", needed=True),
            Part("component", _COMPONENT.about, needed=True),
            Part("tokens", "How many", Kind.WHOLE, needed=True),
            _PROVIDER,
            Part("model", "The model that will be called"),
            _TIER,
            Part("task_type", "The kind of task (default)", default="default"),
            Part("priority", "From 1 to 10 (5)", Kind.WHOLE),
        ),
    ),
    Word(
        "allocate list",
        "Allocations, newest first",
        options=(
            Part("context_id", "Only of this context"),
            _COMPONENT,
            Part("active_only", "Those under way, or all", Kind.FLAG, default="true", no="all"),
        ),
    ),
    Word(
        "allocate release",
        "Give back what an allocation holds",
        (Part("allocation_id", "Which", needed=True),),
    ),
    Word("prices list", "What models cost", options=(_PROVIDER, _MODEL)),
    Word("prices update", "Take newer prices, where there are any"),
    Word(
        "recommend",
        "Models that would do, by their price",
        options=(
            Part("task_type", "The kind of task"),
            Part("context_size", "Tokens that a call reads (2000)", Kind.WHOLE, default="2000"),
            Part("output_size", "Tokens that it writes (500)", Kind.WHOLE, default="500"),
            Part("prefer_provider", "Only of this seller"),
            Part("max_cost", "USD that a call may cost", Kind.USD),
        ),
    ),
    Word(
        "alerts list",
        "Alerts, newest first",
        options=(
            Part("budget_id", "Only of this budget"),
            Part("severity", "Only of this kind", choices=("info", "warning", "error")),
            Part("acknowledged", "Only those, or the others", Kind.FLAG, no="unacknowledged"),
        ),
    ),
    Word(
        "alerts acknowledge",
        "Say that an alert was seen",
        (Part("alert_id", "Which", needed=True),),
    ),
    Word(
        "calc-cost",
        "What a call costs",
        options=(
            Part("provider", _PROVIDER.about, needed=True),
            Part("model", "The model", needed=True),
            Part("input_tokens", "Tokens that it reads", Kind.WHOLE, needed=True),
            Part("output_tokens", "Tokens that it writes (0)", Kind.WHOLE),
        ),
    ),
)
