"""Append: what a batch decided, as rows; balances by increments, rollups in key order."""

from collections.abc import Iterable, Sequence

from tekton_budget.domain.amounts import NOTHING, UNITS, Amounts
from tekton_budget.domain.balance import Balance
from tekton_budget.domain.command import Allocate, AuditNote, Command, GiveCredit, Together
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.ledger import DecisionCount, Outcome, Posting, State, UsageRecord
from tekton_budget.storage import statements as sql
from tekton_budget.storage import tables
from tekton_budget.storage.loading import Loaded
from tekton_budget.storage.packing import (
    allocation_changed_row,
    allocation_grown_row,
    allocation_row,
    journal_row,
    json_text,
    pack_answer,
    pack_balance_rest,
    usage_row,
)
from tekton_budget.storage.rollup import Rollup
from tekton_budget.storage.rows.alerts import alert_writes, write_alerts
from tekton_budget.storage.session import Session, Write
from tekton_budget.storage.statements import Statements

MINUTE_US = 60 * 1_000_000
SAMPLES_A_MINUTE = 10
USE_EVERY_US = 10 * 1_000_000
SHARE_MAX = 1_000_000

Key = tuple[str, str]
Deltas = dict[str, tuple[Amounts, Amounts]]
Note = tuple[str, str, AuditNote]  # key, actor, what was changed


class Appender:
    """Turns the outcomes of batches into rows. Remembers what was told of denials and of use."""

    def __init__(self, rollup: Rollup) -> None:
        self._rollup = rollup
        self._told = _Told()
        self._telling = self._told

    def writes(
        self,
        session: Session,
        loaded: Loaded,
        commands: Sequence[Command],
        outcomes: Sequence[Outcome],
        batch_id: str,
    ) -> list[Write]:
        """Every row of a batch, in an order that all writers share; none if nothing happened."""
        state, s, slot = loaded.state, session.statements, session.slot
        now_us = state.now_us
        self._telling = self._told.copy()
        self._telling.judge(state, commands)
        parts = [part for outcome in outcomes for part in outcome.each()]
        counted = [c for part in parts for c in part.counted]
        counted += [c for outcome in outcomes if outcome.parts for c in outcome.counted]
        entries = [part.entry for part in parts if part.entry is not None]
        if not entries and not counted:
            return []
        usage = [record for part in parts for record in part.usage]
        notes = [n for c, o in zip(commands, outcomes, strict=True) for n in _notes(c, o)]
        found: list[Write] = [
            (s.insert(tables.batches, "id, at_us"), [(batch_id, now_us)]),
            (
                s.insert(tables.journal, sql.JOURNAL_COLUMNS),
                [journal_row(entry, batch_id, now_us) for entry in entries],
            ),
            *_allocations(s, parts),
            (s.insert(tables.usage, sql.USAGE_COLUMNS), [usage_row(record) for record in usage]),
            *_balances(session, loaded, parts),
            *self._rollups(s, slot, usage),
            *self._telling.decisions(s, slot, counted, now_us),
            *self._telling.use(s, slot, now_us),
            *_events(s, parts, now_us),
            *alert_writes(s, [e for part in parts if part.told for e in part.events], now_us),
            *_answers(s, parts, now_us),
            *audit_writes(s, notes, now_us),
        ]
        return [write for write in found if write[1]]

    def committed(self) -> None:
        """The writes are durable: what they told counts as told."""
        self._told = self._telling

    def _rollups(self, s: Statements, slot: int, usage: Sequence[UsageRecord]) -> list[Write]:
        sums = self._rollup.sums(usage)
        rows = [(*key, slot, *counters) for key, counters in sorted(sums.items())]
        return [(s.add(tables.rollups, sql.ROLLUP_KEY, sql.ROLLUP_ADDED), rows)]


class _Told:
    """How many denials of this minute were told in full, and when each policy last judged."""

    def __init__(self) -> None:
        self._minute_us = 0
        self._samples: dict[tuple[str, str, str], int] = {}
        self._judged_us: dict[str, int] = {}
        self._use_us = 0

    def copy(self) -> "_Told":
        """What will be true once the batch is durable."""
        other = _Told()
        other._minute_us, other._use_us = self._minute_us, self._use_us
        other._samples, other._judged_us = dict(self._samples), dict(self._judged_us)
        return other

    def judge(self, state: State, commands: Iterable[Command]) -> None:
        """Note which policies judged."""
        for command in commands:
            if isinstance(command, Together):
                self.judge(state, command.commands)
            elif isinstance(command, Allocate):
                for concern in state.concerns_of.get(id(command), ()):
                    if concern.policy.judges:
                        self._judged_us[concern.policy.policy_id] = state.now_us

    def use(self, s: Statements, slot: int, now_us: int) -> list[Write]:
        """When each policy last judged; every few seconds is enough."""
        if now_us < self._use_us + USE_EVERY_US:
            return []
        rows = [(policy_id, slot, at_us) for policy_id, at_us in sorted(self._judged_us.items())]
        self._judged_us, self._use_us = {}, now_us
        return [(s.put(tables.policy_use, "policy_id, slot", "last_judged_us"), rows)]

    def decisions(
        self, s: Statements, slot: int, counted: Sequence[DecisionCount], now_us: int
    ) -> list[Write]:
        """Refusals counted by minute, the first few of each in full."""
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
        rows = [(minute_us, *key, slot, number) for key, number in sorted(sums.items())]
        return [
            (s.add(tables.decisions, sql.DECISION_KEY, "count"), rows),
            (s.insert(tables.decision_samples, sql.SAMPLE_COLUMNS), samples),
        ]


