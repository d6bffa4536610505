"""Keys as rows: only the hash of a key is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import select

from tekton_budget.domain.caller import Caller, Role
from tekton_budget.storage import tables
from tekton_budget.storage.packing import json_text
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.session import Session

COLUMNS = (
    "key_id, name, role, hash, prefix, labels, requires, max_priority, created_us, expires_us, "
    "revoked_us, last_used_us, ladder, takes_user"
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as stored. `prefix` is what may be shown of it."""

    key_id: str
    name: str
    role: Role
    hash: str
    prefix: str
    labels: dict[str, str]
    requires: tuple[str, ...]
    max_priority: int
    created_us: int
    expires_us: int | None = None
    revoked_us: int | None = None
    last_used_us: int | None = None
    ladder: tuple[str, ...] = ()
    takes_user: bool = False

    def is_valid(self, now_us: int) -> bool:
        """Neither revoked nor past its end. A revocation may lie ahead, while a key is rotated."""
        ends = [end for end in (self.expires_us, self.revoked_us) if end is not None]
        return all(now_us < end for end in ends)

    def caller(self) -> Caller:
        """Who this key stands for."""
        return Caller(
            self.key_id,
            self.name,
            self.role,
            self.labels,
            self.requires,
            self.max_priority,
            self.ladder,
            self.takes_user,
        )


def key_from_row(row: Sequence[Any]) -> Key:
    """A key from its columns in the order of `COLUMNS`."""
    return Key(
        key_id=row[0],
        name=row[1],
        role=Role(row[2]),
        hash=row[3],
        prefix=row[4],
        labels=msgspec.json.decode(row[5], type=dict[str, str]),
        requires=tuple(msgspec.json.decode(row[6])),
        max_priority=row[7],
        created_us=row[8],
        expires_us=row[9],
        revoked_us=row[10],
        last_used_us=row[11],
        ladder=tuple(msgspec.json.decode(row[12])),
        takes_user=bool(row[13]),
    )


def insert_key(session: Session, key: Key) -> None:
    """One more key."""
    row = (
        key.key_id,
        key.name,
        key.role.value,
        key.hash,
        key.prefix,
        json_text(key.labels),
        json_text(key.requires),
        key.max_priority,
        key.created_us,
        key.expires_us,
        key.revoked_us,
        key.last_used_us,
        json_text(key.ladder),
        int(key.takes_user),
    )
    session.write(session.statements.insert(tables.keys, COLUMNS), [row])


def all_keys(session: Session) -> list[Key]:
    """Every key, oldest first."""
    rows = session.execute(f"SELECT {COLUMNS} FROM keys ORDER BY created_us, key_id")
    return [key_from_row(row) for row in rows]


def read_keys(reader: Reader) -> list[Key]:
    """The same beside the writers."""
    table = tables.keys.c
    columns = [table[name.strip()] for name in COLUMNS.split(",")]
    query = select(*columns).order_by(table.created_us, table.key_id)
    return [key_from_row(row) for row in reader.rows(query)]


def set_revoked(session: Session, key_id: str, revoked_us: int) -> None:
    """No longer valid from a moment on."""
    statement = session.statements.update(tables.keys, "key_id", "", "revoked_us")
    session.write(statement, [(revoked_us, key_id)])


def set_last_used(session: Session, used_us: dict[str, int]) -> None:
    """When each was last seen."""
    statement = session.statements.update(tables.keys, "key_id", "", "last_used_us")
    session.write(statement, [(at_us, key_id) for key_id, at_us in sorted(used_us.items())])
