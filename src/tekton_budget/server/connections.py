"""WebSockets as connections: what their client never takes is not kept for ever."""

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

LINGER_SECONDS = 10.0


class SocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's, which after the end waits without bound for what was written last to be taken."""

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        """The application is done with it."""
        super().on_task_complete(task)
        if not self.disconnected:
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)
