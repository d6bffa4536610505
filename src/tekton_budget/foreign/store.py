"""What a foreign store holds, in words that all of them share: usage, limits, faults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

# The label by which imported usage is told apart; its value is the kind of the store.
IMPORTED_FROM = "imported_from"


# What an export notes in the metadata of a row that it makes of a usage that was never imported.
EXPORTED = "tekton_budget"


def exported_note(record_id: str) -> dict[str, Any]:  # Any: JSON
    """The note, to be merged into a row's own metadata."""
    return {EXPORTED: {"record_id": record_id}}


def exported_from(metadata: Mapping[str, Any]) -> str | None:  # Any: JSON of others
    """The record of ours that a row's own metadata says it was made of."""
    note = metadata.get(EXPORTED)
    found = note.get("record_id") if isinstance(note, Mapping) else None
    return found if isinstance(found, str) else None


class Kind(StrEnum):
    """Whose store it is; also the name of the budget that its limits go to."""

    APOLLO = "apollo"
    RHETOR = "rhetor"


@dataclass(frozen=True, slots=True)
class ForeignUsage:
    """One usage record of a foreign store.

    `record_id` is ours-to-be (`[A-Za-z0-9._:@-]{1,200}`): the same record has the same id in
    whatever file it stands and whenever it is read. `at` is naive local time, as the store says;
    the zone is asked for when it is imported. `labels` are as the store says, their case kept.
    """

    record_id: str
    at: datetime
    labels: Mapping[str, str]  # component, task_type, context_id, provider, model, tier …
    input_tokens: int = 0
    output_tokens: int = 0
    tokens: int = 0  # of which it is not known whether they went in or came out
    cost: Decimal | None = None  # USD, as the store charged; None: the price book's to say
    operation_id: str | None = None
    # What else the store knows, as JSON, so that an export gives it back: under the store's kind.
    metadata: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON of others
    exported_from: str | None = None  # the record of ours that an export made this row of
    part: str = field(default="", compare=False)  # the name of the part in which it was first read

    @property
    def total_tokens(self) -> int:
        """All tokens of it."""
        return self.input_tokens + self.output_tokens + self.tokens


@dataclass(frozen=True, slots=True)
class ForeignLimit:
    """One limit of a foreign store, in our words.

    `policy_id` is ours-to-be, deterministic like a record's id. A limit that is history or that
    limits nothing is not `enabled`. The words of `enforcement` and `period` are our policy fields'.
    """

    policy_id: str
    name: str
    enforcement: str  # ignore, warn, soft_limit, hard_limit
    period: str  # hourly … monthly, per_session, per_task
    scope: Mapping[str, str]
    token_limit: int | None = None
    cost_limit: Decimal | None = None  # USD
    warning_threshold: Decimal | None = None  # shares, 0.8; None: our default
    action_threshold: Decimal | None = None
    starts_at: datetime | None = None  # naive local, as a usage's `at`
    ends_at: datetime | None = None
    enabled: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON of others


@dataclass(frozen=True, slots=True)
class Fault:
    """What could not be taken over, and why; the rest was."""

    where: str  # the file, and the row in it: `usage_records_1770737689.json[12]`, `usage 812`
    what: str


@dataclass(frozen=True, slots=True)
class Part:
    """One file (Apollo) or table (Rhetor) of a store, and how much of it was read.

    `found` rows were understood, `repeated` of them already in an earlier part, and `skipped` not.
    What could not be opened at all is not `is_whole`.
    """

    name: str
    found: int
    repeated: int = 0
    skipped: int = 0
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class ForeignStore:
    """All that was read of one store: each usage and limit once, in the order of the store."""

    kind: Kind
    usages: tuple[ForeignUsage, ...]
    limits: tuple[ForeignLimit, ...]
    faults: tuple[Fault, ...] = ()
    parts: tuple[Part, ...] = ()
