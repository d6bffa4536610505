"""Whatever a body holds: a refusal or units that add up, never a crash, never tokens for nothing."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.metering import counts_of, read_response, read_stream
from tekton_budget.domain.metering.apis import FLAVOURS
from tekton_budget.domain.units import COUNT_UNITS, UNITS

APIS = [
    "openai.chat", "openai.responses", "openai.realtime", "openai.images",
    "openai.transcriptions", "openai.speech", "openai.embeddings", "anthropic.messages",
    "google.generate", "google.batch", "google.openai", "google.interactions",
    "bedrock.converse", "bedrock.invoke", "mistral.chat", "mistral.ocr",
    "deepseek.chat", "xai.chat", "xai.responses", "moonshot.chat",
    "cohere.chat_v2", "cohere.chat", "cohere.rerank", "perplexity.chat",
    "openrouter.chat", "groq.chat", "ollama.chat", "vertex.anthropic",
    "azure.chat", "acme.unheard",
]  # fmt: skip
NAMES = sorted(
    {
        step
        for shape in FLAVOURS.values()
        for names in (
            shape.roots, shape.input, shape.output, shape.total, shape.more_input, shape.cached,
            shape.uncached, shape.written, shape.written_5m, shape.written_1h, shape.reasoning,
            shape.input_details, shape.output_details, shape.cached_details, shape.seconds,
        )
        for name in names
        for step in name.split(".")
        if step
    }
    | {
        "audio_tokens", "image_tokens", "text_tokens", "modality", "tokenCount", "iterations", "cost",
        "cost_in_usd_ticks", "total_cost", "citation_tokens", "num_search_queries", "cacheDetails",
        "ttl", "type", "service_tier", "speed", "inference_geo", "data", "output", "candidates",
        "groundingMetadata", "webSearchQueries", "server_tool_use", "web_search_requests", "response",
        "message", "result", "body", "usage_info", "pages_processed", "duration", "search_units", "model",
    }
)  # fmt: skip
numbers = st.one_of(
    st.integers(0, 500),
    st.integers(-5, 10**13),
    st.floats(),
    st.floats(0, 100).map(round).map(float),
    st.decimals(allow_nan=True, allow_infinity=True),
)
junk = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    st.sampled_from(
        ["12", "", "1h", "AUDIO", "flex", "message", "web_search_call", "gemini-2.5-pro"]
    ),
    st.text("aé1 ", max_size=3),
)
bodies = st.recursive(
    junk,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
        st.dictionaries(st.integers() | st.none(), inner, max_size=2),
    ),
    max_leaves=20,
)
wholes = st.dictionaries(st.sampled_from(NAMES), bodies, max_size=8)


def usage_like(body: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A body with one thing in it changed to anything."""
    paths = [*leaves(body)]
    return st.tuples(st.sampled_from(paths), bodies).map(lambda change: put(body, *change))


def leaves(body: object, path: tuple[Any, ...] = ()) -> Any:
    if path:
        yield path
    if isinstance(body, dict):
        for name, value in body.items():
            yield from leaves(value, (*path, name))
    if isinstance(body, list):
        for number, value in enumerate(body):
            yield from leaves(value, (*path, number))


def put(body: Any, path: tuple[Any, ...], value: object) -> Any:
    if not path:
        return value
    changed = dict(body) if isinstance(body, dict) else list(body)
    changed[path[0]] = put(body[path[0]], path[1:], value)
    return changed


SOUND: list[tuple[str, dict[str, Any]]] = [
    (
        "openai.chat",
        {
            "model": "m",
            "choices": [{"message": {"annotations": [{"type": "url_citation"}]}}],
            "usage": {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 20, "cache_write_tokens": 10},
                "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 5},
            },
        },
    ),
    (
        "openai.realtime",
        {
            "type": "response.done",
            "response": {
                "usage": {
                    "input_tokens": 100,
                    "input_token_details": {
                        "text_tokens": 50,
                        "audio_tokens": 50,
                        "cached_tokens": 40,
                        "cached_tokens_details": {"text_tokens": 20, "audio_tokens": 20},
                    },
                    "output_tokens": 50,
                }
            },
        },
    ),
    (
        "anthropic.messages",
        {
            "type": "message",
            "model": "claude",
            "usage": {
                "input_tokens": 10,
                "output_tokens": 5,
                "cache_read_input_tokens": 7,
                "cache_creation_input_tokens": 9,
                "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5},
                "service_tier": "standard",
                "server_tool_use": {"web_search_requests": 1},
                "iterations": [
                    {"input_tokens": 26, "output_tokens": 5},
                    {"input_tokens": 1, "output_tokens": 5, "model": "other"},
                ],
            },
        },
    ),
    (
        "google.generate",
        {
            "modelVersion": "gemini-3-pro",
            "candidates": [{"groundingMetadata": {"webSearchQueries": ["a"]}}],
            "usageMetadata": {
                "promptTokenCount": 100,
                "toolUsePromptTokenCount": 10,
                "candidatesTokenCount": 20,
                "thoughtsTokenCount": 30,
                "cachedContentTokenCount": 50,
                "totalTokenCount": 160,
                "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 60}],
                "cacheTokensDetails": [{"modality": "IMAGE", "tokenCount": 30}],
            },
        },
    ),
    (
        "bedrock.converse",
        {
            "usage": {
                "inputTokens": 10,
                "outputTokens": 5,
                "cacheReadInputTokens": 7,
                "cacheWriteInputTokens": 9,
                "cacheWriteInputTokenCount": 9,
                "cacheDetails": [{"ttl": "1h", "inputTokens": 4}],
                "totalTokens": 31,
            }
        },
    ),
    ("cohere.chat_v2", {"usage": {"billed_units": {"input_tokens": 5, "output_tokens": 6, "search_units": 1}}}),
    (
        "perplexity.chat",
        {
            "model": "sonar-deep-research",
            "usage": {
                "prompt_tokens": 33,
                "completion_tokens": 71,
                "total_tokens": 104,
                "citation_tokens": 200,
                "num_search_queries": 18,
                "reasoning_tokens": 739,
                "cost": {"total_cost": 1.5},
            },
        },
    ),
    ("xai.responses", {"usage": {"input_tokens": 5, "output_tokens": 6, "cost_in_usd_ticks": 7}}),
    ("openai.transcriptions", {"usage": {"type": "duration", "seconds": 27}}),
    ("mistral.ocr", {"usage_info": {"pages_processed": 3}}),
]  # fmt: skip


