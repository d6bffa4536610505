"""Tekton Budget: LLM spending, in tokens and in money, held exactly to the limits people set.

budget = tekton_budget.open()
with budget.allocate(model="gpt-5-mini", input_tokens=900, max_output_tokens=500) as hold:
    ...
    hold.settle(input_tokens=900, output_tokens=120)
"""

from typing import TYPE_CHECKING, Any

from tekton_budget.domain.errors import (
    BudgetError,
    Conflict,
    FieldFault,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from tekton_budget.face.budget import AsyncBudget, Budget
from tekton_budget.face.hold import AsyncHold, Hold
from tekton_budget.face.refusals import AllocationNotSettled, BudgetExceeded

if TYPE_CHECKING:
    from tekton_budget.client import AsyncClient, Client
    from tekton_budget.library import open, open_async  # noqa: A004  (tekton_budget.open)

__version__ = "0.1.0"

__all__ = [
    "AllocationNotSettled",
    "AsyncBudget",
    "AsyncClient",
    "AsyncHold",
    "Budget",
    "BudgetError",
    "BudgetExceeded",
    "Client",
    "Conflict",
    "FieldFault",
    "Forbidden",
    "Hold",
    "InvalidInput",
    "NotFound",
    "Unauthenticated",
    "Unavailable",
    "__version__",
    "open",
    "open_async",
]

# Brought in when first asked for: what speaks HTTP, and what opens a database.
_LATE = {
    "Client": "tekton_budget.client",
    "AsyncClient": "tekton_budget.client",
    "open": "tekton_budget.library",
    "open_async": "tekton_budget.library",
}


def __getattr__(name: str) -> Any:
    module = _LATE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(module), name)
