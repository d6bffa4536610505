"""The HTTP door over fresh stores, and what tests say to it most often."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import create_engine, text
from tests.frontends.api_read.conftest import Served, served

decode = msgspec.json.Decoder(float_hook=Decimal).decode


class Door:
    """A server, spoken to in JSON; each verb checks the status and gives the body, exact."""

    def __init__(self, served_: Served) -> None:
        self.served = served_
        self.http = served_.http
        self.url = served_.url
        self.running = served_.running

    def post(self, path: str, body: Any = None, status: int = 201, **headers: str) -> Any:
        return self.ask("POST", path, body, status, **headers)

    def put(self, path: str, body: Any, status: int = 200) -> Any:
        return self.ask("PUT", path, body, status)

    def patch(self, path: str, body: Any, status: int = 200) -> Any:
        return self.ask("PATCH", path, body, status)

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        answer = self.http.get(f"/api/v1{path}", params=query)
        assert answer.status_code == status, answer.text
        return decode(answer.content)

    def delete(self, path: str, status: int = 200) -> Any:
        return self.ask("DELETE", path, None, status)

    def ask(self, method: str, path: str, body: Any, status: int, **headers: str) -> Any:
        """A body of bytes is sent as it is."""
        sent = {"content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes | None) else msgspec.json.encode(body)
        answer = self.http.request(method, f"/api/v1{path}", content=content, headers=sent)
        assert answer.status_code == status, answer.text
        return decode(answer.content)


def problem(answer: httpx.Response, status: int, code: str) -> Any:
    """The problem document of a refusal, whole."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = decode(answer.content)
    assert document["code"] == code, document
    assert document["status"] == status
    assert document["type"] == f"urn:tekton-budget:problem:{code}"
    assert document["title"]
    assert document["detail"]
    assert document["instance"].startswith("/")
    return document


def all_rows(running: Any) -> dict[str, list[Any]]:
    """Every row of every table."""
    url = running.store.url
    if running.store.is_postgresql:
        url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    with engine.connect() as connection:
        if running.store.is_postgresql:
            query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        else:
            query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        tables = [row[0] for row in connection.execute(text(query))]
        found = {
            name: sorted(
                repr(tuple(row)) for row in connection.execute(text(f"SELECT * FROM {name}"))
            )
            for name in tables
        }
    engine.dispose()
    return found


@pytest.fixture
def door(store_url: str) -> Iterator[Door]:
    """On each store."""
    with served(store_url) as one:
        yield Door(one)


@pytest.fixture
def quick(sqlite_url: str) -> Iterator[Door]:
    """On SQLite alone, where the store does not matter."""
    with served(sqlite_url) as one:
        yield Door(one)
