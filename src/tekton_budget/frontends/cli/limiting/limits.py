"""Limits in words and tables: a policy in a line, its groups with what they have left."""

from collections.abc import Mapping, Sequence
from typing import Any

from tekton_budget.frontends.cli.terminal.output import Column, moment_text, table, units
from tekton_budget.frontends.cli.terminal.words import scope_words

Json = Mapping[str, Any]  # Any: decoded JSON

_PERIODS = {
    "hourly": "an hour",
    "daily": "a day",
    "weekly": "a week",
    "monthly": "a month",
    "quarterly": "a quarter",
    "yearly": "a year",
    "total": "in total",
    "per_session": "a session",
    "per_task": "a task",
}
_BAR = 10


def limits_of(policy: Json) -> dict[str, Any]:
    """What a policy allows, by unit."""
    return {
        "tokens": policy.get("token_limit"),
        "cost": policy.get("cost_limit"),
        "requests": policy.get("request_limit"),
    }


def period_words(policy: Json) -> str:
    """`a month`, `in any 24 h`."""
    seconds = policy.get("length_seconds")
    if policy["period"] == "rolling" and seconds:
        for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
            if seconds % size == 0:
                return f"in any {seconds // size} {unit}"
    return _PERIODS.get(policy["period"], str(policy["period"]))


def enforcement_words(policy: Json) -> str:
    """What it does to a call beyond it."""
    if policy.get("enabled") is False:
        return "counts (disabled)"
    if policy.get("shadow"):
        return "shadow"
    return {"hard_limit": "denies", "soft_limit": "advises", "warn": "warns", "ignore": "counts"}[
        policy["enforcement"]
    ]


def described(policy: Json) -> str:
    """A policy in one line."""
    calls = " ".join(scope_words(dict(policy["scope"]))) or "all calls"
    each = f", for each {' and '.join(policy['per'])}" if policy.get("per") else ""
    landing = policy.get("landing") or 0
    kept = f", keeps {100 * float(landing):g} % for the end" if landing else ""
    ladder = f", else by {', '.join(policy['ladder'])}" if policy.get("ladder") else ""
    return (
        f'"{policy["name"]}" – {calls}: {units(limits_of(policy))} {period_words(policy)}{each} '
        f"({enforcement_words(policy)}{kept}{ladder})"
    )


def bar(view: Json) -> str:
    """How full it is, to be seen at a glance."""
    share = view.get("share")
    if share is None:
        return ""
    full = min(_BAR, int(share * _BAR))
    return f"{'█' * full}{'·' * (_BAR - full)} {share:.0%}"


STANDING: tuple[Column, ...] = (
    ("limit", lambda view: view["name"]),
    ("group", lambda view: view.get("group") or ""),
    ("used", bar),
    ("#spent", lambda view: units(view.get("spent"), only=view.get("allowance"))),
    ("#held", lambda view: units(view.get("held"), only=view.get("allowance"))),
    ("#left", lambda view: units(view.get("remaining"))),
    ("resets", lambda view: moment_text(view.get("resets_at"))),
)


def groups_shown(policy: Json, groups: Sequence[Json]) -> None:
    """What was spent, for each group."""
    if not groups:
        print("Nothing was spent in this window yet.")
        return
    if not policy.get("per"):
        one = groups[0]
        spent = units(one.get("spent"), only=one.get("allowance"))
        held = units(one.get("held"), only=one.get("allowance"))
        left = units(one.get("remaining"))
        resets = f"; resets {moment_text(one['resets_at'])}" if one.get("resets_at") else ""
        print(f"So far {spent} spent, {held} held, {left} left{resets}.")
        return
    print()
    table(groups, STANDING[1:], empty="")
