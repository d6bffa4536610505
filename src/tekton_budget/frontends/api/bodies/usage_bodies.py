"""Usage as it is documented: answers of the usage routes, with examples."""

from typing import Any

from pydantic import ConfigDict, Field

from tekton_budget.frontends.api.schemas import (
    Metadata,
    PageOut,
    StandingOut,
    TimeOut,
    UsdOut,
    View,
)

_RECORD: dict[str, Any] = {  # Any: JSON
    "record_id": "019ab2a4-4dd1-7c9e-b0e5-0c3f0f2e6a11",
    "allocation_id": None,
    "budget_id": None,
    "context_id": "ctx-1",
    "component": "ergon",
    "provider": "openai",
    "model": "gpt-4o",
    "task_type": "chat",
    "input_tokens": 1200,
    "output_tokens": 340,
    "cache_read_tokens": 0,
    "cache_write_tokens": 0,
    "other_tokens": 0,
    "reasoning_tokens": 0,
    "total_tokens": 1540,
    "requests": 1,
    "input_cost": 0.003,
    "output_cost": 0.0034,
    "total_cost": 0.0064,
    "cost": 0.0064,
    "book_cost": 0.0064,
    "cost_source": "book",
    "pricing_version": "019ab2a0-93cb-7a10-8f0a-1f5a1d6a3b52",
    "timestamp": "2026-11-23T16:20:00+00:00",
    "recorded_at": "2026-11-23T16:20:01.250000+00:00",
    "operation_id": None,
    "request_id": None,
    "user_id": "alice",
    "labels": {"component": "ergon", "user": "alice", "model": "gpt-4o", "provider": "openai"},
    "measurement": "measured",
    "late": False,
    "provisional": False,
    "reverses": None,
    "metadata": {},
}
_SUMS: dict[str, Any] = {  # Any: JSON
    "count": 2,
    "requests": 2,
    "input_tokens": 2400,
    "output_tokens": 680,
    "cache_read_tokens": 0,
    "cache_write_tokens": 0,
    "other_tokens": 0,
    "reasoning_tokens": 0,
    "total_tokens": 3080,
    "cost": 0.0128,
    "unpriced": 0,
}


class UsageOut(View):
    """A usage record. A cost that is not known is `null`, never 0."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RECORD]})

    record_id: str
    allocation_id: str | None
    budget_id: str | None
    context_id: str | None
    component: str | None
    provider: str | None
    model: str | None
    task_type: str | None
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    other_tokens: int
    reasoning_tokens: int
    total_tokens: int
    requests: int
    input_cost: UsdOut
    output_cost: UsdOut
    total_cost: UsdOut
    cost: UsdOut
    book_cost: UsdOut
    cost_source: str | None
    pricing_version: str | None
    timestamp: TimeOut
    recorded_at: TimeOut
    operation_id: str | None
    request_id: str | None
    user_id: str | None
    labels: dict[str, str]
    measurement: str
    late: bool
    provisional: bool
    reverses: str | None
    metadata: Metadata


class UsageRecordedOut(UsageOut):
    """A usage record as just posted, with its allocation's state and what each policy has left."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_RECORD, "status": None, "policies": []}]}
    )

    status: str | None
    policies: list[StandingOut]
    cost_note: str | None = Field(None, description="Why the cost is an estimate, or not known")
    usage_error: dict[str, str] | None = Field(
        None, description="Of a final record: why the whole hold was charged, as an estimate"
    )


class SumsOut(View):
    """Usage added up; `unpriced` records have no known cost and are not in `cost`."""

    count: int
    requests: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    other_tokens: int
    reasoning_tokens: int
    total_tokens: int
    cost: UsdOut
    unpriced: int


class _ShareOut(View):
    name: str
    cost: UsdOut
    tokens: int
    count: int
    percentage: float


class ProviderShareOut(_ShareOut):
    """A provider's part of the cost, in percent (0 to 100)."""

    provider: str


