"""Fitting: how much of an ask has room, with and without what policies keep for the end.

The part that is kept is opened where without it less than half of what both give would fit. Who may
wait does so while others' holds, not what is spent, leave less than half of what there could be.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from tekton_budget.domain.amounts import NOTHING
from tekton_budget.domain.command import Allocate, Fit, Landing
from tekton_budget.domain.decide import (
    Decision,
    Judgement,
    Verdict,
    decide,
    judge,
    largest_fit,
    passes,
)
from tekton_budget.domain.estimate import Prices, asked_by_each, shrinkable
from tekton_budget.domain.ledger.children import judge_part, with_thresholds
from tekton_budget.domain.ledger.state import State
from tekton_budget.domain.policy_set import Concern

NOTHING_FITS = -1


class Judged(NamedTuple):
    """An ask before all its policies, at one size; `landing` opens what they keep for the end."""

    judgements: list[Judgement]
    verdict: Verdict
    landing: bool

    @property
    def is_denied(self) -> bool:
        """Whether it does not fit."""
        return self.verdict.decision is Decision.DENY


class Fitting(NamedTuple):
    """An ask with all by which it is sized."""

    state: State
    ask: Allocate
    concerns: Sequence[Concern]
    prices: Prices

    @property
    def whole(self) -> int:
        """The size that is asked for; what cannot be shrunk is of size 0."""
        return shrinkable(self.ask) or 0

    def judged(self, size: int | None, *, landing: bool) -> Judged:
        """The ask shrunk to `size`.

        A policy in shadow opens what it keeps to whom it may, for it changes no call.
        """
        state, ask, concerns, prices = self
        balances, now_us, shadow = state.balances, state.now_us, state.settings.shadow
        auto = ask.landing is Landing.AUTO
        asked = asked_by_each(ask, [concern.policy for concern in concerns], prices, size)
        judgements = [
            judge(
                concern,
                balances[concern.balance_id],
                amounts,
                now_us,
                landing=landing or (auto and (shadow or concern.policy.shadow)),
            )
            if concern.parent is None
            else judge_part(state, concern, amounts)
            for concern, amounts in zip(concerns, asked, strict=True)
        ]
        priority = min(ask.priority, ask.caller.max_priority)
        verdict = decide(judgements, priority=priority, shadow=shadow)
        if ask.parent_id is not None:
            verdict = with_thresholds(state, verdict, judgements)
        return Judged(judgements, verdict, landing)

    def ways(self) -> list[Judged]:
        """The whole ask as it may be judged: without what is kept, then with it where that helps.

        The second is left out where the first fits or no policy that refuses keeps anything.
        """
        size = shrinkable(self.ask)
        if size is not None and self.ask.headroom:
            may = self.ask.landing is Landing.MAY
            roomy = self.judged(size + self.ask.headroom, landing=may)
            return [roomy if roomy.is_denied else self.judged(size, landing=may)]
        first = self.judged(size, landing=self.ask.landing is Landing.MAY)
        if not first.is_denied or self.ask.landing is not Landing.AUTO:
            return [first]
        if all(j.kept is NOTHING for j in first.verdict.denied):
            return [first]
        return [first, self.judged(size, landing=True)]

    def room(self, way: Judged, *, held: bool = True) -> int:
        """The largest size that fits, or -1; without `held` as if every hold came back unused."""
        if not way.is_denied:
            return self.whole
        if shrinkable(self.ask) is None:
            return NOTHING_FITS
        return largest_fit(self.whole, lambda size: self._fits(way, size, held=held))

    def at_least(self) -> "Fitting | None":
        """The ask at the least that its clamp may leave; `None` where it takes no less than all."""
        least, ask = self._least, self.ask
        if ask.fit is not Fit.CLAMP or self.whole <= least:
            return None
        if ask.max_output_tokens is not None:
            return self._replace(ask=replace(ask, max_output_tokens=least))
        if ask.tokens is not None:
            return self._replace(ask=replace(ask, tokens=least))
        return self._replace(ask=replace(ask, cost_nano=least))

    def of_use(self, way: Judged, size: int) -> int:
        """A size that fits, if the ask takes it; else -1."""
        if way.is_denied and (self.ask.fit is not Fit.CLAMP or size < self._least):
            return NOTHING_FITS
        return size

    def awaits(self, ways: Sequence[Judged]) -> bool:
        """Whether an ask that does not fit whole had better wait, where it may.

        One that takes all or nothing waits for whatever may come: a window, a credit.
        """
        clamps = self.ask.fit is Fit.CLAMP
        sizes = [self._size_then(way) for way in ways]
        best = preferred(sizes)
        if best is None:
            return not clamps
        if not ways[best].is_denied:
            return False
        half = -(-sizes[best] // 2)
        return not clamps or not self._fits(ways[best], max(half, self._least))

    def _size_then(self, way: Judged) -> int:
        """How much would be granted once every hold has come back unused, or -1."""
        if not any(judgement.blocked_by_spent for judgement in way.verdict.denied):
            return self.whole
        return self.of_use(way, self.room(way, held=False))

    def _fits(self, way: Judged, size: int, *, held: bool = True) -> bool:
        """Whether the ask shrunk to `size` passes none of the policies that refused it whole.

        The others need no second look: what a smaller ask takes of a policy is never more.
        """
        denied = way.verdict.denied
        size += self.ask.headroom
        asked = asked_by_each(self.ask, [j.policy for j in denied], self.prices, size)
        return not any(
            passes(j.open, j.spent.plus(j.held) if held else j.spent, amounts)
            for j, amounts in zip(denied, asked, strict=True)
        )

    @property
    def _least(self) -> int:
        """The least that a clamp may leave: the ask's own word, else the policies', in tokens."""
        ask, least = self.ask, 0
        if ask.min_grant is not None:
            least = ask.min_grant
        elif ask.max_output_tokens is not None or ask.tokens is not None:
            least = max((c.policy.min_grant for c in self.concerns if c.policy.judges), default=0)
        return max(1, least)


def preferred(sizes: Sequence[int]) -> int | None:
    """The first way that gives at least half of what the best one does; `None` if none fits."""
    most = max(sizes)
    if most < 0:
        return None
    return next(i for i, size in enumerate(sizes) if size >= 0 and 2 * size >= most)
