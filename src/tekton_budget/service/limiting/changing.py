"""What every change of limits does: who may, what is noted of it, and how a version follows."""

from dataclasses import replace

from tekton_budget.domain.caller import Caller, Role
from tekton_budget.domain.command import AuditNote
from tekton_budget.domain.errors import Forbidden
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.policy import Policy
from tekton_budget.service.limiting.starting import Started, groups_note
from tekton_budget.storage.policies import Changes


def may_change(caller: Caller) -> None:
    """Refuses keys that only call or look."""
    if caller.role not in (Role.ADMIN, Role.OPERATOR):
        raise Forbidden(
            f"A {caller.role.value} key may not change limits; use an operator or admin key.",
            code="role_needed",
        )


def within(caller: Caller, scope: dict[str, object]) -> dict[str, object]:
    """A scope that a key may set: its forced labels are always asked for."""
    for name, value in caller.labels.items():
        if scope.setdefault(name, value) != value:
            raise Forbidden(
                f"This key may only limit {name}={value}: leave {name} out or send that value.",
                code="outside_scope",
            )
    return scope


def audit(
    changes: Changes,
    caller: Caller,
    verb: str,
    kind: str,
    object_id: str,
    before: str | None,
    after: str | None,
) -> None:
    """Note who changed what, as JSON before and after."""
    note = AuditNote(verb, kind, object_id, before or "null", after or "null")
    changes.audit(caller.key_id, caller.name, note)


def event_of(type_: EventType, subject_id: str, budget_id: str) -> Event:
    """The event of a change."""
    return Event(type_, subject_id, budget_id, {})


def _next_version(changes: Changes, policy: Policy) -> int:
    versions = [
        p.version for p in changes.policies.by_no.values() if p.policy_id == policy.policy_id
    ]
    return max(versions) + 1


def replaced(changes: Changes, before: Policy, after: Policy) -> Started:
    """The next version begins. Groups that it does not know have no exceptions any more."""
    version = replace(
        after, no=0, version=_next_version(changes, before), backfill_after=None, budget_scope=None
    )
    notes = ["replaced", *groups_note("exceptions_ended", changes.regroup(before, version))]
    started = changes.start(version, backfill=True)
    if version.rollover and changes.policies.goes_on_from(started) is None:
        notes.append("carry_ended")
    return Started(started, tuple(notes))
