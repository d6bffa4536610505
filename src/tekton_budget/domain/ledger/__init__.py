"""The ledger: commands judged on a loaded state, and the balances as the fold of a journal."""

from tekton_budget.domain.ledger.execute import execute
from tekton_budget.domain.ledger.fold import Folded, fold
from tekton_budget.domain.ledger.labelling import gives_tiers, tiered, with_tier
from tekton_budget.domain.ledger.state import (
    DecisionCount,
    Entry,
    Outcome,
    Posting,
    Remembered,
    State,
    UsageRecord,
    allocation_key,
    allocations_needed,
    answer_slot,
    answers_needed,
    balances_judged,
    balances_needed,
    families_needed,
    owned,
)

__all__ = [
    "DecisionCount",
    "Entry",
    "Folded",
    "Outcome",
    "Posting",
    "Remembered",
    "State",
    "UsageRecord",
    "allocation_key",
    "allocations_needed",
    "answer_slot",
    "answers_needed",
    "balances_judged",
    "balances_needed",
    "execute",
    "families_needed",
    "fold",
    "gives_tiers",
    "owned",
    "tiered",
    "with_tier",
]
