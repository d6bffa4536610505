"""Suggestions: what is probably right where the vote alone does not carry it."""

from collections.abc import Sequence
from decimal import Decimal

from .ballot import Ballot, Vote
from .consensus import Cluster, are_near
from .quote import Rates, Value
from .region import region_of
from .sources import REGION_AWARE, is_cloud, word_of
from .unit_slip import power_of_ten

REGION_SURCHARGE = Decimal("1.1")

Suggestion = tuple[Rates, str]


def suggestion(ballot: Ballot, clusters: Sequence[Cluster]) -> Suggestion | None:
    """The first reason that leads to a value: the seller's word, region, unit, plurality."""
    for reason in (_own_word, _regional, _only_possible, _plurality):
        found = reason(ballot, clusters)
        if found is not None:
            return found
    return None


def _own_word(ballot: Ballot, _: Sequence[Cluster]) -> Suggestion | None:
    own = [vote for vote in ballot.votes if vote.family == word_of(vote.quote.provider)]
    return (own[0].rates, f"{own[0].source} is the seller's own list") if own else None


def _regional(ballot: Ballot, _: Sequence[Cluster]) -> Suggestion | None:
    """A regional name has the surcharge, though sources that fold regions list it without."""
    for vote in ballot.votes:
        quote = vote.quote
        region = region_of(quote.model, quote.provider) if is_cloud(quote.provider) else None
        if vote.family not in REGION_AWARE or region in {None, "global"}:
            continue
        if any(are_near(vote.base, _surcharged(other.base)) for other in ballot.votes):
            return vote.rates, (
                f"{vote.source} keeps regions apart; the others list {region} without the "
                f"surcharge of {REGION_SURCHARGE}"
            )
    return None


def _surcharged(base: Value) -> Value:
    return tuple(rate * REGION_SURCHARGE for rate in base)


def _only_possible(ballot: Ballot, _: Sequence[Cluster]) -> Suggestion | None:
    """One vote against claims that the guards refused."""
    if len({vote.family for vote in ballot.votes}) != 1:
        return None
    vote = min(ballot.votes, key=lambda one: one.rank)
    powers = [power_of_ten(vote.base, ballot.claims[name]) for name in sorted(ballot.opposed)]
    power = next((one for one in powers if one is not None), None)
    slip = f"; the other is 10^{power} away, a slip of unit" if power is not None else ""
    return vote.rates, f"only {vote.source}'s quote passes the guards{slip}"


def _plurality(ballot: Ballot, clusters: Sequence[Cluster]) -> Suggestion | None:
    """More sources than for any other value; at clouds they may all fold regions."""
    if not ballot.votes or is_cloud(ballot.votes[0].quote.provider):
        return None
    best, *others = clusters
    rivals = [one for one in others if not are_near(one.value, best.value)]
    if len(best.families) < 2 or any(len(one.families) >= len(best.families) for one in rivals):
        return None
    return spokesman(best).rates, "most sources say so, though too few to decide"


def spokesman(cluster: Cluster) -> Vote:
    """The most preferred of those who say a cluster's value to the digit."""
    return min(
        (vote for vote in cluster.votes if vote.base == cluster.value), key=lambda vote: vote.rank
    )
