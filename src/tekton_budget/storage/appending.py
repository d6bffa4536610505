"""Append: what a batch decided, as rows; balances by increments, rollups in key order."""

from collections.abc import Sequence

from tekton_budget.domain.amounts import NOTHING, UNITS, Amounts
from tekton_budget.domain.answer import Answer
from tekton_budget.domain.balance import Balance
from tekton_budget.domain.command import AuditNote, Command, GiveCredit, Together
from tekton_budget.domain.event import Event
from tekton_budget.domain.ledger import DecisionCount, Outcome, State, UsageRecord
from tekton_budget.storage import statements as sql
from tekton_budget.storage import tables
from tekton_budget.storage.packing import (
    allocation_row,
    journal_row,
    json_text,
    pack_answer,
    pack_balance_rest,
    usage_row,
)
from tekton_budget.storage.rollup import Rollup
from tekton_budget.storage.session import Session

MINUTE_US = 60 * 1_000_000
SAMPLES_A_MINUTE = 10
SHARE_MAX = 1_000_000
ANSWERS = 4  # the last columns of an allocation: content and answer of ask and end


class Appender:
    """Writes the outcomes of batches. Keeps only what decides how many denials are told in full."""

    def __init__(self, rollup: Rollup) -> None:
        self._rollup = rollup
        self._minute_us = 0
        self._samples: dict[tuple[str, str, str], int] = {}

    def append(
        self,
        session: Session,
        state: State,
        commands: Sequence[Command],
        outcomes: Sequence[Outcome],
        batch_id: str,
    ) -> bool:
        """Write all of it; whether there was anything to write."""
        parts = [part for outcome in outcomes for part in outcome.each()]
        counted = [count for outcome in outcomes for count in outcome.counted]
        counted += [c for o in outcomes for p in o.parts for c in p.counted]
        entries = [part.entry for part in parts if part.entry is not None]
        if not entries and not counted:
            return False
        now_us, s = state.now_us, session.statements
        if entries:
            session.write(s.insert(tables.batches, "id, at_us"), [(batch_id, now_us)])
            rows = [journal_row(entry, batch_id, now_us) for entry in entries]
            session.write(s.insert(tables.journal, sql.JOURNAL_COLUMNS), rows)
        self._allocations(session, parts)
        usage = [record for part in parts for record in part.usage]
        if usage:
            insert = s.insert(tables.usage, sql.USAGE_COLUMNS)
            session.write(insert, [usage_row(record) for record in usage])
        self._balances(session, state, parts)
        if usage:
            self._rollups(session, usage)
        self._decisions(session, counted, now_us)
        write_events(session, [event for part in parts for event in part.events], now_us)
        self._answers(session, parts, now_us)
        notes = [note for command in commands for note in _notes(command)]
        if notes:
            write_audit(session, notes, now_us)
        return True

    def _allocations(self, session: Session, parts: Sequence[Outcome]) -> None:
        s = session.statements
        created = [p for p in parts if p.allocation is not None and p.created]
        changed = [p for p in parts if p.allocation is not None and not p.created]
        new: dict[tuple[str, str], list[object]] = {}
        for part in created:
            assert part.allocation is not None
            assert part.remembered is not None
            row = allocation_row(part.allocation)
            answer = (part.remembered.content, pack_answer(part.remembered.answer), None, None)
            new[part.allocation.key_id, part.allocation.id] = [*row, *answer]
        last = {(p.allocation.key_id, p.allocation.id): p for p in changed if p.allocation}
        for key in [key for key in last if key in new]:
            allocation = last[key].allocation
            assert allocation is not None
            new[key][:-ANSWERS] = allocation_row(allocation)
        if new:
            insert = s.insert(tables.allocations, sql.ALLOCATION_INSERT)
            session.write(insert, list(new.values()))
        rows = [_changed_row(p) for key, p in last.items() if key not in new]
        if rows:
            update = s.update(tables.allocations, "id, key_id", "", sql.ALLOCATION_CHANGED)
            session.write(update, rows)
        ends = [_end_row(p) for p in changed if _is_end(p)]
        if ends:
            columns = "end_content, end_answer"
            session.write(s.update(tables.allocations, "id, key_id", "", columns), ends)

    def _balances(self, session: Session, state: State, parts: Sequence[Outcome]) -> None:
        deltas: dict[str, tuple[Amounts, Amounts]] = {}
        for part in parts:
            if part.entry is not None:
                for balance_id, _, spent, held, _ in part.entry.postings:
                    before = deltas.get(balance_id, (NOTHING, NOTHING))
                    deltas[balance_id] = (before[0].plus(spent), before[1].plus(held))
            if part.credit is not None:
                deltas.setdefault(part.credit[0], (NOTHING, NOTHING))
        if deltas:
            write_balances(session, state, deltas)

    def _rollups(self, session: Session, usage: Sequence[UsageRecord]) -> None:
        sums = self._rollup.sums(usage)
        rows = [(*key, session.slot, *counters) for key, counters in sorted(sums.items())]
        add = session.statements.add(tables.rollups, sql.ROLLUP_KEY, sql.ROLLUP_ADDED)
        session.write(add, rows)

    def _decisions(self, session: Session, counted: Sequence[DecisionCount], now_us: int) -> None:
        if not counted:
            return
        minute_us = now_us - now_us % MINUTE_US
        if minute_us != self._minute_us:
            self._minute_us, self._samples = minute_us, {}
        sums: dict[tuple[str, str, str], int] = {}
        samples = []
        for count in counted:
            key = (count.policy_id, count.group, count.decision)
            sums[key] = sums.get(key, 0) + 1
            told = self._samples.get(key, 0)
            if told < SAMPLES_A_MINUTE:
                self._samples[key] = told + 1
                samples.append((now_us, *key, json_text(count.sample)))
        rows = [(minute_us, *key, session.slot, number) for key, number in sorted(sums.items())]
        s = session.statements
        session.write(s.add(tables.decisions, sql.DECISION_KEY, "count"), rows)
        if samples:
            session.write(s.insert(tables.decision_samples, sql.SAMPLE_COLUMNS), samples)

    def _answers(self, session: Session, parts: Sequence[Outcome], now_us: int) -> None:
        rows = [
            (*part.remembered.slot, part.remembered.content, pack_answer(part.remembered.answer))
            for part in parts
            if part.remembered is not None and part.remembered.slot[1].startswith("c:")
        ]
        if rows:
            insert = session.statements.insert(tables.answers, sql.ANSWER_COLUMNS)
            session.write(insert, [(*row, now_us) for row in rows])


