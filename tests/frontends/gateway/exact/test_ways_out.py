"""What a provider answers, and what our own logs say, shows no way around us."""

import json
from typing import Any

import pytest
from tests.frontends.gateway.conftest import Gate, gating
from tests.frontends.gateway.exact.odd import answering
from tests.providers.server import MockProvider

from tekton_budget.frontends.gateway.routes import hidden

CHAT: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "hello"}],
    "max_completion_tokens": 50,
}
PATH = "/gateway/openai/v1/chat/completions"
OURS = {"authorization": "Bearer sk-theirs"}
MOVED = (
    b"HTTP/1.1 307 Moved\r\nLocation: https://elsewhere.example/v1/chat/completions?k=s\r\n"
    b"Content-Length: 0\r\n\r\n"
)


@pytest.mark.parametrize("stream", [False, True])
def test_no_client_is_led_around_by_a_redirect(
    sqlite_url: str, mock: MockProvider, stream: bool
) -> None:
    """SDKs follow redirects, and send their own key along: such a call would be under no cap."""
    with answering(MOVED) as odd, gating(sqlite_url, mock, upstreams={"openai": odd.url}) as gate:
        policy = gate.limit("1usd/day")
        answer = gate.http.post(PATH, json={**CHAT, "stream": stream}, headers=OURS)
        assert answer.status_code == 502
        assert "location" not in answer.headers
        error = answer.json()["error"]
        assert error["code"] == "upstream_redirects"
        assert "BUDGET_UPSTREAM_OPENAI" in error["message"]
        assert "(https://elsewhere.example/v1/chat/completions)" in error["message"]
        assert gate.spent(policy) == (0, 0, 0, 0)


@pytest.mark.parametrize("path", ["/r/TOKEN", "/gateway/r/TOKEN", "/r/TOKEN/openai/v1/models"])
def test_the_token_of_a_run_is_in_no_log(path: str) -> None:
    assert "TOKEN" not in hidden(path)


def test_a_provider_that_passes_the_newer_name_over_is_told_the_older(
    sqlite_url: str, mock: MockProvider
) -> None:
    with gating(sqlite_url, mock, upstreams={"deepseek": f"{mock.url}/v1"}) as gate:
        for provider in ("deepseek", "openai"):
            gate.http.post(PATH.replace("openai", provider, 1), json=CHAT, headers=OURS)
        told = [json.loads(request.body) for request in mock.requests]
    assert [body.get("max_tokens") for body in told] == [50, None]
    assert [body["max_completion_tokens"] for body in told] == [50, 50]


def test_a_key_of_ours_goes_no_further_when_it_is_sent_twice(gate: Gate) -> None:
    key = gate.key()
    twice = [("authorization", f"Bearer {key}"), ("authorization", "Bearer sk-theirs")]
    answer = gate.http.post(PATH, json=CHAT, headers=[("x-budget-key", key), *twice])
    assert answer.status_code == 200
    [request] = gate.mock.requests
    assert key not in str(request.headers)
    assert "sk-theirs" in str(request.headers)


def test_a_provider_s_key_is_taken_without_the_line_s_end_of_its_file(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-own\n")
    answer = gate.http.post(PATH, json=CHAT, headers={"authorization": f"Bearer {gate.key()}"})
    assert answer.status_code == 200
    assert "sk-own" in str(gate.mock.requests[0].headers)


def test_the_same_idempotency_key_at_another_provider_is_no_retry(
    sqlite_url: str, mock: MockProvider
) -> None:
    with gating(sqlite_url, mock, upstreams={"deepseek": f"{mock.url}/v1"}) as gate:
        paths = (PATH, PATH.replace("openai", "deepseek", 1))
        headers = {**OURS, "idempotency-key": "k"}
        answers = [gate.http.post(path, json=CHAT, headers=headers) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 409]
