"""The policies and prices of the generation in force, read again only when they changed."""

from sqlalchemy import Table

from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.domain.price import PriceBook
from tekton_budget.storage import tables
from tekton_budget.storage.packing import budget_from_row, policy_from_row, price_from_row
from tekton_budget.storage.session import GENERATIONS, Session


class Cache:
    """What every batch needs and few change; compared with the store's generations each time."""

    def __init__(self) -> None:
        self.policies = PolicySet(generation=-1)
        self.book = PriceBook()
        self._price_generation = -1

    def copy(self) -> "Cache":
        """For a transaction that changes policies: what it sees inside may never come to be."""
        other = Cache()
        other.adopt(self)
        return other

    def adopt(self, other: "Cache") -> None:
        """That transaction is durable."""
        self.policies, self.book = other.policies, other.book
        self._price_generation = other._price_generation  # noqa: SLF001  (of its own kind)

    def refresh(self, session: Session) -> None:
        """Inside a transaction: bring both up to what it sees."""
        self.bring_to(session, *session.execute(GENERATIONS)[0])

    def bring_to(self, session: Session, policy_generation: int, price_generation: int) -> None:
        """Inside a transaction: bring both up to the generations it began with."""
        if policy_generation != self.policies.generation:
            self.policies = PolicySet(
                [policy_from_row(row) for row in _all(session, tables.policies)],
                [budget_from_row(row) for row in _all(session, tables.budgets)],
                policy_generation,
            )
        if price_generation != self._price_generation:
            self.book = PriceBook(price_from_row(row) for row in _all(session, tables.prices))
            self._price_generation = price_generation


def _all(session: Session, table: Table) -> list[dict[str, object]]:
    names = [column.name for column in table.columns]
    rows = session.execute(f"SELECT {', '.join(names)} FROM {table.name}")
    return [dict(zip(names, row, strict=True)) for row in rows]
