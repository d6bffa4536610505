"""Tools that spend: allocate, settle, release, extend, delegate, and record what was used."""

import asyncio
from collections.abc import Mapping
from decimal import ROUND_DOWN
from typing import Any

from tekton_budget.domain.errors import BudgetError, NotFound
from tekton_budget.face.answers import Grant, PolicyLeft, Quantity, Recorded, Settled
from tekton_budget.face.refusals import BudgetExceeded
from tekton_budget.face.request import given, new_id
from tekton_budget.frontends.mcp import words
from tekton_budget.frontends.mcp.desk import MADE_HERE, Answer, Desk
from tekton_budget.frontends.mcp.typical import parted, typical_call
from tekton_budget.frontends.mcp.words import usd

Json = Mapping[str, Any]  # Any: decoded JSON
Said = dict[str, Any]  # Any: arguments as checked

LIFETIME_SECONDS = 900
RECORDS_SHOWN = 3
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "tokens")
_leaving: set[asyncio.Task[None]] = set()  # a task that nobody holds may be collected


async def allocate(desk: Desk, said: Said) -> Answer:
    """A hold for one call, or for one like past ones."""
    asked = dict(said)
    assumed: list[str] = []
    if not asked.keys() & {"cost", "tokens"} and not (
        {"model", "input_tokens", "max_output_tokens"} <= asked.keys()
    ):
        call = await typical_call(desk, said, "p90")
        assumed = call.assumed
        if call.model is not None:
            asked["model"] = call.name
            asked |= {"input_tokens": call.input_tokens, "max_output_tokens": call.output_tokens}
    provider, model = parted(asked.pop("model")) if "model" in asked else (None, None)
    grant = await _granted(desk, {**asked, "provider": provider, "model": model})
    desk.remember_made(grant.allocation_id)
    text = _granted_text(grant, model)
    if assumed:
        text += f" Assumed: {'; '.join(assumed)}."
    return Answer(text, {**_grant(grant), "provider": provider, "model": model, "assumed": assumed})


async def delegate(desk: Desk, said: Said) -> Answer:
    """A part of an allocation, for a sub-agent."""
    asked = dict(said)
    parent_id, how = await _named(desk, asked)
    if not asked.keys() & {"cost", "tokens"}:
        asked |= _half(await desk.face.allocation(parent_id))
    agent = asked.pop("agent", None)
    labels = {**asked.pop("labels", {}), **given(agent=agent)}
    grant = await _granted(desk, {**asked, "labels": labels, "parent_id": parent_id})
    text = (
        f"Delegated {_granted_amounts(grant.granted)} of {parent_id} as allocation "
        f"{grant.allocation_id}, until {grant.expires_at.isoformat()}. Give that id to the "
        "sub-agent: it settles it; what it leaves returns."
    )
    return Answer(text, {**_grant(grant), "parent_id": parent_id, "parent_is": how})


async def settle(desk: Desk, said: Said) -> Answer:
    """The end of an allocation, with what was used."""
    used = dict(said)
    allocation_id, how = await _named(desk, used)
    provider, model = parted(used.pop("model")) if "model" in used else (None, None)
    note = None
    cascade = used.pop("cascade", False)
    if not used:
        used, note = await _unsaid(desk, allocation_id)
    settled = await desk.face.settle(
        allocation_id,
        **used,
        **given(model_used=model, provider_used=provider),
        cascade=cascade,
    )
    desk.remember_ended(allocation_id)
    cost = "an unknown cost" if settled.cost is None else usd(settled.cost)
    text = f"Settled {allocation_id}{_which(how)} at {cost}."
    if note is not None:
        text += f" {note}"
    return Answer(text + _left_text(settled.policies), _settled(settled))


async def release(desk: Desk, said: Said) -> Answer:
    """All given back."""
    asked = dict(said)
    allocation_id, how = await _named(desk, asked)
    settled = await desk.face.release(allocation_id, **asked)
    desk.remember_ended(allocation_id)
    text = f"Released {allocation_id}{_which(how)}: what it still held is free again."
    return Answer(text + _left_text(settled.policies), _settled(settled))


