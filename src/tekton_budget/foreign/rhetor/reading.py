"""A `rhetor.db` read: every row that can be understood, and why the others cannot."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.scope import checked_labels
from tekton_budget.foreign.rhetor.file import opened, refused, rows_of
from tekton_budget.foreign.rhetor.shape import (
    ALL_PROVIDERS,
    ENFORCEMENTS,
    LABELS,
    LIMIT_COLUMNS,
    OURS,
    PERIODS,
    USAGE_COLUMNS,
    Row,
    hash_of,
    hash_of_usage,
    in_nano,
)
from tekton_budget.foreign.store import (
    Fault,
    ForeignLimit,
    ForeignStore,
    ForeignUsage,
    Kind,
    Part,
)

_RECORD_ID = re.compile(r"[A-Za-z0-9._:@-]{1,200}")
_TOKENS_MAX = 10**12
_COST_MAX = Decimal(10_000_000)  # of one call; more is a slip of units
_LIMIT_MAX = Decimal(1_000_000_000)
_METADATA_MAX = 12_000  # characters of JSON: what one record of ours may carry, and some room


class Unusable(Exception):
    """A row that cannot be taken over; its text says why."""


def read_rhetor(database: bytes, beside: Mapping[str, bytes] | None = None) -> ForeignStore:
    """All of a `rhetor.db`. `beside` has the files `-wal` and `-journal` next to it, by ending.

    The bytes are copied, never changed. Raises `InvalidInput` for what is no sound SQLite file or
    has neither table; a row that cannot be understood is a fault and the others are read.
    """
    with opened(database, beside or {}) as connection:
        faults: list[Fault] = []
        usage_rows = rows_of(connection, "usage", USAGE_COLUMNS, faults)
        limit_rows = rows_of(connection, "budget_settings", LIMIT_COLUMNS, faults)
        if usage_rows is None and limit_rows is None:
            raise refused("it has neither a table usage nor budget_settings: not Rhetor's file")
        usages, repeated, of_usage = _usages(usage_rows or ())
        limits, of_limits = _limits(list(limit_rows or ()))
    skipped = sum(fault.what.startswith("left out") for fault in of_usage)
    without = sum(fault.what.startswith("left out") for fault in of_limits)
    return ForeignStore(
        Kind.RHETOR,
        usages,
        limits,
        (*faults, *of_usage, *of_limits),
        (
            Part("usage", len(usages) + repeated, repeated, skipped),
            Part("budget_settings", len(limits), 0, without),
        ),
    )


def _usages(rows: Iterable[Row]) -> tuple[tuple[ForeignUsage, ...], int, list[Fault]]:
    usages: dict[str, ForeignUsage] = {}
    repeated = 0
    faults: list[Fault] = []
    for row in rows:
        notes: list[str] = []
        try:
            usage = _usage(row, notes)
        except Unusable as why:
            notes = [f"left out: {why}"]
        else:
            first = usages.setdefault(usage.record_id, usage)
            repeated += first is not usage
            if first != usage:
                notes.append(f"it bears the id {usage.record_id} of another row: that one counts")
        faults += [Fault(f"usage {row['id']}", note) for note in notes]
    return tuple(usages.values()), repeated, faults


def _usage(row: Row, notes: list[str]) -> ForeignUsage:
    at = _time("timestamp", row["timestamp"])
    labels, kept = _labels(row, notes)
    if row["timestamp"] != at.isoformat() or at.tzinfo is not None:
        kept["timestamp"] = row["timestamp"]
    own_id = _metadata(row["metadata"], kept, notes)
    used = _tokens("input_tokens", row["input_tokens"])
    made = _tokens("output_tokens", row["output_tokens"])
    cost = _cost(row["cost"], notes)
    if cost is not None and cost != in_nano(cost):
        kept["cost"] = str(cost)  # digits beyond the ledger's, for the way back
    row_id = f"rhetor.{row['id']}.{hash_of_usage(at, labels, kept, (used, made), cost)}"
    return ForeignUsage(
        own_id or row_id,
        at,
        labels,
        used,
        made,
        cost=cost,
        metadata={Kind.RHETOR.value: kept} if kept else {},
        part="usage",
    )


def _labels(row: Row, notes: list[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """The labels that can be ones, and by name what else stands there, for the way back."""
    labels: dict[str, str] = {}
    kept: dict[str, Any] = {}
    for name in LABELS:
        value = row[name]
        if value is None:
            continue
        try:
            labels |= checked_labels({name: str(value)})
        except InvalidInput:
            kept[name] = str(value)
            if value != "":
                notes.append(f"{name}: no label can be this text; its spending counts without one")
    return labels, kept


def _metadata(text: object, kept: dict[str, Any], notes: list[str]) -> str | None:
    """Puts into `kept` what the row's metadata says; the id of ours that it bears, if it does."""
    if text is None or text in ("", "{}"):
        return None
    try:
        told = json.loads(str(text), parse_constant=_no_json, parse_float=_finite)
        json.dumps(told, ensure_ascii=False).encode()  # half a character cannot be stored
    except (ValueError, RecursionError):
        notes.append("its metadata is no JSON that can be read; it is kept as text")
        told = None
    if not isinstance(told, dict):
        told, name = str(text), "metadata_text"
    else:
        name = "metadata"
    own_id = told.pop(OURS, None) if isinstance(told, dict) else None
    if len(json.dumps(told)) > _METADATA_MAX:
        notes.append(f"its metadata has more than {_METADATA_MAX:,} characters; it was not taken")
    elif told:
        kept[name] = told
    return own_id if isinstance(own_id, str) and _RECORD_ID.fullmatch(own_id) else None


