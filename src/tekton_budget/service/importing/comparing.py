"""The check of an import: sums of what was read beside sums of what is stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec

from tekton_budget.domain.ledger import UsageRecord
from tekton_budget.domain.money import nano_from_usd, usd_from_nano
from tekton_budget.domain.usage import CostSource
from tekton_budget.foreign.store import IMPORTED_FROM, ForeignUsage, Kind
from tekton_budget.service.importing.local_times import LocalTimes
from tekton_budget.service.importing.report import CheckReport, Compared, ModelCost, Tally

_json = msgspec.json.Decoder().decode
NOTHING_SAID = "(none)"
DIFFERING_NAMED_MAX = 20


@dataclass(frozen=True, slots=True)
class View:
    """A record as one side sees it. `cost` is what was charged, where the store charged."""

    labels: Mapping[str, str]
    at: datetime  # naive, of the zone
    input_tokens: int
    output_tokens: int
    tokens: int
    cost: Decimal

    def said(self, name: str) -> str:
        """A label's value."""
        return self.labels.get(name, NOTHING_SAID)


def model_of(labels: Mapping[str, str]) -> str:
    """`anthropic / claude-3-opus`."""
    said = (labels.get("provider", NOTHING_SAID), labels.get("model", NOTHING_SAID))
    return " / ".join(said)


def _type_of(view: View) -> str:
    kinds = {"input": view.input_tokens, "output": view.output_tokens, "total": view.tokens}
    used = [name for name, count in kinds.items() if count]
    return "+".join(used) or "no tokens"


_DIMENSIONS: dict[str, Callable[[View], str]] = {
    "component": lambda view: view.said("component"),
    "provider": lambda view: view.said("provider"),
    "model": lambda view: model_of(view.labels),
    "task_type": lambda view: view.said("task_type"),
    "tier": lambda view: view.said("tier"),
    "type": _type_of,
    "month": lambda view: f"{view.at:%Y-%m}",
    "day": lambda view: f"{view.at:%Y-%m-%d}",
}
DIMENSIONS = {
    Kind.APOLLO: ("component", "provider", "model", "task_type", "tier", "type", "month"),
    Kind.RHETOR: ("component", "provider", "model", "task_type", "month", "day"),
}


class Comparison:
    """Adds up both sides, record by record, and by every dimension of the store's kind."""

    def __init__(self, kind: Kind, times: LocalTimes) -> None:
        self._kind = kind
        self._times = times
        self._theirs: dict[tuple[str, str], Tally] = {}
        self._ours: dict[tuple[str, str], Tally] = {}
        self._differing: list[str] = []
        self._differing_count = 0
        self.costs: dict[str, ModelCost] = {}

    def add(self, usage: ForeignUsage, stored: UsageRecord | None) -> None:
        """A record that was read, and the one that is stored under its id."""
        theirs = View(
            usage.labels,
            self._times.as_said(usage.at),
            usage.input_tokens,
            usage.output_tokens,
            usage.tokens,
            Decimal(0) if usage.cost is None else usd_from_nano(nano_from_usd(usage.cost)),
        )
        self._add(self._theirs, theirs)
        if stored is not None:
            self._add(self._ours, self._view_of(stored, charged=usage.cost is not None))
            self._count_cost(usage, stored)
        if stored is None or not self._is_same(usage, stored):
            self._differing_count += 1
            if len(self._differing) < DIFFERING_NAMED_MAX:
                self._differing.append(usage.record_id)

    def report(self) -> CheckReport:
        """Dimension by dimension, values in order."""
        pairs = sorted(set(self._theirs) | set(self._ours))
        compared = [
            Compared(by, value, self._theirs.get(key, Tally()), self._ours.get(key, Tally()))
            for key in pairs
            for by, value in [key]
        ]
        order = ("", *DIMENSIONS[self._kind])
        compared.sort(key=lambda one: (order.index(one.by), one.value))
        total = next((one for one in compared if not one.by), Compared("", "", Tally(), Tally()))
        sums = tuple(one for one in compared if one.by)
        return CheckReport(total, sums, tuple(self._differing), self._differing_count)

    def _view_of(self, stored: UsageRecord, *, charged: bool) -> View:
        counts = stored.counts
        said = {"provider": stored.provider, "model": stored.model}
        return View(
            {**stored.labels, **{name: value for name, value in said.items() if value}},
            self._times.shown(stored.at_us),
            counts.input + counts.cache_read + counts.cache_write,
            counts.output,
            counts.other,
            usd_from_nano(stored.cost_nano or 0) if charged else Decimal(0),
        )

    def _add(self, sums: dict[tuple[str, str], Tally], view: View) -> None:
        keys = [(by, _DIMENSIONS[by](view)) for by in DIMENSIONS[self._kind]]
        for key in (("", ""), *keys):
            tally = sums.get(key)
            if tally is None:
                tally = sums[key] = Tally()
            tally.add(
                input_tokens=view.input_tokens,
                output_tokens=view.output_tokens,
                tokens=view.tokens,
                cost=view.cost,
            )

    def _is_same(self, usage: ForeignUsage, stored: UsageRecord) -> bool:
        """Whether the stored one says what was read; it may have further labels."""
        counts = stored.counts
        used = (usage.input_tokens, usage.output_tokens, 0, 0, usage.tokens)
        if tuple(counts) != used or stored.labels.get(IMPORTED_FROM) != self._kind:
            return False
        if stored.at_us != self._times.instant_us(usage.at):
            return False
        if usage.cost is not None and stored.cost_nano != nano_from_usd(usage.cost):
            return False
        if _json(stored.metadata) != usage.metadata or stored.operation_id != usage.operation_id:
            return False
        return all(stored.labels.get(name) == value for name, value in usage.labels.items())

    def _count_cost(self, usage: ForeignUsage, stored: UsageRecord) -> None:
        of_model = self.costs.setdefault(model_of(usage.labels), ModelCost())
        of_model.records += 1
        of_model.tokens += usage.total_tokens
        of_model.unpriced += stored.cost_nano is None
        of_model.cost_nano += stored.cost_nano or 0
        of_model.book_cost_nano += stored.book_cost_nano or 0
        of_model.estimated += stored.cost_source is CostSource.ESTIMATED
        if usage.cost is not None:
            of_model.without_book += stored.book_cost_nano is None
            known = stored.book_cost_nano is not None
            of_model.differing += known and stored.book_cost_nano != stored.cost_nano
