"""An application in this very process, spoken to in memory: the library's verbs without a wire."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope

from tekton_budget.domain.errors import BudgetError
from tekton_budget.face import wire
from tekton_budget.face.request import Labels, Request

Headers = Iterable[tuple[bytes, bytes]]


class Inner:
    """The verbs' way to the API's own application: one truth, whichever door asks.

    It asks with the credentials it was given, in `headers`; without any, as this machine's user.
    """

    def __init__(self, app: ASGIApp, headers: Headers = ()) -> None:
        self._app = app
        self._headers = tuple(headers)

    async def answer(self, request: Request[Any]) -> Any:
        """One request through the application. Nothing is sent anywhere."""
        body = wire.body_of(request)
        headers = [
            (name.encode(), value.encode())
            for name, value in wire.headers_of(request, None).items()
        ]
        path = wire.path_of(request)
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": wire.query_of(request).encode(),
            "root_path": "",
            "headers": [*headers, *self._headers, (b"host", b"localhost")],
            "client": ("127.0.0.1", 0),
            "server": ("localhost", 0),
            "state": {},
        }
        told = _Told(body)
        await self._app(scope, told.receive, told.send)
        return wire.read_answer(told.status, bytes(told.body), told.retry_after)

    def calls(self, http: Any, labels: Labels) -> Any:
        """Providers' clients have the gateway itself."""
        del http, labels
        raise BudgetError("Calls of models go through the gateway, not by this way.")

    async def close(self) -> None:
        """Nothing is held."""


class _Told:
    """One request's body on its way in, and the answer on its way out."""

    def __init__(self, body: bytes) -> None:
        self._sent = body
        self.status = 500
        self.retry_after: str | None = None
        self.body = bytearray()

    async def receive(self) -> Message:
        """The whole body at once."""
        return {"type": "http.request", "body": self._sent, "more_body": False}

    async def send(self, message: Message) -> None:
        """Collects the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            for name, value in message["headers"]:
                if name == b"retry-after":
                    self.retry_after = value.decode()
        else:
            self.body += message.get("body", b"")
