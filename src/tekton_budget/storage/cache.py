"""The policies and prices of the generation in force, read again only when they changed."""

from sqlalchemy import Table

from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.domain.price import PriceBook
from tekton_budget.storage import tables
from tekton_budget.storage.packing import budget_from_row, policy_from_row, price_from_row
from tekton_budget.storage.session import Session


class Cache:
    """What every batch needs and few change; compared with the store's generations each time."""

    def __init__(self) -> None:
        self.policies = PolicySet(generation=-1)
        self.book = PriceBook()
        self._price_generation = -1

    def forget(self) -> None:
        """After a rollback: what was seen inside the transaction may never have been."""
        self.policies = PolicySet(generation=-1)
        self._price_generation = -1

    def refresh(self, session: Session) -> None:
        """Inside a transaction: bring both up to the generation that it sees."""
        rows = session.execute("SELECT policy_generation, price_generation FROM meta")
        policy_generation, price_generation = rows[0]
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
