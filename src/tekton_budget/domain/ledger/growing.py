"""Growing: an active allocation may use more than it was granted, where there is room for it.

The new totals are sized as the ask was, at the price of its time; what they take beyond the old
ones is judged and held on the balances that the allocation holds, on all of them or on none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from tekton_budget.domain.allocation import Allocation, Hold, Stated
from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.answer import Ended, Standing
from tekton_budget.domain.command import WORDS, Allocate, Extend, Fit
from tekton_budget.domain.decide import Decision, Judgement, Verdict, decide, judge, largest_fit
from tekton_budget.domain.errors import BudgetError, Conflict, FieldFault, InvalidInput, invalid
from tekton_budget.domain.estimate import asked_by_each, cost_by, counts_of, shrinkable
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.ledger.allocate import denial_counts
from tekton_budget.domain.ledger.children import (
    concern_of_part,
    free_of,
    judge_part,
    lent_more,
)
from tekton_budget.domain.ledger.denial import denial_of
from tekton_budget.domain.ledger.ending import active_allocation
from tekton_budget.domain.ledger.family import cut_below, with_others, within_parent
from tekton_budget.domain.ledger.grant import decision_counts, reason_of
from tekton_budget.domain.ledger.pricing import prices_for
from tekton_budget.domain.ledger.refusal import left_open
from tekton_budget.domain.ledger.retry import remember, remembered_answer
from tekton_budget.domain.ledger.standing import standing_after
from tekton_budget.domain.ledger.state import (
    ADOPTED,
    Entry,
    Outcome,
    Posting,
    State,
    concern_of_group,
)
from tekton_budget.domain.ledger.thresholds import newly_told
from tekton_budget.domain.money import CALL_COST_NANO_MAX
from tekton_budget.domain.policy import Policy, Status
from tekton_budget.domain.policy_set import Concern

_FIELDS = {"cost_nano": "cost"}


class _Place(NamedTuple):
    """One hold, where it can grow."""

    position: int
    hold: Hold
    concern: Concern
    judges: bool


def grow(state: State, command: Extend) -> Outcome:
    """Hold what the new totals take beyond the old ones, or deny and leave all as it is."""
    first = remembered_answer(state, command)
    if first is not None:
        return Outcome(first)
    allocation = active_allocation(state, command)
    if isinstance(allocation, BudgetError):
        return Outcome(allocation)
    refused = _refusal_of(command, allocation)
    if refused is not None:
        return Outcome(refused)
    return _Growth(state, command, allocation).outcome()


def _refusal_of(command: Extend, allocation: Allocation) -> BudgetError | None:
    """Why the new totals cannot be those of this allocation, whatever room there is."""
    if allocation.stated is None:
        return Conflict(
            f"The allocation {allocation.id!r} was granted by an earlier version, which did not "
            "keep how it was sized: ask for a new one.",
            code="cannot_grow",
        )
    said = {word: getattr(allocation.stated, word) for word in WORDS}
    faults = [
        fault
        for word, total in command.totals.items()
        if (fault := _fault(word, total, said)) is not None
    ]
    if said["cost_nano"] is not None and command.cost_nano is None:
        faults.append(FieldFault("cost", "was stated in the ask: send its new total too"))
    if not faults:
        return None
    return InvalidInput("; ".join(f"{one.field}: {one.message}" for one in faults), *faults)


def _fault(word: str, total: int, said: dict[str, int | None]) -> FieldFault | None:
    before, field = said[word], _FIELDS.get(word, word)
    if before is None:
        words = " and ".join(_FIELDS.get(w, w) for w, n in said.items() if n is not None)
        text = f"is not what the ask stated; it stated {words or 'no amount that could grow'}"
        return FieldFault(field, text)
    if total < before:
        return FieldFault(field, "is less than what was granted: send a new total")
    return None


class _Growth:
    """The ask as it was granted and as it shall be, before every policy that it holds on."""

    def __init__(self, state: State, command: Extend, allocation: Allocation) -> None:
        self._state = state
        self._command = command
        self._allocation = allocation
        self._places = _places(state, allocation)
        self._policies = [place.concern.policy for place in self._places]
        self._lands = allocation.stated is not None and allocation.stated.landing
        self._before = _ask_of(allocation, command)
        self._after = _with_totals(self._before, command)
        concerns = [place.concern for place in self._places]
        self._prices = prices_for(state, self._after, concerns, allocation.created_us)
        self._last: tuple[int, list[Amounts]] | None = None
        self._granted = asked_by_each(self._before, self._policies, self._prices, None)

    def outcome(self) -> Outcome:
        """Granted whole, or clamped to what fits, or denied."""
        state, command = self._state, self._command
        refused = left_open(state, self._after, self._enforcing(), self._prices)
        if refused is not None:
            return Outcome(refused)
        size, least = shrinkable(self._after), shrinkable(self._before)
        assert size is not None, "what can grow states an amount"
        assert least is not None, "and was granted one"
        judgements, verdict = self._judged(size)
        if verdict.decision is not Decision.DENY:
            return self._grown(size, judgements, verdict)
        more = largest_fit(size - least, lambda n: not self._judged(least + n)[1].denied)
        if command.fit is Fit.CLAMP and more >= self._least():
            judgements, clamped = self._judged(least + more)
            return self._grown(least + more, judgements, clamped, verdict.denied)
        return self._denied(verdict, least + more if more > 0 else -1)

    def _least(self) -> int:
        """How much more a clamp must give: by its own word, else the policies', in tokens."""
        least, ask = 0, self._after
        if self._command.min_grant is not None:
            least = self._command.min_grant
        elif ask.max_output_tokens is not None or ask.tokens is not None:
            judging = (place.concern.policy for place in self._places if place.judges)
            least = max((policy.min_grant for policy in judging), default=0)
        return max(1, least)

    def _enforcing(self) -> list[Concern]:
        """The policies that may refuse what is left open."""
        return [
            place.concern
            for place in self._places
            if place.judges and not self._is_shadowed(place.concern.policy)
        ]

    def _is_shadowed(self, policy: Policy) -> bool:
        return policy.shadow or self._state.settings.shadow

    def _more(self, size: int) -> list[Amounts]:
        """What each hold gains by the ask at that size: nothing for what was overrun already."""
        found = []
        for place, old, new in zip(self._places, self._granted, self._asked(size), strict=True):
            over = self._used(place.hold).minus(old).at_least_zero()
            found.append(new.minus(old).minus(over).at_least_zero())
        return found

    def _asked(self, size: int) -> list[Amounts]:
        """What the ask at that size takes of each policy; the last one is asked for again."""
        if self._last is None or self._last[0] != size:
            asked = asked_by_each(self._after, self._policies, self._prices, size)
            self._last = size, asked
        return self._last[1]

    def _used(self, hold: Hold) -> Amounts:
        """What its policy has counted of the usage recorded so far."""
        allocation = self._allocation
        requests = allocation.granted.requests if allocation.usage_records else 0
        return Amounts(allocation.used.counted(hold.kinds), allocation.used_cost_nano, requests)

    def _judged(self, size: int) -> tuple[list[Judgement], Verdict]:
        """By every policy that the growth takes anything of; its own hold is no stranger's."""
        state, judgements = self._state, []
        for place, more in zip(self._places, self._more(size), strict=True):
            if place.judges and more != NOTHING and place.concern.parent is not None:
                judgements.append(judge_part(state, place.concern, more))
            elif place.judges and more != NOTHING:
                held, balance = place.hold.held, state.balances[place.hold.balance_id]
                landing = self._lands or self._is_shadowed(place.concern.policy)
                whole = judge(
                    place.concern, balance, held.plus(more), state.now_us, landing=landing
                )
                judgements.append(whole._replace(held=balance.held.minus(held)))
        priority = self._after.priority
        return judgements, decide(judgements, priority=priority, shadow=state.settings.shadow)

    def _denied(self, verdict: Verdict, fitting: int) -> Outcome:
        """The windows it was made in are its own: none that comes after brings room for it."""
        denial = denial_of(
            self._state, self._after, verdict, self._prices, fitting, alternatives=False
        )
        stays = any(j.blocked_by_spent and not j.policy.is_rolling for j in verdict.denied)
        denial = replace(denial, retryable=denial.retryable and not stays)
        quiet = self._command.quiet
        counted = () if quiet else denial_counts(self._after, verdict, denial)
        return Outcome(denial, counted=counted)

    def _grown(
        self,
        size: int,
        judgements: Sequence[Judgement],
        verdict: Verdict,
        clamped_by: Sequence[Judgement] = (),
    ) -> Outcome:
        state, allocation = self._state, self._allocation
        gains = [
            more if place.concern.parent is None else free_of(place.concern, more)
            for place, more in zip(self._places, self._more(size), strict=True)
        ]
        grown = self._allocation_at(size, gains)
        judged = {one.concern.balance_id: one for one in judgements}
        postings = tuple(
            Posting(place.hold.balance_id, _reason(place, judged, verdict), NOTHING, more)
            for place, more in zip(self._places, gains, strict=True)
            if more != NOTHING and place.concern.parent is None
        )
        told, events = newly_told(state, [(one.balance_id, one.held) for one in postings])
        answer = _answer(grown, self._standings(gains))
        outcome = Outcome(
            answer,
            entry=Entry(
                "extend", allocation.key_id, allocation.id, postings, str(grown.expires_us)
            ),
            allocation=grown,
            grown=True,
            told=told,
            events=(_event(grown, self._policies), *events),
            counted=decision_counts(self._after, judgements, verdict, clamped_by)
            if judgements
            else (),
            remembered=remember(self._command, answer),
        )
        others = cut_below(state, allocation, grown.expires_us)
        if allocation.ancestors:
            pairs = zip(self._places, gains, strict=True)
            taken = {p.hold.balance_id: gain for p, gain in pairs if p.concern.parent is not None}
            others.append(lent_more(state, allocation, grown, taken))
        return with_others(outcome, others)

    def _allocation_at(self, size: int, gains: Sequence[Amounts]) -> Allocation:
        """The allocation as it then is."""
        state, ask, allocation, prices = self._state, self._after, self._allocation, self._prices
        counts = counts_of(ask, size)
        costs = [asked.cost_nano for asked in self._asked(size)]
        if not costs:
            costs = [cost_by(ask, counts, size, prices.own or prices.assumed, prices)]
        cost_nano = max(allocation.granted.cost_nano, *costs)
        if cost_nano > CALL_COST_NANO_MAX:
            raise invalid("tokens", "may cost more than any call can; check their number")
        holds = list(allocation.holds)
        for place, more in zip(self._places, gains, strict=True):
            holds[place.position] = place.hold._replace(held=place.hold.held.plus(more))
        lifetime_us = self._command.lifetime_us
        expires_us = allocation.expires_us
        if lifetime_us is not None:
            expires_us = within_parent(state, allocation, state.now_us + lifetime_us)
        output = None if ask.max_output_tokens is None else size
        return replace(
            allocation,
            granted=Amounts(counts.total, cost_nano, allocation.granted.requests),
            max_output_tokens=output,
            holds=tuple(holds),
            expires_us=expires_us,
            updated_us=state.now_us,
            stated=Stated(
                ask.input_tokens,
                output,
                None if ask.tokens is None else size,
                None if ask.cost_nano is None else cost_nano,
                ask.further,
                self._lands,
                allocation.stated is not None and allocation.stated.in_gateway,
            ),
        )

    def _standings(self, gains: Sequence[Amounts]) -> tuple[Standing, ...]:
        state, caller = self._state, self._command.caller
        return tuple(
            standing_after(
                state.policies.by_no[policy.no],
                state.balances[place.hold.balance_id],
                NOTHING,
                more if place.concern.parent is None else NOTHING,
                caller,
                state.now_us,
                state.policies.asks_of(policy),
            )
            for place, policy, more in zip(self._places, self._policies, gains, strict=True)
        )


