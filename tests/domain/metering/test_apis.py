"""Each API's own rule for what includes what, on bodies as they come."""

from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from tests.domain.metering.reading import read, units_of

from tekton_budget.domain.metering import counts_of, read_response
from tekton_budget.domain.units import Part
from tekton_budget.domain.usage import TokenCounts


def chat(usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "usage": usage, **more}


def cited(*kinds: str) -> list[dict[str, Any]]:
    return [{"message": {"annotations": [{"type": kind} for kind in kinds]}}]


def message(**usage: Any) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "model": "claude-opus-4-6", "usage": usage}


def gemini(model: str = "gemini-2.5-pro", queries: object = None, **usage: Any) -> dict[str, Any]:
    grounding = [{"groundingMetadata": {"webSearchQueries": queries}}]
    return {"modelVersion": model, "usageMetadata": usage, "candidates": grounding}


def modality(**tokens: int) -> list[dict[str, Any]]:
    return [{"modality": name.upper(), "tokenCount": count} for name, count in tokens.items()]


PROMPT = {"prompt_tokens": 100, "completion_tokens": 20}
TOKENS = {"input": 100, "output": 20}

CHATS: list[tuple[str, str, dict[str, Any], dict[str, int]]] = [
    ("plain", "openai.chat", {}, TOKENS),
    ("whole floats", "openai.chat", {"prompt_tokens": 1e2, "completion_tokens": 20.0}, TOKENS),
    ("whole decimals", "openai.chat", {"prompt_tokens": Decimal("1E+2")}, TOKENS),
    ("nothing in its details", "openai.chat", {"prompt_tokens_details": None}, TOKENS),
    ("a total", "openai.chat", {"total_tokens": 120}, TOKENS),
    (
        "reasoning inside by its total",
        "xai.chat",
        {"total_tokens": 120, "completion_tokens_details": {"reasoning_tokens": 15}},
        TOKENS,
    ),
    (
        "reasoning beside by its total",
        "acme.chat",
        {"total_tokens": 135, "completion_tokens_details": {"reasoning_tokens": 15}},
        {"input": 100, "output": 35},
    ),
    (
        "xAI's reasoning is beside where no total says otherwise",
        "xai.chat",
        {"completion_tokens_details": {"reasoning_tokens": 15}},
        {"input": 100, "output": 35},
    ),
    (
        "a cache beside the prompt by its total",
        "acme.chat",
        {"total_tokens": 420, "prompt_tokens_details": {"cached_tokens": 300}},
        {"input": 100, "cache_read": 300, "output": 20},
    ),
    (
        "cache and reasoning beside by the total",
        "acme.chat",
        {"total_tokens": 427, "cached_tokens": 300, "reasoning_tokens": 7},
        {"input": 100, "cache_read": 300, "output": 27},
    ),
    (
        "one cache count told twice",
        "moonshot.chat",
        {"cached_tokens": 60, "prompt_tokens_details": {"cached_tokens": 60}},
        {"input": 40, "cache_read": 60, "output": 20},
    ),
    (
        "one cache count told, and a 0 in another place",
        "moonshot.chat",
        {"cached_tokens": 60, "prompt_tokens_details": {"cached_tokens": 0}},
        {"input": 40, "cache_read": 60, "output": 20},
    ),
    (
        "one cache count told, and a 0 in a later place",
        "moonshot.chat",
        {"cached_tokens": 0, "prompt_tokens_details": {"cached_tokens": 60}},
        {"input": 40, "cache_read": 60, "output": 20},
    ),
    (
        "video that was made is sold otherwise: its tokens are plain",
        "acme.chat",
        {"completion_tokens_details": {"video_tokens": 8}},
        TOKENS,
    ),
    (
        "DeepSeek's hits and misses",
        "deepseek.chat",
        {"prompt_cache_hit_tokens": 60, "prompt_cache_miss_tokens": 40},
        {"input": 40, "cache_read": 60, "output": 20},
    ),
    (
        "Alibaba's cache writes",
        "alibaba.chat",
        {"prompt_tokens_details": {"cache_creation_input_tokens": 30, "cached_tokens": 50}},
        {"input": 20, "cache_write_5m": 30, "cache_read": 50, "output": 20},
    ),
    (
        "a write for an hour, behind a gateway",
        "openrouter.chat",
        {"cache_creation_input_tokens": 30, "cache_creation": {"ephemeral_1h_input_tokens": 10}},
        {"input": 70, "cache_write_5m": 20, "cache_write_1h": 10, "output": 20},
    ),
    (
        "cached audio without its modality: text is cached first",
        "openai.chat",
        {"prompt_tokens_details": {"audio_tokens": 70, "cached_tokens": 50}},
        {"input_audio": 50, "cache_read": 30, "cache_audio_read": 20, "output": 20},
    ),
    (
        "writes take what is left of the text, then audio",
        "openai.chat",
        {"prompt_tokens_details": {"audio_tokens": 90, "cache_write_tokens": 50}},
        {"input_audio": 50, "cache_write_5m": 50, "output": 20},
    ),
    (
        "Qwen's pictures and video",
        "alibaba.chat",
        {"prompt_tokens_details": {"text_tokens": 30, "image_tokens": 40, "video_tokens": 30}},
        {"input": 30, "input_image": 40, "input_video": 30, "output": 20},
    ),
    (
        "pictures and speech that were made",
        "openrouter.chat",
        {"completion_tokens_details": {"image_tokens": 8, "audio_tokens": 7}},
        {"input": 100, "output": 5, "output_audio": 7, "output_image": 8},
    ),
    (
        "Google's OpenAI endpoint: thoughts are in the total alone",
        "google.openai",
        {"total_tokens": 500},
        {"input": 100, "output": 400},
    ),
    ("Google's, told as OpenAI's", "vertex.chat", {"total_tokens": 120}, TOKENS),
    (
        "Mistral's audio by the second",
        "mistral.chat",
        {"prompt_audio_seconds": 203, "total_tokens": 3264},
        {"input": 100, "output": 20, "input_second": 203},
    ),
    (
        "Mistral's agents and what their tools read",
        "mistral.conversations",
        {"total_tokens": 7232, "connector_tokens": 7112, "connectors": {"web_search": 1}},
        {"input": 7212, "output": 20, "web_search": 1},
    ),
    ("Mistral without audio", "mistral.chat", {"prompt_audio_seconds": {}}, TOKENS),
    (
        "output is what the total leaves",
        "acme.chat",
        {"completion_tokens": None, "total_tokens": 120},
        TOKENS,
    ),
    (
        "input is what the total leaves",
        "acme.chat",
        {"prompt_tokens": None, "total_tokens": 120},
        TOKENS,
    ),
    (
        "sources of xAI's live search",
        "xai.chat",
        {"num_sources_used": 3},
        {**TOKENS, "web_search": 3},
    ),
    (
        "searches of OpenRouter",
        "openrouter.chat",
        {"server_tool_use": {"web_search_requests": 2}},
        {**TOKENS, "web_search": 2},
    ),
    (
        "Perplexity searches for a fee by the request",
        "perplexity.chat",
        {"num_search_queries": 4},
        TOKENS,
    ),
]


