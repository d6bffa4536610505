"""Dimensions: what is beside input and output, each decided by itself."""

from decimal import Decimal

from .ballot import Ballot, Vote
from .consensus import Cluster, are_near, winner
from .guards import base_of, dimension_faults
from .quote import Accepted, Value
from .sources import is_trusted_alone
from .verdict import Status

BASE = ("input", "output")

Decided = tuple[dict[str, Decimal], dict[str, Status]]


def dimensions_of(
    ballot: Ballot, cluster: Cluster, *, last: Accepted | None, needed: frozenset[str]
) -> Decided:
    """The rates of a verified price, input and output among them, and how firm the others are.

    Nothing is taken that no source says which also says the verified input and output. What is
    not decided stays as it was accepted last, as long as input and output do.
    """
    rates = {
        name: rate
        for name, rate in zip(BASE, cluster.value, strict=True)
        if any(name in vote.rates for vote in cluster.votes)
    }
    statuses: dict[str, Status] = {}
    for dimension in sorted({name for vote in ballot.votes for name in vote.rates} - set(BASE)):
        voters = _without_zeros(
            [vote for vote in ballot.votes if dimension in vote.rates], dimension
        )
        status, rate = _decide(dimension, voters, cluster, needed=needed)
        statuses[dimension] = status
        if rate is not None:
            rates[dimension] = rate
    rates, statuses = _fitting(rates, statuses, cluster.votes[0])
    if last is not None and are_near(cluster.value, base_of(last.rates)):
        rates = {**{name: rate for name, rate in last.rates.items() if name not in BASE}, **rates}
    return rates, statuses


def _decide(
    dimension: str, voters: list[Vote], cluster: Cluster, *, needed: frozenset[str]
) -> tuple[Status, Decimal | None]:
    def rate_of(vote: Vote) -> Value:
        return (vote.rates[dimension],)

    carried = winner(voters, rate_of, needed=needed)
    if carried is not None and carried.families & cluster.families:
        return Status.VERIFIED, carried.value[0]
    if len({vote.family for vote in voters}) != 1:
        return (Status.DISPUTED if voters else Status.QUARANTINED), None
    voter = voters[0]
    alone = voter.family in cluster.families and voter.rates[dimension] != 0
    usable = alone and is_trusted_alone(voter.source, voter.quote.provider)
    return Status.SINGLE_SOURCE, voter.rates[dimension] if usable else None


def _without_zeros(voters: list[Vote], dimension: str) -> list[Vote]:
    """A zero against a price is not a vote."""
    priced = [vote for vote in voters if vote.rates[dimension]]
    return priced or voters


def _fitting(rates: dict[str, Decimal], statuses: dict[str, Status], speaker: Vote) -> Decided:
    """Without what does not fit the verified input, though it fitted its own source's."""
    for dimension, _ in list(dimension_faults(speaker.quote, rates)):
        del rates[dimension]
        statuses[dimension] = Status.QUARANTINED
    return rates, statuses
