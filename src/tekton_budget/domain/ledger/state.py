"""What a batch of commands is judged on, and the copies that one command leaves to the next."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tekton_budget.domain.allocation import Allocation, Hold
from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.answer import Answer, Waiting
from tekton_budget.domain.balance import Balance, balance_id
from tekton_budget.domain.command import (
    Allocate,
    Command,
    Expire,
    Extend,
    GiveCredit,
    KeepAlive,
    LedgerSettings,
    Record,
    Release,
    Settle,
    Together,
)
from tekton_budget.domain.errors import BudgetError, InvalidInput
from tekton_budget.domain.event import Event
from tekton_budget.domain.ledger.children import concerns_foreseen, parent_key
from tekton_budget.domain.policy import Credit, Policy
from tekton_budget.domain.policy_set import Concern, PolicySet, group_label_names
from tekton_budget.domain.price import PriceBook
from tekton_budget.domain.scope import group_labels
from tekton_budget.domain.units import Part
from tekton_budget.domain.usage import CostSource, Measurement, TokenCounts


class Posting(NamedTuple):
    """One movement on one balance; a reason names why it may lift it above its allowance."""

    balance_id: str
    reason: str
    spent: Amounts
    held: Amounts
    at_us: int = 0  # when it counts on a rolling balance, if not at the entry's own moment


# Asked of every command several times over, so they are put together once.
_OF_AN_ALLOCATION = (Settle, Release, Extend, Record)
_ENDING = (Settle, Release)
_ANSWERED_APART = (Record, Extend, GiveCredit)

TIMESTAMP_AHEAD_MAX_US = 5 * 60 * 1_000_000

OVERRUN = "overrun"
UNHELD = "unheld"
BYPASSED = "bypassed"
SHADOW = "shadow"
BACKFILL = "backfill"
ADOPTED = "adopted"  # held when its policy began, or while that was not yet judging


class Entry(NamedTuple):
    """A row of the journal: one command with all its postings."""

    kind: str
    key_id: str
    object_id: str
    postings: tuple[Posting, ...]
    detail: str = ""


class UsageRecord(NamedTuple):
    """A usage as stored, immutable. Reversals carry negative counts and cost."""

    record_id: str
    key_id: str
    allocation_id: str | None
    allocation_key_id: str | None
    at_us: int  # for reports
    placed_us: int  # which window it belongs to
    recorded_us: int
    labels: dict[str, str]
    provider: str | None
    model: str | None
    counts: TokenCounts
    reasoning_tokens: int
    requests: int
    cost_nano: int | None
    book_cost_nano: int | None
    cost_source: CostSource | None
    price_id: str | None
    measurement: Measurement
    late: bool
    provisional: bool
    reverses: str | None = None
    operation_id: str | None = None
    request_id: str | None = None
    metadata: str = "{}"
    parts: tuple[Part, ...] = ()


class Remembered(NamedTuple):
    """An answer kept for retries of its command. `slot` is (key id, id with the kind before it)."""

    slot: tuple[str, str]
    content: str
    answer: Answer


class DecisionCount(NamedTuple):
    """One refusal, would-be refusal or clamp, to be counted by policy, group and minute.

    A call that no policy concerns is counted as `unbudgeted`, with no policy and no group.
    """

    policy_id: str
    group: str
    decision: str
    sample: dict[str, object]  # the whole story, kept for the first few of a minute


@dataclass(slots=True)
class Outcome:
    """All that one command comes to: its answer, and what has to be written for it to be true."""

    answer: Answer | BudgetError | Waiting
    entry: Entry | None = None
    allocation: Allocation | None = None
    created: bool = False
    usage: tuple[UsageRecord, ...] = ()
    told: tuple[tuple[str, int], ...] = ()  # balances whose `told` becomes that
    credit: tuple[str, Credit] | None = None
    events: tuple[Event, ...] = ()
    counted: tuple[DecisionCount, ...] = ()
    remembered: Remembered | None = None
    grown: bool = False  # the allocation is granted more than it was
    relabelled: bool = False  # the allocation has labels that it did not have
    parts: "tuple[Outcome, ...]" = ()  # of commands executed together

    def each(self) -> "Iterator[Outcome]":
        """This outcome, or those of its parts."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.each()