async def extend(desk: Desk, said: Said) -> Answer:
    """Longer, or more."""
    asked = dict(said)
    allocation_id, how = await _named(desk, asked)
    seconds = asked.pop("lifetime_seconds", None if asked else LIFETIME_SECONDS)
    try:
        settled = await desk.face.extend(allocation_id, seconds, **asked)
    except BudgetExceeded as denied:
        desk.remember_denial(denied.denial)
        raise
    until = "" if settled.expires_at is None else f" until {settled.expires_at.isoformat()}"
    text = f"Extended {allocation_id}{_which(how)}{until}."
    if settled.granted is not None:
        text += f" It may use {_granted_amounts(settled.granted)} in all."
    return Answer(text + _left_text(settled.policies), _settled(settled))


async def record_usage(desk: Desk, said: Said) -> Answer:
    """Usage as a fact."""
    used = dict(said)
    if not used.keys() & {*_TOKENS, "cost"}:
        return await _recorded_last(desk)
    provider, model = parted(used.pop("model")) if "model" in used else (None, None)
    recorded = await desk.face.record(**used, **given(model=model, provider=provider))
    cost = "an unknown cost" if recorded.cost is None else usd(recorded.cost)
    text = f"Recorded {recorded.total_tokens or 0:,} tokens at {cost}."
    if recorded.cost_note is not None:
        text += f" {recorded.cost_note}"
    return Answer(text + _left_text(recorded.policies), _recorded(recorded))


async def _granted(desk: Desk, asked: Said) -> Grant:
    """An ask under an id of its own: cancelled on its way, it is given back whatever came of it."""
    id_ = new_id()
    try:
        hold = await desk.face.allocate(allocation_id=id_, metadata=MADE_HERE, **asked)
    except BudgetExceeded as denied:
        desk.remember_denial(denied.denial)
        raise
    except asyncio.CancelledError:
        seconds = asked.get("wait_seconds", 0)
        task = asyncio.get_running_loop().create_task(_give_back(desk, id_, seconds))
        _leaving.add(task)
        task.add_done_callback(_leaving.discard)
        raise
    return hold.grant


async def _give_back(desk: Desk, allocation_id: str, wait_seconds: int) -> None:
    """Now, and again after what it may have waited for at a server that nobody could tell."""
    for pause_seconds in (0, wait_seconds + 1):
        await asyncio.sleep(pause_seconds)
        try:
            await desk.face.release(allocation_id)
        except NotFound:
            if wait_seconds:
                continue  # not granted, yet
        except BudgetError:
            pass  # it ends by its time
        return


async def _named(desk: Desk, said: Said) -> tuple[str, str]:
    """The allocation that is named, taken out of what was said; else the one that is meant."""
    if "allocation_id" in said:
        return said.pop("allocation_id"), "named"
    return await desk.latest()


async def _unsaid(desk: Desk, allocation_id: str) -> tuple[Said, str]:
    """What is charged where nobody says what was used: what was recorded, else all it held."""
    found = await desk.face.allocation(allocation_id)
    if found["usage_records"] or not found["is_active"]:
        return {}, "No usage was given: what was recorded of it before stands."
    tokens, output = found["granted"]["tokens"], found["max_output_tokens"]
    if output is not None:
        held = {"input_tokens": tokens - output, "output_tokens": output}
    else:
        held = given(cost=found["granted"]["cost"] or None, tokens=tokens or None)
    note = (
        "No usage was given, so all that it held is charged, as an estimate. Send input_tokens and "
        "output_tokens next time, or release what was not used."
    )
    return {**held, "estimated": True} if held else {}, note


