"""Guarded `UPDATE`: check and write in one statement, a hold row in the same transaction."""

from tekton_budget.proof.adapter import Granted
from tekton_budget.proof.foils.store import Connection, Foil, held_amount

INSERT = "INSERT INTO holds (id, grp, amount) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
GUARDED = "UPDATE counters SET held = held + ? WHERE grp = ? AND spent + held + ? <= ?"


class _DoesNotFit(Exception):
    pass


def _hold(connection: Connection, amount: int, group: str, limit: int) -> None:
    if connection.change(GUARDED, amount, group, amount, limit) == 0:
        raise _DoesNotFit


class Guarded(Foil):
    """Exact, safe to repeat. It costs a transaction a verb on one row, and holds never expire."""

    def reserve(self, amount: int, id: str, group: str) -> Granted | None:
        """Granted if the one statement found room."""
        with self.connection(group) as connection:
            try:
                with connection.together():
                    if connection.change(INSERT, id, group, amount) == 0:
                        known = connection.rows("SELECT amount FROM holds WHERE id = ?", id)
                        return Granted(id, int(known[0][0]))
                    _hold(connection, amount, group, self.limit)
            except _DoesNotFit:
                return None
        return Granted(id, amount)

    def settle(self, id: str, real: int) -> None:
        """Move it from held to spent, once."""
        with self.connection() as connection:
            hold = held_amount(connection, id)
            if hold is None:
                return
            group, amount = hold
            with connection.together():
                ended = "UPDATE holds SET ended = 1 WHERE id = ? AND ended = 0"
                if connection.change(ended, id):
                    move = "UPDATE counters SET held = held - ?, spent = spent + ? WHERE grp = ?"
                    connection.change(move, amount, real, group)
