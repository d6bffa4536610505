"""Whether the service is there, ready and well, and how to find one's way in it."""

import time
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from pydantic import ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tekton_budget.domain.errors import BudgetError, Forbidden, Unavailable
from tekton_budget.frontends.api import metrics
from tekton_budget.frontends.api.asking import Asker, Runs
from tekton_budget.frontends.api.body import ExactRoute
from tekton_budget.frontends.api.pulse import Pulse, Slow
from tekton_budget.frontends.api.schemas import TimeOut, View
from tekton_budget.frontends.http.wire import Reply, time_text
from tekton_budget.service.health import Health, Vitals
from tekton_budget.wiring import Running

COMPONENT = "budget"
DESCRIPTION = "Holds LLM spending, in tokens and in money, to the limits that people set"
SERVICES = ("budget_allocation", "cost_tracking", "usage_monitoring")
OUTBOX_LAG_SECONDS_MAX = 60
QUEUE_SHARE_MAX = 0.8

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
                        "services": list(SERVICES),
                        "parts": {
                            "database": {"status": "ok", "kind": "sqlite"},
                            "writer": {"status": "ok"},
                            "queue": {"status": "ok", "length": 0, "max": 20000},
                            "prices": {"status": "ok", "count": 12, "age_seconds": 86400},
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


class Vitality:
    """How the parts of one process do: asked by `/health` and `/ready`."""

    def __init__(self, running: Running) -> None:
        self.health: Health = running.service.health
        self.pulse = Pulse(self.health)
        self.begun = time.monotonic()

    @property
    def uptime_seconds(self) -> float:
        """Since this process serves."""
        return round(time.monotonic() - self.begun, 3)


@router.get("/", response_model=RootOut)
def root(request: Request) -> Reply:
    """What answers here."""
    return Reply(
        {
            "component": COMPONENT,
            "description": DESCRIPTION,
            "version": _app(request).version,
            "status": "active",
        }
    )


@router.get("/health", response_model=HealthOut)
async def health(request: Request, runs: Runs) -> Reply:
    """How the service does. Always 200; it takes no lock, and waits for the store one second.

    `unhealthy`: the store is away or nothing is taken; `degraded`: it is slow, the queue is filling
    up, or events wait long for their number.
    """
    vitality = _vitality(request)
    parts = await _parts(vitality)
    return Reply(
        {
            "status": _worst(parts),
            "component": COMPONENT,
            "version": _app(request).version,
            "timestamp": time_text(vitality.health.now_us()),
            "uptime": vitality.uptime_seconds,
            "port": _port(request, runs),
            "registeredWithHermes": False,
            "dependencies": [],
            "metrics": {"queue_length": vitality.health.queue[0]},
            "details": {"services": SERVICES, "parts": parts},
        }
    )


@router.get("/ready", response_model=ReadyOut)
async def ready(request: Request) -> Reply:
    """Whether commands are taken and the store answers: 200, else 503."""
    vitality = _vitality(request)
    parts = await _parts(vitality)
    missing = [name for name in ("database", "writer") if parts[name]["status"] != "ok"]
    if missing:
        raise Unavailable(
            f"Component not ready: {' and '.join(missing)} not there yet.", code="not_ready"
        )
    return Reply(
        {
            "ready": True,
            "component": COMPONENT,
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
    text = await run_in_threadpool(request.app.state.metrics.text, counts, waiting)
    return Response(text, headers={"Content-Type": metrics.MEDIA_TYPE})


@router.get("/api/v1/discovery", response_model=DiscoveryOut)
def discovery(request: Request, runs: Runs) -> Reply:
    """What this component can do, and where: its endpoints, capabilities and metadata."""
    app = _app(request)
    return Reply(
        {
            "component": COMPONENT,
            "version": app.version,
            "description": DESCRIPTION,
            "endpoints": endpoints_of(app),
            "capabilities": SERVICES,
            "dependencies": {},
            "metadata": {
                "description": DESCRIPTION,
                "database": runs.service.health.store_kind,
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


async def _parts(vitality: Vitality) -> dict[str, dict[str, object]]:
    health_ = vitality.health
    length, most = health_.queue
    parts: dict[str, dict[str, object]] = {
        "database": {"status": "ok", "kind": health_.store_kind},
        "writer": {"status": "ok" if health_.is_working else "down"},
        "queue": {
            "status": "ok" if length <= QUEUE_SHARE_MAX * most else "slow",
            "length": length,
            "max": most,
        },
    }
    try:
        parts |= _stored(await vitality.pulse.taken())
    except Slow:
        parts["database"]["status"] = "slow"
    except BudgetError as refusal:
        parts["database"] |= {"status": "down", "cause": refusal.detail}
    return parts


def _stored(vitals: Vitals) -> dict[str, dict[str, object]]:
    lag_seconds = vitals.outbox_lag_seconds
    return {
        "prices": {
            "status": "ok",
            "count": vitals.prices,
            "age_seconds": vitals.price_age_seconds,
        },
        "outbox": {
            "status": "ok" if lag_seconds <= OUTBOX_LAG_SECONDS_MAX else "slow",
            "lag_seconds": lag_seconds,
        },
    }


def _worst(parts: dict[str, dict[str, object]]) -> str:
    said = {part["status"] for part in parts.values()}
    if "down" in said:
        return "unhealthy"
    return "degraded" if "slow" in said else "healthy"


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
