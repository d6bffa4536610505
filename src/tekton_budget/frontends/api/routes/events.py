"""Events: what happened, in the order in which it became known, from a position on."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from tekton_budget.frontends.api.asking import Asker, Verbs
from tekton_budget.frontends.api.body import ExactRoute
from tekton_budget.frontends.api.schemas import TimeOut, View
from tekton_budget.frontends.http.events import to_api_event
from tekton_budget.frontends.http.wire import Reply
from tekton_budget.service.following import LIMIT_DEFAULT
from tekton_budget.service.paging import INTEGER_END, LIMIT_MAX

router = APIRouter(route_class=ExactRoute)


class EventOut(View):
    """One event: its type says what the payload has."""

    position: int
    timestamp: TimeOut
    type: str
    subject_id: str
    budget_id: str | None
    payload: dict[str, Any]  # Any: by its type


class EventsOut(View):
    """Some events, the oldest first. Go on with `after=next`, whether or not there are more yet."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "position": 41,
                            "timestamp": "2026-11-23T16:20:00+00:00",
                            "type": "limit.passed",
                            "subject_id": "0199c0de-0000-7000-8000-000000000001",
                            "budget_id": "default",
                            "payload": {"name": "team=a monthly", "group": "", "threshold": 1},
                        }
                    ],
                    "next": 41,
                    "last": 41,
                    "more": False,
                    "limit": 100,
                }
            ]
        }
    )

    items: list[EventOut]
    next: Annotated[int, Field(description="Where to go on: send it as `after`")]
    last: Annotated[int, Field(description="The position of the last event of all")]
    more: Annotated[bool, Field(description="Whether the log goes on beyond `next` already")]
    limit: int


@router.get("/events", response_model=EventsOut, tags=["status"])
def events(
    asker: Asker,
    verbs: Verbs,
    after: Annotated[
        int | None,
        Query(ge=0, lt=INTEGER_END, description="`next` of before; from the oldest if left out"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many")] = LIMIT_DEFAULT,
    type_: Annotated[
        str | None,
        Query(alias="type", max_length=500, description="Between commas: only of these types"),
    ] = None,
) -> Reply:
    """What happened after a position: every event once, in order, as far as this key may see it.

    A page may be empty and `more` still be true: what lies between is of others.
    """
    words = tuple(word.strip() for word in (type_ or "").split(",") if word.strip())
    log = verbs.following.after(asker, after, limit=limit, types=words)
    return Reply(
        {
            "items": [to_api_event(event) for event in log.events],
            "next": log.next,
            "last": log.last,
            "more": log.more,
            "limit": limit,
        }
    )
