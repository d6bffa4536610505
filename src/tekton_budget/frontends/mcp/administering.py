"""Tools of administration: set a limit, give credit. For keys that may, where asked for."""

from collections.abc import Mapping
from typing import Any

from tekton_budget.domain.errors import invalid
from tekton_budget.frontends.mcp.desk import Answer, Desk
from tekton_budget.frontends.mcp.reading import limit_of

Json = Mapping[str, Any]  # Any: decoded JSON
Said = dict[str, Any]  # Any: arguments as checked

LISTED_MAX = 20


async def set_limit(desk: Desk, said: Said) -> Answer:
    """Make or change one policy; without an argument, list those in force."""
    if "limit" not in said:
        if said:
            raise invalid("limit", "say how much, as 50usd/month or 5Mtokens/day")
        return await _listed(desk)
    fields = dict(said)
    made = await desk.face.set_limit(
        fields.pop("limit"),
        scope=fields.pop("scope", None),
        per=fields.pop("per", ()),
        name=fields.pop("name", None),
        **fields,
    )
    policy = made["policy"]
    verb = "Made" if made["created"] else "Changed"
    notes = f" {' '.join(made['notes'])}" if made["notes"] else ""
    text = f'{verb} "{policy["name"]}" ({policy["enforcement"]}).{notes}'
    return Answer(text, {"created": made["created"], "policy": _brief(policy)})


async def credit(desk: Desk, said: Said) -> Answer:
    """An amount on top, once; without an argument, what stands fullest."""
    if "amount" not in said:
        if said:
            raise invalid("amount", "say how much, as 10usd or 1Mtokens")
        return await _fullest(desk)
    fields = dict(said)
    given = await desk.face.credit(fields.pop("amount"), **fields)
    return Answer(f"Gave {said['amount']} on top.", given)


async def _listed(desk: Desk) -> Answer:
    page = await desk.face.policies(limit=LISTED_MAX)
    shown = [_brief(one) for one in page["items"]]
    names = "; ".join(f'"{one["name"]}" ({one["enforcement"]})' for one in shown)
    text = f"Limits in force: {names}." if shown else "No limit is set: say one, as 50usd/month."
    if page.get("next"):
        text += f" These are the first {LISTED_MAX}."
    return Answer(text, {"policies": shown})


async def _fullest(desk: Desk) -> Answer:
    found = await desk.face.activity()
    shown = [limit_of(one) for one in found["policies"]]
    names = ", ".join(f'"{one["name"]}"' for one in shown)
    text = f"Fullest first: {names}." if shown else "No limit is set."
    return Answer(f"{text} Say amount, as 10usd, and policy or labels.", {"limits": shown})


def _brief(policy: Json) -> Json:
    names = ("policy_id", "name", "enforcement", "scope", "per", "period")
    limits = ("cost_limit", "token_limit", "request_limit")
    found = {name: policy[name] for name in names if name in policy}
    return found | {name: policy[name] for name in limits if policy.get(name) is not None}
