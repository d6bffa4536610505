"""A run: one command under a cap of its own, by a name that its nested runs continue."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tekton_budget.domain.errors import invalid

RUNS_BUDGET = "runs"
"""The budget in which runs' policies live; lists leave it out unless it is asked for."""

RUN = "run"  # the label
RUN_NAME_MAX = 180  # of the whole name, so that a policy's name has room for it
RUN_DEPTH_MAX = 8
LAND_NOTE = (
    "The budget of this run is nearly used up. Finish now: complete what is under way in as few "
    "steps as you can, leave the work in a consistent state, and say what is left to do."
)
LAND_NOTE_MAX = 2000

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,63}")


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it is kept: who began it, what caps it, and how long it counts as alive."""

    run_id: str
    name: str
    policy_id: str | None  # none: it is counted, not capped
    labels: Mapping[str, str]
    outer_id: str | None
    key_id: str
    key_name: str
    command: str
    land_note: str | None
    reserve_id: str | None  # the allocation that holds its cap in the limits around it
    lease_us: int  # how far each sign of life reaches
    created_us: int
    started_us: int  # the last time that it was begun or continued
    alive_until_us: int
    ended_us: int | None = None
    exit_code: int | None = None
    calls: int = 0
    refused: int = 0
    clamped: int = 0

    def is_alive(self, now_us: int) -> bool:
        """Not ended, and heard of lately."""
        return self.ended_us is None and now_us < self.alive_until_us

    @property
    def all_labels(self) -> dict[str, str]:
        """What its every call is labelled with."""
        return {**self.labels, RUN: self.name}


@dataclass(frozen=True, slots=True)
class Counted:
    """What came through the gateway for a run since it was last written down."""

    calls: int = 0
    refused: int = 0
    clamped: int = 0

    def plus(self, other: "Counted") -> "Counted":
        """Counter by counter."""
        return Counted(
            self.calls + other.calls, self.refused + other.refused, self.clamped + other.clamped
        )


@dataclass(frozen=True, slots=True)
class Cap:
    """What a run may use in all, itself and its nested runs; `None` is no limit in that unit."""

    cost_nano: int | None = None
    tokens: int | None = None

    @property
    def is_none(self) -> bool:
        """Whether nothing is capped."""
        return self.cost_nano is None and self.tokens is None


@dataclass(frozen=True, slots=True)
class Landing:
    """What of the cap is kept for the end (in parts of a million), and the note that says so."""

    share_ppm: int = 0
    note: str | None = field(default=LAND_NOTE)


def run_name(part: str, outer: str | None = None) -> str:
    """`nightly`, or `outer/nightly` in another run; refuses what could be read as a pattern."""
    name = part if outer is None else f"{outer}/{part}"
    parts = name.split("/")
    if not all(_PART.fullmatch(one) for one in parts):
        raise invalid(
            "name",
            f"{part!r} is no name of a run: letters, digits and . _ : @ + - (at most 64), "
            "the first a letter or digit",
        )
    if len(parts) > RUN_DEPTH_MAX:
        raise invalid("name", f"runs may be nested {RUN_DEPTH_MAX} deep at most")
    if len(name) > RUN_NAME_MAX:
        raise invalid("name", f"with those around it, at most {RUN_NAME_MAX} characters")
    return name


def run_scope(name: str) -> dict[str, object]:
    """What a run's policy asks of labels: its own calls, and those of the runs inside it."""
    return {RUN: [name, f"{name}/*"]}


def run_policy_name(name: str) -> str:
    """How denials name the cap of a run."""
    return f"run {name}"
