"""Commands: what callers ask of the ledger, ids included, so that a retry is the same command."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tekton_budget.domain.allocation import LIFETIME_DEFAULT_US, LIFETIME_MAX_US, OnExpiry
from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.further import Further
from tekton_budget.domain.policy import Unpriced
from tekton_budget.domain.usage import Usage

WORDS = ("max_output_tokens", "tokens", "cost_nano")  # in which an ask says how much it may use


class Fit(StrEnum):
    """Whether an ask is granted whole or not at all, or shrunk to what fits."""

    ALL = "all"
    CLAMP = "clamp"


class Landing(StrEnum):
    """Whether an ask may use what policies keep for the end: it then tells the call to finish."""

    NO = "no"
    MAY = "may"
    AUTO = "auto"  # where the rest does not do


@dataclass(frozen=True, slots=True)
class AuditNote:
    """What a person changed: verb and object, and how it stood before and after, as JSON text."""

    verb: str
    object_kind: str
    object_id: str
    before: str = "null"
    after: str = "null"


@dataclass(frozen=True, slots=True)
class Command:
    """The head of every command: its own id, who asks, and its content as canonical JSON."""

    id: str
    caller: Caller
    content: str = ""


@dataclass(frozen=True, slots=True)
class Allocate(Command):
    """May this call be made? `labels` are complete: the key's forced ones included."""

    labels: Mapping[str, str] = field(default_factory=dict)
    input_tokens: int | None = None
    max_output_tokens: int | None = None
    tokens: int | None = None
    cost_nano: int | None = None
    requests: int = 1
    priority: int = 5
    fit: Fit = Fit.ALL
    min_grant: int | None = None
    lifetime_us: int = LIFETIME_DEFAULT_US
    expires_us: int | None = None  # the lifetime said by its end, at most the longest one ahead
    on_expiry: OnExpiry = OnExpiry.RELEASE
    metadata: str = "{}"
    dry_run: bool = False
    wait_us: int = 0
    quiet: bool = False  # a denial is not counted: the same call is asked for otherwise next
    landing: Landing = Landing.NO
    headroom: int = 0  # output tokens that must be free besides, and are not held: it will grow
    further: Further | None = None  # what it states beside its tokens, if anything
    parent_id: str | None = None  # of the allocation that it shall be a part of
    parent_key_id: str | None = None  # whose that is, where not the caller's own

    def ends_at(self, now_us: int) -> int:
        """When a grant of now would expire."""
        if self.expires_us is None:
            return now_us + self.lifetime_us
        return min(self.expires_us, now_us + LIFETIME_MAX_US)


@dataclass(frozen=True, slots=True)
class Settle(Command):
    """End an allocation with at most one further usage. `record_id` is that of the usage."""

    allocation_id: str = ""
    owner_key_id: str | None = None  # whose allocation it is, where not the caller's own
    usage: Usage | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    record_id: str = ""
    cascade: bool = False  # its children end with it


@dataclass(frozen=True, slots=True)
class Release(Command):
    """End an allocation and give back all that is still held."""

    allocation_id: str = ""
    owner_key_id: str | None = None
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class Extend(Command):
    """Move the expiry to `lifetime_us` from now, or grow what is held to new totals, or both."""

    allocation_id: str = ""
    owner_key_id: str | None = None
    lifetime_us: int | None = None
    max_output_tokens: int | None = None
    tokens: int | None = None
    cost_nano: int | None = None
    fit: Fit = Fit.ALL
    min_grant: int | None = None  # how much more it must be, where it is clamped
    quiet: bool = False  # a denial is not counted: the stream asks again until it ends

    @property
    def totals(self) -> dict[str, int]:
        """The new totals, by the words of an ask."""
        said = {name: getattr(self, name) for name in WORDS}
        return {name: total for name, total in said.items() if total is not None}


@dataclass(frozen=True, slots=True)
class Record(Command):
    """A usage: of an allocation that goes on, of one that has ended, or of none."""

    usage: Usage = Usage()
    labels: Mapping[str, str] = field(default_factory=dict)
    allocation_id: str | None = None
    owner_key_id: str | None = None


@dataclass(frozen=True, slots=True)
class Expire(Command):
    """End what is past its time; ours, not a caller's. Keys are (key id, allocation id)."""

    allocations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class KeepAlive(Command):
    """Let several live for so long from now; ours, not a caller's. Those that ended are passed."""

    allocations: tuple[tuple[str, str], ...] = ()
    lifetime_us: int = LIFETIME_DEFAULT_US


@dataclass(frozen=True, slots=True)
class GiveCredit(Command):
    """An amount on top for one group's current window, once."""

    policy_id: str = ""
    group: str = ""
    amounts: Amounts = Amounts()
    reason: str = ""
    expires_us: int | None = None
    audit: AuditNote | None = None


@dataclass(frozen=True, slots=True)
class Together(Command):
    """Several commands, all or none."""

    commands: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """What the ledger needs to know of the installation."""

    shadow: bool = False
    deny_unbudgeted: bool = False
    assume_model: str | None = None
    unpriced_default: Unpriced = Unpriced.DENY
    timezone: str = "UTC"
