"""Ballots: the quotes that have a vote, and what was set aside before the count."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .guards import (
    base_fault,
    base_of,
    dimension_faults,
    is_amount,
    is_free_name,
    parse_fault,
    read_note,
)
from .quote import Quote, Rates, Value
from .region import is_same_region, region_of
from .sources import family_of, is_cloud, is_trusted_alone, rank_of, silence, word_of
from .verdict import Fault, SetAside

CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Vote:
    """A quote that passed the guards; its rates are without those that did not."""

    quote: Quote
    rates: Rates

    @property
    def source(self) -> str:
        return self.quote.source

    @property
    def family(self) -> str:
        return family_of(self.quote.source)

    @property
    def rank(self) -> tuple[int, int, str]:
        return rank_of(self.quote.source, self.quote.provider)

    @property
    def believed_alone(self) -> bool:
        quote = self.quote
        regional = is_cloud(quote.provider) and region_of(quote.model, quote.provider) is not None
        return is_trusted_alone(quote.source, quote.provider, regional=regional)

    @property
    def base(self) -> Value:
        return base_of(self.rates)


@dataclass(frozen=True, slots=True)
class Ballot:
    """All quotes for a model, sorted into votes, claims without a vote, and the rest."""

    votes: tuple[Vote, ...]
    claims: Mapping[str, Value]  # source → what it says, right or wrong, if it can be compared
    set_aside: tuple[SetAside, ...]
    notes: tuple[str, ...]
    mode: str | None
    slips: frozenset[str] = frozenset()  # sources whose claim is known to be a slip of unit

    @property
    def opposed(self) -> frozenset[str]:
        """Sources that make a claim which has no vote, and may yet be right."""
        return frozenset(self.claims) - {vote.source for vote in self.votes} - self.slips


def ballot_of(quotes: Sequence[Quote]) -> Ballot:
    """The quotes sorted; their order is of no account."""
    ordered = sorted(quotes, key=_order)
    mode = _mode_of(ordered)
    votes: list[Vote] = []
    claims: dict[str, Value] = {}
    aside: list[SetAside] = []
    for quote in ordered:
        fault = _whole_fault(quote, mode)
        if fault is None or fault[0] is not Fault.APART:
            claim = _claim_of(quote.rates)
            if claim is not None:
                claims.setdefault(quote.source, claim)
        if fault is not None:
            aside.append(SetAside(quote.source, *fault))
            continue
        faults = dict(dimension_faults(quote, quote.rates))
        aside.extend(
            SetAside(quote.source, Fault.QUARANTINED, reason, dimension)
            for dimension, reason in faults.items()
        )
        kept = {name: rate for name, rate in quote.rates.items() if name not in faults}
        votes.append(Vote(quote, kept))
    notes = tuple(note for vote in votes if (note := read_note(vote.quote, vote.rates)))
    kept_votes, zeros = _without_zeros(votes, claims)
    return Ballot(tuple(kept_votes), claims, (*aside, *zeros), notes, mode)


def _order(quote: Quote) -> tuple[object, ...]:
    return (
        rank_of(quote.source, quote.provider),
        quote.listed_as,
        sorted((name, str(rate)) for name, rate in quote.rates.items()),
        quote.currency,
        quote.mode or "",
        str(quote.as_of),
    )


def _mode_of(ordered: Sequence[Quote]) -> str | None:
    """The mode that the most preferred source gives; a name may tell it too."""
    given = next((quote.mode for quote in ordered if quote.mode), None)
    if given is None and any("embed" in quote.model.lower() for quote in ordered):
        return "embedding"
    return given


def _whole_fault(quote: Quote, mode: str | None) -> tuple[Fault, str] | None:
    if reason := silence(quote.source, quote.provider):
        return Fault.APART, reason
    if quote.currency.upper() != CURRENCY:
        return Fault.APART, f"quoted in {quote.currency}, which is not compared with {CURRENCY}"
    if quote.listed_as and not is_same_region(quote.listed_as, quote.model, quote.provider):
        theirs, ours = (region_of(n, quote.provider) for n in (quote.listed_as, quote.model))
        return Fault.APART, f"listed for {theirs or 'no region'}, not for {ours or 'none'}"
    if reason := parse_fault(quote.rates):
        return Fault.REJECTED, reason
    if reason := base_fault(quote.rates, mode):
        return Fault.QUARANTINED, reason
    return None


def _claim_of(rates: Rates) -> Value | None:
    """Input and output as claimed, believable or not; `None` where nothing is claimed."""
    told = [rates[name] for name in ("input", "output") if name in rates]
    if not told or any(not is_amount(rate) or rate < 0 for rate in told):
        return None
    return base_of(rates)


def _without_zeros(
    votes: Sequence[Vote], claims: Mapping[str, Value]
) -> tuple[list[Vote], Iterable[SetAside]]:
    """A zero counts where the name says free, or where two agree on it and nobody names a price."""
    zeros = [vote for vote in votes if not any(vote.base) and not is_free_name(vote.quote)]
    if not zeros:
        return list(votes), ()
    if any(any(claim) for claim in claims.values()):
        fault, reason = Fault.NO_VOTE, "zero against a price is not a vote"
    elif len({vote.family for vote in zeros if word_of(vote.source) != "portkey"}) < 2:
        fault, reason = Fault.QUARANTINED, "zero needs a second source, or a name that says free"
    else:
        return [
            vote for vote in votes if vote not in zeros or word_of(vote.source) != "portkey"
        ], ()
    return (
        [vote for vote in votes if vote not in zeros],
        [SetAside(vote.source, fault, reason) for vote in zeros],
    )
