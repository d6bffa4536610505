"""The original component's clients, spoken for over real HTTP: their paths, words and spellings."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.frontends.api_read.conftest import NO_TLS, Served, served

from tekton_budget.frontends.http.wire import in_camel_case

__all__ = ["NO_TLS", "Client", "prices"]

PREFIXES = ("/api", "/api/v1")
OPUS = {"provider": "anthropic", "model": "claude-3-opus"}
HAIKU = {"provider": "anthropic", "model": "claude-3-haiku"}


class Client:
    """A client of the original: no key, one of its two prefixes; each verb checks the status."""

    def __init__(self, server: Served, prefix: str) -> None:
        self.server = server
        self.prefix = prefix

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        return self.ask("GET", path, None, status, **query)

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return self.ask("POST", path, body, status)

    def put(self, path: str, body: Any, status: int = 200) -> Any:
        return self.ask("PUT", path, body, status)

    def delete(self, path: str, status: int = 200) -> Any:
        return self.ask("DELETE", path, None, status)

    def ask(self, method: str, path: str, body: Any, status: int, **query: Any) -> Any:
        answer = self.server.http.request(
            method, self.prefix + path, json=body, params=query or None
        )
        assert answer.status_code == status, answer.text
        return answer.json()


def prices(server: Served) -> None:
    """Two of the original's own models."""
    for card in ({**OPUS, "input": 15, "output": 75}, {**HAIKU, "input": 0.25, "output": 1.25}):
        server.http.post("/api/v1/prices", json=card).raise_for_status()


@pytest.fixture(params=PREFIXES)
def original(request: pytest.FixtureRequest, sqlite_url: str) -> Iterator[Client]:
    """Under each prefix, on SQLite; prices of two models are known and no others."""
    with served(sqlite_url, prices="none") as server:
        prices(server)
        yield Client(server, request.param)


@pytest.fixture
def on_each_store(store_url: str) -> Iterator[Client]:
    """On each store, under the prefix of the original's page and command line."""
    with served(store_url, prices="none") as server:
        prices(server)
        yield Client(server, "/api")


@pytest.fixture
def camel() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The same body as Tekton's own models write it."""
    return lambda body: {in_camel_case(name): value for name, value in body.items()}
