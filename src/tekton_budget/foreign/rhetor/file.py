"""A copy of a SQLite file, opened from its bytes; what is damaged is refused."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tekton_budget.domain.errors import FieldFault, InvalidInput
from tekton_budget.foreign.rhetor.shape import BESIDE, Row
from tekton_budget.foreign.store import Fault

if TYPE_CHECKING:
    from sqlite3 import Connection

_MAGIC = b"SQLite format 3\x00"


@contextmanager
def opened(database: bytes, beside: Mapping[str, bytes]) -> Iterator["Connection"]:
    """A copy of the file, opened as its writer would: what lies in `-wal` or `-journal` counts."""
    import sqlite3

    if not database.startswith(_MAGIC):
        raise refused("this is no SQLite database; name the file that Rhetor wrote, rhetor.db")
    with TemporaryDirectory(prefix="tekton-budget-rhetor-") as folder:
        path = Path(folder) / "rhetor.db"
        path.write_bytes(database)
        for ending in BESIDE:
            if ending in beside:
                path.with_name(path.name + ending).write_bytes(beside[ending])
        try:
            with closing(sqlite3.connect(path)) as connection:
                connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
                [(verdict,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
                if verdict != "ok":
                    raise _damaged(verdict)
                connection.row_factory = sqlite3.Row
                yield connection
        except sqlite3.DatabaseError as error:
            raise _damaged(str(error)) from error


def _damaged(what: str) -> InvalidInput:
    return refused(
        f"the SQLite file is cut short or damaged ({what}); copy it again while Rhetor is stopped, "
        'or mend it with: sqlite3 rhetor.db ".recover" | sqlite3 mended.db'
    )


def refused(text: str) -> InvalidInput:
    return InvalidInput(f"rhetor.db: {text}", FieldFault("database", text))


def rows_of(
    connection: "Connection", table: str, columns: Sequence[str], faults: list[Fault]
) -> Iterator[Row] | None:
    """The table's rows by number, a missing column read as NULL; `None` if there is no table."""
    there = {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")}
    if not there:
        faults.append(Fault(table, "there is no such table; nothing was read of it"))
        return None
    faults += [
        Fault(table, f"there is no column {column}; it is read as empty")
        for column in columns
        if column not in there
    ]
    read = ", ".join(name if name in there else f"NULL AS {name}" for name in columns)
    statement = f"SELECT rowid AS id, {read} FROM {table} ORDER BY rowid"  # noqa: S608 - our names
    return (dict(row) for row in connection.execute(statement))
