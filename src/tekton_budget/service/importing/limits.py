"""Foreign limits → policies of ours: made once, changed with the store, left alone where a person
has changed them here.

Each policy keeps in its metadata what was imported of it. What differs from that was changed here;
what the store says differently from that was changed there.
"""

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import BudgetError, Conflict
from tekton_budget.domain.money import nano_from_usd, usd_from_nano
from tekton_budget.domain.policy import DEFAULT_THRESHOLDS_PPM, PPM, Budget, Policy, Status
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.domain.scope import MISSING
from tekton_budget.domain.zones import rfc3339
from tekton_budget.foreign.store import IMPORTED_FROM, Fault, ForeignLimit, ForeignStore, Kind
from tekton_budget.service.importing.options import Checked, Mode
from tekton_budget.service.importing.report import LimitReport, Outcome
from tekton_budget.service.limiting.policies import PolicyVerbs
from tekton_budget.service.limiting.policy_fields import changed_policy, new_policy
from tekton_budget.storage.reading import Reader

IMPORTED = "imported"  # in a policy's metadata: its fields as they were imported

Values = dict[str, Any]  # Any: a policy's fields as JSON

# In words of ours, and in the order in which a report tells of them.
_SHOWN = {
    "name": "name",
    "enforcement": "enforcement",
    "token_limit": "token_limit",
    "cost_limit": "cost_limit",
    "period": "period",
    "timezone": "timezone",
    "scope": "scope",
    "thresholds_ppm": "thresholds",
    "starts_us": "starts_at",
    "ends_us": "ends_at",
    "enabled": "enabled",
}


