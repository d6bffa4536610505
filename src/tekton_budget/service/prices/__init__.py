"""Prices: set, taken over, agreed and named by operators; looked up, computed and compared."""

from tekton_budget.service.prices.looking import ListAge, PriceLooks
from tekton_budget.service.prices.setting import PriceVerbs

__all__ = ["ListAge", "PriceLooks", "PriceVerbs"]
