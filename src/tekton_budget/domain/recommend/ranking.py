"""The ranking: every model that costs less for the same usage and is not known to be unfit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tekton_budget.domain.naming import DEPLOYED, Kind, kind_of, seller_id
from tekton_budget.domain.price import (
    Card,
    Found,
    ModelFacts,
    PriceBook,
    Unpriced,
    input_tokens,
    plain_name,
    usd_of,
)
from tekton_budget.domain.recommend.needs import Needs, fit_of, lost_of
from tekton_budget.domain.units import UNITS, Part

ANY = "any"
DEMO = "demo"  # the provider for trying things, which answers nothing of use

_RANK_OF_KIND = {kind: rank for rank, kind in enumerate(Kind)}
# Where a model has no rate for what a cache did, the tokens are sent again as ordinary input.
_WITHOUT_CACHE = {
    "cache_read": ("input",),
    "cache_write_5m": ("input",),
    "cache_write_1h": ("cache_write_5m", "input"),
    "cache_audio_read": ("input_audio",),
    "cache_image_read": ("input_image",),
    "cache_video_read": ("input_video",),
}
_WITHOUT_OUTPUT = frozenset({"embedding", "rerank", "moderation"})


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done, by which model now, at which sellers it may be done instead.

    Without `providers`: at that of the model in use, at whoever makes models, and at those whose
    prices were set by hand. `ANY` among them is every seller.
    """

    parts: tuple[Part, ...]
    needs: Needs
    requests: int = 1
    current: Found | None = None
    grains: int | None = None  # what it costs now, in 10⁻³⁰ USD
    providers: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """A model that could do a job for less, and what is given up with it."""

    card: Card
    grains: int
    saved: int | None  # in 10⁻³⁰ USD; `None` where no model is in use
    was: int | None
    is_fit: bool  # all that is needed is known; else some of it is unknown
    lost: tuple[str, ...]
    unknown: tuple[str, ...]
    tier: str | None
    facts: ModelFacts

    @property
    def usd(self) -> Decimal:
        """The cost of the job, with all digits."""
        return usd_of(self.grains)

    @property
    def saved_usd(self) -> Decimal | None:
        """What is saved, with all digits."""
        return None if self.saved is None else usd_of(self.saved)

    @property
    def saved_percent(self) -> Decimal | None:
        """The same of what it costs now, to two decimals, never rounded up."""
        if self.saved is None or not self.was:
            return None
        return Decimal(self.saved * 10_000 // self.was).scaleb(-2)


def recommend(book: PriceBook, job: Job, *, at_us: int, known_us: int) -> list[Advice]:
    """Fit models first, then those of which something needed is not known; the cheapest first.

    One for each model: the seller that suits best. The order is the same for equal books.
    """
    sellers = _sellers(book, job, at_us)
    found = [
        advice
        for key in book
        if seller_id(key[0]) in sellers
        for advice in _advice(book, job, key, at_us, known_us)
    ]
    found.sort(key=_rank)
    best: dict[str, Advice] = {}
    for advice in found:
        best.setdefault(plain_name(advice.card.model), advice)
    return list(best.values())


def sellers_in(book: PriceBook) -> set[str]:
    """Whoever sells a model of the book."""
    return {seller_id(provider) for provider in {provider for provider, _ in book}}


def known_facts(book: PriceBook, card: Card) -> ModelFacts:
    """What the book knows of a model; that a read from a cache has a price tells of a cache."""
    facts = book.facts((card.provider, card.model)) or ModelFacts(card.provider, card.model)
    if facts.prompt_cache is None and "cache_read" in card.rates.flat:
        return replace(facts, prompt_cache=True)
    return facts


def _rank(advice: Advice) -> tuple[object, ...]:
    card = advice.card
    return (
        not advice.is_fit,
        advice.grains,
        len(advice.lost),
        _RANK_OF_KIND[kind_of(seller_id(card.provider))],
        card.provider,
        card.model,
    )


def _sellers(book: PriceBook, job: Job, at_us: int) -> set[str]:
    """Those that may be named."""
    if job.providers is not None and ANY not in job.providers:
        return set(job.providers)
    current = {seller_id(job.current.card.provider)} if job.current else set()
    if job.providers is not None:
        return (sellers_in(book) - {DEMO}) | current
    own = {seller_id(card.provider) for card in book.by_hand(at_us=at_us)}
    makers = {seller for seller in sellers_in(book) if kind_of(seller) is Kind.FIRST_PARTY}
    return own | makers | current


def _advice(
    book: PriceBook, job: Job, key: tuple[str, str], at_us: int, known_us: int
) -> Iterator[Advice]:
    """One, if the model is sold then, fit as far as is known, and cheaper."""
    current, region = job.current, None
    if current is not None and current.card.provider == key[0]:
        region = current.resolution.region
    card = book.card_at(key, valid_us=at_us, known_us=known_us, region=region)
    if card is None or (region is not None and key[0] in DEPLOYED and not card.knows(region)):
        return  # not sold then, or not known at which price in the zone of the model in use
    facts = known_facts(book, card)
    fit = fit_of(facts, job.needs)
    if fit.lacks or facts.is_retired(at_us) or _is_other_work(card, facts, job.needs):
        return
    grains = _grains(card, facts, job, at_us)
    if grains is None or (job.grains is not None and grains >= job.grains):
        return
    lost = (
        fit_of(facts, Needs())
        if current is None
        else lost_of(known_facts(book, current.card), facts)
    )
    yield Advice(
        card=card,
        grains=grains,
        saved=None if job.grains is None else job.grains - grains,
        was=job.grains,
        is_fit=not fit.unknown,
        lost=lost.lacks,
        unknown=tuple(dict.fromkeys((*fit.unknown, *lost.unknown))),
        tier=book.tier_of(card.provider, card.model, at_us),
        facts=facts,
    )


def _is_other_work(card: Card, facts: ModelFacts, needs: Needs) -> bool:
    """Whether a model whose mode nobody knows sells tokens of output, of which none are wanted."""
    output = card.rates.flat.get("output")
    return (
        facts.mode is None
        and needs.mode in _WITHOUT_OUTPUT
        and output is not None
        and output.usd > 0
    )


def _grains(card: Card, facts: ModelFacts, job: Job, at_us: int) -> int | None:
    """What the job costs by a card; `None` if the card cannot tell."""
    grains = 0
    try:
        for number, part in enumerate(job.parts):
            requests = 0 if number else job.requests
            own = _as_charged(card, facts, part, at_us)
            grains += card.grains_of(own, at_us=at_us, requests=requests)
    except Unpriced:
        return None
    return grains


def _as_charged(card: Card, facts: ModelFacts, part: Part, at_us: int) -> Part:
    """The same tokens where the model has no cache, or none that lives as long."""
    units: Sequence[tuple[str, int]] = part.units
    tariff = card.tariff(part.context, at_us=at_us, input_tokens=input_tokens(units))
    quantities: dict[str, int] = {}
    for unit, quantity in units:
        place = unit
        if not tariff.has_rate(unit) and not (unit == "cache_read" and facts.prompt_cache):
            others = _WITHOUT_CACHE.get(unit, ())
            place = next((other for other in others if tariff.has_rate(other)), unit)
        quantities[place] = quantities.get(place, 0) + quantity
    ordered = tuple((unit, quantities[unit]) for unit in UNITS if unit in quantities)
    return Part(ordered, part.context)
