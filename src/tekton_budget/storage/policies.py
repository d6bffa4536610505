"""Changes of policies, budgets and exceptions: short transactions, alone against all writers."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from tekton_budget.domain.allocation import Allocation
from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.answer import Expired
from tekton_budget.domain.balance import Balance, balance_id
from tekton_budget.domain.command import AuditNote, LedgerSettings
from tekton_budget.domain.event import Event
from tekton_budget.domain.ledger import Entry, Outcome, State
from tekton_budget.domain.ledger.credit import credit_entry
from tekton_budget.domain.ledger.starting import (
    PastUsage,
    adopted,
    backfill_of,
    backfill_postings,
    credits_taken_over,
)
from tekton_budget.domain.ledger.state import Posting
from tekton_budget.domain.period import SUB_WINDOWS, sub_window_at
from tekton_budget.domain.policy import Budget, Credit, GroupLimits, Policy, Status
from tekton_budget.domain.policy_set import PolicySet, group_label_names, regrouped
from tekton_budget.domain.price import PriceBook
from tekton_budget.domain.usage import TokenCounts
from tekton_budget.storage import statements as sql
from tekton_budget.storage import tables
from tekton_budget.storage.appending import (
    MINUTE_US,
    Deltas,
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
CHUNK = 500  # postings of one transaction of a backfill
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
        changed = "name, budget_id, status, spec, updated_us"
        statement = self._session.statements.update(tables.policies, "no", "", changed)
        row = (policy.name, policy.budget_id, policy.status.value, policy_spec(policy))
        self._session.write(statement, [(*row, policy.updated_us, policy.no)])
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
        """Parents before their children, whose holds are parts of theirs."""
        depth = deepest = 0
        while depth <= deepest:
            for page in self._active_allocations():
                deepest = max(deepest, *(len(one.ancestors) for one in page))
                self._adopt_these(policy, [one for one in page if len(one.ancestors) == depth])
            depth += 1

    def _adopt_these(self, policy: Policy, allocations: Sequence[Allocation]) -> None:
        ids = sorted({one.parent_id for one in allocations if one.parent_id is not None})
        session, columns = self._session, ALLOCATION_COLUMNS
        rows = session.by_keys(tables.allocations, columns, "id", ids) if ids else ()
        parents = {one.key: one for one in map(allocation_from_row, rows)}
        book = self._alone.cache.book
        found = adopted(self.policies, policy, allocations, self.now_us, book, parents)
        if not found:
            return
        update = self._session.statements.update(
            tables.allocations, "id, key_id", "", "holds, updated_us"
        )
        self._session.write(
            update, [(json_text(a.holds), a.updated_us, a.id, a.key_id) for a, _ in found]
        )
        self.post("adopt", policy, [posting for _, posting in found])

    def _active_allocations(self) -> Iterator[list[Allocation]]:
        """By the index of the active ones: all that ever were are too many to look through here."""
        expires_us, id_, key_id = 0, "", ""
        mark = self._session.statements.mark
        query = (
            f"SELECT {ALLOCATION_COLUMNS} FROM allocations WHERE status = 'active' "
            f"AND expires_us >= {mark} AND (expires_us, id, key_id) > ({mark}, {mark}, {mark}) "
            f"ORDER BY expires_us, id, key_id LIMIT {PAGE}"
        )
        while True:
            rows = self._session.execute(query, (expires_us, expires_us, id_, key_id))
            if not rows:
                return
            page = [allocation_from_row(row) for row in rows]
            yield page
            expires_us, id_, key_id = page[-1].expires_us, page[-1].id, page[-1].key_id

    def post(self, kind: str, policy: Policy, postings: Sequence[Posting]) -> None:
        """One journal entry with these postings, and the balances moved by them."""
        if not postings:
            return
        state = self._state()
        open_balances(self._session, state, sorted({p.balance_id for p in postings}))
        entry = Entry(kind, "", policy.policy_id, tuple(postings))
        state.apply(Outcome(Expired(0), entry=entry))
        write_balances(self._session, state, deltas_of(postings))
        statement = self._session.statements.insert(tables.journal, sql.JOURNAL_COLUMNS)
        self._session.write(statement, [journal_row(entry, self._alone.batch_id, self.now_us)])

    def post_backfill(self, policy: Policy, backfill: "Backfill") -> bool:
        """Step 3: the next entry `backfill`, and how far it is posted; whether more may be left."""
        postings = backfill.after(policy.backfill_after)
        if not postings:
            return False
        self.post("backfill", policy, postings)
        last = max(posting.balance_id for posting in postings)
        self.update_policy(replace(policy, backfill_after=last))
        return last < backfill.last

    def last_audit(self) -> int:
        """The number of the last change that was noted."""
        return int(self._session.execute("SELECT coalesce(max(no), 0) FROM audit")[0][0])

    def take_over_credit(self, before: Policy, policy: Policy, groups: Sequence[str]) -> set[str]:
        """Live credit of groups' open windows, once; the groups whose credit has nowhere to go."""
        opens_us = self.policies.window(before, self.now_us).opens_us
        ids = [balance_id(before.no, opens_us, group) for group in groups]
        given: dict[str, tuple[Credit, ...]] = {}
        ended: set[str] = set()
        new_opens_us = self.policies.window(policy, self.now_us).opens_us
        for row in self._session.by_keys(tables.balances, BALANCE_COLUMNS, "id", ids):
            old = balance_from_row(row)
            live = credits_taken_over(before, policy, old, self.now_us)
            group = regrouped(before, policy, old.group)
            if live and group is None:
                ended.add(old.group)
            elif live and group is not None:
                given[balance_id(policy.no, new_opens_us, group)] = live
        if given:
            self._credit(given)
        return ended

    def _credit(self, given: Mapping[str, Sequence[Credit]]) -> None:
        """Each with an entry of its own, as when it was given; what is there already stays."""
        state = self._state()
        open_balances(self._session, state, sorted(given))
        entries = []
        moved: Deltas = {}
        for id_, live in sorted(given.items()):
            balance = state.balances[id_]
            known = {one.credit_id for one in balance.credits}
            for one in live:
                if one.credit_id not in known:
                    balance.credits = (*balance.credits, one)
                    entries.append(credit_entry("", id_, one))
                    moved[id_] = (NOTHING, NOTHING)
        write_balances(self._session, state, moved)
        statement = self._session.statements.insert(tables.journal, sql.JOURNAL_COLUMNS)
        rows = [journal_row(entry, self._alone.batch_id, self.now_us) for entry in entries]
        if rows:
            self._session.write(statement, rows)

    def regroup(self, before: Policy, after: Policy) -> set[str]:
        """Let exceptions follow a change of the labels that name groups; those that cannot end."""
        if group_label_names(before) == group_label_names(after):
            return set()
        mark = self._session.statements.mark
        query = f"SELECT grp, limits FROM exceptions WHERE policy_id = {mark}"
        found: dict[str, str] = dict(self._session.execute(query, (before.policy_id,)))
        query = f"DELETE FROM exceptions WHERE policy_id = {mark}"
        self._session.execute(query, (before.policy_id,))
        groups = {group: regrouped(before, after, group) for group in found}
        rows = [
            (after.policy_id, group, found[old], self.now_us)
            for old, group in groups.items()
            if group is not None
        ]
        if rows:
            columns = "policy_id, grp, limits, updated_us"
            self._session.write(self._session.statements.insert(tables.exceptions, columns), rows)
        return {old for old, group in groups.items() if group is None}

    def _state(self) -> State:
        return State(self.now_us, self.policies, self._alone.cache.book, self._settings)

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
        state = self._state()
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


