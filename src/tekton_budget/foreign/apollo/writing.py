"""Usage and limits → Apollo's files, which its own code opens and totals alike."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tekton_budget.domain.price.tiers import TIERS
from tekton_budget.foreign.apollo.reading import (
    INPUT,
    LABELS,
    OUTPUT,
    PERIODS,
    POLICIES,
    TOTAL,
)
from tekton_budget.foreign.store import (
    Fault,
    ForeignLimit,
    ForeignUsage,
    Kind,
    exported_note,
)

FILE_RECORDS = 1000  # as many as Apollo writes at a stop
# What Apollo writes where it was not told.
_UNTOLD = {**dict.fromkeys(LABELS, "unknown"), "task_type": "default"}
_SCOPE = ("tier", "component", "task_type")

Json = dict[str, Any]  # Any: JSON of others


@dataclass(frozen=True, slots=True)
class Written:
    """The files by name, how much is in them, and what they cannot say."""

    files: Mapping[str, bytes]
    records: int
    tokens: int
    policies: int
    faults: tuple[Fault, ...] = ()


def write_apollo(usages: Iterable[ForeignUsage], limits: Iterable[ForeignLimit]) -> Written:
    """A usage of several kinds of tokens becomes a record of each; what was imported, itself."""
    records = [record for usage in usages for record in records_of(usage)]
    records.sort(key=lambda record: (record["timestamp"], record["record_id"]))
    faults: list[Fault] = []
    policies: list[Json] = []
    for limit in limits:
        why = _unsayable(limit)
        if why is None:
            policies.append(policy_of(limit))
        else:
            faults.append(Fault(f'policy "{limit.name}"', f"{why}: left out"))
    files = {POLICIES: _packed(policies)}
    seconds = 0
    for first in range(0, len(records), FILE_RECORDS):
        part = records[first : first + FILE_RECORDS]
        seconds = max(seconds + 1, _seconds(part[-1]["timestamp"]))
        files[f"usage_records_{seconds}.json"] = _packed(part)
    tokens = sum(record["tokens_used"] for record in records)
    return Written(files, len(records), tokens, len(policies), tuple(faults))


def records_of(usage: ForeignUsage) -> list[Json]:
    """Apollo's records of one usage: as they were, or one of each kind of tokens."""
    kept = _kept(usage)
    metadata: Json = kept.get("metadata") or {}
    if usage.exported_from is not None:  # what Apollo's drop-in recorded has its words too
        metadata = {**(metadata if kept else usage.metadata), **exported_note(usage.exported_from)}
    counts = {INPUT: usage.input_tokens, OUTPUT: usage.output_tokens, TOTAL: usage.tokens}
    used = {kind: count for kind, count in counts.items() if count}
    if not used:
        used = {kept.get("usage_type", TOTAL): 0}
    id_ = kept.get("record_id", usage.record_id)
    said = {name: kept.get(name, usage.labels.get(name, _UNTOLD[name])) for name in LABELS}
    return [
        {
            "record_id": id_ if len(used) == 1 else f"{id_}:{kind}",
            "allocation_id": kept.get("allocation_id", usage.record_id),
            **said,
            "tokens_used": count,
            "usage_type": kind,
            "timestamp": kept.get("timestamp", usage.at.isoformat()),
            "operation_id": kept.get("operation_id", usage.operation_id),
            "metadata": metadata,
        }
        for kind, count in used.items()
    ]


def _kept(usage: ForeignUsage) -> Json:
    """What Apollo said of it. In a usage of ours these are the words of whoever recorded it: of
    them counts what Apollo's drop-in says, where it can be that.
    """
    said = usage.metadata.get(Kind.APOLLO)
    if not isinstance(said, Mapping):
        return {}
    if usage.exported_from is None:
        return dict(said)
    words = {"allocation_id": str, "metadata": Mapping}
    return {name: said[name] for name, kind in words.items() if isinstance(said.get(name), kind)}


def policy_of(limit: ForeignLimit) -> Json:
    """Apollo's policy of a limit that it can say."""
    kept: Json = limit.metadata.get(Kind.APOLLO) or {}
    return {
        "policy_id": kept.get("policy_id", limit.policy_id),
        "type": limit.enforcement,
        "period": limit.period,
        **{name: limit.scope.get(name) for name in _SCOPE},
        "limit": limit.token_limit,
        "warning_threshold": _float(limit.warning_threshold, "0.8"),
        "action_threshold": _float(limit.action_threshold, "0.95"),
        "start_date": _as_it_was(kept.get("start_date"), limit.starts_at),
        "end_date": _as_it_was(kept.get("end_date"), limit.ends_at),
        "enabled": limit.enabled,
        "metadata": kept.get("metadata") or {},
    }


def _unsayable(limit: ForeignLimit) -> str | None:
    """Why Apollo has no words for a limit, if it has none."""
    if limit.token_limit is None:
        return "it limits no tokens, and Apollo limits nothing else"
    if limit.period not in PERIODS:
        return f"Apollo has no period {limit.period}"
    if limit.scope.get("tier") not in TIERS:
        return "it asks for no tier, and Apollo's policies are each of one"
    others = sorted(set(limit.scope) - set(_SCOPE))
    if others:
        return f"it asks for {', '.join(others)}, and Apollo asks for {', '.join(_SCOPE)} only"
    return None


def _as_it_was(kept: object, at: datetime | None) -> str | None:
    """A time in the digits it was read with, as long as it is that time."""
    if at is None:
        return None
    if isinstance(kept, str) and datetime.fromisoformat(kept) == at:
        return kept
    return at.isoformat()


def _float(share: Decimal | None, default: str) -> float:
    return float(default if share is None else share)


def _seconds(timestamp: str) -> int:
    at = datetime.fromisoformat(timestamp)
    return max(0, int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()))


def _packed(listed: Sequence[Json]) -> bytes:
    return json.dumps(listed, indent=2).encode()
