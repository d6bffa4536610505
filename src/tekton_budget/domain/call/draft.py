"""A need while it is read: what the rows of the tables add to, and the words of a refusal."""

from collections.abc import Sequence
from typing import Any

from tekton_budget.domain.errors import FieldFault, InvalidInput
from tekton_budget.domain.units import STANDARD, UNITS

from .api import Api
from .need import Need
from .trail import NO_TRAIL, Trail

UNMETERED = "unmetered_field"
INVALID = "invalid_request"
_LET_PASS = "remove it, or let it pass uncounted by the setting BUDGET_GATEWAY_UNMETERED=pass"


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
        "head",
        "hidden_output",
        "lets_pass",
        "marks",
        "max_output",
        "messages",
        "min_output",
        "model",
        "produces_output",
        "rounds",
        "stream",
        "tail",
        "tokens",
        "units",
        "unmetered",
        "user",
        "wants",
        "window",
    )

    def __init__(self, api: Api, *, lets_pass: bool = False) -> None:
        self.api = api
        self.lets_pass = lets_pass
        self.model: str | None = None
        self.stream = False
        self.tokens = 0  # of all but the messages
        self.tail = 0  # what a template adds after the last message
        self.marks: list[int] = []  # after each message, of the messages alone
        self.messages: Sequence[Any] = ()  # Any: JSON
        self.head: dict[str, Any] = {}  # Any: JSON, all that changes what the provider counts
        self.window = False
        self.rounds = 1
        self.units: dict[str, int] = {}
        self.max_output: int | None = None
        self.min_output = 1
        self.answers = 1
        self.produces_output = True
        self.cache_write: str | None = None
        self.context = STANDARD
        self.wants: set[str] = set()
        self.user: str | None = None
        self.asked_for_usage = False
        self.hidden_output = False
        self.unmetered: list[str] = []

    def unknown(self, field: str, why: str = "its cost is not known") -> None:
        """A field that no row bounds: refused, or noted where the installation lets it pass."""
        if not self.lets_pass:
            message = f"{why}; {_LET_PASS}"
            raise InvalidInput(f"{field}: {message}", FieldFault(field, message), code=UNMETERED)
        self.unmetered.append(field)

    def add_units(self, unit: str, amount: int) -> None:
        """So much of a further priced unit."""
        self.units[unit] = self.units.get(unit, 0) + amount

    def priced_for(self, **facts: str | None) -> None:
        """A fact that the price depends on."""
        self.context = self.context._replace(**facts)

    def need(self) -> Need:
        """The need of all that was read."""
        model = self.model
        if not model:
            raise wrong("model", "name the model that is to answer")
        before = self.tokens
        marks = self.marks
        messages_tokens = marks[-1] if marks else 0
        trail = NO_TRAIL
        if marks and not self.window:
            trail = Trail(self.head, self.messages, before, marks)
        return Need(
            self.api,
            model,
            self.stream,
            before + messages_tokens + self.tail,
            self.window,
            self.rounds,
            self._units_in_order() if self.units else (),
            self.max_output,
            self.min_output,
            self.answers,
            self.produces_output,
            self.cache_write,
            self.context,
            frozenset(self.wants) if self.wants else _NOTHING,
            self.user,
            self.asked_for_usage,
            self.hidden_output,
            tuple(self.unmetered),
            trail,
        )

    def _units_in_order(self) -> tuple[tuple[str, int], ...]:
        return tuple((unit, self.units[unit]) for unit in UNITS if self.units.get(unit))


_NOTHING: frozenset[str] = frozenset()
