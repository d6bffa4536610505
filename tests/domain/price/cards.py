"""Cards for tests, in few words."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tekton_budget.domain.price import Card, card_from_json

PRICES = Path(__file__).parents[4] / "shared" / "prices"


def read(name: str) -> Any:
    return json.loads((PRICES / name).read_text(), parse_float=Decimal)


def card(model: str = "m", provider: str = "p", *, price_id: str = "", **fields: object) -> Card:
    """`card(input="2.5", output="10", tiers=[…])`: what is no field of a card is a rate."""
    own = {
        "tiers", "service_tiers", "schedule", "regions", "fees",
        "effective_from", "effective_to", "source", "rates",
    }  # fmt: skip
    rates = {unit: rate for unit, rate in fields.items() if unit not in own | {"known_us"}}
    known_us = fields.pop("known_us", 0)
    given = {name: value for name, value in fields.items() if name in own}
    whole = {"provider": provider, "model": model, **({"rates": rates} if rates else {}), **given}
    return card_from_json(
        whole, price_id=price_id or f"{provider}/{model}", known_since_us=known_us
    )
