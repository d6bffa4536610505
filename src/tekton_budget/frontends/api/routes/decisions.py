"""Decisions and changes: who was refused, and who changed what."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from tekton_budget.frontends.api.asking import Asker, Pages, Runs, Verbs
from tekton_budget.frontends.api.bodies import filters
from tekton_budget.frontends.api.body import ExactRoute
from tekton_budget.frontends.api.paging import listed
from tekton_budget.frontends.api.schemas import PageOut, TimeOut, View
from tekton_budget.frontends.http.wire import Reply, time_text
from tekton_budget.service.reporting.decisions import Decisions
from tekton_budget.service.reporting.lists import Audited

router = APIRouter(route_class=ExactRoute)


class DecisionsQuery(filters.Interval, filters.Listing):
    """Which decisions, and by what they are counted."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    decision: Annotated[str, Field(max_length=100)] | None = Field(
        None,
        description="Between commas: deny, would_deny, clamp, unbudgeted; all if left out",
        examples=["deny,would_deny"],
    )
    by: Annotated[str, Field(max_length=600)] = Field(
        "policy,group",
        description="Between commas: policy, group, decision, or labels",
        examples=["policy,user"],
    )
    policy: filters.Text | None = Field(None, description="Of this policy only: its id or name")


class DecisionRowOut(View):
    """How often, for one combination of values (`null`: not known, or none)."""

    values: dict[str, str | None]
    count: int


class SampleOut(View):
    """One of the first decisions of a minute, in full."""

    timestamp: TimeOut
    decision: str
    policy_id: str | None
    group: str
    allocation_id: str | None
    labels: dict[str, str]
    detail: str | None


class DecisionsOut(View):
    """Counts, most frequent first; the first ten of each minute and group in full, newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "from": "2026-11-22T16:20:00+00:00",
                    "to": "2026-11-23T16:20:00+00:00",
                    "by": ["policy", "user"],
                    "items": [{"values": {"policy": "user=* daily", "user": "alice"}, "count": 7}],
                    "total": 7,
                    "samples": [],
                    "limit": 20,
                    "next": None,
                }
            ]
        }
    )

    from_: Annotated[TimeOut, Field(alias="from")]
    to: TimeOut
    by: list[str]
    items: list[DecisionRowOut]
    total: int
    samples: list[SampleOut]
    limit: int
    next: str | None


class ChangeOut(View):
    """A change that a person made: who, what, before and after."""

    change_id: int
    timestamp: TimeOut
    key_id: str
    actor: str
    verb: str
    object_kind: str
    object_id: str
    before: Any  # JSON of the object
    after: Any  # JSON of the object


@router.get("/decisions", response_model=DecisionsOut, tags=["status"])
def decisions(
    asker: Asker, verbs: Verbs, runs: Runs, query: Annotated[DecisionsQuery, Query()]
) -> Reply:
    """Who was refused, would have been, or was cut short: counted by minute, of the last day.

    The first of each minute are there in full under `samples`; `after` walks through those.
    """
    from_us, to_us = query.moments(runs.settings.timezone)
    found = verbs.decisions.decisions(
        asker,
        decision=_words(query.decision or ""),
        from_us=from_us,
        to_us=to_us,
        by=_words(query.by),
        policy=query.policy,
        part=query.part(),
    )
    return Reply(_shown(found, query.limit))


@router.get("/audit", response_model=PageOut[ChangeOut], tags=["status"])
def changes(
    asker: Asker,
    verbs: Verbs,
    part: Pages,
    object_kind: Annotated[
        str | None,
        Query(
            max_length=50,
            description="budget, policy, price, contract, name, tier, key, credit, alert",
        ),
    ] = None,
    object_id: Annotated[str | None, Query(max_length=256)] = None,
) -> Reply:
    """Every change that people made, newest first: who, what, before and after."""
    page = verbs.lists.changes(asker, object_kind=object_kind, object_id=object_id, part=part)
    return Reply(listed(page, _change))


def _shown(found: Decisions, limit: int) -> dict[str, object]:
    return {
        "from": time_text(found.from_us),
        "to": time_text(found.to_us),
        "by": found.by,
        "items": [{"values": row.values, "count": row.count} for row in found.rows],
        "total": found.total,
        "samples": [
            {
                "timestamp": time_text(one.at_us),
                "decision": one.decision,
                "policy_id": one.policy_id or None,
                "group": one.group,
                "allocation_id": one.content.get("allocation_id"),
                "labels": one.content.get("labels", {}),
                "detail": one.content.get("detail"),
            }
            for one in found.samples
        ],
        "limit": limit,
        "next": found.next,
    }


def _change(change: Audited) -> dict[str, object]:
    return {
        "change_id": change.no,
        "timestamp": time_text(change.at_us),
        "key_id": change.key_id,
        "actor": change.actor,
        "verb": change.verb,
        "object_kind": change.object_kind,
        "object_id": change.object_id,
        "before": change.before,
        "after": change.after,
    }


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
