"""Packing: domain values to rows and JSON text, and back."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tekton_budget.domain.allocation import (
    NO_CHILDREN,
    Allocation,
    AllocationStatus,
    Children,
    Hold,
    OnExpiry,
    Stated,
)
from tekton_budget.domain.amounts import NOTHING, Amounts, Limits
from tekton_budget.domain.answer import (
    Answer,
    Credited,
    Denial,
    Ended,
    Expired,
    Grant,
    Recorded,
    Several,
)
from tekton_budget.domain.balance import Balance
from tekton_budget.domain.ledger import Entry, Posting, UsageRecord
from tekton_budget.domain.period import Anchor, Period, Schedule
from tekton_budget.domain.policy import (
    Budget,
    Credit,
    Enforcement,
    GroupLimits,
    Holding,
    PerMissing,
    Policy,
    Status,
    Unpriced,
)
from tekton_budget.domain.scope import Scope
from tekton_budget.domain.units import Part
from tekton_budget.domain.usage import NO_TOKENS, TokenCounts

Row = Mapping[str, Any]  # Any: a database row's columns have many types

_ANSWERS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Grant, Denial, Ended, Recorded, Credited, Expired, Several)
}
_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode_holds = msgspec.json.Decoder(list[Hold]).decode
_decode_stated = msgspec.json.Decoder(Stated).decode
_decode_ancestors = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode
_decode_children = msgspec.json.Decoder(Children).decode
_decode_credits = msgspec.json.Decoder(list[Credit]).decode
_decode_labels = msgspec.json.Decoder(dict[str, str]).decode
_decode_parts = msgspec.json.Decoder(tuple[Part, ...]).decode
_decode_counts = msgspec.json.Decoder(list[int]).decode


def json_text(value: object) -> str:
    """Compact JSON; decimals keep every digit as numbers."""
    return _encode(value).decode()


def _counts_text(counts: TokenCounts) -> str:
    return _NO_TOKENS if counts == NO_TOKENS else json_text(counts)


def _counts_of(text: str) -> TokenCounts:
    return NO_TOKENS if text == _NO_TOKENS else TokenCounts(*_decode_counts(text))


def _children_text(children: Children) -> str | None:
    return None if children is NO_CHILDREN else json_text(children)


_NO_TOKENS = json_text(NO_TOKENS)  # most rows say it twice


def pack_answer(answer: Answer) -> str:
    """An answer with its kind before it."""
    return f'["{type(answer).__name__}",{json_text(answer)}]'


def unpack_answer(packed: str) -> Answer:
    """The answer that was packed."""
    kind, body = msgspec.json.decode(packed, type=tuple[str, msgspec.Raw])
    answer: Answer = msgspec.json.decode(body, type=_ANSWERS[kind])
    return answer


def pack_balance_rest(balance: Balance, share_permille: int | None) -> tuple[object, ...]:
    """The columns that are set, not added to, with their seal; see `statements.BALANCE_SET`."""
    rest = (
        balance.closes_us,
        balance.length_us,
        balance.carry.tokens,
        balance.carry.cost_nano,
        balance.carry.requests,
        None if balance.exception is None else json_text(balance.exception),
        json_text(balance.credits) if balance.credits else None,
        json_text(sorted(balance.sub_windows.items())) if balance.length_us else None,
        balance.told,
        1,
        share_permille,
    )
    return (*rest, digest_of((balance.id, *rest)))


BALANCE_COLUMNS = (
    "id, policy_no, grp, opens_us, closes_us, length_us, spent_tokens, spent_cost_nano, "
    "spent_requests, held_tokens, held_cost_nano, held_requests, carry_tokens, carry_cost_nano, "
    "carry_requests, exception, credits, sub_windows, told, opened"
)


def balance_from_row(row: Sequence[Any]) -> Balance:
    """A balance from its columns in the order of `BALANCE_COLUMNS`."""
    carry = Amounts(row[12], row[13], row[14])
    return Balance(
        id=row[0],
        policy_no=row[1],
        group=row[2],
        opens_us=row[3],
        closes_us=row[4],
        length_us=row[5],
        spent=Amounts(row[6], row[7], row[8]),
        held=Amounts(row[9], row[10], row[11]),
        carry=NOTHING if carry == NOTHING else carry,
        exception=None if row[15] is None else msgspec.json.decode(row[15], type=GroupLimits),
        credits=() if row[16] is None else tuple(_decode_credits(row[16])),
        sub_windows={} if row[17] is None else _sub_windows(row[17]),
        told=row[18],
        opened=bool(row[19]),
    )


def _sub_windows(packed: str) -> dict[int, Amounts]:
    return {i: Amounts(*amounts) for i, amounts in msgspec.json.decode(packed)}


ALLOCATION_COLUMNS = (
    "key_id, id, status, labels, granted_tokens, granted_cost_nano, granted_requests, "
    "max_output_tokens, created_us, expires_us, holds, on_expiry, priority, price_id, decision, "
    "used, used_cost_nano, usage_records, estimated_record, estimated, estimated_cost_nano, "
    "ended_us, updated_us, metadata, stated, ancestors, children"
)


def allocation_from_row(row: Sequence[Any]) -> Allocation:
    """An allocation from its columns in the order of `ALLOCATION_COLUMNS`."""
    return Allocation(
        key_id=row[0],
        id=row[1],
        status=AllocationStatus(row[2]),
        labels=_decode_labels(row[3]),
        granted=Amounts(row[4], row[5], row[6]),
        max_output_tokens=row[7],
        created_us=row[8],
        expires_us=row[9],
        holds=tuple(_decode_holds(row[10])),
        on_expiry=OnExpiry(row[11]),
        priority=row[12],
        price_id=row[13],
        decision=row[14],
        used=_counts_of(row[15]),
        used_cost_nano=row[16],
        usage_records=row[17],
        estimated_record=row[18],
        estimated=_counts_of(row[19]),
        estimated_cost_nano=row[20],
        ended_us=row[21],
        updated_us=row[22],
        metadata=row[23],
        stated=None if row[24] is None else _decode_stated(row[24]),
        ancestors=() if row[25] is None else _decode_ancestors(row[25]),
        children=NO_CHILDREN if row[26] is None else _decode_children(row[26]),
    )


def allocation_row(allocation: Allocation) -> tuple[object, ...]:
    """An allocation's columns in the order of `ALLOCATION_COLUMNS`, its context and its parent."""
    return (
        allocation.key_id,
        allocation.id,
        allocation.status.value,
        json_text(allocation.labels),
        *allocation.granted,
        allocation.max_output_tokens,
        allocation.created_us,
        allocation.expires_us,
        json_text(allocation.holds),
        allocation.on_expiry.value,
        allocation.priority,
        allocation.price_id,
        allocation.decision,
        _counts_text(allocation.used),
        allocation.used_cost_nano,
        allocation.usage_records,
        allocation.estimated_record,
        _counts_text(allocation.estimated),
        allocation.estimated_cost_nano,
        allocation.ended_us,
        allocation.updated_us,
        allocation.metadata,
        None if allocation.stated is None else json_text(allocation.stated),
        json_text(allocation.ancestors) if allocation.ancestors else None,
        _children_text(allocation.children),
        allocation.labels.get("context_id"),
        allocation.parent_id,
    )


