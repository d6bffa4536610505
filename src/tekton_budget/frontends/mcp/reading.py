"""Tools that read: what is left, what fits, what calls cost, what was spent, why not."""

from collections.abc import Mapping
from typing import Any

from tekton_budget.frontends.mcp import words
from tekton_budget.frontends.mcp.desk import Answer, Desk
from tekton_budget.frontends.mcp.typical import parted, typical_call
from tekton_budget.frontends.mcp.words import counted, usd

Json = Mapping[str, Any]  # Any: decoded JSON
Said = dict[str, Any]  # Any: arguments as checked

PRICES_MAX = 20
ADVISED_MAX = 5
ROWS_MAX = 20
RATES = ("input", "output", "cache_read", "cache_write")
_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five", 10: "ten"}


async def budget_status(desk: Desk, said: Said) -> Answer:
    """One sentence, then every limit."""
    labels = said.get("labels")
    status = await desk.face.status(labels)
    plan = await desk.face.plan(labels=labels)
    recent = plan["recent"]
    data = {
        "calls_left": None if recent is None else recent["steps"],
        "recent_calls": recent,
        "limits": [limit_of(one) for one in status["policies"]],
        "labels": status["labels"],
    }
    if desk.memory is not None and desk.memory.allocations:
        data["latest_allocation"] = desk.memory.allocations[-1]
    return Answer(standing(status, recent), data)


def standing(status: Json, recent: Json | None) -> str:
    """As `$1.12 of $2.00 left in this run; about 14 more calls like the last ten`."""
    binds = status["binds"]
    if binds is None:
        if not status["policies"]:
            return "No limit concerns these calls; they are counted all the same."
        if all(one["hidden"] for one in status["policies"]):
            return "Limits concern these calls, but this key may not see their numbers."
        return "No limit is enforced on these calls: those there are only count or warn."
    text = f"{words.left(binds)} {words.place(binds, status['labels'])}"
    if recent is not None and recent["steps"] is not None:
        text += f"; about {counted(recent['steps'], 'more call')} like the {_last(recent['calls'])}"
    text += "."
    if _is_landing(binds):
        text += " That is kept for the end: finish what is under way."
    if binds["resets_at"] is not None:
        text += f" It resets {binds['resets_at']}."
    return text


async def plan(desk: Desk, said: Said) -> Answer:
    """Steps by model that fit."""
    found = await desk.face.plan(**said)
    lines = [_planned(one, found["steps"]) for one in found["models"]]
    if not lines:
        lines = ["Nothing to go by: no model is named, none was used, and no price is known."]
    elif found["binds"] is not None:
        lines.insert(0, f'{words.left(found["binds"])} in "{found["binds"]["name"]}". Fit:')
    if found["assumed"]:
        lines.append(f"Assumed: {'; '.join(found['assumed'])}.")
    elif found["calls"]:
        lines.append(f"By the last {counted(found['calls'], 'call')}.")
    binds = found["binds"]
    data = {**found, "binds": None if binds is None else limit_of(binds)}
    return Answer("\n".join(lines), data)


def _planned(one: Json, steps: int | None) -> str:
    name = model_name(one)
    at = [(one["median"], "at the median"), (one["p90"], "at the 90th percentile")]
    told = []
    for forecast, rank in at:
        cost = "no known cost" if forecast["cost"] is None else usd(forecast["cost"])
        fit = "any number of steps" if forecast["steps"] is None else None
        fit = fit or counted(forecast["steps"], "step")
        if forecast["fits"] is not None:
            fit = f"{steps} {'fit' if forecast['fits'] else 'do not fit'} ({fit})"
        told.append(f"{fit} {rank} ({cost} each)")
    note = f"; {one['note']}" if one["note"] else ""
    return f"{name}: {', '.join(told)}{note}"


async def estimate(desk: Desk, said: Said) -> Answer:
    """What one call would cost, and whether it would be let through now."""
    call = await typical_call(desk, said, "median")
    if call.model is None:
        return Answer(
            "Name a model: none was used yet that could stand for it.", {"assumed": call.assumed}
        )
    usage = {"input_tokens": call.input_tokens, "output_tokens": call.output_tokens}
    bill = await desk.face.calculate(call.model, provider=call.provider, usage=usage)
    asked = await desk.face.plan(
        models=[call.name],
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        labels=said.get("labels"),
        steps=1,
    )
    fits = asked["models"][0]["median"]
    text = (
        f"{call.name} with {call.input_tokens:,} input and {call.output_tokens:,} output tokens "
        f"costs {usd(bill['cost'])}. "
    )
    if fits["fits"]:
        more = "any number" if fits["steps"] is None else f"{fits['steps']:,}"
        text += f"It fits: {more} of such calls."
    else:
        text += f'It does not fit into "{fits["bound_by"]}" now.'
    if call.assumed:
        text += f" Assumed: {'; '.join(call.assumed)}."
    data = {
        "provider": call.provider,
        "model": call.model,
        **usage,
        "cost": bill["cost"],
        "fits": fits["fits"],
        "calls_left": fits["steps"],
        "bound_by": fits["bound_by"],
        "assumed": call.assumed,
    }
    return Answer(text, data)


