"""Streams that hold a slice at a time: never over, ended in their own words, nothing wasted."""

import json
from typing import Any

import pytest
from tests.frontends.gateway.conftest import Gate
from tests.providers.scenario import Scenario

GROWING = {"X-Budget-Hold": "growing"}
HELLO: Any = [{"role": "user", "content": "hello"}]


def test_a_stream_that_fits_is_told_whole_and_settled_to_the_bill(gate: Gate) -> None:
    policy = gate.limit("5000tokens/day")
    gate.mock.plays("gpt-4o", Scenario(tokens=300))
    chunks = list(
        gate.openai().chat.completions.create(
            model="gpt-4o", messages=HELLO, stream=True, max_tokens=4000, extra_headers=GROWING
        )
    )
    assert chunks[-1].choices[0].finish_reason == "stop"
    gate.mock.bill.settled()
    assert gate.spent(policy)[0] == sum(gate.mock.bill.units().values())
    assert gate.spent(policy)[2] == 0


def test_a_chat_is_cut_where_nothing_fits_any_more(gate: Gate) -> None:
    policy = gate.limit("1500tokens/day")
    gate.mock.plays("gpt-4o", Scenario(tokens=2000, token_ms=0.5))
    chunks = list(
        gate.openai().chat.completions.create(
            model="gpt-4o",
            messages=HELLO,
            stream=True,
            max_tokens=100_000,
            stream_options={"include_usage": True},
            extra_headers=GROWING,
        )
    )
    assert chunks[-2].choices[0].finish_reason == "length"
    usage = chunks[-1].usage
    assert usage is not None
    assert gate.mock.bill.settled()
    billed = sum(gate.mock.bill.units().values())
    spent = gate.spent(policy)
    assert billed <= spent[0] <= 1500
    assert spent[2] == 0
    assert usage.completion_tokens + usage.prompt_tokens >= billed


def test_a_message_is_cut_cleanly(gate: Gate) -> None:
    policy = gate.limit("0.01usd/day")
    gate.mock.plays("claude-sonnet-5", Scenario(tokens=5000, token_ms=0.5))
    with gate.anthropic().messages.stream(
        model="claude-sonnet-5", max_tokens=50_000, messages=HELLO, extra_headers=GROWING
    ) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "max_tokens"
    assert message.content[0].type == "text"
    assert gate.mock.bill.settled()
    assert gate.spent(policy)[1] <= 10_000_000
    assert gate.spent(policy)[3] == 0


def test_a_response_is_cut_cleanly(gate: Gate) -> None:
    gate.limit("1500tokens/day")
    gate.mock.plays("gpt-4o", Scenario(tokens=5000, token_ms=0.5))
    events = list(
        gate.openai().responses.create(
            model="gpt-4o", input="hello", stream=True, extra_headers=GROWING
        )
    )
    assert events[-1].type == "response.incomplete"
    response = events[-1].response
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    said = "".join(one.delta for one in events if one.type == "response.output_text.delta")
    assert response.output_text == said
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(set(numbers))


def test_gemini_is_cut_cleanly(gate: Gate) -> None:
    gate.limit("1500tokens/day")
    gate.mock.plays("gemini-2.5-flash", Scenario(tokens=5000, token_ms=0.5))
    body = {
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
        "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}},
    }
    path = "/gateway/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    headers = {**GROWING, "x-goog-api-key": "k"}
    told = gate.http.post(path, json=body, headers=headers).text
    last = json.loads(told.strip().splitlines()[-1].removeprefix("data: "))
    assert last["candidates"][0]["finishReason"] == "MAX_TOKENS"


@pytest.mark.parametrize("query", ["", "?alt=json", "?x=alt%3Dsse"])
def test_an_array_of_gemini_s_cannot_be_cut_so_it_is_held_whole(gate: Gate, query: str) -> None:
    policy = gate.limit("1500tokens/day")
    gate.mock.plays("gemini-2.5-flash", Scenario(tokens=5000))
    body = {
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
        "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}},
    }
    path = f"/gateway/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent{query}"
    headers = {**GROWING, "x-goog-api-key": "k"}
    answer = gate.http.post(path, json=body, headers=headers)
    assert isinstance(answer.json(), list)
    assert gate.mock.bill.settled()
    assert sum(gate.mock.bill.units().values()) <= gate.spent(policy)[0] <= 1500


@pytest.mark.parametrize("hold", ["full", "growing"])
def test_the_last_money_is_used_by_a_maximum_not_by_a_cut(gate: Gate, hold: str) -> None:
    policy = gate.limit("200tokens/day")
    gate.mock.plays("gpt-4o", Scenario(tokens=500))
    chunks = list(
        gate.openai().chat.completions.create(
            model="gpt-4o", messages=HELLO, stream=True, extra_headers={"X-Budget-Hold": hold}
        )
    )
    assert chunks[-1].choices[0].finish_reason == "length"
    assert gate.mock.bill.settled()
    assert gate.spent(policy)[0] == sum(gate.mock.bill.units().values())