def write_balances(
    session: Session, state: State, deltas: dict[str, tuple[Amounts, Amounts]]
) -> None:
    """Add increments, and set what an opening, a credit or a threshold changed."""
    s = session.statements
    rows = []
    for balance_id in sorted(deltas):
        spent, held = deltas[balance_id]
        balance = state.balances[balance_id]
        rest = pack_balance_rest(balance)
        share = share_permille(state, balance)
        rows.append((*spent, *held, *rest, share, state.now_us, balance_id))
    update = s.update(tables.balances, "id", sql.BALANCE_ADDED, sql.BALANCE_SET)
    session.write(update, rows)
    new = [state.balances[id_] for id_ in sorted(state.new_balances & set(deltas))]
    counts: dict[tuple[int, int], int] = {}
    for balance in new:
        if balance.group:
            key = (balance.policy_no, balance.opens_us)
            counts[key] = counts.get(key, 0) + 1
    if counts:
        add = s.add(tables.group_counts, "policy_no, opens_us", "groups")
        session.write(add, [(*key, number) for key, number in sorted(counts.items())])


def share_permille(state: State, balance: Balance) -> int | None:
    """How much of its allowance a group has used, in thousandths of the unit that stands highest.

    Only where a policy keeps many groups: it is what they are listed by. In steps, so that a busy
    row's index entry seldom moves.
    """
    policy = state.policies.by_no.get(balance.policy_no)
    if policy is None or not balance.group:
        return None
    used = balance.used_at(state.now_us)
    allowance = balance.allowance_at(policy, state.now_us)
    shares = [
        min(SHARE_MAX, u * 1000 // limit) if limit > 0 else (SHARE_MAX if u > 0 else 0)
        for limit, u in zip(allowance, used, strict=True)
        if limit is not None
    ]
    assert len(shares) <= len(UNITS)
    return max(shares, default=0)


def write_events(session: Session, events: Sequence[Event], now_us: int) -> None:
    """Rows of the outbox, in the transaction of what they tell."""
    if not events:
        return
    rows = [
        (now_us, event.type.value, event.subject_id, event.budget_id, json_text(event.payload))
        for event in events
    ]
    session.write(session.statements.insert(tables.outbox, sql.OUTBOX_COLUMNS), rows)


def write_audit(session: Session, notes: Sequence[tuple[str, str, AuditNote]], now_us: int) -> None:
    """Rows of the audit: key, actor and what was changed."""
    rows = [
        (
            now_us,
            key_id,
            actor,
            note.verb,
            note.object_kind,
            note.object_id,
            note.before,
            note.after,
        )
        for key_id, actor, note in notes
    ]
    session.write(session.statements.insert(tables.audit, sql.AUDIT_COLUMNS), rows)


def _notes(command: Command) -> list[tuple[str, str, AuditNote]]:
    if isinstance(command, Together):
        return [note for part in command.commands for note in _notes(part)]
    if isinstance(command, GiveCredit) and command.audit is not None:
        return [(command.caller.key_id, command.caller.name, command.audit)]
    return []


def _is_end(part: Outcome) -> bool:
    return part.remembered is not None and part.remembered.slot[1].startswith("e:")


def _end_row(part: Outcome) -> tuple[object, ...]:
    assert part.allocation is not None
    assert part.remembered is not None
    answer: Answer = part.remembered.answer
    return (
        part.remembered.content,
        pack_answer(answer),
        part.allocation.id,
        part.allocation.key_id,
    )


def _changed_row(part: Outcome) -> tuple[object, ...]:
    allocation = part.allocation
    assert allocation is not None
    return (
        allocation.status.value,
        allocation.expires_us,
        json_text(allocation.holds),
        json_text(allocation.used),
        allocation.used_cost_nano,
        allocation.usage_records,
        allocation.estimated_record,
        json_text(allocation.estimated),
        allocation.estimated_cost_nano,
        allocation.ended_us,
        allocation.updated_us,
        allocation.id,
        allocation.key_id,
    )
