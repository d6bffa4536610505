"""Usage as the API shows it: records with the original's fields, sums, and both as tables."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from tekton_budget.domain.zones import datetime_from_us
from tekton_budget.frontends.http.wire import number, time_text, usd
from tekton_budget.service.reporting.intervals import Interval
from tekton_budget.service.reporting.records import RecordView
from tekton_budget.service.reporting.reports import (
    NONE,
    ModelSums,
    ReportRow,
    Sums,
    UsageReport,
    UsageSummary,
)

RECORD_COLUMNS = (
    "record_id",
    "timestamp",
    "recorded_at",
    "allocation_id",
    "budget_id",
    "context_id",
    "component",
    "provider",
    "model",
    "task_type",
    "user_id",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "other_tokens",
    "reasoning_tokens",
    "total_tokens",
    "requests",
    "input_cost",
    "output_cost",
    "total_cost",
    "cost_source",
    "measurement",
    "late",
    "provisional",
    "reverses",
    "operation_id",
    "request_id",
    "labels",
    "metadata",
)
SUM_COLUMNS = (
    "count",
    "requests",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "other_tokens",
    "reasoning_tokens",
    "total_tokens",
    "cost",
    "unpriced",
)


def to_api_record(view: RecordView) -> dict[str, object]:
    """A usage record. A cost that is not known is `null`, never 0."""
    record = view.record
    labels, counts = record.labels, record.counts
    return {
        "record_id": record.record_id,
        "allocation_id": record.allocation_id,
        "budget_id": labels.get("budget"),
        "context_id": labels.get("context_id"),
        "component": labels.get("component"),
        "provider": record.provider,
        "model": record.model,
        "task_type": labels.get("task_type"),
        "input_tokens": counts.input,
        "output_tokens": counts.output,
        "cache_read_tokens": counts.cache_read,
        "cache_write_tokens": counts.cache_write,
        "other_tokens": counts.other,
        "reasoning_tokens": record.reasoning_tokens,
        "total_tokens": counts.total,
        "requests": record.requests,
        "input_cost": usd(view.input_cost_nano),
        "output_cost": usd(view.output_cost_nano),
        "total_cost": usd(record.cost_nano),
        "cost": usd(record.cost_nano),
        "book_cost": usd(record.book_cost_nano),
        "cost_source": record.cost_source,
        "pricing_version": record.price_id,
        "timestamp": time_text(record.at_us),
        "recorded_at": time_text(record.recorded_us),
        "operation_id": record.operation_id,
        "request_id": record.request_id,
        "user_id": labels.get("user"),
        "labels": labels,
        "measurement": record.measurement,
        "late": record.late,
        "provisional": record.provisional,
        "reverses": record.reverses,
        "metadata": msgspec.Raw(record.metadata.encode()),
    }


def record_row(view: RecordView) -> list[object]:
    """The same as a row of a table; objects are JSON in a cell."""
    shown = to_api_record(view)
    return [_cell(shown[name]) for name in RECORD_COLUMNS]


def to_api_sums(sums: Sums) -> dict[str, object]:
    """Counters of usage; `unpriced` records have no known cost and are not in `cost`."""
    return {
        "count": sums.records,
        "requests": sums.requests,
        "input_tokens": sums.input_tokens,
        "output_tokens": sums.output_tokens,
        "cache_read_tokens": sums.cache_read_tokens,
        "cache_write_tokens": sums.cache_write_tokens,
        "other_tokens": sums.other_tokens,
        "reasoning_tokens": sums.reasoning_tokens,
        "total_tokens": sums.total_tokens,
        "cost": usd(sums.cost_nano),
        "unpriced": sums.unpriced,
    }


def to_api_summary(
    summary: UsageSummary, split: tuple[int, int] | None = None
) -> dict[str, object]:
    """The original's totals and groups, and what its dashboard draws.

    `split` is what of the cost is for input and for output.
    """
    total, interval = summary.total, summary.interval
    input_nano, output_nano = (None, None) if split is None else split
    return {
        "period": summary.period,
        "start_time": moment(interval.from_us, interval),
        "end_time": moment(interval.to_us, interval),
        "timezone": interval.zone,
        "total_input_tokens": total.input_tokens,
        "total_output_tokens": total.output_tokens,
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "total_tokens": total.total_tokens,
        "total_cost": usd(total.cost_nano),
        "total_input_cost": usd(input_nano),
        "total_output_cost": usd(output_nano),
        "count": total.records,
        "request_count": total.records,
        "requests": total.requests,
        "unpriced": total.unpriced,
        "groups": {
            name: {value: to_api_sums(sums) for value, sums in group.items()}
            for name, group in summary.groups.items()
        },
        "providers": _providers(summary),
        "models": model_shares(summary.models, total),
        "components": [
            {
                "component": component,
                "name": component,
                "tokens": sums.total_tokens,
                "cost": usd(sums.cost_nano),
                "count": sums.records,
                "percentage": percentage(sums.cost_nano, total.cost_nano),
            }
            for component, sums in summary.groups.get("component", {}).items()
        ],
        "daily_usage": [
            {
                "date": day.date,
                "cost": usd(day.sums.cost_nano),
                "limit": usd(day.limit_nano),
                "tokens": day.sums.total_tokens,
                "count": day.sums.records,
            }
            for day in summary.days
        ],
        "read_from": summary.exact_from,
    }


def to_api_report(report: UsageReport) -> dict[str, object]:
    """Every combination of the labels asked for; the rows add up to the total."""
    return {
        "by": report.by,
        "start_time": moment(report.interval.from_us, report.interval),
        "end_time": moment(report.interval.to_us, report.interval),
        "timezone": report.interval.zone,
        "rows": [
            {"values": dict(zip(report.by, row.values, strict=True)), **to_api_sums(row.sums)}
            for row in report.rows
        ],
        "total": to_api_sums(report.total),
        "read_from": report.exact_from,
    }


def report_rows(report: UsageReport) -> list[list[object]]:
    """The same as a table: a line a combination, below its head."""
    return [
        [*report.by, *SUM_COLUMNS],
        *([*_values(row), *sum_row(row.sums)] for row in report.rows),
    ]


def sum_row(sums: Sums) -> list[object]:
    """Counters as cells."""
    shown = to_api_sums(sums)
    return [_cell(shown[name]) for name in SUM_COLUMNS]


def percentage(part: int, whole: int | None) -> msgspec.Raw | None:
    """What part of a whole, from 0 to 100, to four digits; 0 of nothing is 0."""
    ppm = part * 1_000_000 // whole if whole else 0
    return number(Decimal(ppm).scaleb(-4).normalize() + 0)


def model_shares(models: Sequence[ModelSums], total: Sums | None = None) -> list[dict[str, object]]:
    """Models with their parts of a cost (of all); `name` is what the page's chat calls them by."""
    whole = sum(one.sums.cost_nano for one in models) if total is None else total.cost_nano
    return [
        {
            "model": one.model,
            "name": one.model,
            "provider": one.provider,
            "requests": one.sums.requests,
            "tokens": one.sums.total_tokens,
            "cost": usd(one.sums.cost_nano),
            "count": one.sums.records,
            "percentage": percentage(one.sums.cost_nano, whole),
        }
        for one in models
    ]


def _providers(summary: UsageSummary) -> list[dict[str, object]]:
    costs: dict[str, list[int]] = {}
    for one in summary.models:
        sums = costs.setdefault(one.provider, [0, 0, 0])
        sums[0] += one.sums.cost_nano
        sums[1] += one.sums.total_tokens
        sums[2] += one.sums.records
    return [
        {
            "provider": provider,
            "name": provider,
            "cost": usd(cost_nano),
            "tokens": tokens,
            "count": count,
            "percentage": percentage(cost_nano, summary.total.cost_nano),
        }
        for provider, (cost_nano, tokens, count) in sorted(
            costs.items(), key=lambda pair: (-pair[1][0], pair[0])
        )
    ]


def _values(row: ReportRow) -> Sequence[str]:
    return [NONE if value is None else value for value in row.values]


def moment(at_us: int | None, interval: Interval) -> str | None:
    """An end of an interval, by the clock of its zone."""
    return None if at_us is None else datetime_from_us(at_us, interval.zone).isoformat()


def _cell(value: object) -> object:
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode()
    return "" if value is None else value
