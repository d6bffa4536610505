"""No way around: what is not metered is refused, however its path, method or body is dressed up."""

import http.client
import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from tests.frontends.gateway.conftest import Gate
from tests.frontends.gateway.exact.crowd import Json, asked

from tekton_budget.domain.caller import LOCAL

OPENAI = "/gateway/openai/v1"
AROUND = [
    ("POST", f"{OPENAI}//chat/completions"),
    ("POST", "/gateway//openai/v1/chat/completions"),
    ("POST", "/gateway/openai//v1/chat/completions"),
    ("POST", "//gateway/openai/v1/chat/completions"),
    ("POST", f"{OPENAI}/./chat/completions"),
    ("POST", f"{OPENAI}/models/../chat/completions"),
    ("POST", f"{OPENAI}/models/%2e%2e/chat/completions"),
    ("GET", f"{OPENAI}/models/../chat/completions"),
    ("GET", f"{OPENAI}/models/%2e%2e%2fchat%2fcompletions"),
    ("GET", f"{OPENAI}/models/%252e%252e/chat/completions"),
    ("POST", f"{OPENAI}/responses/..%2fchat%2fcompletions"),
    ("POST", f"{OPENAI}/responses/%2e%2e/cancel"),
    ("POST", f"{OPENAI}/responses/."),
    ("POST", f"{OPENAI}/responses/%3Fx=1"),
    ("POST", f"{OPENAI}/responses/%23"),
    ("POST", f"{OPENAI}/responses/%3Fx/cancel"),
    ("POST", f"{OPENAI}/responses/%5C"),
    ("POST", f"{OPENAI}/responses/%09"),
    ("POST", f"{OPENAI}/responses/"),
    ("POST", f"{OPENAI}/responses/compact"),
    ("POST", f"{OPENAI}/chat/completions/"),
    ("POST", f"{OPENAI}/chat/completions%20"),
    ("POST", f"{OPENAI}/chat/completions%3Fx"),
    ("POST", f"{OPENAI}/chat/completions;x"),
    ("POST", f"{OPENAI}/Chat/Completions"),
    ("POST", f"{OPENAI}/v1/chat/completions"),
    ("POST", f"{OPENAI}/models"),
    ("POST", f"{OPENAI}/images/generations"),
    ("POST", f"{OPENAI}/audio/speech"),
    ("POST", f"{OPENAI}/batches"),
    ("POST", f"{OPENAI}/fine_tuning/jobs"),
    ("POST", f"{OPENAI}/files"),
    ("POST", f"{OPENAI}/realtime/sessions"),
    ("POST", f"{OPENAI}/videos"),
    *((verb, f"{OPENAI}/chat/completions") for verb in ("GET", "PUT", "PATCH", "DELETE", "HEAD")),
    *((verb, f"{OPENAI}/chat/completions") for verb in ("OPTIONS", "TRACE", "post", "CONNECT")),
    ("POST", "/gateway/anthropic//v1/messages"),
    ("POST", "/gateway/anthropic/v1/messages/"),
    ("POST", "/gateway/anthropic/messages"),
    ("POST", "/gateway/anthropic/v1/messages/batches"),
    ("POST", "/gateway/anthropic/v1/complete"),
    ("GET", "/gateway/anthropic/v1/models/..%2fmessages%2fbatches"),
    ("POST", "/gateway/gemini/v1beta/models/gemini-2.5-flash:generateContent/"),
    ("POST", "/gateway/gemini/v1beta/models/gemini-2.5-flash:predict"),
    ("POST", "/gateway/gemini/v1beta/models/gemini-2.5-flash:batchGenerateContent"),
    ("POST", "/gateway/gemini/v1beta/models/gemini-2.5-flash:GenerateContent"),
    ("GET", "/gateway/gemini/v1beta/models/gemini-2.5-flash%3AgenerateContent"),
    ("POST", "/gateway/gemini/v1beta/models/x/../gemini-2.5-flash:countTokens"),
    ("POST", "/gateway/azure/openai/deployments/gpt-4o/images/generations?api-version=1"),
    ("POST", "/gateway/azure/openai/deployments/../v1/chat/completions?api-version=1"),
    ("POST", "/gateway/nobody/v1/chat/completions"),
    ("POST", "http://127.0.0.1/v1/chat/completions"),
    ("POST", "/gateway/http://127.0.0.1/v1/chat/completions"),
]


def sent(gate: Gate, method: str, target: str, body: Json | None, **headers: str) -> int:
    """A request whose target no library tidies up; its status."""
    line = http.client.HTTPConnection(urlsplit(gate.url).netloc, timeout=10)
    line.putrequest(method, target, skip_accept_encoding=True)
    data = b"" if body is None else json.dumps(body).encode()
    given = {"authorization": "Bearer sk-theirs", "content-length": str(len(data)), **headers}
    for name, value in given.items():
        line.putheader(name.replace("_", "-"), value)
    line.endheaders(data)
    try:
        return line.getresponse().status
    finally:
        line.close()


