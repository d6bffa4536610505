"""Analytics as the API shows them."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from pydantic import Field

from tekton_budget.domain.zones import datetime_from_us
from tekton_budget.frontends.api.bodies.usage_bodies import ModelShareOut, SumsOut
from tekton_budget.frontends.api.bodies.usages import model_shares, moment, to_api_sums
from tekton_budget.frontends.api.schemas import NumberOut, TimeOut, UsdOut, View
from tekton_budget.frontends.http.wire import number, usd
from tekton_budget.service.reporting.analytics import UsageAnalytics

Json = dict[str, Any]  # Any: JSON
TOP_MODELS = 10
_HUNDREDTH = Decimal("0.01")


class AveragesOut(View):
    """What one request, and one day that has begun, used; `null` where there was none."""

    cost_per_request: UsdOut
    tokens_per_request: NumberOut
    input_tokens_per_request: NumberOut
    output_tokens_per_request: NumberOut
    cost_per_day: UsdOut
    tokens_per_day: NumberOut
    requests_per_day: NumberOut


class BucketOut(SumsOut):
    """An hour or a day."""

    start_time: TimeOut
    end_time: TimeOut


class DailyRowOut(View):
    """A day's usage by one provider, model and component, in the names of the original's client."""

    date: str
    provider: str
    model: str
    component: str
    request_count: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    total_cost: UsdOut


class AnalyticsOut(View):
    """Usage of an interval from every side; `(none)` is usage without the label."""

    period: str | None
    start_time: TimeOut
    end_time: TimeOut
    timezone: str
    days: int | None = Field(description="That have begun")
    totals: SumsOut
    averages: AveragesOut
    by_provider: dict[str, SumsOut]
    by_model: dict[str, SumsOut]
    by_component: dict[str, SumsOut]
    by_task_type: dict[str, SumsOut]
    top_models: list[ModelShareOut] = Field(description=f"The {TOP_MODELS} costliest")
    granularity: str = Field(description="Of the series: hour (up to two days), or day")
    time_series: list[BucketOut]
    items: list[DailyRowOut] = Field(description="Day by day; empty where they are over 100 days")
    read_from: str


def to_api_analytics(found: UsageAnalytics) -> Json:
    """Totals, averages, groups, the costliest models, and the usage in the order of time."""
    summary = found.summary
    interval, total = summary.interval, summary.total

    def per(amount: int, count: int | None) -> object:
        if not count:
            return None
        return number((Decimal(amount) / count).quantize(_HUNDREDTH).normalize() + 0)

    def usd_per(count: int | None) -> object:
        if not count:
            return None
        each = Decimal(total.cost_nano) / count
        return usd(int(each.to_integral_value(ROUND_HALF_EVEN)))

    return {
        "period": summary.period,
        "start_time": moment(interval.from_us, interval),
        "end_time": moment(interval.to_us, interval),
        "timezone": interval.zone,
        "days": found.days,
        "totals": to_api_sums(total),
        "averages": {
            "cost_per_request": usd_per(total.requests),
            "tokens_per_request": per(total.total_tokens, total.requests),
            "input_tokens_per_request": per(total.input_tokens, total.requests),
            "output_tokens_per_request": per(total.output_tokens, total.requests),
            "cost_per_day": usd_per(found.days),
            "tokens_per_day": per(total.total_tokens, found.days),
            "requests_per_day": per(total.requests, found.days),
        },
        **{
            f"by_{name}": {value: to_api_sums(sums) for value, sums in group.items()}
            for name, group in summary.groups.items()
        },
        "top_models": model_shares(summary.models[:TOP_MODELS], total),
        "granularity": found.granularity,
        "time_series": [
            {
                "start_time": datetime_from_us(one.opens_us, interval.zone).isoformat(),
                "end_time": datetime_from_us(one.closes_us, interval.zone).isoformat(),
                **to_api_sums(one.sums),
            }
            for one in found.series
        ],
        "items": [
            {
                "date": row.date,
                "provider": row.provider,
                "model": row.model,
                "component": row.component,
                "request_count": row.sums.requests,
                "input_tokens": row.sums.input_tokens,
                "output_tokens": row.sums.output_tokens,
                "total_tokens": row.sums.total_tokens,
                "total_cost": usd(row.sums.cost_nano),
            }
            for row in found.rows
        ],
        "read_from": summary.exact_from,
    }
