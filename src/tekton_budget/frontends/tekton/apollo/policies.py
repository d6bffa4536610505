"""Apollo's policies as the ledger's: those of the budget `apollo`, for every process the same."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic_core import to_jsonable_python

from tekton_budget.domain.errors import Conflict, NotFound, invalid
from tekton_budget.domain.scope import MISSING
from tekton_budget.face.budget import Budget
from tekton_budget.face.host_zone import host_zone
from tekton_budget.face.request import Json
from tekton_budget.foreign.apollo.reading import POLICIES
from tekton_budget.foreign.store import IMPORTED_FROM
from tekton_budget.frontends.tekton.apollo import clock
from tekton_budget.frontends.tekton.apollo.models import (
    BudgetPeriod,
    BudgetPolicy,
    BudgetPolicyType,
    BudgetTier,
)
from tekton_budget.frontends.tekton.apollo.tiers import DEFAULT_LIMITS

logger = logging.getLogger(__name__)

OWN = "apollo"  # the budget, and in metadata what the ledger has no field for
BYPASS = "bypass_priority"  # in a policy's metadata: from which priority on calls may pass it
PAGE = 1000
# What is kept of a policy in its metadata, beside what an import keeps there.
_OURS = ("policy_id", "start_date", "metadata", "warning_threshold", "action_threshold")

_TIERS = {tier.value for tier in BudgetTier}
_PERIODS = {period.value for period in BudgetPeriod}
# Of a policy that is none of Apollo's, for an event: the nearest word it has.
_NEAREST = {"quarterly": "monthly", "yearly": "monthly", "rolling": "daily", "total": "per_session"}


class Policies:
    """The policies of the budget `apollo`."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def all(self) -> dict[str, BudgetPolicy]:
        """By id, in the order of their making."""
        found = (in_words(one) for one in self._listed())
        return {policy.policy_id: policy for policy in found if policy is not None}

    def find(self, policy_id: str) -> BudgetPolicy | None:
        """By the id that its maker gave it."""
        return self.all().get(policy_id)

    def begin(self, file: bytes | None) -> None:
        """Make the budget with the policies of a file, else nine, unless somebody has.

        A file is imported, so that `tekton-budget import apollo` finds its policies there. One that
        cannot be read is only logged: then the nine are made, which limit nothing.
        """
        made = 0
        if file is not None:
            report = self._budget.import_apollo({POLICIES: file})
            made = len(report["limits"])
            for fault in report["faults"]:
                logger.error("%s: %s", fault["where"], fault["what"])
        if not made:
            is_empty = file is not None and not report["faults"]
            self._make([] if is_empty else default_policies())

    def _make(self, policies: Sequence[BudgetPolicy]) -> None:
        """All of them or none: who comes second finds them."""
        names: set[str] = set()
        try:
            self._budget.create_budget(
                OWN,
                budget_id=OWN,
                owner=OWN,
                description="Token limits of Apollo",
                scope={IMPORTED_FROM: [MISSING, OWN]},  # not what others' stores counted
                policies=[_fields(policy, names) for policy in policies],
            )
        except Conflict:
            return

    def exist(self) -> bool:
        """Whether the budget is there, with whatever policies."""
        try:
            self._budget.budget(OWN)
        except NotFound:
            return False
        return True

    def put(self, policy: BudgetPolicy) -> None:
        """Make it, or change what differs in the one of that id."""
        listed = self._listed()
        known = next((one for one in listed if _own_id(one) == policy.policy_id), None)
        names = {str(one["name"]) for one in listed if one is not known}
        if known is None:
            self._budget.create_policy(budget=OWN, **_fields(policy, names))
            return
        changed = _changes(known, policy, names)
        if changed:
            self._budget.change_policy(str(known["policy_id"]), **changed)

    def end(self, policy_id: str) -> bool:
        """Stop counting by it; whether it was there."""
        for one in self._listed():
            if _own_id(one) == policy_id:
                self._budget.end_policy(str(one["policy_id"]))
                return True
        return False

    def of_ledger(self, policy_id: str) -> BudgetPolicy:
        """The policy of that id in the ledger, Apollo's own or not, in Apollo's words."""
        return nearest(self._budget.policy(policy_id))

    def ledger_ids(self) -> dict[str, str]:
        """The ledger's id of each."""
        return {_own_id(one): str(one["policy_id"]) for one in self._listed()}

    def _listed(self) -> list[Json]:
        try:
            page = self._budget.policies(budget_id=OWN, limit=PAGE)
            found = list(page["items"])
            while page["next"] is not None:
                page = self._budget.policies(budget_id=OWN, limit=PAGE, after=page["next"])
                found += page["items"]
        except NotFound:
            return []
        return found


def default_policies() -> list[BudgetPolicy]:
    """Those of an Apollo that was told of none: nine, which warn."""
    return [
        BudgetPolicy(type=BudgetPolicyType.WARN, period=period, tier=tier, limit=limit)
        for tier, limits in DEFAULT_LIMITS.items()
        for period, limit in limits.items()
    ]


