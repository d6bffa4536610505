"""A ledger over a real store, with hands to drive it and a recount of everything it wrote."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from tekton_budget.domain.amounts import NOTHING, Amounts, Limits
from tekton_budget.domain.answer import Answer
from tekton_budget.domain.balance import Balance
from tekton_budget.domain.caller import LOCAL, Caller
from tekton_budget.domain.command import Allocate, Command, LedgerSettings, Record, Release, Settle
from tekton_budget.domain.errors import BudgetError
from tekton_budget.domain.ledger import Folded, fold
from tekton_budget.domain.limit_text import amount_from_text, limit_from_text
from tekton_budget.domain.period import Anchor, Schedule
from tekton_budget.domain.policy import Budget, Policy, Status
from tekton_budget.domain.scope import Scope
from tekton_budget.domain.usage import TokenCounts, Usage
from tekton_budget.storage.packing import (
    ALLOCATION_COLUMNS,
    BALANCE_COLUMNS,
    allocation_from_row,
    balance_from_row,
    digest_of,
    policy_from_row,
    unpack_postings,
)
from tekton_budget.storage.policies import Backfill, Changes, counts_from, past_usage
from tekton_budget.storage.rollup import COUNTERS
from tekton_budget.storage.schema import prepare
from tekton_budget.storage.session import Session
from tekton_budget.storage.store import Store
from tekton_budget.storage.tables import policies as policies_table
from tekton_budget.storage.ticket import Exclusively
from tekton_budget.storage.writer import Ticket, Writer

NOON_US = 1_793_620_800_000_000  # 2026-11-02 12:00 UTC, a Monday
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US


@dataclass
class Clock:
    """Time that moves when it is told to."""

    now_us: int = NOON_US

    def __call__(self, session: Session) -> int:
        return self.now_us


def nano(usd: str | float | int) -> int:
    return amount_from_text(f"{usd}usd").cost_nano


def new_policy(name: str, limit: str, scope: dict[str, object] | None = None, **fields) -> Policy:
    """A policy from a line like `50usd/month`."""
    text = limit_from_text(limit)
    schedule = Schedule(text.schedule_period, fields.pop("zone", "UTC"), Anchor(), text.length_us)
    return Policy(
        0, name, 1, name, "default", text.limits, schedule, Scope.from_json(scope or {}), **fields
    )


def allocate(id_: str, cost: str | int = "1", caller: Caller = LOCAL, **fields) -> Allocate:
    labels = fields.pop("labels", {})
    content = json.dumps({"cost": str(cost), "labels": labels})
    return Allocate(id_, caller, content, labels=labels, cost_nano=nano(cost), tokens=100, **fields)


def settle(id_: str, cost: str | int | None = "1", caller: Caller = LOCAL, **fields) -> Settle:
    usage = None
    if cost is not None:
        usage = Usage(TokenCounts(input=60, output=20), cost_nano=nano(cost))
    fields.setdefault("record_id", f"r-{id_}")
    return Settle(f"s-{id_}", caller, json.dumps({"cost": str(cost)}), id_, usage=usage, **fields)


def release(id_: str, caller: Caller = LOCAL) -> Release:
    return Release(f"x-{id_}", caller, "{}", id_)


def record(id_: str, cost: str | int = "1", caller: Caller = LOCAL, **fields) -> Record:
    usage = Usage(
        TokenCounts(input=60), cost_nano=nano(cost), timestamp_us=fields.pop("at_us", None)
    )
    content = json.dumps({"cost": str(cost)})
    return Record(id_, caller, content, usage, labels=fields.pop("labels", {}), **fields)


class Bench:
    """One store with a writer on it. `clock=None` takes the store's own time."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        settings: LedgerSettings | None = None,
        connect: Callable[[Store], Session] = Store.connect,
        start: bool = True,
        **options,
    ) -> None:
        self.store = Store(url)
        prepare(self.store)
        self.clock = clock
        self.settings = settings or LedgerSettings()
        self.writer = Writer(lambda: connect(self.store), self.settings, clock=clock, **options)
        if start:
            self.writer.start()

    def close(self) -> None:
        self.writer.stop()
        self.store.close()

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Doing ----------------------------------------------------------------------------------------

    def submit(self, command: Command) -> Ticket[Answer]:
        return self.writer.submit(command)

    def run(self, command: Command) -> Answer | BudgetError:
        """The answer; a refusal is given back, not raised."""
        try:
            return self.writer.submit(command).result(timeout=60)
        except BudgetError as refusal:
            return refusal

    def together(self, *commands: Command) -> list[Answer | BudgetError]:
        """Commands that are sure to share a batch: they queue up behind exclusive work."""
        tickets: list[Ticket[Answer]] = []

        def queue(alone: Exclusively) -> None:
            tickets.extend(self.writer.submit(command) for command in commands)

        self.writer.exclusively(queue).result(timeout=60)
        return [told(ticket) for ticket in tickets]

    def change(self, run: Callable[[Changes], object]) -> object:
        return self.writer.exclusively(lambda alone: run(Changes(alone, self.settings))).result(60)

    def budget(self, budget: Budget) -> None:
        self.change(lambda changes: changes.insert_budget(budget))

    def policy(
        self, name: str, limit: str, scope: dict[str, object] | None = None, **fields
    ) -> Policy:
        return self.add(new_policy(name, limit, scope, **fields))

    def add(self, policy: Policy, between: Callable[[], None] = lambda: None) -> Policy:
        """All three steps of a creation; `between` runs while the policy is starting."""
        started = self.begin(policy)
        between()
        return self.finish(started)

    def begin(self, policy: Policy) -> Policy:
        def run(changes: Changes) -> Policy:
            if policy.budget_id not in changes.policies.budgets:
                assert policy.budget_id == "default"
                changes.insert_budget(Budget("default", "default", Scope.from_json({})))
                changes.refresh()
            made = replace(policy, created_us=changes.now_us, updated_us=changes.now_us)
            return changes.start(made, backfill=True)

        return self.change(run)

    def finish(self, started: Policy) -> Policy:
        session = self.store.connect()
        policies = self.writer.exclusively(lambda alone: alone.cache.policies).result(60)
        sums = past_usage(
            session,
            policies,
            self.writer.cache.book,
            started,
            from_us=counts_from(started, policies),
            up_to=started.backfill_to or 0,
        )
        session.close()

        def run(changes: Changes) -> Policy:
            active = replace(started, status=Status.ACTIVE, updated_us=changes.now_us)
            changes.update_policy(active)
            return active

        def post(changes: Changes) -> bool:
            return changes.post_backfill(changes.policies.by_no[started.no], backfill)

        backfill = Backfill(sums)
        while self.change(post):
            pass
        return self.change(run)

    # Looking --------------------------------------------------------------------------------------

    def rows(self, query: str) -> list[tuple]:
        session = self.store.connect()
        try:
            return session.execute(query)
        finally:
            session.close()

    def balance(self, policy: Policy, group: str = "") -> Balance:
        """The only balance of a group, or its latest."""
        rows = self.rows(
            f"SELECT {BALANCE_COLUMNS} FROM balances WHERE policy_no = {policy.no} "
            f"AND grp = '{group}' ORDER BY opens_us DESC LIMIT 1"
        )
        return balance_from_row(rows[0]) if rows else Balance("", policy.no, group, 0, None)

    def check(self) -> None:
        """Recount everything: balances from the journal, holds from allocations, sums from usage."""
        session = self.store.connect()
        try:
            faults = faults_of(session)
        finally:
            session.close()
        assert faults == []


