"""Every recorded call costs what it should by the embedded list alone, as on a fresh install."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tekton_budget.domain.errors import BudgetError
from tekton_budget.domain.metering import read_response
from tekton_budget.domain.naming import Resolution, Resolver
from tekton_budget.domain.price.card_text import moment_us
from tekton_budget.domain.price.price_list import PriceList
from tekton_budget.domain.units import Part
from tekton_budget.prices.embedded import embedded_text


@pytest.fixture(scope="module")
def price_list() -> PriceList:
    return PriceList(json.loads(embedded_text()), "included", 0)


@pytest.fixture(scope="module")
def resolver(price_list: PriceList) -> Resolver:
    return Resolver(price_list.keys(), price_list.aliases())


def test_every_recorded_call_costs_what_it_should(
    price_list: PriceList, resolver: Resolver, data_of: Callable[[str], Any]
) -> None:
    wrong, right = {}, 0
    for case in data_of("cost-cases.json")["cases"]:
        if "cost_usd" not in case["expected"]:
            continue
        found = cost_of(case, price_list, resolver)
        if found == Decimal(case["expected"]["cost_usd"]):
            right += 1
        else:
            wrong[case["id"]] = (found, case["expected"]["cost_usd"])
    assert wrong == {}
    assert right > 75


def test_what_cannot_be_costed_is_an_error(
    price_list: PriceList, resolver: Resolver, data_of: Callable[[str], Any]
) -> None:
    for case in data_of("cost-cases.json")["cases"]:
        if "error" not in case["expected"]:
            continue
        try:
            found = cost_of(case, price_list, resolver)
        except BudgetError:
            continue
        assert isinstance(found, str), (case["id"], case["expected"], found)


def cost_of(case: dict[str, Any], price_list: PriceList, resolver: Resolver) -> Decimal | str:
    at_us = moment_us("at", case["at"])
    assert at_us is not None
    metered = read_response(
        case["response"],
        api=case["api"],
        provider=case["provider"],
        context=case.get("context"),
        model=case["model"],
    )
    total = Decimal(0)
    for part in metered.parts:
        charge = charge_of(case, part, at_us, price_list, resolver)
        if isinstance(charge, str):
            return charge
        total += charge
    return total


def charge_of(
    case: dict[str, Any], part: Part, at_us: int, price_list: PriceList, resolver: Resolver
) -> Decimal | str:
    name = part.model or case["model"]
    found = resolver.resolve(case["provider"], name, at_us)
    if not isinstance(found, Resolution):
        return f"{name}: {found.reason}"
    cards = price_list.cards((found.provider, found.model))
    card = next((one for one in cards if one.is_valid(at_us)), None)
    if card is None:
        return f"{found.model}: no card at {case['at']}"
    context = part.context._replace(region=part.context.region or found.region)
    return card.charge(part.units, context, at_us=at_us).usd
