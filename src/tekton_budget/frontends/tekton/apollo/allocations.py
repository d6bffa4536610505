"""Apollo's allocations as the ledger holds them: at most one a context, found by its labels.

The ledger is the only place where they are kept, so that every process sees the same ones, after a
restart too. What has no field there stands under `apollo` in an allocation's metadata.
"""

import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import to_jsonable_python

from tekton_budget.domain.errors import Conflict
from tekton_budget.face.budget import Budget
from tekton_budget.face.request import new_id
from tekton_budget.foreign.rows import cleaned
from tekton_budget.frontends.tekton.apollo import clock
from tekton_budget.frontends.tekton.apollo.models import LIFETIME, BudgetAllocation, BudgetTier

Answer = Mapping[str, Any]  # Any: decoded JSON

OWN = "apollo"  # in metadata, and as the label by which these allocations are found
KEPT_BY = {"kept_by": OWN}
HOLD_MAX = timedelta(hours=24)  # the ledger's longest; what lives longer is kept alive
KEEP_ALIVE_BELOW = timedelta(hours=12)
PAGE = 500
TRIES = 5
TURNS = 64

_LABELS = ("context_id", "component", "task_type", "provider", "model")


class Allocations:
    """What contexts hold."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._turns = [threading.Lock() for _ in range(TURNS)]

    def of_context(self, context_id: str) -> "Held | None":
        """The latest one of a context, whether it has ended or not."""
        if not context_id:
            return None
        labels = {**KEPT_BY, "context_id": context_id}
        found = [Held(one) for one in self._budget.allocations(labels=labels, limit=5)["items"]]
        # One that was made in the place of another may be of the same moment.
        return max(found, key=lambda one: (one.answer["creation_time"], one.holds), default=None)

    def by_id(self, allocation_id: str) -> "Held":
        """By the ledger's id."""
        return Held(self._budget.allocation(allocation_id))

    def active(self, labels: Mapping[str, str] | None = None) -> "Iterator[Held]":
        """All that hold now, the newest first."""
        after = None
        while True:
            page = self._budget.allocations(
                labels={**KEPT_BY, **(labels or {})}, is_active=True, after=after, limit=PAGE
            )
            yield from filter(lambda one: one.holds, map(Held, page["items"]))
            after = page["next"]
            if after is None:
                return

    def take(self, wanted: BudgetAllocation, before: "Held | None" = None) -> "tuple[Held, Answer]":
        """Hold what is wanted, in the place of all that its context holds: both or neither.

        The allocation, and the ledger's answer. `BudgetExceeded` where it does not fit; the context
        keeps what it had. `before` is the part that this one goes on from.
        """
        ask = _ask(wanted, before)
        with self._turns[hash(wanted.context_id) % TURNS]:
            for _ in range(TRIES):
                try:
                    return self._taken(wanted.context_id, ask)
                except Conflict:  # one of them was ended by somebody else meanwhile
                    continue
            return self._taken(wanted.context_id, ask)

    def _taken(self, context_id: str, ask: dict[str, Any]) -> "tuple[Held, Answer]":
        labels = {**KEPT_BY, "context_id": context_id}
        held = self._budget.allocations(labels=labels, is_active=True, limit=PAGE)["items"]
        if not held:
            answer = self._budget.allocate(**ask).grant.answer
            return Held(answer), answer
        ends = [{"do": "release", "allocation_id": one["allocation_id"]} for one in held]
        results = self._budget.batch([*ends, {"do": "allocate", **ask}], atomic=True)
        answer = results[-1]["body"]
        return Held(answer), answer


