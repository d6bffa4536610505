"""Family: the allocations above one, as far as what becomes of it changes what they hold."""

from dataclasses import replace
from typing import NamedTuple

from tekton_budget.domain.allocation import Allocation
from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.ledger.state import Misjudged, Outcome, State, active_below
from tekton_budget.domain.usage import TokenCounts


class Consumed(NamedTuple):
    """What an allocation and its ended children have used."""

    counts: TokenCounts
    cost_nano: int
    requests: int


class Family:
    """An allocation's ancestors, the nearest first; copies until the outcome has them."""

    def __init__(self, state: State, allocation: Allocation) -> None:
        self._now_us = state.now_us
        self._found = [state.allocations[key] for key in reversed(allocation.ancestors)]
        self._now = list(self._found)

    def draw(self, balance_id: str, wanted: Amounts) -> Amounts:
        """Take from what the parent still holds there, then from its own parent; what there was."""
        drawn, place, goes_on = NOTHING, 0, True
        while goes_on and drawn != wanted:
            one = self._now[place]
            at = _place_of(one, balance_id)
            hold = one.holds[at]
            taken = Amounts.smaller(wanted.minus(drawn), hold.held)
            if taken != NOTHING:
                self._set(place, at, hold.held.minus(taken))
                drawn = drawn.plus(taken)
            place, goes_on = place + 1, hold.is_part
        return drawn

    def give_back(self, balance_id: str, left: Amounts) -> None:
        """What is left of a child's part is its parent's again."""
        at = _place_of(self._now[0], balance_id)
        self._set(0, at, self._now[0].holds[at].held.plus(left))

    def count(self, before: Allocation, after: Allocation) -> None:
        """Keep what the ancestors know of it: lent while it is active, then what it has used."""
        if not self._now or (before.is_active and after.is_active):
            return
        was, is_ = _consumed(before), _consumed(after)
        if before.is_active:
            self._end(before, is_)
            return
        for place, one in enumerate(self._now):  # late: those that have ended hand it on
            children = one.children
            self._now[place] = replace(
                one,
                children=children._replace(
                    used=children.used.plus(is_.counts.minus(was.counts)),
                    used_cost_nano=children.used_cost_nano + is_.cost_nano - was.cost_nano,
                    used_requests=children.used_requests + is_.requests - was.requests,
                ),
                updated_us=self._now_us,
            )
            if one.is_active:
                break

    def _end(self, child: Allocation, used: Consumed) -> None:
        parent = self._now[0]
        known, granted = parent.children, child.granted
        children = known._replace(
            active=known.active - 1,
            lent=known.lent.minus(child.granted_counts),
            lent_cost_nano=known.lent_cost_nano - granted.cost_nano,
            lent_requests=known.lent_requests - granted.requests,
            used=known.used.plus(used.counts),
            used_cost_nano=known.used_cost_nano + used.cost_nano,
            used_requests=known.used_requests + used.requests,
        )
        self._now[0] = replace(parent, children=children, updated_us=self._now_us)

    def _set(self, place: int, at: int, held: Amounts) -> None:
        one = self._now[place]
        holds = (*one.holds[:at], one.holds[at]._replace(held=held), *one.holds[at + 1 :])
        self._now[place] = replace(one, holds=holds, updated_us=self._now_us)

    def outcome(self, outcome: Outcome) -> Outcome:
        """The outcome of a command on one of the family, with those above that it changed."""
        pairs = zip(self._found, self._now, strict=True)
        return with_others(outcome, [now for found, now in pairs if now is not found])


def with_others(outcome: Outcome, others: list[Allocation]) -> Outcome:
    """An outcome that changes other allocations besides."""
    if not others:
        return outcome
    changed = [Outcome(outcome.answer, allocation=other) for other in others]
    return Outcome(outcome.answer, parts=(outcome, *changed))


def within_parent(state: State, allocation: Allocation, expires_us: int) -> int:
    """When it may end at the latest, if it shall end then."""
    if not allocation.ancestors:
        return expires_us
    return min(expires_us, state.allocations[allocation.ancestors[-1]].expires_us)


def cut_below(state: State, allocation: Allocation, expires_us: int) -> list[Allocation]:
    """What would outlive it, if it ended then, ending with it."""
    return [
        replace(one, expires_us=expires_us, updated_us=state.now_us)
        for one in below(state, allocation)
        if one.expires_us > expires_us
    ]


def below(state: State, allocation: Allocation) -> list[Allocation]:
    """All active allocations below one, the deepest first; `Misjudged` if not all are loaded."""
    if not allocation.children.active:
        return []
    found = active_below(state, allocation.key)
    if allocation.children.active + sum(one.children.active for one in found) != len(found):
        raise Misjudged(allocation.id)
    return sorted(found, key=lambda one: -len(one.ancestors))


def _consumed(allocation: Allocation) -> Consumed:
    children = allocation.children
    own = allocation.requests_of_its_own if allocation.usage_records else 0
    return Consumed(
        allocation.used.plus(children.used),
        allocation.used_cost_nano + children.used_cost_nano,
        own + children.used_requests,
    )


def _place_of(allocation: Allocation, balance_id: str) -> int:
    """Of the hold that a part is of, which is there."""
    return next(at for at, hold in enumerate(allocation.holds) if hold.balance_id == balance_id)