def _half(parent: Json) -> Said:
    """Half of what a parent has not used or lent yet."""
    lent, spent = parent["children"]["lent"], parent["children"]["spent"]
    cost = parent["granted"]["cost"] - parent["actual_cost"] - lent["cost"] - spent["cost"]
    tokens = parent["granted"]["tokens"] - parent["tokens_used"] - lent["tokens"] - spent["tokens"]
    return given(cost=max(cost, 0) / 2 or None, tokens=max(tokens, 0) // 2 or None)


async def _recorded_last(desk: Desk) -> Answer:
    page = await desk.face.usage_records(labels=desk.face.labels, limit=RECORDS_SHOWN)
    names = ("record_id", "timestamp", "provider", "model", "total_tokens", "cost")
    shown = [{name: one.get(name) for name in names} for one in page["items"]]
    text = "No usage was given, so nothing was recorded: send input_tokens and output_tokens (with "
    text += "model), or cost in USD."
    if shown:
        text += f" Recorded last: {_record_text(shown[0])}."
    return Answer(text, {"recorded": False, "latest": shown})


def _record_text(one: Json) -> str:
    cost = "an unknown cost" if one["cost"] is None else usd(one["cost"])
    return f"{one['total_tokens'] or 0:,} tokens of {one['model'] or 'no model'} at {cost}"


# Words and numbers ------------------------------------------------------------------------------


def _granted_text(grant: Grant, model: str | None) -> str:
    text = f"Granted: up to {_granted_amounts(grant.granted)}"
    if grant.max_output_tokens is not None and model is not None:
        text += f" (at most {grant.max_output_tokens:,} output tokens of {model})"
    text += f" until {grant.expires_at.isoformat()}. Make the call, then settle "
    text += f"{grant.allocation_id} with what it used."
    if grant.decision != "allow":
        reasons = f": {'; '.join(grant.reasons)}" if grant.reasons else ""
        text += f" Decision {grant.decision}{reasons}."
    if grant.landing:
        text += " The budget is nearly used up: finish what is under way."
    return text + _left_text(grant.policies)


def _granted_amounts(granted: Quantity) -> str:
    return words.units({"cost": granted.cost, "tokens": granted.tokens})


def _left_text(policies: tuple[PolicyLeft, ...]) -> str:
    """What the tightest limit has left."""
    for one in policies:
        rest = one.remaining
        if rest is None:
            continue
        for unit, value in (("cost", rest.cost), ("tokens", rest.tokens)):
            if value is not None:
                return f' Left in "{one.name}": {words.amount(unit, value, ROUND_DOWN)}.'
    return ""


def _grant(grant: Grant) -> Said:
    return {
        "allocation_id": grant.allocation_id,
        "decision": grant.decision,
        "granted": _amounts(grant.granted),
        "max_output_tokens": grant.max_output_tokens,
        "expires_at": grant.expires_at.isoformat(),
        "reasons": list(grant.reasons),
        "limits": _limits(grant.policies),
        **({"landing": True} if grant.landing else {}),
    }


def _settled(settled: Settled) -> Said:
    return {
        "allocation_id": settled.allocation_id,
        "status": settled.status,
        "cost": settled.cost,
        "cost_source": settled.cost_source,
        "record_id": settled.record_id,
        "expires_at": None if settled.expires_at is None else settled.expires_at.isoformat(),
        "limits": _limits(settled.policies),
    }


def _recorded(recorded: Recorded) -> Said:
    return {
        "record_id": recorded.record_id,
        "allocation_id": recorded.allocation_id,
        "total_tokens": recorded.total_tokens,
        "cost": recorded.cost,
        "cost_source": recorded.cost_source,
        "limits": _limits(recorded.policies),
    }


def _limits(policies: tuple[PolicyLeft, ...]) -> list[Said]:
    return [
        {
            "name": one.name,
            "group": one.group,
            "remaining": None if one.remaining is None else _amounts(one.remaining),
            "resets_at": None if one.resets_at is None else one.resets_at.isoformat(),
        }
        for one in policies
    ]


def _amounts(one: Quantity) -> Said:
    return {"tokens": one.tokens, "cost": one.cost, "requests": one.requests}


def _which(how: str) -> str:
    return "" if how == "named" else f" ({how})"
