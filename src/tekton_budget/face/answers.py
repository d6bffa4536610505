"""Answers of the ledger as callers read them: money as `Decimal`, times as `datetime`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

Json = Mapping[str, Any]  # Any: decoded JSON, money as Decimal


@dataclass(frozen=True, slots=True)
class Quantity:
    """How much in each unit. `None` is unknown; of a limit, none."""

    tokens: int | None = None
    cost: Decimal | None = None
    requests: int | None = None


@dataclass(frozen=True, slots=True)
class PolicyLeft:
    """One policy that concerns a call, and what its group has left."""

    name: str
    group: str
    remaining: Quantity | None  # None: not this key's to see
    resets_at: datetime | None
    policy_id: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """The call may be made."""

    allocation_id: str
    decision: str
    granted: Quantity
    max_output_tokens: int | None
    expires_at: datetime
    policies: tuple[PolicyLeft, ...]
    reasons: tuple[str, ...]
    would_deny: tuple[str, ...]
    dry_run: bool
    answer: Json = field(repr=False)
    parent_id: str | None = None
    landing: bool = False  # a policy is down to what it keeps for the end: finish now


@dataclass(frozen=True, slots=True)
class Settled:
    """An allocation after settle, release or extend."""

    allocation_id: str
    status: str
    cost: Decimal | None
    cost_source: str | None
    record_id: str | None
    expires_at: datetime | None
    late: bool
    policies: tuple[PolicyLeft, ...]
    answer: Json = field(repr=False)
    usage_error: str | None = None  # why the whole hold was charged, as an estimate
    book_cost: Decimal | None = None  # by our prices, beside a cost that somebody else gave
    cost_note: str | None = None  # why the cost is an estimate, or not known
    granted: Quantity | None = None  # all that it may use, where that has grown
    max_output_tokens: int | None = None  # of these


@dataclass(frozen=True, slots=True)
class Recorded:
    """A usage as posted."""

    record_id: str
    allocation_id: str | None
    total_tokens: int | None
    cost: Decimal | None
    cost_source: str | None
    late: bool
    policies: tuple[PolicyLeft, ...]
    answer: Json = field(repr=False)
    usage_error: str | None = None  # of a final one: why the whole hold was charged
    cost_note: str | None = None  # why the cost is an estimate, or not known


def read_grant(answer: Json) -> Grant:
    """201 of an ask."""
    expires_at = moment(answer["expires_at"])
    assert expires_at is not None, "a grant ends"
    return Grant(
        allocation_id=answer["allocation_id"],
        decision=answer["decision"],
        granted=quantity(answer.get("granted")) or Quantity(),
        max_output_tokens=answer.get("max_output_tokens"),
        expires_at=expires_at,
        policies=policies_left(answer),
        reasons=tuple(answer.get("reasons") or ()),
        would_deny=tuple(answer.get("would_deny") or ()),
        dry_run=bool(answer.get("dry_run")),
        answer=answer,
        landing=bool(answer.get("landing")),
        parent_id=answer.get("parent_id"),
    )


def read_settled(answer: Json) -> Settled:
    """What became of an allocation."""
    return Settled(
        allocation_id=answer["allocation_id"],
        status=answer["status"],
        cost=decimal(answer.get("cost")),
        cost_source=answer.get("cost_source"),
        record_id=answer.get("record_id"),
        expires_at=moment(answer.get("expires_at")),
        late=bool(answer.get("late")),
        policies=policies_left(answer),
        answer=answer,
        usage_error=_fault(answer),
        book_cost=decimal(answer.get("book_cost")),
        cost_note=answer.get("cost_note"),
        granted=quantity(answer.get("granted")),
        max_output_tokens=answer.get("max_output_tokens"),
    )


def read_recorded(answer: Json) -> Recorded:
    """What was posted; of a final record, what it settled."""
    return Recorded(
        record_id=answer["record_id"],
        allocation_id=answer.get("allocation_id"),
        total_tokens=answer.get("total_tokens"),
        cost=decimal(answer.get("cost")),
        cost_source=answer.get("cost_source"),
        late=bool(answer.get("late")),
        policies=policies_left(answer),
        answer=answer,
        usage_error=_fault(answer),
        cost_note=answer.get("cost_note"),
    )


def policies_left(answer: Json) -> tuple[PolicyLeft, ...]:
    """The policies of an answer."""
    return tuple(
        PolicyLeft(
            name=one["name"],
            group=one.get("group") or "",
            remaining=quantity(one.get("remaining")),
            resets_at=moment(one.get("resets_at")),
            policy_id=one.get("policy_id") or "",
        )
        for one in answer.get("policies") or ()
    )


def _fault(answer: Json) -> str | None:
    fault = answer.get("usage_error") or {}
    return fault.get("detail")


def quantity(units: Json | None) -> Quantity | None:
    """`{"tokens", "cost", "requests"}`."""
    if units is None:
        return None
    return Quantity(units.get("tokens"), decimal(units.get("cost")), units.get("requests"))


def decimal(value: Decimal | int | None) -> Decimal | None:
    """JSON's whole numbers arrive as `int`; money is always a `Decimal`."""
    return None if value is None else Decimal(value)


def moment(text: str | None) -> datetime | None:
    """RFC 3339 → an aware datetime."""
    return None if text is None else datetime.fromisoformat(text)
