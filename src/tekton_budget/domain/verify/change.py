"""Changes: how far a price may move from the last accepted one, and on whose word."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from .ballot import Vote
from .consensus import FAMILIES_MIN, Cluster, are_near, carries
from .guards import base_of
from .quote import Accepted, Value
from .sources import family_of
from .unit_slip import factor

CHANGE_FREE = Decimal(3)  # times, up or down: applied at once
CHANGE_SEEN_TWICE = Decimal(10)  # up to here: three sources, or two polls
CHANGE_FAMILIES = 3
POLLS_APART = timedelta(hours=24)


def awaited(
    last: Value, new: Value, proposed: Value | None, families: int, *, since: timedelta | None
) -> str:
    """What a change of the last accepted value waits for; empty if it may be applied.

    `proposed` is what was seen `since` then.
    """
    times = factor(last, new)
    if times is None:
        return "a person: a change from or to zero"
    if times <= CHANGE_FREE:
        return ""
    if times > CHANGE_SEEN_TWICE:
        return f"a person: {times:.4g} times the last price, or a fraction of it"
    seen_before = proposed is not None and are_near(proposed, new)
    seen_twice = seen_before and since is not None and since >= POLLS_APART
    if families >= CHANGE_FAMILIES or seen_twice:
        return ""
    return f"a third source or a second poll after 24 h: a factor of {times:.4g}"


def waits_since(last: Accepted | None, at: datetime | None) -> timedelta | None:
    """How long the proposed change has been known."""
    if last is None or last.proposed_at is None or at is None:
        return None
    return at - last.proposed_at


def lone_mover(votes: Iterable[Vote], last: Accepted) -> Vote | None:
    """The only vote that moved away from a last accepted price which it shared with others."""
    moved = _movers(votes, last)
    if not moved or len({vote.family for vote in moved}) != 1:
        return None
    then = base_of(last.rates)
    others = (rates for source, rates in last.said.items() if family_of(source) != moved[0].family)
    shared = any(are_near(base_of(rates), then) for rates in others)
    return min(moved, key=lambda vote: vote.rank) if shared else None


def followed(
    clusters: Sequence[Cluster],
    votes: Sequence[Vote],
    last: Accepted,
    *,
    needed: frozenset[str],
) -> Cluster | None:
    """The new price that a second source followed to, where the others have not moved at all.

    Those that stand still are late, not of another opinion, so they do not count against it.
    """
    moved = {vote.source for vote in _movers(votes, last)}
    for cluster in clusters:
        still = all(
            (said := _said(vote, last)) is not None and are_near(said, vote.base)
            for vote in votes
            if not are_near(vote.base, cluster.value)
        )
        news = sum(vote.source in moved for vote in cluster.votes)
        if still and news >= FAMILIES_MIN and carries(cluster, cluster.votes, needed=needed):
            return cluster
    return None


def _movers(votes: Iterable[Vote], last: Accepted) -> list[Vote]:
    """The votes that said the last accepted price then and say another now."""
    then = base_of(last.rates)
    return [
        vote
        for vote in votes
        if (said := _said(vote, last)) is not None
        and are_near(said, then)
        and not are_near(vote.base, then)
    ]


def _said(vote: Vote, last: Accepted) -> Value | None:
    rates = last.said.get(vote.source)
    return None if rates is None else base_of(rates)