@pytest.mark.parametrize(
    ("api", "usage", "units"), [row[1:] for row in CHATS], ids=[row[0] for row in CHATS]
)
def test_a_chat_is_read_by_its_sellers_rule(
    api: str, usage: dict[str, Any], units: dict[str, int]
) -> None:
    assert read(chat({**PROMPT, **usage}), api) == units
    if "openai" not in api and not api.startswith("acme"):
        seller = api.split(".", maxsplit=1)[0]
        assert read(chat({**PROMPT, **usage}), "openai.chat", provider=seller) == units


OTHERS: list[tuple[str, str | None, dict[str, Any], dict[str, int]]] = [
    (
        "embeddings by the total alone",
        "voyage.embeddings",
        {"object": "list", "usage": {"total_tokens": 9}},
        {"input": 9},
    ),
    ("embeddings, unnamed", None, {"usage": {"total_tokens": 9}}, {"input": 9}),
    (
        "a search by citations",
        "openai.chat",
        chat(PROMPT, choices=cited("url_citation", "url_citation")),
        {**TOKENS, "web_search": 1},
    ),
    (
        "a model that always searches",
        "openai.chat",
        chat(PROMPT, model="gpt-4o-search-preview-2025-03-11"),
        {**TOKENS, "web_search": 1},
    ),
    (
        "the same elsewhere, if there is any",
        "acme.chat",
        chat(PROMPT, model="gpt-4o-search-preview"),
        TOKENS,
    ),
    (
        "Google's interactions",
        None,
        {
            "usage": {
                "total_input_tokens": 7,
                "input_tokens_by_modality": [{"modality": "audio", "tokens": 4}],
                "total_tool_use_tokens": 2,
                "total_cached_tokens": 0,
                "total_output_tokens": 23,
                "total_thought_tokens": 49,
                "total_tokens": 81,
            }
        },
        {"input": 5, "input_audio": 4, "output": 72},
    ),
    (
        "Google's interactions without a total",
        "google.interactions",
        {"usage": {"total_output_tokens": 23, "total_thought_tokens": 49}},
        {"output": 72},
    ),
    (
        "Google's interactions: thoughts inside, by the total",
        "google.interactions",
        {
            "usage": {
                "total_input_tokens": 7,
                "total_output_tokens": 23,
                "total_thought_tokens": 20,
                "total_tokens": 30,
            }
        },
        {"input": 7, "output": 23},
    ),
    (
        "other notes are no search",
        "openai.chat",
        chat(PROMPT, choices=cited("file_citation")),
        TOKENS,
    ),
    (
        "citations elsewhere are free",
        "groq.chat",
        chat(PROMPT, choices=cited("url_citation")),
        TOKENS,
    ),
    (
        "responses: calls that searched, not those that opened a page",
        "openai.responses",
        {
            "object": "response",
            "output": [
                {"type": "web_search_call", "action": {"type": "search", "query": "a"}},
                {"type": "web_search_call", "action": {"type": "open_page"}},
                {"type": "web_search_call"},
                {"type": "message"},
                "junk",
            ],
            "usage": {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11},
        },
        {"input": 5, "output": 6, "web_search": 2},
    ),
    (
        "xAI responses: searches of the web and of posts",
        "xai.responses",
        {
            "usage": {
                "input_tokens": 20872,
                "input_tokens_details": {"cached_tokens": 9920},
                "output_tokens": 4872,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": 25744,
                "num_sources_used": 0,
                "server_side_tool_usage_details": {"web_search_calls": 1, "x_search_calls": 7},
                "cost_in_usd_ticks": 628540000,
            }
        },
        {"input": 10952, "cache_read": 9920, "output": 4872, "web_search": 8},
    ),
    (
        "xAI responses without a count of searches",
        "xai.responses",
        {
            "usage": {
                "input_tokens": 5,
                "output_tokens": 6,
                "server_side_tool_usage_details": {"mcp_calls": 1},
                "server_tool_use": {"web_search_requests": 1},
            }
        },
        {"input": 5, "output": 6, "web_search": 1},
    ),
    (
        "xAI chat with tools",
        "xai.chat",
        chat({**PROMPT, "server_side_tool_usage_details": {"web_search_calls": 2}}),
        {**TOKENS, "web_search": 2},
    ),
    (
        "an image model that does not tell what it made: pictures",
        "openai.images",
        {"usage": {"input_tokens": 50, "output_tokens": 4160, "total_tokens": 4210}},
        {"input": 50, "output_image": 4160},
    ),
    (
        "an image model, by its data",
        None,
        {
            "data": [{"b64_json": "…"}],
            "usage": {
                "input_tokens": 50,
                "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
                "output_tokens": 4160,
            },
        },
        {"input": 10, "input_image": 40, "output_image": 4160},
    ),
    (
        "pictures by the piece",
        "openai.images",
        {"data": [{"url": "a"}, {"url": "b"}]},
        {"image": 2},
    ),
    (
        "speech that was made is audio",
        "openai.speech",
        {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101}},
        {"input": 14, "output_audio": 101},
    ),
    (
        "a transcription in tokens",
        "openai.transcriptions",
        {
            "text": "…",
            "usage": {
                "type": "tokens",
                "input_tokens": 14,
                "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
                "output_tokens": 45,
                "total_tokens": 59,
            },
        },
        {"input_audio": 14, "output": 45},
    ),
    (
        "a transcription in tokens of no modality",
        "openai.transcriptions",
        {"usage": {"input_tokens": 14, "output_tokens": 45}},
        {"input_audio": 14, "output": 45},
    ),
    (
        "a transcription by the second",
        "openai.transcriptions",
        {"text": "…", "usage": {"type": "duration", "seconds": 27}},
        {"input_second": 27},
    ),
    (
        "the same, unnamed",
        None,
        {"usage": {"type": "duration", "seconds": 27}},
        {"input_second": 27},
    ),
    (
        "a verbose transcription: begun seconds are whole",
        "groq.transcriptions",
        {"duration": Decimal("8.470000267028809"), "text": "…"},
        {"input_second": 9},
    ),
    (
        "Mistral's transcription",
        "mistral.transcriptions",
        {
            "usage": {
                "prompt_audio_seconds": 203,
                "prompt_tokens": 4,
                "completion_tokens": 635,
                "total_tokens": 3264,
            }
        },
        {"input_second": 203},
    ),
    (
        "an event of a realtime session that transcribed",
        "openai.realtime",
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "usage": {"type": "duration", "seconds": 3},
        },
        {"input_second": 3},
    ),
    ("pages", "mistral.ocr", {"usage_info": {"pages_processed": 29}}, {"page": 29}),
    ("pages, unnamed", None, {"usage_info": {"pages_processed": 29}}, {"page": 29}),
    (
        "Claude's writes by their split alone",
        "anthropic.messages",
        message(
            input_tokens=1,
            output_tokens=2,
            cache_creation={"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 4},
        ),
        {"input": 1, "cache_write_5m": 30, "cache_write_1h": 4, "output": 2},
    ),
    (
        "a split that falls short: the rest is for 5 minutes",
        "vertex.anthropic",
        message(
            input_tokens=1,
            output_tokens=2,
            cache_creation_input_tokens=40,
            cache_creation={"ephemeral_1h_input_tokens": 4},
        ),
        {"input": 1, "cache_write_5m": 36, "cache_write_1h": 4, "output": 2},
    ),
    (
        "Claude on Bedrock",
        "bedrock.invoke",
        message(input_tokens=1, output_tokens=2),
        {"input": 1, "output": 2},
    ),
    (
        "Claude without a word",
        None,
        {"usage": {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 50}},
        {"input": 1, "cache_read": 50, "output": 2},
    ),
    (
        "Nova on Bedrock",
        "bedrock.invoke",
        {
            "usage": {
                "inputTokens": 1,
                "outputTokens": 2,
                "totalTokens": 13,
                "cacheReadInputTokenCount": 10,
            }
        },
        {"input": 1, "cache_read": 10, "output": 2},
    ),
    (
        "Converse: writes by their time to live",
        "bedrock.converse",
        {
            "usage": {
                "inputTokens": 22,
                "outputTokens": 13,
                "cacheWriteInputTokens": 2492,
                "cacheWriteInputTokenCount": 2492,
                "cacheDetails": [
                    {"ttl": "1h", "inputTokens": 1000},
                    {"ttl": "5m", "inputTokens": 1492},
                ],
                "totalTokens": 2527,
            }
        },
        {"input": 22, "cache_write_5m": 1492, "cache_write_1h": 1000, "output": 13},
    ),
    (
        "Converse: a total without its cache",
        None,
        {
            "usage": {
                "inputTokens": 22,
                "outputTokens": 13,
                "cacheReadInputTokens": 9,
                "totalTokens": 35,
            }
        },
        {"input": 22, "cache_read": 9, "output": 13},
    ),
    (
        "Converse: the last frame of its stream alone",
        "bedrock.converse",
        {"metadata": {"usage": {"inputTokens": 7, "outputTokens": 8, "totalTokens": 15}}},
        {"input": 7, "output": 8},
    ),
    (
        "Cohere: the last frame of its stream alone",
        "cohere.chat_v2",
        {
            "type": "message-end",
            "delta": {"usage": {"billed_units": {"input_tokens": 7, "output_tokens": 8}}},
        },
        {"input": 7, "output": 8},
    ),
    (
        "Mistral: the last frame of its stream alone",
        "mistral.chat",
        {"data": {"object": "chat.completion.chunk", "usage": PROMPT}},
        TOKENS,
    ),
    (
        "xAI's pictures, whose usage tells the charge alone",
        "xai.images",
        {"data": [{"url": "https://…"}] * 2, "usage": {"cost_in_usd_ticks": 400_000_000}},
        {"image": 2},
    ),
    (
        "what callers noted beside an answer is no frame",
        "openai.images",
        {"data": [{"url": "https://…"}], "metadata": {"team": "a"}},
        {"image": 1},
    ),
    (
        "Llama on Bedrock",
        "bedrock.invoke",
        {"prompt_token_count": 7, "generation_token_count": 8, "stop_reason": "stop"},
        {"input": 7, "output": 8},
    ),
    ("Titan embeds", "bedrock.invoke", {"embedding": [], "inputTextTokenCount": 7}, {"input": 7}),
    (
        "Titan writes",
        "bedrock.titan",
        {"inputTextTokenCount": 7, "results": [{"tokenCount": 8}]},
        {"input": 7, "output": 8},
    ),
    (
        "metrics of an invocation",
        "bedrock.invoke",
        {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 7, "outputTokenCount": 8}},
        {"input": 7, "output": 8},
    ),
    (
        "Ollama",
        "ollama.chat",
        {"prompt_eval_count": 26, "eval_count": 298},
        {"input": 26, "output": 298},
    ),
    (
        "Ollama, unnamed",
        None,
        {"prompt_eval_count": 26, "eval_count": 298},
        {"input": 26, "output": 298},
    ),
    (
        "Gemini: cached audio",
        "google.generate",
        gemini(
            promptTokenCount=100,
            promptTokensDetails=modality(text=20, audio=60, document=20),
            cachedContentTokenCount=50,
            cacheTokensDetails=modality(audio=50),
            candidatesTokenCount=5,
            totalTokenCount=105,
        ),
        {"input": 40, "input_audio": 10, "cache_audio_read": 50, "output": 5},
    ),
    (
        "Gemini: a modality in several rows",
        "google.generate",
        gemini(
            promptTokenCount=100,
            promptTokensDetails=[*modality(audio=10), *modality(audio=20)],
            candidatesTokenCount=5,
        ),
        {"input": 70, "input_audio": 30, "output": 5},
    ),
    (
        "Gemini: a modality that only the cache names",
        "google.generate",
        gemini(
            promptTokenCount=100,
            cachedContentTokenCount=50,
            cacheTokensDetails=modality(video=30),
            candidatesTokenCount=5,
        ),
        {"input": 50, "cache_read": 20, "cache_video_read": 30, "output": 5},
    ),
    (
        "Gemini: tools read pictures too",
        "vertex.generate",
        gemini(
            promptTokenCount=10,
            promptTokensDetails=modality(image=10),
            toolUsePromptTokenCount=30,
            toolUsePromptTokensDetails=modality(image=20, text=10),
            candidatesTokenCount=5,
            thoughtsTokenCount=6,
            totalTokenCount=51,
        ),
        {"input": 10, "input_image": 30, "output": 11},
    ),
    (
        "Gemini: tools outside the total",
        "google.generate",
        gemini(
            promptTokenCount=10,
            toolUsePromptTokenCount=30,
            candidatesTokenCount=5,
            totalTokenCount=15,
        ),
        {"input": 40, "output": 5},
    ),
    (
        "Gemini: thoughts inside, by the total",
        "google.generate",
        gemini(
            promptTokenCount=10, candidatesTokenCount=50, thoughtsTokenCount=30, totalTokenCount=60
        ),
        {"input": 10, "output": 50},
    ),
    (
        "Gemini speaks",
        "google.generate",
        gemini(
            promptTokenCount=10,
            responseTokenCount=50,
            responseTokensDetails=modality(audio=50),
            totalTokenCount=60,
        ),
        {"input": 10, "output_audio": 50},
    ),
    (
        "Gemini: output alone; a count that is not there is 0",
        "google.generate",
        gemini(candidatesTokenCount=5),
        {"output": 5},
    ),
    (
        "Gemini: thoughts alone",
        "google.generate",
        gemini(thoughtsTokenCount=5, totalTokenCount=5),
        {"output": 5},
    ),
    (
        "Gemini by its Python SDK",
        None,
        {
            "model_version": "gemini-2.5-flash",
            "usage_metadata": {
                "prompt_token_count": 10,
                "prompt_tokens_details": [{"modality": "AUDIO", "token_count": 4}],
                "candidates_token_count": 3,
                "thoughts_token_count": None,
                "total_token_count": 13,
            },
        },
        {"input": 6, "input_audio": 4, "output": 3},
    ),
    (
        "Gemini 2 bills a grounded request",
        "google.generate",
        gemini("gemini-2.5-flash", ["a", "b"], promptTokenCount=1),
        {"input": 1, "web_search": 1},
    ),
    (
        "Gemini 3 bills each query that is one",
        "vertex.generate",
        gemini("models/gemini-3.1-pro", ["a", "b", " ", None], promptTokenCount=1),
        {"input": 1, "web_search": 2},
    ),
    ("no query", "google.generate", gemini(queries=[], promptTokenCount=1), {"input": 1}),
    (
        "grounded without a search",
        "google.generate",
        {
            "candidates": [{"groundingMetadata": {"groundingChunks": ["a"]}}, {"index": 1}],
            "usageMetadata": {"promptTokenCount": 1},
        },
        {"input": 1},
    ),
    (
        "searches as Google's SDK spells them",
        "google.generate",
        {
            "candidates": [{"grounding_metadata": {"web_search_queries": ["a", "b"]}}],
            "usage_metadata": {"prompt_token_count": 1},
        },
        {"input": 1, "web_search": 2},
    ),
    (
        "Cohere: what is billed, not what was counted",
        "cohere.chat",
        {
            "meta": {
                "billed_units": {"input_tokens": 5, "output_tokens": 6},
                "tokens": {"input_tokens": 80},
            }
        },
        {"input": 5, "output": 6},
    ),
    (
        "Cohere says nothing of the bill",
        "cohere.chat_v2",
        {"usage": {"billed_units": None, "tokens": {"input_tokens": 80, "output_tokens": 2}}},
        {"input": 80, "output": 2},
    ),
    (
        "Cohere embeds pictures",
        "cohere.embed",
        {"meta": {"billed_units": {"input_tokens": 5, "image_tokens": 7, "images": 1}}},
        {"input": 5, "input_image": 7},
    ),
    ("Cohere's OpenAI endpoint", "cohere.chat", chat(PROMPT), TOKENS),
    ("Ollama's OpenAI endpoint", "ollama.chat", chat(PROMPT), TOKENS),
    (
        "Google's embeddings in its own shape",
        "google.embeddings",
        gemini(promptTokenCount=7),
        {"input": 7},
    ),
    (
        "Cohere embeds pictures by the piece",
        "cohere.embed",
        {"meta": {"billed_units": {"images": 3}}},
        {"image": 3},
    ),
    (
        "Cohere reranks",
        None,
        {"meta": {"billed_units": {"search_units": 2}}},
        {"web_search": 2},
    ),
    (
        "Cohere billed nothing",
        "cohere.chat_v2",
        {"usage": {"billed_units": {"input_tokens": 0, "output_tokens": 0}}},
        {},
    ),
    ("Moonshot's last chunk", None, {"choices": [{"usage": PROMPT}]}, TOKENS),
    ("Groq's last chunk", "groq.chat", {"x_groq": {"id": "req", "usage": PROMPT}}, TOKENS),
    (
        "a line of OpenAI's batch results",
        "openai.chat",
        {"custom_id": "1", "response": {"status_code": 200, "body": chat(PROMPT)}},
        TOKENS,
    ),
    (
        "a realtime answer without output",
        "openai.realtime",
        {"usage": {"input_tokens": 3}},
        {"input": 3},
    ),
    ("another spelling", "openai/chat", chat(PROMPT), TOKENS),
    ("the whole path", "openai.chat.completions", chat(PROMPT), TOKENS),
    ("a bare word", "chat", chat(PROMPT), TOKENS),
    ("a seller alone", "openai", chat(PROMPT), TOKENS),
    ("a word no one knows", "acme.words", chat(PROMPT), TOKENS),
    (
        "deep research at Perplexity, model unknown",
        "perplexity.chat",
        {
            "usage": {
                **PROMPT,
                "citation_tokens": 7,
                "reasoning_tokens": 30,
                "num_search_queries": 2,
            }
        },
        {**TOKENS, "citation": 7, "reasoning": 30, "web_search": 2},
    ),
    (
        "deep research with all in its total",
        "perplexity.chat",
        {
            "model": "sonar-deep-research",
            "usage": {**PROMPT, "citation_tokens": 7, "total_tokens": 127},
        },
        {**TOKENS, "citation": 7},
    ),
    (
        "citations of another model at Perplexity are free",
        "perplexity.chat",
        {"model": "sonar-pro", "usage": {**PROMPT, "citation_tokens": 7, "num_search_queries": 2}},
        TOKENS,
    ),
]


