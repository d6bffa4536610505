"""A policy: one limit that people set, and the allowance it gives a group at a moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tekton_budget.domain.amounts import NOTHING, UNLIMITED, Amounts, Limits
from tekton_budget.domain.period import Period, Schedule
from tekton_budget.domain.scope import Scope

DEFAULT_BUDGET = "default"
DEFAULT_THRESHOLDS_PPM = (800_000, 950_000)
MAX_GROUPS_DEFAULT = 2_000_000
PPM = 1_000_000


class Enforcement(StrEnum):
    """What passing a limit does, softest first."""

    IGNORE = "ignore"
    WARN = "warn"
    SOFT_LIMIT = "soft_limit"
    HARD_LIMIT = "hard_limit"


class Unpriced(StrEnum):
    """What a cost limit does with a model that has no known price."""

    DENY = "deny"
    HIGHEST = "highest"
    ALLOW = "allow"


class PerMissing(StrEnum):
    """Where a call goes that lacks a label of `per`."""

    SHARED = "shared"
    DENY = "deny"


class Holding(StrEnum):
    """What a stream through the gateway holds: all its output, or what it has and a slice ahead."""

    FULL = "full"
    GROWING = "growing"


class Status(StrEnum):
    """A policy's life: counting but not judging yet, at work, superseded by a version, ended."""

    STARTING = "starting"
    ACTIVE = "active"
    REPLACED = "replaced"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """An exception: other amounts for one group. A unit that is `None` keeps the policy's own."""

    unlimited: bool = False
    tokens: int | None = None
    cost_nano: int | None = None
    requests: int | None = None

    def over(self, limits: Limits) -> Limits:
        """The policy's limits with this exception's in their place."""
        if self.unlimited:
            return UNLIMITED
        return Limits(
            limits.tokens if self.tokens is None else self.tokens,
            limits.cost_nano if self.cost_nano is None else self.cost_nano,
            limits.requests if self.requests is None else self.requests,
        )


@dataclass(frozen=True, slots=True)
class Credit:
    """An amount on top for one group's window, once, until it ends."""

    credit_id: str
    amounts: Amounts
    expires_us: int | None = None
    reason: str = ""

    def live(self, now_us: int) -> bool:
        """Not yet ended."""
        return self.expires_us is None or now_us < self.expires_us


@dataclass(frozen=True, slots=True)
class Budget:
    """A named folder of policies with an owner; its scope is added to each policy's."""

    budget_id: str
    name: str
    scope: Scope
    is_active: bool = True
    description: str = ""
    owner: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)
    created_us: int = 0
    updated_us: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a policy; `no` numbers versions and is what balances carry."""

    no: int
    policy_id: str
    version: int
    name: str
    budget_id: str
    limits: Limits
    schedule: Schedule
    scope: Scope
    enforcement: Enforcement = Enforcement.HARD_LIMIT
    shadow: bool = False
    per: tuple[str, ...] = ()
    per_missing: PerMissing = PerMissing.SHARED
    thresholds_ppm: tuple[int, ...] = DEFAULT_THRESHOLDS_PPM
    tokens_counted: tuple[str, ...] = ()  # kinds; empty counts all
    rollover: bool = False
    rollover_cap: Limits = UNLIMITED
    bypass_priority: int | None = None
    unpriced: Unpriced = Unpriced.DENY
    assume_model: str | None = None
    min_grant: int = 0
    landing_ppm: int = 0  # of the allowance, kept for calls that carry the note to finish
    ladder: tuple[str, ...] = ()  # models to go on with where the one asked for does not fit
    hold: Holding = Holding.FULL
    default_output_tokens: int | None = None  # of a call whose client names no maximum
    max_groups: int = MAX_GROUPS_DEFAULT
    starts_us: int | None = None
    ends_us: int | None = None
    enabled: bool = True
    status: Status = Status.ACTIVE
    metadata: Mapping[str, object] = field(default_factory=dict)
    created_us: int = 0
    updated_us: int = 0
    backfill_to: int | None = None  # the last usage number that the backfill has to sum
    backfill_after: str | None = None  # the last balance that the backfill has posted
    backfilled_from_us: int | None = None
    budget_scope: Scope | None = None  # its budget's before that changed, until it is replaced

    @property
    def judges(self) -> bool:
        """Whether it takes part in decisions; else it only counts."""
        return self.status is Status.ACTIVE and self.enabled

    @property
    def is_rolling(self) -> bool:
        """Whether its balances slide with time."""
        return self.schedule.period is Period.ROLLING


def kept_part(policy: Policy, allowance: Limits) -> Amounts:
    """What of an allowance only calls that carry the note to finish may use, rounded down."""
    ppm = policy.landing_ppm
    if not ppm or policy.enforcement is not Enforcement.HARD_LIMIT:
        return NOTHING
    return Amounts(*(0 if limit is None else limit * ppm // PPM for limit in allowance))


def allowance(
    limits: Limits,
    *,
    exception: GroupLimits | None,
    carry: Amounts,
    credits: tuple[Credit, ...],
    now_us: int,
) -> Limits:
    """What a group may use in its window at a moment: limit or exception + carry + live credit."""
    base = limits if exception is None else exception.over(limits)
    if carry is not NOTHING:
        base = base.plus(carry)
    for credit in credits:
        if credit.live(now_us):
            base = base.plus(credit.amounts)
    return base
