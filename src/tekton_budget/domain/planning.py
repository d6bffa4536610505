"""Planning: what calls like those of the past use, and how many of them fit into what is left."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tekton_budget.domain.amounts import Limits
from tekton_budget.domain.ledger import UsageRecord

MEDIAN, HIGH = 50, 90


class PastCall(NamedTuple):
    """One call with all that was recorded of it; `None` is what nobody knows."""

    provider: str
    model: str
    input_tokens: int | None  # of which neither is known where a total alone was told
    output_tokens: int | None
    tokens: int
    cost_nano: int | None


class StepUse(NamedTuple):
    """What one more call is taken to use; each number stands at its rank by itself."""

    input_tokens: int | None
    output_tokens: int | None
    tokens: int
    cost_nano: int | None


def past_calls(records: Iterable[UsageRecord], most: int) -> list[PastCall]:
    """Usage records, newest first, as calls: what belongs to one allocation is one call.

    What was taken back, or says nothing of tokens and cost, is no call to learn from.
    """
    together: dict[str, list[UsageRecord]] = {}
    for record in records:
        together.setdefault(record.allocation_id or f"record {record.record_id}", []).append(record)
    calls = (_call_of(own) for own in together.values())
    return [call for call in calls if call.tokens > 0 or (call.cost_nano or 0) > 0][:most]


def use_at(calls: Sequence[PastCall], percent: int) -> StepUse:
    """The use at a rank of at least one call: of no two units need it be the same call."""

    def ranked(values: Iterable[int | None]) -> int | None:
        known = [value for value in values if value is not None]
        return at_rank(known, percent) if known else None

    return StepUse(
        ranked(call.input_tokens for call in calls),
        ranked(call.output_tokens for call in calls),
        ranked(call.tokens for call in calls) or 0,
        ranked(call.cost_nano for call in calls),
    )


def at_rank(values: Sequence[int], percent: int) -> int:
    """The least value that so many percent of all do not pass: one that really occurred."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def steps_within(left: Limits, use: StepUse) -> int | None:
    """How many such steps fit; `None` where no unit bounds them.

    A step whose cost is not known does not fit under a limit on cost.
    """
    bounds: list[int] = []
    for rest, need in zip(left, (use.tokens, use.cost_nano, 1), strict=True):
        if rest is None:
            continue
        if rest < 0 or need is None:
            bounds.append(0)
        elif need > 0:
            bounds.append(rest // need)
    return min(bounds, default=None)


def _call_of(records: Sequence[UsageRecord]) -> PastCall:
    counts = records[0].counts
    for record in records[1:]:
        counts = counts.plus(record.counts)
    costs = [record.cost_nano for record in records]
    known = [cost for cost in costs if cost is not None]
    tokens_in = counts.input + counts.cache_read + counts.cache_write
    is_split = counts.other == 0 and tokens_in + counts.output > 0
    return PastCall(
        records[0].provider or "",
        records[0].model or "",
        tokens_in if is_split else None,
        counts.output if is_split else None,
        counts.total,
        sum(known) if len(known) == len(costs) else None,
    )
