"""Load: all that a batch needs, in a fixed number of statements and one order of locks."""

from collections.abc import Callable, Sequence

import msgspec

from tekton_budget.domain.balance import Balance, opened_balance, parts_of
from tekton_budget.domain.command import Command, LedgerSettings
from tekton_budget.domain.ledger import (
    Remembered,
    State,
    allocations_needed,
    answers_needed,
    balances_needed,
    owned,
)
from tekton_budget.domain.policy import GroupLimits
from tekton_budget.domain.policy_set import Concern
from tekton_budget.storage import tables
from tekton_budget.storage.cache import Cache
from tekton_budget.storage.packing import (
    ALLOCATION_COLUMNS,
    BALANCE_COLUMNS,
    allocation_from_row,
    balance_from_row,
    unpack_answer,
)
from tekton_budget.storage.session import Session
from tekton_budget.storage.statements import BALANCE_EMPTY

Clock = Callable[[Session], int]

_ENDS = ", content, answer, end_content, end_answer"


class WindowTurned(Exception):
    """A window ended between the first look at the clock and the locks: load again."""


def load(
    session: Session,
    cache: Cache,
    commands: list[Command],
    settings: LedgerSettings,
    clock: Clock,
) -> State:
    """Policies, then answers and allocations by id, then balances; the clock after the locks.

    Commands on an allocation that another key of the caller's made are completed with its key.
    """
    cache.refresh(session)
    state = State(clock(session), cache.policies, cache.book, settings)
    _load_answers(session, state, commands)
    _load_allocations(session, state, commands)
    commands[:] = [owned(state, command) for command in commands]
    needed: dict[str, Concern | None] = {}
    for command in commands:
        for item in balances_needed(state, command):
            if isinstance(item, str):
                needed.setdefault(item, None)
            else:
                needed[item.balance_id] = item
    if needed:
        _load_balances(session, state, needed)
    now_us = clock(session)
    for concern in needed.values():
        if concern is not None and _turned(concern, state.now_us, now_us):
            raise WindowTurned
    state.now_us = now_us
    return state


def _turned(concern: Concern, before_us: int, now_us: int) -> bool:
    closes_us = concern.window.closes_us
    return closes_us is not None and before_us < closes_us <= now_us


def _load_answers(session: Session, state: State, commands: Sequence[Command]) -> None:
    slots = {slot for command in commands for slot in answers_needed(command)}
    if not slots:
        return
    columns = "key_id, id, content, answer"
    ids = sorted({id_ for _, id_ in slots})
    for key_id, id_, content, answer in session.by_keys(tables.answers, columns, "id", ids):
        if (key_id, id_) in slots:
            state.answers[key_id, id_] = Remembered((key_id, id_), content, unpack_answer(answer))


def _load_allocations(session: Session, state: State, commands: Sequence[Command]) -> None:
    ids = sorted({id_ for command in commands for _, id_ in allocations_needed(command)})
    if not ids:
        return
    for row in session.lock_allocations(ALLOCATION_COLUMNS + _ENDS, ids):
        key = (row[0], row[1])
        state.allocations[key] = allocation_from_row(row)
        content, answer, end_content, end_answer = row[-4:]
        asked = (key[0], f"a:{key[1]}")
        state.answers[asked] = Remembered(asked, content, unpack_answer(answer))
        if end_content is not None:
            ended = (key[0], f"e:{key[1]}")
            state.answers[ended] = Remembered(ended, end_content, unpack_answer(end_answer))


def _load_balances(session: Session, state: State, needed: dict[str, Concern | None]) -> None:
    ids = sorted(needed)
    rows = session.lock_balances(BALANCE_COLUMNS, ids)
    found = {row[0]: balance_from_row(row) for row in rows}
    missing = [id_ for id_ in ids if id_ not in found]
    if missing:
        sql = session.statements.insert(tables.balances, BALANCE_EMPTY, or_ignore=True)
        session.write(sql, [(id_, *_key_columns(id_)) for id_ in missing])
        found |= {id_: _empty(id_) for id_ in missing}
    state.balances = found
    unopened = [balance for balance in found.values() if not balance.opened]
    if unopened:
        _open(session, state, unopened, needed)


def open_balances(session: Session, state: State, ids: Sequence[str]) -> None:
    """Balances named by key alone, for work that runs exclusively."""
    windows = {id_: _concern_of(state, id_) for id_ in ids}
    _load_balances(session, state, dict(windows))


def _concern_of(state: State, id_: str) -> Concern:
    policy_no, opens_us, group = parts_of(id_)
    policy = state.policies.by_no[policy_no]
    window = policy.schedule.window_at(opens_us)
    return Concern(policy, group, window, id_, False)


def _key_columns(id_: str) -> tuple[int, str, int]:
    policy_no, opens_us, group = parts_of(id_)
    return policy_no, group, opens_us


def _empty(id_: str) -> Balance:
    policy_no, opens_us, group = parts_of(id_)
    return Balance(id_, policy_no, group, opens_us, None, opened=False)


def _open(
    session: Session,
    state: State,
    unopened: Sequence[Balance],
    needed: dict[str, Concern | None],
) -> None:
    """First touch: exceptions in force and the carry of the window before are fixed here."""
    policies = state.policies.by_no
    rolling_over = [b for b in unopened if policies[b.policy_no].rollover]
    last: dict[tuple[int, str], Balance] = {}
    if rolling_over:
        keys = [(b.policy_no, b.group, b.opens_us) for b in rolling_over]
        for row in session.last_balances(BALANCE_COLUMNS, keys):
            balance = balance_from_row(row)
            last[balance.policy_no, balance.group] = balance
    excepted = sorted({(policies[b.policy_no].policy_id, b.group) for b in unopened})
    exceptions = {
        (policy_id, group): msgspec.json.decode(limits, type=GroupLimits)
        for policy_id, group, limits in session.exceptions(excepted)
    }
    for balance in unopened:
        policy = policies[balance.policy_no]
        concern = needed[balance.id]
        window = concern.window if concern is not None else None
        state.balances[balance.id] = opened_balance(
            policy,
            balance.group,
            opens_us=balance.opens_us,
            closes_us=window.closes_us if window is not None else None,
            last=last.get((balance.policy_no, balance.group)),
            exception=exceptions.get((policy.policy_id, balance.group)),
        )
    state.new_balances = {balance.id for balance in unopened}
    _count_groups(session, state, unopened)


def _count_groups(session: Session, state: State, unopened: Sequence[Balance]) -> None:
    """Which new groups are more than their policy takes."""
    grouped = [b for b in unopened if b.group]
    numbers = sorted({b.policy_no for b in grouped})
    if not numbers:
        return
    columns = "policy_no, opens_us, groups"
    rows = session.by_keys(tables.group_counts, columns, "policy_no", numbers)
    counts = {(policy_no, opens_us): groups for policy_no, opens_us, groups in rows}
    for balance in grouped:
        key = (balance.policy_no, balance.opens_us)
        counts[key] = counts.get(key, 0) + 1
        if counts[key] > state.policies.by_no[balance.policy_no].max_groups:
            state.overfull.add(balance.id)
