"""After the last message come constants alone; all that counts before it is part of its digest."""

from typing import Any

import pytest

from tekton_budget.domain.call import Api, Need, read_request

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FUNCTION = {"name": "f", "description": "d", "parameters": SCHEMA}
SAID = [{"role": "user", "content": "hello"}]
BASES: dict[Api, dict[str, Any]] = {
    Api.OPENAI_CHAT: {"model": "gpt-4o", "messages": SAID},
    Api.OPENAI_RESPONSES: {"model": "gpt-4o", "input": SAID},
    Api.ANTHROPIC_MESSAGES: {"model": "claude-haiku-4-5", "max_tokens": 5000, "messages": SAID},
    Api.GEMINI_GENERATE: {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
}
FIELDS: list[tuple[Api, dict[str, Any]]] = [
    (Api.OPENAI_CHAT, {"tools": [{"type": "function", "function": FUNCTION}]}),
    (
        Api.OPENAI_CHAT,
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": SCHEMA},
            }
        },
    ),
    (Api.OPENAI_CHAT, {"functions": [FUNCTION]}),
    (Api.OPENAI_RESPONSES, {"instructions": "be kind"}),
    (Api.OPENAI_RESPONSES, {"tools": [{"type": "function", **FUNCTION}]}),
    (
        Api.OPENAI_RESPONSES,
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}}},
    ),
    (Api.ANTHROPIC_MESSAGES, {"system": "be kind"}),
    (Api.ANTHROPIC_MESSAGES, {"tools": [{"name": "f", "input_schema": SCHEMA}]}),
    (Api.ANTHROPIC_MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
    (Api.GEMINI_GENERATE, {"systemInstruction": {"parts": [{"text": "be kind"}]}}),
    (Api.GEMINI_GENERATE, {"tools": [{"functionDeclarations": [FUNCTION]}]}),
    (Api.GEMINI_GENERATE, {"generationConfig": {"responseSchema": SCHEMA}}),
]


def read(api: Api, more: dict[str, Any]) -> Need:
    model = "gemini-2.5-flash" if api is Api.GEMINI_GENERATE else None
    return read_request(api, {**BASES[api], **more}, model=model)


@pytest.mark.parametrize(("api", "more"), FIELDS, ids=lambda it: str(it)[:40])
def test_what_counts_is_before_the_last_boundary_and_in_its_digest(
    api: Api, more: dict[str, Any]
) -> None:
    plain, full = read(api, {}), read(api, more)
    rests = [need.input_tokens - need.boundaries[-1].tokens for need in (plain, full)]
    assert rests[0] == rests[1]
    assert plain.boundaries[-1].digest != full.boundaries[-1].digest
