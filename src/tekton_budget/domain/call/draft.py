"""A need while it is read: what the rows of the tables add to, and the words of a refusal."""

from collections.abc import Sequence
from typing import Any

from tekton_budget.domain.errors import FieldFault, InvalidInput
from tekton_budget.domain.units import STANDARD, UNITS

from .api import Api
from .need import DropPath, Need
from .trail import NO_TRAIL, Trail

UNMETERED = "unmetered_field"
INVALID = "invalid_request"
_NOTHING: frozenset[str] = frozenset()
_HOW_TO_GO_ON = (
    "remove it, or let such fields pass uncounted by the setting BUDGET_GATEWAY_UNMETERED=pass"
)


def wrong(field: str, message: str) -> InvalidInput:
    """The refusal of a field that no provider would take as it is."""
    return InvalidInput(f"{field}: {message}", FieldFault(field, message), code=INVALID)


class Draft:
    """Sums up the bounds of one request, field by field."""

    __slots__ = (
        "answers",
        "api",
        "asked_for_usage",
        "cache_write",
        "context",
        "dropped",
        "drops",
        "head",
        "hidden_output",
        "implicit_cache",
        "lets_pass",
        "marks",
        "max_output",
        "messages",
        "min_output",
        "model",
        "produces_output",
        "references",
        "rounds",
        "stream",
        "tail",
        "tokens",
        "tool_sizes",
        "units",
        "unmetered",
        "user",
        "wants",
        "window",
    )

    def __init__(
        self, api: Api, model: str, *, lets_pass: bool = False, drops: bool = False
    ) -> None:
        self.api = api
        self.lets_pass = lets_pass
        self.drops = drops
        self.model = model
        self.stream = False
        self.tokens = 0  # of all but the messages
        self.tail = 0  # what a template adds after the last message
        self.marks: list[int] = []  # after each message, of the messages alone
        self.messages: Sequence[Any] = ()  # Any: JSON
        self.head: dict[str, Any] = {}  # Any: JSON, all else that changes what is counted
        self.window = False
        self.rounds = 1
        self.units: dict[str, int] = {}
        self.max_output: int | None = None
        self.min_output = 1
        self.answers = 1
        self.produces_output = True
        self.cache_write: str | None = None
        self.implicit_cache = False
        self.context = STANDARD
        self.wants: set[str] = set()
        self.user: str | None = None
        self.asked_for_usage = False
        self.hidden_output = False
        self.tool_sizes: dict[str, int] = {}
        self.references: list[str] = []  # names of tools that a message brings in again
        self.unmetered: list[str] = []
        self.dropped: list[DropPath] = []

    def unknown(
        self, field: str, why: str = "its cost is not known", *, drop: DropPath | None = None
    ) -> None:
        """A field without a bound: refused, left out or noted, as the installation says."""
        if self.drops and drop is not None:
            self.dropped.append(drop)
        elif self.lets_pass:
            self.unmetered.append(field)
        else:
            message = f"{why}; {_HOW_TO_GO_ON}"
            raise InvalidInput(f"{field}: {message}", FieldFault(field, message), code=UNMETERED)

    def add_units(self, unit: str, amount: int) -> None:
        """So much of a further priced unit."""
        self.units[unit] = self.units.get(unit, 0) + amount

    def writes_cache(self, ttl: object) -> None:
        """Input is to be kept; of two times to live the dearer."""
        if self.cache_write != "1h":
            self.cache_write = "1h" if ttl == "1h" else "5m"

    def priced_for(self, **facts: str) -> None:
        """A fact that the price depends on."""
        self.context = self.context._replace(**facts)

    def need(self) -> Need:
        """The need of all that was read."""
        before = self.tokens + sum(self.tool_sizes.get(name, 0) for name in self.references)
        marks = self.marks
        trail = NO_TRAIL
        if marks and not self.window:
            trail = Trail(self.head, self.messages, before, marks)
        units = self.units
        return Need(
            self.api,
            self.model,
            self.stream,
            before + self.tail + (marks[-1] if marks else 0),
            self.window,
            self.rounds,
            tuple((unit, units[unit]) for unit in UNITS if units.get(unit)) if units else (),
            self.max_output,
            self.min_output,
            self.answers,
            self.produces_output,
            self.cache_write or ("5m" if self.implicit_cache else None),
            self.context,
            frozenset(self.wants) if self.wants else _NOTHING,
            self.user,
            self.asked_for_usage,
            self.hidden_output,
            tuple(self.unmetered),
            tuple(self.dropped),
            trail,
        )
