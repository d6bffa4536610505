"""The ledger's one function: a state and a command give an answer and all that makes it true."""

import copy

from tekton_budget.domain.answer import Denial, Several
from tekton_budget.domain.balance import Balance
from tekton_budget.domain.command import (
    Allocate,
    Command,
    Expire,
    Extend,
    GiveCredit,
    Record,
    Release,
    Settle,
    Together,
)
from tekton_budget.domain.errors import BudgetError
from tekton_budget.domain.ledger.allocate import allocate
from tekton_budget.domain.ledger.credit import give_credit
from tekton_budget.domain.ledger.ending import expire, extend, release
from tekton_budget.domain.ledger.settle import record, settle
from tekton_budget.domain.ledger.state import Outcome, State


def execute(state: State, command: Command) -> Outcome:
    """Judge one command against the state, which stays as it is; `state.apply` makes it so."""
    match command:
        case Allocate():
            return allocate(state, command)
        case Settle():
            return settle(state, command)
        case Record():
            return record(state, command)
        case Release():
            return release(state, command)
        case Extend():
            return extend(state, command)
        case Expire():
            return expire(state, command)
        case GiveCredit():
            return give_credit(state, command)
        case Together():
            return together(state, command)
    raise AssertionError(f"no rule for {type(command).__name__}")


def together(state: State, command: Together) -> Outcome:
    """All of several commands, or none: the first that is denied or refused undoes the others."""
    trial = State(
        now_us=state.now_us,
        policies=state.policies,
        book=state.book,
        settings=state.settings,
        balances=_Copies(state.balances),
        allocations=dict(state.allocations),
        answers=dict(state.answers),
        concerns_of=state.concerns_of,
        asks=state.asks,
        new_balances=state.new_balances,
        overfull=state.overfull,
    )
    outcomes = []
    for position, part in enumerate(command.commands):
        try:
            outcome = execute(trial, part)
        except BudgetError as refused:
            outcome = Outcome(refused)
        if isinstance(outcome.answer, BudgetError | Denial):
            return Outcome(_undone(outcome.answer, position), counted=outcome.counted)
        trial.apply(outcome)
        outcomes.append(outcome)
    return Outcome(Several(tuple(o.answer for o in outcomes)), parts=tuple(outcomes))


def _undone(answer: BudgetError | Denial, position: int) -> BudgetError | Denial:
    if isinstance(answer, Denial):
        return answer
    again = copy.copy(answer)
    again.extra = {**answer.extra, "index": position}
    return again


class _Copies(dict[str, Balance]):
    """Balances of a trial: each is copied when first looked at, so the originals stay untouched."""

    def __init__(self, originals: dict[str, Balance]) -> None:
        super().__init__()
        self._originals = originals

    def __missing__(self, key: str) -> Balance:
        found = self._originals[key].copy()
        self[key] = found
        return found
