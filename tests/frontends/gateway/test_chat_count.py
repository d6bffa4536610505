"""A chat is counted by the Responses API's own endpoint, word for word what it says."""

import json
from typing import Any

import pytest
from tests.frontends.gateway.conftest import Gate
from tests.providers.scenario import Scenario

from tekton_budget.frontends.gateway.chat_count import as_response

LONG = "word " * 2000


def test_a_chat_that_fits_by_the_provider_s_count_is_let_through(gate: Gate) -> None:
    policy = gate.limit("4000tokens/day")
    gate.mock.plays("gpt-4o", Scenario(tokens=10))
    answer = gate.openai().chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": LONG}], max_completion_tokens=100
    )
    assert answer.usage is not None
    assert gate.spent(policy)[0] == answer.usage.total_tokens
    assert [request.path for request in gate.mock.requests] == [
        "/v1/responses/input_tokens",
        "/v1/chat/completions",
    ]


def test_every_kind_of_message_has_its_item() -> None:
    body: dict[str, Any] = {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "s"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "u"},
                    {"type": "image_url", "image_url": {"url": "https://p", "detail": "low"}},
                    {"type": "image_url", "image_url": "https://q"},
                ],
            },
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "a"}],
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "tool_call_id": "c", "content": "4"},
            {"role": "tool", "tool_call_id": "d", "content": [{"type": "text", "text": "5"}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    }
    assert as_response(body) == {
        "model": "gpt-4o",
        "input": [
            {"role": "system", "content": [{"type": "input_text", "text": "s"}]},
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "u"},
                    {"type": "input_image", "image_url": "https://p", "detail": "low"},
                    {"type": "input_image", "image_url": "https://q", "detail": "auto"},
                ],
            },
            {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "4"},
            {"type": "function_call_output", "call_id": "d", "output": "5"},
        ],
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}},
        "tools": [{"type": "function", "name": "f", "parameters": {}}],
    }


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
        {"messages": [{"role": "tool", "content": [{"type": "image_url"}]}]},
        {"messages": [{"role": "tool", "content": None}]},
        {"messages": [], "tools": [{"type": "custom", "custom": {"name": "f"}}]},
        {"messages": [{"role": "user", "content": "u", "name": "anna"}]},
        {"messages": [{"role": "assistant", "content": None, "refusal": LONG}]},
        {"messages": [{"role": "assistant", "function_call": {"name": "f", "arguments": LONG}}]},
        {"messages": [{"role": "assistant", "content": "a", "reasoning_content": LONG}]},
        {"messages": [], "functions": [{"name": "f", "description": LONG}]},
        {"messages": [], "prediction": {"type": "content", "content": LONG}},
        {"messages": [], "response_format": {"type": "json_schema", "json_schema": {"a": LONG}}},
        {"messages": [], "response_format": {"type": "json_schema"}},
        {"messages": [], "response_format": {"type": "grammar", "grammar": LONG}},
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [
                        {"id": "c", "type": "custom", "custom": {"name": "f", "input": LONG}}
                    ],
                }
            ]
        },
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [
                        {"id": "c", "function": {"name": "f"}, "custom": {"input": LONG}}
                    ],
                }
            ]
        },
    ],
)
def test_what_has_no_place_there_is_not_counted(body: dict[str, Any]) -> None:
    assert as_response(body) is None


def test_what_shapes_an_answer_of_other_providers_is_counted_too(gate: Gate) -> None:
    """The schema of the answer stands in the prompt: whoever leaves it out counts too little."""
    gate.limit("4000tokens/day")
    schema = {"type": "object", "description": LONG}
    form = {"format": {"type": "json_schema", "schema": schema}}
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "u"}], "max_tokens": 50}
    body |= {"model": "claude-sonnet-5", "output_config": form}
    gate.http.post("/gateway/anthropic/v1/messages", json=body, headers={"x-api-key": "k"})
    config = {"responseSchema": schema, "maxOutputTokens": 50}
    body = {"contents": [{"parts": [{"text": "u"}]}], "generationConfig": config}
    path = "/gateway/gemini/v1beta/models/gemini-2.5-flash:generateContent"
    gate.http.post(path, json=body, headers={"x-goog-api-key": "k"})
    counts = [json.loads(request.body) for request in gate.mock.requests if "ount" in request.path]
    assert [LONG in json.dumps(count) for count in counts] == [True, True]


def test_the_shortest_chat_that_fits_by_the_provider_s_count_is_let_through(gate: Gate) -> None:
    policy = gate.limit("60tokens/day")  # fewer than the constants of a bound alone
    gate.mock.plays("gpt-4o", Scenario(tokens=10))
    for _ in range(2):
        gate.openai().chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "hi"}], max_completion_tokens=20
        )
    assert gate.spent(policy)[0] == sum(gate.mock.bill.units().values())
    counts = [one for one in gate.mock.requests if one.path == "/v1/responses/input_tokens"]
    assert len(counts) == 1  # the second time it is known
