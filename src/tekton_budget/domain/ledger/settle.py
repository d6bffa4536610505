"""Usage: what a call really used, posted to exactly the balances it holds."""

from dataclasses import replace
from typing import NamedTuple

from tekton_budget.domain.allocation import Allocation, AllocationStatus, Hold
from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.answer import Ended, Recorded, Standing
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.command import Record, Settle
from tekton_budget.domain.errors import Conflict, InvalidInput, NotFound, invalid
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.ledger.retry import remember, remembered_answer
from tekton_budget.domain.ledger.standing import standing_after
from tekton_budget.domain.ledger.state import (
    OVERRUN,
    UNHELD,
    Entry,
    Outcome,
    Posting,
    State,
    UsageRecord,
    allocation_key,
)
from tekton_budget.domain.ledger.thresholds import newly_told
from tekton_budget.domain.policy import Unpriced
from tekton_budget.domain.policy_set import Concern
from tekton_budget.domain.price import nano_half_even
from tekton_budget.domain.usage import NO_TOKENS, CostSource, Measurement, TokenCounts, Usage

TIMESTAMP_AHEAD_MAX_US = 5 * 60 * 1_000_000


class Costed(NamedTuple):
    """A usage's cost: as posted (`None` is unknown), as our book has it, and where it comes from."""

    cost_nano: int | None
    book_cost_nano: int | None
    source: CostSource | None
    price_id: str | None
    provisional: bool = False


def settle(state: State, command: Settle) -> Outcome:
    """Close an allocation with at most one further usage; the rest of its hold is free again."""
    key = allocation_key(command)
    allocation = state.allocations.get(key)
    if allocation is None or not command.caller.sees(allocation.labels):
        return Outcome(unknown_allocation(command.allocation_id))
    first = remembered_answer(state, command)
    if first is not None and not isinstance(first, Conflict):
        return Outcome(first)
    late = allocation.status is AllocationStatus.EXPIRED and first is None
    if not allocation.is_active and not (late and command.usage is not None):
        return Outcome(already_ended(allocation))
    refused = _changed_labels(allocation, command) or _misdated(state, command.usage)
    if refused is not None:
        return Outcome(refused)
    return _settled(state, command, allocation, late=late)


def record(state: State, command: Record) -> Outcome:
    """Post a usage: a fact, never denied."""
    first = remembered_answer(state, command)
    if first is not None:
        return Outcome(first)
    refused = _misdated(state, command.usage)
    if refused is not None:
        return Outcome(refused)
    if command.allocation_id is None:
        return _recorded_alone(state, command)
    allocation = state.allocations.get(allocation_key(command))
    if allocation is None or not command.caller.sees(allocation.labels):
        return Outcome(unknown_allocation(command.allocation_id))
    return _recorded(state, command, allocation)


def unknown_allocation(allocation_id: str) -> NotFound:
    """The refusal of an id that is not this caller's."""
    return NotFound(
        f"There is no allocation {allocation_id!r} for this key: check the id and the key.",
        code="allocation_not_found",
    )


def already_ended(allocation: Allocation) -> Conflict:
    """The refusal of a second, different end."""
    return Conflict(
        f"The allocation {allocation.id!r} is already {allocation.status.value}. Usage that comes "
        "later is recorded by its own id: POST /api/v1/usage/record with allocation_id.",
        code="already_settled",
        status=allocation.status.value,
    )


def _changed_labels(allocation: Allocation, command: Settle) -> InvalidInput | None:
    for name, value in command.labels.items():
        fixed = allocation.labels.get(name)
        if fixed is not None and fixed != value:
            return invalid(
                f"labels.{name}",
                f"is fixed as {fixed!r} since the ask; settle may add labels, not change them "
                "(model_used and provider_used say what really answered)",
                code="label_fixed",
            )
    return None


def _misdated(state: State, usage: Usage | None) -> InvalidInput | None:
    if usage is None or usage.timestamp_us is None:
        return None
    if usage.timestamp_us > state.now_us + TIMESTAMP_AHEAD_MAX_US:
        return invalid(
            "timestamp", "lies more than 5 minutes ahead; check the clock or leave it out"
        )
    return None


