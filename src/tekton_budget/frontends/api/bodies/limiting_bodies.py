"""Bodies of budgets and policies, as they are sent and as they are answered."""

from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field

from tekton_budget.domain.errors import invalid
from tekton_budget.frontends.api.schemas import (
    AmountsOut,
    Asked,
    AskedTier,
    Body,
    Metadata,
    ReadOnly,
    Scope,
    Time,
    TimeOut,
    Truth,
    Usd,
    UsdOut,
    View,
    Whole,
)

Shortcut = Asked | None
Share = Annotated[Decimal, Field(gt=0, le=100, description="0.8, or 80")]
Landing = Annotated[Decimal | str, Field(union_mode="left_to_right")]
_ORIGINAL = "The original's name: the {} of thresholds"


class AnchorFields(Body):
    """Where calendar windows open."""

    hour: Whole = Field(0, description="0 to 23")
    weekday: Whole = Field(0, description="0 is Monday")
    day: Whole = Field(1, description="Day of the month, 1 to 31; 31 is the last")
    month: Whole = Field(1, description="In which a year opens")


class UnitFields(Body):
    """Amounts by unit; `null` is none."""

    tokens: Whole | None = None
    cost: Usd | None = None
    requests: Whole | None = None


class PolicyFields(Body):
    """What a policy says. One line may be enough: `{"limit": "50usd/month", "per": ["user"]}`."""

    name: str | None = Field(None, description="Made from scope and period if not given")
    limit: str | None = Field(None, description="Amount and period", examples=["50usd/month"])
    token_limit: Whole | None = None
    cost_limit: Usd | None = None
    request_limit: Whole | None = None
    period: str | None = Field(
        None,
        description="hourly, daily, weekly, monthly, quarterly, yearly, total, per_session, "
        "per_task or rolling",
    )
    length_seconds: Whole | None = Field(None, description="Of a rolling period")
    timezone: str | None = Field(None, max_length=100, examples=["Europe/Berlin"])
    anchor: AnchorFields | None = None
    scope: Scope | None = Field(
        None, description="What calls it concerns", examples=[{"team": "a", "model": "gpt-*"}]
    )
    tier: AskedTier | None = None
    provider: Shortcut = None
    component: Shortcut = None
    task_type: Shortcut = None
    model: Shortcut = None
    per: list[str] | str | None = Field(
        None, description="Each value of these labels has the limit for itself"
    )
    per_missing: str | None = Field(None, description="shared (default) or deny")
    enforcement: str | None = Field(
        None, description="hard_limit (default), soft_limit, warn or ignore"
    )
    type: str | None = Field(None, description="The original's name of enforcement")
    shadow: Truth | None = None
    thresholds: list[Share] | None = Field(None, max_length=10)
    warning_threshold: Share | None = Field(None, description=_ORIGINAL.format("first"))
    action_threshold: Share | None = Field(None, description=_ORIGINAL.format("second"))
    tokens_counted: list[str] | None = Field(
        None, description="Kinds: input, output, cache_read, cache_write, other; all if not given"
    )
    rollover: Truth | None = None
    rollover_cap: UnitFields | None = None
    bypass_priority: Whole | None = None
    unpriced: str | None = Field(None, description="deny (default), highest or allow")
    assume_model: str | None = Field(None, max_length=256)
    min_grant: Whole | None = None
    landing: Landing | None = Field(
        None, description="Share kept for calls that carry the note to finish", examples=["10%"]
    )
    ladder: list[str] | None = Field(
        None, description="Models to go on with where the one asked for does not fit, in order"
    )
    hold: str | None = Field(None, description="Of streams through the gateway: full or growing")
    default_output_tokens: Whole | None = Field(
        None, description="Of calls whose client names no maximum"
    )
    max_groups: Whole | None = None
    starts_at: Time | None = None
    ends_at: Time | None = None
    start_date: Time | None = Field(None, description="The original's name of starts_at")
    end_date: Time | None = Field(None, description="The original's name of ends_at")
    enabled: Truth | None = Field(None, description="false: counts and does not judge")
    metadata: Metadata | None = None

    def fields(self) -> dict[str, Any]:  # Any: fields of the service
        """What was said, in the service's words."""
        said = self.given()
        for ours, theirs in (("starts_at", "start_date"), ("ends_at", "end_date")):
            known = {said.pop(name) for name in (theirs, ours) if name in said}
            if len(known) > 1:
                raise invalid(theirs, f"differs from {ours}; send one of them")
            if known:
                said[f"{ours[:-3]}_us"] = known.pop()
        for name in _NOT_OF_SERVICE:
            said.pop(name, None)
        return said


