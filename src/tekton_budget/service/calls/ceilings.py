"""What a model can take and give, as the price book's facts have it; remembered for each book."""

from typing import NamedTuple

from tekton_budget.domain.naming import Resolution
from tekton_budget.domain.price import PriceBook

_KNOWN_MAX = 10_000


class Ceiling(NamedTuple):
    """The most tokens of input and output together, and of output; `None` is not known."""

    context_tokens: int | None = None
    output_tokens: int | None = None
    wants: frozenset[str] | None = None  # what it can do; `None`: not known


class Ceilings:
    """Facts by provider and name as called; a new book begins anew."""

    def __init__(self) -> None:
        self._book: PriceBook | None = None
        self._known: dict[tuple[str, str], Ceiling] = {}

    def of(self, book: PriceBook, provider: str, model: str, at_us: int) -> Ceiling:
        """What is known of a model."""
        if book is not self._book:
            self._book, self._known = book, {}
        found = self._known.get((provider, model))
        if found is None:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            found = self._known[provider, model] = _looked_up(book, provider, model, at_us)
        return found


def _looked_up(book: PriceBook, provider: str, model: str, at_us: int) -> Ceiling:
    resolution = book.resolver.known(provider, model, at_us)
    if not isinstance(resolution, Resolution):
        return Ceiling()
    facts = book.facts((resolution.provider, resolution.model))
    if facts is None:
        return Ceiling()
    wants = {kind for kind in facts.input if kind != "text"}
    for name in ("tools", "reasoning", "structured_output"):
        if getattr(facts, name) is not False:  # not known is not "no"
            wants.add(name)
    known = frozenset(wants) if facts.input else None
    return Ceiling(facts.context_tokens, facts.max_output_tokens, known)