def _places(state: State, allocation: Allocation) -> list[_Place]:
    """The balances it holds, in the windows it was made in; not those that only usage came to."""
    policies, found = state.policies, []
    for position, hold in enumerate(allocation.holds):
        balance = state.balances[hold.balance_id]
        policy = policies.by_no.get(balance.policy_no)
        if policy is None or hold.is_unheld:
            continue
        if hold.is_part:
            above = state.allocations[allocation.ancestors[-1]]
            whole = next(one for one in above.holds if one.balance_id == hold.balance_id)
            part = concern_of_part(state, above, whole)
            assert part is not None, "its policy is there"
            found.append(_Place(position, hold, part, policy.judges))
            continue
        concern = concern_of_group(policies, policy.no, balance.group, balance.opens_us)
        judges = policy.judges and policies.is_in_force(policy, state.now_us)
        found.append(_Place(position, hold, concern._replace(balance_id=hold.balance_id), judges))
    return found


def _ask_of(allocation: Allocation, command: Extend) -> Allocate:
    """The ask that would have been granted whole what is granted now."""
    stated = allocation.stated
    assert stated is not None, "refused before"
    return Allocate(
        allocation.id,
        command.caller,
        labels=allocation.labels,
        input_tokens=stated.input_tokens,
        max_output_tokens=stated.max_output_tokens,
        tokens=stated.tokens,
        cost_nano=stated.cost_nano,
        requests=allocation.granted.requests,
        priority=min(allocation.priority, command.caller.max_priority),
        further=stated.further,
    )


