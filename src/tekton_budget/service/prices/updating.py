"""Updating: the price book takes over what its sources have; it tells what that changed."""

from collections.abc import Callable
from dataclasses import dataclass

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.price import PriceBook
from tekton_budget.domain.price.price_list import Key
from tekton_budget.service.prices.setting import PriceVerbs, may_price


@dataclass(frozen=True, slots=True)
class ListSource:
    """Where a whole price list comes from: its version and day, and its text once it is wanted."""

    name: str
    version: str
    made: str
    text: Callable[[], str]


@dataclass(frozen=True, slots=True)
class SourceUpdate:
    """What came of one source: whether its list was taken, and how many prices that changed now."""

    source: ListSource
    taken: bool
    prices_new: int = 0
    prices_changed: int = 0


class PriceUpdates:
    """The sources that are set up, asked again."""

    def __init__(
        self,
        prices: PriceVerbs,
        book: Callable[[], PriceBook],
        now_us: Callable[[], int],
        sources: tuple[ListSource, ...],
    ) -> None:
        self._prices = prices
        self._book = book
        self._now_us = now_us
        self._sources = sources

    def update(self, caller: Caller) -> tuple[SourceUpdate, ...]:
        """Take over each source's list where it is newer than what is there."""
        may_price(caller)
        return tuple(self._update(source) for source in self._sources)

    def _update(self, source: ListSource) -> SourceUpdate:
        before = self._charged()
        if not self._prices.take_list(source.version, source.text()):
            return SourceUpdate(source, taken=False)
        after = self._charged()
        both = after.keys() & before.keys()
        return SourceUpdate(
            source,
            taken=True,
            prices_new=len(after.keys() - before.keys()),
            prices_changed=sum(1 for key in both if after[key] != before[key]),
        )

    def _charged(self) -> dict[Key, object]:
        """What each model is charged by now."""
        book, now_us = self._book(), self._now_us()
        cards = ((key, book.card_at(key, valid_us=now_us, known_us=now_us)) for key in book)
        return {key: (card.rates, card.factor) for key, card in cards if card is not None}
