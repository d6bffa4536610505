"""A draft: what one command moves on an allocation's balances, gathered before it is posted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tekton_budget.domain.allocation import Allocation, AllocationStatus, Children, Hold
from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.answer import Answer, Ended, Recorded, Standing
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.command import Record, Settle
from tekton_budget.domain.event import Event
from tekton_budget.domain.ledger.costing import Costed, call_of, costed, usage_record
from tekton_budget.domain.ledger.estimates import reversal, stand_in
from tekton_budget.domain.ledger.family import Family
from tekton_budget.domain.ledger.retry import remember
from tekton_budget.domain.ledger.standing import standing_after
from tekton_budget.domain.ledger.state import (
    OVERRUN,
    UNHELD,
    Entry,
    Outcome,
    Posting,
    Remembered,
    State,
    UsageRecord,
)
from tekton_budget.domain.ledger.thresholds import newly_told
from tekton_budget.domain.policy import Policy
from tekton_budget.domain.policy_set import Concern
from tekton_budget.domain.usage import NO_TOKENS, Measurement, TokenCounts, Usage

_UNMOVED = (NOTHING, NOTHING)


class Draft:
    """Usage of an allocation, the end of it, or both."""

    def __init__(self, state: State, allocation: Allocation, labels: Mapping[str, str]) -> None:
        self._state = state
        self._allocation = allocation
        self._labels = {**allocation.labels, **labels} if labels else allocation.labels
        self._holds = list(allocation.holds)
        self._postings: list[Posting] = []
        self._moved: dict[str, tuple[Amounts, Amounts]] = {}
        self._rows: list[UsageRecord] = []
        self._reversed = False
        self._estimate: tuple[str, TokenCounts, int] | None = None
        self._policies = self._policies_of(allocation)
        self._family = Family(state, allocation)
        self._relabelled = bool(labels) and self._labels != allocation.labels
        self.freed = NOTHING  # the most that came back from any hold
        self.used = allocation.used
        self.used_cost_nano = allocation.used_cost_nano
        self.usage_records = allocation.usage_records

    def use(
        self, usage: Usage, record_id: str, caller: Caller, *, late: bool, ends: bool = False
    ) -> Costed:
        """Post a usage to every hold: from what is held first, the rest as overrun or unheld.

        Where the allocation `ends` with it, what is then still held is free again.
        """
        usage.assert_sound()
        allocation = self._allocation
        requests = 0 if self.usage_records else allocation.requests_of_its_own
        stands_in = allocation.estimated_record is not None
        if stands_in and usage.measurement is Measurement.MEASURED:
            requests = self._reverse_estimate(record_id)
        made_us = allocation.created_us
        call = call_of(usage, self._labels, placed_us=made_us, known_us=made_us, requests=requests)
        below_nano = allocation.children.lent_cost_nano + allocation.children.used_cost_nano
        held_nano = max(0, allocation.granted.cost_nano - self.used_cost_nano - below_nano)
        cost = costed(self._state, usage, call, self._policies, held_nano)
        used = Amounts(usage.counts.total, cost.cost_nano or 0, requests)
        self._take(usage, used, UNHELD if late else OVERRUN, ends=ends)
        now_us = self._state.now_us
        self._rows.append(
            usage_record(record_id, caller, allocation, usage, call, cost, now_us, late=late)
        )
        self.used = self.used.plus(usage.counts)
        self.used_cost_nano += cost.cost_nano or 0
        self.usage_records += 1
        return cost

    def free(self) -> None:
        """Give back all that is still held."""
        for position, hold in enumerate(self._holds):
            if hold.held != NOTHING:
                self._give_back(hold, NOTHING, hold.held)
                self.freed = Amounts.larger(self.freed, hold.held)
                self._holds[position] = hold._replace(held=NOTHING)

    def charge_rest(self, record_id: str) -> None:
        """All that is still held becomes spent, until measured usage arrives after all."""
        allocation = self._allocation
        rest = allocation.rest
        counts, cost_nano = TokenCounts(other=rest.tokens), rest.cost_nano
        for position, hold in enumerate(self._holds):
            self._post(hold.balance_id, "", hold.held, NOTHING.minus(hold.held))
            self._holds[position] = hold._replace(held=NOTHING, charged=hold.held)
        row = stand_in(self._state, allocation, record_id, counts, cost_nano, rest.requests)
        self._rows.append(row._replace(labels=dict(self._labels)))  # as its reversal will have them
        self.used = self.used.plus(counts)
        self.used_cost_nano += cost_nano
        self.usage_records += 1
        self._estimate = (record_id, counts, cost_nano)

    def add_unheld(self, concerns: Sequence[Concern]) -> None:
        """Policies that only labels added now concern: all usage so far counts there, unheld."""
        charged = self._standing_in()  # which a measured usage takes back here too
        for concern in concerns:
            kinds = concern.policy.tokens_counted
            if self.usage_records:
                requests = self._allocation.requests_of_its_own
                spent = Amounts(self.used.counted(kinds), self.used_cost_nano, requests)
                self._post(concern.balance_id, UNHELD, spent, NOTHING)
            self._holds.append(Hold(concern.balance_id, NOTHING, kinds, charged, is_unheld=True))

    def spent(self) -> Amounts:
        """What the allocation has used so far, this command included."""
        requests = self._allocation.requests_of_its_own if self.usage_records else 0
        return Amounts(self.used.total, self.used_cost_nano, requests)

    def standings(self, caller: Caller) -> tuple[Standing, ...]:
        """Where each policy of the allocation stands once all this is posted."""
        state, moved, found = self._state, self._moved, []
        balances, policies, now_us = state.balances, state.policies, state.now_us
        for hold in self._holds:
            balance = balances[hold.balance_id]
            policy = policies.by_no.get(balance.policy_no)
            if policy is not None:
                spent, held = moved.get(hold.balance_id, _UNMOVED)
                asks = policies.asks_of(policy)
                found.append(standing_after(policy, balance, spent, held, caller, now_us, asks))
        return tuple(found)

    def budget_id(self) -> str:
        """The one budget concerned, or none."""
        budgets = {policy.budget_id for policy in self._policies}
        return budgets.pop() if len(budgets) == 1 else ""

    def outcome(
        self,
        command: Settle | Record,
        status: AllocationStatus,
        answer: Ended | Recorded,
        event: Event,
    ) -> Outcome:
        """All of it: the journal's entry, the allocation as it now is, the answer for retries."""
        told, events = newly_told(
            self._state, [(key, spent.plus(held)) for key, (spent, held) in self._moved.items()]
        )
        kind = "settle" if isinstance(command, Settle) else "record"
        outcome = self.ended(answer, kind, status, event, remember(command, answer))
        for part in outcome.each():
            if part.entry is not None:
                part.relabelled = self._relabelled
                part.told = told
                part.events = (event, *events)
        return outcome

    def ended(
        self,
        answer: Answer,
        kind: str,
        status: AllocationStatus,
        event: Event,
        remembered: Remembered | None = None,
    ) -> Outcome:
        """The same where no threshold can be reached and no label came: nothing new is used."""
        changed = self.changed(status)
        self._family.count(self._allocation, changed)
        return self._family.outcome(
            Outcome(
                answer,
                entry=self._entry(kind),
                allocation=changed,
                usage=tuple(self._rows),
                events=(event,),
                remembered=remembered,
            )
        )

    def _entry(self, kind: str) -> Entry:
        """The journal's entry; where the hold was charged, it says so."""
        allocation, note = self._allocation, "" if self._estimate is None else "charged"
        return Entry(kind, allocation.key_id, allocation.id, tuple(self._postings), note)

    def changed(self, status: AllocationStatus) -> Allocation:
        """The allocation as it now is."""
        allocation, now_us = self._allocation, self._state.now_us
        active = status is AllocationStatus.ACTIVE
        changed = replace(
            allocation,
            status=status,
            labels=self._labels,
            holds=tuple(self._holds),
            used=self.used,
            used_cost_nano=self.used_cost_nano,
            usage_records=self.usage_records,
            children=self._children(),
            ended_us=None if active else allocation.ended_us or now_us,
            updated_us=now_us,
        )
        if self._estimate is not None:
            record_id, counts, cost_nano = self._estimate
            return replace(
                changed,
                estimated_record=record_id,
                estimated=counts,
                estimated_cost_nano=cost_nano,
            )
        if not self._reversed:
            return changed
        return replace(changed, estimated_record=None, estimated=NO_TOKENS, estimated_cost_nano=0)

    def _children(self) -> Children:
        """What its first usage spends of its requests stays so, however many children come."""
        children = self._allocation.children
        if not children.made or children.own_requests is not None or not self.usage_records:
            return children
        return children._replace(own_requests=self._allocation.requests_of_its_own)

    def _policies_of(self, allocation: Allocation) -> list[Policy]:
        balances, by_no = self._state.balances, self._state.policies.by_no
        numbers = [balances[hold.balance_id].policy_no for hold in allocation.holds]
        return [by_no[number] for number in numbers if number in by_no]

    def _take(self, usage: Usage, all_: Amounts, reason: str, *, ends: bool) -> None:
        for position, hold in enumerate(self._holds):
            balance_id, held, kinds, _, _, is_part = hold
            used = all_
            if kinds:
                used = Amounts(usage.counts.counted(kinds), all_.cost_nano, all_.requests)
            taken = used
            if used[0] > held[0] or used[1] > held[1] or used[2] > held[2]:
                taken = Amounts.smaller(used, held)
                beyond = used.minus(taken)
                if is_part:
                    beyond = self._drawn(position, beyond)
                self._post(balance_id, reason, beyond, NOTHING)
            left = held.minus(taken)
            if ends:
                self._give_back(hold, taken, left)
                self.freed = Amounts.larger(self.freed, left)
                left = NOTHING
            else:
                self._post(balance_id, "", taken, NOTHING.minus(taken))
            self._holds[position] = hold._replace(held=left)

    def _give_back(self, hold: Hold, taken: Amounts, left: Amounts) -> None:
        """Spend some of a hold; the rest is free again, or the parent's."""
        if hold.is_part and left != NOTHING:
            self._family.give_back(hold.balance_id, left)
            left = NOTHING
        self._post(hold.balance_id, "", taken, NOTHING.minus(taken).minus(left))

    def _drawn(self, position: int, beyond: Amounts) -> Amounts:
        """What is beyond the part and all that those above it have free; they give the rest.

        What was charged for the call and is taken back now is its own before that.
        """
        balance_id, _, _, charged, *_ = self._allocation.holds[position]
        own = Amounts.smaller(beyond, charged) if self._reversed else NOTHING
        drawn = self._family.draw(balance_id, beyond.minus(own))
        self._post(balance_id, "", drawn, NOTHING.minus(drawn))
        return beyond.minus(drawn)

    def _reverse_estimate(self, record_id: str) -> int:
        """Take back what was charged for the hold, and answer the requests that it had spent."""
        allocation, now_us = self._allocation, self._state.now_us
        ended_us = allocation.ended_us or now_us
        requests = self._charged_requests()
        for position, hold in enumerate(allocation.holds):
            if hold.charged != NOTHING:
                back = NOTHING.minus(hold.charged)
                self._post(hold.balance_id, "", back, NOTHING, ended_us)
                self._holds[position] = hold._replace(charged=NOTHING)
        self._rows.append(reversal(allocation, requests, record_id, ended_us, now_us))
        self.used = self.used.minus(allocation.estimated)
        self.used_cost_nano -= allocation.estimated_cost_nano
        self.usage_records -= 1
        self._reversed = True
        return requests

    def _charged_requests(self) -> int:
        allocation = self._allocation
        alone = allocation.requests_of_its_own if allocation.usage_records == 1 else 0
        return max((hold.charged.requests for hold in allocation.holds), default=alone)

    def _standing_in(self) -> Amounts:
        """The estimate that is part of what is used so far, as every policy counts it."""
        if self._estimate is not None:
            _, counts, cost_nano = self._estimate
            return Amounts(counts.total, cost_nano, self._rows[-1].requests)
        allocation = self._allocation
        if allocation.estimated_record is None or self._reversed:
            return NOTHING
        requests = self._charged_requests()
        return Amounts(allocation.estimated.total, allocation.estimated_cost_nano, requests)

    def _post(
        self, balance_id: str, reason: str, spent: Amounts, held: Amounts, at_us: int = 0
    ) -> None:
        if spent == NOTHING and held == NOTHING:
            return
        self._postings.append(Posting(balance_id, reason, spent, held, at_us))
        if at_us and not self._state.balances[balance_id].counts_at(at_us, self._state.now_us):
            return
        known = self._moved.get(balance_id)
        if known is not None:
            spent, held = known[0].plus(spent), known[1].plus(held)
        self._moved[balance_id] = (spent, held)
