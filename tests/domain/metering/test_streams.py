"""The last frames of each API's stream tell what its whole response would have told."""

from typing import Any

import pytest
from tests.domain.metering.reading import units_of

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.metering import read_response, read_stream

PROMPT = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
TOKENS = {"input": 100, "output": 20}


def chunk(**more: Any) -> dict[str, Any]:
    delta = {"index": 0, "delta": {"content": "…"}}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [delta], **more}


START = {
    "type": "message_start",
    "message": {
        "type": "message",
        "id": "msg_1",
        "model": "claude-sonnet-4-5",
        "usage": {
            "input_tokens": 25,
            "output_tokens": 1,
            "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_1h_input_tokens": 30},
            "service_tier": "priority",
        },
    },
}
DELTA = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn"},
    "usage": {
        "input_tokens": None,
        "output_tokens": 89,
        "server_tool_use": {"web_search_requests": 1},
    },
}
CLAUDE = {"input": 25, "output": 89, "cache_write_1h": 30, "web_search": 1}

STREAMS: list[tuple[str, str, list[object], dict[str, int]]] = [
    (
        "OpenAI",
        "openai.chat",
        [chunk(usage=None), chunk(choices=[], usage=PROMPT), "[DONE]"],
        TOKENS,
    ),
    ("the last frame alone", "openai.chat", [chunk(choices=[], usage=PROMPT)], TOKENS),
    (
        "usage grows from chunk to chunk",
        "perplexity.chat",
        [chunk(usage={**PROMPT, "completion_tokens": 5, "total_tokens": 105}), chunk(usage=PROMPT)],
        TOKENS,
    ),
    (
        "a chat that cites",
        "openai.chat",
        [
            chunk(choices=[{"delta": {"annotations": [{"type": "url_citation"}]}}]),
            chunk(choices=[], usage=PROMPT),
        ],
        {**TOKENS, "web_search": 1},
    ),
    (
        "a chat whose last chunk is a whole message",
        "openai.chat",
        [chunk(choices=[{"message": {"annotations": [{"type": "url_citation"}]}}], usage=PROMPT)],
        {**TOKENS, "web_search": 1},
    ),
    ("Groq", "groq.chat", [chunk(), chunk(x_groq={"id": "r", "usage": PROMPT})], TOKENS),
    (
        "Moonshot",
        "moonshot.chat",
        [chunk(), chunk(choices=[{"delta": {}, "usage": PROMPT}])],
        TOKENS,
    ),
    (
        "Mistral's by its SDK",
        "mistral.chat",
        [{"data": chunk()}, {"data": chunk(usage=PROMPT)}],
        TOKENS,
    ),
    (
        "Mistral",
        "mistral.chat",
        [chunk(), {"data": chunk(usage=PROMPT), "event": "message"}],
        TOKENS,
    ),
    (
        "OpenAI responses",
        "openai.responses",
        [
            {"type": "response.created", "response": {"id": "resp_1", "usage": None}},
            {"type": "response.output_item.done", "item": {"type": "web_search_call"}},
            {"type": "response.output_text.delta", "delta": "…"},
            {
                "type": "response.completed",
                "response": {
                    "id": "resp_1",
                    "model": "gpt-5",
                    "output": [{"type": "web_search_call", "action": {"type": "search"}}],
                    "usage": {"input_tokens": 100, "output_tokens": 20},
                },
            },
        ],
        {**TOKENS, "web_search": 1},
    ),
    (
        "responses whose end repeats no output",
        "openai.responses",
        [
            {"type": "response.output_item.done", "item": {"type": "web_search_call"}},
            {"type": "response.output_item.done", "item": {"type": "web_search_call"}},
            {
                "type": "response.incomplete",
                "response": {"usage": {"input_tokens": 100, "output_tokens": 20}},
            },
        ],
        {**TOKENS, "web_search": 2},
    ),
    (
        "realtime",
        "openai.realtime",
        [
            {"type": "response.output_audio.delta"},
            {
                "type": "response.done",
                "response": {"usage": {"input_tokens": 100, "output_tokens": 20}},
            },
        ],
        TOKENS,
    ),
    (
        "Claude",
        "anthropic.messages",
        [START, {"type": "ping"}, DELTA, {"type": "message_stop"}],
        CLAUDE,
    ),
    ("Claude, unnamed", "", [START, DELTA], CLAUDE),
    (
        "Claude on Bedrock",
        "bedrock.invoke",
        [START, DELTA, {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 25}}],
        CLAUDE,
    ),
    (
        "Nova on Bedrock",
        "bedrock.converse",
        [
            {"messageStart": {"role": "assistant"}},
            {"contentBlockDelta": {"delta": {"text": "…"}}},
            {
                "metadata": {
                    "usage": {"inputTokens": 100, "outputTokens": 20, "totalTokens": 120},
                    "metrics": {"latencyMs": 5},
                }
            },
        ],
        TOKENS,
    ),
    (
        "Gemini: the last chunk is cumulative, searches stand in an earlier one",
        "google.generate",
        [
            {"usageMetadata": {"promptTokenCount": 100, "totalTokenCount": 100}},
            {
                "candidates": [
                    {"content": {}},
                    {"groundingMetadata": {"webSearchQueries": ["a", "b"]}},
                ]
            },
            {"candidates": [{"groundingMetadata": {"webSearchQueries": ["c"]}}]},
            {
                "modelVersion": "gemini-3-pro",
                "responseId": "r1",
                "candidates": [{"finishReason": "STOP"}],
                "usageMetadata": {
                    "promptTokenCount": 100,
                    "candidatesTokenCount": 20,
                    "totalTokenCount": 120,
                },
            },
        ],
        {**TOKENS, "web_search": 3},
    ),
    (
        "Responses that end without what they did",
        "openai.responses",
        [
            {"type": "response.created", "response": {"model": "m", "output": []}},
            {
                "type": "response.output_item.done",
                "item": {"type": "web_search_call", "action": {"type": "search"}},
            },
            {
                "type": "response.completed",
                "response": {"output": [], "usage": {"input_tokens": 100, "output_tokens": 20}},
            },
        ],
        {**TOKENS, "web_search": 1},
    ),
    (
        "Gemini: what a later chunk cites is no news of searches; a chunk may be of one candidate",
        "google.generate",
        [
            {"candidates": [{"index": 1, "groundingMetadata": {"webSearchQueries": ["a", "b"]}}]},
            {"candidates": [{"index": 0, "groundingMetadata": {"webSearchQueries": ["c"]}}]},
            {"candidates": [{"index": 1, "groundingMetadata": {"groundingSupports": [{}]}}]},
            {
                "modelVersion": "gemini-3-pro",
                "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 20},
            },
        ],
        {**TOKENS, "web_search": 3},
    ),
    (
        "Cohere",
        "cohere.chat_v2",
        [
            {"type": "content-delta", "delta": {"message": {}}},
            {
                "type": "message-end",
                "delta": {"usage": {"billed_units": {"input_tokens": 100, "output_tokens": 20}}},
            },
        ],
        TOKENS,
    ),
    (
        "Cohere, first version",
        "cohere.chat",
        [
            {"event_type": "text-generation", "text": "…"},
            {
                "event_type": "stream-end",
                "response": {"meta": {"billed_units": {"input_tokens": 100, "output_tokens": 20}}},
            },
        ],
        TOKENS,
    ),
    (
        "Ollama",
        "ollama.chat",
        [
            {"message": {}, "done": False},
            {"done": True, "prompt_eval_count": 100, "eval_count": 20},
        ],
        TOKENS,
    ),
    (
        "a picture",
        "openai.images",
        [
            {"type": "image_generation.partial_image"},
            {
                "type": "image_generation.completed",
                "usage": {"input_tokens": 100, "output_tokens": 20},
            },
        ],
        {"input": 100, "output_image": 20},
    ),
]


