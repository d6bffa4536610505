"""Consensus: who agrees with whom, and whether they are enough."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from .ballot import Vote
from .quote import Value

TOLERANCE = Decimal("0.005")  # of the larger; between 0.1 and 2 % it hardly matters
FAMILIES_MIN = 2
SHARE_MIN = (2, 3)  # of the families that vote


@dataclass(frozen=True, slots=True)
class Cluster:
    """The votes near one quoted value; families are counted once."""

    value: Value
    votes: tuple[Vote, ...]
    families: frozenset[str]


def is_near(one: Decimal, other: Decimal) -> bool:
    """Whether two rates are the same within the tolerance; zero is near zero only."""
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))


def are_near(one: Value, other: Value) -> bool:
    """Whether two values are the same in every part."""
    return all(is_near(a, b) for a, b in zip(one, other, strict=True))


def clusters_of(votes: Iterable[Vote], value_of: Callable[[Vote], Value]) -> list[Cluster]:
    """A cluster around every quoted value, the best first.

    The best is that with most families; then the value that most of them say to the digit; then
    the one that the most preferred source says.
    """
    speakers = _speakers(votes)
    said: dict[Value, tuple[Vote, ...]] = {}
    for vote in speakers:
        said[value_of(vote)] = (*said.get(value_of(vote), ()), vote)
    found = []
    for value, exact in said.items():
        near = tuple(vote for vote in speakers if are_near(value_of(vote), value))
        found.append((-len(near), -len(exact), min(vote.rank for vote in exact), value, near))
    return [
        Cluster(value, near, frozenset(vote.family for vote in near))
        for _, _, _, value, near in sorted(found, key=lambda one: one[:4])
    ]


def carries(cluster: Cluster, votes: Iterable[Vote], *, needed: frozenset[str]) -> bool:
    """Whether a cluster is enough: independent, a clear majority, and with one of the needed."""
    total = len({vote.family for vote in votes})
    count = len(cluster.families)
    part, whole = SHARE_MIN
    return (
        count >= FAMILIES_MIN
        and count * whole >= total * part
        and (not needed or bool(needed & cluster.families))
    )


def winner(
    votes: Sequence[Vote], value_of: Callable[[Vote], Value], *, needed: frozenset[str]
) -> Cluster | None:
    """The best cluster that is enough."""
    return next(
        (one for one in clusters_of(votes, value_of) if carries(one, votes, needed=needed)), None
    )


def groups_of(claims: Mapping[str, Value]) -> tuple[tuple[str, ...], ...]:
    """Every claim in exactly one group of such as agree, the largest first."""
    left = dict(sorted(claims.items()))
    groups: list[tuple[str, ...]] = []
    while left:
        near = [
            tuple(name for name, other in left.items() if are_near(value, other))
            for value in left.values()
        ]
        best = min(near, key=lambda names: (-len(names), names))
        groups.append(best)
        left = {name: value for name, value in left.items() if name not in best}
    return tuple(sorted(groups, key=lambda names: (-len(names), names)))


def _speakers(votes: Iterable[Vote]) -> list[Vote]:
    """One vote for each family: that of its most preferred member."""
    first: dict[str, Vote] = {}
    for vote in sorted(votes, key=lambda vote: vote.rank):
        first.setdefault(vote.family, vote)
    return list(first.values())
