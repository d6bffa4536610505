"""The one port: which door a request goes to."""

from starlette.types import Receive, Scope, Send

from tekton_budget.frontends.api import create_app
from tekton_budget.frontends.api.app import BudgetApp
from tekton_budget.frontends.gateway import create_gateway
from tekton_budget.frontends.gateway.app import Gateway
from tekton_budget.frontends.gateway.upstream import Upstream
from tekton_budget.frontends.http.auth import Doorkeeper
from tekton_budget.frontends.http.watched import AccessLog
from tekton_budget.frontends.mcp.door import McpDoor
from tekton_budget.frontends.tekton.protocol import protocol_routers
from tekton_budget.wiring import Running


class Port:
    """An ASGI application: the gateway and `/mcp` at their own paths, the API everywhere else."""

    def __init__(self, api: BudgetApp, gateway: Gateway, mcp: McpDoor | None = None) -> None:
        self.api = api
        self.gateway = gateway
        self.mcp = mcp
        self._is_gateway = gateway.concerns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the server's life from its start to its end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and self._is_gateway(scope["path"]):
            await self.gateway(scope, receive, send)
        elif scope["type"] == "http" and self.mcp is not None and self.mcp.concerns(scope["path"]):
            await self.mcp(scope, receive, send)
        elif scope["type"] == "websocket" and self._is_gateway(scope["path"]):
            await self.gateway.decline(scope, receive, send)
        else:
            await self.api(scope, receive, send)

    async def stop(self) -> None:
        """Streams and sockets that would go on for ever end; what was asked is still answered."""
        if self.mcp is not None:
            self.mcp.stop()
        await self.api.sockets.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                if self.mcp is not None:
                    await self.mcp.close()
                await self.gateway.close()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


def open_port(
    running: Running,
    *,
    access_log: AccessLog | None = None,
    doorkeeper: Doorkeeper | None = None,
    upstream: Upstream | None = None,
) -> Port:
    """All doors that speak HTTP, over a running service.

    A doorkeeper of its own is the library's; an upstream of its own is for tests.
    """
    routers = protocol_routers() if running.settings.mcp_enabled else ()
    api = create_app(running, access_log=access_log, doorkeeper=doorkeeper, routers=routers)
    assert isinstance(api, BudgetApp)
    gateway = create_gateway(
        running,
        api.state.doorkeeper,
        upstream=upstream,
        meter=api.state.metrics.request,
        access_log=access_log,
    )
    mcp = None
    if running.settings.mcp_enabled:
        mcp = McpDoor(
            running.settings,
            api,
            api.state.doorkeeper,
            api.state.hub,
            meter=api.state.metrics.request,
            access_log=access_log,
        )
    return Port(api, gateway, mcp)
