"""A private gateway: on this machine, for whoever has its one key, over the user's own database."""

import socket
from pathlib import Path

import httpx
import pytest

from tekton_budget.domain.caller import LOCAL
from tekton_budget.server.private import private_gateway
from tekton_budget.settings import load_settings
from tekton_budget.wiring import open_service

RUNS = "/api/v1/runs"


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture
def settings(tmp_path: Path):
    return load_settings(database_url=f"sqlite:///{tmp_path / 'own.db'}", expire_seconds=60)


def test_whoever_has_its_key_is_the_user_and_nobody_else_is_let_in(settings) -> None:
    with open_service(settings, background=False) as running:
        known = running.service.keys.create_key(LOCAL, "team", labels={"team": "a"}).secret
    with private_gateway(settings) as own, httpx.Client(base_url=own.url) as http:
        assert own.url.startswith("http://127.0.0.1:")
        assert http.get("/health").status_code == 200
        assert http.get(RUNS).status_code == 401
        assert http.get(RUNS, headers=bearer("tb_run_other")).status_code == 401
        assert http.get(RUNS, headers={"authorization": "Basic x"}).status_code == 401
        begun = http.post(RUNS, json={"name": "a", "cost_limit": 2}, headers=bearer(own.key))
        assert begun.status_code == 201
        made = http.post("/api/v1/keys", json={"name": "k"}, headers={"x-api-key": own.key})
        assert made.status_code == 201

        assert http.get(RUNS, headers=bearer(known)).json()["items"] == []
        assert http.get(RUNS, headers=bearer(own.key)).json()["items"][0]["name"] == "a"
    with open_service(settings, background=False) as running:
        assert running.service.run_views.run_named(LOCAL, "a").name == "a"


def test_a_websocket_is_declined_by_the_status_that_lets_clients_go_on_by_http(settings) -> None:
    asked = (
        "GET /r/TOKEN/openai/v1/responses HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    )
    with private_gateway(settings) as own:
        port = int(own.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(asked.encode())

            assert line.recv(1000).startswith(b"HTTP/1.1 426 ")


def test_it_ends_with_the_block_and_another_has_another_key(settings) -> None:
    with private_gateway(settings) as first:
        pass
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{first.url}/health")
    with private_gateway(settings) as second:
        assert second.key != first.key
