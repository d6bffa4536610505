"""Verdicts: what the quotes for one model come to, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .quote import NO_RATES, Rates


class Status(StrEnum):
    """How far a price may be relied upon, from the firmest."""

    VERIFIED = "verified"  # independent sources agree
    SINGLE_SOURCE = "single_source"  # one source speaks and nothing speaks against it
    PENDING_CHANGE = "pending_change"  # a change is seen and waits; the last price stands
    STALE = "stale"  # nobody quotes the model any more; the last price stands
    DISPUTED = "disputed"  # sources differ; the last price stands, if there is one
    QUARANTINED = "quarantined"  # the only quotes are possible, but not believable
    REJECTED = "rejected"  # the only quotes are no prices


class Fault(StrEnum):
    """Why a quote has no vote, from the mildest."""

    APART = "apart"  # another region, zone, currency, or a copy: not comparable, not wrong
    NO_VOTE = "no_vote"  # a zero against a price
    QUARANTINED = "quarantined"  # a shape no real price has
    REJECTED = "rejected"  # no price at all


@dataclass(frozen=True, slots=True)
class SetAside:
    """A quote, or one dimension of it, that was not counted, and why."""

    source: str
    fault: Fault
    reason: str
    dimension: str | None = None  # None: the whole quote


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on one model.

    `rates` are the values to use and hold only such as may be used (of the last accepted price
    where that one stands); empty: none may. `suggested` is a value that the vote alone does not
    carry, with its reason in `suggested_why`.
    """

    status: Status
    rates: Rates = field(default_factory=lambda: NO_RATES)
    groups: tuple[
        tuple[str, ...], ...
    ] = ()  # sources that agree on input and output, largest first
    dissenting: tuple[str, ...] = ()  # sources that say something else than `rates`
    set_aside: tuple[SetAside, ...] = ()
    dimensions: Mapping[str, Status] = field(default_factory=dict)  # beside input and output
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    suggested: Rates = field(default_factory=lambda: NO_RATES)
    suggested_why: str = ""
    enforce: Rates = field(default_factory=lambda: NO_RATES)  # disputed: highest plausible quote
    report: Rates = field(default_factory=lambda: NO_RATES)  # disputed: the preferred source's

    @property
    def usable(self) -> bool:
        """Whether `rates` may be published."""
        return bool(self.rates)
