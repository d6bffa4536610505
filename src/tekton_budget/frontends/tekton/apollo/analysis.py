"""What was used, and what came of it: the enhanced adapter's analytics and efficiency."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from tekton_budget.face.budget import Budget
from tekton_budget.face.request import Json, Labels
from tekton_budget.frontends.tekton.apollo.models import BudgetPeriod
from tekton_budget.frontends.tekton.apollo.policies import OWN
from tekton_budget.frontends.tekton.apollo.summaries import ENDLESS, window

ALTERNATIVES = 5
BETTER_PERCENT = 20  # more output for a dollar, before another model is worth a word
ENOUGH_CALLS = 3
SHORT_PROMPT, LONG_PROMPT = 50, 3000
_DIGITS = Decimal("0.000000001")

Answer = dict[str, Any]  # Any: JSON with decimals


@dataclass(frozen=True, slots=True)
class Asked:
    """From when to when, as the host's clock shows it."""

    period: str
    start: datetime
    end: datetime


def interval(period: BudgetPeriod, start: datetime | None, end: datetime | None) -> Asked:
    """The two times, where both are said; else the open window of the period, at least a day's."""
    if start is not None and end is not None:
        return Asked("custom", start, end)
    start, end = window(BudgetPeriod.DAILY if period in ENDLESS else period)
    return Asked(period.value, start, end)


def analytics(
    budget: Budget, asked: Asked, provider: str | None, model: str | None, labels: Labels
) -> Answer:
    """Usage from every side."""
    start, end = asked.start.astimezone(), asked.end.astimezone()
    found = budget.usage_analytics(
        start=start, end=end, provider=provider, model=model, labels=labels
    )
    totals, series = found["totals"], found["time_series"]
    report = budget.usage_report(by=["provider", "model"], start=start, end=end, labels=labels)
    return {
        "period": asked.period,
        "start_date": asked.start.isoformat(),
        "end_date": asked.end.isoformat(),
        "total_input_tokens": totals["input_tokens"],
        "total_output_tokens": totals["output_tokens"],
        "total_tokens": totals["total_tokens"],
        "total_cost": totals["cost"],
        "record_count": totals["count"],
        "averages": found["averages"],
        "providers": _providers(
            one for one in report["rows"] if _is(one, provider=provider, model=model)
        ),
        "components": {name: _sums(one) for name, one in found["by_component"].items()},
        "task_types": {name: _sums(one) for name, one in found["by_task_type"].items()},
        "top_models": found["top_models"],
        "time_series": {
            "labels": [one["start_time"] for one in series],
            "input_tokens": [one["input_tokens"] for one in series],
            "output_tokens": [one["output_tokens"] for one in series],
            "costs": [one["cost"] for one in series],
            "counts": [one["count"] for one in series],
        },
        "budget_id": OWN,
    }


def efficiency(
    budget: Budget, asked: Asked, provider: str, model: str, context_id: str | None
) -> Answer:
    """What a model wrote for what it read, and for a dollar; `None` where that is not known."""
    report = budget.usage_report(
        by=["provider", "model", "task_type"],
        start=asked.start.astimezone(),
        end=asked.end.astimezone(),
        labels={"context_id": context_id} if context_id else {},
    )
    rows = report["rows"]
    own = [one for one in rows if _is(one, provider=provider, model=model)]
    head = {
        "provider": provider,
        "model": model,
        "period": asked.period,
        "context_id": context_id,
        "data_available": bool(own),
    }
    if not own:
        return {**head, "message": "No usage data available for this query"}
    tasks = {str(one["values"]["task_type"]): _measured([one]) for one in own}
    total = _measured(own)
    others = [] if context_id else _others(rows, total, provider, model, set(tasks))
    return {
        **head,
        "completion_count": total["count"],
        "total_input_tokens": total["input_tokens"],
        "total_output_tokens": total["output_tokens"],
        "total_tokens": sum(one["total_tokens"] for one in own),
        "total_cost": total["cost"],
        "effectiveness_ratio": total["effectiveness_ratio"],
        "cost_efficiency": total["cost_efficiency"],
        "cost_per_output_token": _ratio(total["cost"], total["output_tokens"]),
        "avg_cost_per_completion": total["avg_cost_per_completion"],
        "avg_tokens_per_completion": _ratio(
            sum(one["total_tokens"] for one in own), total["count"]
        ),
        "task_types": tasks,
        "alternatives": others[:ALTERNATIVES],
        "recommendations": _recommendations(total, tasks, others),
    }


