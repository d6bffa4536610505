"""Telling: findings in sentences, the most telling first."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from tekton_budget.domain.limit_text import tokens_text
from tekton_budget.domain.money import nano_from_usd, usd_text
from tekton_budget.domain.recommend import Advice
from tekton_budget.domain.zones import datetime_from_us
from tekton_budget.service.advising.finding import Findings, Swap
from tekton_budget.service.reporting.analytics import UsageAnalytics
from tekton_budget.service.reporting.overview import BudgetSummary
from tekton_budget.service.reporting.reports import NONE, ModelSums, Sums

NAMED_MAX = 5  # models, components, days that a text names
PEAK = 3  # times the median of the days with usage
DAYS_FOR_PEAKS = 4
_NOTHING = "Nothing was used in this time, as far as this key may see."


def analysis_text(found: Findings) -> str:
    """Sums, shares, trend, peaks, limits; and at the end where it was looked."""
    lines = [f"Usage of {span_text(found.usage)}:"]
    if not found.usage.summary.total.records:
        lines.append(_NOTHING)
    else:
        lines += [f"- {line}" for line in _usage_lines(found.usage)]
    lines += [f"- {line}" for line in limit_lines(found.limits, found.period)]
    lines.append(looked_text(found.usage))
    return "\n".join(lines)


def optimization_text(found: Findings) -> str:
    """What would cost less, the largest saving first; what cannot be told; where it was looked."""
    lines = [f"What would have cost less, in {span_text(found.usage)}:"]
    if not found.usage.summary.total.records:
        lines.append(_NOTHING)
    for swap in found.swaps:
        lines += [f"- {line}" for line in _swap_lines(swap)]
    if found.usage.summary.total.records and not any(swap.best for swap in found.swaps):
        lines.append("- No model in use has a cheaper one in the price book that is known to do.")
    unpriced = found.usage.summary.total.unpriced
    if unpriced:
        lines.append(f"- {_records(unpriced)} without a known price cannot be compared.")
    if any(swap.best for swap in found.swaps):
        lines.append("- How good a model's answers are the price book does not know: try first.")
    lines.append(looked_text(found.usage, prices=True))
    return "\n".join(lines)


def span_text(usage: UsageAnalytics) -> str:
    """The days that were looked at."""
    interval = usage.summary.interval
    if interval.from_us is None or interval.to_us is None:
        return "all time"
    first = datetime_from_us(interval.from_us, interval.zone).date()
    last = datetime_from_us(interval.to_us - 1, interval.zone).date()
    if first == last:
        return f"{first} ({interval.zone})"
    return f"{first} to {last} ({interval.zone})"


def sums_text(sums: Sums) -> str:
    """One sentence of sums."""
    text = f"{usd_text(sums.cost_nano)} in {_requests(sums.requests)}, "
    text += (
        f"{tokens_text(sums.total_tokens)} ({sums.input_tokens:,} in, {sums.output_tokens:,} out)"
    )
    if sums.unpriced:
        text += f"; {_records(sums.unpriced)} without a known price not in it"
    return text + "."


def limit_lines(limits: Sequence[BudgetSummary], period: str) -> Iterator[str]:
    """Where each limit of a period stands."""
    if not limits:
        yield f"No {period} limit is set, as far as this key may see."
    for one in limits[:NAMED_MAX]:
        parts = []
        if one.cost_limit_nano is not None:
            parts.append(f"{usd_text(one.cost_nano)} of {usd_text(one.cost_limit_nano)}")
        if one.token_limit is not None:
            parts.append(f"{one.tokens_used:,} of {tokens_text(one.token_limit)}")
        shares = [s for s in (one.cost_share_ppm, one.token_share_ppm) if s is not None]
        part = f" ({max(shares) // 10_000} %)" if shares else ""
        passed = ": passed" if one.cost_limit_exceeded or one.token_limit_exceeded else ""
        group = f" for {one.group}" if one.group else ""
        yield f'The {period} limit "{one.name}"{group} stands at {", ".join(parts)}{part}{passed}.'
    if len(limits) > NAMED_MAX:
        yield f"{len(limits) - NAMED_MAX} more limits are in GET /api/v1/policies."


def looked_text(usage: UsageAnalytics, *, prices: bool = False) -> str:
    """Where it was looked, so that it can be looked up."""
    also = " and the price book" if prices else ""
    return (
        f"Looked at: {_records(usage.summary.total.records)} of the ledger "
        f"({usage.summary.exact_from}){also}. No language model was asked."
    )


def models_text(models: Sequence[ModelSums], total_nano: int) -> str:
    """The costliest models with their shares."""
    named = [
        f"{_name_of(one)} "
        + (
            "at no known price"
            if one.sums.unpriced and not one.sums.cost_nano
            else f"{usd_text(one.sums.cost_nano)}{_share_text(one.sums.cost_nano, total_nano)}"
        )
        for one in models[:NAMED_MAX]
    ]
    return ", ".join(named)


def _usage_lines(usage: UsageAnalytics) -> Iterator[str]:
    total = usage.summary.total
    yield f"In all {sums_text(total)}"
    if total.requests > 0:
        yield f"One request cost {usd_text(total.cost_nano // total.requests)} on average."
    yield f"Models: {models_text(usage.summary.models, total.cost_nano)}."
    for name in ("component", "task_type"):
        group = usage.summary.groups.get(name, {})
        named = [
            f"{value} {usd_text(sums.cost_nano)}{_share_text(sums.cost_nano, total.cost_nano)}"
            for value, sums in list(group.items())[:NAMED_MAX]
            if value != NONE
        ]
        if named:
            yield f"By {name.replace('_', ' ')}: {', '.join(named)}."
    yield from _trend_lines(usage)


def _trend_lines(usage: UsageAnalytics) -> Iterator[str]:
    """The later half of the days against the earlier one, and days that stand out."""
    if usage.granularity != "day" or len(usage.series) < 2:
        return
    costs = [one.sums.cost_nano for one in usage.series]
    half = len(costs) // 2
    later, earlier = sum(costs[-half:]), sum(costs[-2 * half : -half])
    if earlier:
        change = (later - earlier) * 100 // earlier
        yield (
            f"The last {half} days cost {usd_text(later)}, the {half} before "
            f"{usd_text(earlier)} ({change:+d} %)."
        )
    used = [cost for cost in costs if cost > 0]
    if len(used) < DAYS_FOR_PEAKS:
        return
    usual = sorted(used)[(len(used) - 1) // 2]  # the lower median
    zone = usage.summary.interval.zone
    peaks = [one for one in usage.series if one.sums.cost_nano > PEAK * usual]
    peaks.sort(key=lambda one: -one.sums.cost_nano)
    for one in peaks[:NAMED_MAX]:
        day = datetime_from_us(one.opens_us, zone).date()
        yield (
            f"{day} stands out: {usd_text(one.sums.cost_nano)}, where a day with usage has a "
            f"median of {usd_text(usual)}."
        )


def _swap_lines(swap: Swap) -> Iterator[str]:
    name = _name_of(swap.used)
    spent = f"{usd_text(swap.used.sums.cost_nano)} in {_requests(swap.used.sums.requests)}"
    if swap.found is None:
        yield f"{name}, {spent}: cannot be compared: {swap.why}"
        return
    best = swap.best
    if best is None:
        yield f"{name}, {spent}: nothing cheaper in the price book is known to do."
    else:
        assert swap.found.bill is not None, "a model in use was named"
        call = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in swap.call.items())
        yield (
            f"{name}, {spent}: its average call ({call}) costs {usd(swap.found.bill.usd)} by the "
            f"price book, and {usd(best.usd)} with {_model_text(best)}, about "
            f"{usd(swap.saved_usd)} in this time. {_loss_text(best)}"
        )
        cheapest = swap.cheapest
        if cheapest is not None and cheapest is not best:
            yield (
                f"The cheapest for that call is {_model_text(cheapest)}: {usd(cheapest.usd)}. "
                f"{_loss_text(cheapest)}"
            )
    yield from swap.tips


def _name_of(one: ModelSums) -> str:
    """A model and its provider, as far as they are told."""
    model = "no model named" if one.model == NONE else one.model
    return model if one.provider == NONE else f"{model} ({one.provider})"


def _model_text(advice: Advice) -> str:
    percent = advice.saved_percent
    less = "" if percent is None else f", {percent.normalize() + 0:f} % less"
    return f"{advice.card.model} ({advice.card.provider}{less})"


def _loss_text(advice: Advice) -> str:
    """What is given up."""
    parts = [f"Lost: {', '.join(advice.lost)}." if advice.lost else "No known ability is lost."]
    if advice.unknown:
        parts.append(f"Not known: {', '.join(advice.unknown)}.")
    return " ".join(parts)


def usd(amount: Decimal) -> str:
    """Dollars in words, to 10⁻⁹."""
    return usd_text(nano_from_usd(amount))


def _share_text(part: int, whole: int) -> str:
    return f" ({part * 100 // whole} %)" if whole > 0 else ""


def _requests(count: int) -> str:
    return f"{count:,} request" + ("" if count == 1 else "s")


def _records(count: int) -> str:
    return f"{count:,} record" + ("" if count == 1 else "s")