class LimitImport:
    """The limits of one store on their way in; all go to the budget of the store's name."""

    def __init__(self, reader: Reader, policies: PolicyVerbs, options: Checked) -> None:
        self._reader = reader
        self._verbs = policies
        self._options = options
        self.faults: list[Fault] = []
        self.notes: list[str] = []
        self.foreseen: list[Policy] = []  # in a dry run, the limits as they would be

    def apply(self, caller: Caller, store: ForeignStore) -> tuple[LimitReport, ...]:
        """One report a limit; a dry run says what would become of each."""
        if not store.limits:
            return ()
        budget_id = self._budget(caller, store.kind)
        return tuple(self._applied(caller, limit, budget_id) for limit in store.limits)

    def _budget(self, caller: Caller, kind: Kind) -> str:
        """The budget of the store's name, made if it is not there."""
        found = budget_of(self._reader.policies(), kind)
        if found is None and not self._options.dry_run:
            try:
                made, _ = self._verbs.create_budget(
                    caller,
                    name=kind.value,
                    owner=kind.value,
                    budget_id=kind.value,
                    description=f"Limits imported from {kind.value.title()}",
                    scope=scope_of(kind),
                )
            except Conflict:
                found = budget_of(self._reader.policies(), kind)  # made by another, just now
                if found is None:
                    raise
            else:
                return made.budget_id
        if found is not None and IMPORTED_FROM not in found.scope.labels():
            self.notes.append(
                f'The budget "{found.name}" was there before, and its scope does not leave out '
                f'what other stores counted: add {IMPORTED_FROM} ["", "{kind.value}"] to it.'
            )
        return kind.value if found is None else found.budget_id

    def _applied(self, caller: Caller, limit: ForeignLimit, budget_id: str) -> LimitReport:
        wanted = values_of_limit(limit, self._options)
        try:
            if not _versions(self._reader.policies(), limit.policy_id):
                with suppress(MadeMeanwhile):
                    return self._made(caller, limit, wanted, budget_id)
            known = _versions(self._reader.policies(), limit.policy_id)
            return self._changed(caller, limit, wanted, known[-1])
        except BudgetError as fault:
            if fault.code in _RETRYABLE:
                raise
            self.faults.append(Fault(f'limit "{limit.name}"', f"{fault.detail}; not taken over"))
            shadow = self._options.mode is Mode.SHADOW
            return _report(limit.policy_id, Outcome.REFUSED, wanted, (fault.detail,), shadow=shadow)

    def _made(
        self, caller: Caller, limit: ForeignLimit, wanted: Values, budget_id: str
    ) -> LimitReport:
        wanted = {**wanted, "name": _free_name(self._reader.policies(), limit)}
        shadow = self._options.mode is Mode.SHADOW
        if not self._options.dry_run:
            metadata = {**limit.metadata, IMPORTED: wanted}
            fields = {**_fields(wanted), "metadata": metadata, "shadow": shadow}
            try:
                self._verbs.create_policy(
                    caller, fields, budget=budget_id, policy_id=limit.policy_id
                )
            except Conflict as fault:
                if fault.code == "id_used":
                    raise MadeMeanwhile from fault
                raise
        else:
            self.foreseen.append(self._foreseen(limit.policy_id, budget_id, wanted))
        return _report(limit.policy_id, Outcome.MADE, wanted, shadow=shadow)

    def _changed(
        self, caller: Caller, limit: ForeignLimit, wanted: Values, policy: Policy
    ) -> LimitReport:
        """The store's changes since the last import; a person's changes here stay."""
        kept = policy.metadata.get(IMPORTED)
        imported: Values = dict(kept) if isinstance(kept, Mapping) else {}
        wanted = {**wanted, "name": imported.get("name", wanted["name"])}
        now = values_of_policy(policy)
        shadow = _shadow(self._options.mode, policy)
        if policy.status is Status.ENDED:
            text = "was ended here since: it stays so (make a policy of your own, if you want it)"
            return _report(policy.policy_id, Outcome.ENDED, now, (text,), shadow=policy.shadow)
        if policy.status is Status.STARTING and not self._options.dry_run:
            self._verbs.finish(policy)  # an earlier import was killed before it was at work
        by_hand = {name for name in wanted if now[name] != imported.get(name)}
        by_store = {name for name in wanted if wanted[name] != imported.get(name)}
        taken = by_store - by_hand
        notes = [
            f"{_SHOWN[name]} was changed here since, from {_told(name, imported.get(name))} to "
            f"{_told(name, now[name])}: it stays so"
            + (f" (the store now says {_told(name, wanted[name])})" if name in by_store else "")
            for name in _SHOWN
            if name in by_hand and now[name] != wanted[name]
        ]
        notes += [
            f"{_SHOWN[name]}: {_told(name, now[name])} → {_told(name, wanted[name])}"
            for name in _SHOWN
            if name in taken
        ]
        fields = _fields({name: wanted[name] for name in taken})
        if shadow != policy.shadow:
            fields["shadow"] = shadow
            notes.append("judges as if, from now on" if shadow else "is enforced from now on")
        if fields and not self._options.dry_run:
            imported |= {name: wanted[name] for name in taken}
            fields["metadata"] = {**policy.metadata, **limit.metadata, IMPORTED: imported}
            self._verbs.change_policy(caller, policy.policy_id, fields)
        if self._options.dry_run:
            self.foreseen.append(changed_policy(policy, fields, now_us=self._reader.now_us()))
        outcome = Outcome.CHANGED if fields else Outcome.KEPT if notes else Outcome.SAME
        after = {**now, **{name: wanted[name] for name in taken}}
        return _report(policy.policy_id, outcome, after, tuple(notes), shadow=shadow)

    def _foreseen(self, policy_id: str, budget_id: str, wanted: Values) -> Policy:
        return new_policy(
            _fields(wanted),
            policy_id=policy_id,
            budget_id=budget_id,
            zone=self._options.times.name,
            now_us=self._reader.now_us(),
        )


class MadeMeanwhile(Exception):
    """Another import was quicker."""


_RETRYABLE = ("unavailable", "store_away", "queue_full", "outcome_unknown", "role_needed")


def scope_of(kind: Kind) -> dict[str, object]:
    """What the budget of a store counts: its own past, and every call that comes from now on.

    Two stores may have counted the same calls, each in its own unit; so neither budget counts what
    the other's store told.
    """
    return {IMPORTED_FROM: [MISSING, kind.value]}


