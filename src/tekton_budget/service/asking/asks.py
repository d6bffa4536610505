"""What doors hand to the service: plain requests in our own words, not yet checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Ask:
    """May this call be made, and what may it use at most? `cost` is USD."""

    labels: Mapping[str, object] = field(default_factory=dict)
    input_tokens: int | None = None
    max_output_tokens: int | None = None
    tokens: int | None = None
    cost: Decimal | None = None
    requests: int = 1
    priority: int = 5
    fit: str = "all"
    min_grant: int | None = None
    landing: str = "no"
    headroom: int = 0  # output tokens that must be free besides, and are not held
    lifetime_seconds: int | None = None
    expires_us: int | None = None
    on_expiry: str = "release"
    metadata: Mapping[str, object] = field(default_factory=dict)
    units: Mapping[str, object] = field(default_factory=dict)  # further bounds: web_search, …
    context: Mapping[str, object] = field(default_factory=dict)  # service_tier, region, …
    quiet: bool = False  # a denial is not counted: the same call is asked for otherwise next
    cache_write: str | None = None  # 5m or 1h: the input may be written to a cache
    parent_id: str | None = None  # of the allocation that it shall be a part of


@dataclass(frozen=True, slots=True)
class Used:
    """What a call really used, by kinds that never overlap. `cost` is USD as the caller paid it.

    Or the provider's own `response`, or the frames of its stream, from which all of it is read.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    tokens: int = 0  # a total whose kinds are not known
    reasoning_tokens: int = 0  # inside the output
    cost: Decimal | None = None
    model_used: str | None = None
    provider_used: str | None = None
    timestamp_us: int | None = None
    estimated: bool = False
    operation_id: str | None = None
    request_id: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    response: Mapping[str, object] | list[object] | None = None
    api: str | None = None  # of which API the response is, where its shape does not say
    context: Mapping[str, object] = field(default_factory=dict)  # what a response cannot say


@dataclass(frozen=True, slots=True)
class AllocateRequest:
    """A ledger command of a batch: an ask."""

    ask: Ask
    id: str | None = None


@dataclass(frozen=True, slots=True)
class SettleRequest:
    """A ledger command of a batch: the end of an allocation, with what it used."""

    allocation_id: str
    used: Used | None = None
    labels: Mapping[str, object] = field(default_factory=dict)
    record_id: str | None = None
    cascade: bool = False  # its children end with it


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """A ledger command of a batch: give back."""

    allocation_id: str
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class ExtendRequest:
    """A ledger command of a batch: move the expiry, or grow to new totals, or both."""

    allocation_id: str
    lifetime_seconds: int | None = None
    id: str | None = None
    max_output_tokens: int | None = None
    tokens: int | None = None
    cost: Decimal | None = None
    fit: str = "all"
    min_grant: int | None = None
    quiet: bool = False  # a denial is not counted: the stream asks again until it ends


@dataclass(frozen=True, slots=True)
class RecordRequest:
    """A ledger command of a batch: a usage, of an allocation or of none; `final` settles."""

    used: Used
    labels: Mapping[str, object] = field(default_factory=dict)
    allocation_id: str | None = None
    final: bool = False
    id: str | None = None


LedgerRequest = AllocateRequest | SettleRequest | ReleaseRequest | ExtendRequest | RecordRequest
