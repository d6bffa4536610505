"""Apollo's models of tiers, policies, allocations, usage and summaries: the same fields and words.

Enums are kept as their values, fields are checked when they are set, and JSON may be in camelCase.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import uuid4

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel

from tekton_budget.frontends.tekton.apollo import clock

LIFETIME = timedelta(hours=24)
Metadata = dict[str, Any]  # Any: what callers keep with a thing


# `(str, Enum)`, not `StrEnum`: their text is `BudgetTier.LOCAL_LIGHTWEIGHT`, as Apollo's is.
class BudgetTier(str, Enum):  # noqa: UP042  (formats as Apollo's)
    """How capable, and how dear, a model is."""

    LOCAL_LIGHTWEIGHT = "local_lightweight"
    LOCAL_MIDWEIGHT = "local_midweight"
    REMOTE_HEAVYWEIGHT = "remote_heavyweight"


class BudgetPeriod(str, Enum):  # noqa: UP042  (formats as Apollo's)
    """How often a limit starts anew."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    PER_SESSION = "per_session"
    PER_TASK = "per_task"


class BudgetPolicyType(str, Enum):  # noqa: UP042  (formats as Apollo's)
    """What passing a limit does."""

    IGNORE = "ignore"
    WARN = "warn"
    SOFT_LIMIT = "soft_limit"
    HARD_LIMIT = "hard_limit"


class TaskPriority(int, Enum):
    """How much a task matters; any number from 1 to 10 will do."""

    LOW = 1
    NORMAL = 5
    HIGH = 8
    CRITICAL = 10


class ApolloModel(BaseModel):
    """What all of Apollo's models do."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        validate_assignment=True,
        use_enum_values=True,
    )


class BudgetPolicy(ApolloModel):
    """One limit, in tokens of a tier, of all calls or of a component's or a task type's."""

    policy_id: str = Field(default_factory=lambda: str(uuid4()))
    type: BudgetPolicyType
    period: BudgetPeriod
    tier: BudgetTier
    component: str | None = None
    task_type: str | None = None
    limit: int
    warning_threshold: float = 0.8
    action_threshold: float = 0.95
    start_date: datetime = Field(default_factory=clock.local_now)
    end_date: datetime | None = None
    enabled: bool = True
    metadata: Metadata = Field(default_factory=dict)


class BudgetAllocation(ApolloModel):
    """Tokens that one context may use.

    What a manager gave out follows the ledger: it is brought up to date whenever that manager reads
    or moves it, and `record_usage` on it posts there.
    """

    allocation_id: str = Field(default_factory=lambda: str(uuid4()))
    context_id: str
    component: str
    tier: BudgetTier
    provider: str | None = None
    model: str | None = None
    task_type: str
    priority: int = Field(5, ge=1, le=10)
    tokens_allocated: int
    tokens_used: int = 0
    creation_time: datetime = Field(default_factory=clock.local_now)
    expiration_time: datetime | None = None
    is_active: bool = True
    metadata: Metadata = Field(default_factory=dict)
    _post: Callable[[int], int] | None = PrivateAttr(None)

    @field_validator("expiration_time", mode="before")
    @classmethod
    def _or_a_day(cls, value: object, info: ValidationInfo) -> object:
        """`None` said in so many words is a day; left out, it never ends."""
        if value is None and "creation_time" in info.data:
            return info.data["creation_time"] + LIFETIME
        return value

    @property
    def remaining_tokens(self) -> int:
        """What is left of it, never below 0."""
        return max(0, self.tokens_allocated - self.tokens_used)

    @property
    def usage_percentage(self) -> float:
        """Used of allocated tokens: 1 is all."""
        return self.tokens_used / self.tokens_allocated if self.tokens_allocated else 0.0

    @property
    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.expiration_time is not None and clock.local_now() > clock.local(
            self.expiration_time
        )

    def record_usage(self, tokens: int) -> int:
        """Count tokens as used; how many were. Only one that no manager gave out cuts them off."""
        if self._post is not None:
            return self._post(tokens)
        if not self.is_active or self.is_expired:
            return 0
        counted = min(tokens, self.remaining_tokens)
        self.tokens_used += counted
        if self.remaining_tokens == 0:
            self.is_active = False
        return counted

    def posting(self, post: Callable[[int], int]) -> "BudgetAllocation":
        """The same, whose usage goes to a ledger."""
        self._post = post
        return self

    def follow(self, other: "BudgetAllocation") -> None:
        """Become as that one stands."""
        for name in type(self).model_fields:
            self.__dict__[name] = getattr(other, name)


class BudgetUsageRecord(ApolloModel):
    """Tokens that a call used."""

    record_id: str = Field(default_factory=lambda: str(uuid4()))
    allocation_id: str
    context_id: str
    component: str
    provider: str
    model: str
    task_type: str
    tokens_used: int
    usage_type: str  # input, output, total
    timestamp: datetime = Field(default_factory=clock.local_now)
    operation_id: str | None = None
    metadata: Metadata = Field(default_factory=dict)


class BudgetSummary(ApolloModel):
    """Where one tier stands in a period."""

    period: BudgetPeriod
    tier: BudgetTier
    component: str | None = None
    task_type: str | None = None
    total_allocated: int
    total_used: int
    limit: int
    usage_percentage: float
    active_allocations: int
    start_time: datetime
    end_time: datetime

    @property
    def remaining(self) -> int:
        """What is left, never below 0."""
        return max(0, self.limit - self.total_used)

    @property
    def is_exceeded(self) -> bool:
        """Whether more was used than the limit."""
        return self.total_used > self.limit
