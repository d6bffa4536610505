"""Curated corrections: what a person knows better than the lists, each with its reason."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from groups import Key, folded

Card = dict[str, Any]  # Any: JSON
HERE = Path(__file__).parent
_ONE_MODEL = ("openai", "anthropic", "google", "vertex")  # where a pair of names is one model


class Curated:
    """`curated.json`, and the names of `aliases.json`."""

    def __init__(self) -> None:
        told = json.loads((HERE / "curated.json").read_text(), parse_float=Decimal)
        self.replace: list[Card] = told["replace"]
        self.amend: list[Card] = told["amend"]
        self.leave_out: list[Card] = told["leave_out"]
        self.speaks_for: list[Card] = told["speaks_for"]
        self.aliases: list[Card] = [
            *told["aliases"],
            *json.loads((HERE / "aliases.json").read_text()),
        ]

    def same(self) -> dict[tuple[str, str], str]:
        """Names that mean one model at all times: their listings speak for that model."""
        found: dict[tuple[str, str], str] = {}
        for one in self.speaks_for:
            found[one["provider"], folded(one["provider"], one["name"])] = one["model"]
        for alias in self.aliases:
            provider = alias["provider"]
            name, model = (folded(provider, alias[it]) for it in ("name", "model"))
            dated = alias.get("from") or alias.get("to")
            if provider in _ONE_MODEL and not dated and (provider, model) not in found:
                found.setdefault((provider, name), alias["model"])
        return found

    def names(self) -> set[tuple[str, str]]:
        """Every name that the curated lists say something of, folded."""
        return {(one["provider"], folded(one["provider"], one["name"])) for one in self.aliases}

    def closed(self) -> dict[Key, str]:
        """Keys that get no card from the lists, and why."""
        return {_key(one): one["reason"] for one in self.leave_out}

    def put(self, cards: dict[Key, list[Card]]) -> None:
        """Replaced cards in, amendments on."""
        for one in self.replace:
            head = {"provider": one["provider"], "model": one["model"]}
            source = {"source": f"curated: {one['reason']}", "status": "curated"}
            cards[_key(one)] = [head | card | source for card in one["cards"]]
        for one in self.amend:
            for model in one["models"]:
                key = (one["provider"], folded(one["provider"], model), None)
                assert key in cards, f"curated.json amends {model}, which has no card"
                cards[key] = [part for card in cards[key] for part in _amended(card, one)]


def _amended(card: Card, one: Card) -> list[Card]:
    """The card as amended; before `from`, where that is given, as it was."""
    later = json.loads(json.dumps(card))
    _merge(later, one["set"])
    later["source"] += f"; curated: {one['reason']}"
    later["status"] = "curated"
    day = one.get("from")
    if day is None or (card.get("effective_from") or "") >= day:
        return [later]
    if (card.get("effective_to") or day) < day:
        return [card]
    return [card | {"effective_to": day}, later | {"effective_from": day}]


def _key(one: Card) -> Key:
    return one["provider"], folded(one["provider"], one["model"]), None


def _merge(into: Card, told: Card) -> None:
    for key, value in told.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict) and "rates" not in value:
            _merge(into[key], value)
        else:
            into[key] = json.loads(json.dumps(value))
