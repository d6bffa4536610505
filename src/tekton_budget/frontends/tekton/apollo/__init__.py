"""In the place of Apollo's token budgets: the same class and models, over the ledger.

from tekton_budget.frontends.tekton.apollo import TokenBudgetManager
"""

from tekton_budget.frontends.tekton.apollo.adapter import ApolloAdapter, ApolloEnhancedAdapter
from tekton_budget.frontends.tekton.apollo.models import (
    BudgetAllocation,
    BudgetPeriod,
    BudgetPolicy,
    BudgetPolicyType,
    BudgetSummary,
    BudgetTier,
    BudgetUsageRecord,
    TaskPriority,
)
from tekton_budget.frontends.tekton.apollo.token_budget import TokenBudgetManager

__all__ = [
    "ApolloAdapter",
    "ApolloEnhancedAdapter",
    "BudgetAllocation",
    "BudgetPeriod",
    "BudgetPolicy",
    "BudgetPolicyType",
    "BudgetSummary",
    "BudgetTier",
    "BudgetUsageRecord",
    "TaskPriority",
    "TokenBudgetManager",
]