@pytest.mark.parametrize(
    ("api", "frames", "units"), [row[1:] for row in STREAMS], ids=[row[0] for row in STREAMS]
)
def test_a_stream_tells_what_it_used(api: str, frames: list[object], units: dict[str, int]) -> None:
    assert units_of(read_stream(iter(frames), api=api or None).parts) == units


def test_a_stream_tells_who_answered_and_how() -> None:
    metered = read_stream([START, DELTA], context={"region": "us"}, provider="anthropic")

    assert (metered.model, metered.response_id) == ("claude-sonnet-4-5", "msg_1")
    assert metered.parts[0].context == ("priority", "us", None)
    last = chunk(usage={**PROMPT, "cost": 1}, service_tier="flex")
    openrouter = read_stream([chunk(), last], provider="openrouter", model="asked")
    assert (openrouter.model, openrouter.response_id, openrouter.billed_usd) == ("m", "c1", 1)
    assert openrouter.parts[0].context.service_tier == "flex"


def test_a_stream_and_the_response_it_makes_are_read_alike() -> None:
    usage = {**START["message"]["usage"], **DELTA["usage"], "input_tokens": 25}

    assert read_stream([START, DELTA]) == read_response({**START["message"], "usage": usage})


@pytest.mark.parametrize(
    "frames",
    [
        [],
        ["[DONE]", None, 3],
        [chunk(usage=None), "[DONE]"],
        [chunk()],
        [START],
        [START, {"type": "content_block_delta"}],
        [{"type": "response.created", "response": {"usage": {"input_tokens": 1}}}],
        [{"type": "response.failed", "response": {"error": {}, "usage": None}}],
        [{"metadata": {"metrics": {"latencyMs": 5}}}],
    ],
)
@pytest.mark.parametrize("api", [None, "openai.chat", "anthropic.messages", "bedrock.converse"])
def test_a_stream_that_broke_off_has_no_usage(frames: list[object], api: str | None) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_stream(frames, api=api)

    assert refused.value.code == "missing_usage"


def test_each_answer_of_a_realtime_session_is_a_call_of_its_own() -> None:
    done = {"type": "response.done", "response": {"usage": {"input_tokens": 1, "output_tokens": 1}}}

    with pytest.raises(InvalidInput, match=r"response\.done by itself"):
        read_stream([done, done], api="openai.realtime")
