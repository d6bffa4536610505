"""Passes: small bounded steps in the background, each safe to run in several processes at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from tekton_budget.domain.answer import Expired
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.command import Expire
from tekton_budget.domain.policy import Policy, Status
from tekton_budget.service.asking.commands import new_id
from tekton_budget.storage.housekeeping import CHUNK_ROWS, Housekeeping
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.allocations import AllocationRows
from tekton_budget.storage.writer import Writer

__all__ = ["CHUNK_ROWS", "EXPIRED_MAX", "STARTING_SECONDS", "Keep", "Passes"]

log = structlog.get_logger(__name__)

EXPIRED_MAX = 200  # allocations that one command ends
ANSWERS_HOURS = 48
STARTING_SECONDS = 30
_SECOND_US = 1_000_000
_HOUR_US = 3600 * _SECOND_US
_DAY_US = 24 * _HOUR_US


@dataclass(frozen=True, slots=True)
class Keep:
    """How long what is no longer needed is kept."""

    outbox_days: float = 7.0
    decisions_days: float = 90.0
    alerts_days: float = 90.0


class Passes:
    """What has to be done now and then. Each pass says how much it did; 0 is nothing left."""

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        *,
        finish: Callable[[Policy], object],
        keep: Keep | None = None,
        count: Callable[[], int] = int,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._finish = finish
        self._keep = keep if keep is not None else Keep()
        self._allocations = AllocationRows(reader)
        self._housekeeping = Housekeeping(reader, writer)
        self._count = count
        self._backfilled: dict[int, str | None] = {}  # by policy number, how far it was last seen

    def expire_due(self) -> int:
        """End allocations that are past their time; what they held is free, or charged."""
        due = self._allocations.due(self._reader.now_us(), EXPIRED_MAX)
        if not due:
            return 0
        try:
            return self._expire(due)
        except RuntimeError:  # one that cannot be ended must not keep the others
            log.exception("expiry_failed", count=len(due))
        ended = 0
        for one in due:
            try:
                ended += self._expire([one])
            except RuntimeError:
                log.exception("allocation_not_expired", key_id=one[0], allocation_id=one[1])
        return ended

    def number_outbox(self) -> int:
        """Give committed events their positions."""
        return self._housekeeping.number_outbox()

    def count_runs(self) -> int:
        """Write down what came through the gateway for runs."""
        return self._count()

    def prune(self) -> int:
        """Delete a little of everything that is older than it is kept."""
        now_us = self._reader.now_us()
        answers_us = now_us - ANSWERS_HOURS * _HOUR_US
        decisions_us = now_us - int(self._keep.decisions_days * _DAY_US)
        keep = self._housekeeping
        return max(
            keep.prune_outbox(now_us - int(self._keep.outbox_days * _DAY_US)),
            keep.prune("answers", "key_id, id", "at_us", answers_us),
            keep.prune("batches", "id", "at_us", answers_us),
            keep.prune(
                "decisions", "minute_us, policy_id, grp, decision, slot", "minute_us", decisions_us
            ),
            keep.prune("decision_samples", "no", "at_us", decisions_us),
            keep.prune("alerts", "no", "at_us", now_us - int(self._keep.alerts_days * _DAY_US)),
        )

    def finish_starting(self) -> int:
        """Finish policies whose creation was cut off by a crash, not those that get on."""
        before_us = self._reader.now_us() - STARTING_SECONDS * _SECOND_US
        starting = [
            policy
            for policy in self._reader.policies().by_no.values()
            if policy.status is Status.STARTING
        ]
        left = [
            policy
            for policy in starting
            if policy.updated_us <= before_us
            and policy.backfill_after == self._backfilled.get(policy.no)
        ]
        self._backfilled = {policy.no: policy.backfill_after for policy in starting}
        for policy in left:
            log.info("policy_finished_late", policy_id=policy.policy_id, version=policy.version)
            try:
                self._finish(policy)
            except RuntimeError:  # one that cannot be finished must not keep the others
                log.exception("policy_not_finished", policy_id=policy.policy_id, no=policy.no)
        return len(left)

    def _expire(self, due: Sequence[tuple[str, str]]) -> int:
        command = Expire(new_id(), LOCAL, allocations=tuple(due))
        answer = self._writer.submit(command).result()
        assert isinstance(answer, Expired), "an expiry is answered by how many ended"
        return answer.count
