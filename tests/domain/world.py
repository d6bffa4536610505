"""A world without a store: balances are opened, commands executed and journaled as storage does it.

Time stands still until it is moved. `check` holds the world to what must be true at any moment.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import count

from tekton_budget.domain.allocation import Allocation
from tekton_budget.domain.amounts import NOTHING, Amounts, Limits
from tekton_budget.domain.answer import Answer, Denial, Expired, Waiting
from tekton_budget.domain.balance import Balance, opened_balance, parts_of
from tekton_budget.domain.caller import LOCAL, Caller
from tekton_budget.domain.command import (
    Allocate,
    Command,
    Expire,
    Extend,
    Fit,
    GiveCredit,
    LedgerSettings,
    Record,
    Release,
    Settle,
    Together,
)
from tekton_budget.domain.errors import BudgetError
from tekton_budget.domain.event import Event
from tekton_budget.domain.ledger import (
    DecisionCount,
    Entry,
    Folded,
    Outcome,
    Posting,
    Remembered,
    State,
    UsageRecord,
    allocation_key,
    balances_judged,
    balances_needed,
    execute,
    fold,
    gives_tiers,
    tiered,
)
from tekton_budget.domain.ledger.children import DEPTH_MAX
from tekton_budget.domain.ledger.starting import (
    PastUsage,
    adopted,
    backfill_of,
    backfill_postings,
)
from tekton_budget.domain.limit_text import amount_from_text, limit_from_text
from tekton_budget.domain.period import Anchor, Schedule, us_from_datetime
from tekton_budget.domain.policy import (
    DEFAULT_BUDGET,
    Budget,
    GroupLimits,
    Policy,
    Status,
)
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.domain.price import Card, PriceBook, Rate, Rates
from tekton_budget.domain.scope import Scope
from tekton_budget.domain.usage import TokenCounts, Usage

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


def us(text: str) -> int:
    """`2026-03-01T10:00Z` as microseconds."""
    return us_from_datetime(datetime.fromisoformat(text))


def usd(text: str) -> int:
    """`0.40` as 10⁻⁹ USD."""
    return amount_from_text(f"{text}usd").cost_nano


@dataclass(frozen=True)
class Start:
    """A policy between the first and the last step of its creation."""

    policy_no: int
    usage_count: int


class World:
    """The ledger's rules at work on balances in memory."""

    def __init__(self, now: str = "2026-03-02T10:00Z", settings: LedgerSettings | None = None):
        self.now_us = us(now)
        self.settings = settings or LedgerSettings()
        self.caller = LOCAL
        self.budgets: dict[str, Budget] = {
            DEFAULT_BUDGET: Budget(DEFAULT_BUDGET, "default", Scope())
        }
        self.policies: dict[int, Policy] = {}
        self.prices: list[Card] = []
        self.exceptions: dict[tuple[str, str], GroupLimits] = {}
        self.balances: dict[str, Balance] = {}
        self.allocations: dict[tuple[str, str], Allocation] = {}
        self.answers: dict[tuple[str, str], Remembered] = {}
        self.journal: list[tuple[int, Entry]] = []
        self.usage: list[UsageRecord] = []
        self.events: list[Event] = []
        self.counted: list[DecisionCount] = []
        self.done: list[tuple[Command, Answer]] = []  # commands that changed something
        self.adopted: set[str] = set()  # balances whose policy found allocations at its beginning
        self._numbers = count(1)
        self._set: PolicySet | None = None
        self._book: PriceBook | None = None

    # What people set ---------------------------------------------------------------------------

    def budget(self, name: str, scope: dict[str, object] | None = None, **fields: object) -> Budget:
        made = Budget(name, name, Scope.from_json(scope or {}), **fields)
        self.budgets[name] = made
        self._set = None
        return made

    def policy(self, name: str, limit: str, **fields: object) -> Policy:
        """A policy in force from now on, with what it takes over."""
        return self.add(self.made(name, limit, **fields))

    def add(self, policy: Policy) -> Policy:
        """The same for a policy at hand; it gets a number if it has none."""
        policy = policy if policy.no else replace(policy, no=next(self._numbers))
        self.finish(self.begin(policy))
        return self.policies[policy.no]

    def changed(self) -> None:
        """Policies, budgets or prices are others than they were."""
        self._set = self._book = None

    def made(self, name: str, limit: str, **fields: object) -> Policy:
        """`limit` as people write it; `scope` as in JSON; zone, anchor as the schedule has them."""
        text = limit_from_text(limit)
        schedule = Schedule(
            text.schedule_period,
            fields.pop("zone", "UTC"),
            fields.pop("anchor", Anchor()),
            text.length_us,
        )
        return Policy(
            no=next(self._numbers),
            policy_id=name,
            version=fields.pop("version", 1),
            name=name,
            budget_id=fields.pop("budget", DEFAULT_BUDGET),
            limits=text.limits,
            schedule=schedule,
            scope=Scope.from_json(fields.pop("scope", {})),
            **fields,
        )

    def begin(self, policy: Policy) -> Start:
        """The first step: it counts, and holds what active allocations have open."""
        self.policies[policy.no] = replace(policy, status=Status.STARTING)
        self._set = None
        policy = self.policies[policy.no]
        postings: list[Posting] = []
        for depth in range(DEPTH_MAX + 1):  # parents before their children
            level = [one for one in self.allocations.values() if len(one.ancestors) == depth]
            found = adopted(
                self.policy_set, policy, level, self.now_us, self.book, self.allocations
            )
            for allocation, posting in found:
                self.allocations[allocation.key] = allocation
                postings.append(posting)
                self.adopted.add(posting.balance_id)
        self._post("adopt", policy, postings)
        return Start(policy.no, len(self.usage))

    def finish(self, start: Start) -> None:
        """The other steps: older usage of the current window is posted, and it judges."""
        policy = self.policies[start.policy_no]
        opens_us = self.policy_set.window(policy, self.now_us).opens_us
        past = [
            PastUsage(
                row.record_id,
                row.labels,
                row.counts,
                row.cost_nano or 0,
                row.requests,
                row.placed_us,
                row.recorded_us if row.reverses is None else row.at_us,
            )
            for row in self.usage[: start.usage_count]
            if row.placed_us >= opens_us
        ]
        postings = backfill_postings(backfill_of(self.policy_set, policy, past, self.book))
        self._post("backfill", policy, postings)
        self.policies[policy.no] = replace(policy, status=Status.ACTIVE)
        self._set = None

    def change(self, policy_id: str, **fields: object) -> Policy:
        """The current version changed in place."""
        current = self.policy_set.current(policy_id)
        assert current is not None
        self.policies[current.no] = replace(current, **fields)
        self._set = None
        return self.policies[current.no]

    def replace_policy(self, policy_id: str, limit: str, **fields: object) -> Policy:
        """The next version in the place of the current one."""
        old = self.change(policy_id, status=Status.REPLACED)
        return self.policy(policy_id, limit, version=old.version + 1, **fields)

    def exception(self, policy_id: str, group: str, limits: GroupLimits | None) -> None:
        """Other amounts for one group from now on, or its policy's own again."""
        policy = self.policy_set.current(policy_id)
        assert policy is not None
        if limits is None:
            self.exceptions.pop((policy_id, group), None)
        else:
            self.exceptions[policy_id, group] = limits
        self.opened(policy, group).exception = limits

    def price(self, model: str, **fields: object) -> Card:
        """`provider/model` at USD per 1,000,000 tokens; `request` is USD per request."""
        provider, _, name = model.partition("/")
        units = {"read": "cache_read", "write": "cache_write_5m"}
        plain = {k: v for k, v in fields.items() if k in ("input", "output", "read", "write")}
        rates = {units.get(k, k): Rate(Decimal(str(v)), 10**6) for k, v in plain.items()}
        rates = {"input": Rate(Decimal(0), 10**6), "output": Rate(Decimal(0), 10**6), **rates}
        if "request" in fields:
            rates["request"] = Rate(Decimal(str(fields["request"])))
        rest = {k: v for k, v in fields.items() if k not in plain and k != "request"}
        price = Card(f"price-{len(self.prices)}", provider, name, Rates(rates), **rest)
        self.prices.append(price)
        self._book = None
        return price

    def set_prices(self, prices: list[Card]) -> None:
        self.prices = prices
        self._book = None

    # What callers do ---------------------------------------------------------------------------

    def allocate(self, id_: str, labels: dict[str, str] | None = None, **fields: object):
        fields = {"fit": Fit.ALL, **fields}
        caller = fields.pop("caller", self.caller)
        content = fields.pop("content", None) or _content(labels=labels, **fields)
        return self.run(Allocate(id_, caller, content, labels=labels or {}, **fields))

    def settle(self, id_: str, **fields: object):
        caller = fields.pop("caller", self.caller)
        labels = fields.pop("labels", {})
        cascade = fields.pop("cascade", False)
        used = usage_of(fields) if fields else None
        return self.run(
            Settle(
                f"settle-{id_}",
                caller,
                _content(labels=labels, **fields),
                allocation_id=id_,
                usage=used,
                labels=labels,
                record_id=f"{id_}.end",
                cascade=cascade,
            )
        )

    def release(self, id_: str, caller: Caller | None = None, *, cascade: bool = False):
        return self.run(
            Release(f"release-{id_}", caller or self.caller, "{}", id_, cascade=cascade)
        )

    def extend(self, id_: str, lifetime_us: int | None = None, command_id: str = "", **fields):
        """Another expiry, or new totals in the words of the ask."""
        caller = fields.pop("caller", self.caller)
        content = _content(lifetime_us=lifetime_us, **fields)
        command_id = command_id or f"extend-{id_}-{lifetime_us}-{self.now_us}-{len(self.journal)}"
        command = Extend(
            command_id, caller, content, allocation_id=id_, lifetime_us=lifetime_us, **fields
        )
        return self.run(command)

    def record(self, id_: str, labels: dict[str, str] | None = None, **fields: object):
        caller = fields.pop("caller", self.caller)
        of = fields.pop("of", None)
        content = _content(labels=labels, of=of, **fields)
        used = usage_of(fields)
        return self.run(
            Record(id_, caller, content, usage=used, labels=labels or {}, allocation_id=of)
        )

    def expire(self, *ids: str):
        """End these, or all that are due."""
        keys = [key for key in self.allocations if not ids or key[1] in ids]
        return self.run(Expire(f"expire-{self.now_us}", LOCAL, "", tuple(keys)))

    def credit(self, policy_id: str, amount: str, id_: str = "", **fields: object):
        id_ = id_ or f"credit-{len(self.journal)}"
        amounts = amount_from_text(amount)
        content = _content(policy_id=policy_id, amount=amount, **fields)
        return self.run(GiveCredit(id_, self.caller, content, policy_id, amounts=amounts, **fields))

    def together(self, *commands: Command):
        return self.run(Together("together", self.caller, "", commands))

    def run(self, command: Command) -> Answer | BudgetError | Waiting:
        """Judge; where that denies, end what is past its time on those balances and judge again."""
        outcome = self._execute(command)
        if isinstance(outcome.answer, Denial | Waiting):
            due = self._due_beside(command)
            if due and not self._is_dry(command):
                self._keep(self._execute(Expire("due", LOCAL, "", due)))
                outcome = self._execute(command)
        self._keep(outcome)
        if outcome.entry is not None or outcome.parts:
            assert not isinstance(outcome.answer, BudgetError)
            self.done.append((command, outcome.answer))
        return outcome.answer

    # What there is -----------------------------------------------------------------------------

    @property
    def policy_set(self) -> PolicySet:
        if self._set is None:
            self._set = PolicySet(self.policies.values(), self.budgets.values())
        return self._set

    @property
    def book(self) -> PriceBook:
        if self._book is None:
            self._book = PriceBook(self.prices)
        return self._book

    def balance(self, policy_id: str, group: str = "", at_us: int | None = None) -> Balance:
        """A group's balance in the window of now, or of another moment."""
        policy = self.policy_set.current(policy_id)
        assert policy is not None, f"no policy {policy_id}"
        return self.opened(policy, group, at_us)

    def spent(self, policy_id: str, group: str = "") -> Amounts:
        return self.balance(policy_id, group).spent_at(self.now_us)

    def held(self, policy_id: str, group: str = "") -> Amounts:
        return self.balance(policy_id, group).held

    def allowance(self, policy_id: str, group: str = "") -> Limits:
        balance = self.balance(policy_id, group)
        return balance.allowance_at(self.policies[balance.policy_no], self.now_us)

    def opened(self, policy: Policy, group: str, at_us: int | None = None) -> Balance:
        """As the first touch of a group in a window opens it: with exception and carry."""
        window = self.policy_set.window(policy, self.now_us if at_us is None else at_us)
        opens_us = window.opens_us
        key = f"{policy.no}:{opens_us}:{group}"
        if key not in self.balances:
            earlier, version, before_us = [], policy, opens_us
            while not earlier and version is not None:
                earlier = [
                    balance
                    for balance in self.balances.values()
                    if (balance.policy_no, balance.group) == (version.no, group)
                    and balance.opens_us < before_us
                ]
                version, before_us = self.policy_set.goes_on_from(version), opens_us + 1
            self.balances[key] = opened_balance(
                policy,
                group,
                opens_us=opens_us,
                closes_us=window.closes_us,
                last=max(earlier, key=lambda balance: balance.opens_us, default=None),
                exception=self.exceptions.get((policy.policy_id, group)),
            )
        return self.balances[key]

    def state(self) -> State:
        return State(
            self.now_us,
            self.policy_set,
            self.book,
            self.settings,
            self.balances,
            self.allocations,
            self.answers,
        )

    def check(self) -> None:
        """Balances are the fold of the journal, and nothing is held below nothing."""
        folded: dict[str, Folded] = {}
        lengths = {no: p.schedule.length_us or 0 for no, p in self.policies.items()}
        for at_us, entry in self.journal:
            fold(folded, entry.postings, at_us, lengths)
        for key, balance in self.balances.items():
            seen = folded.pop(key, Folded())
            assert (seen.spent, seen.held) == (balance.spent, balance.held), key
            assert seen.sub_windows == balance.sub_windows, key
            assert not balance.held.any_negative, f"{key} holds less than nothing"
        assert folded == {}
        self._check_allocations()

    def _check_allocations(self) -> None:
        held: dict[str, Amounts] = {}
        for allocation in self.allocations.values():
            for hold in allocation.holds:
                assert allocation.is_active or hold.held == NOTHING, "what ended holds nothing"
                assert not hold.held.any_negative, f"{allocation.id} holds less than nothing"
                held[hold.balance_id] = held.get(hold.balance_id, NOTHING).plus(hold.held)
            self._check_family(allocation)
        for key, balance in self.balances.items():
            assert balance.held == held.get(key, NOTHING), f"{key} holds for nobody"

    def _check_family(self, allocation: Allocation) -> None:
        """What an allocation knows of its children is what they are."""
        below = [
            one for one in self.allocations.values() if one.ancestors[-1:] == (allocation.key,)
        ]
        active = [one for one in below if one.is_active]
        children = allocation.children
        assert (children.made, children.active) == (len(below), len(active))
        assert children.lent_cost_nano == sum(one.granted.cost_nano for one in active)
        assert children.lent.total == sum(one.granted.tokens for one in active)
        ended = [one for one in below if not one.is_active]
        used = [(one.used_cost_nano + one.children.used_cost_nano) for one in ended]
        assert children.used_cost_nano == sum(used)
        assert allocation.is_active or not active, "no child outlives its parent"
        for one in active:
            assert one.expires_us <= allocation.expires_us, "no child outlives its parent"
        if allocation.ancestors or not allocation.children.made:
            return
        family = [one for one in self.allocations.values() if allocation.key in one.ancestors]
        for hold in allocation.holds:
            if hold.balance_id in self.adopted:
                continue  # which may limit what nothing limited when the children were made
            together = hold.held
            for one in family:
                for part in one.holds:
                    if part.balance_id == hold.balance_id and not hold.is_unheld:
                        together = together.plus(part.held)
            assert not allocation.granted.minus(together).any_negative, "more than the first had"

    # Inside ------------------------------------------------------------------------------------

    def _execute(self, command: Command) -> Outcome:
        state = self.state()
        if gives_tiers(state.policies, state.book):
            command = tiered(state, command)
        for item in balances_needed(state, command):
            if isinstance(item, str):
                assert item in self.balances
            else:
                self.opened(item.policy, item.group, item.window.opens_us)
        try:
            return execute(state, command)
        except BudgetError as refused:
            return Outcome(refused)

    def _keep(self, outcome: Outcome) -> None:
        self.state().apply(outcome)
        for part in outcome.each():
            if part.entry is not None:
                self.journal.append((self.now_us, part.entry))
            self.usage += part.usage
            self.events += part.events
            self.counted += part.counted

    def _due_beside(self, command: Command) -> tuple[tuple[str, str], ...]:
        state = self.state()
        parts = command.commands if isinstance(command, Together) else (command,)
        denied = {key for part in parts for key in balances_judged(state, part)}
        own = {allocation_key(part) for part in parts if isinstance(part, Extend)}
        return tuple(
            key
            for key, allocation in self.allocations.items()
            if allocation.is_active
            and key not in own
            and allocation.expires_us <= self.now_us
            and any(hold.balance_id in denied for hold in allocation.holds)
        )

    @staticmethod
    def _is_dry(command: Command) -> bool:
        return isinstance(command, Allocate) and command.dry_run

    def _post(self, kind: str, policy: Policy, postings: list[Posting]) -> None:
        if not postings:
            return
        for posting in postings:
            _, opens_us, group = parts_of(posting.balance_id)
            self.opened(policy, group, opens_us)
        entry = Entry(kind, "", policy.policy_id, tuple(postings))
        self._keep(Outcome(Expired(0), entry=entry))


def usage_of(fields: dict[str, object]) -> Usage:
    """A usage from its fields, where the kinds of tokens stand by name and `cost` is USD."""
    fields = dict(fields)
    kinds = ("input", "output", "cache_read", "cache_write", "other")
    counts = TokenCounts(**{kind: fields.pop(kind) for kind in kinds if kind in fields})
    cost = fields.pop("cost", None)
    return Usage(counts, cost_nano=None if cost is None else usd(str(cost)), **fields)


def _content(**fields: object) -> str:
    return json.dumps(fields, default=str, sort_keys=True)
