"""What a run holds ahead: all that is left of its cap, in the limits around it.

It is an allocation under the run's labels without the label run, so the run's own cap holds nothing
ahead; each call of the run is a part of it.
"""

import time
from contextlib import suppress

from tekton_budget.domain.answer import Denial
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import BudgetError, Conflict, invalid
from tekton_budget.domain.money import usd_from_nano
from tekton_budget.domain.run import Run
from tekton_budget.service.asking.asks import Ask
from tekton_budget.service.asking.ledger import LedgerVerbs
from tekton_budget.service.runs.views import RunViews

LIFETIME_SECONDS = 15 * 60  # after the last sign of life
KEPT_EVERY_SECONDS = 60.0


class Reserves:
    """Held, kept while the run lives, given back with its end."""

    def __init__(self, ledger: LedgerVerbs, views: RunViews) -> None:
        self._ledger = ledger
        self._views = views
        self._kept_at: dict[str, float] = {}  # by allocation

    def hold(self, caller: Caller, run: Run, outer: Run | None) -> str:
        """Hold what is left; the id. Part of what the run around it holds, if it does."""
        left = self._views.left_of(run)
        if left is None:
            raise invalid("reserve", "there is no cap to hold ahead: give it one")
        ask = Ask(
            labels=run.labels,
            tokens=left.tokens,
            cost=None if left.cost_nano is None else usd_from_nano(left.cost_nano),
            lifetime_seconds=LIFETIME_SECONDS,
            parent_id=None if outer is None else outer.reserve_id,
        )
        answer = self._ledger.allocate(caller, ask).result()
        if isinstance(answer, Denial):
            raise Conflict(
                f"What is left of the cap cannot be held ahead. {answer.detail}",
                code="reserve_denied",
            )
        return answer.allocation_id

    def keep(self, caller: Caller, run: Run) -> None:
        """Once a minute for as long as the run lives."""
        if run.reserve_id is None:
            return
        now = time.monotonic()
        if now < self._kept_at.get(run.reserve_id, 0.0):
            return
        self._kept_at[run.reserve_id] = now + KEPT_EVERY_SECONDS
        with suppress(BudgetError):  # what has ended by itself is held no more
            self._ledger.extend(caller, run.reserve_id, LIFETIME_SECONDS).result()

    def free(self, caller: Caller, run: Run) -> None:
        """Give back what was not used; with calls under way, once these and its time are over."""
        if run.reserve_id is None:
            return
        self._kept_at.pop(run.reserve_id, None)
        with suppress(BudgetError):
            self._ledger.release(caller, run.reserve_id).result()
