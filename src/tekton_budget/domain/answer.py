"""Answers: what the ledger says to a command. Remembered ones are stored and given again."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from tekton_budget.domain.amounts import NOTHING, Amounts, Limits
from tekton_budget.domain.usage import UsageFault


@dataclass(frozen=True, slots=True)
class Standing:
    """One policy's numbers for a call. Hidden ones belong to others than the key that asks."""

    policy_id: str
    name: str
    group: str
    enforcement: str
    allowance: Limits
    spent: Amounts
    held: Amounts
    asked: Amounts
    remaining: Limits
    resets_us: int | None
    timezone: str
    hidden: bool = False
    scope: Mapping[str, object] | None = None  # of a policy that stands in the way
    kept: Amounts = NOTHING  # for the end, and not for the ask in whose way it stands
    allocation_id: str | None = None  # of a parent that stands in the way, in a policy's place


@dataclass(frozen=True, slots=True)
class PinnedPrice:
    """The price an ask was sized with: USD per 1,000,000 tokens, `None` without such a rate."""

    price_id: str
    provider: str
    model: str
    valid_from_us: int
    input: Decimal | None = None
    output: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """The call may be made: what is held for it, until when, and what each policy has left."""

    allocation_id: str
    decision: str
    granted: Amounts
    max_output_tokens: int | None
    created_us: int
    expires_us: int
    policies: tuple[Standing, ...] = ()
    price: PinnedPrice | None = None
    reasons: tuple[str, ...] = ()
    would_deny: tuple[str, ...] = ()
    bypassed: tuple[str, ...] = ()
    clamped_from: int | None = None
    provisional: bool = False
    dry_run: bool = False
    tier: str | None = None  # the label as it is, also where it was given by the table of tiers
    landing: bool = False  # a policy is down to what it keeps for the end: finish now
    parent_id: str | None = None
    labels: Mapping[str, str] | None = None  # of a child: with those it has from its parent


@dataclass(frozen=True, slots=True)
class Fitting:
    """The largest ask of the same shape that would be granted now."""

    tokens: int | None
    cost_nano: int | None
    max_output_tokens: int | None


@dataclass(frozen=True, slots=True)
class Denial:
    """The call may not be made, by whom, and what would be possible instead."""

    allocation_id: str
    code: str
    detail: str
    policies: tuple[Standing, ...]
    largest_fit: Fitting | None
    alternatives: tuple[str, ...]
    blocked_on: str
    retryable: bool
    never_fits: bool
    resets_us: int | None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """No answer yet: the ask does not fit now, and would rather wait until it does."""

    allocation_id: str
    balances: frozenset[str]  # that stand in its way


@dataclass(frozen=True, slots=True)
class Ended:
    """An allocation's state after a settle, release, extend or record."""

    allocation_id: str
    status: str
    spent: Amounts
    released: Amounts
    cost_nano: int | None
    cost_source: str | None
    record_id: str | None
    expires_us: int
    late: bool = False
    policies: tuple[Standing, ...] = ()
    usage_error: UsageFault | None = None  # why the whole hold was charged instead
    book_cost_nano: int | None = None  # by our prices, beside a cost that somebody else gave
    cost_note: str | None = None  # why the cost is an estimate, or not known
    granted: Amounts | None = None  # all that it may use, where that has grown
    max_output_tokens: int | None = None  # of these


@dataclass(frozen=True, slots=True)
class Recorded:
    """A usage as posted."""

    record_id: str
    allocation_id: str | None
    status: str | None
    total_tokens: int
    cost_nano: int | None
    book_cost_nano: int | None
    cost_source: str | None
    late: bool
    policies: tuple[Standing, ...] = ()
    cost_note: str | None = None  # why the cost is an estimate, or not known


@dataclass(frozen=True, slots=True)
class Credited:
    """A credit as given: on which policy, group and window."""

    credit_id: str
    policy_id: str
    name: str
    group: str
    amounts: Amounts
    allowance: Limits
    expires_us: int | None
    resets_us: int | None


@dataclass(frozen=True, slots=True)
class Expired:
    """How many allocations a pass ended."""

    count: int


@dataclass(frozen=True, slots=True)
class Kept:
    """How many allocations live on."""

    count: int


@dataclass(frozen=True, slots=True)
class Several:
    """The answers of commands that were judged together, in their order."""

    answers: "tuple[object, ...]"  # an Answer or a BudgetError each


Answer = Grant | Denial | Ended | Recorded | Credited | Expired | Kept | Several