def check(read: Any, body: Any, **ask: Any) -> None:
    try:
        metered = read(body, **ask)
    except InvalidInput as refused:
        assert refused.code in {"invalid_usage", "missing_usage"}
        assert refused.fields
        assert refused.detail
        return
    counts = counts_of(metered.parts)
    assert metered.parts
    for part in metered.parts:
        assert [unit for unit, _ in part.units] == [
            unit for unit in UNITS if unit in dict(part.units)
        ]
        assert all(type(quantity) is int and quantity > 0 for _, quantity in part.units)
    assert type(metered.reasoning_tokens) is int
    assert 0 <= metered.reasoning_tokens <= counts.total
    assert metered.billed_usd is None or type(metered.billed_usd) is Decimal


@given(wholes, st.sampled_from([None, *APIS]))
def test_any_body_is_read_or_refused(body: dict[str, Any], api: str | None) -> None:
    check(read_response, body, api=api)


@given(st.sampled_from(SOUND).flatmap(lambda one: st.tuples(st.just(one[0]), usage_like(one[1]))))
def test_a_sound_body_with_one_thing_changed_is_read_or_refused(
    sound: tuple[str, dict[str, Any]],
) -> None:
    api, body = sound
    check(read_response, body, api=api)
    check(read_response, body, provider=api.split(".", maxsplit=1)[0])


@given(st.lists(wholes | junk, max_size=4), st.sampled_from([None, *APIS]))
def test_any_stream_is_read_or_refused(frames: list[Any], api: str | None) -> None:
    check(read_stream, frames, api=api)


@pytest.mark.parametrize(("api", "body"), SOUND, ids=[api for api, _ in SOUND])
def test_what_is_changed_above_is_sound(api: str, body: dict[str, Any]) -> None:
    assert any(part.units for part in read_response(body, api=api).parts)


amounts = st.integers(0, 10**6)


@given(
    api=st.sampled_from(
        ["openai.chat", "mistral.chat", "xai.chat", "openrouter.chat", "azure.responses"]
    ),
    prompt=amounts,
    output=amounts,
    parts=st.tuples(*[st.integers(0, 10**5)] * 5),
    beside=st.booleans(),
)
def test_no_token_of_a_chat_is_lost_or_counted_twice(
    api: str, prompt: int, output: int, parts: tuple[int, ...], beside: bool
) -> None:
    cached, written, audio, image, reasoning = parts
    whole = cached + written + audio + image + prompt
    made = output + (0 if beside else reasoning)
    total = whole + output + reasoning
    usage = {
        "prompt_tokens": whole,
        "completion_tokens": made,
        "total_tokens": total,
        "prompt_tokens_details": {
            "cached_tokens": cached,
            "cache_write_tokens": written,
            "audio_tokens": audio,
            "image_tokens": image,
        },
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    counts = counts_of(read_response({"usage": usage}, api=api).parts)

    assert counts.total == total
    assert counts.output == output + reasoning
    assert (counts.cache_read, counts.cache_write) == (cached, written)


@given(
    fresh=amounts,
    output=amounts,
    cached=amounts,
    split=st.tuples(amounts, amounts),
    api=st.sampled_from(["anthropic.messages", "bedrock.invoke", None]),
)
def test_no_token_of_claude_is_lost_or_counted_twice(
    fresh: int, output: int, cached: int, split: tuple[int, int], api: str | None
) -> None:
    usage = {
        "input_tokens": fresh,
        "output_tokens": output,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": sum(split),
        "cache_creation": {"ephemeral_1h_input_tokens": split[1]},
    }
    (part,) = read_response({"type": "message", "usage": usage}, api=api).parts

    found = dict.fromkeys(UNITS, 0) | dict(part.units)
    assert (found["cache_write_5m"], found["cache_write_1h"]) == split
    assert counts_of([part]) == (fresh, output, cached, sum(split), 0)
    assert not any(found[unit] for unit in COUNT_UNITS)
