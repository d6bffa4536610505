"""Count after the fact: let through while anything is left, add up what calls report later."""

from tekton_budget.proof.adapter import Budget, Granted
from tekton_budget.proof.foils.store import Foil
from tekton_budget.proof.stores import Place


class AfterTheFact(Foil):
    """What is under way is not counted, so whoever comes before the first report is let through."""

    def __init__(self, place: Place, budget: Budget) -> None:
        super().__init__(place, budget)
        self._groups: dict[str, str] = {}

    def reserve(self, amount: int, id: str, group: str) -> Granted | None:
        """Granted while the limit is not reached; nothing is written."""
        if self.spent(group) >= self.limit:
            return None
        self._groups[id] = group
        return Granted(id, amount)

    def settle(self, id: str, real: int) -> None:
        """Add it, in one statement, so that no report is lost."""
        group = self._groups.pop(id)
        with self.connection(group) as connection:
            update = "UPDATE counters SET spent = spent + ? WHERE grp = ?"
            connection.change(update, real, group)
