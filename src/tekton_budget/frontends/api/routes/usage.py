"""Usage: recorded, found again, summed and reported; as JSON, CSV or NDJSON."""

from contextlib import suppress
from dataclasses import replace
from typing import Annotated

from fastapi import Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tekton_budget.domain.answer import Ended, Recorded
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import InvalidInput, NotFound, invalid
from tekton_budget.frontends.api.asking import Asker, IdempotencyKey, Runs, Verbs
from tekton_budget.frontends.api.bodies import exports, filters, spending, usages
from tekton_budget.frontends.api.bodies.answers import to_api_fault
from tekton_budget.frontends.api.bodies.filters import CSV, NDJSON
from tekton_budget.frontends.api.bodies.usage_bodies import (
    ReportOut,
    SummaryOut,
    UsageOut,
    UsagePageOut,
    UsageRecordedOut,
    in_tables,
)
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.paging import listed
from tekton_budget.frontends.api.schemas import Labels
from tekton_budget.frontends.http.standings import to_api_standing
from tekton_budget.frontends.http.wire import Reply
from tekton_budget.service import Service
from tekton_budget.service.asking.asks import RecordRequest
from tekton_budget.service.reporting.reports import GROUPS_OF_ORIGINAL, SummaryQuery

router = exact_router("/usage")

# What a caller may say of the model beside an allocation that was asked for under another one.
_REALLY_USED = ("model", "provider")


class RecordsQuery(filters.UsageFilter, filters.Listing, filters.Formatted):
    """The query of a list of records."""


class SummaryQueryFields(filters.SummaryFields):
    """The query of a summary."""

    group_by: Annotated[str, Field(max_length=600)] | None = Field(
        None, description="Labels, between commas", examples=["provider,model"]
    )


class SummaryBody(filters.SummaryFields):
    """The body of a summary."""

    labels: Labels = Field(default_factory=dict, description="Any labels")
    group_by: list[filters.Text] | None = Field(
        None, max_length=8, description="Labels", examples=[["provider", "model"]]
    )

    def all_labels(self) -> dict[str, object]:
        """Every label that is asked for."""
        return {**self.labels, **super().all_labels()}


class ReportQuery(filters.SummaryFields, filters.Formatted):
    """The query of a report."""

    by: Annotated[str, Field(max_length=600)] = Field(
        "provider,model", description="Labels, between commas", examples=["team,model"]
    )
    month: Annotated[str, Field(max_length=10)] | None = Field(
        None, description="A calendar month", examples=["2026-11"]
    )
    tz: filters.Zone = None


@router.post("/record", status_code=201, response_model=UsageRecordedOut)
async def record_usage(
    body: spending.RecordBody,
    asker: Asker,
    verbs: Verbs,
    key: IdempotencyKey = None,
) -> Reply:
    """Record what a call used. It is a fact: posted to every policy concerned, never denied.

    With `allocation_id` it is part of that allocation, and `final: true` settles it; with the field
    `context_id` alone of the newest active one that the key has in this context, as the original
    had it. Without any it is posted as `unheld`. `cost` is what you were charged; else the price
    book tells.
    """
    request = spending.record_request(body, key)
    context_id = body.get("context_id")
    if request.allocation_id is None and context_id is not None:
        answer = await _recorded_in(str(context_id), asker, verbs, request)
    else:
        answer = await _recorded(asker, verbs, request)
    assert answer.record_id is not None, "a usage was recorded"
    found = await run_in_threadpool(verbs.records.one, asker, answer.record_id)
    shown = usages.to_api_record(found)
    shown["status"] = answer.status
    shown["policies"] = [to_api_standing(standing) for standing in answer.policies]
    shown["cost_note"] = answer.cost_note
    if isinstance(answer, Ended):
        shown["usage_error"] = to_api_fault(answer.usage_error)
    return Reply(shown, status_code=201)


@router.get(
    "/records",
    response_model=UsagePageOut,
    responses=in_tables("The records as CSV or NDJSON, all of them, streamed", CSV, NDJSON),
)
async def list_records(
    request: Request,
    asker: Asker,
    verbs: Verbs,
    runs: Runs,
    query: Annotated[RecordsQuery, Query()],
) -> Response:
    """Usage records, newest first; as CSV or NDJSON all that match, oldest first.

    The first page has the costliest models of all that match (of the last year, if no beginning is
    said), as far as sums are kept of it.
    `provider` and `model` are those that really answered; every other filter is a label.
    """
    wanted = query.query(runs.settings.timezone)
    media_type = query.media_type(request, CSV, NDJSON)
    if media_type == CSV:
        pages = verbs.records.stream(asker, wanted)
        write = exports.csv_writer(usages.RECORD_COLUMNS, usages.record_row)
        return await exports.streamed(pages, write, CSV, "usage")
    if media_type == NDJSON:
        pages = verbs.records.stream(asker, wanted)
        lines = exports.ndjson_writer(usages.to_api_record)
        return await exports.streamed(pages, lines, NDJSON, "usage")
    page = await run_in_threadpool(verbs.records.listed, asker, wanted, query.part())
    shown = listed(page, usages.to_api_record)
    if page.page == 1 and query.after is None:
        models = await run_in_threadpool(verbs.reports.top_models, asker, wanted)
        shown["top_usage"] = usages.model_shares(models)
    return Reply(shown)


