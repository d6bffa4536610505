"""Curated corrections: what a person knows better than the lists, each with its reason."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from groups import Key, folded

Card = dict[str, Any]  # Any: JSON
HERE = Path(__file__).parent


class Curated:
    """`curated.json` and the floating aliases of `aliases.json`."""

    def __init__(self) -> None:
        told = json.loads((HERE / "curated.json").read_text(), parse_float=Decimal)
        floating = HERE / "aliases.json"
        self.replace: list[Card] = told["replace"]
        self.amend: list[Card] = told["amend"]
        self.leave_out: list[Card] = told["leave_out"]
        self.aliases: list[Card] = told["aliases"]
        if floating.exists():
            listed = json.loads(floating.read_text())
            self.aliases += listed["aliases"] if isinstance(listed, dict) else listed

    def same(self) -> dict[tuple[str, str], str]:
        """Names that mean one model at all times: their listings speak for that model."""
        return {
            (alias["provider"], folded(alias["provider"], alias["name"])): alias["model"]
            for alias in self.aliases
            if not alias.get("from") and not alias.get("to")
        }

    def left_out(self) -> dict[Key, str]:
        """Keys that get no card, and why."""
        return {_key(one): one["reason"] for one in self.leave_out}

    def put(self, cards: dict[Key, list[Card]]) -> None:
        """Replaced cards in, amendments on."""
        for one in self.replace:
            head = {"provider": one["provider"], "model": one["model"]}
            source = {"source": f"curated: {one['reason']}"}
            cards[_key(one)] = [head | card | source for card in one["cards"]]
        for one in self.amend:
            for model in one["models"]:
                key = (one["provider"], folded(one["provider"], model), None)
                assert key in cards, f"curated.json amends {model}, which has no card"
                for card in cards[key]:
                    _merge(card, one["set"])
                    card["source"] += f"; curated: {one['reason']}"


def _key(one: Card) -> Key:
    return one["provider"], folded(one["provider"], one["model"]), None


def _merge(into: Card, told: Card) -> None:
    for key, value in told.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = json.loads(json.dumps(value))