@dataclass(slots=True)
class State:
    """A consistent view, loaded once a batch under locks. Commands read it; only `apply` writes."""

    now_us: int
    policies: PolicySet
    book: PriceBook
    settings: LedgerSettings = LedgerSettings()
    balances: dict[str, Balance] = field(default_factory=dict)
    allocations: dict[tuple[str, str], Allocation] = field(default_factory=dict)
    answers: dict[tuple[str, str], Remembered] = field(default_factory=dict)
    concerns_of: dict[int, list[Concern]] = field(default_factory=dict)
    asks: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    added: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)  # labels, so far
    new_balances: set[str] = field(default_factory=set)  # touched for the first time
    overfull: set[str] = field(default_factory=set)  # new groups beyond a policy's `max_groups`

    def concerns(self, command: Command) -> list[Concern]:
        """The policies that concern a command, with group and balance; found once a batch."""
        known = self.concerns_of.get(id(command))
        if known is None:
            known = self.concerns_of[id(command)] = concerns_for(self, command)
        return known

    def trial(self) -> "State":
        """A copy on which commands can be applied; this state stays as it is."""
        return replace(
            self,
            balances=_Copies(self.balances),
            allocations=dict(self.allocations),
            answers=dict(self.answers),
        )

    def apply(self, outcome: Outcome) -> None:
        """Let the next command see what this one did."""
        for part in outcome.each():
            if part.entry is not None:
                for key, _, spent, held, at_us in part.entry.postings:
                    self.balances[key].post(spent, held, at_us or self.now_us)
            if part.allocation is not None:
                self.allocations[(part.allocation.key_id, part.allocation.id)] = part.allocation
            for key, told in part.told:
                self.balances[key].told = told
            if part.credit is not None:
                balance = self.balances[part.credit[0]]
                balance.credits = (*balance.credits, part.credit[1])
            if part.remembered is not None:
                self.answers[part.remembered.slot] = part.remembered


class _Copies(dict[str, Balance]):
    """Balances of a trial: each is copied when first looked at, so the originals stay untouched."""

    def __init__(self, originals: dict[str, Balance]) -> None:
        super().__init__()
        self._originals = originals

    def __missing__(self, key: str) -> Balance:
        found = self._originals[key].copy()
        self[key] = found
        return found


def concerns_for(state: State, command: Command) -> list[Concern]:
    """Which policies a command's labels concern; of an allocation, those only new labels add."""
    policies, now_us = state.policies, state.now_us
    if isinstance(command, Allocate):
        if command.parent_id is not None:
            return concerns_foreseen(state, command)
        state.asks[command.caller.key_id, command.id] = command.labels
        return policies.concerns(command.labels, command.id, now_us)
    if isinstance(command, Settle):
        return _added(state, command) if command.labels else []
    if isinstance(command, Record):
        if command.allocation_id is None:
            return _concerns_of_fact(state, command)
        return _added(state, command) if command.labels else []
    if isinstance(command, GiveCredit):
        policy = policies.current(command.policy_id)
        if policy is None or not is_group(policy, command.group):
            return []
        window = policies.window(policy, now_us)
        return [concern_of_group(policies, policy.no, command.group, window.opens_us)]
    return []


def concern_of_group(policies: PolicySet, policy_no: int, group: str, opens_us: int) -> Concern:
    """A policy's balance of a group that is named, not found by labels."""
    policy = policies.by_no[policy_no]
    window = policies.window(policy, opens_us)
    key = balance_id(policy_no, opens_us, group)
    return Concern(policy, group, window, key, group_missing=False)


