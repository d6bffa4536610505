"""What an import tells: how much of what, what it left out, whether both sides agree."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from tekton_budget.foreign.store import Fault, Kind
from tekton_budget.service.reporting.balance_views import BalanceView


class Outcome(StrEnum):
    """What became of one limit."""

    MADE = "made"
    CHANGED = "changed"
    SAME = "same"
    KEPT = "kept"  # changed by hand here, and left so
    ENDED = "ended"  # ended by hand here, and left so
    REFUSED = "refused"


@dataclass(slots=True)
class PartReport:
    """One file or table: rows understood, among them repeated ones, new ones and known ones."""

    name: str
    found: int = 0
    repeated: int = 0
    skipped: int = 0
    new: int = 0
    there: int = 0
    is_whole: bool = True


@dataclass(slots=True)
class UsageReport:
    """The store's usage: each record once. What was left out is not part of the check."""

    found: int = 0
    new: int = 0
    there: int = 0
    later: int = 0  # at or after `until`
    ours: int = 0  # rows that an export made of usage that was recorded here
    refused: int = 0


@dataclass(frozen=True, slots=True)
class LimitReport:
    """One limit and what became of it."""

    policy_id: str
    name: str
    outcome: Outcome
    enforcement: str
    enabled: bool
    shadow: bool
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """Sums of some records. `cost` is exact, as it was charged."""

    records: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    tokens: int = 0  # of which the kind is not told
    cost: Decimal = Decimal(0)

    def add(self, *, input_tokens: int, output_tokens: int, tokens: int, cost: Decimal) -> None:
        """One more record."""
        self.records += 1
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.tokens += tokens
        self.cost += cost

    @property
    def total_tokens(self) -> int:
        """All tokens."""
        return self.input_tokens + self.output_tokens + self.tokens


@dataclass(frozen=True, slots=True)
class Compared:
    """The sums of one value of one dimension, on both sides."""

    by: str
    value: str
    theirs: Tally
    ours: Tally

    @property
    def agrees(self) -> bool:
        """Whether they are equal, to the last token and 10⁻⁹ USD."""
        return self.theirs == self.ours


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Sums made independently of what was read and of what is stored, side by side."""

    total: Compared
    sums: tuple[Compared, ...]
    differing: tuple[str, ...] = ()  # the first records that are stored otherwise, or not at all
    differing_count: int = 0

    @property
    def verified(self) -> bool:
        """Whether every sum agrees, and every record."""
        agree = self.total.agrees and all(one.agrees for one in self.sums)
        return agree and not self.differing_count


@dataclass(slots=True)
class ModelCost:
    """What a model's records cost: as posted, and by our book where it knows a price."""

    records: int = 0
    tokens: int = 0
    cost_nano: int = 0
    book_cost_nano: int = 0
    unpriced: int = 0  # no cost posted
    estimated: int = 0  # posted at the dearest rate: the kind of the tokens is not told
    without_book: int = 0  # charged by the store, and our book knows no price
    differing: int = 0  # charged by the store, and our book says otherwise


@dataclass(frozen=True, slots=True)
class ImportReport:
    """All of it."""

    kind: Kind
    dry_run: bool
    mode: str
    timezone: str
    until_us: int | None
    usage: UsageReport
    parts: tuple[PartReport, ...]
    limits: tuple[LimitReport, ...]
    check: CheckReport
    costs: Mapping[str, ModelCost]  # by `provider / model`
    over: tuple[BalanceView, ...]
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def is_complete(self) -> bool:
        """Whether both sides agree and nothing was left out that the store says."""
        return self.check.verified and not self.faults
