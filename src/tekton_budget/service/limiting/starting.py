"""Steps 2 and 3 of a policy's creation: older usage is summed, posted in chunks, and it judges."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tekton_budget.domain.command import LedgerSettings
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.policy import Policy, Status
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.service.limiting.named import versions_of
from tekton_budget.storage.packing import json_text
from tekton_budget.storage.policies import (
    Backfill,
    Changes,
    counts_from,
    credited_groups,
    past_usage,
)
from tekton_budget.storage.session import Session
from tekton_budget.storage.writer import Exclusively, Writer

CREDITED_MAX = 500  # groups whose credit one transaction takes over
NAMED_MAX = 100  # groups that a note names


@dataclass(frozen=True, slots=True)
class Started:
    """A policy as it stands after a creation or change, with what the change has to say."""

    policy: Policy
    notes: tuple[str, ...] = ()


class Starting:
    """Finishes what has been begun. Again after a crash it does what is left, and no more.

    Every transaction is short, so that others may write between them: a policy of a million groups
    has a thousand.
    """

    def __init__(
        self, writer: Writer, settings: LedgerSettings, open_session: Callable[[], Session]
    ) -> None:
        self._writer = writer
        self._settings = settings
        self._open_session = open_session

    def finish(self, policy: Policy) -> Started:
        """Until it judges."""
        if policy.status is not Status.STARTING:
            return Started(policy)
        policies, last_audit = self._writer.cache.policies, 0
        if policy.version > 1 or policy.no not in policies.by_no:  # else nothing was before it
            policies, last_audit = self._writer.exclusively(self._seen).result()
        session = self._open_session()
        try:
            backfill = Backfill(
                past_usage(
                    session,
                    policies,
                    self._writer.cache.book,
                    policy,
                    from_us=counts_from(policy, policies),
                    up_to=policy.backfill_to or 0,
                )
            )
            credited = credited_groups(session, policy.policy_id, up_to=last_audit)
        finally:
            session.close()
        more = bool(backfill.last)
        while more:
            more = self._writer.exclusively(partial(self._post, policy, backfill)).result()
        ended: set[str] = set()
        for start in range(0, len(credited), CREDITED_MAX):
            chunk = credited[start : start + CREDITED_MAX]
            ended |= self._writer.exclusively(partial(self._take_over, policy, chunk)).result()
        finish = partial(self._activate, policy, last_audit, ended)
        return self._writer.exclusively(finish).result()

    def _seen(self, alone: Exclusively) -> tuple[PolicySet, int]:
        """The policies, and the last change of which all before are seen from now on."""
        return alone.cache.policies, Changes(alone, self._settings).last_audit()

    def _post(self, policy: Policy, backfill: Backfill, alone: Exclusively) -> bool:
        """The next chunk; whether there is another."""
        changes = Changes(alone, self._settings)
        current = changes.policies.by_no[policy.no]
        return current.status is Status.STARTING and changes.post_backfill(current, backfill)

    def _take_over(self, policy: Policy, groups: Sequence[str], alone: Exclusively) -> set[str]:
        """Credit of the version that judges until now; the groups whose credit ends with it."""
        changes = Changes(alone, self._settings)
        current = changes.policies.by_no[policy.no]
        if current.status is not Status.STARTING:
            return set()
        ended: set[str] = set()
        for version in versions_of(changes.policies, policy.policy_id):
            if version.no < policy.no and version.status is Status.ACTIVE:
                ended |= changes.take_over_credit(version, current, groups)
        return ended

    def _activate(
        self, policy: Policy, last_audit: int, ended: set[str], alone: Exclusively
    ) -> Started:
        changes = Changes(alone, self._settings)
        current = changes.policies.by_no[policy.no]
        if current.status is not Status.STARTING:
            return Started(current)
        if policy.version > 1:
            lately = credited_groups(alone.session, policy.policy_id, after=last_audit)
            ended |= self._take_over(policy, lately, alone)
        for version in versions_of(changes.policies, policy.policy_id):
            if version.no < policy.no:
                replaced = replace(version, status=Status.REPLACED, updated_us=alone.now_us)
                changes.update_policy(replaced)
        active = replace(
            current, status=Status.ACTIVE, backfill_after=None, updated_us=alone.now_us
        )
        changes.update_policy(active)
        changes.publish(Event(EventType.POLICY_ACTIVATED, active.policy_id, active.budget_id, {}))
        return Started(active, groups_note("credits_ended", ended))


def groups_note(what: str, groups: set[str]) -> tuple[str, ...]:
    """What happened to groups, the first of them by name."""
    if not groups:
        return ()
    named = json_text(sorted(groups)[:NAMED_MAX])
    more = len(groups) - NAMED_MAX
    return (f"{what}: {named}" + (f" and {more} more" if more > 0 else ""),)
