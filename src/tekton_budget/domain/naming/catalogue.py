"""The catalogue: names that lead to a card of the book, by themselves or as another name of one."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tekton_budget.domain.naming.sellers import seller_id
from tekton_budget.domain.naming.spelling import folded

Key = tuple[str, str]  # provider and model, as the card spells them

_ALIASES_MAX = 32  # followed for one name: a family has fewer


class Alias(NamedTuple):
    """Another name of a model, of one seller (`None`: of any), from inclusive to exclusive."""

    provider: str | None
    name: str
    to_provider: str
    model: str
    from_us: int | None = None  # microseconds since the epoch
    to_us: int | None = None

    def holds_at(self, at_us: int) -> bool:
        begun = self.from_us is None or self.from_us <= at_us
        return begun and (self.to_us is None or at_us < self.to_us)


class Found(NamedTuple):
    """A key of the book, and how the name led there."""

    key: Key
    steps: tuple[str, ...]


class AliasTable:
    """Aliases by seller and name; the one that begins last counts, then the one listed first."""

    def __init__(self, aliases: Iterable[Alias]) -> None:
        table: dict[tuple[str | None, str], list[Alias]] = {}
        for alias in aliases:
            seller = None if alias.provider is None else seller_id(alias.provider)
            table.setdefault((seller, alias.name.strip().lower()), []).append(alias)
        for same in table.values():
            same.sort(
                key=lambda alias: -1 if alias.from_us is None else alias.from_us, reverse=True
            )
        self._table = table

    def named(self, seller: str | None, name: str, at_us: int) -> list[Alias]:
        """What the name stands for at that instant, best first; its own first."""
        lower = name.lower()
        rows = self._table.get((seller, lower), ())
        if seller is not None:
            rows = (*rows, *self._table.get((None, lower), ()))
        return [alias for alias in rows if alias.holds_at(at_us)]

    def names(self) -> Iterable[tuple[str | None, str]]:
        """Every pair of seller and name, whatever its dates; the names in lower case."""
        return self._table

    def __contains__(self, seller_and_name: object) -> bool:
        return seller_and_name in self._table


class Catalogue:
    """The keys of a book and its aliases, once built never changed; safe among threads."""

    def __init__(self, keys: Iterable[Key], aliases: Iterable[Alias] = ()) -> None:
        self.keys: Sequence[Key] = tuple(dict.fromkeys((str(p), str(m)) for p, m in keys))
        self.aliases = AliasTable(aliases)
        exact: dict[tuple[str, str], tuple[Key, ...]] = {}
        sellers: dict[str, str] = {}  # by spelling, as few are spelt often
        for key in self.keys:
            provider, model = key
            seller = sellers.get(provider) or sellers.setdefault(provider, seller_id(provider))
            place = (seller, model.lower())
            exact[place] = (*exact.get(place, ()), key)
        self._exact = exact
        self.sellers = frozenset(sellers.values())
        self._named: dict[str | None, list[str]] | None = None
        self._folded: dict[str, dict[str, list[str]]] = {}  # of known sellers only
        self._holders: dict[str, list[str]] | None = None

    def find(self, seller: str, name: str, at_us: int) -> Found | None:
        """The card of a name: exact, by alias, then by another spelling that means one card."""
        if key := self.key(seller, name):
            return Found(key, ("exact",))
        if found := self._by_alias(seller, name, at_us):
            return found
        return self._by_spelling(seller, name, at_us)

    def holders(self, name: str) -> Sequence[str]:
        """The sellers that have exactly this name, as a card's or as an alias; sorted."""
        if self._holders is None:
            holders: dict[str, set[str]] = {}
            for seller, held in (*self._exact, *self.aliases.names()):
                if seller is not None:
                    holders.setdefault(held, set()).add(seller)
            self._holders = {held: sorted(sellers) for held, sellers in holders.items()}
        return self._holders.get(name.lower(), ())

    def key(self, seller: str, name: str) -> Key | None:
        """The one key of that name, letter case aside where this leaves no choice."""
        keys = self._exact.get((seller, name.lower()), ())
        if len(keys) == 1:
            return keys[0]
        same_case = [key for key in keys if key[1] == name]
        return same_case[0] if len(same_case) == 1 else None

    def _by_alias(self, seller: str, name: str, at_us: int) -> Found | None:
        """The card at the nearest end of the name's aliases; they may lead to other aliases."""
        waiting: list[tuple[str, str, tuple[str, ...]]] = [(seller, name, ())]
        for owner, other, steps in waiting:  # grows below, each name once
            for alias in self.aliases.named(owner, other, at_us):
                target = seller_id(alias.to_provider)
                way = (*steps, f"alias {alias.name}")
                if key := self.key(target, alias.model):
                    return Found(key, way)
                known = any(at[:2] == (target, alias.model) for at in waiting)
                if not known and len(waiting) < _ALIASES_MAX:
                    waiting.append((target, alias.model, way))
        return None

    def _by_spelling(self, seller: str, name: str, at_us: int) -> Found | None:
        """Two cards that are spelt alike are two models: then only the exact name will do."""
        found: dict[Key, Found] = {}
        for spelling in self._spellings(seller).get(folded(seller, name), ()):
            keys = self._exact.get((seller, spelling), ())
            step = f"spelt {spelling}"
            for key in keys:
                found[key] = Found(key, (step,))
            if not keys and (other := self._by_alias(seller, spelling, at_us)):
                found.setdefault(other.key, Found(other.key, (step, *other.steps)))
        return next(iter(found.values())) if len(found) == 1 else None

    def _spellings(self, seller: str) -> dict[str, list[str]]:
        """By folded form, the seller's names spelt so. Built for a seller when first asked for."""
        own = self._folded.get(seller)
        if own is None:
            own = {}
            for name in self._names().get(seller, ()):
                own.setdefault(folded(seller, name), []).append(name)
            self._folded[seller] = own
        return own

    def _names(self) -> dict[str | None, list[str]]:
        if self._named is None:
            named: dict[str | None, list[str]] = {}
            for seller, name in dict.fromkeys((*self._exact, *self.aliases.names())):
                named.setdefault(seller, []).append(name)
            self._named = named
        return self._named
