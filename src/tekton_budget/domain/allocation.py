"""An allocation: the promise to one caller, its holds on balances, and its one end."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.further import Further
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
    is_unheld: bool = False  # concerned by labels that came with usage: it never held here
    is_part: bool = False  # taken from the parent's hold on the same balance


class Stated(NamedTuple):
    """What was granted in the words of the ask, by which it can be sized anew."""

    input_tokens: int | None = None
    max_output_tokens: int | None = None
    tokens: int | None = None
    cost_nano: int | None = None
    further: Further | None = None
    landing: bool = False  # it is told to finish, so it may use what is kept for the end
    in_gateway: bool = False  # the gateway holds it for a call under way, and alone ends it


class Children(NamedTuple):
    """What an allocation's children have of it: lent to the active ones, used up by the ended."""

    made: int = 0
    active: int = 0
    lent: TokenCounts = NO_TOKENS
    lent_cost_nano: int = 0
    lent_requests: int = 0
    used: TokenCounts = NO_TOKENS
    used_cost_nano: int = 0
    used_requests: int = 0
    own_requests: int | None = None  # what the allocation itself spent, once it has


NO_CHILDREN = Children()


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
    stated: Stated | None = None  # not known of what earlier versions granted
    ancestors: tuple[tuple[str, str], ...] = ()  # (key id, id), the oldest first, the parent last
    children: Children = NO_CHILDREN

    @property
    def key(self) -> tuple[str, str]:
        """By which it is found."""
        return self.key_id, self.id

    @property
    def parent_id(self) -> str | None:
        """The id of the allocation that it is a part of."""
        return self.ancestors[-1][1] if self.ancestors else None

    @property
    def granted_counts(self) -> TokenCounts:
        """The granted tokens by kind, as far as that is known."""
        further = None if self.stated is None else self.stated.further
        units = NO_TOKENS if further is None else further.counts
        tokens, output = self.granted.tokens - units.total, self.max_output_tokens
        if output is None:
            return units.plus(TokenCounts(other=tokens))
        return units.plus(TokenCounts(input=tokens - output, output=output))

    @property
    def is_active(self) -> bool:
        """Whether it still holds."""
        return self.status is AllocationStatus.ACTIVE

    @property
    def cost_is_known(self) -> bool:
        """Whether its hold says what the call may cost; a hold of 0 may also mean: no price."""
        return self.granted.cost_nano > 0 or self.price_id is not None

    @property
    def requests_of_its_own(self) -> int:
        """The requests that its first usage spends: what its children have not; at least one."""
        granted, children = self.granted.requests, self.children
        if children.own_requests is not None:
            return children.own_requests
        if not children.made:
            return granted
        left = granted - children.lent_requests - children.used_requests
        return max(min(1, granted), left)

    @property
    def rest(self) -> Amounts:
        """What was granted and neither it nor its children have used or have: never below 0."""
        children, requests = self.children, 0
        if not self.usage_records:
            requests = self.granted.requests - children.lent_requests - children.used_requests
        return Amounts(
            self.granted.tokens - self.used.total - children.lent.total - children.used.total,
            self.granted.cost_nano
            - self.used_cost_nano
            - children.lent_cost_nano
            - children.used_cost_nano,
            requests,
        ).at_least_zero()
