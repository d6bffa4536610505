"""Looking prices up: valid when, known when, of which models, how old, under which terms."""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Generic, NamedTuple, TypeVar

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.naming import Alias, AliasTable, Resolution, Unknown, seller_id
from tekton_budget.domain.price import (
    Card,
    Contract,
    Found,
    ModelFacts,
    PriceBook,
    TierTerm,
    contract_of,
    moment_us,
)
from tekton_budget.domain.price.price_list import Key
from tekton_budget.service.prices.cases import CaseRow, run_name_cases
from tekton_budget.service.prices.unknown import resolved, unknown_model, with_dates

T = TypeVar("T", Contract, Alias, TierTerm)

NAMES_MAX = 5_000
_DAY_US = 86_400_000_000


class ListAge(NamedTuple):
    """A list that was taken over: when it was made, and when it came here."""

    version: str
    made: str
    age_days: int
    known_since_us: int
    models: int
    sources: tuple[object, ...]


class Told(NamedTuple, Generic[T]):
    """What operators told the book, and whether it is what counts now."""

    term: T
    in_force: bool


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
        now_us, book = self._now_us(), self._book()
        valid_us = now_us if at_us is None else at_us
        known_us = now_us if known_us is None else known_us
        found = book.find(provider, model, valid_us=valid_us, known_us=known_us)
        if isinstance(found, Unknown):
            told = with_dates(book, provider, model, found, valid_us)
            raise unknown_model(provider, model, told)
        return found

    def history(self, provider: str | None, model: str) -> list[Card]:
        """Every card of a model, by start of validity."""
        resolution = self.resolved(provider, model)
        return self._book().history((resolution.provider, resolution.model))

    def resolved(self, provider: str | None, model: str, *, at_us: int | None = None) -> Resolution:
        """Which card a name means at a moment (default: now), and by which path."""
        at_us = self._now_us() if at_us is None else at_us
        return resolved(self._book(), provider, model, at_us)

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
        found = (
            book.card_at(key, valid_us=valid_us, known_us=known_us)
            for key in _asked(book, provider, model)
        )
        return sorted(
            (card for card in found if card is not None),
            key=lambda card: (card.provider, card.model),
        )

    def models(self, *, provider: str | None = None, model: str | None = None) -> list[ModelFacts]:
        """What is known of the models besides their prices."""
        book = self._book()
        found = (book.facts(key) for key in _asked(book, provider, model))
        return sorted(
            (facts for facts in found if facts is not None),
            key=lambda facts: (facts.provider, facts.model),
        )

    def ages(self) -> list[ListAge]:
        """The lists that were taken over, the latest first."""
        now_us = self._now_us()
        return [
            ListAge(
                one.version,
                one.made,
                max(0, now_us - (moment_us("made", one.made) or 0)) // _DAY_US,
                one.known_since_us,
                len(one),
                one.sources,
            )
            for one in self._book().lists
        ]

    def contracts(self) -> list[Told[Contract]]:
        """Every contract, by provider and model, the latest last."""
        now_us = self._now_us()
        told = self._book().contracts

        def counts(one: Contract) -> bool:
            same = [other for other in told if _parties(other) == _parties(one)]
            model = one.model or ""
            return contract_of(same, model, valid_us=now_us, known_us=now_us) is one

        ordered = sorted(told, key=lambda one: (*_parties(one), one.known_since_us))
        return [Told(one, counts(one)) for one in ordered]

    def names(self) -> list[Told[Alias]]:
        """Every name of one's own, by provider and name, the latest last."""
        now_us = self._now_us()
        told = self._book().mapped
        table = AliasTable(told)

        def counts(one: Alias) -> bool:
            seller = None if one.provider is None else seller_id(one.provider)
            return next(iter(table.named(seller, one.name, now_us)), None) is one

        ordered = sorted(told, key=lambda one: (one.provider or "", one.name, one.from_us or 0))
        return [Told(one, counts(one)) for one in ordered]

    def tiers(self) -> list[Told[TierTerm]]:
        """Every tier that was said of a model, by provider and model, the latest last."""
        ordered = sorted(
            self._book().tiers,
            key=lambda one: (one.provider or "", one.model or "", one.known_since_us),
        )
        last = {(one.provider, one.model): one for one in ordered}
        return [Told(one, last[one.provider, one.model] is one) for one in ordered]

    def check_names(self, file: object) -> list[CaseRow]:
        """Every name of a file, resolved and priced by this book; what differs, in words."""
        cases = file.get("cases") if isinstance(file, Mapping) else None
        if isinstance(cases, list) and len(cases) > NAMES_MAX:
            raise invalid("cases", f"send at most {NAMES_MAX:,} names at once", "invalid_file")
        return run_name_cases(file, self._book())


def _asked(book: PriceBook, provider: str | None, model: str | None) -> Iterable[Key]:
    """The book's keys of a provider and of a model, which may be a glob: `gpt-5*`."""
    seller = book.seller(provider)
    pattern = None if model is None else model.lower()
    for key in book:
        if seller in (None, key[0]) and (pattern is None or fnmatchcase(key[1].lower(), pattern)):
            yield key


def _parties(contract: Contract) -> tuple[str, str]:
    return contract.provider, contract.model or ""
