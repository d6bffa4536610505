"""Runs: commands under a cap of their own, begun, let through, kept alive, ended and shown."""

from tekton_budget.service.runs.passing import RunPass, RunPasses
from tekton_budget.service.runs.verbs import AskedRun, OpenedRun, RunState, RunVerbs
from tekton_budget.service.runs.views import RunsQuery, RunView, RunViews

__all__ = [
    "AskedRun",
    "OpenedRun",
    "RunPass",
    "RunPasses",
    "RunState",
    "RunVerbs",
    "RunView",
    "RunViews",
    "RunsQuery",
]