@pytest.mark.parametrize(
    ("api", "body", "units"), [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS]
)
def test_a_body_is_read_by_its_apis_rule(
    api: str | None, body: dict[str, Any], units: dict[str, int]
) -> None:
    assert read(body, api) == units


def test_steps_are_the_bill_where_claude_lists_them() -> None:
    metered = read_response(
        message(
            input_tokens=2,
            output_tokens=70,
            cache_read_input_tokens=50,
            server_tool_use={"web_search_requests": 3},
            iterations=[
                {"type": "compaction", "input_tokens": 180000, "output_tokens": 3500},
                {
                    "type": "advisor_message",
                    "model": "claude-fable-5-1",
                    "input_tokens": 235169,
                    "output_tokens": 900,
                },
                {
                    "type": "message",
                    "model": "claude-opus-4-6",
                    "input_tokens": 2,
                    "output_tokens": 70,
                    "cache_read_input_tokens": 50,
                    "cache_creation_input_tokens": 9,
                    "cache_creation": {"ephemeral_1h_input_tokens": 9},
                },
            ],
        )
    )

    assert metered.parts == (
        Part((("input", 180000), ("output", 3500), ("web_search", 3))),
        Part((("input", 235169), ("output", 900)), model="claude-fable-5-1"),
        Part((("input", 2), ("output", 70), ("cache_read", 50), ("cache_write_1h", 9))),
    )
    assert (metered.model, metered.response_id) == ("claude-opus-4-6", "msg_1")