_READ_ONLY = ("status", "version", "backfilled_from", "last_judged_at", "created_at", "updated_at")
_NOT_OF_SERVICE = ("policy_id", "id", "budget_id", "backfill", "notes", *_READ_ONLY)


class PolicyBody(PolicyFields):
    """A new policy."""

    budget_id: str | None = Field(None, description="Id or name; without one: default")
    backfill: Truth = Field(True, description="Whether older usage of its window counts")


class PolicyChange(PolicyFields):
    """What is named changes; the rest stays."""

    id: str | None = Field(None, description="Not used: the path names it")
    policy_id: str | None = Field(None, description="Not used: the path names it")
    budget_id: str | None = Field(None, description="Not used: PUT /budgets/{id}/policies moves it")
    status: ReadOnly = None
    version: ReadOnly = None
    backfilled_from: ReadOnly = None
    last_judged_at: ReadOnly = None
    created_at: ReadOnly = None
    updated_at: ReadOnly = None
    notes: ReadOnly = None


class BudgetOut(View):
    """A budget."""

    budget_id: str
    name: str
    description: str
    owner: str
    scope: Scope
    policies: list[str]
    is_active: bool
    created_at: TimeOut
    updated_at: TimeOut
    creation_time: TimeOut
    metadata: Metadata


class AnchorOut(View):
    """Where calendar windows open."""

    hour: int
    weekday: int
    day: int
    month: int


class PolicyOut(View):
    """A policy."""

    policy_id: str
    name: str
    budget_id: str
    type: str
    enforcement: str
    shadow: bool
    limit: str
    token_limit: int | None
    cost_limit: UsdOut
    request_limit: int | None
    period: str
    timezone: str
    anchor: AnchorOut
    length_seconds: int | None
    scope: Scope
    tier: Shortcut
    provider: Shortcut
    component: Shortcut
    task_type: Shortcut
    model: Shortcut
    per: list[str]
    per_missing: str
    thresholds: list[float]
    warning_threshold: float | None
    action_threshold: float | None
    tokens_counted: list[str] | None
    rollover: bool
    rollover_cap: AmountsOut | None
    bypass_priority: int | None
    unpriced: str
    assume_model: str | None
    min_grant: int
    landing: float
    ladder: list[str]
    hold: str
    default_output_tokens: int | None
    max_groups: int
    starts_at: TimeOut
    ends_at: TimeOut
    start_date: TimeOut
    end_date: TimeOut
    enabled: bool
    status: str
    version: int
    backfilled_from: TimeOut
    last_judged_at: TimeOut
    created_at: TimeOut
    updated_at: TimeOut
    metadata: Metadata
    notes: list[str] | None = Field(None, description="What a change has to say")


class SetOut(View):
    """The policy that now holds the limit."""

    policy: PolicyOut
    created: bool
    notes: list[str]


class CreditFields(Body):
    """An amount on top, once, for one group's current window."""

    amount: str | None = Field(None, examples=["10usd"])
    cost: Usd | None = None
    tokens: Whole | None = None
    requests: Whole | None = None
    group: str | None = Field(None, description="Whose; default: the group of all")
    reason: str | None = Field(None, max_length=1000)
    expires_at: Time | None = None
    credit_id: str | None = None


class CreditBody(CreditFields):
    """The same, where labels say for whom it is meant."""

    policy: str | None = Field(None, description="Id or name; else the labels tell")
    labels: dict[str, Any] = Field(default_factory=dict, examples=[{"user": "alice"}])


class CreditOut(View):
    """A credit as given."""

    credit_id: str
    policy_id: str
    name: str
    group: str
    amounts: AmountsOut
    allowance: AmountsOut
    expires_at: TimeOut
    resets_at: TimeOut


class ExceptionFields(Body):
    """Other amounts for one group; a unit that is not named keeps the policy's."""

    token_limit: Whole | None = None
    cost_limit: Usd | None = None
    request_limit: Whole | None = None


ExceptionBody = ExceptionFields | Literal["unlimited"] | None


class ExceptionsOut(View):
    """Exceptions as they were set."""

    groups: dict[str, Any]


T = TypeVar("T")


class ChangedOut(View, Generic[T]):
    """What was ended, in words and as it stands."""

    message: str
    data: T
