"""Where calls go instead, and in which words."""

import sys

import httpx
import pytest

from tekton_budget import InvalidInput, NotFound
from tekton_budget.face.calling import Addresses, Redirect, http_module
from tekton_budget.face.environment import environment

SET_UP = {
    "mine": "https://llm.example.org/api/v1",
    "deep": "https://llm.example.org/api/v1/deep",
    "azure": "https://we.openai.azure.com",
    "anthropic": "anthropic+http://127.0.0.1:9000",
    "ollama": "http://gpu:11434/v1",
}


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://api.openai.com/v1/chat/completions", "/gateway/openai/chat/completions"),
        ("https://API.openai.com:443/v1/models?limit=2", "/gateway/openai/models?limit=2"),
        ("https://api.anthropic.com/v1/messages", "/gateway/anthropic/v1/messages"),
        ("http://localhost:9000/v1/messages", "/gateway/anthropic/v1/messages"),
        (
            "https://generativelanguage.googleapis.com/v1beta/models/a%2Fb:generateContent?alt=sse",
            "/gateway/gemini/v1beta/models/a%2Fb:generateContent?alt=sse",
        ),
        ("https://openrouter.ai/api/v1/responses", "/gateway/openrouter/responses"),
        ("https://llm.example.org/api/v1/embeddings", "/gateway/mine/embeddings"),
        ("https://llm.example.org/api/v1/deep/x", "/gateway/deep/x"),
        ("https://we.openai.azure.com/openai/v1/responses", "/gateway/azure/openai/v1/responses"),
        ("http://localhost:11434/v1/completions", "/gateway/ollama/completions"),
        ("http://gpu:11434/v1/completions", "/gateway/ollama/completions"),
        ("https://demo.invalid/v1/messages", "/gateway/demo/v1/messages"),
    ],
)
def test_addresses_of_providers_lead_to_the_gateway(url: str, path: str) -> None:
    onward = Redirect(Addresses(SET_UP), {}).of(httpx.Request("POST", url))
    assert onward.url == f"http://localhost{path}"
    assert onward.headers[0] == (b"host", b"localhost")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.openai.com/v1/models",
        "https://api.openai.com/v1x/models",
        "https://api.openai.com.example.org/v1/models",
        "https://api.openai.com@example.org/v1/models",
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/x/invoke",
        "http://localhost/gateway/openai/v1/models",
    ],
)
def test_others_lead_nowhere(url: str) -> None:
    with pytest.raises(NotFound, match="are not let through"):
        Redirect(Addresses(SET_UP), {}).of(httpx.Request("GET", url))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://api.openai.com/v1/models", "/below/gateway/openai/models"),
        ("http://127.0.0.1:8013/below/gateway/own/v1/x?a=b", "/below/gateway/own/v1/x?a=b"),
        ("http://localhost:8013/below/r/TOKEN/openai/v1/x", "/below/r/TOKEN/openai/v1/x"),
    ],
)
def test_what_goes_to_the_server_anyway_stays_as_it_is(url: str, path: str) -> None:
    redirect = Redirect(Addresses({}), {}, base="http://localhost:8013/below", key="tb_ours")
    onward = redirect.of(httpx.Request("GET", url))
    assert onward.url == f"http://localhost:8013{path}"
    assert onward.headers[0] == (b"host", b"localhost:8013")
    assert (b"x-budget-key", b"tb_ours") in onward.headers


def test_what_the_call_says_goes_before_what_its_client_says() -> None:
    redirect = Redirect(Addresses({}), {"team": "a, ü"}, base="http://server", key="tb_ours")
    said = {"X-Budget-Labels": "team=b", "X-Budget-Key": "tb_other", "Authorization": "Bearer k"}
    sent = httpx.Request("GET", "https://api.openai.com/v1/models", headers=said)
    told = dict(redirect.of(sent).headers)
    assert told[b"x-budget-labels"] == b"team=a%2C%20%C3%BC,team=b"
    assert told[b"x-budget-key"] == b"tb_other"
    assert told[b"authorization"] == b"Bearer k"


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="BUDGET_UPSTREAM_MINE: 'llm"):
        Addresses({"mine": "llm.example.org"})


def test_addresses_are_read_from_the_environment() -> None:
    told = {"BUDGET_UPSTREAM_MINE": "https://x", "BUDGET_UPSTREAM_KEY_MINE": "secret"}
    assert environment({**told, "BUDGET_UPSTREAM_NONE": ""}).upstreams == {"mine": "https://x"}


def test_httpx2_is_taken_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert http_module(None).__name__ == "httpx2"
    assert http_module(httpx) is http_module("httpx") is httpx
    monkeypatch.setitem(sys.modules, "httpx2", None)
    assert http_module(None) is httpx
    with pytest.raises(InvalidInput, match="pip install httpx2"):
        http_module("httpx2")
    with pytest.raises(InvalidInput, match="none of httpx2 and httpx"):
        http_module("requests")