def _with_totals(ask: Allocate, command: Extend) -> Allocate:
    output, tokens, cost_nano = command.max_output_tokens, command.tokens, command.cost_nano
    return replace(
        ask,
        max_output_tokens=ask.max_output_tokens if output is None else output,
        tokens=ask.tokens if tokens is None else tokens,
        cost_nano=ask.cost_nano if cost_nano is None else cost_nano,
    )


def _reason(place: _Place, judged: Mapping[str, Judgement], verdict: Verdict) -> str:
    """Why this hold may lift its balance above the allowance, if it may."""
    judgement = judged.get(place.hold.balance_id)
    if judgement is not None:
        return reason_of(judgement, verdict)
    return ADOPTED if place.concern.policy.status is Status.STARTING else ""


def _event(grown: Allocation, policies: Sequence[Policy]) -> Event:
    budgets = {policy.budget_id for policy in policies}
    payload = {
        "expires_us": grown.expires_us,
        "granted": grown.granted,
        "max_output_tokens": grown.max_output_tokens,
    }
    budget_id = budgets.pop() if len(budgets) == 1 else ""
    return Event(EventType.ALLOCATION_EXTENDED, grown.id, budget_id, payload)


def _answer(grown: Allocation, standings: tuple[Standing, ...]) -> Ended:
    requests = grown.granted.requests if grown.usage_records else 0
    return Ended(
        allocation_id=grown.id,
        status=grown.status.value,
        spent=Amounts(grown.used.total, grown.used_cost_nano, requests),
        released=NOTHING,
        cost_nano=grown.used_cost_nano,
        cost_source=None,
        record_id=None,
        expires_us=grown.expires_us,
        policies=standings,
        granted=grown.granted,
        max_output_tokens=grown.max_output_tokens,
    )
