"""Changes of policies, budgets and exceptions: short transactions, alone against all writers."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec

from tekton_budget.domain.allocation import Allocation
from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.answer import Expired
from tekton_budget.domain.balance import Balance
from tekton_budget.domain.command import AuditNote, LedgerSettings
from tekton_budget.domain.event import Event
from tekton_budget.domain.ledger import Entry, Outcome, State
from tekton_budget.domain.ledger.starting import PastUsage, adopted, backfill_of
from tekton_budget.domain.ledger.state import BACKFILL, Posting
from tekton_budget.domain.period import SUB_WINDOWS, sub_window_at
from tekton_budget.domain.policy import Budget, GroupLimits, Policy, Status
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.domain.usage import TokenCounts
from tekton_budget.storage import statements as sql
from tekton_budget.storage import tables
from tekton_budget.storage.appending import (
    deltas_of,
    write_audit,
    write_balances,
    write_events,
)
from tekton_budget.storage.loading import open_balances
from tekton_budget.storage.packing import (
    ALLOCATION_COLUMNS,
    BALANCE_COLUMNS,
    allocation_from_row,
    balance_from_row,
    journal_row,
    json_text,
    policy_spec,
)
from tekton_budget.storage.session import Session
from tekton_budget.storage.ticket import Exclusively

PAGE = 2000
BUDGET_COLUMNS = (
    "budget_id, name, owner, description, scope, is_active, metadata, created_us, updated_us"
)
POLICY_COLUMNS = "policy_id, version, name, budget_id, status, spec, created_us, updated_us"


class Changes:
    """The verbs by which exclusive work changes policies; every one raises the generation."""

    def __init__(self, alone: Exclusively, settings: LedgerSettings) -> None:
        self._session = alone.session
        self._alone = alone
        self._settings = settings
        self.now_us = alone.now_us
        self.policies: PolicySet = alone.cache.policies

    def insert_budget(self, budget: Budget) -> None:
        """A new budget."""
        statement = self._session.statements.insert(tables.budgets, BUDGET_COLUMNS)
        self._session.write(statement, [_budget_row(budget)])
        self._raise()

    def update_budget(self, budget: Budget) -> None:
        """A budget as it is from now on."""
        changed = "name, owner, description, scope, is_active, metadata, updated_us"
        statement = self._session.statements.update(tables.budgets, "budget_id", "", changed)
        row = _budget_row(budget)
        self._session.write(statement, [(*row[1:7], row[8], budget.budget_id)])
        self._raise()

    def insert_policy(self, policy: Policy) -> Policy:
        """A new version of a policy; what comes back has its number."""
        statement = self._session.statements.insert(tables.policies, POLICY_COLUMNS)
        self._session.write(statement, [_policy_row(policy)])
        rows = self._session.execute("SELECT max(no) FROM policies")
        self._raise()
        return replace(policy, no=int(rows[0][0]))

    def update_policy(self, policy: Policy) -> None:
        """A policy version as it is from now on."""
        changed = "name, status, spec, updated_us"
        statement = self._session.statements.update(tables.policies, "no", "", changed)
        row = (policy.name, policy.status.value, policy_spec(policy), policy.updated_us, policy.no)
        self._session.write(statement, [row])
        self._raise()

    def start(self, policy: Policy, *, backfill: bool) -> Policy:
        """Step 1: insert as starting, adopt active allocations, note the last usage number."""
        status = Status.STARTING if backfill else Status.ACTIVE
        last_no = self._session.execute("SELECT coalesce(max(no), 0) FROM usage")[0][0]
        policy = self.insert_policy(
            replace(policy, status=status, backfill_to=int(last_no) if backfill else None)
        )
        self.refresh()
        self._adopt(policy)
        return policy

    def refresh(self) -> None:
        """See what this transaction has changed so far."""
        self._alone.cache.refresh(self._session)
        self.policies = self._alone.cache.policies

    def _adopt(self, policy: Policy) -> None:
        for page in self._active_allocations():
            found = adopted(self.policies, policy, page, self.now_us)
            if not found:
                continue
            update = self._session.statements.update(
                tables.allocations, "id, key_id", "", "holds, updated_us"
            )
            rows = [(json_text(a.holds), a.updated_us, a.id, a.key_id) for a, _ in found]
            self._session.write(update, rows)
            self.post("adopt", policy, [posting for _, posting in found])

    def _active_allocations(self) -> Iterator[list[Allocation]]:
        after = ("", "")
        mark = self._session.statements.mark
        query = (
            f"SELECT {ALLOCATION_COLUMNS} FROM allocations WHERE status = 'active' "
            f"AND (id, key_id) > ({mark}, {mark}) ORDER BY id, key_id LIMIT {PAGE}"
        )
        while True:
            rows = self._session.execute(query, after)
            if not rows:
                return
            yield [allocation_from_row(row) for row in rows]
            after = (rows[-1][1], rows[-1][0])

    def post(self, kind: str, policy: Policy, postings: Sequence[Posting]) -> None:
        """One journal entry with these postings, and the balances moved by them."""
        if not postings:
            return
        state = State(self.now_us, self.policies, self._alone.cache.book, self._settings)
        open_balances(self._session, state, sorted({p.balance_id for p in postings}))
        entry = Entry(kind, "", policy.policy_id, tuple(postings))
        state.apply(Outcome(Expired(0), entry=entry))
        write_balances(self._session, state, deltas_of(postings))
        statement = self._session.statements.insert(tables.journal, sql.JOURNAL_COLUMNS)
        self._session.write(statement, [journal_row(entry, self._alone.batch_id, self.now_us)])

    def post_backfill(self, policy: Policy, sums: dict[tuple[str, int], Amounts]) -> None:
        """Step 3: entries `backfill`; on rolling balances each in the sub-window it arrived in."""
        length_us = policy.schedule.length_us
        by_moment: dict[tuple[int, str], Amounts] = {}
        for (balance_id, at_us), amounts in sums.items():
            key = (0 if length_us is None else _sub_window_opens(length_us, at_us), balance_id)
            by_moment[key] = by_moment.get(key, NOTHING).plus(amounts)
        postings = [
            Posting(balance_id, BACKFILL, amounts, NOTHING, at_us)
            for (at_us, balance_id), amounts in sorted(by_moment.items())
        ]
        for start in range(0, len(postings), PAGE):
            self.post("backfill", policy, postings[start : start + PAGE])

    def set_exception(self, policy: Policy, group: str, limits: GroupLimits | None) -> None:
        """Other amounts for one group from now on, or none; its open window changes at once."""
        if limits is None:
            mark = self._session.statements.mark
            query = f"DELETE FROM exceptions WHERE policy_id = {mark} AND grp = {mark}"
            self._session.execute(query, (policy.policy_id, group))
        else:
            put = self._session.statements.put(
                tables.exceptions, "policy_id, grp", "limits, updated_us"
            )
            row = (policy.policy_id, group, json_text(limits), self.now_us)
            self._session.write(put, [row])
        window = self.policies.window(policy, self.now_us)
        id_ = f"{policy.no}:{window.opens_us}:{group}"
        state = State(self.now_us, self.policies, self._alone.cache.book, self._settings)
        open_balances(self._session, state, [id_])
        state.balances[id_].exception = limits
        write_balances(self._session, state, {id_: (NOTHING, NOTHING)})

    def balances_of(self, policy: Policy, most: int = 100) -> list[Balance]:
        """The balances of the policy's open window, dearest first."""
        window = self.policies.window(policy, self.now_us)
        mark = self._session.statements.mark
        query = (
            f"SELECT {BALANCE_COLUMNS} FROM balances WHERE policy_no = {mark} "
            f"AND opens_us = {mark} AND opened = 1 "
            f"ORDER BY share_permille DESC, spent_cost_nano DESC LIMIT {most}"
        )
        rows = self._session.execute(query, (policy.no, window.opens_us))
        return [balance_from_row(row) for row in rows]

    def audit(self, key_id: str, actor: str, note: AuditNote) -> None:
        """Who changed what."""
        write_audit(self._session, [(key_id, actor, note)], self.now_us)

    def publish(self, *events: Event) -> None:
        """Rows of the outbox."""
        write_events(self._session, events, self.now_us)

    def _raise(self) -> None:
        self._session.execute("UPDATE meta SET policy_generation = policy_generation + 1")


