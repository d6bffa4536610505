"""Runs as rows: found by name, by id, or by the hash of the token that their calls carry."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, func, select, tuple_

from tekton_budget.domain.run import Counted, Run
from tekton_budget.storage import tables
from tekton_budget.storage.housekeeping import Execute, beside
from tekton_budget.storage.packing import json_text
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.session import Session
from tekton_budget.storage.writer import Writer

COLUMNS = (
    "run_id, name, policy_id, labels, outer_id, key_id, key_name, command, land_note, reserve_id, "
    "lease_us, created_us, started_us, alive_until_us, ended_us, exit_code, calls, refused, clamped"
)
_SET = (
    "name, token_hash, policy_id, labels, outer_id, key_id, key_name, command, land_note, "
    "reserve_id, lease_us, created_us, started_us, alive_until_us, ended_us, exit_code"
)
_runs = tables.runs.c
_COLUMNS = [_runs[name.strip()] for name in COLUMNS.split(",")]
_BEAT = (
    "UPDATE runs SET alive_until_us = ? + lease_us WHERE run_id = ? AND ended_us IS NULL "
    "AND started_us <= ?"
)
_END = "UPDATE runs SET ended_us = ?, exit_code = ? WHERE run_id = ? AND ended_us IS NULL"
_COUNT = (
    "UPDATE runs SET calls = calls + ?, refused = refused + ?, clamped = clamped + ? "
    "WHERE run_id = ?"
)


class RunPlace(NamedTuple):
    """Where a walk stopped."""

    started_us: int
    run_id: str


def run_from_row(row: Sequence[Any]) -> Run:
    """A run from its columns in the order of `COLUMNS`."""
    columns = list(row)
    columns[3] = msgspec.json.decode(row[3], type=dict[str, str])
    return Run(*columns)


def run_named(session: Session, name: str) -> Run | None:
    """The run of a name, as the writer sees it."""
    rows = session.by_keys(tables.runs, COLUMNS, "name", [name])
    return run_from_row(rows[0]) if rows else None


def put_run(session: Session, run: Run, token_hash: str) -> None:
    """A new run, or one that is continued; its counters go on."""
    row = (
        run.run_id,
        run.name,
        token_hash,
        run.policy_id,
        json_text(run.labels),
        run.outer_id,
        run.key_id,
        run.key_name,
        run.command,
        run.land_note,
        run.reserve_id,
        run.lease_us,
        run.created_us,
        run.started_us,
        run.alive_until_us,
        run.ended_us,
        run.exit_code,
    )
    session.write(session.statements.put(tables.runs, "run_id", _SET), [row])


class RunRows:
    """Runs, read beside the writers; signs of life are short transactions of their own."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    def by_token(self, token_hash: str) -> Run | None:
        """The run that a token belongs to."""
        return self._one(_runs.token_hash == token_hash)

    def by_id(self, run_id: str) -> Run | None:
        """By id."""
        return self._one(_runs.run_id == run_id)

    def named(self, name_or_id: str) -> Run | None:
        """By name, else by id."""
        return self._one(_runs.name == name_or_id) or self.by_id(name_or_id)

    def inside(self, name: str, most: int) -> list[Run]:
        """The runs nested in one, at any depth, by name."""
        below = func.substr(_runs.name, 1, len(name) + 1) == f"{name}/"
        query = select(*_COLUMNS).where(_runs.name > name, below)
        return [
            run_from_row(row) for row in self._reader.rows(query.order_by(_runs.name).limit(most))
        ]

    def walk(self, *, limit: int, after: RunPlace | None, alive_us: int | None) -> list[Run]:
        """Latest start first; only those alive at a moment, if one is given."""
        query = select(*_COLUMNS)
        if after is not None:
            query = query.where(tuple_(_runs.started_us, _runs.run_id) < tuple_(*after))
        if alive_us is not None:
            query = query.where(_runs.ended_us.is_(None), _runs.alive_until_us > alive_us)
        query = query.order_by(_runs.started_us.desc(), _runs.run_id.desc()).limit(limit)
        return [run_from_row(row) for row in self._reader.rows(query)]

    def beat(self, run_id: str, now_us: int) -> None:
        """Alive for another lease, unless it has ended."""
        self._write(_BEAT, [(now_us, run_id, now_us)])

    def end(self, run_id: str, now_us: int, exit_code: int | None) -> None:
        """Over. The first end is the one that is kept."""
        self._write(_END, [(now_us, exit_code, run_id)])

    def add(self, counted: Mapping[str, Counted]) -> None:
        """Add to the counters of several runs."""
        rows = [(c.calls, c.refused, c.clamped, run_id) for run_id, c in sorted(counted.items())]
        self._write(_COUNT, rows)

    def _write(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        def work(execute: Execute) -> None:
            for row in rows:
                execute(sql, row)

        beside(self._reader, self._writer, work)

    def _one(self, matches: ColumnElement[bool]) -> Run | None:
        rows = self._reader.rows(select(*_COLUMNS).where(matches))
        return run_from_row(rows[0]) if rows else None
