"""Answers of the ledger as documented."""

from pydantic import Field

from tekton_budget.frontends.api.schemas import (
    AmountsOut,
    Metadata,
    StandingOut,
    TimeOut,
    UsdOut,
    View,
)


class PinnedPriceOut(View):
    """The price that an allocation was sized with."""

    price_id: str
    provider: str
    model: str
    input_per_million: UsdOut
    output_per_million: UsdOut
    input_cost_per_token: UsdOut
    output_cost_per_token: UsdOut
    valid_from: TimeOut


class _AllocationFields(View):
    allocation_id: str
    status: str = Field(description="active, settled, released or expired")
    decision: str = Field(description="allow, warn or downgrade")
    granted: AmountsOut
    max_output_tokens: int | None
    expires_at: TimeOut
    labels: dict[str, str]
    budget_id: str | None
    context_id: str | None
    component: str | None
    tier: str | None
    provider: str | None
    model: str | None
    task_type: str | None
    priority: int
    tokens_allocated: int
    tokens_used: int
    input_tokens_used: int
    output_tokens_used: int
    estimated_cost: UsdOut
    actual_cost: UsdOut
    creation_time: TimeOut
    expiration_time: TimeOut
    last_updated: TimeOut
    is_active: bool
    metadata: Metadata
    remaining_tokens: int
    usage_percentage: float = Field(description="Used of granted tokens: 1 is all")


class GrantOut(_AllocationFields):
    """201: the call may be made."""

    policies: list[StandingOut]
    price: PinnedPriceOut | None
    reasons: list[str]
    would_deny: list[str] | None = None
    bypassed: list[str] | None = None
    clamped_from: int | None = None
    landing: bool | None = Field(
        None, description="true: a policy is down to what it keeps for the end; finish now"
    )
    provisional: bool | None = None
    dry_run: bool | None = None
    parent_id: str | None = Field(None, description="Of the allocation that it is a part of")


class ChildrenOut(View):
    """An allocation's children: how many, and what they have of it."""

    made: int
    active: int
    lent: AmountsOut = Field(description="Granted to the active ones")
    spent: AmountsOut = Field(description="Used by the ended ones, and by theirs")


class AllocationOut(_AllocationFields):
    """An allocation as it stands."""

    parent_id: str | None
    children: ChildrenOut
    on_expiry: str
    price_id: str | None
    usage_records: int
    created_at: TimeOut
    updated_at: TimeOut
    ended_at: TimeOut


class EndedOut(View):
    """An allocation after a settle, release or extend."""

    allocation_id: str
    status: str
    is_active: bool
    spent: AmountsOut
    released: AmountsOut
    cost: UsdOut = Field(description="Of this usage; unknown is null")
    cost_source: str | None
    cost_note: str | None = Field(description="Why the cost is an estimate, or not known")
    book_cost: UsdOut = Field(description="By our prices, beside a cost that somebody else gave")
    usage_error: dict[str, str] | None = Field(
        description="Why the response could not be read, so that the whole hold was charged"
    )
    record_id: str | None
    expires_at: TimeOut
    late: bool
    policies: list[StandingOut]
    granted: AmountsOut | None = Field(None, description="Only of one that grew: its new totals")
    max_output_tokens: int | None = None
    tokens_used: int
    actual_cost: UsdOut
    expiration_time: TimeOut


class ReleasedOut(EndedOut):
    """An allocation after a release."""

    message: str = Field(description="In words, as the original answers")
    tokens_released: int
