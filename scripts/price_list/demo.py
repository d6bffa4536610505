"""The models of the demo provider, which is part of the package: no foreign list knows them."""

import json
from pathlib import Path
from typing import Any

from groups import Key

from tekton_budget.domain.naming.spelling import folded

Card = dict[str, Any]  # Any: JSON
_TOLD = json.loads((Path(__file__).parent / "demo.json").read_text())


def head(day: str) -> dict[str, str]:
    """What the embedded list says of this source, which is as old as the list itself."""
    return {"name": "Tekton Budget", "version": "1", "date": day, "licence": "Apache-2.0"}


def put(cards: dict[Key, list[Card]]) -> None:
    """Its cards in."""
    for card in _TOLD["cards"]:
        key = (card["provider"], folded(card["provider"], card["model"]), None)
        cards[key] = [{**card, "source": "Tekton Budget: the demo provider", "status": "curated"}]


def facts() -> list[Card]:
    """What its models can do."""
    found: list[Card] = _TOLD["models"]
    return found
