"""A service to import into, and stores to import."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from tests.foreign.apollo_made import Json, packed
from tests.service.writing.conftest import NOON_US, Clock, clock, quick, running

from tekton_budget.domain.caller import LOCAL
from tekton_budget.service.importing import ImportOptions, ImportReport
from tekton_budget.storage import tables
from tekton_budget.wiring import Running

__all__ = ["NOON_US", "Clock", "clock", "quick", "running"]

STORES = Path(__file__).parents[4] / "shared" / "tekton"
USAGE = "usage_records_1770000000.json"
POLICIES = "budget_policies.json"


def shared(name: str) -> Path:
    """A genuine store, where it lies beside the repository."""
    folder = STORES / name
    if not folder.is_dir():
        pytest.skip(f"the store is not beside the repository ({folder})")
    return folder


def apollo_files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (shared("apollo-A") / "budget_data").iterdir()}


def rhetor_database() -> bytes:
    return (shared("rhetor-A") / "rhetor.db").read_bytes()


def made_files(records: list[Json], policies: list[Json] | None = None) -> dict[str, bytes]:
    files = {USAGE: packed(records)}
    return files if policies is None else {**files, POLICIES: packed(policies)}


def options(**said: Any) -> ImportOptions:
    return ImportOptions(**{"timezone": "UTC", **said})


def import_apollo(running: Running, files: dict[str, bytes], **said: Any) -> ImportReport:
    return running.service.imports.apollo(LOCAL, files, options(**said))


def import_rhetor(running: Running, database: bytes, **said: Any) -> ImportReport:
    return running.service.imports.rhetor(LOCAL, database, options(**said))


def usage_rows(running: Running) -> int:
    [[number]] = running.reader.rows(select(func.count()).select_from(tables.usage))
    return int(number)


def tamper(running: Running, stored: str, **values: object) -> None:
    """Change a stored record behind the ledger's back."""
    with running.store.engine.begin() as connection:
        connection.execute(
            update(tables.usage).where(tables.usage.c.record_id == stored).values(**values)
        )


def rhetor_made(path: Path, usage: list[tuple[Any, ...]], limits: list[tuple[Any, ...]]) -> bytes:
    """A database with these rows, without their numbers."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE usage (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT, provider TEXT,"
            " model TEXT, component TEXT, task_type TEXT, input_tokens INTEGER,"
            " output_tokens INTEGER, cost REAL, metadata TEXT);"
            "CREATE TABLE budget_settings (id INTEGER PRIMARY KEY AUTOINCREMENT, period TEXT,"
            " provider TEXT, limit_amount REAL, enforcement TEXT, start_date TEXT, active INTEGER)"
        )
        marks = ", ".join("?" * 9)
        connection.executemany(f"INSERT INTO usage VALUES (NULL, {marks})", usage)
        marks = ", ".join("?" * 6)
        connection.executemany(f"INSERT INTO budget_settings VALUES (NULL, {marks})", limits)
        connection.commit()
    return path.read_bytes()


def totals_of(name: str) -> Json:
    """What a store's README lists."""
    text = (shared(name) / "README.md").read_text()
    block = re.search(r"## Expected totals.*?```json\n(.*?)```", text, re.DOTALL)
    assert block is not None
    return json.loads(block[1])