def in_words(one: Mapping[str, Any]) -> BudgetPolicy | None:
    """A policy of the ledger as Apollo's model; `None` if that has no words for it."""
    if one["period"] not in _PERIODS or one["tier"] not in _TIERS or one["token_limit"] is None:
        return None
    return nearest(one)


def nearest(one: Mapping[str, Any]) -> BudgetPolicy:
    """The same for any policy, in the nearest words; what they do not say is in its metadata."""
    kept = _kept(one)
    metadata = dict(kept.get("metadata") or {})
    if one["period"] not in _PERIODS or one["tier"] not in _TIERS or one["token_limit"] is None:
        metadata["ledger"] = to_jsonable_python(
            {name: one[name] for name in ("name", "budget_id", "limit", "scope")}, fallback=str
        )
    tier = one["tier"] if one["tier"] in _TIERS else BudgetTier.REMOTE_HEAVYWEIGHT
    starts_at = one["starts_at"] or kept.get("start_date") or one["created_at"]
    return BudgetPolicy(
        policy_id=_own_id(one),
        type=one["type"],
        period=BudgetPeriod(_NEAREST.get(one["period"], one["period"])),
        tier=tier,
        component=_one_value(one["component"]),
        task_type=_one_value(one["task_type"]),
        limit=one["token_limit"] or 0,
        warning_threshold=float(kept.get("warning_threshold", one["warning_threshold"] or 1)),
        action_threshold=float(kept.get("action_threshold", one["action_threshold"] or 1)),
        start_date=clock.local(datetime.fromisoformat(starts_at)),
        end_date=None
        if one["ends_at"] is None
        else clock.local(datetime.fromisoformat(one["ends_at"])),
        enabled=one["enabled"],
        metadata=metadata,
    )


def _own_id(one: Mapping[str, Any]) -> str:
    """As its maker said it: the ledger gives each an id of its own besides."""
    return str(_kept(one).get("policy_id") or one["policy_id"])


def _kept(one: Mapping[str, Any]) -> Mapping[str, Any]:
    kept = one["metadata"].get(OWN)
    return kept if isinstance(kept, Mapping) else {}


def _changes(
    known: Mapping[str, Any], policy: BudgetPolicy, names: set[str]
) -> dict[str, Any]:  # Any: fields of a policy
    """What differs from the ledger's. What others noted in its metadata, or named it, stays."""
    before = nearest(known)
    old, new = _fields(before, set()), _fields(policy, names)
    changed = {name: value for name, value in new.items() if value != old[name]}
    if _made_name(before) == _made_name(policy):
        changed.pop("name", None)
    if "metadata" in changed:
        kept = {name: value for name, value in _kept(known).items() if name not in _OURS}
        changed["metadata"] = {**known["metadata"], OWN: {**kept, **new["metadata"][OWN]}}
    return changed


def _made_name(policy: BudgetPolicy) -> str:
    said = (OWN, policy.period, policy.tier, policy.component, policy.task_type)
    return " ".join(str(part) for part in said if part)[:180]


def _fields(policy: BudgetPolicy, names: set[str]) -> dict[str, Any]:
    """A policy of the ledger; its name is made of what it limits, and added to `names`."""
    scope = {"tier": str(policy.tier)}
    for name in ("component", "task_type"):
        value = getattr(policy, name)
        if value:
            scope[name] = _exactly(name, value)
    name = _made_name(policy)
    name = name if name not in names else f"{name} {policy.policy_id[-12:]}"
    names.add(name)
    kept: dict[str, Any] = {
        "policy_id": policy.policy_id,
        "start_date": policy.start_date.isoformat(),
        **(
            {"metadata": to_jsonable_python(policy.metadata, fallback=str)}
            if policy.metadata
            else {}
        ),
    }
    warning, action = policy.warning_threshold, policy.action_threshold
    if 0 < warning < action <= 1:
        thresholds = [warning, action]
    else:  # in an order, or of a size, of which the ledger could make nothing
        thresholds = sorted({share for share in (warning, action) if 0 < share <= 1})
        kept |= {"warning_threshold": warning, "action_threshold": action}
    starts_at = policy.start_date.astimezone()
    return {
        "name": name,
        "type": str(policy.type),
        "period": str(policy.period),
        "timezone": host_zone(),
        "scope": scope,
        "token_limit": policy.limit,
        "thresholds": thresholds,
        "starts_at": starts_at.isoformat() if starts_at > clock.now() else None,
        "ends_at": None if policy.end_date is None else policy.end_date.astimezone().isoformat(),
        "enabled": policy.enabled,
        BYPASS: policy.metadata.get(BYPASS),
        "metadata": {OWN: kept},
    }


def _exactly(name: str, value: str) -> str:
    if value.startswith("!") or "*" in value or "?" in value:
        raise invalid(name, f"{value!r} would be taken for a pattern: send the name of one")
    return value


def _one_value(asked: object) -> str | None:
    if isinstance(asked, list):
        return ",".join(map(str, asked))
    return None if asked is None else str(asked)
