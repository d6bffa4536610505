"""The mock keeps its word: its bill, its maxima, its caches, its faults, and the official SDKs read it."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import anthropic
import httpx
import openai
import pytest
from google import genai
from google.genai import types
from tests.providers.clients import HTTP
from tests.providers.counting import Tokenizer
from tests.providers.scenario import Scenario
from tests.providers.server import MockProvider, provider

KEYS = {"authorization": "Bearer k", "anthropic-version": "2023-06-01"}
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello there"}]}
CHAT = {"model": "gpt-4o", **HELLO}
CLAUDE = {"model": "claude-haiku-4-5", "max_tokens": 100, **HELLO}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}]}
PATHS = {
    "openai.chat": ("/v1/chat/completions", CHAT),
    "openai.responses": ("/v1/responses", {"model": "gpt-5.4", "input": "Hello there"}),
    "openai.completions": ("/v1/completions", {"model": "gpt-3.5", "prompt": "Hello", "max_tokens": 90}),
    "anthropic.messages": ("/v1/messages", CLAUDE),
    "gemini.generate": ("/v1beta/models/gemini-2.5-flash:{}", GEMINI),
}  # fmt: skip
APIS = sorted(PATHS)


@pytest.fixture(scope="module")
def running() -> Iterator[MockProvider]:
    with provider() as mock:
        yield mock


@pytest.fixture
def mock(running: MockProvider) -> MockProvider:
    running.clear()
    return running


def target(api: str, *, stream: bool) -> tuple[str, dict[str, Any]]:
    path, body = PATHS[api]
    if api == "gemini.generate":
        return path.format("streamGenerateContent?alt=sse" if stream else "generateContent"), body
    return path, {**body, **({"stream": True} if stream else {})}


def post(mock: MockProvider, path: str, body: dict[str, Any], **scenario: Any) -> httpx.Response:
    headers = {**KEYS, "x-mock": json.dumps(scenario)}
    return HTTP.post(f"{mock.url}{path}", json=body, headers=headers, timeout=10)


def last(mock: MockProvider) -> dict[str, int]:
    assert mock.bill.settled()
    return mock.bill.entries[-1].units


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", APIS)
def test_what_was_generated_is_billed(mock: MockProvider, api: str, stream: bool) -> None:
    answer = post(mock, *target(api, stream=stream), tokens=30)
    assert answer.status_code == 200
    assert last(mock)["output"] == 30
    assert mock.bill.entries[-1].end == "done"
    assert mock.bill.reached_by_api == {api: 1}


@pytest.mark.parametrize("api", APIS)
def test_who_hangs_up_is_billed_what_was_written_by_then(mock: MockProvider, api: str) -> None:
    path, body = target(api, stream=True)
    headers = {**KEYS, "x-mock": json.dumps({"tokens": 30, "fault": "stall", "at": 7})}
    with HTTP.stream("POST", f"{mock.url}{path}", json=body, headers=headers) as answer:
        arriving = answer.iter_bytes()
        next(arriving)
        deadline = time.monotonic() + 5
        while mock.bill.units().get("output") != 7 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert mock.bill.open == 1
    assert last(mock)["output"] == 7
    assert mock.bill.entries[-1].end == "gone"


def test_generating_stops_when_the_client_of_a_whole_answer_leaves(mock: MockProvider) -> None:
    path, body = target("openai.chat", stream=False)
    headers = {**KEYS, "x-mock": json.dumps({"tokens": 1000, "token_ms": 10})}
    with pytest.raises(httpx.ReadTimeout):
        HTTP.post(f"{mock.url}{path}", json=body, headers=headers, timeout=0.1)
    assert 1 <= last(mock)["output"] < 500


CUT = {
    "openai.chat": ({"max_tokens": 9}, '"finish_reason":"length"'),
    "openai.responses": ({"max_output_tokens": 16}, '"reason":"max_output_tokens"'),
    "openai.completions": ({"max_tokens": 9}, '"finish_reason":"length"'),
    "anthropic.messages": ({"max_tokens": 9}, '"stop_reason":"max_tokens"'),
    "gemini.generate": ({"generationConfig": {"maxOutputTokens": 9}}, '"finishReason":"MAX_TOKENS"'),
}  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", APIS)
def test_a_maximum_ends_it_in_the_apis_words(mock: MockProvider, api: str, stream: bool) -> None:
    more, word = CUT[api]
    path, body = target(api, stream=stream)
    answer = post(mock, path, {**body, **more}, tokens=50, reasoning=2)
    assert word in answer.text
    assert last(mock)["output"] == (16 if api == "openai.responses" else 9)


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("/v1/chat/completions", {**CHAT, "max_tokens": 10**7}, "max_tokens is too large"),
        ("/v1/chat/completions", {**CHAT, "max_tokens": 0}, "below minimum"),
        ("/v1/chat/completions", {**CHAT, "model": "gpt-5.4", "max_tokens": 9}, "max_completion_tokens"),
        ("/v1/chat/completions", {**CHAT, "maximum": 9}, "maximum"),
        ("/v1/chat/completions", {**CHAT, "stream_options": {}}, "stream"),
        ("/v1/responses", {"model": "gpt-5.4", "input": "x", "max_output_tokens": 15}, ">= 16"),
        ("/v1/responses", {"model": "gpt-5.4", "input": "x", "previous_response_id": "r"}, "not found"),
        ("/v1/messages", {**CLAUDE, "max_tokens": None}, "max_tokens: Field required"),
        ("/v1/messages", {**CLAUDE, "max_tokens": 10**7}, "maximum allowed"),
        ("/v1/messages", {**CLAUDE, "thinking": {"type": "enabled", "budget_tokens": 1024}}, "greater than"),
        ("/v1/messages", {**CLAUDE, "thinking": {"type": "enabled", "budget_tokens": 9}}, "1024"),
        ("/v1/messages", {**CLAUDE, "n": 2}, "Extra inputs"),
        ("/v1beta/models/g:generateContent", {**GEMINI, "n": 2}, "Unknown name"),
        ("/v1beta/models/g:generateContent", {**GEMINI, "generationConfig": {"maxOutputTokens": 0}}, "range"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_and_costs_nothing(
    mock: MockProvider, path: str, body: dict[str, Any], word: str
) -> None:
    answer = post(mock, path, body)
    assert answer.status_code == 400
    assert word in answer.json()["error"]["message"]
    assert last(mock) == {}
    assert mock.bill.entries[-1].end == "refused"


def test_without_a_key_nobody_is_answered(mock: MockProvider) -> None:
    for path, body in (target(api, stream=False) for api in APIS):
        answer = HTTP.post(f"{mock.url}{path}", json=body)
        assert answer.status_code == 401
        assert answer.json()["error"]["message"]


def test_official_sdks_raise_their_own_errors(mock: MockProvider) -> None:
    client = openai.OpenAI(base_url=f"{mock.url}/v1", api_key="k", max_retries=0)
    claude = anthropic.Anthropic(base_url=mock.url, api_key="k", max_retries=0)
    gemini = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=mock.url))
    mock.default = Scenario(fault="status", status=429, retry_after=3)
    with pytest.raises(openai.RateLimitError) as busy:
        client.chat.completions.create(**CHAT)
    assert busy.value.response.headers["retry-after"] == "3"
    with pytest.raises(anthropic.RateLimitError):
        claude.messages.create(**CLAUDE)
    with pytest.raises(genai.errors.ClientError, match="RESOURCE_EXHAUSTED"):
        gemini.models.generate_content(model="gemini-2.5-flash", contents="x")
    mock.default = Scenario(fault="status", status=529)
    with pytest.raises(anthropic.InternalServerError, match="overloaded"):
        claude.messages.create(**CLAUDE)
    mock.keys = {"other"}
    with pytest.raises(openai.AuthenticationError):
        client.models.list()
    mock.keys = None


def test_official_sdks_read_what_it_makes_up(mock: MockProvider) -> None:
    client = openai.OpenAI(base_url=f"{mock.url}/v1", api_key="k")
    claude = anthropic.Anthropic(base_url=mock.url, api_key="k")
    gemini = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=mock.url))
    mock.default = Scenario(tokens=5, reasoning=3, tools=2)
    function = {"name": "f", "parameters": {"type": "object"}}

    with client.chat.completions.stream(
        **CHAT, tools=[{"type": "function", "function": function}]
    ) as stream:
        chat = stream.get_final_completion()
    assert [it.function.name for it in chat.choices[0].message.tool_calls] == ["f", "f"]
    with client.responses.stream(
        model="gpt-5.4", input="x", tools=[{"type": "function", **function}]
    ) as events:
        numbers = [event.sequence_number for event in events]
        response = events.get_final_response()
    assert numbers == list(range(len(numbers)))
    assert [it.type for it in response.output] == [
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]
    assert response.usage.output_tokens_details.reasoning_tokens == 3
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    with claude.messages.stream(
        **{**CLAUDE, "max_tokens": 5000}, tools=tools, thinking=thinking
    ) as told:
        message = told.get_final_message()
    assert [it.type for it in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert message.content[2].input == {"text": "the and more"}
    declared = types.Tool(function_declarations=[types.FunctionDeclaration(name="f")])
    config = types.GenerateContentConfig(
        tools=[declared], automatic_function_calling={"disable": True}
    )
    chunks = list(
        gemini.models.generate_content_stream(model="gemini-2.5-flash", contents="x", config=config)
    )
    assert sum(len(it.function_calls or ()) for it in chunks) == 2
    assert chunks[-1].usage_metadata.thoughts_token_count == 3
    assert [it.id for it in claude.models.list()]
    assert [it.name for it in gemini.models.list(config={"query_base": True})]


def test_azure_and_googles_stream_without_events(mock: MockProvider) -> None:
    azure = openai.AzureOpenAI(azure_endpoint=mock.url, api_key="k", api_version="2024-10-21")
    chunks = list(azure.chat.completions.create(**{**CHAT, "model": "mine"}, stream=True))
    assert chunks[0].model_extra["prompt_filter_results"]
    assert mock.bill.entries[-1].model == "mine"
    array = post(mock, "/v1beta/models/gemini-2.5-flash:streamGenerateContent", GEMINI, tokens=3)
    assert [it["candidates"][0].get("finishReason") for it in array.json()] == [None] * 3 + ["STOP"]


def test_prefixes_are_cached_as_each_api_does(mock: MockProvider) -> None:
    long = "word " * 2_000
    chat = {
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": long}, *HELLO["messages"]],
    }
    post(mock, "/v1/chat/completions", chat)
    whole = last(mock)["input"]
    again = post(mock, "/v1/chat/completions", chat).json()["usage"]
    cached = again["prompt_tokens_details"]["cached_tokens"]
    assert cached % 128 == 0
    assert cached > 2_300
    assert last(mock)["input"] + last(mock)["cache_read"] == whole == again["prompt_tokens"]

    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    claude = {**CLAUDE, "system": [{"type": "text", "text": long, **mark}]}
    first = post(mock, "/v1/messages", claude).json()["usage"]
    assert first["cache_creation"]["ephemeral_1h_input_tokens"] > 2_400
    second = post(mock, "/v1/messages", claude).json()["usage"]
    assert second["cache_read_input_tokens"] == first["cache_creation_input_tokens"]
    assert second["cache_creation_input_tokens"] == 0
    assert second["input_tokens"] == first["input_tokens"]
    longer = {
        **claude,
        "messages": [{"role": "user", "content": [{"type": "text", "text": long, **mark}]}],
    }
    third = post(mock, "/v1/messages", longer).json()["usage"]
    assert third["cache_read_input_tokens"] == second["cache_read_input_tokens"]
    assert third["cache_creation_input_tokens"] > 2_400
    unmarked = post(mock, "/v1/messages", {**CLAUDE, "system": long}).json()["usage"]
    assert unmarked["cache_read_input_tokens"] == unmarked["cache_creation_input_tokens"] == 0


def test_a_response_remembers_the_one_before(mock: MockProvider) -> None:
    ask = {"model": "gpt-5.4", "input": "Hello"}
    first = post(mock, "/v1/responses", ask, tokens=100).json()
    then = post(mock, "/v1/responses", {**ask, "previous_response_id": first["id"]}).json()
    assert (
        then["usage"]["input_tokens"]
        == first["usage"]["total_tokens"] + first["usage"]["input_tokens"]
    )


def test_its_tokenizer_is_never_above_bytes() -> None:
    for text in ("", "a", "héé", "日本語の文字", "x" * 1000, "🙂"):
        for size in (1, 4):
            assert Tokenizer(size, "openai").text(text) <= len(text.encode())
    assert Tokenizer(1, "openai").text("🙂") == 4
    picture = {"type": "image_url", "image_url": {"url": "https://host/x.png", "detail": "low"}}
    assert Tokenizer(4, "openai").read({"content": [picture]}) == 85


# Faults.


def test_usage_may_be_too_much_or_not_there(mock: MockProvider) -> None:
    for api in APIS:
        path, body = target(api, stream=False)
        more, _ = CUT[api]
        answer = post(mock, path, {**body, **more}, usage="over", over=40)
        limit = 16 if api == "openai.responses" else 9
        assert last(mock)["output"] == limit + 40
        assert str(limit + 40) in answer.text
        none = post(mock, path, body, usage="none")
        assert '"usage":{' not in none.text
        assert "usageMetadata" not in none.text
        assert last(mock)["output"] == 16


def test_streams_break_where_they_are_told_to(mock: MockProvider) -> None:
    path, body = target("openai.chat", stream=True)
    for fault, failure in (
        ("reset", httpx.ReadError), ("close", httpx.RemoteProtocolError), ("truncated", httpx.RemoteProtocolError)
    ):  # fmt: skip
        with pytest.raises(failure):
            post(mock, path, body, fault=fault, at=5)
        assert last(mock)["output"] == 5
    assert "<html>" in post(mock, path, body, fault="html", at=5).text
    told = post(mock, path, body, fault="invalid_sse", at=5).content
    assert b"\xff\xfe" in told
    assert told.endswith(b"data: [DONE]\n\n")
    path, body = target("anthropic.messages", stream=True)
    assert "overloaded_error" in post(mock, path, body, fault="error_event", at=5, status=529).text


def test_whole_answers_break_too(mock: MockProvider) -> None:
    path, body = target("openai.chat", stream=False)
    for fault, failure in (("reset", httpx.ReadError), ("truncated", httpx.RemoteProtocolError)):
        with pytest.raises(failure):
            post(mock, path, body, fault=fault)
    for fault in ("garbage", "html"):
        with pytest.raises(json.JSONDecodeError):
            post(mock, path, body, fault=fault).json()
    assert post(mock, path, body, gzip=True).json()["usage"]
    assert (
        len(
            post(mock, path, body, pad_bytes=3_000_000, chunk=200_000).json()["choices"][0][
                "message"
            ]["content"]
        )
        > 3_000_000
    )


def raw_chunks(mock: MockProvider, scenario: dict[str, Any]) -> list[bytes]:
    """The pieces of an answer as HTTP cuts them."""
    path, body = target("openai.chat", stream=True)
    content = json.dumps(body)
    with socket.create_connection(("127.0.0.1", urlsplit(mock.url).port)) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\nx-mock: "
            f"{json.dumps(scenario)}\r\ncontent-length: {len(content)}\r\n\r\n{content}".encode()
        )
        reader = connection.makefile("rb")
        while reader.readline().strip():
            pass
        chunks = []
        while size := int(reader.readline(), 16):
            chunks.append(reader.read(size))
            reader.readline()
        return chunks


def test_pieces_are_cut_wherever_it_is_told_to(mock: MockProvider) -> None:
    whole = [it for it in raw_chunks(mock, {}) if it]
    assert all(it.endswith(b"\n\n") for it in whole)
    assert {len(it) for it in raw_chunks(mock, {"chunk": 50})[:-1]} == {50}
    halves = raw_chunks(mock, {"fault": "split_utf8"})
    assert [it for it in halves if it and it[-1] >= 0xC0], "a character is cut in half"
    assert "Zürich" in b"".join(halves).decode()
    packed = raw_chunks(mock, {"gzip": True})
    assert gzip.decompress(b"".join(packed)).endswith(b"[DONE]\n\n")


def test_lengths_follow_the_seed_and_a_long_stream_is_quick(mock: MockProvider) -> None:
    path, body = target("openai.chat", stream=False)
    mock.default = Scenario(tokens=100, sigma=1.0, seed=7)
    lengths = []
    for _ in range(2):
        mock.bill.clear()
        for _ in range(4):
            HTTP.post(f"{mock.url}{path}", json=body, headers=KEYS)
        lengths.append([entry.units["output"] for entry in mock.bill.entries])
    assert lengths[0] == lengths[1]
    assert len(set(lengths[0])) == 4
    path, body = target("anthropic.messages", stream=True)
    ten_minutes = {"tokens": 30_000, "ping_every": 750}  # 50 a second, a ping every 15 s
    told = post(mock, path, {**body, "max_tokens": 100_000}, **ten_minutes)
    assert told.text.count("event: ping") == 41
    assert last(mock)["output"] == 30_000


def test_the_bill_can_be_asked_for(mock: MockProvider) -> None:
    mock.plays("gpt-4o", Scenario(tokens=3), Scenario(tokens=5))
    path, body = target("openai.chat", stream=False)
    for _ in range(3):
        HTTP.post(f"{mock.url}{path}", json=body, headers=KEYS)
    told = HTTP.get(f"{mock.url}/_bill").json()
    assert (told["reached"], told["units"]["output"], told["open"]) == (3, 13, 0)
    assert [entry["units"]["output"] for entry in told["entries"]] == [3, 5, 5]
    assert mock.requests[-1].json()["model"] == "gpt-4o"
