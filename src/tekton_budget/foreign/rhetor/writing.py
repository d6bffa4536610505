"""A `rhetor.db` written: what Rhetor opens and totals alike."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from itertools import starmap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from tekton_budget.foreign.rhetor.shape import (
    ALL_PROVIDERS,
    ENFORCEMENTS,
    LABELS,
    LIMIT_COLUMNS,
    OURS,
    PERIODS,
    ROW_ID,
    USAGE_COLUMNS,
    Row,
    hash_of_usage,
    in_nano,
)
from tekton_budget.foreign.store import ForeignLimit, ForeignUsage, Kind

if TYPE_CHECKING:
    from sqlite3 import Connection

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE usage (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT, provider TEXT,
  model TEXT, component TEXT, task_type TEXT, input_tokens INTEGER, output_tokens INTEGER,
  cost REAL, metadata TEXT);
CREATE TABLE budget_settings (id INTEGER PRIMARY KEY AUTOINCREMENT, period TEXT, provider TEXT,
  limit_amount REAL, enforcement TEXT, start_date TEXT, active INTEGER);
"""
_LEAST = Decimal("1E-9")  # a limit of 0 allows nothing; Rhetor's 0 is no limit
_WORDS = {"ignore": "ignore", "warn": "warn", "soft_limit": "warn", "hard_limit": "enforce"}


def write_rhetor(usages: Iterable[ForeignUsage], limits: Iterable[ForeignLimit] = ()) -> bytes:
    """A `rhetor.db` that Rhetor opens and totals alike; what came from one has its rows' numbers.

    Read again, every usage has the id that it has here. Tokens that are not split are input.
    """
    import sqlite3

    with TemporaryDirectory(prefix="tekton-budget-rhetor-") as folder:
        path = Path(folder) / "rhetor.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(_SCHEMA)
            of_usage = _numbered(usages, lambda usage: usage.record_id)
            of_limits = _numbered(limits, lambda limit: limit.policy_id)
            _insert(connection, "usage", USAGE_COLUMNS, starmap(_usage_row, of_usage))
            _insert(connection, "budget_settings", LIMIT_COLUMNS, starmap(_limit_row, of_limits))
            connection.commit()
        return path.read_bytes()


def why_unsayable(limit: ForeignLimit) -> str | None:
    """Why Rhetor has no words for a limit; `None`: it has."""
    if limit.period not in PERIODS:
        return f"Rhetor knows no period but {', '.join(PERIODS)}"
    if limit.cost_limit is None:
        return "Rhetor limits money alone"
    asked = limit.scope.get("provider", ALL_PROVIDERS)
    if limit.scope.keys() - {"provider"} or set(asked) & set("*?!"):
        return "Rhetor limits one provider, or all"
    return None


def _numbered(given: Iterable[T], own_id: Callable[[T], str]) -> Iterator[tuple[int, T]]:
    """With the row's number that an id tells; the others after all of these."""
    taken: set[int] = set()
    later: list[T] = []
    for one in given:
        found = ROW_ID.fullmatch(own_id(one))
        number = 0 if found is None else int(found[1])
        if number == 0 or number in taken:
            later.append(one)
        else:
            taken.add(number)
            yield number, one
    yield from enumerate(later, max(taken, default=0) + 1)


def _usage_row(number: int, usage: ForeignUsage) -> tuple[object, ...]:
    foreign = None if usage.exported_from else usage.metadata.get(Kind.RHETOR.value)
    kept: Row = {"metadata": usage.metadata} if foreign is None else foreign
    tokens = (usage.input_tokens + usage.tokens, usage.output_tokens)
    at = datetime.fromisoformat(kept["timestamp"]) if "timestamp" in kept else usage.at
    row_id = f"rhetor.{number}.{hash_of_usage(at, usage.labels, kept, tokens, usage.cost)}"
    told = dict(kept.get("metadata", {}))
    text = kept.get("metadata_text")
    if usage.record_id != row_id:
        told |= {OURS: usage.record_id} if text is None else {OURS: usage.record_id, "text": text}
        text = None
    return (
        number,
        kept.get("timestamp", at.isoformat()),
        *(usage.labels.get(name, kept.get(name)) for name in LABELS),
        *tokens,
        None if usage.cost is None else float(_charged(usage.cost, kept.get("cost"))),
        json.dumps(told, default=float) if text is None else text,
    )


def _charged(cost: Decimal, read: str | None) -> Decimal:
    """What Rhetor has to its last digit, unless it was changed here since."""
    exact = cost if read is None else Decimal(read)
    return exact if in_nano(exact) == in_nano(cost) else cost


def _limit_row(number: int, limit: ForeignLimit) -> tuple[object, ...]:
    """What the limit is now; what it was read as counts only where that limits nothing."""
    assert why_unsayable(limit) is None, limit
    kept = limit.metadata.get(Kind.RHETOR.value, {})
    none = not limit.enabled and not limit.cost_limit and limit.enforcement == "ignore"
    assert limit.cost_limit is not None, "what limits no money is unsayable"
    read = kept.get("limit_amount")
    amount = Decimal(read or 0) if none else _charged(limit.cost_limit, read) or _LEAST
    word = kept.get("enforcement")
    if not none and ENFORCEMENTS.get(word, "ignore") != limit.enforcement:
        word = _WORDS[limit.enforcement]
    return (
        number,
        limit.period,
        limit.scope.get("provider", ALL_PROVIDERS),
        float(amount),
        word,
        _start(limit, kept),
        int(limit.enabled or (none and bool(kept.get("active")))),
    )


def _start(limit: ForeignLimit, kept: Row) -> str | None:
    """When it was set there, else here."""
    if "start_date" in kept:
        return None if kept["start_date"] is None else str(kept["start_date"])
    return "1970-01-01T00:00:00" if limit.starts_at is None else limit.starts_at.isoformat()


def _insert(
    connection: "Connection", table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    marks = ", ".join("?" for _ in ("id", *columns))
    connection.executemany(
        f"INSERT INTO {table} (id, {', '.join(columns)}) VALUES ({marks})",  # noqa: S608 - our names
        rows,
    )
