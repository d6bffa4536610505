"""The fold: balances recounted from the journal alone, which is what they must equal."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.balance import add_to_sub_window
from tekton_budget.domain.ledger.state import Posting


@dataclass(slots=True)
class Folded:
    """A balance as the journal has it."""

    spent: Amounts = NOTHING
    held: Amounts = NOTHING
    sub_windows: dict[int, Amounts] = field(default_factory=dict)


def fold(
    balances: dict[str, Folded],
    postings: Iterable[Posting],
    at_us: int,
    lengths_us: dict[int, int],
) -> None:
    """Add one entry's postings, made at a moment; lengths are those of the rolling policies."""
    for balance_id, _, spent, held, own_us in postings:
        balance = balances.setdefault(balance_id, Folded())
        balance.spent = balance.spent.plus(spent)
        balance.held = balance.held.plus(held)
        length_us = lengths_us.get(int(balance_id.split(":", 1)[0]), 0)
        if length_us and spent != NOTHING:
            add_to_sub_window(balance.sub_windows, length_us, spent, own_us or at_us)
