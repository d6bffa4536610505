"""Optimistic retry: write only if the row is still the version that was read, else read again."""

import random
import time

from tekton_budget.proof.adapter import Granted
from tekton_budget.proof.foils.store import Connection, Foil, held_amount

TRIES = 100
PAUSE_SECONDS = 0.005
INSERT = "INSERT INTO holds (id, grp, amount) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"


class Stale(Exception):
    """Someone else wrote in between."""


class Optimistic(Foil):
    """Exact, as long as it gets a turn: where many want one row, most tries are in vain."""

    def reserve(self, amount: int, id: str, group: str) -> Granted | None:
        """Granted if it fits the version that it is written on; denied after too many tries."""
        for attempt in range(TRIES):
            with self.connection(group) as connection:
                known = connection.rows("SELECT amount FROM holds WHERE id = ?", id)
                if known:
                    return Granted(id, int(known[0][0]))
                spent, held, version = _read(connection, group)
                if spent + held + amount > self.limit:
                    return None
                try:
                    with connection.together():
                        _write(connection, group, version, spent, held + amount)
                        connection.change(INSERT, id, group, amount)
                except Stale:
                    pass
                else:
                    return Granted(id, amount)
            _pause(attempt)
        return None

    def settle(self, id: str, real: int) -> None:
        """Move it from held to spent; here there is no giving up."""
        attempt = 0
        while True:
            with self.connection() as connection:
                hold = held_amount(connection, id)
                if hold is None:
                    return
                group, amount = hold
                spent, held, version = _read(connection, group)
                try:
                    with connection.together():
                        _write(connection, group, version, spent + real, held - amount)
                        connection.change("UPDATE holds SET ended = 1 WHERE id = ?", id)
                except Stale:
                    pass
                else:
                    return
            attempt += 1
            _pause(attempt)


def _read(connection: Connection, group: str) -> tuple[int, int, int]:
    query = "SELECT spent, held, version FROM counters WHERE grp = ?"
    spent, held, version = connection.rows(query, group)[0]
    return spent, held, version


def _write(connection: Connection, group: str, version: int, spent: int, held: int) -> None:
    update = (
        "UPDATE counters SET spent = ?, held = ?, version = version + 1 "
        "WHERE grp = ? AND version = ?"
    )
    if connection.change(update, spent, held, group, version) == 0:
        raise Stale


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, PAUSE_SECONDS * min(8, attempt + 1)))
