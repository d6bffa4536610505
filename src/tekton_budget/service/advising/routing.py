"""Routing: which model to call so that the call fits its budget. Nothing is held by it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import InvalidInput, NotFound
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.domain.price import TIERS, PriceBook
from tekton_budget.domain.recommend import Advice
from tekton_budget.service.asking.asks import Ask
from tekton_budget.service.asking.ledger import LedgerVerbs
from tekton_budget.service.calls.terms import TermsOf
from tekton_budget.service.prices import Recommendations, Wish

OUTPUT_TOKENS_DEFAULT = 500
CANDIDATES_MAX = 64
_AT_ONCE = 16  # dry runs that go to the ledger together: one batch each
_CHEAPEST = 8  # of those that are tried last, however much is lost with them
_ADVICE_MAX = 1000
UNPRICED = "unpriced"


@dataclass(frozen=True, slots=True)
class Named:
    """A model as callers name it."""

    model: str
    provider: str | None = None

    def __str__(self) -> str:
        return self.model if self.provider is None else f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class RouteAsk:
    """A call to be made: by which model, how large, and what may be called in its place.

    `candidates` are tried in their order; without any, a policy's ladder, else what the book
    recommends at `providers` (without these: at the model's own, and where prices were set by
    hand, for nobody has an account with every seller of a list).
    """

    model: str
    provider: str | None = None
    input_tokens: int = 0
    max_output_tokens: int = OUTPUT_TOKENS_DEFAULT
    labels: Mapping[str, object] = field(default_factory=dict)
    priority: int = 5
    needs: object = None
    providers: tuple[str, ...] | None = None
    candidates: tuple[Named, ...] = ()

    @property
    def asked(self) -> Named:
        """The model that is wanted."""
        return Named(self.model, self.provider)


@dataclass(frozen=True, slots=True)
class Tried:
    """One model that was looked at: `allow`, `warn`, `downgrade`, `deny` or `unpriced`, and why."""

    named: Named
    decision: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """The model to call. `is_downgraded` if it is another than was asked for."""

    chosen: Named
    asked: Named
    grant: Grant
    warnings: tuple[str, ...]
    tried: tuple[Tried, ...]

    @property
    def is_downgraded(self) -> bool:
        """Whether another model was chosen."""
        return self.chosen != self.asked


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Nothing fits: why the model that was asked for does not, and what else was tried."""

    denial: Denial
    tried: tuple[Tried, ...]