def credited_groups(
    session: Session, policy_id: str, *, after: int = 0, up_to: int | None = None
) -> list[str]:
    """The groups of a policy that were ever given credit, by the audit's numbers."""
    mark = session.statements.mark
    last = "" if up_to is None else f"AND no <= {up_to:d} "
    query = (
        f"SELECT no, after FROM audit WHERE no > {mark} {last}AND verb = 'credit' "
        f"AND object_kind = 'policy' AND object_id = {mark} ORDER BY no LIMIT {PAGE}"
    )
    groups: set[str] = set()
    while rows := session.execute(query, (after, policy_id)):
        groups |= {msgspec.json.decode(row[1], type=_Credited).group for row in rows}
        after = rows[-1][0]
    return sorted(groups)


class _Credited(msgspec.Struct):
    """What is read of a credit's note in the audit."""

    group: str


class Backfill:
    """Older usage summed by balance, to be posted in the order of their keys."""

    def __init__(self, sums: Mapping[tuple[str, int], Amounts]) -> None:
        self._postings: dict[str, list[Posting]] = {}
        for posting in backfill_postings(sums):
            self._postings.setdefault(posting.balance_id, []).append(posting)
        self._ids = sorted(self._postings)

    @property
    def last(self) -> str:
        """The last balance; empty where nothing is to be posted."""
        return self._ids[-1] if self._ids else ""

    def after(self, last: str | None) -> list[Posting]:
        """The next chunk after a balance, oldest first: all of each balance; nothing at the end.

        On rolling balances each posting counts in the sub-window that it arrived in.
        """
        postings: list[Posting] = []
        first = 0 if last is None else bisect_right(self._ids, last)
        for id_ in map(self._ids.__getitem__, range(first, len(self._ids))):
            if postings and len(postings) + len(self._postings[id_]) > CHUNK:
                break
            postings += self._postings[id_]
        return sorted(postings, key=lambda one: (one.at_us, one.balance_id))