def is_group(policy: Policy, group: str) -> bool:
    """Whether a call could ever fall into a group of that name."""
    try:
        group_labels(group_label_names(policy), group)
    except InvalidInput:
        return False
    return True


def is_datable(timestamp_us: int | None, now_us: int) -> bool:
    """Whether a usage can have happened then: since 1970, and at most 5 minutes ahead."""
    return timestamp_us is None or 0 <= timestamp_us <= now_us + TIMESTAMP_AHEAD_MAX_US


def placed_at(timestamp_us: int | None, now_us: int) -> int:
    """The moment whose windows a fact belongs to: its own, but no window opens before its time."""
    return now_us if timestamp_us is None else min(timestamp_us, now_us)


def _concerns_of_fact(state: State, command: Record) -> list[Concern]:
    at_us, now_us, policies = command.usage.timestamp_us, state.now_us, state.policies
    if not is_datable(at_us, now_us):
        return []  # it will be refused
    moment = placed_at(at_us, now_us)
    return [
        policies.concern(p, command.labels, command.id, moment)
        for p in policies.concerning(command.labels, moment)
    ]


def _added(state: State, command: Settle | Record) -> list[Concern]:
    """The policies that an allocation concerns by labels it did not have when it was made.

    Labels that earlier commands of the batch add count as added, for they will be if those are not
    refused; `concerns_added` finds out.
    """
    key = allocation_key(command)
    allocation = state.allocations.get(key)
    holds: tuple[Hold, ...] = ()
    if allocation is not None:
        labels, moment, holds = allocation.labels, allocation.created_us, allocation.holds
    elif key in state.asks:  # made by an earlier command of this batch
        labels, moment = state.asks[key], state.now_us
    else:
        return []
    more = state.added[key] = {**state.added.get(key, {}), **command.labels}
    return _newly_concerned(state.policies, labels, more, holds, key[1], moment)


class Misjudged(Exception):
    """Loaded for labels that an earlier command was to add, which it did not: load it alone."""


def concerns_added(
    state: State, allocation: Allocation, labels: Mapping[str, str]
) -> list[Concern]:
    """The same as the allocation now is; `Misjudged` if that needs what was not loaded."""
    if not labels:
        return []
    holds, made_us = allocation.holds, allocation.created_us
    found = _newly_concerned(
        state.policies, allocation.labels, labels, holds, allocation.id, made_us
    )
    for concern in found:
        try:
            state.balances[concern.balance_id]
        except KeyError:
            raise Misjudged(concern.balance_id) from None
    return found


def _newly_concerned(
    policies: PolicySet,
    labels: Mapping[str, str],
    more: Mapping[str, str],
    holds: tuple[Hold, ...],
    call_id: str,
    moment: int,
) -> list[Concern]:
    held = {int(hold.balance_id.split(":", 1)[0]) for hold in holds}
    held |= {policy.no for policy in policies.concerning(labels, moment)}
    together = {**labels, **more}
    return [
        policies.concern(p, together, call_id, moment)
        for p in policies.concerning(together, moment)
        if p.no not in held
    ]


def allocation_key(command: Settle | Release | Extend | Record) -> tuple[str, str]:
    """The key of the allocation that a command is about."""
    owner = command.caller.key_id if command.owner_key_id is None else command.owner_key_id
    return owner, command.allocation_id or ""


def owned(state: State, command: Command) -> Command:
    """The command with the key of the allocation it is about, where that is not the caller's own.

    Ids are unique per key, and a key that is rotated, or that sees more, acts on what others made.
    """
    if isinstance(command, Together):
        return replace(command, commands=tuple(owned(state, part) for part in command.commands))
    if isinstance(command, Allocate):
        owner = _owner(state, command, command.parent_id, command.parent_key_id)
        return command if owner is None else replace(command, parent_key_id=owner)
    if not isinstance(command, _OF_AN_ALLOCATION):
        return command
    owner = _owner(state, command, command.allocation_id, command.owner_key_id)
    return command if owner is None else replace(command, owner_key_id=owner)


