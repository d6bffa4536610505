"""Runs: commands under a cap of their own. Their names may have slashes in them."""

from typing import Annotated

from fastapi import Query

from tekton_budget.frontends.api.asking import Asker, IdempotencyKey, Pages, Verbs
from tekton_budget.frontends.api.bodies.running import (
    EndBody,
    OpenedRunOut,
    RunBody,
    RunOut,
    RunStateOut,
    WholeRunOut,
    to_api_opened,
    to_api_run,
    to_api_state,
    to_api_whole_run,
)
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.paging import listed
from tekton_budget.frontends.api.schemas import PageOut
from tekton_budget.frontends.http.wire import Reply
from tekton_budget.service.runs import RunsQuery

router = exact_router("/runs")


@router.post("", status_code=201, response_model=OpenedRunOut)
def open_run(body: RunBody, asker: Asker, verbs: Verbs, key: IdempotencyKey = None) -> Reply:
    """Begin a run, or continue the one of that name. The token is in the answer, nowhere else.

    Its calls go to `/r/TOKEN/<provider>/…`. It ends when nobody says in time that it lives: see
    `POST /api/v1/runs/{run}/beat`. Send a `token` of your own, and the same request again is safe.
    """
    del key  # the token tells a retry
    return Reply(to_api_opened(verbs.runs.open_run(asker, body.asked())), status_code=201)


@router.get("", response_model=PageOut[RunOut])
def list_runs(
    asker: Asker,
    verbs: Verbs,
    pages: Pages,
    is_alive: Annotated[bool | None, Query(description="true: only those under way")] = None,
) -> Reply:
    """Runs, the latest start first."""
    page = verbs.run_views.listed(asker, RunsQuery(is_alive), pages)
    return Reply(listed(page, to_api_run))


@router.post("/{run:path}/beat", response_model=RunStateOut)
def beat_run(run: str, asker: Asker, verbs: Verbs, key: IdempotencyKey = None) -> Reply:
    """A sign of life: it may go on for another lease. Refused where it, or one around it, ended."""
    del key  # twice is as good as once
    return Reply(to_api_state(verbs.runs.beat(asker, run)))


@router.post("/{run:path}/end", response_model=WholeRunOut)
def end_run(
    run: str,
    asker: Asker,
    verbs: Verbs,
    body: EndBody | None = None,
    key: IdempotencyKey = None,
) -> Reply:
    """It is over: nothing more is let through, nor for the runs inside it. What it used."""
    del key  # the first end is kept
    ended = verbs.runs.end(asker, run, None if body is None else body.exit_code)
    return Reply(to_api_whole_run(verbs.run_views.show(asker, ended.run_id)))


@router.get("/{run:path}", response_model=WholeRunOut)
def show_run(run: str, asker: Asker, verbs: Verbs) -> Reply:
    """One run, by name or id: what it used, by model, with the runs inside it."""
    return Reply(to_api_whole_run(verbs.run_views.show(asker, run)))