class Held:
    """One allocation of the ledger, read in Apollo's words.

    A context's allocation may be several of the ledger's, one after the other: `before` is what
    earlier ones had, of which this one goes on.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.labels: Mapping[str, str] = answer["labels"]
        kept = answer["metadata"].get(OWN)
        self.kept: Mapping[str, Any] = kept if isinstance(kept, Mapping) else {}

    @property
    def id(self) -> str:
        """The ledger's id of it."""
        return str(self.answer["allocation_id"])

    @property
    def status(self) -> str:
        """The ledger's word."""
        return str(self.answer["status"])

    @property
    def holds_until(self) -> datetime:
        """When the ledger ends it."""
        return datetime.fromisoformat(self.answer["expires_at"])

    @property
    def ends_at(self) -> datetime:
        """When its time is over: when the ledger ends it, unless it is to be kept alive longer."""
        later = self.kept.get("ends_at")
        return self.holds_until if later is None else datetime.fromisoformat(later)

    @property
    def is_long(self) -> bool:
        """Whether the ledger alone would end it too early."""
        return "ends_at" in self.kept

    @property
    def is_over(self) -> bool:
        """Whether its time is over."""
        return clock.now() > self.ends_at

    @property
    def holds(self) -> bool:
        """Whether usage belongs to it."""
        return self.status == "active" and not self.is_over

    @property
    def is_interrupted(self) -> bool:
        """Whether the ledger ended it because nobody kept it alive, and its time is not over."""
        return self.status == "expired" and not self.is_over

    @property
    def used_before(self) -> int:
        """Tokens used of its earlier parts."""
        return int(self.kept.get("used_before", 0))

    def in_words(self) -> BudgetAllocation:
        """As Apollo's model."""
        answer, said = self.answer, self.kept.get("said", {})
        named = {name: said.get(name, self.labels.get(name)) for name in _LABELS}
        allocated = answer["tokens_allocated"] + self.used_before
        used = answer["tokens_used"] + self.used_before
        created = self.kept.get("created_at") or answer["creation_time"]
        return BudgetAllocation(
            **{
                **named,
                "component": named["component"] or "",
                "task_type": named["task_type"] or "",
            },
            allocation_id=self.kept.get("allocation_id") or self.id,
            tier=BudgetTier(self.labels["tier"]),
            priority=min(10, max(1, answer["priority"])),
            tokens_allocated=allocated,
            tokens_used=used,
            creation_time=clock.local(datetime.fromisoformat(created)),
            expiration_time=clock.local(self.ends_at),
            is_active=self.status == "active" and not (used and used >= allocated),
            metadata=self.kept.get("metadata", {}),
        )


def whole_seconds(span: timedelta) -> int:
    """As the ledger counts lifetimes: not less than was asked for, and at least 1."""
    return max(1, -(-span // timedelta(seconds=1)))


def labels_of(allocation: BudgetAllocation) -> dict[str, str]:
    """What the ledger is told of its calls; an empty text is no label."""
    said = {name: getattr(allocation, name) for name in _LABELS}
    given = {name: value for name, value in said.items() if value}
    return {**KEPT_BY, **given, "tier": str(allocation.tier)}


def _ask(wanted: BudgetAllocation, before: Held | None) -> dict[str, Any]:
    now = clock.now()
    assert wanted.expiration_time is not None, "an allocation ends"
    ends_at = wanted.expiration_time.astimezone()
    labels = labels_of(wanted)
    kept: dict[str, Any] = {}
    unsaid = {n: v for n in _LABELS if (v := getattr(wanted, n)) is not None and n not in labels}
    if unsaid:
        kept["said"] = unsaid
    if wanted.metadata:
        kept["metadata"] = to_jsonable_python(cleaned(wanted.metadata), fallback=str)
    if ends_at > now + HOLD_MAX:
        kept["ends_at"] = ends_at.isoformat()
    used = 0
    if before is not None:
        used = wanted.tokens_used
        kept["allocation_id"] = wanted.allocation_id
        kept["created_at"] = wanted.creation_time.astimezone().isoformat()
        kept["used_before"] = used
    return {
        "allocation_id": wanted.allocation_id if before is None else new_id(),
        "labels": labels,
        "tokens": max(0, wanted.tokens_allocated - used),
        "priority": wanted.priority,
        **_until(wanted, ends_at, now, is_new=before is None),
        "metadata": {OWN: kept} if kept else {},
    }


def _until(
    wanted: BudgetAllocation, ends_at: datetime, now: datetime, *, is_new: bool
) -> dict[str, Any]:
    """A day counts from when the ledger grants it; other ends are moments."""
    if is_new and wanted.expiration_time == wanted.creation_time + LIFETIME:
        return {"lifetime_seconds": whole_seconds(LIFETIME)}
    return {"expires_at": min(ends_at, now + HOLD_MAX).isoformat()}
