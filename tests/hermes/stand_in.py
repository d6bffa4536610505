"""A Hermes for tests, over real HTTP: it answers as the real one was recorded, and fails on demand.

    with hermes() as stand_in:
        stand_in.url, stand_in.now            # its address and its clock, which is moved by hand
        stand_in.restart()                    # forgets everybody; old tokens stay valid
        stand_in.fails("500", on="/heartbeat", times=2)

Its oddities are the real one's: heartbeats of whoever is not listed are taken, a farewell wants the
id in the query, the listing never knows a type, and nobody is ever forgotten.
"""

import asyncio
import hashlib
import hmac
import json
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, HTTPException
from pydantic import AliasChoices, BaseModel, Field
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.http_server import listening

START = 1_795_442_625.0
TOKEN_SECONDS = 3600
HEALTHY_SECONDS = 60
_SECRET = b"tekton-secret-key"
_ID = AliasChoices("component_id", "componentId")


@dataclass
class Fault:
    """What happens instead of an answer, at paths that end so, so many times."""

    kind: str  # 500, broken, page, 401, slow, drips; late: it is done, and the answer is slow
    on: str = ""
    times: int = 1


class StandIn:
    """Its registers, to be read and changed by tests."""

    def __init__(self) -> None:
        self.url = ""
        self.layout = "/api"
        self.now = START
        self.token_seconds: int = TOKEN_SECONDS
        self.components: dict[str, dict[str, Any]] = {}
        self.tools: dict[str, dict[str, Any]] = {}
        self.statuses: list[dict[str, Any]] = []
        self.requests: deque[str] = deque(maxlen=1000)  # "POST /api/register", as they came
        self.faults: list[Fault] = []
        self.slow_seconds = 30.0

    def fails(self, kind: str, on: str = "", times: int = 1) -> None:
        self.faults.append(Fault(kind, on, times))

    def restart(self, layout: str | None = None) -> None:
        """As after `kill` and start: memory is gone, the secret is the same."""
        self.components.clear()
        self.tools.clear()
        self.layout = self.layout if layout is None else layout

    def asked(self, path: str) -> int:
        """How many requests came to paths that end so."""
        return sum(one.split("?")[0].endswith(path) for one in self.requests)

    def token_of(self, component_id: str) -> str:
        now = int(self.now)
        payload = {
            "component_id": component_id,
            "token_id": str(uuid.uuid4()),
            "iat": now,
            "exp": now + self.token_seconds,
        }
        return json.dumps({"payload": payload, "signature": _signature(payload)})

    def admits(self, component_id: str, token: str) -> bool:
        try:
            said = json.loads(token)
            payload = said["payload"]
        except (ValueError, TypeError, KeyError):
            return False
        return bool(
            said.get("signature") == _signature(payload)
            and payload["component_id"] == component_id
            and payload["exp"] >= self.now
        )

    def names(self) -> list[str]:
        """Of the tools, in order."""
        return sorted(tool["name"] for tool in self.tools.values())


def _signature(payload: dict[str, Any]) -> str:
    text = json.dumps(payload, sort_keys=True).encode()
    return hmac.new(_SECRET, text, hashlib.sha256).hexdigest()


class Registration(BaseModel):
    component_id: str | None = Field(None, validation_alias=_ID)
    name: str
    version: str
    type: str = Field(validation_alias=AliasChoices("type", "component_type", "componentType"))
    endpoint: str
    capabilities: list[str] = []
    metadata: dict[str, Any] = {}


class Heartbeat(BaseModel):
    component_id: str = Field(validation_alias=_ID)
    status: dict[str, Any] = {}


class Question(BaseModel):
    capability: str | None = None
    component_type: str | None = None
    healthy_only: bool = False


class ToolSpec(BaseModel):
    id: str | None = None
    name: str
    description: str
    given: dict[str, Any] = Field(alias="schema")
    tags: list[str] | None = None
    version: str | None = None
    endpoint: str | None = None
    metadata: dict[str, Any] | None = None