def _allocations(s: Statements, parts: Sequence[Outcome]) -> list[Write]:
    """Each allocation once, however many commands of the batch it saw."""
    new: dict[Key, Outcome] = {}
    last: dict[Key, Outcome] = {}
    ends: dict[Key, Outcome] = {}
    labelled: set[Key] = set()
    grew: set[Key] = set()
    for part in parts:
        if part.allocation is None:
            continue
        key = (part.allocation.key_id, part.allocation.id)
        last[key] = part
        if part.relabelled:
            labelled.add(key)
        if part.grown:
            grew.add(key)
        if part.created:
            new[key] = part
        elif part.remembered is not None and part.remembered.slot[1].startswith("e:"):
            ends[key] = part
    inserted = [
        (*_row(last[key]), *_remembered(made), *_remembered(ends.get(key)))
        for key, made in new.items()
    ]
    ended = [
        (*_changed(last[key]), *_remembered(end), key[1], key[0])
        for key, end in ends.items()
        if key not in new
    ]
    changed = [
        (*_changed(part), key[1], key[0])
        for key, part in last.items()
        if key not in new and key not in ends
    ]
    relabelled = [
        (*_labels(last[key]), key[1], key[0]) for key in sorted(labelled) if key not in new
    ]
    grown = [(*_grown(last[key]), key[1], key[0]) for key in sorted(grew) if key not in new]
    by = "id, key_id"
    return [
        (s.insert(tables.allocations, sql.ALLOCATION_INSERT), inserted),
        (s.update(tables.allocations, by, "", sql.ALLOCATION_ENDED), ended),
        (s.update(tables.allocations, by, "", sql.ALLOCATION_CHANGED), changed),
        (s.update(tables.allocations, by, "", "labels, context_id"), relabelled),
        (s.update(tables.allocations, by, "", sql.ALLOCATION_GROWN), grown),
    ]


def _row(part: Outcome) -> tuple[object, ...]:
    assert part.allocation is not None
    return allocation_row(part.allocation)


def _changed(part: Outcome) -> tuple[object, ...]:
    assert part.allocation is not None
    return allocation_changed_row(part.allocation)


def _grown(part: Outcome) -> tuple[object, ...]:
    assert part.allocation is not None
    return allocation_grown_row(part.allocation)


def _labels(part: Outcome) -> tuple[object, ...]:
    assert part.allocation is not None
    return json_text(part.allocation.labels), part.allocation.labels.get("context_id")


def _remembered(part: Outcome | None) -> tuple[object, ...]:
    if part is None:
        return (None, None)
    assert part.remembered is not None, "what changes an allocation is remembered with it"
    return part.remembered.content, pack_answer(part.remembered.answer)


def _answers(s: Statements, parts: Sequence[Outcome], now_us: int) -> list[Write]:
    rows = [
        (
            *part.remembered.slot,
            part.remembered.content,
            pack_answer(part.remembered.answer),
            now_us,
        )
        for part in parts
        if part.remembered is not None and part.remembered.slot[1].startswith("c:")
    ]
    return [(s.insert(tables.answers, sql.ANSWER_COLUMNS), rows)]


def deltas_of(postings: Iterable[Posting]) -> Deltas:
    """What postings add to each balance."""
    deltas: Deltas = {}
    for posting in postings:
        known = deltas.get(posting.balance_id)
        if known is None:
            deltas[posting.balance_id] = (posting.spent, posting.held)
        else:
            deltas[posting.balance_id] = (known[0].plus(posting.spent), known[1].plus(posting.held))
    return deltas


