"""Runs → JSON, and the bodies by which they are begun."""

from typing import Any

from pydantic import Field

from tekton_budget.domain.run import LAND_NOTE, RUN_NAME_MAX, Cap, Landing
from tekton_budget.frontends.api.bodies.usage_bodies import SumsOut
from tekton_budget.frontends.api.bodies.usages import to_api_sums
from tekton_budget.frontends.api.schemas import (
    AmountsOut,
    Body,
    Factor,
    Labels,
    NumberOut,
    TimeOut,
    Truth,
    Usd,
    UsdOut,
    View,
    Whole,
)
from tekton_budget.frontends.http.wire import amounts, share, time_text, usd
from tekton_budget.service.limiting.call_fields import call_fields
from tekton_budget.service.limiting.policy_fields import cost_limit_nano
from tekton_budget.service.runs import AskedRun, OpenedRun, RunState, RunView
from tekton_budget.service.runs.verbs import LEASE_SECONDS

LANDING_DEFAULT_PPM = 100_000


class RunBody(Body):
    """A run to be begun, or continued under the cap that it has."""

    name: str | None = Field(
        None, max_length=RUN_NAME_MAX, description="The same continues it; left out, one is made"
    )
    outer: str | None = Field(None, description="Name or id of the run that it is part of")
    labels: Labels = Field(default_factory=dict)
    cost_limit: Usd | None = Field(None, description="What it may cost in all, in USD")
    token_limit: Whole | None = Field(None, ge=0, description="How many tokens it may use in all")
    add_cost: Usd | None = Field(None, description="More for a run that is continued")
    add_tokens: Whole | None = Field(None, ge=0)
    landing: Factor | None = Field(
        None, description="The part of the cap that is kept for the end; 0.1 if not given, 0 none"
    )
    land_note: str | None = Field(
        None, description="What its calls are told from then on; one of ours if not given"
    )
    without_note: Truth = Field(False, description="Tell them nothing")
    command: list[str] = Field(default_factory=list, max_length=1000, description="For display")
    lease_seconds: Whole = Field(
        LEASE_SECONDS, description="How long it counts as alive after each sign of life"
    )
    reserve: Truth = Field(
        False, description="Hold what is left of the cap in the limits around it, ahead"
    )
    token: str | None = Field(
        None, description="Of your own making, so that the same request again changes nothing"
    )

    def asked(self) -> AskedRun:
        """What the service is asked for."""
        return AskedRun(
            name=self.name,
            outer=self.outer,
            labels=self.labels,
            cap=_cap(self.cost_limit, self.token_limit, "cost_limit"),
            add=_cap(self.add_cost, self.add_tokens, "add_cost"),
            landing=Landing(
                _share_ppm(self.landing),
                None if self.without_note else self.land_note or LAND_NOTE,
            ),
            command=tuple(self.command),
            lease_seconds=self.lease_seconds,
            reserve=self.reserve,
            token=self.token,
        )


class EndBody(Body):
    """How a run ended."""

    exit_code: Whole | None = None


class RunOut(View):
    """A run. `state`: running, ended, or silent where it neither ended nor gives signs of life."""

    run_id: str
    name: str
    state: str
    command: str
    labels: dict[str, str]
    key: str
    outer_id: str | None
    policy_id: str | None
    land_note: str | None
    cap: AmountsOut | None = Field(description="What it may use in all, with what was added")
    remaining: AmountsOut | None
    cost: UsdOut
    total_tokens: int
    cache_share: NumberOut = Field(description="What part of the input came from a cache")
    calls: int = Field(
        description="That came through the gateway, refused ones and those of runs inside it too"
    )
    refused: int
    clamped: int
    created_at: TimeOut
    started_at: TimeOut
    alive_until: TimeOut
    ended_at: TimeOut
    exit_code: int | None


class RunModelOut(SumsOut):
    """One model's usage in a run."""

    provider: str
    model: str


class WholeRunOut(RunOut):
    """A run with its usage by model, that of the runs inside it included."""

    usage: SumsOut
    models: list[RunModelOut]
    inside: list[str] = Field(description="The names of the runs nested in it")


class OpenedRunOut(View):
    """A run under way: its calls go to `/r/TOKEN/<provider>` of this server."""

    run_id: str
    name: str
    token: str = Field(description="Shown this once")
    continued: bool
    policy_id: str | None
    labels: dict[str, str]
    calls: int
    refused: int
    clamped: int
    alive_until: TimeOut


class RunStateOut(View):
    """How a run stands."""

    run_id: str
    name: str
    calls: int
    refused: int
    clamped: int
    at_cap: bool = Field(description="Nothing of the cap is left")
    alive_until: TimeOut


def to_api_opened(opened: OpenedRun) -> dict[str, object]:
    """A run just begun, with its token."""
    run = opened.run
    return {
        "run_id": run.run_id,
        "name": run.name,
        "token": opened.token,
        "continued": opened.continued,
        "policy_id": run.policy_id,
        "labels": run.all_labels,
        "calls": run.calls,
        "refused": run.refused,
        "clamped": run.clamped,
        "alive_until": time_text(run.alive_until_us),
    }


def to_api_state(state: RunState) -> dict[str, object]:
    """A run under way."""
    return {
        "run_id": state.run.run_id,
        "name": state.run.name,
        "calls": state.counted.calls,
        "refused": state.counted.refused,
        "clamped": state.counted.clamped,
        "at_cap": state.at_cap,
        "alive_until": time_text(state.run.alive_until_us),
    }


def to_api_run(view: RunView) -> dict[str, object]:
    """A run as a list shows it."""
    run, cap, total = view.run, view.cap, view.total
    input_tokens = total.input_tokens + total.cache_read_tokens + total.cache_write_tokens
    return {
        "run_id": run.run_id,
        "name": run.name,
        "state": _state(view),
        "command": run.command,
        "labels": run.all_labels,
        "key": run.key_name,
        "outer_id": run.outer_id,
        "policy_id": run.policy_id,
        "land_note": run.land_note,
        "cap": None if cap is None else amounts(cap.allowance),
        "remaining": None if cap is None else amounts(cap.remaining),
        "cost": usd(view.cost_nano),
        "total_tokens": total.total_tokens if cap is None else cap.spent.tokens,
        "cache_share": share(total.cache_read_tokens, input_tokens),
        "calls": view.counted.calls,
        "refused": view.counted.refused,
        "clamped": view.counted.clamped,
        "created_at": time_text(run.created_us),
        "started_at": time_text(run.started_us),
        "alive_until": time_text(run.alive_until_us),
        "ended_at": time_text(run.ended_us),
        "exit_code": run.exit_code,
    }


def to_api_whole_run(view: RunView) -> dict[str, object]:
    """A run with all that is known of it."""
    models = [
        {"provider": one.provider, "model": one.model, **to_api_sums(one.sums)}
        for one in view.models
    ]
    inside = [run.name for run in view.inside]
    return {
        **to_api_run(view),
        "usage": to_api_sums(view.total),
        "models": models,
        "inside": inside,
    }


def _state(view: RunView) -> str:
    if view.run.ended_us is not None:
        return "ended"
    return "running" if view.is_alive else "silent"


def _cap(cost: Any, tokens: int | None, field: str) -> Cap:  # Any: a number, or text
    return Cap(cost_limit_nano({field: cost}, field, None), tokens)


def _share_ppm(landing: Any) -> int:  # Any: a decimal, or text
    if landing is None:
        return LANDING_DEFAULT_PPM
    return int(call_fields({"landing": landing})["landing_ppm"])