def allocation_changed_row(allocation: Allocation) -> tuple[object, ...]:
    """What may change of an allocation, in the order of `statements.ALLOCATION_CHANGED`."""
    return (
        allocation.status.value,
        allocation.expires_us,
        json_text(allocation.holds),
        _counts_text(allocation.used),
        allocation.used_cost_nano,
        allocation.usage_records,
        allocation.estimated_record,
        _counts_text(allocation.estimated),
        allocation.estimated_cost_nano,
        allocation.ended_us,
        allocation.updated_us,
        _children_text(allocation.children),
    )


def allocation_grown_row(allocation: Allocation) -> tuple[object, ...]:
    """What only growing changes, in the order of `statements.ALLOCATION_GROWN`."""
    return (*allocation.granted, allocation.max_output_tokens, json_text(allocation.stated))


def usage_row(record: UsageRecord) -> tuple[object, ...]:
    """A usage record's columns in the order of `statements.USAGE_COLUMNS`."""
    labels = record.labels
    return (
        record.record_id,
        record.key_id,
        record.allocation_id,
        record.allocation_key_id,
        record.at_us,
        record.placed_us,
        record.recorded_us,
        json_text(labels),
        labels.get("context_id"),
        labels.get("component"),
        labels.get("task_type"),
        record.provider,
        record.model,
        *record.counts,
        record.reasoning_tokens,
        record.requests,
        record.cost_nano,
        record.book_cost_nano,
        None if record.cost_source is None else record.cost_source.value,
        record.price_id,
        record.measurement.value,
        int(record.late),
        int(record.provisional),
        record.reverses,
        record.operation_id,
        record.request_id,
        record.metadata,
        json_text(record.parts) if record.parts else None,
    )


def parts_of(packed: str | None) -> tuple[Part, ...]:
    """The parts of a usage, as they were packed."""
    return () if packed is None else _decode_parts(packed)


def pack_postings(postings: Sequence[Posting]) -> str:
    """Postings as lists: balance, reason, three spent, three held, at times a moment of its own."""
    return json_text(
        [
            (p[0], p[1], *p[2], *p[3]) if not p.at_us else (p[0], p[1], *p[2], *p[3], p.at_us)
            for p in postings
        ]
    )


def unpack_postings(packed: str) -> list[Posting]:
    """The postings of a journal row."""
    return [
        Posting(row[0], row[1], Amounts(*row[2:5]), Amounts(*row[5:8]), *row[8:])
        for row in msgspec.json.decode(packed)
    ]


