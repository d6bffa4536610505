"""Housekeeping: numbering committed events and deleting what is old, in small steps."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import func, select

from tekton_budget.storage import tables
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.session import RELAY_LOCK, Rows
from tekton_budget.storage.writer import Exclusively, Writer

CHUNK_ROWS = 1000

Execute = Callable[[str, Sequence[object]], Rows]  # a statement with ? and what is bound
T = TypeVar("T")

_UNNUMBERED = "SELECT no FROM outbox WHERE position IS NULL ORDER BY no LIMIT ?"
_NUMBER = (
    "UPDATE outbox SET position = ? + next.place FROM "
    f"(SELECT no, row_number() OVER (ORDER BY no) AS place FROM ({_UNNUMBERED}) AS waiting) next "
    "WHERE outbox.no = next.no"
)
_LAST_POSITION = "SELECT coalesce(max(position), ?) FROM outbox"


class Housekeeping:
    """Small transactions beside the ledger's; several processes may run them at once.

    On SQLite they go through the writer, so that a process has one writing connection; on
    PostgreSQL they have one of their own and hold no lock that batches wait for.
    """

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    def number_outbox(self) -> int:
        """Give committed events the next positions, in their order and without gaps; how many.

        One process at a time: whoever comes second has nothing to do. An event that depends on
        another was inserted after that one was committed, so the order of numbers keeps causes
        before effects; an event committed late gets a later position, which nobody has passed.
        """
        waiting = select(tables.outbox.c.no).where(tables.outbox.c.position.is_(None)).limit(1)
        if not self._reader.rows(waiting):
            return 0
        return self._run(self._numbered)

    def prune_outbox(self, before_us: int) -> int:
        """Delete the oldest numbered events of a time long past."""
        oldest = (
            "SELECT no, at_us FROM outbox WHERE position IS NOT NULL ORDER BY position "
            f"LIMIT {CHUNK_ROWS}"
        )
        return self._run(
            lambda execute: _deleted(
                execute,
                "SELECT count(*) FROM (" + oldest + ") AS o WHERE o.at_us < ?",
                "DELETE FROM outbox WHERE no IN "
                f"(SELECT o.no FROM ({oldest}) AS o WHERE o.at_us < ?)",
                before_us,
            )
        )

    def prune(self, table: str, key: str, moment: str, before_us: int) -> int:
        """Delete some of the oldest rows of a table, by an index on their moment."""
        old = f"SELECT {key} FROM {table} WHERE {moment} < ? ORDER BY {moment} LIMIT {CHUNK_ROWS}"
        return self._run(
            lambda execute: _deleted(
                execute,
                f"SELECT count(*) FROM ({old}) AS o",
                f"DELETE FROM {table} WHERE ({key}) IN ({old})",
                before_us,
            )
        )

    def _numbered(self, execute: Execute) -> int:
        if self._reader.is_postgresql:
            locked = execute("SELECT pg_try_advisory_xact_lock(?)", (RELAY_LOCK,))
            if not locked[0][0]:
                return 0
        last = int(execute("SELECT last_position FROM meta", ())[0][0])
        execute(_NUMBER, (last, CHUNK_ROWS))
        position = int(execute(_LAST_POSITION, (last,))[0][0])
        if position > last:
            execute("UPDATE meta SET last_position = ?", (position,))
        return max(0, position - last)

    def _run(self, work: Callable[[Execute], T]) -> T:
        return beside(self._reader, self._writer, work)


def beside(reader: Reader, writer: Writer, work: Callable[[Execute], T]) -> T:
    """A short transaction beside the ledger's; statements mark what is bound by `?`."""
    if not reader.is_postgresql:
        return writer.exclusively(lambda alone: work(_by_session(alone))).result()
    with reader.writing() as connection:

        def execute(sql: str, parameters: Sequence[object]) -> Rows:
            result = connection.exec_driver_sql(sql.replace("?", "%s"), tuple(parameters))
            return [tuple(row) for row in result] if result.returns_rows else []

        return work(execute)


def _by_session(alone: Exclusively) -> Execute:
    return alone.session.execute


def _deleted(execute: Execute, count: str, delete: str, before_us: int) -> int:
    number = int(execute(count, (before_us,))[0][0])
    if number:
        execute(delete, (before_us,))
    return number


def unnumbered_count(reader: Reader) -> int:
    """Events that wait for their position."""
    query = select(func.count()).where(tables.outbox.c.position.is_(None))
    return int(reader.rows(query)[0][0])
