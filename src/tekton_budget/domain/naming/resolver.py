"""The resolver: from the name that a caller or a response uses to the card that prices it.

In order, and the first that leads to one card ends it: the operator's map, the exact name, an
alias with its dates, another spelling; for each reading that the seller's grammar allows. What
is not listed is unknown. Nothing is ever matched by how it begins or by what it contains.
"""

import copy
import difflib
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Literal, NamedTuple

from tekton_budget.domain.naming import grammar
from tekton_budget.domain.naming.catalogue import Alias, AliasTable, Catalogue, Key
from tekton_budget.domain.naming.sellers import (
    SELLER_OF_ID,
    SPELLING_MAX,
    Kind,
    is_sign,
    kind_of,
    maker_of,
    seller_id,
)
from tekton_budget.domain.naming.spelling import NAME_MAX, cleaned
from tekton_budget.domain.naming.suggest import SUGGESTIONS_MAX, Suggester

CACHED_MAX = 4096

_PREFIX = re.compile(r"([^/:]+)[/:](.+)")

Reason = Literal["unknown model", "unknown provider", "no price then"]


class Resolution(NamedTuple):
    """The card's key, the region its price depends on (global: `None`), and the path, in words."""

    provider: str
    model: str
    region: str | None
    path: tuple[str, ...]


class Unknown(NamedTuple):
    """No card, and none is guessed: the nearest names as `provider/model`, and what to do."""

    reason: Reason
    suggestions: tuple[str, ...] = ()
    hint: str = ""


_Cached = Callable[[str | None, str, int], Resolution | Unknown]

_NO_NAME = Unknown(
    "unknown model", (), f"send the model's name: 1 to {NAME_MAX} printable ASCII characters"
)
_NO_PROVIDER = Unknown("unknown provider", (), "send the provider's short name, such as openai")


