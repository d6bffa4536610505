"""Computed costs as the API shows them: exact, with the card and the reasons."""

from collections.abc import Iterator
from typing import Any

from tekton_budget.domain.price import Charge
from tekton_budget.frontends.api.prices import PriceOut, to_api_price
from tekton_budget.frontends.api.schemas import NumberOut, TimeOut, UsdOut, View
from tekton_budget.frontends.http.wire import number, time_text
from tekton_budget.service.prices import Calculated, CaseRow

Json = dict[str, Any]  # Any: JSON


class ComponentOut(View):
    """A part of a cost: so many of a unit, at `rate` USD for `per` of them, by a model's card."""

    unit: str
    quantity: int
    rate: NumberOut
    per: int
    cost: UsdOut
    model: str


class CalculatedOut(View):
    """The exact cost of a usage, nothing rounded, and how it came about."""

    cost: UsdOut
    components: list[ComponentOut]
    provider: str
    model: str
    api: str
    at: TimeOut
    why: list[str]
    resolved_by: list[str]
    billed_by_provider: UsdOut
    difference: UsdOut
    card: PriceOut


class CaseOut(View):
    """A case of a file: what came out, what was expected, and what differs, in words."""

    name: str
    outcome: str
    expected: str
    differs: str
    why: str


def to_api_calculated(made: Calculated) -> Json:
    """A cost with its components. `difference` is ours less what the provider says it charged."""
    found = made.bill.found
    charges = made.bill.charges
    why = dict.fromkeys(reason for charge in charges for reason in charge.why)
    return {
        "cost": number(made.bill.usd),
        "components": [one for charge in charges for one in _components(charge)],
        "provider": found.card.provider,
        "model": found.card.model,
        "api": made.metered.api,
        "at": time_text(made.at_us),
        "why": list(why),
        "resolved_by": list(found.resolution.path),
        "billed_by_provider": number(made.metered.billed_usd),
        "difference": number(made.difference),
        "card": to_api_price(found.card, found.resolution),
    }


def to_api_case(row: CaseRow) -> Json:
    """A case."""
    return {
        "name": row.name,
        "outcome": row.outcome,
        "expected": row.expected,
        "differs": row.differs,
        "why": row.why,
    }


def _components(charge: Charge) -> Iterator[Json]:
    for one in charge.components:
        yield {
            "unit": one.unit,
            "quantity": one.quantity,
            "rate": number(one.rate.usd),
            "per": one.rate.per,
            "cost": number(one.usd),
            "model": charge.card.model,
        }
