"""The judgement: what the quotes for one model come to, by the rules in their order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from .ballot import Ballot, Vote, ballot_of
from .change import awaited, followed, lone_mover, waits_since
from .consensus import Cluster, are_near, clusters_of, groups_of, winner
from .dimensions import dimensions_of
from .guards import OTHER_MODES, base_of
from .quote import NO_RATES, Accepted, Quote, Rates, Value
from .sources import REGION_AWARE, is_cloud, word_of
from .suggest import suggestion
from .unit_slip import factor, power_of_ten, slips
from .verdict import Fault, SetAside, Status, Verdict

SIBLING_FACTOR = 3

_ANYBODY: frozenset[str] = frozenset()


def judge(
    quotes: Sequence[Quote],
    *,
    last: Accepted | None = None,
    siblings: Mapping[str, Rates] | None = None,
    at: datetime | None = None,
) -> Verdict:
    """The decision on one model of one seller, whose quotes are all as of one instant.

    `last` is what was accepted before; it stands wherever nothing better is decided. `siblings`
    are accepted rates of the same model elsewhere, or of its family. `at` tells when the quotes
    were taken, so that a large change is applied when two polls a day apart show it.
    """
    family = [base_of(rates) for rates in (siblings or {}).values()]
    ballot = _without_slips(ballot_of(quotes), family, last)
    verdict = _decided(ballot, last, family, at)
    return replace(
        verdict,
        set_aside=ballot.set_aside,
        groups=groups_of(ballot.claims),
        notes=(*ballot.notes, *verdict.notes),
    )


def _without_slips(ballot: Ballot, family: Sequence[Value], last: Accepted | None) -> Ballot:
    past = [] if last is None else [base_of(last.rates)]
    found = slips(ballot.claims, [*family, *past])
    return replace(
        ballot,
        votes=tuple(vote for vote in ballot.votes if vote.source not in found),
        set_aside=(
            *ballot.set_aside,
            *(SetAside(name, Fault.QUARANTINED, reason) for name, reason in found.items()),
        ),
        slips=frozenset(found),
    )


def _decided(
    ballot: Ballot, last: Accepted | None, family: Sequence[Value], at: datetime | None
) -> Verdict:
    if not ballot.votes:
        return _no_vote(ballot, last)
    needed = _needed(ballot)
    carried = winner(ballot.votes, lambda vote: vote.base, needed=needed)
    if carried is not None:
        return _verified(ballot, carried, last, at)
    if len({vote.family for vote in ballot.votes}) == 1 and not _is_opposed(ballot):
        return _single(ballot, last, family, at)
    clusters = clusters_of(ballot.votes, lambda vote: vote.base)
    if last is not None:
        new = followed(clusters, ballot.votes, last, needed=needed)
        if new is not None:
            return _verified(ballot, new, last, at)
        mover = lone_mover(ballot.votes, last)
        if mover is not None:
            return _pending(ballot, last.rates, mover.rates, f"{mover.source} moved alone")
    return _disputed(ballot, clusters, last)


def _no_vote(ballot: Ballot, last: Accepted | None) -> Verdict:
    """Nothing can be counted: the mildest fault names the case."""
    stands = last.rates if last is not None else NO_RATES
    reasons = tuple(f"{one.source}: {one.reason}" for one in ballot.set_aside)
    if last is not None and not ballot.claims:
        return Verdict(Status.STALE, stands, reasons=(*reasons, "nobody quotes it any more"))
    possible = any(one.fault is not Fault.REJECTED for one in ballot.set_aside)
    status = Status.QUARANTINED if possible else Status.REJECTED
    return Verdict(status, stands, reasons=reasons or ("nobody quotes it",))


def _verified(
    ballot: Ballot, cluster: Cluster, last: Accepted | None, at: datetime | None
) -> Verdict:
    waits = partial(awaited, since=waits_since(last, at))
    decided = dimensions_of(ballot, cluster, last=last, waits=waits, needed=_needed(ballot))
    total = len({vote.family for vote in ballot.votes})
    reason = f"{len(cluster.families)} of {total} independent sources agree within 0.5 %"
    if last is not None:
        stands, proposed = base_of(last.rates), _proposed_base(last)
        waits_for = waits(stands, cluster.value, proposed, len(cluster.families))
        if waits_for:
            return _pending(ballot, last.rates, decided.rates, f"{reason}; waits for {waits_for}")
        mover = lone_mover(ballot.votes, last)
        if mover is not None and are_near(cluster.value, stands):
            pending = _pending(ballot, decided.rates, mover.rates, f"{mover.source} moved alone")
            return replace(pending, dimensions=decided.statuses)
    return Verdict(
        Status.VERIFIED,
        decided.rates,
        dissenting=_dissenting(ballot, cluster.value),
        dimensions=decided.statuses,
        reasons=(reason, *_differences(ballot, cluster.value)),
        suggested=decided.waiting,
        suggested_why="changed too far to be applied at once" if decided.waiting else "",
    )


def _single(
    ballot: Ballot, last: Accepted | None, family: Sequence[Value], at: datetime | None
) -> Verdict:
    vote = min(ballot.votes, key=lambda one: one.rank)
    stands = last.rates if last is not None else NO_RATES
    doubt = _doubt(ballot, vote, family)
    if doubt:
        return Verdict(Status.QUARANTINED, stands, reasons=(f"{vote.source} alone: {doubt}",))
    trusted = vote.believed_alone
    if last is not None and not are_near(vote.base, base_of(last.rates)):
        waits_for = "a second source"
        if trusted:
            since, proposed = waits_since(last, at), _proposed_base(last)
            waits_for = awaited(base_of(last.rates), vote.base, proposed, 1, since=since)
        if lone_mover(ballot.votes, last) is not None:
            waits_for = "a second source: it shared the last price with others"
        if waits_for:
            reason = f"{vote.source} moved alone; waits for {waits_for}"
            return _pending(ballot, stands, vote.rates, reason)
    reason = f"only {vote.source} quotes it"
    if trusted:
        dimensions = {name: Status.SINGLE_SOURCE for name in vote.rates if name not in _BASE}
        return Verdict(
            Status.SINGLE_SOURCE,
            vote.rates,
            dissenting=_dissenting(ballot, vote.base),
            dimensions=dimensions,
            reasons=(reason, *_differences(ballot, vote.base)),
        )
    return Verdict(
        Status.SINGLE_SOURCE,
        stands,
        reasons=(f"{reason}, which is not believed alone",),
        suggested=vote.rates,
        suggested_why=f"{vote.source}'s quote passes the guards, but has no second source",
    )


def _doubt(ballot: Ballot, vote: Vote, family: Sequence[Value]) -> str:
    """Why a quote cannot be believed without a second one; empty if it can."""
    for one in ballot.set_aside:
        if one.source == vote.source and one.dimension is not None:
            return one.reason
    if word_of(ballot.mode or "") in OTHER_MODES:
        return f"a token price for {ballot.mode} needs a second source"
    times = [factor(vote.base, other) for other in family]
    if times and not any(one is not None and one <= SIBLING_FACTOR for one in times):
        return f"not within {SIBLING_FACTOR} × of any price of its family"
    return ""


def _pending(ballot: Ballot, stands: Rates, new: Rates, reason: str) -> Verdict:
    return Verdict(
        Status.PENDING_CHANGE,
        stands,
        dissenting=_dissenting(ballot, base_of(stands)),
        reasons=(reason, *_differences(ballot, base_of(stands))),
        suggested=new,
        suggested_why=reason,
    )


def _disputed(ballot: Ballot, clusters: Sequence[Cluster], last: Accepted | None) -> Verdict:
    needed = _needed(ballot)
    total = len({vote.family for vote in ballot.votes})
    best = clusters[0]
    reason = f"at most {len(best.families)} of {total} votes agree; 2 and two thirds are needed"
    if needed and len(best.families) > 1 and not best.families & needed:
        reason += f", one of {' and '.join(sorted(needed))} among them, since others fold regions"
    found = suggestion(ballot, clusters)
    suggested, why = found if found is not None else (NO_RATES, "")
    quoted = tuple(f"{name}: {_text(claim)}" for name, claim in sorted(ballot.claims.items()))
    verdict = Verdict(
        Status.DISPUTED, reasons=(reason, *quoted), suggested=suggested, suggested_why=why
    )
    if last is not None:
        return replace(
            verdict, rates=last.rates, dissenting=_dissenting(ballot, base_of(last.rates))
        )
    dearest = max(ballot.votes, key=lambda vote: (sum(vote.base), vote.base, vote.rank))
    preferred = min(ballot.votes, key=lambda vote: vote.rank)
    return replace(verdict, enforce=dearest.rates, report=preferred.rates)


def _needed(ballot: Ballot) -> frozenset[str]:
    return REGION_AWARE if is_cloud(ballot.votes[0].quote.provider) else _ANYBODY


def _proposed_base(last: Accepted) -> Value | None:
    return base_of(last.proposed) if last.proposed else None


def _is_opposed(ballot: Ballot) -> bool:
    """Whether something without a vote speaks against the only one that has one."""
    return not any(
        all(are_near(ballot.claims[name], vote.base) for name in ballot.opposed)
        for vote in ballot.votes
    )


def _dissenting(ballot: Ballot, value: Value) -> tuple[str, ...]:
    return tuple(
        name for name, claim in sorted(ballot.claims.items()) if not are_near(claim, value)
    )


def _differences(ballot: Ballot, value: Value) -> tuple[str, ...]:
    reasons = {one.source: one.reason for one in ballot.set_aside if one.dimension is None}
    found = []
    for name in _dissenting(ballot, value):
        claim = ballot.claims[name]
        power = power_of_ten(claim, value)
        slip = f"10^{power} away: a slip of unit" if power is not None else ""
        why = "; ".join(part for part in (reasons.get(name, ""), slip) if part)
        found.append(f"{name} says {_text(claim)}{f' ({why})' if why else ''}")
    return tuple(found)


def _text(pair: Value) -> str:
    return "/".join(f"{rate:f}" for rate in pair)


_BASE = ("input", "output")