def test_a_search_is_of_the_step_whose_model_the_call_was_for() -> None:
    steps = [
        {"input_tokens": 5, "output_tokens": 6, "model": "claude-fable-5-1"},
        {"input_tokens": 1, "output_tokens": 2},
    ]
    metered = read_response(message(iterations=steps, server_tool_use={"web_search_requests": 1}))

    assert metered.parts == (
        Part((("input", 5), ("output", 6)), model="claude-fable-5-1"),
        Part((("input", 1), ("output", 2), ("web_search", 1))),
    )


def test_an_empty_list_of_steps_is_no_list() -> None:
    assert read(message(input_tokens=1, output_tokens=2, iterations=[])) == {
        "input": 1,
        "output": 2,
    }


def test_steps_alone_are_usage() -> None:
    steps = [{"input_tokens": 1, "output_tokens": 2, "model": "claude-haiku-5"}]
    metered = read_response(
        message(iterations=steps, server_tool_use={"web_search_requests": 1}),
        api="anthropic.messages",
    )

    assert metered.parts == (
        Part((("input", 1), ("output", 2), ("web_search", 1)), model="claude-haiku-5"),
    )


def test_a_call_that_used_nothing_has_one_empty_part() -> None:
    assert read_response(chat({"prompt_tokens": 0, "completion_tokens": 0})).parts == (Part(()),)


