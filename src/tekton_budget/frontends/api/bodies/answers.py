"""Answers of the ledger → JSON, with the original's field names wherever it has them."""

from decimal import Decimal
from functools import lru_cache

import msgspec

from tekton_budget.domain.allocation import Allocation, Children
from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.answer import (
    Credited,
    Ended,
    Grant,
    PinnedPrice,
    Recorded,
)
from tekton_budget.domain.command import Allocate
from tekton_budget.domain.usage import UsageFault
from tekton_budget.frontends.http.standings import to_api_standing
from tekton_budget.frontends.http.wire import amounts, number, ppm, time_text, usd


def to_api_grant(grant: Grant, command: Allocate) -> dict[str, object]:
    """201: the call may be made."""
    labels = command.labels if grant.labels is None else grant.labels
    if grant.tier is not None:
        labels = {**labels, "tier": grant.tier}
    granted, at = grant.granted, time_text(grant.created_us)
    expires_at = time_text(grant.expires_us)
    shown: dict[str, object] = {
        "allocation_id": grant.allocation_id,
        "status": "active",
        "decision": grant.decision,
        "granted": amounts(granted),
        "max_output_tokens": grant.max_output_tokens,
        "policies": [to_api_standing(standing) for standing in grant.policies],
        "price": None if grant.price is None else to_api_pinned(grant.price),
        "expires_at": expires_at,
        "reasons": grant.reasons,
        "labels": labels,
        # The original's names.
        "budget_id": labels.get("budget"),
        "context_id": labels.get("context_id"),
        "component": labels.get("component"),
        "tier": labels.get("tier"),
        "provider": labels.get("provider"),
        "model": labels.get("model"),
        "task_type": labels.get("task_type"),
        "priority": command.priority,
        "tokens_allocated": granted.tokens,
        "tokens_used": 0,
        "input_tokens_used": 0,
        "output_tokens_used": 0,
        "estimated_cost": usd(granted.cost_nano),
        "actual_cost": 0,
        "creation_time": at,
        "expiration_time": expires_at,
        "last_updated": at,
        "is_active": not grant.dry_run,
        "metadata": msgspec.Raw(command.metadata.encode()),
        "remaining_tokens": granted.tokens,
        "usage_percentage": 0,
    }
    if grant.would_deny:
        shown["would_deny"] = grant.would_deny
    if grant.bypassed:
        shown["bypassed"] = grant.bypassed
    if grant.clamped_from is not None:
        shown["clamped_from"] = grant.clamped_from
    if grant.parent_id is not None:
        shown["parent_id"] = grant.parent_id
    if grant.landing:
        shown["landing"] = True
    if grant.provisional:
        shown["provisional"] = True
    if grant.dry_run:
        shown["dry_run"] = True
    return shown


