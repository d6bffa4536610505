"""Prices: set, taken over, agreed and named by operators; looked up, computed and compared."""

from tekton_budget.service.prices.calculating import Calculated, Calculations, Question
from tekton_budget.service.prices.cases import CaseRow, run_cost_cases, run_name_cases
from tekton_budget.service.prices.looking import ListAge, PriceLooks, Told
from tekton_budget.service.prices.recommending import Recommendations, Recommended, Wish
from tekton_budget.service.prices.setting import PriceVerbs
from tekton_budget.service.prices.updating import ListSource, PriceUpdates, SourceUpdate

__all__ = [
    "Calculated",
    "Calculations",
    "CaseRow",
    "ListAge",
    "ListSource",
    "PriceLooks",
    "PriceUpdates",
    "PriceVerbs",
    "Question",
    "Recommendations",
    "Recommended",
    "SourceUpdate",
    "Told",
    "Wish",
    "run_cost_cases",
    "run_name_cases",
]