def past_usage(
    session: Session,
    policies: PolicySet,
    book: PriceBook,
    policy: Policy,
    *,
    from_us: int,
    up_to: int,
) -> dict[tuple[str, int], Amounts]:
    """Step 2: older usage of the current window, summed in chunks, outside of any lock."""
    sums: dict[tuple[str, int], Amounts] = {}
    length_us = policy.schedule.length_us
    pages = _placed_since if length_us is None else _recorded_since
    for page in pages(session, from_us, up_to):
        for (id_, at_us), amounts in backfill_of(policies, policy, page, book).items():
            key = (id_, 0 if length_us is None else _sub_window_opens(length_us, at_us))
            sums[key] = sums.get(key, NOTHING).plus(amounts)
    return sums


def counts_from(policy: Policy, policies: PolicySet) -> int:
    """The first moment of which usage still counts for a policy that begins."""
    length_us = policy.schedule.length_us
    if length_us is None:
        return policies.window(policy, policy.updated_us).opens_us
    return max(0, _sub_window_opens(length_us, policy.updated_us) - length_us)


_PAST = (
    "SELECT no, placed_us, recorded_us, coalesce(allocation_id, record_id), labels, input_tokens, "
    "output_tokens, cache_read_tokens, cache_write_tokens, other_tokens, cost_nano, requests, "
    "CASE WHEN reverses IS NULL THEN recorded_us ELSE at_us END FROM usage "
)
_labels = msgspec.json.Decoder(dict[str, str]).decode


def _past(row: tuple[Any, ...]) -> PastUsage:  # Any: a row's columns have many types
    counts = TokenCounts(*row[5:10])
    return PastUsage(row[3], _labels(row[4]), counts, row[10] or 0, row[11], row[1], row[12])


def _placed_since(session: Session, from_us: int, up_to: int) -> Iterator[list[PastUsage]]:
    """Usage of the windows since a moment, by the index on its place."""
    mark = session.statements.mark
    query = (
        f"{_PAST} WHERE placed_us >= {mark} AND (placed_us, no) > ({mark}, {mark}) "
        f"AND no <= {mark} ORDER BY placed_us, no LIMIT {PAGE}"
    )
    placed_us, no = from_us, -1
    while rows := session.execute(query, (placed_us, placed_us, no, up_to)):
        yield [_past(row) for row in rows]
        no, placed_us = rows[-1][:2]


def _recorded_since(session: Session, from_us: int, up_to: int) -> Iterator[list[PastUsage]]:
    """Usage that arrived since a moment, newest first; numbers follow arrival but for moments."""
    mark = session.statements.mark
    query = f"{_PAST} WHERE no <= {mark} ORDER BY no DESC LIMIT {PAGE}"
    while rows := session.execute(query, (up_to,)):
        found = [_past(row) for row in rows]
        yield [usage for usage in found if usage.recorded_us >= from_us]
        if max(row[2] for row in rows) < from_us - MINUTE_US:
            return
        up_to = rows[-1][0] - 1


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
