"""Findings: which row of which table is not what it should be, and by how much."""

from collections.abc import Iterator
from dataclasses import dataclass, field

FINDINGS_MAX = 1000

Value = int | str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One column of one row: what it is, and what its source says it should be."""

    table: str
    id: str
    column: str
    found: Value
    expected: Value
    detail: str = ""

    @property
    def difference(self) -> int | None:
        """By how much, where both are numbers."""
        if isinstance(self.found, int) and isinstance(self.expected, int):
            return self.found - self.expected
        return None

    def text(self) -> str:
        """For people: `balances 3:0:alice: spent_cost_nano is 19, should be 10 (+9)`."""
        change = "" if self.difference is None else f" ({self.difference:+d})"
        why = f": {self.detail}" if self.detail else ""
        values = f"is {self.found}, should be {self.expected}{change}"
        return f"{self.table} {self.id}: {self.column} {values}{why}"


@dataclass(slots=True)
class Findings:
    """What was found so far; beyond a thousand it is only counted."""

    kept: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, finding: Finding) -> None:
        """One more."""
        self.count += 1
        if len(self.kept) < FINDINGS_MAX:
            self.kept.append(finding)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.kept)


@dataclass(frozen=True, slots=True)
class Verification:
    """How much was recounted and what differed; nothing found means that all of it agrees."""

    findings: tuple[Finding, ...]
    count: int  # of findings, however many are told
    entries: int
    balances: int
    usage: int
    rollups: int
    allocations: int

    @property
    def is_good(self) -> bool:
        """Whether nothing differed."""
        return self.count == 0
