"""Whether the service is there, ready and well, and how to find one's way in it."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from pydantic import ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tekton_budget import component
from tekton_budget.domain.errors import Forbidden, Unavailable
from tekton_budget.frontends.api import metrics
from tekton_budget.frontends.api.asking import Asker, Runs, running_of
from tekton_budget.frontends.api.body import ExactRoute
from tekton_budget.frontends.api.parts import Parts, Vitality, missing, parts_of, worst
from tekton_budget.frontends.api.schemas import TimeOut, View
from tekton_budget.frontends.http.wire import Reply, time_text
from tekton_budget.wiring import Running

router = APIRouter(route_class=ExactRoute, tags=["health"])


class HealthOut(View):
    """The shape that Tekton's tools read. `details.parts` says how each part does."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "healthy",
                    "component": "budget",
                    "version": "0.1.0",
                    "timestamp": "2026-11-23T16:20:00+00:00",
                    "uptime": 3600.5,
                    "port": 8013,
                    "registeredWithHermes": False,
                    "dependencies": [],
                    "metrics": {"queue_length": 0},
                    "details": {
                        "services": ["budget_allocation", "cost_tracking"],
                        "parts": {
                            "database": {"status": "ok", "kind": "sqlite"},
                            "writer": {"status": "ok"},
                            "queue": {"status": "ok", "length": 0, "max": 20000},
                            "hermes": {"status": "off"},
                            "prices": {
                                "status": "ok",
                                "count": 12,
                                "list": "2026-11-20.1",
                                "age_seconds": 86400,
                            },
                            "outbox": {"status": "ok", "lag_seconds": 0.2},
                        },
                    },
                }
            ]
        }
    )

    status: str = Field(description="healthy, degraded or unhealthy")
    component: str
    version: str
    timestamp: TimeOut
    uptime: float | None
    port: int
    registered_with_hermes: bool = Field(alias="registeredWithHermes")
    dependencies: list[str]
    metrics: dict[str, Any]  # numbers by name
    details: dict[str, Any]  # JSON


class ComponentStatusOut(HealthOut):
    """The same, and whether commands are taken."""

    ready: bool


class ReadyOut(View):
    """Ready to take commands."""

    ready: bool
    component: str
    version: str
    initialization_time: float = Field(alias="initializationTime")
    timestamp: TimeOut


class RootOut(View):
    """What answers here."""

    component: str
    description: str
    version: str
    status: str


class EndpointOut(View):
    """One endpoint."""

    path: str
    method: str
    description: str
    tags: list[str]


class DiscoveryOut(View):
    """What this component can do, and where."""

    component: str
    version: str
    description: str
    endpoints: list[EndpointOut]
    capabilities: list[str]
    dependencies: dict[str, str]
    metadata: dict[str, Any]  # JSON


@router.get("/", response_model=RootOut)
def root(request: Request) -> Reply:
    """What answers here."""
    return Reply(
        {
            "component": component.NAME,
            "description": component.DESCRIPTION,
            "version": _app(request).version,
            "status": "active",
        }
    )


@router.get("/health", response_model=HealthOut)
@router.get("/api/v1/health", response_model=HealthOut)
async def health(request: Request, runs: Runs) -> Reply:
    """How the service does. Always 200; it takes no lock, and waits for the store one second.

    `unhealthy`: the store is away or nothing is taken; `degraded`: it is slow, the queue is filling
    up, events wait long for their number, prices are older than `BUDGET_PRICES_STALE_DAYS`, or
    Hermes does not know this service and `BUDGET_HERMES_REQUIRED` is set. `port` is the real one;
    Tekton's own model of this answer takes those from 8000 to 9999. The same at `/api/health`.
    """
    return Reply(_told(request, runs, await parts_of(runs, _vitality(request))))


@router.get("/status", response_model=ComponentStatusOut)
async def status(request: Request, runs: Runs) -> Reply:
    """How the service does, as `/health`, and whether it is ready. Always 200.

    Where limits stand is another question: `/api/v1/status`.
    """
    parts = await parts_of(runs, _vitality(request))
    return Reply(_told(request, runs, parts) | {"ready": not missing(parts)})