def _settled(state: State, command: Settle, allocation: Allocation, *, late: bool) -> Outcome:
    usage = command.usage
    draft = _Draft(state, allocation)
    costed: Costed | None = None
    if usage is not None:
        costed = draft.use(usage, command.record_id, command.caller, late=late)
    for concern in state.concerns(command):
        draft.add_unheld(concern)
    released = NOTHING
    if allocation.is_active:
        released = draft.free()
    status = AllocationStatus.EXPIRED if late else AllocationStatus.SETTLED
    ended = replace(draft.allocation, status=status, ended_us=allocation.ended_us or state.now_us)
    answer = Ended(
        allocation_id=allocation.id,
        status=status.value,
        spent=Amounts(ended.used.total, ended.used_cost_nano, 1 if ended.usage_records else 0),
        released=released,
        cost_nano=costed.cost_nano if costed is not None else ended.used_cost_nano,
        cost_source=costed.source.value if costed is not None and costed.source else None,
        record_id=command.record_id if usage is not None else None,
        expires_us=allocation.expires_us,
        late=late,
        policies=draft.standings(command.caller),
    )
    event = Event(
        EventType.ALLOCATION_SETTLED,
        allocation.id,
        draft.budget_id(),
        {"spent": answer.spent, "status": status.value, "late": late},
    )
    return draft.outcome("settle", command, ended, answer, event)


def _recorded(state: State, command: Record, allocation: Allocation) -> Outcome:
    late = not allocation.is_active
    draft = _Draft(state, allocation)
    costed = draft.use(command.usage, command.id, command.caller, late=late)
    answer = Recorded(
        record_id=command.id,
        allocation_id=allocation.id,
        status=allocation.status.value,
        total_tokens=command.usage.counts.total,
        cost_nano=costed.cost_nano,
        book_cost_nano=costed.book_cost_nano,
        cost_source=costed.source.value if costed.source is not None else None,
        late=late,
        policies=draft.standings(command.caller),
    )
    event = Event(
        EventType.USAGE_RECORDED,
        command.id,
        draft.budget_id(),
        {"allocation_id": allocation.id, "cost_nano": costed.cost_nano, "late": late},
    )
    return draft.outcome("record", command, draft.allocation, answer, event)


def _recorded_alone(state: State, command: Record) -> Outcome:
    usage, now_us = command.usage, state.now_us
    at_us = now_us if usage.timestamp_us is None else usage.timestamp_us
    provider, model = _who_answered(usage, command.labels)
    concerns = state.concerns(command)
    costed = _costed(state, usage, provider, model, at_us, now_us, requests=1, held_nano=0)
    if costed.cost_nano is None and _charges_highest(concerns):
        costed = _dearest(state, usage, provider, at_us)
    cost = costed.cost_nano or 0
    postings = tuple(
        Posting(
            c.balance_id,
            UNHELD,
            Amounts(usage.counts.counted(c.policy.tokens_counted), cost, 1),
            NOTHING,
        )
        for c in concerns
    )
    row = _row(
        command.id, command.caller, None, usage, command.labels, costed, at_us, at_us, now_us, 1
    )
    spent_of = {posting.balance_id: posting.spent for posting in postings}
    answer = Recorded(
        record_id=command.id,
        allocation_id=None,
        status=None,
        total_tokens=usage.counts.total,
        cost_nano=costed.cost_nano,
        book_cost_nano=costed.book_cost_nano,
        cost_source=costed.source.value if costed.source is not None else None,
        late=False,
        policies=tuple(
            standing_after(
                c.policy,
                state.balances[c.balance_id],
                spent_of[c.balance_id],
                NOTHING,
                command.caller,
                now_us,
            )
            for c in concerns
        ),
    )
    told, events = newly_told(state, postings)
    budget_id = concerns[0].policy.budget_id if len(concerns) == 1 else ""
    event = Event(EventType.USAGE_RECORDED, command.id, budget_id, {"cost_nano": costed.cost_nano})
    return Outcome(
        answer,
        entry=Entry("record", command.caller.key_id, command.id, postings),
        usage=(row,),
        told=told,
        events=(event, *events),
        remembered=remember(command, answer),
    )


