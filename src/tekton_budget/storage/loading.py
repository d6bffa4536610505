"""Load: all that a batch needs, in a fixed number of statements and one order of locks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from tekton_budget.domain.balance import Balance, opened_balance, parts_of
from tekton_budget.domain.command import Allocate, Command, LedgerSettings, Record, Settle, Together
from tekton_budget.domain.errors import BudgetError
from tekton_budget.domain.ledger import (
    Remembered,
    State,
    allocations_needed,
    answer_slot,
    answers_needed,
    balances_needed,
    families_needed,
    gives_tiers,
    owned,
    tiered,
)
from tekton_budget.domain.policy import GroupLimits
from tekton_budget.domain.policy_set import Concern, PolicySet
from tekton_budget.storage import statements, tables
from tekton_budget.storage.cache import Cache
from tekton_budget.storage.packing import (
    ALLOCATION_COLUMNS,
    BALANCE_COLUMNS,
    allocation_from_row,
    balance_from_row,
    unpack_answer,
)
from tekton_budget.storage.session import Opening, Query, Rows, Session

Clock = Callable[[Session], int]


class WindowTurned(Exception):
    """A window ended between the first look at the clock and the locks: load again."""


@dataclass(slots=True)
class Loaded:
    """What a batch is judged on."""

    state: State
    commands: list[Command]  # completed: the keys of the allocations they are about, and tiers
    refused: dict[int, BudgetError] = field(default_factory=dict)  # by position
    shares: dict[str, int | None] = field(default_factory=dict)  # of balances, as they were loaded
    recorded: set[tuple[str, str]] = field(default_factory=set)  # (key id, usage id) already there


def load(
    session: Session,
    cache: Cache,
    commands: Sequence[Command],
    settings: LedgerSettings,
    opening: Opening,
    clock: Clock | None = None,
) -> Loaded:
    """Policies, then answers and allocations by id, then balances; the clock after the locks."""
    cache.bring_to(session, opening.policy_generation, opening.price_generation)
    first_us = opening.now_us if clock is None else clock(session)
    state = State(first_us, cache.policies, cache.book, settings)
    loaded = Loaded(state, list(commands))
    _load_by_id(session, loaded)
    loaded.commands = [owned(state, command) for command in loaded.commands]
    _load_families(session, loaded)
    if gives_tiers(cache.policies, cache.book):
        loaded.commands = [tiered(state, command) for command in loaded.commands]
    needed = _needed(loaded)
    now_us = _load_balances(session, loaded, needed) if needed else session.now_us()
    if clock is not None:
        now_us = clock(session)
    for concern in needed.values():
        if concern is not None and _turned(concern, first_us, now_us):
            raise WindowTurned
    state.now_us = now_us
    return loaded


def _turned(concern: Concern, before_us: int, now_us: int) -> bool:
    closes_us = concern.window.closes_us
    return closes_us is not None and before_us < closes_us <= now_us


def _needed(loaded: Loaded) -> dict[str, Concern | None]:
    """The balances of all commands; a command that cannot even be placed is refused alone."""
    needed: dict[str, Concern | None] = {}
    for position, command in enumerate(loaded.commands):
        try:
            items = balances_needed(loaded.state, command)
        except BudgetError as refusal:
            loaded.refused[position] = refusal
            continue
        for item in items:
            if isinstance(item, str):
                needed.setdefault(item, None)
            else:
                needed[item.balance_id] = item
    return needed


# By id -------------------------------------------------------------------------------------------

_ENDS = ", end_content, end_answer"


def _load_by_id(session: Session, loaded: Loaded) -> None:
    """Answers, usage ids and allocations: three queries, and a fourth where an ask is repeated."""
    state, s = loaded.state, session.statements
    slots: set[tuple[str, str]] = set()
    records: set[tuple[str, str]] = set()
    keys: set[tuple[str, str]] = set()
    for command in loaded.commands:
        slots.update(answers_needed(command))
        records.update(_records_needed(command))
        keys.update(allocations_needed(command))
    wanted = (
        (slots, s.select(tables.answers, "key_id, id, content, answer", "id")),
        (records, s.select(tables.usage, "key_id, record_id", "record_id")),
        (
            keys,
            s.select(tables.allocations, ALLOCATION_COLUMNS + _ENDS, "id", s.lock("id, key_id")),
        ),
    )
    queries: list[Query] = [
        (sql, (session.listed(sorted({id_ for _, id_ in ids})),)) for ids, sql in wanted if ids
    ]
    answered = iter(session.fetch(queries))
    for key_id, id_, content, answer in next(answered) if slots else ():
        if (key_id, id_) in slots:
            state.answers[key_id, id_] = Remembered((key_id, id_), content, unpack_answer(answer))
    loaded.recorded = {(key_id, id_) for key_id, id_ in next(answered)} if records else set()
    if keys:
        _read_allocations(session, loaded, next(answered))


def _records_needed(command: Command) -> list[tuple[str, str]]:
    """The usage ids that a command would write."""
    if isinstance(command, Settle) and command.usage is not None:
        return [(command.caller.key_id, command.record_id)]
    if isinstance(command, Record):
        return [(command.caller.key_id, command.id)]
    if isinstance(command, Together):
        return [key for part in command.commands for key in _records_needed(part)]
    return []


def _read_allocations(session: Session, loaded: Loaded, rows: Rows) -> None:
    state = loaded.state
    for row in rows:
        key = (row[0], row[1])
        state.allocations[key] = allocation_from_row(row)
        if row[-2] is not None:
            ended = (key[0], f"e:{key[1]}")
            state.answers[ended] = Remembered(ended, row[-2], unpack_answer(row[-1]))
    asked = {answer_slot(ask) for command in loaded.commands for ask in _asks_of(command)}
    repeated = sorted({id_ for key_id, id_ in state.allocations if (key_id, f"a:{id_}") in asked})
    if not repeated:
        return
    columns = "key_id, id, content, answer"
    for key_id, id_, content, answer in session.by_keys(
        tables.allocations, columns, "id", repeated
    ):
        slot = (key_id, f"a:{id_}")
        state.answers[slot] = Remembered(slot, content, unpack_answer(answer))


def _load_families(session: Session, loaded: Loaded) -> None:
    """What is above the allocations loaded, and below those that commands may end with all below.

    Two queries, and none where nobody has a parent or children.
    """
    state, s = loaded.state, session.statements
    known = state.allocations
    above = {key[1] for one in known.values() for key in one.ancestors if key not in known}
    keys = (key for command in loaded.commands for key in families_needed(state, command))
    below = {id_ for _, id_ in keys}
    if not above and not below:
        return
    wanted = (
        (above, s.select(tables.allocations, ALLOCATION_COLUMNS, "id", s.lock("id, key_id"))),
        (below, statements.below(ALLOCATION_COLUMNS, postgresql=s.postgresql)),
    )
    queries: list[Query] = [(sql, (session.listed(sorted(ids)),)) for ids, sql in wanted if ids]
    for rows in session.fetch(queries):
        for row in rows:
            known[row[0], row[1]] = allocation_from_row(row)


def _asks_of(command: Command) -> list[Allocate]:
    if isinstance(command, Allocate):
        return [command]
    if isinstance(command, Together):
        return [ask for part in command.commands for ask in _asks_of(part)]
    return []


# Balances ----------------------------------------------------------------------------------------


def _load_balances(session: Session, loaded: Loaded, needed: dict[str, Concern | None]) -> int:
    """Lock and read them, open those that are new; the clock after the locks."""
    state, ids = loaded.state, sorted(needed)
    rows, now_us = session.lock_balances(f"{BALANCE_COLUMNS}, share_permille", ids)
    found = {row[0]: balance_from_row(row) for row in rows}
    loaded.shares = {row[0]: row[-1] for row in rows}
    if len(found) < len(ids):
        found |= {id_: _empty(id_) for id_ in ids if id_ not in found}
    state.balances = found
    unopened = [balance for balance in found.values() if not balance.opened]
    if unopened:
        _open(session, state, unopened, needed)
    return now_us


def open_balances(session: Session, state: State, ids: Sequence[str]) -> None:
    """Balances named by key alone, for work that runs exclusively."""
    windows: dict[str, Concern | None] = {id_: _concern_of(state, id_) for id_ in ids}
    _load_balances(session, Loaded(state, []), windows)


def _concern_of(state: State, id_: str) -> Concern:
    policy_no, opens_us, group = parts_of(id_)
    policy = state.policies.by_no[policy_no]
    window = policy.schedule.window_at(opens_us)
    return Concern(policy, group, window, id_, group_missing=False)


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
    last = _last_balances(session, state.policies, rolling_over)
    excepted = sorted({(policies[b.policy_no].policy_id, b.group) for b in unopened})
    exceptions = {
        (policy_id, group): msgspec.json.decode(limits, type=GroupLimits)
        for policy_id, group, limits in session.exceptions(excepted)
    }
    for balance in unopened:
        policy = policies[balance.policy_no]
        concern = needed[balance.id]
        window = policy.schedule.window_at(balance.opens_us) if concern is None else concern.window
        state.balances[balance.id] = opened_balance(
            policy,
            balance.group,
            opens_us=balance.opens_us,
            closes_us=window.closes_us,
            last=last.get(balance.id),
            exception=exceptions.get((policy.policy_id, balance.group)),
        )
    state.new_balances |= {balance.id for balance in unopened}
    _count_groups(session, state, unopened)


def _last_balances(
    session: Session, policies: PolicySet, opening: Sequence[Balance]
) -> dict[str, Balance]:
    """By id, the group's latest earlier balance, or its latest of a version that this goes on from.

    That one may be of the same window: the policy was replaced in it.
    """
    last: dict[str, Balance] = {}
    wanted = {(b.policy_no, b.group, b.opens_us): b for b in opening}
    while wanted:
        for row in session.last_balances(BALANCE_COLUMNS, list(wanted)):
            last[wanted.pop(row[-3:]).id] = balance_from_row(row)
        wanted = {
            (before.no, b.group, b.opens_us + 1): b
            for (policy_no, _, _), b in wanted.items()
            if (before := policies.goes_on_from(policies.by_no[policy_no])) is not None
        }
    return last


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
