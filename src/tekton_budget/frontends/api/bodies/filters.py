"""What usage a request is about: labels by name, an interval, and how its answer is to be sent."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.scope import WELL_KNOWN_LABELS
from tekton_budget.frontends.api.schemas import LabelValue, TierValue
from tekton_budget.frontends.http.wire import us_from_text
from tekton_budget.service.paging import LIMIT_DEFAULT, LIMIT_MAX, Slice
from tekton_budget.service.reporting.intervals import day_of
from tekton_budget.service.reporting.records import UsageQuery
from tekton_budget.service.reporting.reports import SummaryQuery

Text = Annotated[str, Field(max_length=256)]
Date = Annotated[
    str,
    Field(
        max_length=40,
        description="A time like 2026-11-01T00:00:00Z, or a day like 2026-11-01",
        examples=["2026-11-01T00:00:00Z"],
    ),
]
Zone = Annotated[
    str | None,
    Field(max_length=64, description="IANA zone, as Europe/Berlin", examples=["Europe/Berlin"]),
]

JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"
_FORMATS = {"json": JSON, "csv": CSV, "ndjson": NDJSON}


class LabelFields(BaseModel):
    """The well-known labels, each a field of its own."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    org: LabelValue = None
    team: LabelValue = None
    project: LabelValue = None
    user: LabelValue = None
    customer: LabelValue = None
    key: LabelValue = None
    environment: LabelValue = None
    feature: LabelValue = None
    component: LabelValue = None
    context_id: LabelValue = None
    task_type: LabelValue = None
    session: LabelValue = None
    task: LabelValue = None
    run: LabelValue = None
    agent: LabelValue = None
    provider: LabelValue = None
    model: LabelValue = None
    tier: TierValue = None
    budget: LabelValue = None

    def named_labels(self) -> dict[str, object]:
        """Those that were sent."""
        sent = {name: getattr(self, name) for name in WELL_KNOWN_LABELS}
        return {name: value for name, value in sent.items() if value is not None}


assert set(WELL_KNOWN_LABELS) == set(LabelFields.model_fields), "each has its field"


class Query(LabelFields):
    """Query parameters: labels by their names, others as `label=name=value`."""

    label: list[Text] = Field(
        default_factory=list,
        max_length=40,
        description="Any label, as name=value; repeatable",
        examples=[["feature=search"]],
    )

    def all_labels(self) -> dict[str, object]:
        """Every label that is asked for."""
        return self.named_labels() | labels_of(self.label)


def labels_of(texts: Sequence[str]) -> dict[str, object]:
    """The labels of `label=name=value` parameters."""
    labels: dict[str, object] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise invalid("label", "send name=value")
        labels[name.strip()] = value
    return labels


class Interval(BaseModel):
    """Between two moments; `from` and `to`, or the original's `start_date` and `end_date`."""

    from_: Date | None = Field(None, alias="from", description="First moment")
    to: Date | None = Field(None, description="First moment after; a day ends before it begins")
    start_date: Date | None = Field(None, description="As from")
    end_date: Date | None = Field(None, description="As to; but a plain day is included")

    def moments(self, zone: str) -> tuple[int | None, int | None]:
        """Both ends."""
        starts = {"from": self.from_, "start_date": self.start_date}
        return moments(zone, starts, {"to": self.to, "end_date": self.end_date})


class UsageFilter(Query, Interval):
    """Which usage records."""

    allocation_id: Text | None = None
    budget_id: Text | None = Field(None, description="Asked for under this budget's name")
    user_id: Text | None = Field(None, description="The label user")

    def query(self, zone: str) -> UsageQuery:
        """In the service's words."""
        labels = self.all_labels()
        own = {name: labels.pop(name, None) for name in ("provider", "model")}
        for name, value in (("budget", self.budget_id), ("user", self.user_id)):
            if value is not None:
                labels[name] = value
        from_us, to_us = self.moments(zone)
        return UsageQuery(
            from_us,
            to_us,
            allocation_id=self.allocation_id,
            provider=_text(own["provider"]),
            model=_text(own["model"]),
            labels=labels,
        )


class SummaryFields(UsageFilter):
    """What is summed."""

    period: Annotated[str, Field(max_length=20)] | None = Field(
        None,
        description="The window that is open now: hourly, daily, weekly, monthly, quarterly, "
        "yearly; total (default) is all time",
        examples=["monthly"],
    )
    days: int | None = Field(None, description="Instead: so many days, today the last of them")
    start_time: Date | None = Field(None, description="As from")
    end_time: Date | None = Field(None, description="As to; but a plain day is included")
    timezone: Zone = None

    def moments(self, zone: str) -> tuple[int | None, int | None]:
        """Both ends, by any of their names."""
        starts = {"from": self.from_, "start_date": self.start_date, "start_time": self.start_time}
        ends = {"to": self.to, "end_date": self.end_date, "end_time": self.end_time}
        return moments(zone, starts, ends)

    def summary_query(self, zone: str, group_by: tuple[str, ...]) -> SummaryQuery:
        """In the service's words."""
        usage = self.query(self.timezone or zone)
        labels = {name: value for name, value in usage.labels.items() if name != "budget"}
        return SummaryQuery(
            replace(usage, labels=labels),
            period=self.period,
            days=self.days,
            timezone=self.timezone,
            budget=_text(usage.labels.get("budget")),
            group_by=group_by,
        )


class Listing(BaseModel):
    """Which part of a list."""

    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="Items of a page")
    page: int = Field(1, ge=1, le=10_000, description="Which page; better: after")
    after: Annotated[str, Field(max_length=1000)] | None = Field(
        None, description="`next` of the page before"
    )

    def part(self) -> Slice:
        """In the service's words."""
        return Slice(self.page, self.limit, self.after)


class Formatted(BaseModel):
    """How the answer is sent."""

    format: Annotated[str, Field(pattern="^(json|csv|ndjson)$")] | None = Field(
        None, description="json, csv or ndjson; else by the Accept header"
    )

    def media_type(self, request: Request, *known: str) -> str:
        """The media type asked for, of those that the route knows; JSON if none is."""
        if self.format is not None:
            asked = _FORMATS[self.format]
            if asked not in (JSON, *known):
                raise invalid("format", "this route does not know it: send json or csv")
            return asked
        accepted = request.headers.get("accept", "")
        wanted = [part.split(";", 1)[0].strip().lower() for part in accepted.split(",")]
        return next((kind for kind in wanted if kind in (JSON, *known)), JSON)


def moments(
    zone: str, starts: Mapping[str, str | None], ends: Mapping[str, str | None]
) -> tuple[int | None, int | None]:
    """The two ends, each said by one of its names. A day named by an `end_…` is included."""
    first = [(name, _moment(name, text, zone)) for name, text in starts.items() if text is not None]
    last = [(name, _moment(name, text, zone)) for name, text in ends.items() if text is not None]
    for said in (first, last):
        if len({at_us for _, at_us in said}) > 1:
            raise invalid(said[1][0], f"differs from {said[0][0]}; send one of them")
    if first and last and first[0][1] > last[0][1]:
        raise invalid(first[0][0], f"lies behind {last[0][0]}")
    return first[0][1] if first else None, last[0][1] if last else None


def _moment(field: str, text: str, zone: str) -> int:
    day = day_of(text, zone)
    if day is not None:
        return day[1] if field.startswith("end") else day[0]
    try:
        return us_from_text(text)
    except ValueError as error:
        raise invalid(field, str(error)) from error


def _text(value: object) -> str | None:
    return None if value is None else str(value)
