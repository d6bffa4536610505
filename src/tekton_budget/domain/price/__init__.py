"""Prices: cards with exact rates, and the book that finds the one for a call."""

from tekton_budget.domain.price.bill import Bill, bill_of, with_own_part
from tekton_budget.domain.price.book import Found, PriceBook, dearest_token
from tekton_budget.domain.price.bound import (
    Lack,
    dearest_fee,
    lack_of,
    most_of,
    most_of_counts,
)
from tekton_budget.domain.price.card import Card, Charge, Component, input_tokens, units_of
from tekton_budget.domain.price.card_text import (
    card_from_json,
    card_json,
    checked_factor,
    checked_moment,
    checked_name,
    checked_rate,
    moment_text,
    moment_us,
    number_of,
    pricing_json,
)
from tekton_budget.domain.price.contract import Contract, contract_of
from tekton_budget.domain.price.facts import ModelFacts, facts_json
from tekton_budget.domain.price.grain import GRAINS_PER_NANO, nano_half_even, nano_up, usd_of
from tekton_budget.domain.price.price_list import PriceList, version_rank
from tekton_budget.domain.price.rates import Rate, Rates, Tariff, Unpriced
from tekton_budget.domain.price.tiers import (
    DEFAULT_MODELS,
    DEFAULT_SELLERS,
    TIERS,
    TierTerm,
    plain_name,
)

__all__ = [
    "DEFAULT_MODELS",
    "DEFAULT_SELLERS",
    "GRAINS_PER_NANO",
    "TIERS",
    "Bill",
    "Card",
    "Charge",
    "Component",
    "Contract",
    "Found",
    "Lack",
    "ModelFacts",
    "PriceBook",
    "PriceList",
    "Rate",
    "Rates",
    "Tariff",
    "TierTerm",
    "Unpriced",
    "bill_of",
    "card_from_json",
    "card_json",
    "checked_factor",
    "checked_moment",
    "checked_name",
    "checked_rate",
    "contract_of",
    "dearest_fee",
    "dearest_token",
    "facts_json",
    "input_tokens",
    "lack_of",
    "moment_text",
    "moment_us",
    "most_of",
    "most_of_counts",
    "nano_half_even",
    "nano_up",
    "number_of",
    "plain_name",
    "pricing_json",
    "units_of",
    "usd_of",
    "version_rank",
    "with_own_part",
]