@pytest.mark.parametrize(
    ("body", "provider", "billed"),
    [
        (chat({**PROMPT, "cost": Decimal("0.00019325")}), "openrouter", "0.00019325"),
        (chat({**PROMPT, "cost": 8.6e-05, "is_byok": False}), "openrouter", "0.000086"),
        (chat({**PROMPT, "cost": 0, "is_byok": True}), "openrouter", None),
        (chat({**PROMPT, "cost": 0.000086, "is_byok": False}), "anthropic", "0.000086"),
        (chat({**PROMPT, "cost": None}), "openrouter", None),
        (chat({**PROMPT, "cost": 3}), "acme", None),
        (chat({**PROMPT, "cost_in_usd_ticks": 232856000}), "xai", "0.0232856"),
        (chat({**PROMPT, "cost": {"total_cost": Decimal("0.03073")}}), "perplexity", "0.03073"),
    ],
)
def test_what_the_provider_says_it_charged_is_exact(
    body: dict[str, Any], provider: str, billed: str | None
) -> None:
    found = read_response(body, provider=provider).billed_usd

    assert found == (None if billed is None else Decimal(billed))


def test_nothing_was_billed_where_no_usage_is_told() -> None:
    metered = read_response({"data": [{"url": "a"}]}, api="openai.images")

    assert metered.billed_usd is None


