"""An allocation: the promise to one caller, its holds on balances, and its one end."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.usage import NO_TOKENS, TokenCounts

LIFETIME_DEFAULT_US = 15 * 60 * 1_000_000
LIFETIME_MAX_US = 24 * 3600 * 1_000_000


class AllocationStatus(StrEnum):
    """Active until it ends exactly once."""

    ACTIVE = "active"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"


class OnExpiry(StrEnum):
    """What becomes of the rest of the hold when time ends it."""

    RELEASE = "release"
    CHARGE = "charge"


class Hold(NamedTuple):
    """What one balance still holds, and what an expiry charged there until usage reverses it."""

    balance_id: str
    held: Amounts
    kinds: tuple[str, ...] = ()  # the tokens its policy counts; empty counts all
    charged: Amounts = NOTHING


@dataclass(frozen=True, slots=True)
class Allocation:
    """One allocation as stored. Ids are unique per key."""

    key_id: str
    id: str
    status: AllocationStatus
    labels: Mapping[str, str]
    granted: Amounts
    max_output_tokens: int | None
    created_us: int
    expires_us: int
    holds: tuple[Hold, ...]
    on_expiry: OnExpiry = OnExpiry.RELEASE
    priority: int = 5
    price_id: str | None = None
    decision: str = "allow"
    used: TokenCounts = NO_TOKENS
    used_cost_nano: int = 0
    usage_records: int = 0
    estimated_record: str | None = None  # the expiry's stand-in, until measured usage reverses it
    estimated: TokenCounts = NO_TOKENS
    estimated_cost_nano: int = 0
    ended_us: int | None = None
    updated_us: int = 0
    metadata: str = "{}"

    @property
    def is_active(self) -> bool:
        """Whether it still holds."""
        return self.status is AllocationStatus.ACTIVE

    @property
    def cost_is_known(self) -> bool:
        """Whether its hold says what the call may cost; a hold of 0 may also mean: no price."""
        return self.granted.cost_nano > 0 or self.price_id is not None
