"""The price book: every card ever known, asked by seller, name, moment valid and moment known."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from tekton_budget.domain.naming import DEPLOYED, Alias, Resolution, Resolver, Unknown, seller_id
from tekton_budget.domain.price.card import Card
from tekton_budget.domain.price.contract import Contract, factor_of
from tekton_budget.domain.price.facts import ModelFacts
from tekton_budget.domain.price.price_list import Key, PriceList, version_rank
from tekton_budget.domain.price.tiers import TierTable, TierTerm

_NEVER = 1 << 62
_VARIANTS_MAX = 4096  # cards kept as contracts and regions make them
_ONE = Decimal(1)


class Found(NamedTuple):
    """A card with how its name was understood."""

    card: Card
    resolution: Resolution


class _Era(NamedTuple):
    """Cards in force, and for which moments that stays so."""

    from_us: int
    until_us: int
    cards: tuple[Card, ...]


class PriceBook:
    """Cards set by hand, lists taken over whole, contracts on all, and names for what is called.

    A card set by hand goes before any list's for as long as it is valid; of two lists the later
    goes first. Nothing is taken out: what a later list lacks is still priced by the earlier one.
    """

    def __init__(
        self,
        cards: Iterable[Card] = (),
        lists: Iterable[PriceList] = (),
        contracts: Iterable[Contract] = (),
        mapped: Iterable[Alias] = (),
        tiers: Iterable[TierTerm] = (),
    ) -> None:
        self._by_hand: dict[Key, list[Card]] = {}
        self.own: dict[str, Card] = {}  # those set by hand, by id
        for card in cards:
            self._by_hand.setdefault((card.provider, card.model), []).append(card)
            self.own[card.price_id] = card
        self.lists: tuple[PriceList, ...] = tuple(
            sorted(lists, key=lambda one: version_rank(one.version), reverse=True)
        )
        self.contracts = tuple(contracts)
        self.mapped = tuple(mapped)
        self.tiers = tuple(tiers)
        self._contracts_of: dict[str, list[Contract]] = {}
        for contract in self.contracts:
            self._contracts_of.setdefault(contract.provider, []).append(contract)
        self._keys: dict[Key, None] = dict.fromkeys(self._by_hand)
        for one in self.lists:
            self._keys.update(dict.fromkeys(one.keys()))
        self._sold_by: dict[str, list[Key]] = {}
        for key in self._keys:
            self._sold_by.setdefault(key[0], []).append(key)
        self._resolver: Resolver | None = None
        self._tier_table: TierTable | None = None
        self._eras: dict[str | None, _Era] = {}
        self._own_era: _Era | None = None
        self._variants: dict[tuple[str, Decimal, str | None], Card] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Key]:
        """Every provider and model with a card."""
        return iter(self._keys)

    @property
    def resolver(self) -> Resolver:
        """By which names are understood; made when first asked for."""
        found = self._resolver
        if found is None:
            aliases = [alias for one in self.lists for alias in one.aliases()]
            found = self._resolver = Resolver(self._keys, aliases, self.mapped)
        return found

    def tier_of(self, provider: str | None, model: str, at_us: int) -> str | None:
        """Which of Tekton's tiers a model is of, by the table as it was at a moment."""
        table = self._tier_table
        if table is None:
            table = self._tier_table = TierTable(self.resolver, self.tiers)
        return table.tier_of(provider, model, at_us)

    def find(
        self, provider: str | None, name: str, *, valid_us: int, known_us: int
    ) -> Found | Unknown:
        """The card of what a caller names, or why there is none with names that are near."""
        resolution = self.resolver.resolve(provider, name, valid_us)
        if isinstance(resolution, Unknown):
            return resolution
        return self._priced(resolution, valid_us, known_us)

    def card_named(
        self, provider: str | None, name: str, *, valid_us: int, known_us: int
    ) -> Found | None:
        """The same, where it does not matter why there is none."""
        resolution = self.resolver.known(provider, name, valid_us)
        found = None if resolution is None else self._priced(resolution, valid_us, known_us)
        return None if isinstance(found, Unknown) else found

    def _priced(self, resolution: Resolution, valid_us: int, known_us: int) -> Found | Unknown:
        provider, model, region, _ = resolution
        card = self.card_at((provider, model), valid_us=valid_us, known_us=known_us, region=region)
        if card is None:
            return Unknown("no price then")
        if provider in DEPLOYED and region is not None and not card.knows(region):
            hint = f"nothing is known of its price in {region}: set it under this name"
            return Unknown("unknown model", (f"{provider}/{model}",), hint)
        return Found(card, resolution)

    def card_at(
        self, key: Key, *, valid_us: int, known_us: int, region: str | None = None
    ) -> Card | None:
        """The card valid at one moment as known at another, as contract and region make it."""
        by_hand = _latest(self._by_hand.get(key, ()), valid_us, known_us)
        if by_hand is not None:
            return self.agreed(by_hand, valid_us, known_us, region)
        for one in self.lists:
            if one.known_since_us <= known_us:
                listed = _latest(one.cards(key), valid_us, known_us)
                if listed is not None:
                    return self.agreed(listed, valid_us, known_us, region)
        return None

    def charged_by(
        self, price_id: str, provider: str | None, name: str, *, valid_us: int, known_us: int
    ) -> Card | None:
        """The card of a name that has this id, as contract and region made it at the time."""
        resolution = self.resolver.resolve(provider, name, valid_us)
        if isinstance(resolution, Unknown):
            return None
        key, region = (resolution.provider, resolution.model), resolution.region
        for card in self.history(key):
            if card.price_id == price_id:
                return self.agreed(card, valid_us, known_us, region)
        return None

    def history(self, key: Key) -> list[Card]:
        """Every card of a model, by start of validity, then by when it was learnt."""
        found = [*self._by_hand.get(key, ())]
        for one in self.lists:
            found += one.cards(key)
        return sorted(found, key=lambda card: (card.valid_from_us, card.known_since_us))

    def current(self, *, at_us: int, provider: str | None = None) -> Sequence[Card]:
        """One card for each model (of a provider) that has one at the moment, the dearest first.

        The last answer is kept until a card begins, ends or becomes known: a storm of denials asks
        for the same again and again. A provider goes by any of its names; of one without cards
        nothing is kept.
        """
        seller = self.seller(provider)
        if seller is not None and seller not in self._sold_by:
            return ()
        era = self._eras.get(seller)
        if era is None or not era.from_us <= at_us < era.until_us:
            era = self._eras[seller] = self._era(at_us, seller)
        return era.cards

    def by_hand(self, *, at_us: int) -> Sequence[Card]:
        """The cards in force that were set by hand, the dearest first; kept as those are."""
        era = self._own_era
        if era is None or not era.from_us <= at_us < era.until_us:
            latest = (_latest(cards, at_us, at_us) for cards in self._by_hand.values())
            era = self._own_era = _era(
                at_us,
                [*self.own.values(), *self.contracts],
                (self.agreed(card, at_us, at_us) for card in latest if card is not None),
            )
        return era.cards

    def dearest_of(self, provider: str | None, *, at_us: int) -> Card | None:
        """The card with the dearest token of a provider, or of all where none is named."""
        cards = self.current(at_us=at_us, provider=provider)
        return cards[0] if cards and dearest_token(cards[0], at_us) else None

    def seller(self, provider: str | None) -> str | None:
        """A provider as the book's cards spell it."""
        if provider is None or provider in self._sold_by:
            return provider
        return seller_id(provider)

    def facts(self, key: Key) -> ModelFacts | None:
        """What the latest list that knows of a model says of it."""
        return next((found for one in self.lists if (found := one.facts(key)) is not None), None)

    def agreed(self, card: Card, valid_us: int, known_us: int, region: str | None = None) -> Card:
        """A card as its provider's contract and a region make it."""
        factor = _ONE
        contracts = self._contracts_of.get(card.provider)
        if contracts:
            factor = factor_of(contracts, card.model, valid_us=valid_us, known_us=known_us)
        region = region if card.regions else None
        if factor == 1 and region is None:
            return card
        key = card.price_id, factor, region
        found = self._variants.get(key)
        if found is None:
            if len(self._variants) >= _VARIANTS_MAX:
                self._variants.clear()
            found = self._variants[key] = card.under(factor, region)
        return found

    def _era(self, at_us: int, provider: str | None) -> _Era:
        keys = self._keys if provider is None else self._sold_by[provider]
        dated: list[Card | Contract] = [card for key in keys for card in self.history(key)]
        found = (self.card_at(key, valid_us=at_us, known_us=at_us) for key in keys)
        in_force = (card for card in found if card is not None)
        return _era(at_us, [*dated, *self.contracts], in_force)


