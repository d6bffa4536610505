"""Usage that contradicts itself, or that is not there, is refused by the name of its field."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.metering import read_response

CHAT = {"prompt_tokens": 100, "completion_tokens": 20}
CLAUDE = {"input_tokens": 10, "output_tokens": 5}


def refused(body: object, api: str | None = None, provider: str | None = None) -> InvalidInput:
    with pytest.raises(InvalidInput) as found:
        read_response(body, api=api, provider=provider)
    return found.value


@pytest.mark.parametrize(
    "amount",
    [
        -1,
        Decimal("-0.5"),
        1.5,
        Decimal("1.5"),
        True,
        False,
        "12",
        "",
        [],
        [12],
        {"n": 1},
        10**12 + 1,
        10**5000,
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("1E+999999"),
        Fraction(1, 3),
        object(),
    ],
    ids=lambda amount: (
        f"{type(amount).__name__} {str(amount)[:12] if not isinstance(amount, int) or amount < 10**20 else 'huge'}"
    ),
)
def test_an_amount_is_a_whole_number_that_a_call_can_use(amount: object) -> None:
    for api, body, field in (
        ("openai.chat", {"usage": {**CHAT, "prompt_tokens": amount}}, "usage.prompt_tokens"),
        (
            "anthropic.messages",
            {"usage": {**CLAUDE, "cache_read_input_tokens": amount}},
            "usage.cache_read_input_tokens",
        ),
        (
            "google.generate",
            {"usageMetadata": {"promptTokenCount": amount}},
            "usageMetadata.promptTokenCount",
        ),
        (
            "cohere.chat",
            {"meta": {"billed_units": {"input_tokens": amount}}},
            "meta.billed_units.input_tokens",
        ),
    ):
        error = refused(body, api)

        assert error.code == "invalid_usage"
        assert [fault.field for fault in error.fields] == [field]
        assert error.detail.startswith(field)


@pytest.mark.parametrize(
    ("api", "usage", "field"),
    [
        (
            "openai.chat",
            {"prompt_tokens_details": {"cached_tokens": 101}},
            "usage.prompt_tokens_details.cached_tokens",
        ),
        (
            "openai.chat",
            {"prompt_tokens_details": {"cache_write_tokens": 101}},
            "usage.prompt_tokens_details.cache_write_tokens",
        ),
        (
            "openai.chat",
            {"prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 60}},
            "usage.prompt_tokens_details.cached_tokens",
        ),
        (
            "openai.chat",
            {"prompt_tokens_details": {"audio_tokens": 101}},
            "usage.prompt_tokens_details (audio)",
        ),
        (
            "openai.chat",
            {"prompt_tokens_details": {"text_tokens": 101}},
            "usage.prompt_tokens_details (text)",
        ),
        (
            "openai.chat",
            {"prompt_tokens_details": {"audio_tokens": 60, "image_tokens": 60}},
            "usage.prompt_tokens (by modality)",
        ),
        (
            "openai.chat",
            {"completion_tokens_details": {"audio_tokens": 21}},
            "usage.completion_tokens_details (audio)",
        ),
        (
            "openai.chat",
            {"completion_tokens_details": {"reasoning_tokens": 21}},
            "usage.completion_tokens_details.reasoning_tokens",
        ),
        ("openai.chat", {"cached_tokens": 5, "num_cached_tokens": 6}, "usage.num_cached_tokens"),
        ("openai.chat", {"total_tokens": 119}, "usage.total_tokens"),
        ("openai.chat", {"total_tokens": 121}, "usage.total_tokens"),
        ("xai.chat", {"total_tokens": 130, "reasoning_tokens": 15}, "usage.total_tokens"),
        ("google.openai", {"total_tokens": 119}, "usage.total_tokens"),
        (
            "deepseek.chat",
            {"prompt_cache_hit_tokens": 60, "prompt_cache_miss_tokens": 41},
            "usage.prompt_cache_miss_tokens, with the cached ones,",
        ),
        ("openai.chat", {"prompt_tokens": None}, "usage.prompt_tokens"),
        ("openai.chat", {"completion_tokens": None}, "usage.completion_tokens"),
        (
            "openai.chat",
            {"prompt_tokens": None, "completion_tokens": None, "total_tokens": 9},
            "usage.total_tokens",
        ),
        ("perplexity.chat", {"citation_tokens": 5, "total_tokens": 119}, "usage.prompt_tokens"),
        ("openrouter.chat", {"cost": -1}, "usage.cost"),
        ("openrouter.chat", {"cost": "0.1"}, "usage.cost"),
        ("xai.chat", {"cost_in_usd_ticks": -1}, "usage.cost_in_usd_ticks"),
        (
            "openai.realtime",
            {
                "input_token_details": {
                    "audio_tokens": 9,
                    "cached_tokens": 20,
                    "cached_tokens_details": {"audio_tokens": 10},
                }
            },
            "usage.input_token_details.cached_tokens (audio)",
        ),
        (
            "openai.realtime",
            {
                "input_token_details": {
                    "cached_tokens": 9,
                    "cached_tokens_details": {"audio_tokens": 10},
                }
            },
            "usage.input_token_details.cached_tokens_details (audio)",
        ),
    ],
)
def test_a_chat_that_contradicts_itself_is_refused(
    api: str, usage: dict[str, Any], field: str
) -> None:
    error = refused({"usage": {**CHAT, **usage}}, api)

    assert error.code == "invalid_usage"
    assert [fault.field for fault in error.fields] == [field]


@pytest.mark.parametrize(
    ("api", "body", "field"),
    [
        (
            "anthropic.messages",
            {
                "usage": {
                    **CLAUDE,
                    "cache_creation_input_tokens": 9,
                    "cache_creation": {
                        "ephemeral_5m_input_tokens": 6,
                        "ephemeral_1h_input_tokens": 4,
                    },
                }
            },
            "usage.cache_creation.ephemeral_5m_input_tokens",
        ),
        ("anthropic.messages", {"usage": {"input_tokens": 10}}, "usage.output_tokens"),
        (
            "anthropic.messages",
            {"usage": {**CLAUDE, "output_tokens_details": {"thinking_tokens": 6}}},
            "usage.output_tokens_details.thinking_tokens",
        ),
        (
            "anthropic.messages",
            {"usage": {**CLAUDE, "iterations": [CLAUDE, 3]}},
            "usage.iterations",
        ),
        ("anthropic.messages", {"usage": {**CLAUDE, "iterations": {"a": 1}}}, "usage.iterations"),
        (
            "anthropic.messages",
            {"usage": {**CLAUDE, "iterations": [{"input_tokens": 9, "output_tokens": 5}]}},
            "usage.input_tokens",
        ),
        (
            "anthropic.messages",
            {"usage": {**CLAUDE, "iterations": [{"input_tokens": 10, "output_tokens": 4}]}},
            "usage.output_tokens",
        ),
        (
            "anthropic.messages",
            {"usage": {**CLAUDE, "server_tool_use": {"web_search_requests": -1}}},
            "usage.server_tool_use.web_search_requests",
        ),
        (
            "bedrock.converse",
            {"usage": {"inputTokens": 5, "outputTokens": 5, "totalTokens": 9}},
            "usage.totalTokens",
        ),
        (
            "bedrock.converse",
            {"usage": {"inputTokens": 5, "outputTokens": 5, "totalTokens": 11}},
            "usage.totalTokens",
        ),
        (
            "bedrock.converse",
            {
                "usage": {
                    "inputTokens": 5,
                    "outputTokens": 5,
                    "cacheReadInputTokens": 1,
                    "cacheReadInputTokenCount": 2,
                }
            },
            "usage.cacheReadInputTokenCount",
        ),
        (
            "bedrock.converse",
            {
                "usage": {
                    "inputTokens": 5,
                    "outputTokens": 5,
                    "cacheWriteInputTokens": 1,
                    "cacheDetails": [{"ttl": "1h", "inputTokens": 2}],
                }
            },
            "usage.cacheWriteInputTokens",
        ),
        (
            "bedrock.converse",
            {
                "usage": {
                    "inputTokens": 5,
                    "outputTokens": 5,
                    "cacheDetails": [{"ttl": "12h", "inputTokens": 2}],
                }
            },
            "usage.cacheDetails[0].ttl",
        ),
        (
            "google.generate",
            {"usageMetadata": {"promptTokenCount": 5, "cachedContentTokenCount": 6}},
            "usageMetadata.cachedContentTokenCount",
        ),
        (
            "google.generate",
            {
                "usageMetadata": {
                    "promptTokenCount": 5,
                    "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 6}],
                }
            },
            "usageMetadata.promptTokensDetails (image)",
        ),
        (
            "google.generate",
            {
                "usageMetadata": {
                    "promptTokenCount": 5,
                    "candidatesTokenCount": 5,
                    "totalTokenCount": 9,
                }
            },
            "usageMetadata.totalTokenCount",
        ),
        (
            "google.generate",
            {"usageMetadata": {"totalTokenCount": 9}},
            "usageMetadata.totalTokenCount",
        ),
        (
            "google.generate",
            {
                "usageMetadata": {
                    "promptTokenCount": 90,
                    "cachedContentTokenCount": 40,
                    "cacheTokensDetails": [
                        {"modality": "IMAGE", "tokenCount": 30},
                        {"modality": "AUDIO", "tokenCount": 30},
                    ],
                }
            },
            "usageMetadata.cachedContentTokenCount (by modality)",
        ),
        ("openai.chat", {"usage": 5}, "usage"),
        ("openai.chat", {"usage": [CHAT]}, "usage"),
        ("openai.transcriptions", {"usage": {"type": "duration", "seconds": -1}}, "usage.seconds"),
        (None, {"usage": {"words": 5}}, "usage"),
        ("openai.chat", [CHAT], "response"),
        (
            "openai.chat",
            {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "video_tokens": 7}},
            "usage.video_tokens",
        ),
    ],
)
def test_a_body_that_contradicts_itself_is_refused(
    api: str | None, body: object, field: str
) -> None:
    error = refused(body, api)

    assert error.code == "invalid_usage"
    assert [fault.field for fault in error.fields] == [field]


@pytest.mark.parametrize("named", [True, False], ids=["api named", "by shape"])
@pytest.mark.parametrize(
    ("api", "body"),
    [
        ("openai.chat", {}),
        ("openai.chat", {"model": "gpt-4o"}),
        ("openai.chat", {"usage": None}),
        ("openai.chat", {"usage": {}}),
        ("openai.chat", {"usage": {"prompt_tokens": None, "completion_tokens": None}}),
        (
            "openai.realtime",
            {"type": "response.done", "response": {"status": "cancelled", "usage": None}},
        ),
        (
            "openai.chat",
            {"custom_id": "1", "response": {"status_code": 400, "body": {"error": {}}}},
        ),
        ("anthropic.messages", {"type": "message", "usage": {}}),
        ("anthropic.messages", {"type": "message", "usage": {"service_tier": "standard"}}),
        (
            "anthropic.messages",
            {"custom_id": "1", "result": {"type": "errored", "error": {"a": 1}}},
        ),
        ("google.generate", {"usageMetadata": {}}),
        ("google.generate", {"usageMetadata": {"trafficType": "ON_DEMAND"}}),
        ("bedrock.converse", {"usage": {"inputTokens": None}}),
        ("cohere.chat", {"meta": {"billed_units": {}}}),
        ("openai.speech", {}),
        ("openai.images", {"data": []}),
        ("mistral.ocr", {"usage_info": {"doc_size_bytes": 5}}),
        ("mistral.ocr", {}),
        ("ollama.chat", {"done": True}),
    ],
)
def test_no_usage_is_not_zero_usage(api: str, body: dict[str, Any], named: bool) -> None:
    error = refused(body, api if named else None, None if named else api.split(".", maxsplit=1)[0])

    assert error.code in {"missing_usage"} | (set() if named else {"invalid_usage"})
    assert "usage" in error.detail


def test_a_body_of_another_api_than_the_one_named_is_refused() -> None:
    assert refused({"usage": CHAT}, "anthropic.messages").code == "missing_usage"
    assert (
        refused({"usage": {"inputTokens": 5, "outputTokens": 6}}, "openai.chat").code
        == "missing_usage"
    )
