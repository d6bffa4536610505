"""Accounts: every balance as the journal alone has it, however many there are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import msgspec

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.balance import parts_of
from tekton_budget.domain.errors import BudgetError
from tekton_budget.domain.ledger import Folded, Posting, fold
from tekton_budget.storage.packing import unpack_postings
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.kept import JournalRow
from tekton_budget.storage.scratch import Scratch

Credits = dict[str, Amounts]


@dataclass(slots=True)
class Account:
    """One balance by its entries: the fold, the credits given, and the moment of the last."""

    folded: Folded = field(default_factory=Folded)
    credits: Credits = field(default_factory=dict)
    last_us: int = 0


class Accounts:
    """The fold of the journal, on disk where it is large."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lengths: dict[int, int] = {}
        self.scratch: Scratch[Account] = Scratch(_packed, _unpacked)

    def add(self, rows: Sequence[JournalRow], only: Collection[str] | None = None) -> None:
        """Fold the next entries, or of them those on some balances."""
        read = [(row, postings_of(row), credit_of(row)) for row in rows]
        ids = {p.balance_id for _, postings, _ in read for p in postings}
        ids |= {credit[0] for _, _, credit in read if credit is not None}
        if only is not None:
            ids &= set(only)
        self.scratch.bring(ids)
        fold_into(self.scratch.values, read, ids, self.lengths(ids))

    def of(self, ids: Collection[str]) -> dict[str, Account]:
        """Copies of some accounts, empty where the journal knows nothing."""
        self.scratch.bring(ids)
        known = self.scratch.values
        return {id_: _unpacked(_packed(known[id_])) if id_ in known else Account() for id_ in ids}

    def lengths(self, ids: Collection[str]) -> dict[int, int]:
        """How long the rolling policies of these balances are."""
        numbers = {number for id_ in ids if (number := policy_number(id_)) is not None}
        if not numbers <= self._lengths.keys():
            by_no = self._reader.policies().by_no
            self._lengths |= dict.fromkeys(numbers, 0)
            self._lengths |= {no: p.schedule.length_us or 0 for no, p in by_no.items()}
        return self._lengths


Read = tuple[JournalRow, list[Posting], tuple[str, str, Amounts] | None]


def fold_into(
    accounts: dict[str, Account],
    read: Sequence[Read],
    ids: Collection[str],
    lengths: dict[int, int],
) -> None:
    """Add entries to accounts; other balances than these are passed over."""
    for row, postings, credit in read:
        own = [posting for posting in postings if posting.balance_id in ids]
        for posting in own:
            accounts.setdefault(posting.balance_id, Account()).last_us = row.at_us
        folded = {p.balance_id: accounts[p.balance_id].folded for p in own}
        fold(folded, own, row.at_us, lengths)
        if credit is not None and credit[0] in ids:
            account = accounts.setdefault(credit[0], Account())
            account.credits[credit[1]] = credit[2]
            account.last_us = row.at_us


def postings_of(row: JournalRow) -> list[Posting]:
    """The entry's postings; of what cannot be read, none."""
    try:
        found = unpack_postings(row.postings)
    except (ValueError, TypeError):
        return []
    return [posting for posting in found if policy_number(posting.balance_id) is not None]


def credit_of(row: JournalRow) -> tuple[str, str, Amounts] | None:
    """The balance, id and amounts of a credit's entry, which has to be intact."""
    if row.kind != "credit":
        return None
    balance, _, amounts = row.detail.rpartition(" ")
    return balance, row.object_id, Amounts(*(int(part) for part in amounts.split(",")))


def policy_number(balance_id: object) -> int | None:
    """The policy that a balance's key names; `None` of what is no key."""
    try:
        return parts_of(str(balance_id))[0]
    except (ValueError, BudgetError):
        return None


def _packed(account: Account) -> bytes:
    folded = account.folded
    sub_windows = list(folded.sub_windows.items())
    given = list(account.credits.items())
    return msgspec.json.encode((folded.spent, folded.held, sub_windows, given, account.last_us))


def _unpacked(packed: bytes) -> Account:
    spent, held, sub_windows, given, last_us = msgspec.json.decode(packed)
    return Account(
        Folded(Amounts(*spent), Amounts(*held), {i: Amounts(*a) for i, a in sub_windows}),
        {id_: Amounts(*amounts) for id_, amounts in given},
        last_us,
    )