class ModelShareOut(ProviderShareOut):
    """A model's part of the cost, in percent (0 to 100)."""

    model: str
    requests: int


class ComponentShareOut(_ShareOut):
    """A component's part of the cost, in percent (0 to 100)."""

    component: str


class UsagePageOut(PageOut[UsageOut]):
    """A page of records; the first one has the costliest models of all of them."""

    top_usage: list[ModelShareOut] | None = None


class DayOut(View):
    """A day, and what the tightest daily policy on all of this allows."""

    date: str
    cost: UsdOut
    limit: UsdOut
    tokens: int
    count: int


class SummaryOut(View):
    """Usage of an interval; `(none)` is usage without the label."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "period": "daily",
                    "start_time": "2026-11-23T00:00:00+00:00",
                    "end_time": "2026-11-24T00:00:00+00:00",
                    "timezone": "UTC",
                    "total_input_tokens": 2400,
                    "total_output_tokens": 680,
                    "input_tokens": 2400,
                    "output_tokens": 680,
                    "total_tokens": 3080,
                    "total_cost": 0.0128,
                    "total_input_cost": 0.006,
                    "total_output_cost": 0.0068,
                    "count": 2,
                    "request_count": 2,
                    "requests": 2,
                    "unpriced": 0,
                    "groups": {"provider": {"openai": _SUMS}, "component": {"ergon": _SUMS}},
                    "providers": [
                        {
                            "provider": "openai",
                            "name": "openai",
                            "cost": 0.0128,
                            "tokens": 3080,
                            "count": 2,
                            "percentage": 100,
                        }
                    ],
                    "models": [
                        {
                            "model": "gpt-4o",
                            "name": "gpt-4o",
                            "provider": "openai",
                            "requests": 2,
                            "tokens": 3080,
                            "cost": 0.0128,
                            "count": 2,
                            "percentage": 100,
                        }
                    ],
                    "components": [
                        {
                            "component": "ergon",
                            "name": "ergon",
                            "tokens": 3080,
                            "cost": 0.0128,
                            "count": 2,
                            "percentage": 100,
                        }
                    ],
                    "daily_usage": [
                        {
                            "date": "2026-11-23",
                            "cost": 0.0128,
                            "limit": 5,
                            "tokens": 3080,
                            "count": 2,
                        }
                    ],
                    "read_from": "rollups",
                }
            ]
        }
    )

    period: str | None
    start_time: TimeOut
    end_time: TimeOut
    timezone: str
    total_input_tokens: int
    total_output_tokens: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    total_cost: UsdOut
    total_input_cost: UsdOut = Field(description="null: a record does not tell, or over 500")
    total_output_cost: UsdOut
    count: int
    request_count: int
    requests: int
    unpriced: int
    groups: dict[str, dict[str, SumsOut]]
    providers: list[ProviderShareOut]
    models: list[ModelShareOut]
    components: list[ComponentShareOut]
    daily_usage: list[DayOut]
    read_from: str


class ReportRowOut(SumsOut):
    """One combination of values (`null`: without the label)."""

    values: dict[str, str | None]


class ReportOut(View):
    """Rows that add up to the total exactly, costliest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "by": ["team", "model"],
                    "start_time": "2026-11-01T00:00:00+00:00",
                    "end_time": "2026-12-01T00:00:00+00:00",
                    "timezone": "UTC",
                    "rows": [{"values": {"team": "a", "model": "gpt-4o"}, **_SUMS}],
                    "total": _SUMS,
                    "read_from": "rollups",
                }
            ]
        }
    )

    by: list[str]
    start_time: TimeOut
    end_time: TimeOut
    timezone: str
    rows: list[ReportRowOut]
    total: SumsOut
    read_from: str


def in_tables(description: str, *media_types: str) -> dict[int | str, dict[str, Any]]:
    """That a route answers in tables too, for its document."""
    content = {kind: {"schema": {"type": "string"}} for kind in media_types}
    return {200: {"description": description, "content": content}}
