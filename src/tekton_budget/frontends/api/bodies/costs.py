"""Computed costs as the API shows them: exact, with the card and the reasons."""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import Field

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.price import Charge, usd_of
from tekton_budget.domain.units import KIND_OF_UNIT
from tekton_budget.frontends.api.bodies.prices import PriceOut, to_api_price
from tekton_budget.frontends.api.schemas import Body, NumberOut, TimeOut, UsdOut, View, Whole
from tekton_budget.frontends.http.wire import number, time_text
from tekton_budget.service.prices import Calculated, CaseRow

Json = dict[str, Any]  # Any: JSON


class TokensBody(Body):
    """A usage by its tokens, or in another way."""

    input_tokens: Whole | None = None
    output_tokens: Whole | None = None
    cache_read_tokens: Whole | None = None
    cache_write_tokens: Whole | None = None
    usage: Json | None = None


def usage_of(body: TokensBody) -> Json | None:
    """The usage that was told, in one of the two ways."""
    names = set(TokensBody.model_fields) - {"usage"}
    tokens = {name: value for name in names if (value := getattr(body, name)) is not None}
    if not tokens:
        return body.usage
    if body.usage is not None:
        raise invalid("usage", f"send either usage or {', '.join(sorted(tokens))}")
    return tokens


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
    input_cost: UsdOut = Field(description="Of it, for what was sent, caches included")
    output_cost: UsdOut = Field(description="Of it, for the answer")
    total_cost: UsdOut = Field(description="As cost")
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
        "input_cost": _of_kinds(charges, ("input", "cache_read", "cache_write")),
        "output_cost": _of_kinds(charges, ("output",)),
        "total_cost": number(made.bill.usd),
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


def _of_kinds(charges: Iterable[Charge], kinds: tuple[str, ...]) -> object:
    grains = sum(
        one.grains
        for charge in charges
        for one in charge.components
        if KIND_OF_UNIT.get(one.unit) in kinds
    )
    return number(usd_of(grains))


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