def _era(at_us: int, dated: Iterable[Card | Contract], found: Iterable[Card]) -> _Era:
    """Those found at a moment, and for how long before and after it that stays so."""
    changes = [
        moment_us
        for one in dated
        for moment_us in (one.valid_from_us, one.valid_to_us, one.known_since_us)
        if moment_us is not None
    ]
    cards = sorted(
        found,
        key=lambda card: (-dearest_token(card, at_us), card.provider, card.model),
    )
    from_us = max((one for one in changes if one <= at_us), default=0)
    until_us = min((one for one in changes if one > at_us), default=_NEVER)
    return _Era(from_us, until_us, tuple(cards))


def dearest_token(card: Card, at_us: int) -> int:
    """The highest rate that a token of a short request can have, in 10⁻³⁰ USD."""
    return card.standard(at_us=at_us).dearest or 0


def _latest(cards: Iterable[Card], valid_us: int, known_us: int) -> Card | None:
    best: Card | None = None
    for card in cards:
        if (
            card.known_since_us <= known_us
            and card.is_valid(valid_us)
            and (best is None or _rank(card) >= _rank(best))
        ):
            best = card
    return best


def _rank(card: Card) -> tuple[int, int, str]:
    """Of two set at the same moment the later made: ids are in the order of time."""
    return card.valid_from_us, card.known_since_us, card.price_id
