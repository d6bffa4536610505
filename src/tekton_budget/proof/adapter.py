"""What a system must offer to be proven: four verbs, and a budget made afresh for each workload."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol, cast, runtime_checkable

LIFETIME_SECONDS = 900


class Unit(StrEnum):
    """What a budget's numbers are: 10⁻⁹ USD, or tokens."""

    COST = "cost"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class Budget:
    """The one budget of a workload. Its name is different in each, so that no run sees another."""

    name: str
    limit: int
    unit: Unit = Unit.COST
    per_group: bool = False  # each group has the limit to itself
    lifetime_seconds: int = (
        LIFETIME_SECONDS  # how long a hold counts whose client was never heard of again
    )
    turns_at_ns: int | None = None  # when (monotonic) its window turns; `None`: it never does


class Granted(NamedTuple):
    """The answer of a reservation that was made: under which id, and how much."""

    id: str
    amount: int


class Adapter(Protocol):
    """One process's way to the system. Called by many threads at once.

    Ids are the caller's: asking again under the same id must not hold or spend a second time. What
    cannot be answered is raised, an id that is not known too; a denial is `None`.
    """

    def reserve(self, amount: int, id: str, group: str) -> Granted | None:
        """May so much be used? It is held from now on."""

    def settle(self, id: str, real: int) -> None:
        """It is used, and it was so much; the rest of the hold is free again."""

    def release(self, id: str) -> None:
        """It was not used; the whole hold is free again."""

    def spent(self, group: str) -> int:
        """What was settled in all, as the system knows it (of the window that is open)."""


@runtime_checkable
class Clamping(Protocol):
    """An adapter of a system that can grant less than was asked, rather than nothing."""

    def reserve_up_to(self, amount: int, id: str, group: str, least: int) -> Granted | None:
        """As much of the amount as there is room for, if it is not below the least."""


@runtime_checkable
class Changing(Protocol):
    """An adapter of a system whose budgets can change while calls run."""

    def change_limit(self, limit: int) -> None:
        """From now on the limit is this."""

    def credit(self, amount: int, id: str) -> None:
        """So much more than the limit may be used."""

    def add_limit(self, limit: int) -> None:
        """A second limit on the same calls, those of the past and those that run included."""


@runtime_checkable
class Verifying(Protocol):
    """An adapter of a system that can recount its balances."""

    def differences(self) -> int:
        """How many balances differ from what their history adds up to."""


@runtime_checkable
class Closing(Protocol):
    """An adapter that has something to let go of."""

    def close(self) -> None:
        """The process is done with it."""


class NotOffered(Exception):
    """The system has nothing of the kind (such as windows); raised by a factory."""


Connect = Callable[[], Adapter]
"""Makes the adapter of one process. It is sent to other processes, so it must be picklable."""

Arm = Callable[[Budget], Connect]
"""Makes an empty budget of this description, and says how processes reach it."""


def arm_named(name: str) -> Arm:
    """The factory behind `module:factory`; modules of the working directory are found too."""
    module_name, colon, attribute = name.partition(":")
    if not colon:
        raise ValueError(f"{name!r} names no factory: send MODULE:FACTORY")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    module = importlib.import_module(module_name)
    return cast("Arm", getattr(module, attribute))
