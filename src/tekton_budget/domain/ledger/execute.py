"""The ledger's one function: a state and a command give an answer and all that makes it true."""

import copy
from collections.abc import Callable
from typing import Any

from tekton_budget.domain.answer import Denial, Several
from tekton_budget.domain.command import (
    Allocate,
    Command,
    Expire,
    Extend,
    GiveCredit,
    KeepAlive,
    Record,
    Release,
    Settle,
    Together,
)
from tekton_budget.domain.errors import BudgetError
from tekton_budget.domain.ledger.allocate import allocate
from tekton_budget.domain.ledger.credit import give_credit
from tekton_budget.domain.ledger.ending import expire, extend, keep_alive, release
from tekton_budget.domain.ledger.growing import grow
from tekton_budget.domain.ledger.settle import record, settle
from tekton_budget.domain.ledger.state import Outcome, State


def execute(state: State, command: Command) -> Outcome:
    """Judge one command against the state, which stays as it is; `state.apply` makes it so."""
    rule = _RULES.get(type(command))
    if rule is None:
        raise AssertionError(f"no rule for {type(command).__name__}")
    return rule(state, command)


def together(state: State, command: Together) -> Outcome:
    """All of several commands, or none: the first that is denied or refused undoes the others."""
    trial = state.trial()
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


def _extend(state: State, command: Extend) -> Outcome:
    return grow(state, command) if command.totals else extend(state, command)


_RULES: dict[type[Command], Callable[[State, Any], Outcome]] = {  # Any: of the command beside it
    Allocate: allocate,
    Settle: settle,
    Record: record,
    Release: release,
    Extend: _extend,
    KeepAlive: keep_alive,
    Expire: expire,
    GiveCredit: give_credit,
    Together: together,
}