async def usage_report(desk: Desk, said: Said) -> Answer:
    """What was spent."""
    labels = {**desk.face.labels, **said.get("labels", {})}
    period = said.get("period") or ("total" if "run" in labels else "monthly")
    by = said.get("by") or ["model"]
    found = await desk.face.usage_report(by=by, period=period, labels=labels)
    total, rows = found["total"], found["rows"]
    spent = f"{usd(total['cost'])}, {total['total_tokens']:,} tokens"
    when = "in all" if period == "total" else f"in this window ({period})"
    lines = [f"Spent {when}: {spent} in {counted(total['requests'], 'call')}."]
    if not rows:
        lines = [f"Nothing was spent {when} with these labels."]
    for row in rows[:ROWS_MAX]:
        name = " ".join(str(row["values"].get(one) or "(none)") for one in by)
        lines.append(f"{name}: {usd(row['cost'])}, {row['total_tokens']:,} tokens")
    if len(rows) > ROWS_MAX:
        lines.append(f"and {len(rows) - ROWS_MAX} more rows")
    data = {"period": period, "labels": labels, "total": total, "rows": rows[:ROWS_MAX]}
    return Answer("\n".join(lines), data)


async def prices(desk: Desk, said: Said) -> Answer:
    """Prices per 1,000,000 tokens."""
    if "model" in said:
        provider, model = parted(said["model"])
        cards = await desk.face.prices(provider=provider, model=model)
        if not cards:
            cards = [await desk.face.current_price(provider, model)]
        why = ""
    else:
        plan = await desk.face.plan()
        cards = [
            await desk.face.current_price(one["provider"], one["model"])
            for one in plan["models"]
            if one["note"] is None
        ]
        why = "Of the models used lately" if plan["calls"] else "Of the cheapest models"
    shown = [price_of(card) for card in cards[:PRICES_MAX]]
    lines = [f"{why or 'Prices'}, in USD per 1,000,000 tokens:"]
    lines += [_price_line(one) for one in shown]
    if len(cards) > PRICES_MAX:
        lines.append(f"and {len(cards) - PRICES_MAX} more; say model more exactly, as gpt-5*")
    if not shown:
        lines = ["No price is known. Name a model: openai/gpt-5-mini, or a glob: gpt-5*"]
    return Answer("\n".join(lines), {"usd_per_million_tokens": shown, "known": len(cards)})


async def recommend_model(desk: Desk, said: Said) -> Answer:
    """Cheaper models for the same work."""
    call = await typical_call(desk, said, "median")
    found = await desk.face.recommend(
        call.provider,
        call.model,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        needs=said.get("needs"),
        limit=ADVISED_MAX,
    )
    items = [
        {
            "provider": one["provider"],
            "model": one["model"],
            "cost": one["estimated_cost"],
            "savings": one["savings"],
            "lost": one["lost"],
            "unknown": one["unknown"],
        }
        for one in found["items"]
    ]
    size = f"{call.input_tokens:,} input and {call.output_tokens:,} output tokens"
    if call.model is None:
        lines = [f"The cheapest for {size}:"]
    else:
        lines = [f"Instead of {call.name} ({usd(found['current_cost'])} for {size}):"]
    for one in items:
        lost = f"; lost: {words.listed(one['lost'])}" if one["lost"] else ""
        lines.append(f"{one['provider']}/{one['model']}: {usd(one['cost'])}{lost}")
    if not items:
        lines = [f"No cheaper model than {call.name} is known that can do this."]
    if call.assumed:
        lines.append(f"Assumed: {'; '.join(call.assumed)}.")
    current = {"provider": call.provider, "model": call.model, "cost": found["current_cost"]}
    return Answer("\n".join(lines), {"instead_of": current, "models": items})


async def explain_denial(desk: Desk, said: Said) -> Answer:
    """Why the latest refusal was, and how things stand now."""
    labels = said.get("labels")
    wanted = {**desk.face.labels, **(labels or {})}
    remembered = None if desk.memory is None or labels else desk.memory.denial
    status = await desk.face.status(labels)
    now = f"Now: {standing(status, None)}"
    if remembered is not None:
        facts = ("code", "policies", "largest_fit", "alternatives", "blocked_on", "retryable")
        data = {name: remembered[name] for name in facts if name in remembered}
        return Answer(f"{remembered['detail']}\n{now}", {**data, "now": now})
    found = await desk.face.decisions(decision="deny", by=["policy"], limit=100)
    samples = [one for one in found["samples"] if wanted.items() <= one["labels"].items()]
    if not samples:
        return Answer(f"Nothing was refused in the last day. {now}", {"denials": 0})
    latest = samples[0]
    text = f"Refused {latest['timestamp']}: {latest['detail'] or 'over budget'}\n{now}"
    data = {"latest": latest, "by_policy": found["items"], "denials": found["total"]}
    return Answer(text, data)


def _is_landing(limit: Json) -> bool:
    """Whether no more is left than what a policy keeps for the end."""
    left, kept = limit["remaining"], limit["landing"]
    return any(
        left[unit] is not None and kept[unit] > 0 and 0 < left[unit] <= kept[unit]
        for unit in ("cost", "tokens", "requests")
    )


def limit_of(one: Json) -> Json:
    """A limit with its numbers, without what a model has no use for."""
    names = ("name", "group", "enforcement", "period", "allowance", "spent", "held", "remaining")
    found = {name: one[name] for name in names} | {"resets_at": one["resets_at"]}
    if one["hidden"]:
        return {"name": one["name"], "enforcement": one["enforcement"], "hidden": True}
    return found


def model_name(one: Json) -> str:
    """`openai/gpt-5-mini`."""
    return f"{one['provider']}/{one['model']}" if one["provider"] else str(one["model"])


def price_of(card: Json) -> Json:
    """A price in brief."""
    rates = {name: card[name] for name in RATES if card.get(name) is not None}
    return {"provider": card["provider"], "model": card["model"], **rates}


def _price_line(one: Json) -> str:
    rates = ", ".join(f"{name.replace('_', ' ')} {one[name]:f}" for name in RATES if name in one)
    return f"{model_name(one)}: {rates or 'not by tokens'}"


def _last(calls: int) -> str:
    return "last one" if calls == 1 else f"last {_NUMBERS.get(calls, calls)}"