def _owner(
    state: State, command: Command, allocation_id: str | None, known: str | None
) -> str | None:
    """Whose allocation of that id is meant, where it is not the caller's and only one can be."""
    if allocation_id is None or known is not None:
        return None
    if (command.caller.key_id, allocation_id) in state.allocations:
        return None
    owners = [
        key_id
        for (key_id, id_), allocation in state.allocations.items()
        if id_ == allocation_id and command.caller.sees(allocation.labels)
    ]
    return owners[0] if len(owners) == 1 else None


def allocations_needed(command: Command) -> Sequence[tuple[str, str]]:
    """The allocations that must be loaded before a command can be executed."""
    if isinstance(command, Allocate):
        own = (command.caller.key_id, command.id)
        return (own,) if command.parent_id is None else (own, parent_key(command))
    if isinstance(command, _OF_AN_ALLOCATION):
        return () if command.allocation_id is None else (allocation_key(command),)
    if isinstance(command, Expire | KeepAlive):
        return command.allocations
    if isinstance(command, Together):
        return [key for part in command.commands for key in allocations_needed(part)]
    return ()


def answer_slot(command: Command) -> tuple[str, str]:
    """Where a command's answer is remembered: with its allocation, with its end, or on its own."""
    if isinstance(command, Allocate):
        return command.caller.key_id, f"a:{command.id}"
    if isinstance(command, _ENDING):
        owner, allocation_id = allocation_key(command)
        return owner, f"e:{allocation_id}"
    return command.caller.key_id, f"c:{command.id}"


def answers_needed(command: Command) -> Sequence[tuple[str, str]]:
    """The slots of answers that are remembered apart from an allocation."""
    if isinstance(command, _ANSWERED_APART):
        return (answer_slot(command),)
    if isinstance(command, Together):
        return [slot for part in command.commands for slot in answers_needed(part)]
    return ()


def balances_needed(state: State, command: Command) -> list[Concern | str]:
    """The balances a command moves: as concerns (which may have to be opened) or as known keys."""
    if isinstance(command, Together):
        return [item for part in command.commands for item in balances_needed(state, part)]
    if isinstance(command, KeepAlive) or (isinstance(command, Extend) and not command.totals):
        return []  # what they hold stays as it is
    found: list[Concern | str] = [
        concern if concern.parent is None else concern.balance_id
        for concern in state.concerns(command)
    ]
    for key in allocations_needed(command):
        allocation = state.allocations.get(key)
        if allocation is not None:
            found += [hold.balance_id for hold in allocation.holds]
    for key in families_needed(state, command):
        found += [hold.balance_id for one in active_below(state, key) for hold in one.holds]
    return found


def balances_judged(state: State, command: Command) -> list[str]:
    """The balances on which a command may be denied."""
    found = [concern.balance_id for concern in state.concerns(command)]
    if isinstance(command, Extend):
        allocation = state.allocations.get(allocation_key(command))
        found += [] if allocation is None else [hold.balance_id for hold in allocation.holds]
    return found


def families_needed(state: State, command: Command) -> list[tuple[str, str]]:
    """The loaded allocations whose active children, and theirs, a command may end or move too."""
    if isinstance(command, Together):
        return [key for part in command.commands for key in families_needed(state, part)]
    if not isinstance(command, Expire | Extend) and not getattr(command, "cascade", False):
        return []
    return [
        key
        for key in allocations_needed(command)
        if key in state.allocations and state.allocations[key].children.active
    ]


def active_below(state: State, key: tuple[str, str]) -> list[Allocation]:
    """The active allocations below one, as far as they are loaded."""
    return [one for one in state.allocations.values() if one.is_active and key in one.ancestors]