@router.get("/records/{record_id}", response_model=UsageOut)
def record_by_id(record_id: str, asker: Asker, verbs: Verbs) -> Reply:
    """One usage record."""
    return Reply(usages.to_api_record(verbs.records.one(asker, record_id)))


@router.post("/summary", response_model=SummaryOut)
def summary_of_body(body: SummaryBody, asker: Asker, verbs: Verbs, runs: Runs) -> Reply:
    """Usage of a period or an interval: totals, groups by label, by model and by day."""
    group_by = GROUPS_OF_ORIGINAL if body.group_by is None else tuple(body.group_by)
    return _summary(asker, verbs, body.summary_query(runs.settings.timezone, group_by))


@router.get("/summary", response_model=SummaryOut)
def summary_of_query(
    asker: Asker, verbs: Verbs, runs: Runs, query: Annotated[SummaryQueryFields, Query()]
) -> Reply:
    """Usage of a period or an interval: totals, groups by label, by model and by day."""
    group_by = GROUPS_OF_ORIGINAL if query.group_by is None else _names(query.group_by)
    return _summary(asker, verbs, query.summary_query(runs.settings.timezone, group_by))


@router.get(
    "/report",
    response_model=ReportOut,
    responses=in_tables("The same as CSV, a line a combination", CSV),
)
def report(
    request: Request, asker: Asker, verbs: Verbs, runs: Runs, query: Annotated[ReportQuery, Query()]
) -> Response:
    """Spending by any labels: every combination and its usage, costliest first.

    Rows add up to the total exactly. By one label (with provider and model) it is read from
    rollups, so that it is as quick over ten million records as over a thousand.
    """
    if query.tz is not None:
        if query.timezone not in (None, query.tz):
            raise invalid("tz", "differs from timezone; send one of them")
        query.timezone = query.tz
    if query.month is not None and query.period is not None:
        raise invalid("month", "send month or period, not both")
    found = verbs.reports.report(
        asker,
        by=_names(query.by),
        month=query.month,
        query=query.summary_query(runs.settings.timezone, ()),
    )
    if query.media_type(request, CSV) == CSV:
        return exports.table(usages.report_rows(found), "usage-report")
    return Reply(usages.to_api_report(found))


def _summary(asker: Caller, verbs: Service, query: SummaryQuery) -> Reply:
    found = verbs.reports.summary(asker, query)
    split = None
    if query.budget is None:
        interval = found.interval
        usage = replace(query.usage, from_us=interval.from_us, to_us=interval.to_us)
        split = verbs.records.split(asker, usage)
    return Reply(usages.to_api_summary(found, split))


async def _recorded_in(
    context_id: str, asker: Caller, verbs: Service, request: RecordRequest
) -> Recorded | Ended:
    """Record within a context's allocation, unless that was asked for under other labels."""
    found = await run_in_threadpool(allocation_in, context_id, asker, verbs, request.id)
    if found is not None:
        try:
            return await _recorded(asker, verbs, replace(request, allocation_id=found))
        except InvalidInput as refusal:
            if refusal.code != "label_fixed":
                raise
    return await _recorded(asker, verbs, request)


def allocation_in(
    context_id: str, asker: Caller, verbs: Service, record_id: str | None
) -> str | None:
    """The context's allocation; of a usage that was recorded before, the one it was posted to."""
    if record_id is not None:
        with suppress(NotFound):
            return verbs.records.one(asker, record_id).record.allocation_id
    active = verbs.lists.active_of_context(asker, context_id)
    return None if active is None else active.id


async def _recorded(asker: Caller, verbs: Service, request: RecordRequest) -> Recorded | Ended:
    """Record; where the allocation was asked for under another model, it is the one that answered.

    Its labels are fixed since the ask, and the original's clients say by `model` what they used.
    """
    try:
        return await _posted(asker, verbs, request)
    except InvalidInput as refusal:
        if refusal.code != "label_fixed":
            raise
        fixed = {fault.field.removeprefix("labels.") for fault in refusal.fields}
        if not fixed <= set(_REALLY_USED):
            raise
    return await _posted(asker, verbs, _as_used(request))


async def _posted(asker: Caller, verbs: Service, request: RecordRequest) -> Recorded | Ended:
    return await verbs.ledger.record(
        asker,
        request.used,
        labels=dict(request.labels),
        allocation_id=request.allocation_id,
        final=request.final,
        record_id=request.id,
    )


def _as_used(request: RecordRequest) -> RecordRequest:
    labels = dict(request.labels)
    model, provider = (labels.pop(name, None) for name in _REALLY_USED)
    used = replace(
        request.used,
        model_used=request.used.model_used or _text(model),
        provider_used=request.used.provider_used or _text(provider),
    )
    return replace(request, labels=labels, used=used)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