class Execution(BaseModel):
    parameters: dict[str, Any]
    context: dict[str, Any] | None = None


Token = Annotated[str, Header(alias="x-authentication-token")]


def _routes(hermes: StandIn) -> APIRouter:
    router = APIRouter()

    @router.post("/register")
    def register(body: Registration) -> dict[str, Any]:
        name = body.name.lower().replace(" ", "-")
        id_ = body.component_id or f"{body.type}-{name}-{uuid.uuid4().hex[:8]}"
        hermes.components[id_] = {
            "component_id": id_,
            "name": body.name,
            "version": body.version,
            "type": None,
            "port": None,
            "status": "unknown",
            "capabilities": body.capabilities,
            "endpoint": body.endpoint,
            "last_heartbeat": None,
            "registered_at": hermes.now,
            "metadata": {"type": body.type, **body.metadata},
        }
        return {
            "success": True,
            "componentId": id_,
            "token": hermes.token_of(id_),
            "message": "Component registered successfully",
        }

    @router.post("/heartbeat")
    def heartbeat(body: Heartbeat, token: Token) -> dict[str, Any]:
        if not hermes.admits(body.component_id, token):
            raise HTTPException(401, "Invalid authentication token")
        if body.component_id in hermes.components:
            hermes.components[body.component_id]["last_heartbeat"] = hermes.now
        hermes.statuses.append(body.status)
        return {"success": True, "timestamp": hermes.now, "message": "Heartbeat received"}

    @router.post("/unregister")
    def unregister(component_id: str, token: Token) -> dict[str, Any]:
        if component_id not in hermes.components or not hermes.admits(component_id, token):
            raise HTTPException(401, "Invalid authentication token")
        del hermes.components[component_id]
        return {"success": True, "message": "Component unregistered successfully"}

    @router.get("/components")
    def components(
        capability: str | None = None,
        component_type: str | None = None,
        healthy_only: bool = False,
    ) -> dict[str, Any]:
        found = [
            one
            for one in hermes.components.values()
            if (not capability or capability in one["capabilities"])
            and not component_type
            and (not healthy_only or hermes.now - (one["last_heartbeat"] or 0) <= HEALTHY_SECONDS)
        ]
        return {"total": len(found), "components": found}

    @router.get("/components/{name}")
    def component(name: str) -> dict[str, Any]:
        for one in hermes.components.values():
            if one["name"] == name:
                return one
        raise HTTPException(404, f"Component '{name}' not found")

    @router.post("/query")
    def query(body: Question) -> list[dict[str, Any]]:
        return [
            {
                "componentId": one["component_id"],
                **{name: one[name] for name in ("name", "version")},
                "type": one["metadata"]["type"],
                **{name: one[name] for name in ("endpoint", "capabilities", "metadata")},
                "healthy": None,
                "lastHeartbeat": one["last_heartbeat"],
            }
            for one in hermes.components.values()
            if (not body.capability or body.capability in one["capabilities"])
            and (not body.component_type or body.component_type == one["metadata"]["type"])
            and not body.healthy_only
        ]

    return router