class _Draft:
    """One command's movements on an allocation, gathered before anything is decided for good."""

    def __init__(self, state: State, allocation: Allocation) -> None:
        self.state = state
        self.allocation = allocation
        self._postings: list[Posting] = []
        self._rows: list[UsageRecord] = []
        self._used: tuple[TokenCounts, int, int] = (NO_TOKENS, 0, 0)

    def use(self, usage: Usage, record_id: str, caller: Caller, *, late: bool) -> Costed:
        """Post a usage to every hold: from what is held first, the rest as overrun or unheld."""
        if self.allocation.estimated_record is not None:
            self._reverse_estimate(record_id)
        allocation, state = self.allocation, self.state
        requests = 0 if allocation.usage_records else 1
        at_us = state.now_us if usage.timestamp_us is None else usage.timestamp_us
        provider, model = _who_answered(usage, allocation.labels)
        costed = _costed(
            state,
            usage,
            provider,
            model,
            allocation.created_us,
            allocation.created_us,
            requests=requests,
            held_nano=max(0, allocation.granted.cost_nano - allocation.used_cost_nano),
        )
        cost = costed.cost_nano or 0
        holds = []
        for hold in allocation.holds:
            used = Amounts(usage.counts.counted(hold.kinds), cost, requests)
            from_hold = Amounts.smaller(used, hold.held)
            beyond = used.minus(from_hold)
            self._post(hold.balance_id, "", from_hold, NOTHING.minus(from_hold))
            if beyond != NOTHING:
                self._post(hold.balance_id, UNHELD if late else OVERRUN, beyond, NOTHING)
            holds.append(hold._replace(held=hold.held.minus(from_hold)))
        self._used = (usage.counts, cost, requests)
        self._rows.append(
            _row(
                record_id,
                caller,
                allocation,
                usage,
                allocation.labels,
                costed,
                at_us,
                allocation.created_us,
                state.now_us,
                requests,
                late=late,
            )
        )
        counts = TokenCounts(*(a + b for a, b in zip(allocation.used, usage.counts, strict=True)))
        self.allocation = replace(
            allocation,
            holds=tuple(holds),
            used=counts,
            used_cost_nano=allocation.used_cost_nano + cost,
            usage_records=allocation.usage_records + 1,
            updated_us=state.now_us,
        )
        return costed

    def add_unheld(self, concern: Concern) -> None:
        """A policy that only labels added at settle concern: the whole usage counts, unheld."""
        allocation = self.allocation
        if not allocation.usage_records:
            return
        spent = Amounts(
            allocation.used.counted(concern.policy.tokens_counted), allocation.used_cost_nano, 1
        )
        self._post(concern.balance_id, UNHELD, spent, NOTHING)
        hold = Hold(concern.balance_id, NOTHING, concern.policy.tokens_counted)
        self.allocation = replace(allocation, holds=(*allocation.holds, hold))

    def free(self) -> Amounts:
        """Give back all that is still held; what comes back is the most of any hold."""
        freed = NOTHING
        for hold in self.allocation.holds:
            if hold.held != NOTHING:
                self._post(hold.balance_id, "", NOTHING, NOTHING.minus(hold.held))
                freed = Amounts(*(max(a, b) for a, b in zip(freed, hold.held, strict=True)))
        holds = tuple(hold._replace(held=NOTHING) for hold in self.allocation.holds)
        self.allocation = replace(self.allocation, holds=holds, updated_us=self.state.now_us)
        return freed

    def _reverse_estimate(self, record_id: str) -> None:
        allocation, now_us = self.allocation, self.state.now_us
        first = allocation.usage_records == 1
        for hold in allocation.holds:
            if hold.charged != NOTHING:
                self._post(hold.balance_id, "", NOTHING.minus(hold.charged), NOTHING)
        counts = TokenCounts(*(-count for count in allocation.estimated))
        provider, model = allocation.labels.get("provider"), allocation.labels.get("model")
        self._rows.append(
            UsageRecord(
                record_id=f"{allocation.estimated_record}:reversed",
                key_id=allocation.key_id,
                allocation_id=allocation.id,
                allocation_key_id=allocation.key_id,
                at_us=allocation.ended_us or now_us,
                placed_us=allocation.created_us,
                recorded_us=now_us,
                labels=dict(allocation.labels),
                provider=provider,
                model=model,
                counts=counts,
                reasoning_tokens=0,
                requests=-1 if first else 0,
                cost_nano=-allocation.estimated_cost_nano,
                book_cost_nano=None,
                cost_source=CostSource.ESTIMATED,
                price_id=None,
                measurement=Measurement.ESTIMATED,
                late=True,
                provisional=False,
                reverses=allocation.estimated_record,
                request_id=record_id,
            )
        )
        used = TokenCounts(*(a + b for a, b in zip(allocation.used, counts, strict=True)))
        self.allocation = replace(
            allocation,
            holds=tuple(hold._replace(charged=NOTHING) for hold in allocation.holds),
            used=used,
            used_cost_nano=allocation.used_cost_nano - allocation.estimated_cost_nano,
            usage_records=allocation.usage_records - 1,
            estimated_record=None,
            estimated=NO_TOKENS,
            estimated_cost_nano=0,
        )

    def _post(self, balance_id: str, reason: str, spent: Amounts, held: Amounts) -> None:
        if spent != NOTHING or held != NOTHING:
            self._postings.append(Posting(balance_id, reason, spent, held))

    def standings(self, caller: Caller) -> tuple[Standing, ...]:
        """Where each policy of the allocation stands once all this is posted."""
        found = []
        for hold in self.allocation.holds:
            balance = self.state.balances[hold.balance_id]
            policy = self.state.policies.by_no.get(balance.policy_no)
            if policy is None:
                continue
            mine = [p for p in self._postings if p.balance_id == hold.balance_id]
            spent, held = NOTHING, NOTHING
            for posting in mine:
                spent, held = spent.plus(posting.spent), held.plus(posting.held)
            found.append(standing_after(policy, balance, spent, held, caller, self.state.now_us))
        return tuple(found)

    def budget_id(self) -> str:
        """The one budget concerned, or none."""
        numbers = {self.state.balances[h.balance_id].policy_no for h in self.allocation.holds}
        budgets = {p.budget_id for n in numbers if (p := self.state.policies.by_no.get(n))}
        return budgets.pop() if len(budgets) == 1 else ""

    def outcome(
        self,
        kind: str,
        command: Settle | Record,
        allocation: Allocation,
        answer: Ended | Recorded,
        event: Event,
    ) -> Outcome:
        """All of it, as one outcome."""
        postings = tuple(self._postings)
        told, events = newly_told(self.state, postings)
        return Outcome(
            answer,
            entry=Entry(kind, allocation.key_id, allocation.id, postings),
            allocation=allocation,
            usage=tuple(self._rows),
            told=told,
            events=(event, *events),
            remembered=remember(command, answer),
        )


