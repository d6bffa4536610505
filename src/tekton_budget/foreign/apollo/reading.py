"""Apollo's files → usage and limits: each record once, whatever files it stands in."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from tekton_budget.domain.price.tiers import TIERS
from tekton_budget.foreign import rows
from tekton_budget.foreign.apollo.tiers import tier_of
from tekton_budget.foreign.rows import BadRow, Row
from tekton_budget.foreign.store import (
    Fault,
    ForeignLimit,
    ForeignStore,
    ForeignUsage,
    Kind,
    Part,
    exported_from,
)

POLICIES = "budget_policies.json"
INPUT, OUTPUT, TOTAL = USAGE_TYPES = ("input", "output", "total")
PERIODS = ("hourly", "daily", "weekly", "monthly", "per_session", "per_task")
TYPES = ("ignore", "warn", "soft_limit", "hard_limit")
# Apollo's fields that are labels of ours, in its order.
LABELS = ("context_id", "component", "provider", "model", "task_type")

_UNTOLD = {"provider": "unknown", "model": "unknown"}
_USAGE = re.compile(r"usage_records_(\d{1,15})\.json")
LIMIT_MAX = 10**15


def is_apollo_file(name: str) -> bool:
    """Whether Apollo gives files such names; a folder before it does not matter."""
    own = _own_name(name)
    return own == POLICIES or _USAGE.fullmatch(own) is not None


def read_apollo(files: Mapping[str, bytes]) -> ForeignStore:
    """All records and limits of these files, in the order in which Apollo wrote them.

    Faulty rows and files are named and the rest is read. The order in which files come does not
    matter. Of a record that stands in several files, the first counts; where the others differ from
    it, that is a fault.
    """
    read = _Reading()
    for name in sorted(files, key=_order):
        if not is_apollo_file(name):
            read.faults.append(
                Fault(name, f"is neither {POLICIES} nor usage_records_<seconds>.json: not read")
            )
            continue
        try:
            listed = rows.read_list(files[name])
        except BadRow as bad:
            read.faults.append(Fault(name, f"{bad}; nothing of it was read"))
            read.parts.append(Part(name, 0, is_whole=False))
            continue
        read.take(name, listed)
    return ForeignStore(
        Kind.APOLLO,
        tuple(read.usages.values()),
        tuple(read.limits.values()),
        tuple(read.faults),
        tuple(read.parts),
    )


class _Reading:
    """What was read so far."""

    def __init__(self) -> None:
        self.usages: dict[str, ForeignUsage] = {}
        self.limits: dict[str, ForeignLimit] = {}
        self.faults: list[Fault] = []
        self.parts: list[Part] = []

    def take(self, name: str, listed: list[Any]) -> None:  # Any: JSON
        """The rows of one file."""
        is_policies = _own_name(name) == POLICIES
        found = repeated = skipped = 0
        for position, value in enumerate(listed):
            where = f"{name}[{position}]"
            try:
                row = rows.as_row(value)
                again = self._limit(row, where) if is_policies else self._usage(row, where, name)
            except BadRow as bad:
                self.faults.append(Fault(where, f"{bad}; skipped"))
                skipped += 1
            else:
                found += 1
                repeated += again
        self.parts.append(Part(name, found, repeated, skipped))

    def _usage(self, row: Row, where: str, part: str) -> bool:
        """Whether it was there already."""
        usage = replace(usage_of(row), part=part)
        first = self.usages.setdefault(usage.record_id, usage)
        if first is usage:
            return False
        if first != usage:
            text = f"record {usage.record_id} differs from an earlier file's: that one counts"
            self.faults.append(Fault(where, text))
        return True

    def _limit(self, row: Row, where: str) -> bool:
        notes: list[str] = []
        limit = limit_of(row, {one.name for one in self.limits.values()}, notes)
        self.faults += [Fault(where, note) for note in notes]
        if limit.policy_id not in self.limits:
            self.limits[limit.policy_id] = limit
            return False
        self.faults.append(Fault(where, f"policy {limit.policy_id} stands above: that one counts"))
        return True


def usage_of(row: Row) -> ForeignUsage:
    """One usage record; `BadRow` says what is wrong with it."""
    tokens = rows.whole(row, "tokens_used")
    usage_type = rows.choice(row, "usage_type", USAGE_TYPES)
    said = {name: rows.text(row, name, _UNTOLD.get(name)) for name in LABELS}
    labels = {name: value for name in LABELS if (value := rows.label(said[name])) is not None}
    at = rows.moment(row, "timestamp")
    metadata = rows.mapping(row, "metadata")
    kept: dict[str, Any] = {  # Any: JSON
        "allocation_id": rows.text(row, "allocation_id", ""),
        "usage_type": usage_type,
        "timestamp": row["timestamp"],
        # What no label can be is kept as it was said.
        **{name: value for name, value in said.items() if labels.get(name) != value},
        **({"metadata": metadata} if metadata else {}),
    }
    operation_id = rows.optional_text(row, "operation_id")
    operation = None if operation_id is None else rows.label(operation_id)
    if operation != operation_id:
        kept["operation_id"] = operation_id
    id_ = rows.text(row, "record_id")
    record_id = rows.own_id(Kind.APOLLO, id_)
    if not id_:
        raise BadRow("record_id is empty")
    if record_id != id_:
        kept["record_id"] = id_
    return ForeignUsage(
        record_id=record_id,
        at=at,
        labels={**labels, "tier": tier_of(said["provider"], said["model"])},
        input_tokens=tokens if usage_type == INPUT else 0,
        output_tokens=tokens if usage_type == OUTPUT else 0,
        tokens=tokens if usage_type == TOTAL else 0,
        operation_id=operation,
        metadata={Kind.APOLLO.value: kept},
        exported_from=exported_from(metadata),
    )


def limit_of(row: Row, names: set[str], notes: list[str]) -> ForeignLimit:
    """One policy, its name made of what it limits; `BadRow` says what is wrong with it.

    What it may go without is noted, and our default stands in.
    """
    id_ = rows.text(row, "policy_id")
    if not id_:
        raise BadRow("policy_id is empty")
    policy_id = rows.own_id(Kind.APOLLO, id_)
    period = rows.choice(row, "period", PERIODS)
    scope = {"tier": rows.choice(row, "tier", TIERS)}
    for name in ("component", "task_type"):
        value = rows.optional_text(row, name)
        if value is not None:
            scope[name] = _asked(name, value)
    starts_at, ends_at = _times(row)
    name = " ".join([Kind.APOLLO.value, period, *scope.values()])[:180]
    return ForeignLimit(
        policy_id=policy_id,
        name=name if name not in names else f"{name} {policy_id[-12:]}",
        enforcement=rows.choice(row, "type", TYPES),
        period=period,
        scope=scope,
        token_limit=rows.whole(row, "limit", LIMIT_MAX),
        warning_threshold=_threshold(row, "warning_threshold", notes),
        action_threshold=_threshold(row, "action_threshold", notes),
        starts_at=starts_at,
        ends_at=ends_at,
        enabled=rows.truth(row, "enabled", default=True),
        metadata={
            Kind.APOLLO.value: {
                **({"policy_id": id_} if policy_id != id_ else {}),
                "metadata": rows.mapping(row, "metadata"),
                "start_date": row.get("start_date"),
                "end_date": row.get("end_date"),
            }
        },
    )


def _threshold(row: Row, name: str, notes: list[str]) -> Decimal | None:
    try:
        return rows.share(row, name)
    except BadRow as bad:
        notes.append(f"{bad}; our default is taken")
        return None


def _asked(name: str, value: str) -> str:
    """What a scope asks of a label: that value, which must not read as a pattern."""
    asked = rows.label(value)
    if asked is None or asked.startswith("!") or "*" in asked or "?" in asked:
        raise BadRow(f"{name} is {value!r}, which a scope would take for a pattern")
    return asked


def _times(row: Row) -> tuple[datetime | None, datetime | None]:
    starts_at = rows.optional_moment(row, "start_date")
    ends_at = rows.optional_moment(row, "end_date")
    return starts_at, ends_at


def _own_name(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _order(name: str) -> tuple[int, str, str]:
    """Limits first, then usage as it was written: by its seconds."""
    found = _USAGE.fullmatch(_own_name(name))
    return (int(found[1]) if found else -1, _own_name(name), name)
