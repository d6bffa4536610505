"""In the place of Rhetor's cost budgets: the same class, over the ledger.

from tekton_budget.frontends.tekton.rhetor import BudgetManager
"""

from tekton_budget.frontends.tekton.rhetor.cost_budget import BudgetManager
from tekton_budget.frontends.tekton.rhetor.words import BudgetPeriod, BudgetPolicy

__all__ = ["BudgetManager", "BudgetPeriod", "BudgetPolicy"]