def _others(
    rows: Sequence[Json], own: Answer, provider: str, model: str, tasks: set[str]
) -> list[Answer]:
    """Other models at the same tasks, the most output for a dollar first."""
    groups: dict[tuple[str, str], list[Json]] = {}
    for one in rows:
        values = one["values"]
        if not _is(one, provider=provider, model=model) and str(values["task_type"]) in tasks:
            groups.setdefault((values["provider"], values["model"]), []).append(one)
    found = []
    for (other, name), group in groups.items():
        told = _measured(group)
        if told["effectiveness_ratio"] is None:
            continue
        found.append(
            {
                "provider": other,
                "model": name,
                "effectiveness_ratio": told["effectiveness_ratio"],
                "effectiveness_diff": _percent(told, own, "effectiveness_ratio"),
                "cost_efficiency": told["cost_efficiency"],
                "cost_diff": _percent(told, own, "cost_efficiency"),
                "count": told["count"],
            }
        )
    return sorted(found, key=lambda one: one["cost_efficiency"] or Decimal(0), reverse=True)


def _recommendations(
    total: Answer, tasks: Mapping[str, Answer], others: Iterable[Answer]
) -> list[str]:
    told = []
    for one in others:
        better = one["cost_diff"]
        if better is not None and better > BETTER_PERCENT and one["count"] >= ENOUGH_CALLS:
            told.append(
                f"{one['provider']}/{one['model']} wrote {better:.0f} % more for a dollar at the "
                f"same task types ({one['count']} calls)."
            )
            break
    known = sorted(
        ((one["cost_efficiency"], name) for name, one in tasks.items() if one["cost_efficiency"])
    )
    if len(known) > 1 and known[-1][0] * 2 > known[0][0] * 3:
        told.append(
            f'It writes most for a dollar at "{known[-1][1]}" and least at "{known[0][1]}".'
        )
    mean = Decimal(total["input_tokens"]) / total["count"]
    if mean > LONG_PROMPT:
        told.append(f"Its prompts have {mean:.0f} tokens on average: shorter ones cost less.")
    elif mean < SHORT_PROMPT:
        told.append(f"Its prompts have {mean:.0f} tokens on average: context may be missing.")
    return told


def _measured(rows: Sequence[Json]) -> Answer:
    count = sum(one["count"] for one in rows)
    read = sum(one["input_tokens"] for one in rows)
    written = sum(one["output_tokens"] for one in rows)
    cost = sum((Decimal(one["cost"]) for one in rows), Decimal(0))
    return {
        "count": count,
        "input_tokens": read,
        "output_tokens": written,
        "cost": cost,
        "avg_input_tokens": _ratio(read, count),
        "avg_output_tokens": _ratio(written, count),
        "effectiveness_ratio": _ratio(written, read),
        "cost_efficiency": _ratio(written, cost),
        "avg_cost_per_completion": _ratio(cost, count),
    }


def _providers(rows: Iterable[Json]) -> Answer:
    found: Answer = {}
    for one in rows:
        values, sums = one["values"], _sums(one)
        provider = found.setdefault(
            values["provider"], {**dict.fromkeys(sums, 0), "cost": Decimal(0), "models": {}}
        )
        for name, value in sums.items():
            provider[name] += value
        provider["models"][values["model"]] = sums
    return found


def _sums(one: Json) -> Answer:
    return {
        "input_tokens": one["input_tokens"],
        "output_tokens": one["output_tokens"],
        "total_tokens": one["total_tokens"],
        "cost": Decimal(one["cost"]),
        "count": one["count"],
    }


def _is(one: Json, **said: str | None) -> bool:
    values = one["values"]
    return all(
        wanted is None or str(values[name]).lower() == wanted.lower()
        for name, wanted in said.items()
    )


def _ratio(part: Decimal | int, whole: Decimal | int) -> Decimal | None:
    if not whole:
        return None
    return (Decimal(part) / whole).quantize(_DIGITS, ROUND_HALF_EVEN).normalize() + 0


def _percent(one: Answer, other: Answer, name: str) -> Decimal | None:
    """By how many percent one has more."""
    if not one[name] or not other[name]:
        return None
    ratio = Decimal(one[name]) / Decimal(other[name])
    return ((ratio - 1) * 100).quantize(Decimal("0.1"))
