"""A price list: many cards taken over as one, with the facts of their models and other names."""

from collections.abc import Iterator, Mapping
from typing import Any

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.naming import Alias
from tekton_budget.domain.price.card import Card
from tekton_budget.domain.price.card_text import card_from_json, moment_us
from tekton_budget.domain.price.facts import ModelFacts, facts_from_json

FORMAT = "price-list/1"

Key = tuple[str, str]  # provider, model


class PriceList:
    """One list as it was read, `known_since_us` its arrival. Cards are parsed when asked for.

    Its cards have ids made of the list's own, so that every process names them alike.
    """

    def __init__(self, data: Mapping[str, Any], list_id: str, known_since_us: int) -> None:  # JSON
        if data.get("format") != FORMAT:
            raise invalid("format", f'is no price list of this program: "{FORMAT}"')
        self.list_id = list_id
        self.version = str(data["version"])
        self.made = str(data["made"])
        self.sources = tuple(data.get("sources", ()))
        self.known_since_us = known_since_us
        self._raw: dict[Key, list[tuple[int, Mapping[str, Any]]]] = {}
        for number, card in enumerate(data["cards"]):
            self._raw.setdefault((card["provider"], card["model"]), []).append((number, card))
        self._parsed: dict[Key, tuple[Card, ...]] = {}
        self._facts = {(one["provider"], one["model"]): one for one in data.get("models", ())}
        self._aliases = data.get("aliases", ())

    def __len__(self) -> int:
        return len(self._raw)

    def __contains__(self, key: Key) -> bool:
        return key in self._raw

    def keys(self) -> Iterator[Key]:
        """Every provider and model with a card."""
        return iter(self._raw)

    def cards(self, key: Key) -> tuple[Card, ...]:
        """A model's cards; none for one that is not in it."""
        found = self._parsed.get(key)
        if found is None:
            found = self._parsed[key] = tuple(
                card_from_json(
                    card,
                    price_id=f"{self.list_id}:{number}",
                    known_since_us=self.known_since_us,
                    source="list",
                    at=f"cards[{number}].",
                )
                for number, card in self._raw.get(key, ())
            )
        return found

    def facts(self, key: Key) -> ModelFacts | None:
        """What it knows of a model."""
        found = self._facts.get(key)
        return None if found is None else facts_from_json(found)

    def aliases(self) -> Iterator[Alias]:
        """The other names of its models, with the dates for which they hold."""
        for one in self._aliases:
            yield Alias(
                one["provider"],
                one["name"],
                one.get("to_provider", one["provider"]),
                one["model"],
                moment_us("aliases.from", one.get("from")),
                moment_us("aliases.to", one.get("to")),
            )
