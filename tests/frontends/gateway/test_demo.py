"""The demo provider: official SDKs understand it, its usage is exact, and a maximum ends it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest
from anthropic import Anthropic
from hypothesis import given
from hypothesis import strategies as st
from openai import NotFoundError, OpenAI

from tekton_budget.domain.metering import read_response, read_stream
from tekton_budget.frontends.gateway.demo import Demo
from tekton_budget.frontends.gateway.demo_words import MODELS, OUTPUT_TOKENS, said_to, tokens_of
from tekton_budget.frontends.gateway.upstream import UpstreamRequest
from tekton_budget.prices.embedded import embedded_text

ASK = {"model": "demo-small", "messages": [{"role": "user", "content": "What is a budget?"}]}


def sent(
    path: str, body: object, *, headers: tuple[tuple[bytes, bytes], ...] = (), method: str = "POST"
) -> tuple[int, list[bytes]]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def ask() -> tuple[int, list[bytes]]:
        request = UpstreamRequest(method, f"http://demo{path}", list(headers), content)
        answer = await Demo(tokens_per_second=0).send(request)
        return answer.status, [chunk async for chunk in answer.chunks()]

    return asyncio.run(ask())


def answered(path: str, body: object, **more: Any) -> dict[str, Any]:
    return json.loads(b"".join(sent(path, body, **more)[1]))


class _Transport(httpx2.BaseTransport):
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = tuple((name.lower(), value) for name, value in request.headers.raw)
        status, chunks = sent(
            request.url.raw_path.decode(), request.read(), headers=headers, method=request.method
        )
        kind = (
            "text/event-stream"
            if chunks[0].startswith((b"data:", b"event:"))
            else "application/json"
        )
        return httpx2.Response(status, headers={"content-type": kind}, content=b"".join(chunks))


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client(transport=_Transport()) as client:
        yield client


@pytest.fixture
def openai(http: httpx2.Client) -> OpenAI:
    return OpenAI(api_key="any", base_url="http://demo/v1", http_client=http, max_retries=0)


@pytest.fixture
def anthropic(http: httpx2.Client) -> Anthropic:
    return Anthropic(api_key="any", base_url="http://demo", http_client=http, max_retries=0)


def test_it_says_what_it_was_asked_and_what_that_took(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(**ASK)

    text = answer.choices[0].message.content
    assert "“What is a budget?”" in text
    assert "demo provider" in text
    assert answer.usage is not None
    assert f"took {answer.usage.prompt_tokens} tokens to read" in text
    assert f"and {answer.usage.completion_tokens} to write" in text
    assert answer.choices[0].finish_reason == "stop"


def test_a_chat_streams_the_same(openai: OpenAI) -> None:
    whole = openai.chat.completions.create(**ASK)
    stream = openai.chat.completions.create(
        **ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)

    said = "".join(it.choices[0].delta.content or "" for it in chunks if it.choices)
    assert said == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage
    assert [it.choices[0].finish_reason for it in chunks if it.choices][-1] == "stop"
    plain = list(openai.chat.completions.create(**ASK, stream=True))
    assert {it.usage for it in plain} == {None}


def test_responses_and_messages_stream_the_same(openai: OpenAI, anthropic: Anthropic) -> None:
    whole = openai.responses.create(model="demo-large", input="Hello")
    with openai.responses.stream(model="demo-large", input="Hello") as stream:
        numbers = [event.sequence_number for event in stream]
        streamed = stream.get_final_response()
    assert (streamed.output_text, streamed.usage) == (whole.output_text, whole.usage)
    assert numbers == list(range(len(numbers)))

    ask = {**ASK, "max_tokens": 500}
    message = anthropic.messages.create(**ask)
    with anthropic.messages.stream(**ask) as told:
        final = told.get_final_message()
    assert final.content[0].text == message.content[0].text
    assert final.usage.output_tokens == message.usage.output_tokens
    assert message.stop_reason == final.stop_reason == "end_turn"
    counted = anthropic.messages.count_tokens(**ASK)
    assert counted.input_tokens == message.usage.input_tokens


def test_a_maximum_ends_the_answer_in_each_apis_words(openai: OpenAI, anthropic: Anthropic) -> None:
    chat = openai.chat.completions.create(**ASK, max_completion_tokens=5, n=2)
    response = openai.responses.create(model="demo-small", input="Hello", max_output_tokens=16)
    message = anthropic.messages.create(**ASK, max_tokens=3)

    assert [it.finish_reason for it in chat.choices] == ["length", "length"]
    assert chat.usage.completion_tokens == 10
    assert (response.status, response.incomplete_details.reason) == (
        "incomplete",
        "max_output_tokens",
    )
    assert response.usage.output_tokens == 16
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 3)


@pytest.mark.parametrize(
    ("path", "body", "api"),
    [
        ("/v1/chat/completions", {**ASK, "stream_options": {"include_usage": True}}, "openai.chat"),
        ("/v1/responses", {"model": "demo-small", "input": "Hello there"}, "openai.responses"),
        ("/v1/messages", {**ASK, "max_tokens": 20}, "anthropic.messages"),
    ],
)
def test_the_price_book_reads_its_usage(path: str, body: dict[str, Any], api: str) -> None:
    whole = read_response(answered(path, body), api=api)
    _, frames = sent(path, {**body, "stream": True})
    told = [frame.partition(b"data: ")[2].strip() for frame in frames]
    events = [it.decode() if it == b"[DONE]" else json.loads(it) for it in told]

    assert read_stream(events, api=api).parts == whole.parts
    assert whole.parts[0].units


def test_it_writes_as_many_words_as_it_is_asked_for() -> None:
    body = {**ASK, "messages": [{"role": "user", "content": "Tell me 2,000 words."}]}
    usage = answered("/v1/chat/completions", body)["usage"]
    assert 2_000 <= usage["completion_tokens"] <= 2_400
    most = answered("/v1/chat/completions", {**body, "model": "demo-large", "messages": [
        {"role": "user", "content": "Tell me 999999 words."}]})  # fmt: skip
    assert most["usage"]["completion_tokens"] == OUTPUT_TOKENS["demo-large"]
    assert most["choices"][0]["finish_reason"] == "length"


def test_json_mode_gets_json() -> None:
    asked = {**ASK, "response_format": {"type": "json_object"}}
    answer = answered("/v1/chat/completions", asked)
    told = json.loads(answer["choices"][0]["message"]["content"])
    assert told["you_said"] == "What is a budget?"


def test_embeddings_and_models(openai: OpenAI, anthropic: Anthropic) -> None:
    texts = openai.embeddings.create(model="demo-embed", input=["one two", "three"])
    tokens = answered("/v1/embeddings", {"model": "demo-embed", "input": [1, 2, 3]})
    assert (len(texts.data), texts.usage.prompt_tokens) == (2, 3)
    assert texts.data[0].embedding == pytest.approx(tokens["data"][0]["embedding"])
    assert tokens["usage"]["prompt_tokens"] == 3

    assert [it.id for it in openai.models.list()] == list(MODELS)
    assert [it.id for it in anthropic.models.list()] == list(MODELS)
    assert openai.models.retrieve("demo-small").owned_by == "demo"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", {**ASK, "model": "gpt-5"}, 404),
        ("/v1/embeddings", {"model": "demo-small", "input": "x"}, 404),
        ("/v1/audio/speech", {}, 404),
        ("/v1/chat/completions", b"no JSON", 400),
        ("/v1/chat/completions", [1], 400),
    ],
)
def test_what_it_has_not_is_refused_with_what_there_is(
    path: str, body: object, status: int
) -> None:
    found, chunks = sent(path, body)
    assert found == status
    assert json.loads(chunks[0])["error"]["message"]
    as_anthropic = ((b"anthropic-version", b"2023-06-01"),)
    told = answered(path, body, headers=as_anthropic)
    assert told["type"] == "error"


def test_an_sdk_raises_its_own_error(openai: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="demo-small, demo-large") as refused:
        openai.chat.completions.create(**{**ASK, "model": "gpt-5"})
    assert refused.value.code == "model_not_found"
    with pytest.raises(NotFoundError):
        openai.models.delete("demo-small")


def test_a_stream_takes_its_time_and_ends_when_it_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", wait)

    async def ask(body: dict[str, Any], until: Callable[[int], bool]) -> int:
        content = json.dumps(body).encode()
        request = UpstreamRequest("POST", "http://demo/v1/chat/completions", [], content)
        answer = await Demo(tokens_per_second=10).send(request)
        chunks: AsyncIterator[bytes] = answer.chunks()
        count = 0
        async for _ in chunks:
            count += 1
            if until(count):
                answer.close()
        return count

    streamed = {**ASK, "stream": True, "max_tokens": 8}
    assert asyncio.run(ask(streamed, lambda count: count == 4)) == 4
    assert len(waited) == 4  # for the token that was under way too
    waited.clear()
    asyncio.run(ask({**ASK, "max_tokens": 8}, lambda _: False))
    assert waited == [pytest.approx(0.8, abs=0.05)]


@given(
    st.recursive(
        st.text(), lambda inner: st.lists(inner) | st.fixed_dictionaries({"content": inner})
    )
)
def test_tokens_are_never_more_than_bytes(content: object) -> None:
    body = {"messages": [{"role": "user", "content": content}]}
    size = len(json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    assert tokens_of(body) <= size
    said = said_to(body, model="demo-small", output_max=None)
    assert said.output_tokens <= len(said.text.encode("utf-8", "surrogatepass"))


def test_its_models_have_prices_and_facts_as_it_keeps_to_them() -> None:
    told = json.loads(embedded_text())
    priced = [it["model"] for it in told["cards"] if it["provider"] == "demo"]
    facts = {it["model"]: it for it in told["models"] if it["provider"] == "demo"}
    assert sorted(MODELS) == priced == sorted(facts)
    assert {m: facts[m]["max_output_tokens"] for m in OUTPUT_TOKENS} == OUTPUT_TOKENS
