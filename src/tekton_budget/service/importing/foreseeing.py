"""What a dry run says of limits: which would be passed, by all that is and would be recorded."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.balance import opened_balance, parts_of
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.ledger import UsageRecord
from tekton_budget.domain.ledger.starting import PastUsage, backfill_of
from tekton_budget.domain.policy import Budget, Policy, Status
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.service.reporting.balance_views import BalanceView, view_of
from tekton_budget.storage import tables
from tekton_budget.storage.policies import counts_from, past_usage
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.session import Session

_FIRST_NO = 2**40  # beyond every number that a policy has


class Foresight:
    """Limits as they would be, and their current windows as these would begin."""

    def __init__(self, reader: Reader, budget: Budget, limits: Sequence[Policy]) -> None:
        self._reader = reader
        self._now_us = now_us = reader.now_us()
        self._book = reader.book()
        numbered = [
            replace(policy, no=_FIRST_NO + n, status=Status.ACTIVE, updated_us=now_us)
            for n, policy in enumerate(limits)
        ]
        self._policies = PolicySet(numbered, [budget])
        self._from = {policy.no: counts_from(policy, self._policies) for policy in numbered}
        self._sums: dict[str, Amounts] = {}

    def add(self, records: Sequence[UsageRecord]) -> None:
        """What would be recorded."""
        past = [
            PastUsage(
                record.record_id,
                record.labels,
                record.counts,
                record.cost_nano or 0,
                record.requests,
                record.placed_us,
                record.recorded_us,
            )
            for record in records
        ]
        for policy in self._policies.counting:
            since = [one for one in past if one.placed_us >= self._from[policy.no]]
            if since:
                self._add(backfill_of(self._policies, policy, since, self._book).items())

    def views(self, caller: Caller, open_session: Callable[[], Session]) -> list[BalanceView]:
        """All groups that would have used anything, what is recorded already counted too."""
        last_no = self._reader.last_number(tables.usage)
        session = open_session()
        try:
            for policy in self._policies.counting:
                sums = past_usage(
                    session,
                    self._policies,
                    self._book,
                    policy,
                    from_us=self._from[policy.no],
                    up_to=last_no,
                )
                self._add(sums.items())
        finally:
            session.close()
        return [self._view(caller, key, spent) for key, spent in sorted(self._sums.items())]

    def _add(self, sums: Iterable[tuple[tuple[str, int], Amounts]]) -> None:
        for (key, _), amounts in sums:
            self._sums[key] = self._sums.get(key, NOTHING).plus(amounts)

    def _view(self, caller: Caller, key: str, spent: Amounts) -> BalanceView:
        policy_no, opens_us, group = parts_of(key)
        policy = self._policies.by_no[policy_no]
        window = self._policies.window(policy, opens_us)
        balance = opened_balance(policy, group, opens_us=opens_us, closes_us=window.closes_us)
        balance.post(spent, NOTHING, self._now_us)
        return view_of(self._policies, policy, balance, caller, self._now_us)