def journal_row(entry: Entry, batch_id: str, at_us: int) -> tuple[object, ...]:
    """A journal row, sealed by a digest of all its content."""
    content = (
        batch_id,
        at_us,
        entry.kind,
        entry.key_id,
        entry.object_id,
        pack_postings(entry.postings),
        entry.detail,
    )
    return (*content, digest_of(content))


def digest_of(content: Sequence[object]) -> str:
    """What seals a journal row: eight bytes of BLAKE2b over its columns."""
    joined = "\x1f".join(map(str, content)).encode()
    return hashlib.blake2b(joined, digest_size=8).hexdigest()


def policy_spec(policy: Policy) -> str:
    """What of a policy is not a column of its own."""
    schedule = policy.schedule
    return json_text(
        {
            "limits": policy.limits,
            "period": schedule.period,
            "timezone": schedule.zone,
            "anchor": schedule.anchor,
            "length_us": schedule.length_us,
            "scope": policy.scope.to_json(),
            "enforcement": policy.enforcement,
            "shadow": policy.shadow,
            "per": policy.per,
            "per_missing": policy.per_missing,
            "thresholds_ppm": policy.thresholds_ppm,
            "tokens_counted": policy.tokens_counted,
            "rollover": policy.rollover,
            "rollover_cap": policy.rollover_cap,
            "bypass_priority": policy.bypass_priority,
            "unpriced": policy.unpriced,
            "assume_model": policy.assume_model,
            "min_grant": policy.min_grant,
            "landing_ppm": policy.landing_ppm,
            "ladder": policy.ladder,
            "hold": policy.hold,
            "default_output_tokens": policy.default_output_tokens,
            "max_groups": policy.max_groups,
            "starts_us": policy.starts_us,
            "ends_us": policy.ends_us,
            "enabled": policy.enabled,
            "metadata": policy.metadata,
            "backfill_to": policy.backfill_to,
            "backfill_after": policy.backfill_after,
            "backfilled_from_us": policy.backfilled_from_us,
            "budget_scope": None if policy.budget_scope is None else policy.budget_scope.to_json(),
        }
    )


def policy_from_row(row: Row) -> Policy:
    """A policy version from a row of `policies`."""
    spec = msgspec.json.decode(row["spec"])
    budget_scope = spec.get("budget_scope")  # rows of earlier versions lack what came later
    return Policy(
        no=row["no"],
        policy_id=row["policy_id"],
        version=row["version"],
        name=row["name"],
        budget_id=row["budget_id"],
        limits=Limits(*spec["limits"]),
        schedule=Schedule(
            Period(spec["period"]), spec["timezone"], Anchor(**spec["anchor"]), spec["length_us"]
        ),
        scope=Scope.from_json(spec["scope"]),
        enforcement=Enforcement(spec["enforcement"]),
        shadow=spec["shadow"],
        per=tuple(spec["per"]),
        per_missing=PerMissing(spec["per_missing"]),
        thresholds_ppm=tuple(spec["thresholds_ppm"]),
        tokens_counted=tuple(spec["tokens_counted"]),
        rollover=spec["rollover"],
        rollover_cap=Limits(*spec["rollover_cap"]),
        bypass_priority=spec["bypass_priority"],
        unpriced=Unpriced(spec["unpriced"]),
        assume_model=spec["assume_model"],
        min_grant=spec["min_grant"],
        landing_ppm=spec.get("landing_ppm", 0),
        ladder=tuple(spec.get("ladder", ())),
        hold=Holding(spec.get("hold", Holding.FULL)),
        default_output_tokens=spec.get("default_output_tokens"),
        max_groups=spec["max_groups"],
        starts_us=spec["starts_us"],
        ends_us=spec["ends_us"],
        enabled=spec["enabled"],
        status=Status(row["status"]),
        metadata=spec["metadata"],
        created_us=row["created_us"],
        updated_us=row["updated_us"],
        backfill_to=spec["backfill_to"],
        backfill_after=spec.get("backfill_after"),
        backfilled_from_us=spec["backfilled_from_us"],
        budget_scope=None if budget_scope is None else Scope.from_json(budget_scope),
    )


def budget_json(budget: Budget) -> str:
    """A budget as the audit keeps it."""
    return json_text(
        {
            "budget_id": budget.budget_id,
            "name": budget.name,
            "owner": budget.owner,
            "description": budget.description,
            "scope": budget.scope.to_json(),
            "is_active": budget.is_active,
            "metadata": budget.metadata,
        }
    )


def budget_from_row(row: Row) -> Budget:
    """A budget from a row of `budgets`."""
    return Budget(
        budget_id=row["budget_id"],
        name=row["name"],
        scope=Scope.from_json(msgspec.json.decode(row["scope"])),
        is_active=bool(row["is_active"]),
        description=row["description"],
        owner=row["owner"],
        metadata=msgspec.json.decode(row["metadata"]),
        created_us=row["created_us"],
        updated_us=row["updated_us"],
    )
