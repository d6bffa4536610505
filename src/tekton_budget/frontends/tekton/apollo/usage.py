"""Usage as Apollo tells it → the ledger's records, and back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic_core import to_jsonable_python

from tekton_budget.face.answers import Recorded
from tekton_budget.face.budget import Budget
from tekton_budget.foreign.rows import clean, cleaned
from tekton_budget.frontends.tekton.apollo import clock
from tekton_budget.frontends.tekton.apollo.allocations import KEPT_BY, OWN, Held, labels_of
from tekton_budget.frontends.tekton.apollo.models import BudgetUsageRecord

RECORDS = 1000  # as many as Apollo keeps in a file
UNKNOWN = "unknown"
_FIELDS = {"input": "input_tokens", "output": "output_tokens"}  # else it is not known which


def post(budget: Budget, held: Held, record: BudgetUsageRecord) -> Recorded:
    """Tell the ledger, whole: usage is a fact, however much was allocated.

    Of an allocation that has ended nothing is held any more, and its windows may be long over: its
    usage is posted by its labels, to the windows of now.
    """
    kept = {"allocation_id": record.allocation_id, "usage_type": record.usage_type}
    if record.metadata:
        kept["metadata"] = to_jsonable_python(cleaned(record.metadata), fallback=str)
    said: dict[str, Any] = {  # Any: a usage's fields
        _FIELDS.get(record.usage_type, "tokens"): record.tokens_used,
        "operation_id": clean(record.operation_id or "") or None,
        "record_id": record.record_id,
        "metadata": {OWN: kept},
    }
    if held.holds:
        return budget.record(allocation_id=held.id, **said)
    return budget.record(labels=labels_of(held.in_words()), **said)


def records(budget: Budget) -> list[BudgetUsageRecord]:
    """The latest ones, oldest first."""
    found = budget.usage_records(labels=KEPT_BY, limit=RECORDS)["items"]
    return [_in_words(one) for one in reversed(found)]


def _in_words(one: Mapping[str, Any]) -> BudgetUsageRecord:
    kept = one["metadata"].get(OWN, {})
    return BudgetUsageRecord(
        record_id=one["record_id"],
        allocation_id=kept.get("allocation_id") or one["allocation_id"] or "",
        context_id=one["context_id"] or "",
        component=one["component"] or "",
        provider=one["provider"] or UNKNOWN,
        model=one["model"] or UNKNOWN,
        task_type=one["task_type"] or "",
        tokens_used=one["total_tokens"],
        usage_type=kept.get("usage_type") or "total",
        timestamp=clock.local(datetime.fromisoformat(one["timestamp"])),
        operation_id=one["operation_id"],
        metadata=kept.get("metadata", {}),
    )