def _tool_routes(hermes: StandIn) -> APIRouter:
    router = APIRouter(prefix="/mcp/v2")

    @router.get("/tools")
    def tools() -> list[dict[str, Any]]:
        return list(hermes.tools.values())

    @router.post("/tools")
    def add(body: ToolSpec) -> dict[str, Any]:
        id_ = body.id or f"tool-{uuid.uuid4()}"
        known = {"id": id_, **body.model_dump(by_alias=True, exclude={"id"})}
        known = {name: value for name, value in known.items() if value is not None}
        hermes.tools[id_] = {**known, "registered_at": hermes.now}
        return {"success": True, "toolId": id_, "message": "Tool registered successfully"}

    @router.get("/tools/{tool_id}")
    def tool(tool_id: str) -> dict[str, Any]:
        if tool_id not in hermes.tools:
            raise HTTPException(404, "Tool not found")
        return hermes.tools[tool_id]

    @router.delete("/tools/{tool_id}")
    def remove(tool_id: str) -> dict[str, Any]:
        if hermes.tools.pop(tool_id, None) is None:
            raise HTTPException(404, "Tool not found")
        return {"success": True, "message": "Tool unregistered successfully"}

    @router.post("/tools/{tool_id}/execute")
    def execute(tool_id: str, body: Execution) -> dict[str, Any]:
        if tool_id not in hermes.tools:
            raise HTTPException(400, f"Tool not found: {tool_id}")
        tool = hermes.tools[tool_id]
        return {
            "success": True,
            "tool_id": tool_id,
            "tool_name": tool["name"],
            "result": {
                "message": f"Remote tool {tool_id} would be executed via {tool['endpoint']}",
                "parameters": body.parameters,
            },
            "execution_time": 0.1,
        }

    return router


class _Front:
    """Before the routes: what was asked, the faults, its own clock, and the layout."""

    def __init__(self, hermes: StandIn) -> None:
        self._hermes = hermes
        routes = FastAPI()
        routes.include_router(_routes(hermes))
        routes.include_router(_tool_routes(hermes))
        self._routes: ASGIApp = routes
        self._elsewhere: ASGIApp = FastAPI()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hermes = self._hermes
        path, query = scope["path"], scope["query_string"].decode()
        hermes.requests.append(f"{scope['method']} {path}" + (f"?{query}" if query else ""))

        fault = self._fault(path)

        async def dated(message: Any) -> None:
            if message["type"] == "http.response.start":
                if fault is not None and fault.kind == "late":
                    await self._slow(receive)
                date = formatdate(hermes.now, usegmt=True).encode()
                message["headers"] = [*message["headers"], (b"date", date)]
            await send(message)

        in_layout = path.startswith("/api/") == (hermes.layout == "/api")
        app = self._routes if in_layout else self._elsewhere
        if fault is not None and fault.kind == "slow":
            receive = await self._slow(receive)
        instead = None if fault is None else self._failing(fault)
        await (instead or app)({**scope, "path": path.removeprefix("/api")}, receive, dated)

    def _fault(self, path: str) -> Fault | None:
        for fault in self._hermes.faults:
            if path.endswith(fault.on) and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def _failing(self, fault: Fault) -> Response | None:
        if fault.kind == "500":
            return PlainTextResponse("Internal Server Error", 500)
        if fault.kind == "broken":
            return Response('{"success":tr', media_type="application/json")
        if fault.kind == "page":
            return Response("<html>Hello</html>", media_type="text/html")
        if fault.kind == "401":
            return Response('{"detail":"Invalid authentication token"}', 401)
        if fault.kind == "drips":
            return StreamingResponse(_drips())
        assert fault.kind in ("slow", "late")
        return None

    async def _slow(self, receive: Receive) -> Receive:
        """Time goes by, until whoever asked has gone; what came by then is received again."""
        came: list[Any] = []

        async def wait() -> None:
            while not came or came[-1]["type"] != "http.disconnect":
                came.append(await receive())

        with suppress(TimeoutError):
            await asyncio.wait_for(wait(), self._hermes.slow_seconds)

        async def again() -> Any:
            return came.pop(0) if came else await receive()

        return again


async def _drips() -> AsyncIterator[bytes]:
    for _ in range(600):
        yield b" "
        await asyncio.sleep(0.05)


@contextmanager
def hermes(port: int = 0) -> Iterator[StandIn]:
    """In a thread, on a free port."""
    stand_in = StandIn()
    with served(stand_in, port):
        yield stand_in


@contextmanager
def served(stand_in: StandIn, port: int = 0) -> Iterator[None]:
    """Listen, as long as the block; whoever comes before or after is refused a connection."""
    with listening(_Front(stand_in), port=port, dates=False) as url:
        stand_in.url = url
        yield