def told(ticket: Ticket[Answer]) -> Answer | BudgetError:
    try:
        return ticket.result(timeout=60)
    except BudgetError as refusal:
        return refusal


def faults_of(session: Session) -> list[str]:
    """What does not agree in a store, in the words of a person who looks for it."""
    faults: list[str] = []
    names = ", ".join(column.name for column in policies_table.columns)
    policies = [
        policy_from_row(dict(zip(names.split(", "), row, strict=True)))
        for row in session.execute(f"SELECT {names} FROM policies")
    ]
    lengths = {p.no: p.schedule.length_us for p in policies if p.schedule.length_us}
    folded: dict[str, Folded] = {}
    columns = "batch_id, at_us, kind, key_id, object_id, postings, detail, digest"
    for *content, digest in session.execute(f"SELECT {columns} FROM journal ORDER BY no"):
        if digest != digest_of(content):
            faults.append(f"journal row of {content[4]} is not sealed")
        fold(folded, unpack_postings(content[5]), content[1], lengths)
    balances = {
        row[0]: balance_from_row(row)
        for row in session.execute(f"SELECT {BALANCE_COLUMNS} FROM balances")
    }
    for key in sorted(folded.keys() | balances.keys()):
        want, have = folded.get(key, Folded()), balances.get(key)
        if have is None or (want.spent, want.held) != (have.spent, have.held):
            faults.append(f"balance {key}: journal {want.spent, want.held}, stored {have}")
        elif have.length_us and _alive(want.sub_windows) != _alive(have.sub_windows):
            faults.append(f"balance {key}: sub-windows {want.sub_windows} and {have.sub_windows}")
    faults += _faults_of_holds(session, balances)
    faults += _faults_of_sums(session)
    return faults


def _alive(sub_windows: dict[int, Amounts]) -> dict[int, Amounts]:
    return {index: amounts for index, amounts in sub_windows.items() if amounts != NOTHING}


def _faults_of_holds(session: Session, balances: dict[str, Balance]) -> list[str]:
    held: dict[str, Amounts] = {}
    for row in session.execute(f"SELECT {ALLOCATION_COLUMNS} FROM allocations"):
        allocation = allocation_from_row(row)
        for hold in allocation.holds:
            if not allocation.is_active and hold.held != NOTHING:
                return [f"{allocation.id} has ended and holds {hold}"]
            held[hold.balance_id] = held.get(hold.balance_id, NOTHING).plus(hold.held)
    return [
        f"balance {key} holds {balance.held}, its allocations {held.get(key, NOTHING)}"
        for key, balance in balances.items()
        if balance.held != held.get(key, NOTHING)
    ]


def _faults_of_sums(session: Session) -> list[str]:
    usage = session.execute(
        "SELECT sum(CASE WHEN reverses IS NULL THEN 1 ELSE -1 END), sum(requests), "
        "sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_tokens), "
        "sum(other_tokens), sum(reasoning_tokens), sum(coalesce(cost_nano, 0)) FROM usage"
    )[0]
    sums = ", ".join(
        f"sum({name})"
        for name in (
            "records",
            "requests",
            "input_tokens",
            "output_tokens",
            "cache_read_tokens",
            "cache_write_tokens",
            "other_tokens",
            "reasoning_tokens",
            "cost_nano",
        )
    )
    assert COUNTERS == 10
    faults = []
    for kind in ("hour", "day"):
        rolled = session.execute(
            f"SELECT {sums} FROM rollups WHERE kind = '{kind}' AND label = ''"
        )[0]
        if [int(n or 0) for n in rolled] != [int(n or 0) for n in usage]:
            faults.append(f"rollups by {kind} {rolled}, usage {usage}")
    return faults


def allowance(policy: Policy, bench: Bench, group: str = "") -> Limits:
    return bench.balance(policy, group).allowance_at(
        policy, bench.clock.now_us if bench.clock else 0
    )
