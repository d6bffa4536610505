"""The outcome: all that a proof came to, measured or not."""

from dataclasses import dataclass, field

from tekton_budget.proof.measure import Measured
from tekton_budget.proof.options import ProofOptions


@dataclass(frozen=True, slots=True)
class Skipped:
    """A run that there is no result of, and why."""

    arm: str
    workload: str
    reason: str
    failed: bool = False  # it should have run

    def faults(self) -> list[str]:
        """What an exact system must not show."""
        return [self.reason] if self.failed else []


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a proof came to."""

    options: ProofOptions
    results: tuple[Measured, ...]
    skipped: tuple[Skipped, ...]
    faults: tuple[str, ...]
    judged: frozenset[str] = frozenset()  # the arms that must be exact
    machine: dict[str, object] = field(default_factory=dict)
    seconds: float = 0.0
