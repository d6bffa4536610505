"""The policies and prices of the generation in force, read again only when they changed."""

from sqlalchemy import Table

from tekton_budget.domain.errors import Unavailable
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.domain.price import PriceBook
from tekton_budget.storage import tables
from tekton_budget.storage.packing import budget_from_row, policy_from_row
from tekton_budget.storage.rows.prices import load_book
from tekton_budget.storage.session import GENERATIONS, Session


class Cache:
    """What every batch needs and few change; compared with the store's generations each time."""

    def __init__(self, zone: str | None = None) -> None:
        self.zone = zone  # in which this process cuts days
        self.policies = PolicySet(generation=-1)
        self.book = PriceBook()
        self._price_generation = -1

    def copy(self) -> "Cache":
        """For a transaction that changes policies: what it sees inside may never come to be."""
        other = Cache(self.zone)
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
            self._same_zone(session)
            self.policies = PolicySet(
                [policy_from_row(row) for row in _all(session, tables.policies)],
                [budget_from_row(row) for row in _all(session, tables.budgets)],
                policy_generation,
            )
        if price_generation != self._price_generation:
            self.book = load_book(lambda table, names: _rows(session, table, names), self.book)
            self._price_generation = price_generation

    def _same_zone(self, session: Session) -> None:
        """Days cut in two zones could not be told apart: whoever has another one stops writing."""
        known = session.execute("SELECT timezone FROM meta")[0][0]
        if None not in (known, self.zone) and known != self.zone:
            raise Unavailable(
                f"The days of this database are cut in {known} now, and this process cuts them in "
                f"{self.zone}. Nothing was changed. Start it again.",
                code="timezone_differs",
            )


def _all(session: Session, table: Table) -> list[dict[str, object]]:
    return _rows(session, table, ", ".join(column.name for column in table.columns))


def _rows(session: Session, table: Table, names: str) -> list[dict[str, object]]:
    rows = session.execute(f"SELECT {names} FROM {table.name}")
    return [dict(zip(names.split(", "), row, strict=True)) for row in rows]
