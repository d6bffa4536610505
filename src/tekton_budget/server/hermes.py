"""Who speaks to Hermes, and what it says of this service: joined here, where the port is known."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from tekton_budget import component
from tekton_budget.delivery.hermes import Board, Pace, Profile, Registrar, Tool
from tekton_budget.delivery.hermes.client import HermesClient
from tekton_budget.delivery.hermes.registrar import Clocks, Conversation, Report
from tekton_budget.frontends.api.parts import Vitality, parts_of, worst
from tekton_budget.frontends.http.auth import is_loopback
from tekton_budget.frontends.tekton.protocol.table import CAPABILITIES, TABLE
from tekton_budget.server.crew import SHARED_COUNTS
from tekton_budget.settings import Settings
from tekton_budget.tekton_environment import EVERYWHERE
from tekton_budget.wiring import Running

MCP_PATH = "/api/mcp/v2"
UI_COMPONENT = "budget-dashboard"


def join_hermes(running: Running, app: FastAPI, port: int, *, is_first: bool = True) -> None:
    """Have the service know Hermes: one process speaks with it, the others of a crew read.

    `app` is the API's application, of which we tell how it does. Nothing is begun yet.
    """
    settings = running.settings
    assert settings.hermes_url is not None
    shared = os.environ.get(SHARED_COUNTS)
    board = None if shared is None else Board(Path(shared), settings.hermes_url)
    if not is_first:
        running.hermes = board
        return
    conversation = Conversation(
        HermesClient(settings.hermes_url, settings.hermes_timeout_seconds),
        profile_of(settings, app.version, running.service.health.store_kind, port),
        pace_of(settings.hermes_interval_seconds),
        report_of(running, app),
        Clocks(wall_us=running.service.health.now_us),
        (lambda _: None) if board is None else board.write,
    )
    running.hermes = Registrar(conversation)


def profile_of(settings: Settings, version: str, store_kind: str, port: int) -> Profile:
    """What Hermes is told, in the words that Tekton's tools read."""
    url = settings.public_url(port)
    name = settings.hermes_name
    metadata: dict[str, Any] = {  # Any: JSON
        "description": component.DESCRIPTION,
        "port": port,
        "also_known_as": [one for one in (component.NAME, component.OTHER_NAME) if one != name],
        "health_endpoint": "/health",
        "discovery_endpoint": "/api/v1/discovery",
        "api_endpoint": "/api/v1",
        "websocket_endpoint": "/ws",
        "websocket_endpoints": [
            f"/ws/budget/{topic}" for topic in ("updates", "alerts", "allocations", "prices")
        ],
        "ui_component": UI_COMPONENT,
        "database": store_kind,
        "assistant": "enabled",
        "mcp_enabled": settings.mcp_enabled,
        "supports_mcp": settings.mcp_enabled,
    }
    if settings.mcp_enabled:
        metadata["mcp_endpoint"] = MCP_PATH
        metadata["mcp_endpoints"] = {
            part: f"{MCP_PATH}/{part}"
            for part in ("health", "capabilities", "tools", "process", "message")
        }
        metadata["mcp_capabilities"] = [one.name for one in CAPABILITIES]
    return Profile(
        component_id=name,
        other_id=_other_id(name, settings.public_host or settings.host, port),
        name=name,
        type=name,
        version=version,
        endpoint=url,
        capabilities=component.capabilities(mcp=settings.mcp_enabled),
        metadata=metadata,
        tools=_tools(url) if settings.mcp_enabled else (),
    )


def pace_of(beat_seconds: float) -> Pace:
    """The usual pace, with another interval of heartbeats; Hermes's own bound is 60 seconds."""
    return Pace(
        beat_seconds=beat_seconds,
        look_seconds=2 * beat_seconds,
        offer_seconds=20 * beat_seconds,
        retry_seconds_max=max(1.0, beat_seconds),
    )


def report_of(running: Running, app: FastAPI) -> Report:
    """How this service does, as `/health` tells it, for heartbeats."""
    vitality: Vitality = app.state.vitality

    async def report() -> Mapping[str, Any]:  # Any: JSON
        parts = await parts_of(running, vitality)
        status = worst(parts, hermes_required=False)
        return {
            "healthy": status == "healthy",
            "status": status,
            "uptime_seconds": vitality.uptime_seconds,
            "queue_length": vitality.health.queue[0],
            "parts": {name: part["status"] for name, part in parts.items()},
        }

    return report


def _other_id(name: str, host: str, port: int) -> str:
    """By which the second service of this name stands beside the first: no third has the same."""
    where = "" if is_loopback(host) or host in EVERYWHERE else f"-{host}"
    return f"{name}{where}-{port}"


def _tools(url: str) -> tuple[Tool, ...]:
    return tuple(
        Tool(
            entry.act.value,
            entry.description,
            entry.schema,
            f"{url}{MCP_PATH}/tools/{entry.act.value}/execute",
            entry.tags,
            {"category": entry.capability},
        )
        for entry in TABLE
    )
