"""Who calls: Budget keys in every place, the labels that they force, and secrets that go nowhere."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.frontends.gateway.conftest import Gate
from tests.frontends.gateway.exact.crowd import Json, asked, path_of
from tests.frontends.gateway.exact.servers import Servers
from tests.providers.server import MockProvider

from tekton_budget.domain.caller import LOCAL, Role
from tekton_budget.settings import load_settings
from tekton_budget.wiring import open_service

OWN = {"openai": "sk-own", "anthropic": "sk-own", "gemini": "sk-own"}
PLACES: dict[str, Callable[[str], tuple[dict[str, str], str]]] = {
    "bearer": lambda key: ({"authorization": f"Bearer {key}"}, ""),
    "x-api-key": lambda key: ({"x-api-key": key}, ""),
    "x-goog-api-key": lambda key: ({"x-goog-api-key": key}, ""),
    "api-key": lambda key: ({"api-key": key}, ""),
    "query": lambda key: ({}, f"?key={key}"),
}
APIS = ("openai", "anthropic", "gemini")


def post(
    gate: Gate, api: str, headers: dict[str, str], query: str = "", body: Json | None = None
) -> httpx.Response:
    sent = {"anthropic-version": "2023-06-01", **headers}
    return gate.http.post(path_of(api) + query, json=body or asked(api, most=32), headers=sent)


@pytest.mark.parametrize("api", APIS)
def test_a_budget_key_in_each_place(gates: Callable[..., Gate], api: str) -> None:
    """Its label is on the call, and the provider's own key goes on in its stead."""
    gate = gates(upstream_keys=OWN)
    key = gate.key("app", team="a")
    by_key = gate.limit("1usd/day", scope={"key": "app", "team": "a"})
    for count, place in enumerate(PLACES.values(), 1):
        headers, query = place(key)
        answer = post(gate, api, headers, query)

        assert answer.is_success, answer.text
        assert gate.mock.requests[-1].key == "sk-own"
        assert gate.mock.requests[-1].query == ""
        assert gate.spent(by_key)[1] > 0
        assert len(gate.mock.bill.entries) == count


def test_the_provider_s_key_comes_from_its_usual_variable(
    gates: Callable[..., Gate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "sk-env")
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    gate = gates()
    assert post(gate, "gemini", {"x-goog-api-key": gate.key()}).is_success
    assert gate.mock.requests[-1].key == "sk-env"


@pytest.mark.parametrize("api", APIS)
def test_the_client_s_own_key_passes_through(gates: Callable[..., Gate], api: str) -> None:
    gate = gates(upstream_keys=OWN)
    by_key = gate.limit("1usd/day", scope={"key": "app"})
    name = {"openai": "authorization", "anthropic": "x-api-key", "gemini": "x-goog-api-key"}[api]
    theirs = "Bearer sk-theirs" if api == "openai" else "sk-theirs"
    answer = post(gate, api, {"x-budget-key": gate.key("app"), name: theirs})

    assert answer.is_success, answer.text
    assert gate.mock.requests[-1].key == "sk-theirs"
    assert gate.spent(by_key)[1] > 0


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("wrong", ["tb_wrong", "sk-theirs", ""])
def test_a_wrong_key_is_told_in_the_shape_of_the_api(
    gates: Callable[..., Gate], api: str, wrong: str
) -> None:
    gate = gates(upstream_keys=OWN)
    gate.key()
    answer = post(gate, api, {"authorization": f"Bearer {wrong}"} if wrong else {})

    assert answer.status_code == 401
    assert answer.headers["x-should-retry"] == "false"
    error = answer.json()["error"]
    told = {"openai": "type", "anthropic": "type", "gemini": "status"}[api]
    assert error[told] == ("UNAUTHENTICATED" if api == "gemini" else "authentication_error")
    assert not gate.mock.requests


@pytest.mark.parametrize("name", ["x-budget-labels", "baggage"])
def test_forced_labels_win(gates: Callable[..., Gate], name: str) -> None:
    gate = gates(upstream_keys=OWN)
    key = gate.key("app", team="a")
    ours = gate.limit("1usd/day", scope={"team": "a", "feature": "f", "key": "app"})
    theirs = gate.limit("1usd/day", scope={"team": "b"})
    headers = {"authorization": f"Bearer {key}", name: "team=b,feature=f,key=other"}

    assert post(gate, "openai", headers).is_success
    assert gate.spent(ours)[1] > 0
    assert gate.spent(theirs)[1] == 0


USERS: list[tuple[str, Json]] = [
    ("openai", {"user": "alice"}),
    ("openai", {"safety_identifier": "alice"}),
    ("openai", {"safety_identifier": "alice", "user": "bob"}),
    ("responses", {"safety_identifier": "alice"}),
    ("anthropic", {"metadata": {"user_id": "alice"}}),
]


@pytest.mark.parametrize("who", ["nobody", "a key that takes it", "a key that does not", "header"])
def test_the_user_may_come_from_the_body(gates: Callable[..., Gate], who: str) -> None:
    """Where the key lets it; without keys labels are the caller's to say, this one too."""
    gate = gates(upstream_keys=OWN)
    alice = gate.limit("1usd/day", scope={"user": "alice"}, name="alice")
    headers = {"authorization": "Bearer sk-theirs"}
    if "key" in who:
        takes = who == "a key that takes it"
        keys = gate.running.service.keys
        key = keys.create_key(LOCAL, "app", role=Role.CLIENT, takes_user=takes)
        headers["authorization"] = f"Bearer {key.secret}"
    if who == "header":
        headers["x-budget-labels"] = "user=carol"
    for api, body in USERS:
        before = gate.spent(alice)[1]
        assert post(gate, api, headers, body={**asked(api, most=32), **body}).is_success

        is_alice = who in ("nobody", "a key that takes it")
        assert (gate.spent(alice)[1] > before) is is_alice, (who, body)


def test_secrets_go_nowhere(
    servers: Servers, sqlite_url: str, mock: MockProvider, tmp_path: Path
) -> None:
    """Neither into a log, at its most talkative, nor into the database."""
    settings = load_settings(database_url=sqlite_url)
    with open_service(settings) as running:
        keys = running.service.keys
        key = keys.create_key(LOCAL, "app", role=Role.CLIENT).secret
    own = "sk-very-own-secret"
    [server] = servers.start(
        database_url=sqlite_url,
        upstreams={"openai": f"{mock.url}/v1", "gemini": "http://127.0.0.1:1"},
        upstream_keys={"openai": own},
        log_level="DEBUG",
    )
    secrets = {key, own, "sk-theirs-secret", "tb_wrong_secret"}
    for given in ("sk-theirs-secret", "tb_wrong_secret", key):
        for api in ("openai", "gemini"):
            for place in PLACES.values():
                headers, query = place(given)
                body = {**asked(api, most=32), "model": "unheard-of"}
                url = server.url + path_of(api) + query
                httpx.post(url, json=asked(api, most=32), headers=headers)
                httpx.post(url, json=body, headers={**headers, "x-budget-key": key})
    httpx.post(server.url + "/gateway/openai/v1/chat/completions", content=b"{" + key.encode())
    httpx.get(server.url + "/health")
    give_up_at = time.monotonic() + 10
    while "/health" not in (log := server.log.read_text()):  # lines are written now and then
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
    server.kill()

    assert "/gateway/openai/v1/chat/completions" in log
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("budget.db*"))
    assert len(stored) > 10_000
    for secret in secrets:
        assert secret not in log
        assert secret.encode() not in stored
