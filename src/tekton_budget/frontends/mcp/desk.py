"""The desk: whose budget a client works on, and what its session remembers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tekton_budget.domain.errors import BudgetError, Conflict, NotFound
from tekton_budget.face.budget import AsyncBudget
from tekton_budget.frontends.mcp.news import EveryMoment, News

Json = Mapping[str, Any]  # Any: decoded JSON

REMEMBERED_MAX = 100  # allocations of one session
LISTED_MAX = 50
MADE_HERE = {"made_by": "mcp"}  # of allocations, so that no other program's is taken for one


@dataclass(slots=True)
class Memory:
    """What one session did last."""

    allocations: list[str] = field(default_factory=list)  # under way, the latest last
    denial: Json | None = None

    def made(self, allocation_id: str) -> None:
        """One more is under way."""
        self.allocations = [*self.allocations, allocation_id][-REMEMBERED_MAX:]

    def ended(self, allocation_id: str) -> None:
        """One is over."""
        self.allocations = [one for one in self.allocations if one != allocation_id]


@dataclass(frozen=True, slots=True)
class Desk:
    """A face with the client's own key and labels. `memory` is `None` where nothing lasts."""

    face: AsyncBudget
    memory: Memory | None = None
    administers: bool = False  # whether its tools are those of administration
    news: News = field(default_factory=EveryMoment)  # for what it watches

    async def latest(self) -> tuple[str, str]:
        """The allocation that is meant where none is named, and how it was found.

        That which this session made last; else the only one under way that was made by these tools
        under these labels. Of several no one is guessed.
        """
        if self.memory is not None and self.memory.allocations:
            return self.memory.allocations[-1], "the latest of this session"
        page = await self.face.allocations(
            labels=self.face.labels, is_active=True, limit=LISTED_MAX
        )
        found = [
            one["allocation_id"]
            for one in page["items"]
            if one["parent_id"] is None and MADE_HERE.items() <= one["metadata"].items()
        ]
        if len(found) == 1:
            return found[0], "the only one under way with these labels"
        if not found:
            raise NotFound(
                "No allocation of yours is under way: call allocate first, or name one by "
                "allocation_id.",
                code="allocation_not_found",
            )
        raise Conflict(
            f"{len(found)} allocations are under way: say which by allocation_id: "
            f"{', '.join(found[:10])}.",
            code="ambiguous",
            choices=found,
        )

    def remember_made(self, allocation_id: str) -> None:
        """One more is under way."""
        if self.memory is not None:
            self.memory.made(allocation_id)

    def remember_ended(self, allocation_id: str) -> None:
        """One is over."""
        if self.memory is not None:
            self.memory.ended(allocation_id)

    def remember_denial(self, denial: Json) -> None:
        """For `explain_denial`."""
        if self.memory is not None:
            self.memory.denial = denial


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool says: a sentence or a few, then the numbers."""

    text: str
    data: Json = field(default_factory=dict)


def told(error: BudgetError) -> Answer:
    """A refusal that a model can act on: why, the code, and what is known of the case."""
    facts = {k: v for k, v in error.extra.items() if k not in ("type", "title", "status")}
    return Answer(error.detail, {**facts, "code": error.code})
