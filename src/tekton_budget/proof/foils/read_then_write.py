"""Read-then-write: look whether it fits, then write the new value; what an ORM makes of `+=`."""

from tekton_budget.proof.adapter import Granted
from tekton_budget.proof.foils.store import Foil, held_amount


class ReadThenWrite(Foil):
    """Between its read and its write others read the same value: both are let through."""

    def reserve(self, amount: int, id: str, group: str) -> Granted | None:
        """Granted if it fitted when it was looked at."""
        with self.connection(group) as connection:
            query = "SELECT spent, held FROM counters WHERE grp = ?"
            spent, held = connection.rows(query, group)[0]
            if spent + held + amount > self.limit:
                return None
            connection.change("UPDATE counters SET held = ? WHERE grp = ?", held + amount, group)
            insert = "INSERT INTO holds (id, grp, amount) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            connection.change(insert, id, group, amount)
        return Granted(id, amount)

    def settle(self, id: str, real: int) -> None:
        """Move it from held to spent, as they were when looked at."""
        with self.connection() as connection:
            hold = held_amount(connection, id)
            if hold is None:
                return
            group, amount = hold
            query = "SELECT spent, held FROM counters WHERE grp = ?"
            spent, held = connection.rows(query, group)[0]
            update = "UPDATE counters SET spent = ?, held = ? WHERE grp = ?"
            connection.change(update, spent + real, max(0, held - amount), group)
            connection.change("UPDATE holds SET ended = 1 WHERE id = ?", id)