class Modality(str, Enum):  # noqa: UP042  # as Google's SDK has it
    AUDIO = "AUDIO"


def test_an_enumerations_value_is_its_text() -> None:
    body = gemini(
        promptTokenCount=5, promptTokensDetails=[{"modality": Modality.AUDIO, "tokenCount": 5}]
    )

    assert read(body) == {"input_audio": 5}


@pytest.mark.parametrize(
    ("body", "api", "provider", "word"),
    [
        (chat(PROMPT), "openai.chat", "azure", "openai.chat"),
        (chat(PROMPT), None, "azure", "azure.chat"),
        (chat(PROMPT), None, None, "unknown.chat"),
        (chat(PROMPT), "chat", "x-ai", "xai.chat"),
        (gemini(promptTokenCount=1), None, "google-gla", "google.generate"),
        (gemini(promptTokenCount=1), "google.batch", None, "google.batch"),
        (message(input_tokens=1, output_tokens=1), None, "bedrock", "bedrock.messages"),
        ({"usage": {"input_tokens": 1, "output_tokens": 1}}, None, "vertex_ai", "vertex.messages"),
        ({"usage": {"input_tokens": 1, "output_tokens": 1}}, None, "azure", "azure.responses"),
    ],
)
def test_the_api_is_named_as_recognised(
    body: dict[str, Any], api: str | None, provider: str | None, word: str
) -> None:
    assert read_response(body, api=api, provider=provider).api == word


def test_reasoning_is_told_for_information() -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": 15}}

    assert read_response(chat({**PROMPT, **details})).reasoning_tokens == 15
    assert (
        read_response(chat({**PROMPT, "total_tokens": 500}), provider="google").reasoning_tokens
        == 380
    )
    thinking = {"output_tokens_details": {"thinking_tokens": 7}}
    assert read_response(message(input_tokens=1, output_tokens=9, **thinking)).reasoning_tokens == 7


def test_tokens_are_counted_by_the_kinds_of_policies() -> None:
    part = Part(
        (
            ("input", 1),
            ("output", 2),
            ("cache_read", 4),
            ("cache_write_1h", 8),
            ("reasoning", 16),
            ("citation", 32),
            ("web_search", 9),
        )
    )

    assert counts_of([part, part]) == TokenCounts(input=66, output=36, cache_read=8, cache_write=16)
    assert units_of([part])["web_search"] == 9
