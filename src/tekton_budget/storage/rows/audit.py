"""The audit as rows: who changed what, newest first."""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select

from tekton_budget.storage import tables
from tekton_budget.storage.reading import Reader

_a = tables.audit.c


class Audited(NamedTuple):
    """One change a person made; before and after are JSON as it was written."""

    no: int
    at_us: int
    key_id: str
    actor: str
    verb: str
    object_kind: str
    object_id: str
    before: Any
    after: Any


class AuditRows:
    """The table of the audit, read."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def walk(
        self,
        *,
        limit: int,
        after: int | None = None,
        object_kind: str | None = None,
        object_id: str | None = None,
    ) -> list[Audited]:
        """Up to `limit` changes before a number."""
        query = select(*_a).order_by(_a.no.desc()).limit(limit)
        if after is not None:
            query = query.where(_a.no < after)
        if object_kind is not None:
            query = query.where(_a.object_kind == object_kind)
        if object_id is not None:
            query = query.where(_a.object_id == object_id)
        decode = msgspec.json.decode
        return [
            Audited(*row[:7], decode(row[7]), decode(row[8]))  # type: ignore[call-arg]  # nine columns
            for row in self._reader.rows(query)
        ]