def _no_json(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _finite(digits: str) -> float:
    found = float(digits)
    if not math.isfinite(found):
        raise ValueError(f"{digits} is beyond every number that JSON could give back")
    return found


def _time(name: str, value: object) -> datetime:
    """Local, as Rhetor writes it; one with an offset, which others may have written, says when."""
    try:
        return datetime.fromisoformat(str(value) if isinstance(value, str) else "")
    except ValueError:
        raise Unusable(f"{name} {_shown(value)} is no time like 2026-02-09T00:13:05") from None


def _tokens(name: str, value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or not 0 <= value <= _TOKENS_MAX:
        raise Unusable(f"{name} {_shown(value)} is no count of tokens")
    return value


def _cost(value: object, notes: list[str]) -> Decimal | None:
    """USD with the digits that Python shows of the float. SQLite keeps NaN as NULL."""
    if value is None:
        notes.append("it has no cost; the price book's is taken")
        return None
    cost = _decimal("cost", value)
    if not 0 <= cost <= _COST_MAX:
        raise Unusable(f"cost {_shown(value)} is not what a call can cost")
    return cost


def _decimal(name: str, value: object) -> Decimal:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise Unusable(f"{name} {_shown(value)} is no amount")
    return Decimal(repr(value))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _limits(rows: Sequence[Row]) -> tuple[tuple[ForeignLimit, ...], list[Fault]]:
    """Each row's limit. Of several active ones for the same, Rhetor reads the first alone."""
    limits: list[ForeignLimit] = []
    faults: list[Fault] = []
    in_force: Counter[tuple[object, object]] = Counter()
    for place, row in enumerate(rows):
        notes: list[str] = []
        same = (row["period"], row["provider"])
        active = row["active"] == 1
        if active and in_force[same]:
            active = False
            notes.append("an earlier row for the same is active, which Rhetor reads; this is not")
        in_force[same] += active
        later = (one for one in rows[place + 1 :] if (one["period"], one["provider"]) == same)
        try:
            limits.append(_limit(row, next(later, None), notes, active=active))
        except Unusable as why:
            notes = [f"left out: {why}"]
        faults += [Fault(f"budget_settings {row['id']}", note) for note in notes]
    return tuple(limits), faults


def _limit(row: Row, later: Row | None, notes: list[str], *, active: bool) -> ForeignLimit:
    period, provider = row["period"], row["provider"]
    if period not in PERIODS:
        raise Unusable(f"period {_shown(period)} is none of {', '.join(PERIODS)}")
    if not isinstance(provider, str) or not provider:
        raise Unusable(f"provider {_shown(provider)} is no name")
    amount = _decimal("limit_amount", row["limit_amount"])
    if amount > _LIMIT_MAX:
        notes.append(f"no limit is as high as {_shown(row['limit_amount'])}; it is read as none")
    limits_something = 0 < amount <= _LIMIT_MAX
    word = row["enforcement"]
    if word not in ENFORCEMENTS:
        notes.append(f"enforcement {_shown(word)} is none of Rhetor's; like Rhetor, it is ignored")
    starts_at = None
    try:
        starts_at = _time("start_date", row["start_date"])
    except Unusable as why:
        notes.append(f"{why}; Rhetor does not look at it, and the limit is taken without")
    return ForeignLimit(
        policy_id=f"rhetor.{row['id']}.{hash_of(period, provider, str(amount), row['start_date'])}",
        name=f"rhetor {provider} {period} #{row['id']}",
        enforcement=ENFORCEMENTS.get(word, "ignore") if limits_something else "ignore",
        period=period,
        scope={} if provider == ALL_PROVIDERS else {"provider": provider},
        cost_limit=amount if limits_something else Decimal(0),
        warning_threshold=Decimal(1),  # Rhetor warns of what passes a limit, not before
        action_threshold=Decimal(1),
        # One in force counts all of the window in which it was set, as Rhetor does.
        starts_at=None if active else starts_at,
        ends_at=None if active or later is None else _end(later["start_date"], starts_at),
        enabled=active and limits_something,
        metadata={
            Kind.RHETOR.value: {
                "id": row["id"],
                "limit_amount": str(amount),
                "enforcement": word,
                "start_date": row["start_date"],
                "active": active,
            }
        },
    )


def _end(value: object, starts_at: datetime | None) -> datetime | None:
    try:
        ends_at = _time("start_date", value)
    except Unusable:
        return None
    if starts_at is None or (starts_at.tzinfo is None) != (ends_at.tzinfo is None):
        return ends_at
    return max(ends_at, starts_at)
