"""WebSockets as connections: how they end for clients that take what is sent late, or never."""

import asyncio
from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

LINGER_SECONDS = 10.0  # for what was written to be taken, once the end is written too


class SocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's; of a client that reads too slowly it would neither write the end nor let go."""

    async def send(self, message: "ASGISendEvent") -> None:
        """Write a message once there is room for it; the last one always."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        """The application is done with it."""
        super().on_task_complete(task)
        if not self.disconnected:
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)
