"""Shutdown over HTTP, where it was enabled, as Tekton's launcher asks for it."""

from fastapi import APIRouter, Request

from tekton_budget import component
from tekton_budget.domain.caller import Role
from tekton_budget.domain.errors import Forbidden, Unavailable
from tekton_budget.frontends.api.asking import Asker, Runs
from tekton_budget.frontends.api.body import ExactRoute
from tekton_budget.frontends.api.schemas import TimeOut, View
from tekton_budget.frontends.http.wire import Reply, time_text

PATHS = ("/shutdown", "/api/shutdown")

router = APIRouter(route_class=ExactRoute, tags=["health"])  # always there
stopping = APIRouter(route_class=ExactRoute, tags=["health"])  # there where it was enabled


class ShutdownOut(View):
    """The service stops: it answers what it took and takes no more."""

    status: str
    message: str
    timestamp: TimeOut


class ShutdownStatusOut(View):
    """Whether the service can be stopped over HTTP, and how."""

    shutdown_supported: bool
    component: str
    endpoints: list[str]
    method: str
    cleanup_tasks: int


@router.get("/shutdown/status", response_model=ShutdownStatusOut)
def shutdown_status(runs: Runs) -> Reply:
    """Whether `POST /shutdown` is enabled (`BUDGET_SHUTDOWN_ENABLED`)."""
    enabled = runs.settings.shutdown_enabled
    return Reply(
        {
            "shutdown_supported": enabled,
            "component": component.NAME,
            "endpoints": PATHS if enabled else [],
            "method": "POST",
            "cleanup_tasks": 0,
        }
    )


@stopping.post("/shutdown", status_code=202, response_model=ShutdownOut)
@stopping.post("/api/shutdown", status_code=202, response_model=ShutdownOut)
def shutdown(request: Request, asker: Asker, runs: Runs) -> Reply:
    """Stop the service: what was taken is answered, nothing more is taken. For admins."""
    if asker.role is not Role.ADMIN or asker.labels:
        raise Forbidden("Only an admin key may stop the service.", code="role_needed")
    stop = getattr(request.app.state, "stop", None)
    if stop is None:
        raise Unavailable("This server cannot be stopped from within.", code="not_stoppable")
    stop()
    return Reply(
        {
            "status": "accepted",
            "message": f"{component.NAME} shutdown initiated",
            "timestamp": time_text(runs.service.health.now_us()),
        },
        status_code=202,
    )