def past_usage(
    session: Session, policies: PolicySet, policy: Policy, *, from_us: int, up_to: int
) -> dict[tuple[str, int], Amounts]:
    """Step 2: older usage of the current window, summed in chunks, outside of any lock."""
    sums: dict[tuple[str, int], Amounts] = {}
    mark = session.statements.mark
    query = (
        "SELECT no, record_id, labels, input_tokens, output_tokens, cache_read_tokens, "
        "cache_write_tokens, other_tokens, cost_nano, requests, placed_us, "
        "CASE WHEN reverses IS NULL THEN recorded_us ELSE at_us END FROM usage "
        f"WHERE no > {mark} AND no <= {mark} AND placed_us >= {mark} ORDER BY no LIMIT {PAGE}"
    )
    after = 0
    decode = msgspec.json.Decoder(dict[str, str]).decode
    while True:
        rows = session.execute(query, (after, up_to, from_us))
        if not rows:
            return sums
        page = [
            PastUsage(r[1], decode(r[2]), TokenCounts(*r[3:8]), r[8] or 0, r[9], r[10], r[11])
            for r in rows
        ]
        for key, amounts in backfill_of(policies, policy, page).items():
            sums[key] = sums.get(key, NOTHING).plus(amounts)
        after = rows[-1][0]


def _sub_window_opens(length_us: int, at_us: int) -> int:
    """The first moment of the sub-window, so that all of one is one posting."""
    return -(-sub_window_at(length_us, at_us) * length_us // SUB_WINDOWS)


def _budget_row(budget: Budget) -> tuple[object, ...]:
    return (
        budget.budget_id,
        budget.name,
        budget.owner,
        budget.description,
        json_text(budget.scope.to_json()),
        int(budget.is_active),
        json_text(budget.metadata),
        budget.created_us,
        budget.updated_us,
    )


def _policy_row(policy: Policy) -> tuple[object, ...]:
    return (
        policy.policy_id,
        policy.version,
        policy.name,
        policy.budget_id,
        policy.status.value,
        policy_spec(policy),
        policy.created_us,
        policy.updated_us,
    )
