"""The label `tier`: given to calls by the table of tiers, where anything asks for it.

A label is fixed with the call and decides which policies concern it, so it is given before they
are looked for. What a caller or a key says stays as it is said.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tekton_budget.domain.command import Allocate, Command, Record, Together
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.domain.price import PriceBook

if TYPE_CHECKING:
    from tekton_budget.domain.ledger.state import State

TIER = "tier"


def gives_tiers(policies: PolicySet, book: PriceBook) -> bool:
    """Whether a policy in force asks for tiers, or an operator has changed their table."""
    return TIER in policies.asked_labels or bool(book.tiers)


def with_tier(
    labels: Mapping[str, str], book: PriceBook, at_us: int, model: str | None = None
) -> Mapping[str, str]:
    """A call's labels with its tier: the same where it has one, or names no model."""
    model = labels.get("model", model)
    if model is None or TIER in labels:
        return labels
    tier = book.tier_of(labels.get("provider"), model, at_us)
    return labels if tier is None else {**labels, TIER: tier}


def tiered(state: "State", command: Command) -> Command:
    """The command with its tier; of an allocation's further usage, the ask has told it.

    A child's hangs on the labels of its parent, with which it gets one.
    """
    if isinstance(command, Together):
        return replace(command, commands=tuple(tiered(state, part) for part in command.commands))
    if isinstance(command, Allocate):
        if command.parent_id is not None:
            return command
        labels = with_tier(command.labels, state.book, state.now_us)
    elif isinstance(command, Record) and command.allocation_id is None:
        used = command.usage
        moment_us = state.now_us if used.timestamp_us is None else used.timestamp_us
        labels = with_tier(command.labels, state.book, moment_us, used.model_used)
    else:
        return command
    return command if labels is command.labels else replace(command, labels=labels)