class Routing:
    """Dry runs of the ledger, until a model fits."""

    def __init__(
        self,
        ledger: LedgerVerbs,
        recommendations: Recommendations,
        book: Callable[[], PriceBook],
        policies: Callable[[], PolicySet],
        now_us: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._recommendations = recommendations
        self._book = book
        self._policies = policies
        self._now_us = now_us
        self._terms = TermsOf()

    def route(self, caller: Caller, ask: RouteAsk) -> Route | NoRoute:
        """The model asked for if it fits; else the one with which least is lost that does.

        Where a soft limit advises against the model, one that needs no such advice is looked for,
        and it stays if there is none. An unknown price is refused, unless another model fits.
        """
        first, refusal = self._dry_run(caller, ask, [ask.asked])[0]
        own = _named_fully(ask.asked, first)
        if isinstance(first, Grant) and first.decision != "downgrade":
            return Route(own, own, first, _warnings(own, first), (_tried(own, first),))
        tried = [_tried(own, first or refusal)]
        for chosen, grant in self._others(caller, ask, tried):
            if isinstance(first, Grant) and grant.decision == "downgrade":
                continue
            swapped = f"Budget limit exceeded. Downgraded from {own} to {chosen}"
            return Route(chosen, own, grant, (*_warnings(chosen, grant), swapped), tuple(tried))
        if isinstance(first, Grant):
            return Route(own, own, first, _warnings(own, first), tuple(tried))
        if isinstance(first, Denial):
            return NoRoute(first, tuple(tried))
        assert refusal is not None, "what is neither granted nor denied was refused"
        raise refusal

    def _others(
        self, caller: Caller, ask: RouteAsk, tried: list[Tried]
    ) -> Iterator[tuple[Named, Grant]]:
        """What fits in place of the model, best first; each that was looked at is noted."""
        unpriced = tried[0].decision == UNPRICED
        named = iter(self._candidates(caller, ask, unpriced=unpriced)[:CANDIDATES_MAX])
        while some := list(islice(named, _AT_ONCE)):
            answers = self._dry_run(caller, ask, some)
            for candidate, (answer, refusal) in zip(some, answers, strict=True):
                full = _named_fully(candidate, answer)
                tried.append(_tried(full, answer or refusal))
                if isinstance(answer, Grant) and answer.price is not None:
                    yield full, answer

    def _dry_run(
        self, caller: Caller, ask: RouteAsk, models: Sequence[Named]
    ) -> list[tuple[Grant | Denial | None, InvalidInput | None]]:
        """What the ledger would say of each; an unknown price is an answer here too."""
        tickets = []
        for named in models:
            labels = {**ask.labels, "model": named.model}
            labels.pop("provider", None)
            if named.provider is not None:
                labels["provider"] = named.provider
            one = Ask(
                labels=labels,
                input_tokens=ask.input_tokens,
                max_output_tokens=ask.max_output_tokens,
                priority=ask.priority,
            )
            tickets.append(self._ledger.allocate(caller, one, dry_run=True))
        answers: list[tuple[Grant | Denial | None, InvalidInput | None]] = []
        for ticket in tickets:
            try:
                answers.append((ticket.result(), None))
            except InvalidInput as refusal:
                if refusal.code != "unknown_price":
                    raise
                answers.append((None, refusal))
        return answers

    def _candidates(self, caller: Caller, ask: RouteAsk, *, unpriced: bool) -> list[Named]:
        """Each once, and not the model itself; those named by somebody go before advice."""
        found = list(ask.candidates) or self._ladder(caller, ask)
        if not found:
            found = self._advised(ask, unpriced=unpriced)
        return [one for one in dict.fromkeys(found) if one != ask.asked]

    def _ladder(self, caller: Caller, ask: RouteAsk) -> list[Named]:
        labels = {name: str(value) for name, value in ask.labels.items()}
        labels |= {"model": ask.model}
        if ask.provider is not None:
            labels["provider"] = ask.provider
        terms = self._terms.find(self._policies(), caller, caller.labelled(labels), self._now_us())
        return [Named(model, ask.provider) for model in terms.ladder]

    def _advised(self, ask: RouteAsk, *, unpriced: bool) -> list[Named]:
        """The book's advice, ordered by what is lost; then the cheapest of all."""
        wish = Wish(
            model=None if unpriced else ask.model,
            provider=None if unpriced else ask.provider,
            usage={"input_tokens": ask.input_tokens, "output_tokens": ask.max_output_tokens},
            needs=ask.needs,
            providers=ask.providers or self._usual(ask),
            limit=_ADVICE_MAX,
        )
        try:
            found = self._recommendations.recommend(wish)
        except (InvalidInput, NotFound):
            if ask.needs is not None or ask.providers is not None:
                raise
            return []  # no price of the model, nor of its seller's others: nothing to compare
        cheapest = sorted(found.items, key=lambda one: one.grains)[:_CHEAPEST]
        if unpriced:
            ordered = sorted(found.items, key=lambda one: (not one.is_fit, one.grains))
        else:
            ordered = sorted(found.items, key=lambda one: _loss(one, found.tier))
        kept = [*ordered[: CANDIDATES_MAX - _CHEAPEST], *cheapest]
        return [Named(one.card.model, one.card.provider) for one in kept]

    def _usual(self, ask: RouteAsk) -> tuple[str, ...] | None:
        """The sellers that the caller surely has an account with."""
        book, now_us = self._book(), self._now_us()
        found = book.find(ask.provider, ask.model, valid_us=now_us, known_us=now_us)
        card = getattr(found, "card", None)
        own = ask.provider if card is None else card.provider
        sellers = {one.provider for one in book.by_hand(at_us=now_us)} | ({own} if own else set())
        return tuple(sorted(sellers)) or None


def _loss(advice: Advice, tier: str | None) -> tuple[object, ...]:
    """How much is given up: abilities, then tiers, then price, which stands for what is unsaid."""
    steps = 0
    if tier in TIERS and advice.tier in TIERS:
        steps = abs(TIERS.index(tier) - TIERS.index(advice.tier))
    return (not advice.is_fit, len(advice.lost), steps, -advice.grains, advice.card.model)


def _named_fully(named: Named, answer: Grant | Denial | None) -> Named:
    price = answer.price if isinstance(answer, Grant) else None
    if named.provider is not None or price is None:
        return named
    return Named(named.model, price.provider)


def _tried(named: Named, answer: Grant | Denial | InvalidInput | None) -> Tried:
    if isinstance(answer, Grant):
        return Tried(named, answer.decision, " ".join(answer.reasons))
    if isinstance(answer, Denial):
        return Tried(named, "deny", answer.detail)
    return Tried(named, UNPRICED, "" if answer is None else answer.detail)


def _warnings(named: Named, grant: Grant) -> tuple[str, ...]:
    unknown = f"No price of {named} is known, so nobody can say what it costs."
    return (*grant.reasons, *((unknown,) if grant.price is None else ()))