class Resolver:
    """Names of one book. Immutable but for its bounded cache; several threads may share it."""

    def __init__(
        self,
        keys: Iterable[Key],
        aliases: Iterable[Alias] = (),
        mapped: Iterable[Alias] = (),
        cache_size: int = CACHED_MAX,
    ) -> None:
        aliases, mapped = tuple(aliases), tuple(mapped)
        self._catalogue = Catalogue(keys, aliases)
        self._mapped = AliasTable(mapped)
        self._suggester = Suggester(self._catalogue.keys)
        named = (*self._mapped.names(), *self._catalogue.aliases.names())
        self._sellers = {
            *SELLER_OF_ID,
            *self._catalogue.sellers,
            *(seller for seller, _ in named if seller is not None),
        }
        dates = {at for alias in (*aliases, *mapped) for at in (alias.from_us, alias.to_us)}
        self._turns = sorted(at for at in dates if at is not None)
        self._moments = [self._turns[0] - 1 if self._turns else 0, *self._turns]  # of each era one
        self._exact: dict[tuple[str | None, str], Resolution] = {
            key: Resolution(*key, None, ("exact",))
            for key in self._catalogue.keys
            if not self._is_mapped(key)
        }
        self._suggests = True
        self._cached = lru_cache(maxsize=cache_size)(self._resolved)
        silent = copy.copy(self)
        silent._suggests = False  # noqa: SLF001  (of its own kind)
        self._known = lru_cache(maxsize=cache_size)(silent._resolved)  # noqa: SLF001  (of its own kind)

    def known(self, provider: str | None, name: str, at_us: int) -> Resolution | None:
        """The same where nobody reads why a name is unknown: what is near takes long to find."""
        found = self._exact.get((provider, name)) or self._answer(
            self._known, provider, name, at_us
        )
        return found if isinstance(found, Resolution) else None

    def resolve(self, provider: str | None, name: str, at_us: int) -> Resolution | Unknown:
        """The card of a name at that instant, given its seller or not; never raises for text."""
        return self._exact.get((provider, name)) or self._answer(
            self._cached, provider, name, at_us
        )

    def cached(self) -> int:
        """How many answers are remembered now, refusals included."""
        return self._cached.cache_info().currsize + self._known.cache_info().currsize

    def _answer(
        self, cached: _Cached, provider: str | None, name: str, at_us: int
    ) -> Resolution | Unknown:
        if len(name) > NAME_MAX:
            return _NO_NAME
        if provider is not None and len(provider) > SPELLING_MAX:
            return _NO_PROVIDER
        return cached(provider, name, bisect_right(self._turns, at_us))

    @property
    def turns(self) -> Sequence[int]:
        """The moments at which a name may come to mean something else, in order."""
        return self._turns

    def _resolved(self, provider: str | None, name: str, era: int) -> Resolution | Unknown:
        """The answer within one era: between two turns of the aliases' dates it is the same."""
        at_us = self._moments[era]
        text = cleaned(name)
        if text is None:
            near = self._suggester.nearest(name) if self._suggests else ()
            return _NO_NAME._replace(suggestions=_texts(near))
        if provider is None or not provider.strip():
            return self._without_provider(text, at_us)
        seller = seller_id(provider)
        steps = () if seller == provider else (f"provider {provider.strip()}",)
        if seller not in self._sellers:
            return self._unknown_provider(seller, text, at_us)
        head, rest = self._split(text)
        attempts = [_Attempt(seller, text, steps)]
        if head == seller:
            attempts.append(_Attempt(seller, rest, (*steps, f"prefix {head}")))
        return self._first(attempts, at_us)

    def _without_provider(self, text: str, at_us: int) -> Resolution | Unknown:
        """The seller by the name's shape, its prefix, its maker, or as the only one that has it."""
        if alias := next(iter(self._mapped.named(None, text, at_us)), None):
            return self._by_map(alias, (), at_us)
        if seller := grammar.seller_by_shape(text):
            return self._first([_Attempt(seller, text, (f"shape {seller}",))], at_us)
        head, rest = self._split(text)
        if head is not None:
            attempts = [_Attempt(head, rest, (f"prefix {head}",)), _Attempt(head, text)]
            named = self._first(attempts, at_us)
            if isinstance(named, Resolution) or not is_sign(text[: -len(rest) - 1]):
                return named
        elif maker := maker_of(text):
            named = self._first([_Attempt(maker, text, (f"maker {maker}",))], at_us)
            if isinstance(named, Resolution):
                return named
        else:
            named = self._unknown_model("", [text], at_us)
        return self._by_holder(text, at_us) or named

    def _by_holder(self, text: str, at_us: int) -> Resolution | Unknown | None:
        """The only seller of the nearest kind that has exactly this name; `None` if none has."""
        holders = self._catalogue.holders(text)
        nearest_kind = min(map(kind_of, holders), key=list(Kind).index, default=None)
        holders = [seller for seller in holders if kind_of(seller) is nearest_kind]
        if len(holders) > 1:
            keys = self._keys_at(holders, [text], at_us)
            hint = "several sellers have it, each at its price: send the provider"
            return Unknown("unknown model", _texts(keys), hint)
        attempts = [_Attempt(seller, text, (f"only seller {seller}",)) for seller in holders]
        return self._first(attempts, at_us) if attempts else None

    def _split(self, text: str) -> tuple[str | None, str]:
        """The seller that the name begins with and the rest, one level; `None` if it has none."""
        prefix = _PREFIX.fullmatch(text)
        head = seller_id(prefix[1]) if prefix and len(prefix[1]) <= SPELLING_MAX else None
        return (head, prefix[2]) if prefix and head in self._sellers else (None, text)

    def _first(self, attempts: Sequence["_Attempt"], at_us: int) -> Resolution | Unknown:
        """The first attempt that leads to a card, the operator's map before all of them."""
        for seller, name, steps in attempts:
            if alias := next(iter(self._mapped.named(seller, name, at_us)), None):
                return self._by_map(alias, steps, at_us)
        read: list[str] = []
        for seller, name, steps in attempts:
            readings = self._readings(seller, name)
            if isinstance(readings, grammar.Opaque):
                return Unknown("unknown model", (), readings.why)
            for reading in readings:
                if found := self._found(seller, reading, at_us):
                    return found._replace(path=(*steps, *found.path))
            read[:0] = [reading.name for reading in readings]  # the likeliest is compared last
        return self._unknown_model(attempts[0].seller, read, at_us)

    def _readings(self, seller: str, name: str) -> grammar.Readings:
        """What the grammar allows; before it a card of exactly this name, which it may not read."""
        readings = grammar.readings(seller, name)
        is_read = not isinstance(readings, grammar.Opaque) and any(
            reading.name == name for reading in readings
        )
        has_card = not is_read and self._catalogue.key(seller, name) is not None
        return (grammar.Reading(name),) if has_card else readings

    def _found(self, seller: str, reading: grammar.Reading, at_us: int) -> Resolution | None:
        found = self._catalogue.find(seller, reading.name, at_us)
        if found and reading.suffix:
            key = self._catalogue.key(seller, found.key[1] + reading.suffix)
            return Resolution(*key, reading.region, reading.steps + found.steps) if key else None
        return found and Resolution(*found.key, reading.region, reading.steps + found.steps)

    def _by_map(self, alias: Alias, steps: tuple[str, ...], at_us: int) -> Resolution | Unknown:
        """What the operator says a name is; where that has no card, nothing else is tried."""
        seller = seller_id(alias.to_provider)
        readings = grammar.readings(seller, alias.model)
        for reading in () if isinstance(readings, grammar.Opaque) else readings:
            if found := self._found(seller, reading, at_us):
                return found._replace(path=(*steps, f"map {alias.name}", *found.path))
        target = f"{alias.to_provider}/{alias.model}"
        hint = f"the operator's map leads to {target}, which has no price: set one, or mend the map"
        return self._unknown_model(seller, [alias.model], at_us)._replace(hint=hint)

    def _is_mapped(self, key: Key) -> bool:
        lower = key[1].lower()
        return (seller_id(key[0]), lower) in self._mapped or (None, lower) in self._mapped

    def _unknown_provider(self, seller: str, text: str, at_us: int) -> Unknown:
        if not self._suggests:
            return Unknown("unknown provider")
        near = difflib.get_close_matches(seller, sorted(self._sellers), 1)
        hint = f"did you mean {near[0]}?" if near else "set a price under this provider, or mend it"
        keys = self._keys_at(self._catalogue.holders(text), [text], at_us)
        return Unknown("unknown provider", _texts(keys), hint)

    def _unknown_model(self, seller: str, read: Sequence[str], at_us: int) -> Unknown:
        """Where else the name is known, then what is nearest, at this seller first."""
        if not self._suggests:
            return Unknown("unknown model")
        others = [other for name in read for other in self._catalogue.holders(name)]
        keys = [*self._keys_at(others, read, at_us), *self._suggester.nearest(read[-1], (seller,))]
        return Unknown("unknown model", _texts(keys))

    def _keys_at(self, sellers: Sequence[str], names: Sequence[str], at_us: int) -> Iterator[Key]:
        for seller in dict.fromkeys(sellers):
            for name in names:
                if found := self._catalogue.find(seller, name, at_us):
                    yield found.key


class _Attempt(NamedTuple):
    """A name to look up at one seller, and the steps that led to trying it."""

    seller: str
    name: str
    steps: tuple[str, ...] = ()


def _texts(keys: Iterable[Key]) -> tuple[str, ...]:
    different = dict.fromkeys(f"{provider}/{model}" for provider, model in keys)
    return tuple(islice(different, SUGGESTIONS_MAX))
