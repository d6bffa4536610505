"""Tekton's three tiers of models: a table of models and sellers that operators can change.

An operator's rows go before the default ones, and rows of a model before those of a seller; of
two that fit, the latest counts. A model of no row is of the tier `remote_heavyweight`.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from tekton_budget.domain.naming import Resolution, Resolver, seller_id
from tekton_budget.domain.naming.sellers import SPELLING_MAX, maker_of
from tekton_budget.domain.naming.spelling import folded

LIGHTWEIGHT = "local_lightweight"
MIDWEIGHT = "local_midweight"
HEAVYWEIGHT = "remote_heavyweight"
TIERS = (LIGHTWEIGHT, MIDWEIGHT, HEAVYWEIGHT)

DEFAULT_MODELS = {
    LIGHTWEIGHT: ("codellama", "deepseek-coder", "starcoder", "phi-2", "gemma-2b"),
    MIDWEIGHT: ("claude-haiku", "claude-3-haiku", "llama-3", "mistral", "qwen", "gemma-7b"),
    HEAVYWEIGHT: (
        "gpt-4",
        "gpt-4o",
        "claude-3-opus",
        "claude-3-sonnet",
        "claude-3.5-sonnet",
        "claude-3.7-sonnet",
    ),
}
DEFAULT_SELLERS = {
    "ollama": MIDWEIGHT,
    "local": LIGHTWEIGHT,
    "openai": HEAVYWEIGHT,
    "anthropic": HEAVYWEIGHT,
}

EVERY = "*"
KNOWN_MAX = 4096  # names whose tier is remembered
NAME_MAX = 256  # characters of a name that is looked at: a label has no more

_MAKER = re.compile(r"(?:[a-z-]{2,10}\.)?[a-z0-9]{2,12}\.(?=[a-z])")  # us.anthropic.claude-…
_FIRST_VERSION = re.compile(r"(?:-v1)?:0$")  # of Bedrock
_DATE = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d|latest|default)$")
_TAG = re.compile(r":[a-z0-9._-]+$")  # :free, :7b
_SNAPSHOT = re.compile(r"-\d{4}$")  # gpt-4-0613


class TierTerm(NamedTuple):
    """A model's or a seller's tier from when it was said on; `None` is of none."""

    provider: str | None  # None: whoever sells it
    model: str  # `*`: all of the provider's
    tier: str | None
    known_since_us: int = 0


class _Named(NamedTuple):
    """What a call names, in the forms in which a row may name it."""

    sellers: frozenset[str]
    forms: frozenset[str]
    key: tuple[str, str] | None


class TierTable:
    """The tiers of one book's names. Immutable but for its bounded cache."""

    def __init__(self, resolver: Resolver, terms: Iterable[TierTerm] = ()) -> None:
        self._resolver = resolver
        self._terms = sorted(terms, key=lambda term: term.known_since_us, reverse=True)
        said = {term.known_since_us for term in self._terms}
        self._turns = sorted({*resolver.turns, *said})
        self._known: dict[tuple[str | None, str, int], str | None] = {}

    def tier_of(self, provider: str | None, model: str, at_us: int) -> str | None:
        """The tier of what a call names; `None` where an operator says that it is of none."""
        key = (provider, model, bisect_right(self._turns, at_us))
        try:
            return self._known[key]
        except KeyError:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            found = self._known[key] = self._looked_up(provider, model, at_us)
            return found

    def _looked_up(self, provider: str | None, model: str, at_us: int) -> str | None:
        named = self._named(provider, model[:NAME_MAX], at_us)
        said = [term for term in self._terms if term.known_since_us <= at_us]
        for term in said:
            if term.model != EVERY and self._is_model(term.provider, term.model, named, at_us):
                return term.tier
        for term in said:
            if term.model == EVERY and (
                term.provider is None or seller_id(term.provider) in named.sellers
            ):
                return term.tier
        for tier, models in _FOLDED_MODELS.items():
            if not named.forms.isdisjoint(models):
                return tier
        return next(
            (tier for seller, tier in DEFAULT_SELLERS.items() if seller in named.sellers),
            HEAVYWEIGHT,
        )

    def _named(self, provider: str | None, model: str, at_us: int) -> _Named:
        found = self._resolver.resolve(provider, model, at_us)
        key = (found.provider, found.model) if isinstance(found, Resolution) else None
        seller = seller_id(provider[:SPELLING_MAX]) if provider else None
        if seller is None:
            seller = key[0] if key is not None else maker_of(model)
        sellers = {seller} if seller is not None else set()
        forms = _forms(model) | (set() if key is None else _forms(key[1]))
        return _Named(frozenset(sellers), frozenset(forms), key)

    def _is_model(self, provider: str | None, model: str, named: _Named, at_us: int) -> bool:
        if provider is not None and seller_id(provider) not in named.sellers:
            return False
        if _form(model) in named.forms:
            return True
        if named.key is None:
            return False
        found = self._resolver.resolve(provider or named.key[0], model, at_us)
        return isinstance(found, Resolution) and (found.provider, found.model) == named.key


def plain_name(model: str) -> str:
    """A model's name without its maker and its date: the same wherever the model is sold.

    It is for putting models together, never for finding a price.
    """
    name = model.lower().rsplit("/", 1)[-1]
    name = _FIRST_VERSION.sub("", _MAKER.sub("", name, count=1))
    return _form(_DATE.sub("", name))


def _forms(model: str) -> set[str]:
    """As it is written, plain, and without the tag or the short date of a snapshot."""
    plain = plain_name(model)
    return {_form(model), plain, plain_name(_TAG.sub("", model.lower())), _SNAPSHOT.sub("", plain)}


def _form(model: str) -> str:
    return folded("", model.strip())


_FOLDED_MODELS = {
    tier: frozenset(_form(model) for model in models) for tier, models in DEFAULT_MODELS.items()
}
