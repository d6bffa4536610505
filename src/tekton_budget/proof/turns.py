"""What callers will do, drawn before anything runs: turns, callers, and whole plans."""

from dataclasses import dataclass, field
from enum import StrEnum

from tekton_budget.proof.adapter import LIFETIME_SECONDS, Unit

SECOND_NS = 1_000_000_000
MILLISECOND_NS = 1_000_000


class Ending(StrEnum):
    """What becomes of what was granted."""

    SETTLE = "settle"
    RELEASE = "release"
    VANISH = "vanish"  # its client is never heard of again


@dataclass(frozen=True, slots=True)
class Turn:
    """One call of a model: ask, use it for a while, end it."""

    id: str
    amount: int
    real: int  # what it will really use, at most what is granted
    group: str = ""
    ending: Ending = Ending.SETTLE
    at_ns: int = 0  # not before so long after the start
    hold_ns: int = 0  # how long it runs; where it is cut short, in proportion
    patience_ns: int = 0  # for how long it asks again after a denial
    least: int | None = None  # with less than this it cannot begin; `None`: with less than all
    enough: int | None = None  # where so much is spent, asking again makes no sense


Caller = tuple[Turn, ...]


class Change(StrEnum):
    """What a person does to a budget while calls run."""

    LIMIT = "limit"
    CREDIT = "credit"
    ADD = "add"


@dataclass(frozen=True, slots=True)
class Intervention:
    """A change, when it is made, and what may be used altogether once it is in force."""

    at_ns: int
    change: Change
    amount: int
    allowance: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One workload, complete: the budget, who calls in which process, and what happens to them."""

    name: str
    title: str
    limit: int
    processes: tuple[tuple[Caller, ...], ...]
    unit: Unit = Unit.COST
    per_group: bool = False
    lifetime_seconds: int = LIFETIME_SECONDS
    turn_ns: int | None = None  # when the window turns, after the start of the run
    kills: int = 0  # how often all processes are killed and started again
    interventions: tuple[Intervention, ...] = ()
    exactly: int | None = None  # how many asks are granted, where that is known beforehand
    seconds_max: float = 60.0
    foils: bool = True  # whether it is worth comparing
    groups: tuple[str, ...] = field(default=("",))

    @property
    def callers(self) -> int:
        """How many there are, in all processes."""
        return sum(len(callers) for callers in self.processes)

    @property
    def allowance(self) -> int:
        """What may be used in the end, by all groups."""
        last = self.interventions[-1].allowance if self.interventions else self.limit
        return last * len(self.groups) * (2 if self.turn_ns is not None else 1)
