"""Commands about usage: how much, of what, where to, and what would have been cheaper."""

from decimal import Decimal
from typing import Any

from tekton_budget.domain.errors import BudgetError, Unavailable
from tekton_budget.face.budget import AsyncBudget
from tekton_budget.face.request import got, labelled
from tekton_budget.frontends.api.commanding.said import (
    Answering,
    Json,
    Said,
    Values,
    counted,
    lines,
    said_labels,
    text_of,
    tokens,
    usd,
    whole_of,
)

_DAYS = 30
_SHOWN = 10
_LOOKED_AT = 3  # models for which cheaper ones are sought
_GROUPS = ("provider", "model", "component")
_RECORDS = ("start_date", "end_date", "allocation_id", "limit", "page", "after", "budget_id")


async def show_usage(budget: AsyncBudget, values: Values) -> Said:
    """`/usage`: of the open window of a period."""
    return await _usage(budget, values, period=str(values["period"]))


async def get_usage(budget: AsyncBudget, values: Values) -> Said:
    """`get-usage`: of the last days, told hour by hour, day by day, or by longer periods."""
    found = await _analytics(budget, values, days=whole_of(values, "days") or 7)
    return Said(
        lines(f"Usage of the last {found['days']} days:", _totals(found), *_groups(found)),
        {"asked_period": values["period"], **found},
    )


async def _usage(budget: AsyncBudget, values: Values, *, period: str) -> Said:
    found = await _analytics(budget, values, period=period)
    whose = text_of(values, "component")
    head = f"Usage ({period}){f' of {whose}' if whose else ''}:"
    return Said(lines(head, _totals(found), *_groups(found)), found)


async def query(budget: AsyncBudget, values: Values) -> Said:
    """`/query`: single usages, newest first."""
    given = values.get("filters")
    filters = dict(given) if isinstance(given, dict) else {}
    own = {name: filters.pop(name) for name in _RECORDS if name in filters}
    own.setdefault("limit", "20")
    page = await budget.send(got("usage_records", "/usage/records", query=labelled(filters, **own)))
    told = [_record(one) for one in page["items"]]
    more = ["There are more: add limit=100, or start_date=…"] if page.get("next") else []
    if not told:
        return Said("No usage is recorded of these.", page)
    return Said(lines(f"Usage, newest first ({len(told)}):", told, *more), page)


async def analyze(budget: AsyncBudget, values: Values) -> Said:
    """`/analyze`: where the money went, and how it develops."""
    found = await _asked(budget, values)
    total = found["totals"]
    if not total["count"]:
        return Said("Nothing was used in this time.", found)
    averages = found["averages"]
    series = found["time_series"]
    peak = max(series, key=lambda one: one["cost"] or 0, default=None)
    told = [
        *_totals(found),
        f"On average {usd(averages['cost_per_day'])} a day, {usd(averages['cost_per_request'])} "
        "a request",
    ]
    if peak is not None and total["cost"]:
        when = peak["start_time"][: 10 if found["granularity"] == "day" else 13].replace("T", " ")
        told.append(f"Most in one {found['granularity']}: {usd(peak['cost'])}, {when}")
    return Said(lines(f"{_whence(found)}:", told, *_groups(found)), found)


async def optimize(budget: AsyncBudget, values: Values) -> Said:
    """`/optimize`: for the dearest models, what the cheapest that would do had cost."""
    found = await _asked(budget, values)
    advice: list[dict[str, Any]] = []
    for one in found["top_models"][:_LOOKED_AT]:
        instead = await _cheaper(budget, one, found["by_model"].get(one["model"]))
        if instead is not None:
            advice.append(instead)
    data = {"analytics": found, "recommendations": advice}
    if not found["totals"]["count"]:
        return Said("Nothing was used in this time.", data)
    if not advice:
        return Said("No cheaper model is known that would do for what was used most.", data)
    told = [
        f"{one['instead_of']} cost {usd(one['cost'])}; {one['provider']}/{one['model']} would have "
        f"cost about {usd(one['estimated_cost'])} for the same tokens" + _but(one)
        for one in advice
    ]
    return Said(lines(f"{_whence(found)}, cheaper models for what cost most:", told), data)


async def _cheaper(budget: AsyncBudget, used: Json, sums: Json | None) -> dict[str, Any] | None:
    """The cheapest that would do, by the average tokens of a model's requests."""
    if sums is None or not sums["requests"] or not sums["cost"]:
        return None
    reads = sums["total_tokens"] - sums["output_tokens"]
    try:
        answer = await budget.recommend(
            used["provider"],
            used["model"],
            input_tokens=max(1, reads // sums["requests"]),
            output_tokens=max(1, sums["output_tokens"] // sums["requests"]),
        )
    except Unavailable:
        raise
    except BudgetError:
        return None  # its price is not known: there is nothing to compare
    cheaper = [
        one for one in answer["items"] if one["fits"] is not False and (one["savings"] or 0) > 0
    ]
    if not cheaper:
        return None
    best = min(cheaper, key=lambda one: (one["fits"] is None, bool(one["lost"])))
    return {
        **best,
        "instead_of": f"{used['provider'] or '?'}/{used['model']}",
        "cost": sums["cost"],
        "estimated_cost": best["estimated_cost"] * sums["requests"],
    }


def _but(one: Json) -> str:
    if one["fits"] is None:
        return " (if it can do the same, which is not known)"
    return f" (without {', '.join(one['lost'])})" if one["lost"] else ""


async def _asked(budget: AsyncBudget, values: Values) -> Json:
    days, period = whole_of(values, "days"), text_of(values, "period")
    if days is None and period is not None:
        return await _analytics(budget, values, period=period)
    return await _analytics(budget, values, days=days or _DAYS)


async def _analytics(
    budget: AsyncBudget, values: Values, *, period: str | None = None, days: int | None = None
) -> Json:
    labels = said_labels(values, *_GROUPS)
    return await budget.usage_analytics(period=period, days=days, labels=labels)


def _totals(found: Json) -> list[str]:
    total = found["totals"]
    told = [
        f"{usd(total['cost'])} for {tokens(total['total_tokens'])} "
        f"({total['input_tokens']:,} read, {total['output_tokens']:,} written), "
        f"{counted(total['requests'], 'request')}"
    ]
    if total.get("unpriced"):
        told.append(f"{total['unpriced']:,} of the records have no price, and are not in the cost")
    return told


def _groups(found: Json) -> list[str | list[str]]:
    told: list[str | list[str]] = []
    for name in _GROUPS:
        group = found[f"by_{name}"]
        rows = sorted(group.items(), key=lambda one: one[1]["cost"] or Decimal(0), reverse=True)
        if not rows:
            continue
        told.append(f"By {name}:")
        told.append(
            [
                f"{value}: {usd(one['cost'])}, {tokens(one['total_tokens'])}"
                for value, one in rows[:_SHOWN]
            ]
        )
        if len(rows) > _SHOWN:
            told.append([f"and {len(rows) - _SHOWN} more"])
    return told


def _whence(found: Json) -> str:
    if found["period"] is not None:
        return f"In the open {found['period']} window"
    return f"In the last {found['days']} days"


def _record(one: Json) -> str:
    who = one["component"] or "no component"
    model = f"{one['provider'] or '?'}/{one['model'] or '?'}"
    return (
        f"{one['timestamp'][:19]} {who}, {model}: {tokens(one['total_tokens'])}, {usd(one['cost'])}"
    )


COMMANDS: dict[str, Answering] = {
    "usage": show_usage,
    "get-usage": get_usage,
    "query": query,
    "analyze": analyze,
    "optimize": optimize,
}