def _who_answered(usage: Usage, labels: object) -> tuple[str | None, str | None]:
    assert hasattr(labels, "get"), "labels are a mapping"
    model = usage.model_used or labels.get("model")
    provider = usage.provider_used or labels.get("provider")
    return provider, model


def _costed(
    state: State,
    usage: Usage,
    provider: str | None,
    model: str | None,
    priced_us: int,
    known_us: int,
    *,
    requests: int,
    held_nano: int,
) -> Costed:
    """What is posted: the caller's cost if given, else the book's; unknown stays unknown."""
    price = None
    if model is not None:
        price = state.book.price_at(provider, model, valid_us=priced_us, known_us=known_us)
    book = nano_half_even(price.cost_atto(usage.counts, requests)) if price is not None else None
    price_id = price.price_id if price is not None else None
    if usage.cost_nano is not None:
        return Costed(usage.cost_nano, book, usage.cost_source, price_id)
    if price is not None:
        guessed = (
            usage.counts.other
            or (usage.counts.cache_read and price.cache_read_atto is None)
            or (usage.counts.cache_write and price.cache_write_atto is None)
        )
        source = CostSource.ESTIMATED if guessed else CostSource.BOOK
        return Costed(book, book, source, price_id)
    if held_nano:
        return Costed(held_nano, None, CostSource.ESTIMATED, None, provisional=True)
    return Costed(None, None, None, None)


def _charges_highest(concerns: list[Concern]) -> bool:
    return any(
        c.policy.limits.cost_nano is not None and c.policy.unpriced is Unpriced.HIGHEST
        for c in concerns
    )


def _dearest(state: State, usage: Usage, provider: str | None, at_us: int) -> Costed:
    price = state.book.dearest_of(provider, at_us=at_us)
    if price is None:
        return Costed(None, None, None, None)
    cost = nano_half_even(usage.counts.total * price.dearest_atto)
    return Costed(cost, None, CostSource.ESTIMATED, price.price_id, provisional=True)


def _row(
    record_id: str,
    caller: Caller,
    allocation: Allocation | None,
    usage: Usage,
    labels: object,
    costed: Costed,
    at_us: int,
    placed_us: int,
    now_us: int,
    requests: int,
    *,
    late: bool = False,
) -> UsageRecord:
    provider, model = _who_answered(usage, labels)
    assert isinstance(labels, dict), "labels are a dict"
    return UsageRecord(
        record_id=record_id,
        key_id=caller.key_id,
        allocation_id=allocation.id if allocation is not None else None,
        allocation_key_id=allocation.key_id if allocation is not None else None,
        at_us=at_us,
        placed_us=placed_us,
        recorded_us=now_us,
        labels=labels,
        provider=provider,
        model=model,
        counts=usage.counts,
        reasoning_tokens=usage.reasoning_tokens,
        requests=requests,
        cost_nano=costed.cost_nano,
        book_cost_nano=costed.book_cost_nano,
        cost_source=costed.source,
        price_id=costed.price_id,
        measurement=usage.measurement,
        late=late,
        provisional=costed.provisional,
        operation_id=usage.operation_id,
        request_id=usage.request_id,
        metadata=usage.metadata,
    )
