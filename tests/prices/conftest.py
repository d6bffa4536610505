"""The foreign lists beside the repository, and the list made of them."""

import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tekton_budget.prices.embedded import embedded_text

SHARED = Path(__file__).parents[3] / "shared" / "prices"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of the foreign lists."""
    if not SHARED.is_dir():
        message = f"the price lists are not beside the repository ({SHARED}): nothing was read"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return SHARED


@pytest.fixture(scope="session")
def data_of(shared: Path) -> Callable[[str], Any]:
    """A file of that folder as JSON, its numbers as decimals."""
    return lambda name: json.loads((shared / name).read_text(), parse_float=Decimal)


class Book:
    """The embedded list, for asking."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.cards: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for card in document["cards"]:
            self.cards.setdefault((card["provider"], card["model"]), []).append(card)

    def model(self, provider: str, name: str, day: str) -> str:
        """What a name stands for on a day; itself if it is no alias."""
        for alias in self.document["aliases"]:
            holds = alias.get("from", "") <= day < alias.get("to", "9999")
            if holds and (alias["provider"], alias["name"]) == (provider, name):
                return alias["model"]
        return name

    def card(self, provider: str, name: str, day: str) -> dict[str, Any] | None:
        """The one card that holds on a day."""
        found = [
            card
            for card in self.cards.get((provider, self.model(provider, name, day)), ())
            if (card.get("effective_from") or "") <= day < (card.get("effective_to") or "9999")
        ]
        assert len(found) <= 1, (provider, name, day)
        return found[0] if found else None


@pytest.fixture(scope="session")
def book() -> Book:
    """The embedded list."""
    return Book(json.loads(embedded_text()))
