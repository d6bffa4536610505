"""What people say of a policy → the policy: one function for new ones and for changes."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import msgspec

from tekton_budget.domain.amounts import UNLIMITED, Limits
from tekton_budget.domain.errors import FieldFault, InvalidInput, invalid
from tekton_budget.domain.limit_text import LimitText, limit_from_text
from tekton_budget.domain.money import COST_NANO_MAX, nano_from_usd
from tekton_budget.domain.period import Anchor, Period, Schedule, period_text
from tekton_budget.domain.policy import (
    MAX_GROUPS_DEFAULT,
    PPM,
    Enforcement,
    GroupLimits,
    PerMissing,
    Policy,
    Status,
    Unpriced,
)
from tekton_budget.domain.scope import Scope, checked_names
from tekton_budget.domain.usage import KINDS
from tekton_budget.domain.zones import zone_named
from tekton_budget.service.asking.commands import PRIORITY_MAX, TOKENS_MAX, checked_metadata, choice
from tekton_budget.service.limiting.call_fields import CALL_FIELDS, call_fields, check_landing

Fields = Mapping[str, Any]  # Any: our words for what was sent, already of the right JSON types

# The scope's shortcuts: labels that may be sent as fields of their own.
SCOPE_SHORTCUTS = ("tier", "provider", "component", "task_type", "model")
PER_MAX = 5
THRESHOLDS_MAX = 10
NAME_MAX = 200
# What cannot change in place: the balances would mean something else.
BY_REPLACEMENT = ("schedule", "scope", "per", "tokens_counted")

KNOWN_FIELDS = frozenset(
    {
        "name",
        "limit",
        "token_limit",
        "cost_limit",
        "request_limit",
        "period",
        "timezone",
        "anchor",
        "length_seconds",
        "scope",
        "per",
        "per_missing",
        "enforcement",
        "type",
        "shadow",
        "thresholds",
        "warning_threshold",
        "action_threshold",
        "tokens_counted",
        "rollover",
        "rollover_cap",
        "bypass_priority",
        "unpriced",
        "assume_model",
        "min_grant",
        "max_groups",
        "starts_us",
        "ends_us",
        "enabled",
        "metadata",
        *CALL_FIELDS,
        *SCOPE_SHORTCUTS,
    }
)


def new_policy(fields: Fields, *, policy_id: str, budget_id: str, zone: str, now_us: int) -> Policy:
    """A policy as people describe it. Refuses with every faulty field named."""
    base = Policy(
        no=0,
        policy_id=policy_id,
        version=1,
        name="",
        budget_id=budget_id,
        limits=UNLIMITED,
        schedule=Schedule(Period.TOTAL, zone),
        scope=Scope.from_json({}),
        created_us=now_us,
        updated_us=now_us,
        status=Status.STARTING,
    )
    if "limit" not in fields and "period" not in fields:
        raise invalid("period", f"send one of {', '.join(Period)}, or limit like 50usd/month")
    policy = changed_policy(base, fields, now_us=now_us)
    if policy.name:
        return policy
    return replace(policy, name=made_name(policy))


def changed_policy(base: Policy, fields: Fields, *, now_us: int) -> Policy:
    """The policy with what was said changed; what was not said stays."""
    unknown = sorted(set(fields) - KNOWN_FIELDS)
    if unknown:
        faults = [FieldFault(name, "is not a field of a policy") for name in unknown]
        raise InvalidInput(f"Unknown field: {', '.join(unknown)}.", *faults)
    text = limit_from_text(str(fields["limit"])) if fields.get("limit") is not None else None
    policy = replace(
        base,
        name=_name(fields, base),
        limits=_limits(fields, base.limits, text),
        schedule=_schedule(fields, base.schedule, text),
        scope=_scope(fields, base.scope),
        per=_per(fields, base.per),
        thresholds_ppm=_thresholds(fields, base.thresholds_ppm),
        tokens_counted=_kinds(fields, base.tokens_counted),
        updated_us=now_us,
        **_choices(fields, base),
        **_plain(fields, base),
        **call_fields(fields),
    )
    _check(policy)
    return policy


def made_name(policy: Policy) -> str:
    """The name of a policy that was given none: scope, period and groups."""
    parts = [policy.scope.text(), period_text(policy.schedule)]
    if policy.per:
        parts.append(f"per {','.join(policy.per)}")
    if policy.limits.cost_nano is None:
        parts.append("tokens" if policy.limits.tokens is not None else "requests")
    return " ".join(filter(None, parts))


def needs_replacement(before: Policy, after: Policy) -> bool:
    """Whether a change gives the balances another meaning."""
    return any(getattr(before, name) != getattr(after, name) for name in BY_REPLACEMENT)


def _check(policy: Policy) -> None:
    if policy.limits == UNLIMITED:
        text = "send at least one of token_limit, cost_limit, request_limit (or limit)"
        raise invalid("limit", text, code="limit_needed")
    if policy.rollover and policy.schedule.period not in _CALENDAR:
        raise invalid("rollover", "goes with calendar periods only (hourly to yearly)")
    starts_us, ends_us = policy.starts_us, policy.ends_us
    if starts_us is not None and ends_us is not None and ends_us <= starts_us:
        raise invalid("ends_at", "must be after starts_at")
    check_landing(policy)


_CALENDAR = (
    Period.HOURLY,
    Period.DAILY,
    Period.WEEKLY,
    Period.MONTHLY,
    Period.QUARTERLY,
    Period.YEARLY,
)


def _name(fields: Fields, base: Policy) -> str:
    name = fields.get("name")
    if name is None:
        return base.name
    text = str(name).strip()
    if not 0 < len(text) <= NAME_MAX or not text.isprintable():
        raise invalid("name", f"send 1 to {NAME_MAX} printable characters")
    return text


def _limits(fields: Fields, base: Limits, text: LimitText | None) -> Limits:
    if text is not None:
        base = text.limits
    limits = Limits(
        _whole(fields, "token_limit", base.tokens, TOKENS_MAX),
        cost_limit_nano(fields, "cost_limit", base.cost_nano),
        _whole(fields, "request_limit", base.requests, TOKENS_MAX),
    )
    if text is not None:
        names = ("token_limit", "cost_limit", "request_limit")
        for name, said, meant in zip(names, text.limits, limits, strict=True):
            if said is not None and said != meant:
                raise invalid(name, "differs from limit; send one of them")
    return limits


def cost_limit_nano(fields: Fields, name: str, default: int | None) -> int | None:
    """A limit in USD as sent → 10⁻⁹ USD; `null` is none."""
    if name not in fields:
        return default
    value = fields[name]
    if value is None:
        return None
    try:
        nano = nano_from_usd(cast(Decimal, value))
    except (ValueError, TypeError) as error:
        raise invalid(name, "send USD as a number, or null for none") from error
    if not 0 <= nano <= COST_NANO_MAX:
        raise invalid(name, f"send 0 to {COST_NANO_MAX // 10**9} USD, or null for none")
    return nano


def group_limits(group: str, value: object) -> GroupLimits | None:
    """An exception as sent: an object of limits, `"unlimited"`, or `None` to remove."""
    field = f"groups.{group}"
    if value is None:
        return None
    if value == "unlimited":
        return GroupLimits(unlimited=True)
    if isinstance(value, GroupLimits):
        return value
    if not isinstance(value, Mapping):
        raise invalid(field, 'send {"cost_limit": …}, "unlimited" or null')
    known = {"token_limit", "cost_limit", "request_limit"}
    if not value or set(value) - known:
        raise invalid(field, f"send one or more of {', '.join(sorted(known))}")
    tokens, requests = value.get("token_limit"), value.get("request_limit")
    for amount in (tokens, requests):
        if amount is not None and not (isinstance(amount, int) and 0 <= amount <= TOKENS_MAX):
            raise invalid(field, "send whole numbers, 0 or more")
    cost_nano = cost_limit_nano(value, "cost_limit", None)
    return GroupLimits(tokens=tokens, cost_nano=cost_nano, requests=requests)


def _whole(fields: Fields, name: str, default: int | None, most: int) -> int | None:
    if name not in fields:
        return default
    value = fields[name]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise invalid(name, f"send a whole number, 0 to {most}, or null for none")
    return value


def _schedule(fields: Fields, base: Schedule, text: LimitText | None) -> Schedule:
    period, length_us, zone, anchor = base.period, base.length_us, base.zone, base.anchor
    if text is not None:
        period, length_us = text.schedule_period, text.length_us
    if fields.get("period") is not None:
        period = choice("period", Period, str(fields["period"]).lower())
        if text is not None and text.schedule_period not in (Period.TOTAL, period):
            raise invalid("period", "differs from limit; send one of them")
        if period is not Period.ROLLING:
            length_us = None
    if fields.get("length_seconds") is not None:
        length_us = int(fields["length_seconds"]) * 1_000_000
    if fields.get("timezone") is not None:
        zone = str(fields["timezone"])
    zone_named(zone)
    if fields.get("anchor") is not None:
        anchor = Anchor(**fields["anchor"])
    return Schedule(period, zone, anchor, length_us)


def _scope(fields: Fields, base: Scope) -> Scope:
    asked = dict(base.to_json()) if fields.get("scope") is None else dict(fields["scope"])
    for name in SCOPE_SHORTCUTS:
        if name in fields:
            if fields[name] is None:
                asked.pop(name, None)
            elif (fields.get("scope") or {}).get(name, fields[name]) != fields[name]:
                raise invalid(name, f"differs from scope.{name}; send one of them")
            else:
                asked[name] = fields[name]
    return Scope.from_json(asked)


def _per(fields: Fields, base: tuple[str, ...]) -> tuple[str, ...]:
    if fields.get("per") is None:
        return base if "per" not in fields else ()
    value = fields["per"]
    per = (value,) if isinstance(value, str) else _listed("per", value)
    return checked_names("per", per, PER_MAX)


def _thresholds(fields: Fields, base: tuple[int, ...]) -> tuple[int, ...]:
    if fields.get("thresholds") is not None:
        shares = [
            _share_ppm("thresholds", value) for value in _listed("thresholds", fields["thresholds"])
        ]
        if len(shares) > THRESHOLDS_MAX:
            raise invalid("thresholds", f"send at most {THRESHOLDS_MAX}")
        return tuple(sorted(set(shares)))
    shares = list(base)
    for position, name in enumerate(("warning_threshold", "action_threshold")):
        if fields.get(name) is not None:
            shares[position : position + 1] = [_share_ppm(name, fields[name])]
    return tuple(sorted(set(shares)))


def _listed(name: str, value: object) -> tuple[Any, ...]:
    if isinstance(value, list | tuple):
        return tuple(value)
    raise invalid(name, "send a list")


def _share_ppm(name: str, value: object) -> int:
    """A share as sent: 0.8, or 80 as the older interfaces have it."""
    try:
        share = Decimal(str(value))
    except ArithmeticError as error:
        raise invalid(name, "send a share like 0.8") from error
    if not share.is_finite() or share <= 0 or share > 100:
        raise invalid(name, "send a share above 0, like 0.8")
    if share > 1:
        share /= 100
    return int(share * PPM)


def _kinds(fields: Fields, base: tuple[str, ...]) -> tuple[str, ...]:
    if "tokens_counted" not in fields:
        return base
    value = fields["tokens_counted"]
    kinds = () if value is None else _listed("tokens_counted", value)
    wrong = [kind for kind in kinds if kind not in KINDS]
    if wrong:
        raise invalid("tokens_counted", f"send kinds of {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in kinds)


def _choices(fields: Fields, base: Policy) -> dict[str, Any]:
    enforcement = base.enforcement
    said = [
        enforcement_named(fields[n]) for n in ("enforcement", "type") if fields.get(n) is not None
    ]
    if said:
        enforcement = said[0]
    if len(set(said)) > 1:
        raise invalid("type", "differs from enforcement; send one of them")
    per_missing, unpriced = base.per_missing, base.unpriced
    if fields.get("per_missing") is not None:
        per_missing = choice("per_missing", PerMissing, str(fields["per_missing"]))
    if fields.get("unpriced") is not None:
        unpriced = choice("unpriced", Unpriced, str(fields["unpriced"]))
    return {"enforcement": enforcement, "per_missing": per_missing, "unpriced": unpriced}


def enforcement_named(said: object) -> Enforcement:
    """An enforcement by our word or one of older interfaces: `warning`, `downgrade`, `block`."""
    text = str(said).lower()
    return choice("enforcement", Enforcement, _OLDER_WORDS.get(text, text))


_OLDER_WORDS = {
    "warning": "warn",
    "downgrade": "soft_limit",
    "enforce": "hard_limit",
    "block": "hard_limit",
}


def _plain(fields: Fields, base: Policy) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name in ("shadow", "rollover", "enabled"):
        if fields.get(name) is not None:
            plain[name] = bool(fields[name])
    plain["bypass_priority"] = _whole(fields, "bypass_priority", base.bypass_priority, PRIORITY_MAX)
    plain["min_grant"] = _whole(fields, "min_grant", base.min_grant, TOKENS_MAX) or 0
    plain["max_groups"] = _whole(fields, "max_groups", base.max_groups, 10**8) or MAX_GROUPS_DEFAULT
    for name in ("starts_us", "ends_us", "assume_model"):
        if name in fields:
            plain[name] = fields[name]
    if "rollover_cap" in fields:
        cap = fields["rollover_cap"] or {}
        plain["rollover_cap"] = Limits(
            _whole(cap, "tokens", None, TOKENS_MAX),
            cost_limit_nano(cap, "cost", None),
            _whole(cap, "requests", None, TOKENS_MAX),
        )
    if fields.get("metadata") is not None:
        checked_metadata(fields["metadata"])
        plain["metadata"] = msgspec.json.decode(msgspec.json.encode(fields["metadata"]))
    return plain