def _balances(session: Session, loaded: Loaded, parts: Sequence[Outcome]) -> list[Write]:
    state = loaded.state
    deltas = deltas_of(p for part in parts if part.entry is not None for p in part.entry.postings)
    changed = {key for part in parts for key, _ in part.told}
    changed |= {part.credit[0] for part in parts if part.credit is not None}
    for key in changed:
        deltas.setdefault(key, (NOTHING, NOTHING))
    changed |= state.new_balances & set(deltas)
    shares = {key: share_permille(state, state.balances[key]) for key in deltas}
    changed |= {
        key
        for key, share in shares.items()
        if share != loaded.shares.get(key) or state.balances[key].length_us
    }
    untouched = sorted(state.new_balances - set(deltas))
    writes = _balance_writes(session, state, deltas, changed, shares)
    return [*writes, *session.keep_balances((), untouched)]


def write_balances(session: Session, state: State, deltas: Deltas) -> None:
    """Add increments, and set all the rest of these balances as it stands."""
    shares = {key: share_permille(state, state.balances[key]) for key in deltas}
    for statement, rows in _balance_writes(session, state, deltas, set(deltas), shares):
        if rows:
            session.write(statement, rows)


def _balance_writes(
    session: Session,
    state: State,
    deltas: Deltas,
    changed: set[str],
    shares: dict[str, int | None],
) -> list[Write]:
    """Increments for all; what an opening, a threshold, a credit or a share changed is set."""
    s = session.statements
    new = sorted(state.new_balances & set(deltas))
    counts: dict[tuple[int, int], int] = {}
    for key in new:
        balance = state.balances[key]
        if balance.group:
            window = (balance.policy_no, balance.opens_us)
            counts[window] = counts.get(window, 0) + 1
    return [
        *session.keep_balances(new, ()),
        (
            s.update(tables.balances, "id", sql.BALANCE_ADDED, "updated_us"),
            [(*spent, *held, state.now_us, key) for key, (spent, held) in sorted(deltas.items())],
        ),
        (
            s.update(tables.balances, "id", "", sql.BALANCE_SET),
            [(*pack_balance_rest(state.balances[k], shares[k]), k) for k in sorted(changed)],
        ),
        (
            s.add(tables.group_counts, "policy_no, opens_us", "groups"),
            [(*window, number) for window, number in sorted(counts.items())],
        ),
    ]


def share_permille(state: State, balance: Balance) -> int | None:
    """How much of its allowance a group has used, in thousandths of the unit that stands highest.

    Only where a policy keeps many groups: it is what they are listed by. In steps, so that a busy
    row's index entry seldom moves.
    """
    if not balance.group:
        return None
    policy = state.policies.by_no.get(balance.policy_no)
    if policy is None:
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


def _events(s: Statements, parts: Sequence[Outcome], now_us: int) -> list[Write]:
    """Rows of the outbox, in the transaction of what they tell."""
    rows = []
    for part in parts:
        if part.events:
            key_id = _key_of(part)
            rows += [_event_row(event, key_id, now_us) for event in part.events]
    return [(s.insert(tables.outbox, sql.OUTBOX_COLUMNS), rows)]


def _key_of(part: Outcome) -> str | None:
    """Whose call it is that the events tell of: ids are one key's."""
    first = part.events[0]
    if first.type is EventType.USAGE_RECORDED:
        return next(one.key_id for one in part.usage if one.record_id == first.subject_id)
    return None if part.allocation is None else part.allocation.key_id


def _event_row(event: Event, key_id: str | None, now_us: int) -> tuple[object, ...]:
    payload = json_text(event.payload)
    return (now_us, event.type.value, event.subject_id, key_id, event.budget_id, payload)


def audit_writes(s: Statements, notes: Sequence[Note], now_us: int) -> list[Write]:
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
    return [(s.insert(tables.audit, sql.AUDIT_COLUMNS), rows)] if rows else []


def write_events(session: Session, events: Sequence[Event], now_us: int) -> None:
    """Events that tell of no call, for exclusive work."""
    if events:
        rows = [_event_row(event, None, now_us) for event in events]
        session.write(session.statements.insert(tables.outbox, sql.OUTBOX_COLUMNS), rows)
    write_alerts(session, events, now_us)


def write_audit(session: Session, notes: Sequence[Note], now_us: int) -> None:
    """The same at once, for exclusive work."""
    for statement, rows in audit_writes(session.statements, notes, now_us):
        session.write(statement, rows)


def _notes(command: Command, outcome: Outcome) -> list[Note]:
    """Who changed what, if it was changed now: not of what was refused, nor of a repetition."""
    if isinstance(command, Together):
        pairs = zip(command.commands, outcome.parts, strict=True) if outcome.parts else ()
        return [note for part, done in pairs for note in _notes(part, done)]
    if isinstance(command, GiveCredit) and command.audit is not None and outcome.entry is not None:
        return [(command.caller.key_id, command.caller.name, command.audit)]
    return []