def values_of_limit(limit: ForeignLimit, options: Checked) -> Values:
    """A limit in the fields of ours that an import sets, as JSON has them."""
    shares = (limit.warning_threshold, limit.action_threshold)
    thresholds = [
        default if share is None else int(share * PPM)
        for share, default in zip(shares, DEFAULT_THRESHOLDS_PPM, strict=True)
    ]
    starts_us, ends_us = (
        None if at is None else options.times.instant_us(at)
        for at in (limit.starts_at, limit.ends_at)
    )
    if starts_us is not None and ends_us is not None and ends_us <= starts_us:
        starts_us = None  # it was over before it began: only that it is over counts
    return {
        "name": limit.name,
        "enforcement": limit.enforcement,
        "token_limit": limit.token_limit,
        "cost_limit": _usd_text(
            None if limit.cost_limit is None else nano_from_usd(limit.cost_limit)
        ),
        "period": limit.period,
        "timezone": options.times.name,
        "scope": dict(limit.scope),
        "thresholds_ppm": sorted(set(thresholds)),
        "starts_us": starts_us,
        "ends_us": ends_us,
        "enabled": limit.enabled,
    }


def values_of_policy(policy: Policy) -> Values:
    """The same of a policy as it stands."""
    return {
        "name": policy.name,
        "enforcement": policy.enforcement.value,
        "token_limit": policy.limits.tokens,
        "cost_limit": _usd_text(policy.limits.cost_nano),
        "period": policy.schedule.period.value,
        "timezone": policy.schedule.zone,
        "scope": policy.scope.to_json(),
        "thresholds_ppm": list(policy.thresholds_ppm),
        "starts_us": policy.starts_us,
        "ends_us": policy.ends_us,
        "enabled": policy.enabled,
    }


def _usd_text(nano: int | None) -> str | None:
    """In the digits that a policy keeps: what has more is no change of it."""
    return None if nano is None else f"{usd_from_nano(nano):f}"


def _fields(values: Values) -> Values:
    """As the verbs of policies take them."""
    fields = dict(values)
    if "thresholds_ppm" in fields:
        shares = [Decimal(ppm) / PPM for ppm in fields.pop("thresholds_ppm")]
        fields["thresholds"] = shares
    if fields.get("cost_limit") is not None:
        fields["cost_limit"] = Decimal(fields["cost_limit"])
    return fields


def _report(
    policy_id: str,
    outcome: Outcome,
    values: Values,
    notes: tuple[str, ...] = (),
    *,
    shadow: bool,
) -> LimitReport:
    return LimitReport(
        policy_id,
        values["name"],
        outcome,
        values["enforcement"],
        values["enabled"],
        shadow,
        notes,
    )


def _shadow(mode: Mode, policy: Policy) -> bool:
    return policy.shadow if mode is Mode.KEEP else mode is Mode.SHADOW


def budget_of(policies: PolicySet, kind: Kind) -> Budget | None:
    """The budget that a store's limits go to, if it is there."""
    called = {budget.name: budget for budget in policies.budgets.values()}
    return policies.budgets.get(kind.value) or called.get(kind.value)


def _versions(policies: PolicySet, policy_id: str) -> list[Policy]:
    """All versions there ever were, the one that counts (or that ended) last."""
    return [policy for policy in policies.by_no.values() if policy.policy_id == policy_id]


def _free_name(policies: PolicySet, limit: ForeignLimit) -> str:
    """Its name, or one with its id where another policy has that."""
    taken = {policy.name for policy in policies.counting_everywhere()}
    return limit.name if limit.name not in taken else f"{limit.name} {limit.policy_id[-12:]}"


def _told(name: str, value: object) -> str:
    if value is None:
        return "none"
    if name in ("starts_us", "ends_us") and isinstance(value, int):
        return rfc3339(value)
    if name == "thresholds_ppm" and isinstance(value, list):
        return ", ".join(f"{Decimal(ppm) / PPM:f}" for ppm in value)
    if isinstance(value, Mapping):
        return " ".join(f"{label}={asked}" for label, asked in value.items())
    return f"{value:,}" if type(value) is int else str(value)
