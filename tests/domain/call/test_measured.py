"""What a provider counted of an input is read from where its API tells it, or not at all."""

from typing import Any

import pytest

from tekton_budget.domain.call import Api, measured_input


@pytest.mark.parametrize(
    ("api", "response", "tokens"),
    [
        (Api.OPENAI_CHAT, {"usage": {"prompt_tokens": 7, "completion_tokens": 2}}, 7),
        (Api.OPENAI_RESPONSES, {"usage": {"input_tokens": 0}}, 0),
        (
            Api.ANTHROPIC_MESSAGES,
            {"usage": {"input_tokens": 3, "cache_read_input_tokens": 40, "output_tokens": 9}},
            43,
        ),
        (
            Api.ANTHROPIC_MESSAGES,
            {"usage": {"input_tokens": 3, "cache_creation_input_tokens": None}},
            3,
        ),
        (
            Api.GEMINI_GENERATE,
            {"usageMetadata": {"promptTokenCount": 5, "toolUsePromptTokenCount": 6}},
            11,
        ),
        (Api.GEMINI_EMBED, {"usage": {"promptTokenCount": 5}}, None),
        (Api.OPENAI_CHAT, {}, None),
        (Api.OPENAI_CHAT, {"usage": None}, None),
        (Api.OPENAI_CHAT, {"usage": [7]}, None),
        (Api.OPENAI_CHAT, {"usage": {"completion_tokens": 2}}, None),
        (Api.OPENAI_CHAT, {"usage": {"prompt_tokens": "7"}}, None),
        (Api.ANTHROPIC_MESSAGES, {"usage": {"cache_read_input_tokens": 40}}, None),
    ],
)
def test_an_input_is_all_its_parts(api: Api, response: dict[str, Any], tokens: int | None) -> None:
    assert measured_input(api, response) == tokens