def to_api_allocation(allocation: Allocation) -> dict[str, object]:
    """An allocation as it stands."""
    labels, granted, used = allocation.labels, allocation.granted, allocation.used
    remaining = max(0, granted.tokens - used.total) if allocation.is_active else 0
    at, expires_at = time_text(allocation.created_us), time_text(allocation.expires_us)
    return {
        "allocation_id": allocation.id,
        "status": allocation.status.value,
        "decision": allocation.decision,
        "granted": amounts(granted),
        "max_output_tokens": allocation.max_output_tokens,
        "on_expiry": allocation.on_expiry.value,
        "price_id": allocation.price_id,
        "usage_records": allocation.usage_records,
        "parent_id": allocation.parent_id,
        "children": to_api_children(allocation.children),
        "created_at": at,
        "updated_at": time_text(allocation.updated_us),
        "expires_at": expires_at,
        "ended_at": time_text(allocation.ended_us),
        "labels": labels,
        # The original's names.
        "budget_id": labels.get("budget"),
        "context_id": labels.get("context_id"),
        "component": labels.get("component"),
        "tier": labels.get("tier"),
        "provider": labels.get("provider"),
        "model": labels.get("model"),
        "task_type": labels.get("task_type"),
        "priority": allocation.priority,
        "tokens_allocated": granted.tokens,
        "tokens_used": used.total,
        "input_tokens_used": used.input + used.cache_read + used.cache_write,
        "output_tokens_used": used.output,
        "estimated_cost": usd(granted.cost_nano),
        "actual_cost": usd(allocation.used_cost_nano),
        "creation_time": at,
        "expiration_time": expires_at,
        "last_updated": time_text(allocation.updated_us),
        "is_active": allocation.is_active,
        "metadata": msgspec.Raw(allocation.metadata.encode()),
        "remaining_tokens": remaining,
        "usage_percentage": ppm(used.total * 1_000_000 // granted.tokens) if granted.tokens else 0,
    }


def to_api_children(children: Children) -> dict[str, object]:
    """How many an allocation had and has, what they hold of it and what the ended ones used."""
    lent = Amounts(children.lent.total, children.lent_cost_nano, children.lent_requests)
    used = Amounts(children.used.total, children.used_cost_nano, children.used_requests)
    return {
        "made": children.made,
        "active": children.active,
        "lent": amounts(lent),
        "spent": amounts(used),
    }


def to_api_ended(ended: Ended) -> dict[str, object]:
    """An allocation after a settle, release or extend; one that grew tells of its new totals."""
    grown: dict[str, object] = {}
    if ended.granted is not None:
        grown["granted"] = amounts(ended.granted)
        grown["max_output_tokens"] = ended.max_output_tokens
    return {
        "allocation_id": ended.allocation_id,
        "status": ended.status,
        "is_active": ended.status == "active",
        "spent": amounts(ended.spent),
        "released": amounts(ended.released),
        "cost": usd(ended.cost_nano),
        "cost_source": ended.cost_source,
        "cost_note": ended.cost_note,
        "book_cost": usd(ended.book_cost_nano),
        "record_id": ended.record_id,
        "expires_at": time_text(ended.expires_us),
        "late": ended.late,
        "usage_error": to_api_fault(ended.usage_error),
        "policies": [to_api_standing(standing) for standing in ended.policies],
        **grown,
        # The original's names.
        "tokens_used": ended.spent.tokens,
        "actual_cost": usd(ended.spent.cost_nano),
        "expiration_time": time_text(ended.expires_us),
    }


def to_api_fault(fault: UsageFault | None) -> dict[str, object] | None:
    """Why a usage could not be read, so that all that was held is charged in its place."""
    return None if fault is None else {"code": fault.code, "detail": fault.detail}


def to_api_recorded(recorded: Recorded) -> dict[str, object]:
    """A usage as posted."""
    return {
        "record_id": recorded.record_id,
        "allocation_id": recorded.allocation_id,
        "status": recorded.status,
        "total_tokens": recorded.total_tokens,
        "cost": usd(recorded.cost_nano),
        "total_cost": usd(recorded.cost_nano),
        "book_cost": usd(recorded.book_cost_nano),
        "cost_source": recorded.cost_source,
        "cost_note": recorded.cost_note,
        "late": recorded.late,
        "policies": [to_api_standing(standing) for standing in recorded.policies],
    }


def to_api_credited(credited: Credited) -> dict[str, object]:
    """A credit as given."""
    return {
        "credit_id": credited.credit_id,
        "policy_id": credited.policy_id,
        "name": credited.name,
        "group": credited.group,
        "amounts": amounts(credited.amounts),
        "allowance": amounts(credited.allowance),
        "expires_at": time_text(credited.expires_us),
        "resets_at": time_text(credited.resets_us),
    }


@lru_cache(maxsize=1024)
def to_api_pinned(price: PinnedPrice) -> dict[str, object]:
    """The price that an allocation was sized with."""
    return {
        "price_id": price.price_id,
        "provider": price.provider,
        "model": price.model,
        "input_per_million": number(price.input),
        "output_per_million": number(price.output),
        "input_cost_per_token": per_token(price.input),
        "output_cost_per_token": per_token(price.output),
        "valid_from": time_text(price.valid_from_us),
    }


def per_token(per_million: Decimal | None) -> object:
    """USD per 1,000,000 tokens → USD per token, with all its digits."""
    return None if per_million is None else number(per_million.scaleb(-6).normalize() + 0)
