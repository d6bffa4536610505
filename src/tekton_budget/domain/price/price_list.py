"""A price list: many cards taken over as one, with the facts of their models and other names."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tekton_budget.domain.errors import InvalidInput, invalid
from tekton_budget.domain.naming import Alias
from tekton_budget.domain.price.card import Card
from tekton_budget.domain.price.card_text import card_from_json, moment_us
from tekton_budget.domain.price.facts import ModelFacts, facts_from_json
from tekton_budget.domain.price.rates import Rates

FORMAT = "price-list/1"

Key = tuple[str, str]  # provider, model
Tell = Callable[[InvalidInput], None]

_NUMBER = re.compile(r"[0-9]+")


def version_rank(version: str) -> tuple[int, ...]:
    """By which the later of two versions is told: `2026-08-21.10` comes after `….9`."""
    return tuple(map(int, _NUMBER.findall(version)))


def _nobody(_: InvalidInput) -> None:
    """Where nobody wants to know which cards cannot be read."""


class PriceList:
    """One list as it was read, `known_since_us` its arrival. Cards are parsed when asked for.

    Its cards have ids made of the list's own, so that every process names them alike.
    """

    def __init__(
        self,
        data: Mapping[str, Any],  # Any: JSON
        list_id: str,
        known_since_us: int,
        tell: Tell = _nobody,
    ) -> None:
        if data.get("format") != FORMAT:
            raise invalid("format", f'is no price list of this program: "{FORMAT}"')
        self.list_id = list_id
        self.known_since_us = known_since_us
        self._tell = tell
        self._raw: dict[Key, list[tuple[int, Mapping[str, Any]]]] = {}
        self._parsed: dict[Key, tuple[Card, ...]] = {}
        self._facts_read: dict[Key, ModelFacts] = {}
        try:
            self.version = str(data["version"])
            self.made = str(data["made"])
            self.sources = tuple(data.get("sources", ()))
            for number, card in enumerate(data["cards"]):
                self._raw.setdefault((card["provider"], card["model"]), []).append((number, card))
            self._facts = {(one["provider"], one["model"]): one for one in data.get("models", ())}
            self._aliases = tuple(map(_alias, data.get("aliases", ())))
        except (KeyError, TypeError, AttributeError) as fault:
            raise invalid("cards", f"are no price list: {fault!r}") from None

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
                self._card(number, card) for number, card in self._raw.get(key, ())
            )
        return found

    def _card(self, number: int, card: Mapping[str, Any]) -> Card:  # Any: JSON
        """A card; one that cannot be read, as a later program may write, prices nothing.

        Then its model is refused, where an earlier list's price would be wrong and nobody knew.
        """
        price_id = f"{self.list_id}:{number}"
        try:
            return card_from_json(
                card,
                price_id=price_id,
                known_since_us=self.known_since_us,
                source="list",
                at=f"cards[{number}].",
            )
        except InvalidInput as fault:
            self._tell(fault)
            return Card(price_id, card["provider"], card["model"], Rates({}), source="unreadable")

    def facts(self, key: Key) -> ModelFacts | None:
        """What it knows of a model."""
        found = self._facts_read.get(key)
        if found is None and key in self._facts:
            found = self._facts_read[key] = facts_from_json(self._facts[key])
        return found

    def aliases(self) -> Iterator[Alias]:
        """The other names of its models, with the dates for which they hold."""
        return iter(self._aliases)


def _alias(one: Mapping[str, Any]) -> Alias:  # Any: JSON
    return Alias(
        one["provider"],
        one["name"],
        one.get("to_provider", one["provider"]),
        one["model"],
        moment_us("aliases.from", one.get("from")),
        moment_us("aliases.to", one.get("to")),
    )
