"""The application: every route in one list, wrapped by the edge."""

import threading
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from tekton_budget.domain.errors import BudgetError
from tekton_budget.frontends.api import body, problems
from tekton_budget.frontends.api.document import complete
from tekton_budget.frontends.api.edge import Edge
from tekton_budget.frontends.api.hot import HotRoutes
from tekton_budget.frontends.api.metrics import Metrics
from tekton_budget.frontends.api.parts import Vitality
from tekton_budget.frontends.api.routes import (
    activity,
    alerts,
    allocations,
    analytics,
    assistant,
    batch,
    budgets,
    command,
    decisions,
    events,
    guide,
    health,
    imports,
    keys,
    planning,
    policies,
    price_costs,
    price_files,
    price_terms,
    prices,
    recommendations,
    routing,
    runs,
    shutdown,
    standings,
    usage,
    verify,
    workflow,
)
from tekton_budget.frontends.api.schemas import ProblemOut, problem_responses
from tekton_budget.frontends.api.sockets import Sockets
from tekton_budget.frontends.http import wire
from tekton_budget.frontends.http.auth import Doorkeeper
from tekton_budget.frontends.http.following import Hub
from tekton_budget.frontends.http.watched import AccessLog
from tekton_budget.wiring import Running

PREFIX = "/api/v1"
PREFIXES = (PREFIX, "/api")

# Business routes, each under both prefixes. Order matters where paths overlap: fixed before named.
ROUTERS: tuple[APIRouter, ...] = (
    standings.router,
    budgets.router,
    policies.groups_router,
    policies.router,
    policies.credit_router,
    allocations.router,
    batch.router,
    prices.router,
    recommendations.router,
    price_costs.router,
    price_files.router,
    price_terms.router,
    keys.router,
    runs.router,
    routing.router,
    activity.router,
    analytics.router,
    assistant.router,
    usage.router,
    planning.router,
    alerts.router,
    decisions.router,
    events.router,
    verify.router,
    imports.import_router,
    imports.export_router,
    command.router,
)
# Routes at the root, such as /health.
ROOT_ROUTERS: tuple[APIRouter, ...] = (health.router, shutdown.router, workflow.router)


# What follows /api or /api/v1: routes are made once, for making them takes time at every start.
def _nouns_of(routers: Iterable[APIRouter]) -> frozenset[str]:
    paths = (
        str(getattr(route, "path", "")) or router.prefix
        for router in routers
        for route in router.routes
    )
    return frozenset(path.split("/")[1] for path in paths)


_NOUNS = _nouns_of(ROUTERS) | {"docs", "redoc", "openapi.json", "discovery", "health"}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_KEYS: dict[str, dict[str, Any]] = {  # Any: JSON of OpenAPI
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key: tb_live_…"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


class BudgetApp(FastAPI):
    """FastAPI behind our edge, with our problems in its document."""

    edge: Edge
    sockets: Sockets
    pages: ASGIApp  # the edge, for pages of other sites that may ask
    nouns = _NOUNS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Everything goes through the edge."""
        if scope["type"] == "websocket":
            await self.sockets(scope, receive, send)
        elif scope["type"] == "http" and any(name == b"origin" for name, _ in scope["headers"]):
            await self.pages(scope, receive, send)
        else:
            await self.edge(scope, receive, send)

    async def routed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the edge lets through to FastAPI; a business path under /api is that of /api/v1."""
        path = scope.get("path", "")
        if "\0" in path or b"%00" in scope.get("query_string", b""):
            raise wire.unstorable("address")
        if path.startswith("/api/") and path.split("/", 3)[2] in self.nouns:
            scope["path"] = PREFIX + path[len("/api") :]
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:  # Any: JSON
        """FastAPI's document, with keys and problems said once, summaries and examples."""
        if self.openapi_schema:
            return self.openapi_schema
        document = super().openapi()
        components = document.setdefault("components", {})
        components.setdefault("securitySchemes", _KEYS)
        document.setdefault("security", [{"bearer": []}, {"apiKey": []}, {}])
        schemas = components.setdefault("schemas", {})
        if "ProblemOut" not in schemas:
            schema = ProblemOut.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= schema.pop("$defs", {})
            schemas["ProblemOut"] = schema
        complete(document)
        return document


def create_app(
    running: Running,
    *,
    access_log: AccessLog | None = None,
    doorkeeper: Doorkeeper | None = None,
    routers: Sequence[APIRouter] = (),
) -> FastAPI:
    """The HTTP door over a running service; a doorkeeper of its own is the library's.

    `routers` are those of other doors that speak HTTP in the same way, below the same prefixes.
    """
    app = BudgetApp(
        title="Tekton Budget",
        version=version("tekton-budget"),
        description=_DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # FastAPI's own loads its scripts from the network
        redoc_url=None,
        exception_handlers={
            BudgetError: problems.on_refusal,
            RequestValidationError: problems.on_invalid,
            body.Carried: body.on_carried,
            HTTPException: problems.on_http_exception,
            Exception: problems.on_fault,
        },
    )
    app.state.running = running
    app.state.doorkeeper = doorkeeper or Doorkeeper(running.service.keys, running.settings)
    for router in (*ROUTERS, *routers):
        app.include_router(router, prefix=PREFIX, responses=problem_responses())
    app.nouns = _NOUNS | _nouns_of(routers)
    app.include_router(guide.router, prefix=PREFIX)  # of the document, not in it
    root_routers = ROOT_ROUTERS
    if running.settings.shutdown_enabled:
        root_routers += (shutdown.stopping,)
    for router in root_routers:
        app.include_router(router, responses=problem_responses())
    app.state.hot = HotRoutes(running.service.ledger, PREFIXES)
    app.state.vitality = Vitality(running)
    app.state.hub = Hub(running.service.following, running.service.keys)
    app.state.verifying = threading.Lock()
    app.state.metrics = Metrics()
    running.service.health.watch(app.state.metrics.batch)
    app.edge = Edge(
        app.routed,
        app.state.doorkeeper,
        app.state.hot,
        meter=app.state.metrics.request,
        access_log=access_log,
    )
    app.sockets = Sockets(
        running.service,
        app.state.doorkeeper,
        app.state.hub,
        count=app.state.metrics.sockets,
        access_log=access_log,
    )
    app.pages = CORSMiddleware(
        app.edge,
        allow_origins=running.settings.cors_origins,
        allow_methods=_METHODS,
        allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "X-API-Key"),
        expose_headers=("Retry-After",),
    )
    return app


_DESCRIPTION = """\
Holds LLM spending, in tokens and in money, to the limits that people set.

Ask before a call is made (`POST /allocations`: 201, or 402 with what to do), settle after it
(`POST /allocations/{id}/settle`). Money is USD with all its digits; times are RFC 3339; names are
snake_case (camelCase is accepted). Send your own ids, or `Idempotency-Key` on any POST: the same
request again gets the first answer. Every path is there under `/api` too.

While no key exists, requests of this machine itself are served without one. From the first key on
each request needs one: `Authorization: Bearer KEY`, or `X-API-Key: KEY`.
"""
