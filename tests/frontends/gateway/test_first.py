"""The skeleton: whole and streamed, granted and denied, in each API."""

import anthropic
import openai
import pytest
from tests.frontends.gateway.conftest import Gate


def test_a_whole_answer_is_settled_to_the_provider_s_bill(gate: Gate) -> None:
    day = gate.limit("1usd/day")
    answer = gate.openai().chat.completions.with_raw_response.create(
        model="gpt-4o", messages=[{"role": "user", "content": "hello"}], max_completion_tokens=50
    )
    assert answer.headers["x-budget-policy"]
    usage = answer.parse().usage
    assert usage is not None
    cost = usage.prompt_tokens * 2500 + usage.completion_tokens * 10_000
    assert gate.spent(day) == (usage.total_tokens, cost, 0, 0)


def test_streams_are_settled_and_look_as_asked_for(gate: Gate) -> None:
    day = gate.limit("1usd/day")
    chunks = list(
        gate.openai().chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "hello"}], stream=True
        )
    )
    assert all(chunk.usage is None for chunk in chunks)
    assert gate.spent(day)[1] > 0
    assert gate.spent(day)[2:] == (0, 0)


def test_anthropic(gate: Gate) -> None:
    gate.limit("1usd/day", name="day")
    client = gate.anthropic()
    message = client.messages.create(
        model="claude-sonnet-5", max_tokens=50, messages=[{"role": "user", "content": "hello"}]
    )
    assert message.content
    with client.messages.stream(
        model="claude-sonnet-5", max_tokens=50, messages=[{"role": "user", "content": "hello"}]
    ) as stream:
        assert stream.get_final_message().usage.output_tokens


def test_denials(gate: Gate) -> None:
    gate.limit("0usd/day", name="day")
    with pytest.raises(openai.APIStatusError) as refused:
        gate.openai().chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "hello"}]
        )
    assert refused.value.status_code == 402
    assert refused.value.code == "budget_exceeded"
    with pytest.raises(anthropic.APIStatusError) as other:
        gate.anthropic().messages.create(
            model="claude-sonnet-5",
            max_tokens=50,
            messages=[{"role": "user", "content": "hello"}],
        )
    assert other.value.status_code == 402
    assert not gate.mock.requests
