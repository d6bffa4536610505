"""Dimensions: what is beside input and output, each decided by itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from .ballot import Ballot, Vote
from .consensus import Cluster, are_near, winner
from .guards import base_of
from .quote import Accepted, Rates, Value
from .verdict import Status

BASE = ("input", "output")
CENT = Decimal("0.01")

Waits = Callable[[Value, Value, Value | None, int], str]
"""(last, new, proposed before, families for the new) → what the change waits for, or empty."""


@dataclass(slots=True)
class Decided:
    """The rates of a verified price, how firm each further dimension is, and what waits."""

    rates: dict[str, Decimal]
    statuses: dict[str, Status] = field(default_factory=dict)
    waiting: dict[str, Decimal] = field(default_factory=dict)


def dimensions_of(
    ballot: Ballot,
    cluster: Cluster,
    *,
    last: Accepted | None,
    waits: Waits,
    needed: frozenset[str],
) -> Decided:
    """Every dimension that somebody quotes who also quotes the verified input and output.

    What is not decided, or changed too far, stays as it was accepted last, as long as input and
    output do.
    """
    decided = Decided(
        {
            name: rate
            for name, rate in zip(BASE, cluster.value, strict=True)
            if any(name in vote.rates for vote in cluster.votes)
        }
    )
    unchanged = last is not None and are_near(cluster.value, base_of(last.rates))
    stands: Rates = last.rates if last is not None and unchanged else {}
    proposed: Rates = last.proposed if last is not None else {}
    for dimension in sorted({name for vote in ballot.votes for name in vote.rates} - set(BASE)):
        status, rate, families = _decide(dimension, ballot.votes, cluster, needed=needed)
        old, before = stands.get(dimension), proposed.get(dimension)
        if (
            rate is not None
            and old is not None
            and waits((old,), (rate,), None if before is None else (before,), families)
        ):
            decided.waiting[dimension] = rate
            status, rate = Status.PENDING_CHANGE, old
        decided.statuses[dimension] = status
        if rate is not None:
            decided.rates[dimension] = rate
    for dimension in stands:
        decided.rates.setdefault(dimension, stands[dimension])
    return decided


def _decide(
    dimension: str, votes: Sequence[Vote], cluster: Cluster, *, needed: frozenset[str]
) -> tuple[Status, Decimal | None, int]:
    """How firm, which rate if one may be used, and how many say it."""
    voters = [vote for vote in votes if dimension in vote.rates]
    priced = [vote for vote in voters if vote.rates[dimension]]
    voters = _exact(priced, dimension) or voters  # a zero against a price is not a vote
    carried = winner(voters, lambda vote: (vote.rates[dimension],), needed=needed)
    if carried is not None and _speaks_for(carried.votes, cluster):
        return Status.VERIFIED, carried.value[0], len(carried.families)
    if len({vote.family for vote in voters}) != 1:
        return Status.DISPUTED, None, 0
    voter = min(voters, key=lambda vote: vote.rank)
    usable = bool(priced) and voter.believed_alone and _speaks_for([voter], cluster)
    return Status.SINGLE_SOURCE, voter.rates[dimension] if usable else None, 1


def _exact(voters: Sequence[Vote], dimension: str) -> list[Vote]:
    """Without those who give another's rate rounded to cents: they say nothing else than it."""
    rates = [vote.rates[dimension] for vote in voters]
    return [
        vote
        for vote in voters
        if not any(_is_rounded(vote.rates[dimension], of=rate) for rate in rates)
    ]


def _is_rounded(rate: Decimal, *, of: Decimal) -> bool:
    return rate != of and rate == of.quantize(CENT, ROUND_HALF_UP)


def _speaks_for(votes: Sequence[Vote], cluster: Cluster) -> bool:
    return any(are_near(vote.base, cluster.value) for vote in votes)
