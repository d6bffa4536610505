"""Estimates: what stands in for usage that never arrived, and takes it back."""

from tekton_budget.domain.allocation import Allocation
from tekton_budget.domain.ledger.state import State, UsageRecord
from tekton_budget.domain.usage import NO_TOKENS, CostSource, Measurement, TokenCounts


def stand_in(
    state: State,
    allocation: Allocation,
    record_id: str,
    counts: TokenCounts,
    cost_nano: int,
    requests: int,
) -> UsageRecord:
    """The row of a hold that was charged, provisional until the measured usage arrives."""
    return UsageRecord(
        record_id=record_id,
        key_id=allocation.key_id,
        allocation_id=allocation.id,
        allocation_key_id=allocation.key_id,
        at_us=state.now_us,
        placed_us=allocation.created_us,
        recorded_us=state.now_us,
        labels=dict(allocation.labels),
        provider=allocation.labels.get("provider"),
        model=allocation.labels.get("model"),
        counts=counts,
        reasoning_tokens=0,
        requests=requests,
        cost_nano=cost_nano if allocation.cost_is_known else None,
        book_cost_nano=None,
        cost_source=CostSource.ESTIMATED,
        price_id=allocation.price_id,
        measurement=Measurement.ESTIMATED,
        late=False,
        provisional=True,
    )


def reversal(
    allocation: Allocation, requests: int, record_id: str, ended_us: int, now_us: int
) -> UsageRecord:
    """The row that takes an estimated usage back, in reports at the moment it stood for."""
    return UsageRecord(
        record_id=f"{allocation.estimated_record}~reversed",
        key_id=allocation.key_id,
        allocation_id=allocation.id,
        allocation_key_id=allocation.key_id,
        at_us=ended_us,
        placed_us=allocation.created_us,
        recorded_us=now_us,
        labels=dict(allocation.labels),
        provider=allocation.labels.get("provider"),
        model=allocation.labels.get("model"),
        counts=NO_TOKENS.minus(allocation.estimated),
        reasoning_tokens=0,
        requests=-requests,
        cost_nano=-allocation.estimated_cost_nano if allocation.cost_is_known else None,
        book_cost_nano=None,
        cost_source=CostSource.ESTIMATED,
        price_id=None,
        measurement=Measurement.ESTIMATED,
        late=True,
        provisional=False,
        reverses=allocation.estimated_record,
        request_id=record_id,
    )
