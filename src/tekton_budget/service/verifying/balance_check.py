"""The check of balances: recounted from the journal by pages, while others write."""

from collections.abc import Callable, Collection, Sequence

from tekton_budget.domain.balance import parts_of
from tekton_budget.service.verifying.accounts import (
    Account,
    Accounts,
    credit_of,
    fold_into,
    postings_of,
)
from tekton_budget.service.verifying.balances import (
    composed_id,
    kept_faults,
    misnamed,
    moment_faults,
    posted_faults,
)
from tekton_budget.service.verifying.entries import Entries
from tekton_budget.service.verifying.findings import Finding, Findings
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.kept import BalanceRow, KeptRows

Progress = Callable[[str, int, int], None]

TAIL_MAX = 2000  # entries that a last snapshot may have to fold
ROUNDS_MAX = 50
TOGETHER_MAX = 400  # balances compared in one snapshot


class BalanceCheck:
    """Folds the journal up to a clean cut, compares every row, and looks again where it differs.

    A balance that moved since the cut differs too. Those alone are folded on to later cuts, each
    nearer than the one before, until what is left fits one snapshot together with the row.
    """

    def __init__(self, reader: Reader, findings: Findings, progress: Progress) -> None:
        self._reader = reader
        self._rows = KeptRows(reader)
        self._findings = findings
        self._progress = progress
        self._accounts = Accounts(reader)
        self._entries = Entries(findings, dense=not reader.is_postgresql)
        self.balances = 0
        self.misnamed: set[str] = set()  # keys that are, or should be, of rows with other keys

    @property
    def entries(self) -> int:
        """How many rows of the journal were read."""
        return self._entries.count

    def run(self) -> None:
        """Journal and balances."""
        with self._accounts.scratch:
            cut = self._rows.last_entry()
            self._fold(-1, cut, None)
            self._accounts.scratch.put_away()
            suspects = self._compare_all()
            suspects |= {p.balance_id for row in self._entries.broken for p in postings_of(row)}
            self._look_again(suspects, cut)

    def _fold(self, after: int, cut: int, only: Collection[str] | None) -> None:
        while after < cut and (page := self._rows.entries(after, cut)):
            self._accounts.add(self._entries.intact(page), only)
            after = page[-1].no
            self._progress("journal", after, cut)

    def _compare_all(self) -> set[str]:
        """The ids of all balances that differ from the journal's account at the cut."""
        suspects: set[str] = set()
        scratch = self._accounts.scratch
        total = self._rows.count("balances")
        after = ""
        while page := self._rows.balances(after):
            after = page[-1].id
            self.balances += len(page)
            ids = {row.id for row in page} | {composed_id(row) for row in page}
            accounts = self._accounts.of(ids)
            scratch.drop()
            scratch.see(ids)
            for row in page:
                if row.id != composed_id(row):
                    known = accounts[row.id] != Account()
                    self._findings.add(misnamed(row, known=known))
                    self.misnamed |= {row.id, composed_id(row)}
                elif _differs(row, accounts[row.id]):
                    suspects.add(row.id)
            self._progress("balances", self.balances, max(total, self.balances))
        suspects |= set(scratch.unseen())
        return suspects

    def _look_again(self, suspects: set[str], cut: int) -> None:
        for _ in range(ROUNDS_MAX):
            last = self._rows.last_entry()
            self._fold(cut, last, suspects)
            near = last - cut <= TAIL_MAX
            cut = last
            if near:
                break
        ids = sorted(suspects)
        for start in range(0, len(ids), TOGETHER_MAX):
            self._judge(ids[start : start + TOGETHER_MAX], cut)

    def _judge(self, ids: Sequence[str], cut: int) -> None:
        """Compare rows and accounts of one moment; what differs now is wrong."""
        with self._reader.snapshot() as connection:
            tail = self._rows.entries(cut, within=connection)
            rows = {row.id: row for row in self._rows.balances_of(ids, within=connection)}
        accounts = self._accounts.of(ids)
        entries = Entries(Findings(), dense=False)  # what is wrong here is told by the next run
        read = [(row, postings_of(row), credit_of(row)) for row in entries.intact(tail)]
        fold_into(accounts, read, ids, self._accounts.lengths(ids))
        broken = [*self._entries.broken, *entries.broken]
        named = {p.balance_id for row in broken for p in postings_of(row)}
        unread = any(not postings_of(row) for row in broken)
        for id_ in ids:
            if broken and (unread or id_ in named):
                continue  # which of the two is wrong cannot be told: the entry is
            row = rows.get(id_)
            if row is None:
                self._missing(id_, accounts[id_])
                continue
            for finding in self._faults(row, accounts[id_]):
                self._findings.add(finding)

    def _faults(self, row: BalanceRow, account: Account) -> list[Finding]:
        found = [*posted_faults(row, account), *kept_faults(row, account)]
        if row.columns["seal"]:
            found += [one for one in moment_faults(row, account) if not self._was_excepted(row)]
        return found

    def _was_excepted(self, row: BalanceRow) -> bool:
        """A change of a group's amounts sets the moment too, and is in the audit."""
        policy = self._reader.policies().by_no.get(parts_of(row.id)[0])
        if policy is None:
            return False
        return self._rows.was_excepted(policy.policy_id, row.columns["updated_us"])

    def _missing(self, id_: str, account: Account) -> None:
        text = f"the journal has entries of it: {account.folded.spent}"
        self._findings.add(Finding("balances", id_, "id", None, id_, text))


def _differs(row: BalanceRow, account: Account) -> bool:
    """Whether a row has to be looked at again; reads nothing."""
    faults = (posted_faults(row, account), moment_faults(row, account), kept_faults(row, account))
    return any(True for found in faults for _ in found)