def test_bypass_routes(gate: Gate) -> None:
    """With nothing left, no target and no method reaches the provider."""
    gate.limit("0usd/day")
    for method, target in AROUND:
        status = sent(gate, method, target, asked(most=16))

        assert 400 <= status < 500, (method, target, status)
        assert not gate.mock.requests, (method, target)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", f"{OPENAI}/models"),
        ("GET", "/gateway/anthropic/v1/models"),
        ("GET", "/gateway/gemini/v1beta/models"),
        ("POST", "/gateway/anthropic/v1/messages/count_tokens"),
    ],
)
def test_what_is_free_goes_on_when_all_is_spent(gate: Gate, method: str, target: str) -> None:
    gate.limit("0usd/day")
    body = asked("anthropic") if method == "POST" else None

    assert sent(gate, method, target, body, anthropic_version="2023-06-01") in (200, 404)
    assert len(gate.mock.requests) == 1


def test_free_models_go_on_when_all_is_spent(gate: Gate) -> None:
    """A price of zero is known: such a model may be called on an empty budget."""
    free = {"rates": {"input": "0", "output": "0"}}
    gate.running.service.prices.set_price(LOCAL, "openai", "gpt-free", free)
    policy = gate.limit("1usd/day")
    body = {**asked(most=16), "model": "gpt-free"}
    gate.limit("0usd/day", name="none")

    assert sent(gate, "POST", f"{OPENAI}/chat/completions", body) == 200
    assert gate.spent(policy)[1] == 0
    assert gate.spent(policy)[0] > 0


DOUBLES = [
    b'{"model":"gpt-4o","model":"gpt-4o-mini",%b,"max_completion_tokens":16}',
    b'{"model":"gpt-4o-mini",%b,"max_completion_tokens":100000,"max_completion_tokens":16}',
    b'{"model":"gpt-4o-mini",%b,"max_completion_tokens":100000,"max_c\\u006fmpletion_tokens":16}',
]


@pytest.mark.parametrize("body", DOUBLES)
def test_what_was_judged_is_what_is_sent(gate: Gate, body: bytes) -> None:
    """Of a field given twice, parsers take the first or the last: only one of them goes on."""
    gate.limit("1usd/day")
    data = body % b'"messages":[{"role":"user","content":"hello"}]'
    headers = {"authorization": "Bearer sk-theirs", "content-type": "application/json"}

    assert gate.http.post(f"{OPENAI}/chat/completions", content=data, headers=headers).is_success
    [request] = gate.mock.requests
    pairs = json.loads(request.body, object_pairs_hook=lambda found: found)
    assert len(dict(pairs)) == len(pairs)
    assert dict(pairs)["max_completion_tokens"] == 16
    assert dict(pairs)["model"] == "gpt-4o-mini"


def test_nothing_of_ours_goes_upstream(gates: Callable[..., Gate]) -> None:
    """Neither our headers nor any of the places in which our key may come."""
    gate = gates(upstream_keys={"openai": "sk-own"})
    gate.limit("1usd/day")
    ours = gate.key("app", team="a")
    ways: list[dict[str, str]] = [
        {"authorization": f"Bearer {ours}"},
        {"authorization": f"Bearer {ours}", "x-api-key": "sk-theirs"},
        {"authorization": "Bearer sk-theirs", "x-api-key": ours},
        {"authorization": "Bearer sk-theirs", "api-key": ours},
        {"authorization": "Bearer sk-theirs", "x-goog-api-key": ours},
        {"authorization": f"bearer   {ours} "},
        {"x-budget-key": ours, "authorization": "Bearer sk-theirs"},
        {"x-budget-key": ours, "authorization": f"Bearer {ours}"},
        {"x-budget-key": ours, "authorization": f"Bearer {ours}", "x-api-key": "sk-theirs"},
    ]
    more = {
        "x-budget-labels": "feature=f",
        "baggage": "task=t",
        "cookie": "a=b",
        "x-http-method-override": "DELETE",
        "x-budget-hold": "full",
        "x-forwarded-for": "10.0.0.1",
    }
    for way in ways:
        for query in ("", f"?key={ours}", f"?x=1&key={ours}&y=2", f"?%6bey={ours}"):
            gate.mock.requests.clear()
            sent(gate, "POST", f"{OPENAI}/chat/completions{query}", asked(most=16), **way, **more)

            [request] = gate.mock.requests
            assert request.key in ("sk-own", "sk-theirs")
            assert ours not in f"{request.headers} {request.query} {request.path}", (way, query)
            assert not any(name.startswith("x-budget") for name in request.headers)
            assert not {"baggage", "cookie", "x-http-method-override"} & set(request.headers)
