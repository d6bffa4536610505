"""The allocations that a process has in its hands: brought up to date, kept alive, cleaned up."""

import threading
from collections.abc import Callable

from tekton_budget.face.budget import Budget
from tekton_budget.frontends.tekton.apollo import clock
from tekton_budget.frontends.tekton.apollo.allocations import (
    HOLD_MAX,
    KEEP_ALIVE_BELOW,
    Allocations,
    Held,
    whole_seconds,
)
from tekton_budget.frontends.tekton.apollo.models import BudgetAllocation

Post = Callable[[str, int], int]  # usage of a context; how much was recorded


class Keeping:
    """One object a context, the same whoever asks, as Apollo's dictionary has it."""

    def __init__(self, budget: Budget, allocations: Allocations, post: Post) -> None:
        self._budget = budget
        self._allocations = allocations
        self._post = post
        self._known: dict[str, BudgetAllocation] = {}
        self._lock = threading.Lock()

    def seen(self, held: Held) -> BudgetAllocation | None:
        """The object of an allocation, as the ledger has it; `None` once that is cleaned up."""
        words = held.in_words()
        context_id = words.context_id
        with self._lock:
            known = self._known.get(context_id)
            if known is not None and known.allocation_id == words.allocation_id:
                known.follow(words)
                return known
            if held.is_over:
                return None
            self._known[context_id] = words.posting(lambda n: self._post(context_id, n))
            return words

    def all(self) -> dict[str, BudgetAllocation]:
        """By context: all that hold, and those known here that have ended since."""
        holding = [self.seen(held) for held in self._allocations.active()]
        contexts = {one.context_id for one in holding if one is not None}
        for context_id in self._contexts() - contexts:
            held = self._allocations.of_context(context_id)
            if held is not None:
                self.seen(held)
        with self._lock:
            return dict(self._known)

    def clean_up(self) -> list[BudgetAllocation]:
        """Keep alive what shall live longer than the ledger holds; what has ended by time since."""
        for held in self._allocations.active():
            self.keep_alive(held)
            self.seen(held)
        with self._lock:
            due = [one.context_id for one in self._known.values() if one.is_expired]
        return [one for context_id in due if (one := self._ended(context_id)) is not None]

    def keep_alive(self, held: Held) -> None:
        """Let the ledger hold a long one for another day, if that is soon over."""
        now = clock.now()
        if held.is_long and not held.is_over and held.holds_until - now < KEEP_ALIVE_BELOW:
            seconds = whole_seconds(min(held.ends_at - now, HOLD_MAX))
            self._budget.extend(held.id, seconds)

    def _ended(self, context_id: str) -> BudgetAllocation | None:
        """Let go of it, unless somebody gave it more time or the context holds another."""
        held = self._allocations.of_context(context_id)
        shown = None if held is None else self.seen(held)
        if shown is not None and not shown.is_expired:
            return None
        with self._lock:
            self._known.pop(context_id, None)
        if shown is not None:
            shown.is_active = False
        return shown

    def _contexts(self) -> set[str]:
        with self._lock:
            return set(self._known)
