"""Looking prices up: valid when, known when, of which models, how old."""

from collections.abc import Callable
from typing import NamedTuple

from tekton_budget.domain.naming import Resolution, Unknown
from tekton_budget.domain.price import Card, Found, ModelFacts, PriceBook
from tekton_budget.service.prices.setting import unknown_model


class ListAge(NamedTuple):
    """A list that was taken over: when it was made, and when it came here."""

    version: str
    made: str
    known_since_us: int
    models: int
    sources: tuple[object, ...]


class PriceLooks:
    """The price book as it is read."""

    def __init__(self, book: Callable[[], PriceBook], now_us: Callable[[], int]) -> None:
        self._book = book
        self._now_us = now_us

    def current(
        self,
        provider: str | None,
        model: str,
        *,
        at_us: int | None = None,
        known_us: int | None = None,
    ) -> Found:
        """The price valid at a moment, as known at another (default: now, both)."""
        now_us = self._now_us()
        found = self._book().find(
            provider,
            model,
            valid_us=now_us if at_us is None else at_us,
            known_us=now_us if known_us is None else known_us,
        )
        if isinstance(found, Unknown):
            raise unknown_model(provider, model, found)
        return found

    def history(self, provider: str | None, model: str) -> list[Card]:
        """Every card of a model, by start of validity."""
        resolution = self._resolved(provider, model)
        return self._book().history((resolution.provider, resolution.model))

    def listed(
        self,
        *,
        provider: str | None = None,
        model: str | None = None,
        at_us: int | None = None,
        known_us: int | None = None,
    ) -> list[Card]:
        """One card for each model that has one at a moment, by provider and model."""
        now_us = self._now_us()
        valid_us = now_us if at_us is None else at_us
        known_us = now_us if known_us is None else known_us
        book = self._book()
        provider = book.seller(provider)
        found = [
            card
            for key in book
            if provider in (None, key[0])
            and model in (None, key[1])
            and (card := book.card_at(key, valid_us=valid_us, known_us=known_us)) is not None
        ]
        return sorted(found, key=lambda card: (card.provider, card.model))

    def models(self, *, provider: str | None = None) -> list[ModelFacts]:
        """What is known of the models besides their prices."""
        book = self._book()
        provider = book.seller(provider)
        return sorted(
            (facts for key in book if provider in (None, key[0]) and (facts := book.facts(key))),
            key=lambda facts: (facts.provider, facts.model),
        )

    def ages(self) -> list[ListAge]:
        """The lists that were taken over, the latest first."""
        return [
            ListAge(one.version, one.made, one.known_since_us, len(one), one.sources)
            for one in self._book().lists
        ]

    def _resolved(self, provider: str | None, model: str) -> Resolution:
        found = self._book().resolver.resolve(provider, model, self._now_us())
        if isinstance(found, Unknown):
            raise unknown_model(provider, model, found)
        return found
