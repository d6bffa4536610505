"""An allocation that gets more tokens, another end, or is given back and taken up again."""

import logging
from datetime import datetime, timedelta

from tekton_budget.domain.errors import Conflict
from tekton_budget.face.budget import Budget
from tekton_budget.face.refusals import BudgetExceeded
from tekton_budget.frontends.tekton.apollo import clock
from tekton_budget.frontends.tekton.apollo.allocations import (
    HOLD_MAX,
    Allocations,
    Held,
    whole_seconds,
)

logger = logging.getLogger(__name__)


class Changing:
    """What `update_allocation` asks of the ledger, one wish after the other."""

    def __init__(self, budget: Budget, allocations: Allocations, held: Held) -> None:
        self._budget = budget
        self._allocations = allocations
        self._held = held
        self.denials: list[BudgetExceeded] = []

    def change(self, more: int | None, longer: timedelta | None, *, is_active: bool | None) -> Held:
        """As it stands then. What a limit did not let it have is in `denials`."""
        more = more if more is not None and more > 0 else 0
        if self._held.holds:
            if more:
                self._grow(more)
            if longer is not None:
                self._move(longer)
        elif is_active:
            self._take_up(more, longer or timedelta())
        elif more or longer:
            logger.warning(
                "The allocation of context %s has ended: it gets more, or lasts longer, only with "
                "is_active=True",
                self._held.labels.get("context_id"),
            )
        if is_active is False and self._held.holds:
            self._give_back()
        return self._held

    def _grow(self, more: int) -> None:
        total = self._held.answer["tokens_allocated"] + more
        try:
            self._budget.extend(self._held.id, tokens=total)
        except BudgetExceeded as denial:
            self.denials.append(denial)
        self._look_again()

    def _move(self, longer: timedelta) -> None:
        """The ledger holds for a day at most: who is to live longer is made anew with its end."""
        now = clock.now()
        ends_at = self._held.ends_at + longer
        if self._held.is_long or ends_at > now + HOLD_MAX:
            if self._made_anew(0, max(ends_at, now + timedelta(seconds=1))):
                return
            ends_at = now + HOLD_MAX
        self._budget.extend(self._held.id, whole_seconds(ends_at - now))
        self._look_again()

    def _take_up(self, more: int, longer: timedelta) -> None:
        ends_at = self._held.ends_at + longer
        if ends_at > clock.now():
            self._made_anew(more, ends_at)

    def _made_anew(self, more: int, ends_at: datetime) -> bool:
        wanted = self._held.in_words().model_copy(
            update={
                "expiration_time": clock.local(ends_at),
                "tokens_allocated": self._held.in_words().tokens_allocated + more,
            }
        )
        try:
            self._held, _ = self._allocations.take(wanted, self._held)
        except BudgetExceeded as denial:
            self.denials.append(denial)
            return False
        return True

    def _give_back(self) -> None:
        try:
            self._budget.release(self._held.id)
        except Conflict:
            logger.info("Allocation %s had ended already", self._held.id)
        self._look_again()

    def _look_again(self) -> None:
        self._held = self._allocations.by_id(self._held.id)