@router.get("/ready", response_model=ReadyOut)
async def ready(request: Request) -> Reply:
    """Whether commands are taken and the store answers: 200, else 503."""
    vitality = _vitality(request)
    lacking = missing(await parts_of(running_of(request), vitality))
    if lacking:
        raise Unavailable(
            f"Component not ready: {' and '.join(lacking)} not there yet.", code="not_ready"
        )
    return Reply(
        {
            "ready": True,
            "component": component.NAME,
            "version": _app(request).version,
            "initializationTime": vitality.uptime_seconds,
            "timestamp": time_text(vitality.health.now_us()),
        }
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Metrics", "content": {"text/plain": {"example": ""}}}},
)
async def show_metrics(request: Request, asker: Asker, runs: Runs) -> Response:
    """Counts, latencies, queue and balances for Prometheus; the same from every worker.

    Balances are those of every team, so a key that is bound to labels may not read them.
    """
    if asker.labels:
        raise Forbidden(
            "Metrics tell of everybody's spending: use a key that is not bound to labels.",
            code="outside_scope",
        )
    counts = await run_in_threadpool(runs.service.overview.counts)
    waiting, _ = runs.service.health.queue
    hermes = None if runs.hermes is None else runs.hermes.state()
    text = await run_in_threadpool(request.app.state.metrics.text, counts, waiting, hermes)
    return Response(text, headers={"Content-Type": metrics.MEDIA_TYPE})


@router.get("/api/v1/discovery", response_model=DiscoveryOut)
def discovery(request: Request, runs: Runs) -> Reply:
    """What this component can do, and where: its endpoints, capabilities and metadata."""
    app = _app(request)
    settings = runs.settings
    return Reply(
        {
            "component": component.NAME,
            "version": app.version,
            "description": component.DESCRIPTION,
            "endpoints": endpoints_of(app),
            "capabilities": component.capabilities(mcp=settings.mcp_enabled),
            "dependencies": {"hermes": settings.hermes_url} if settings.hermes_url else {},
            "metadata": {
                "description": component.DESCRIPTION,
                "database": runs.service.health.store_kind,
                "websocket_endpoint": "/ws",
                "assistant": "enabled",
                "mcp_enabled": settings.mcp_enabled,
                "openapi": app.openapi_url,
                "documentation": str(app.openapi_url).replace("openapi.json", "docs"),
                "health": "/health",
                "metrics": "/metrics",
            },
        }
    )


def endpoints_of(app: FastAPI) -> list[dict[str, object]]:
    """Every documented endpoint, for discovery."""
    return [
        {
            "path": path,
            "method": method.upper(),
            "description": operation.get("summary", ""),
            "tags": operation.get("tags", []),
        }
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    ]


def _told(request: Request, runs: Running, parts: Parts) -> dict[str, object]:
    vitality = _vitality(request)
    settings = runs.settings
    return {
        "status": worst(parts, hermes_required=settings.hermes_required),
        "component": component.NAME,
        "version": _app(request).version,
        "timestamp": time_text(vitality.health.now_us()),
        "uptime": vitality.uptime_seconds,
        "port": _port(request, runs),
        "registeredWithHermes": parts["hermes"]["status"] == "ok",
        "dependencies": ["hermes"] if settings.hermes_url else [],
        "metrics": {"queue_length": vitality.health.queue[0]},
        "details": {
            "services": component.capabilities(mcp=settings.mcp_enabled),
            "parts": parts,
        },
    }


def _port(request: Request, runs: Running) -> int:
    server = request.scope.get("server")
    return server[1] if server and server[1] else runs.settings.port


def _app(request: Request) -> FastAPI:
    app = request.app
    assert isinstance(app, FastAPI)
    return app


def _vitality(request: Request) -> Vitality:
    vitality = request.app.state.vitality
    assert isinstance(vitality, Vitality)
    return vitality
