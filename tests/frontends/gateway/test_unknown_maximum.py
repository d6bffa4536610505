"""Models whose longest answer nobody knows: no maximum is made up that the provider would refuse."""

import json
from collections.abc import Callable
from typing import Any

from tests.frontends.gateway.conftest import Gate

from tekton_budget.prices.embedded import embedded_head

HELLO: Any = [{"role": "user", "content": "hello"}]
CONTEXT = 400_000  # the mock takes maxima up to 128,000, as providers do


def with_a_novel_model(gate: Gate) -> None:
    head = embedded_head()
    listed = {
        "format": "price-list/1",
        "version": "2099-01-01.1",
        "made": str(head.made),
        "sources": [],
        "cards": [
            {
                "provider": "openai",
                "model": "gpt-novel",
                "rates": {"input": "1", "output": "10"},
                "source": "tests",
                "status": "single_source",
            }
        ],
        "aliases": [],
        "models": [{"provider": "openai", "model": "gpt-novel", "context_tokens": CONTEXT}],
    }
    gate.running.service.prices.take_list(listed["version"], json.dumps(listed))


def sent(gate: Gate) -> dict[str, Any]:
    return gate.mock.requests[-1].json()


def test_where_its_whole_context_fits_none_is_sent(gate: Gate) -> None:
    with_a_novel_model(gate)
    day = gate.limit("5usd/day")
    answer = gate.openai().chat.completions.with_raw_response.create(
        model="gpt-novel", messages=HELLO
    )
    assert sent(gate).keys() == {"model", "messages"}
    assert "x-budget-clamped" not in answer.headers
    assert gate.spent(day)[0] == answer.parse().usage.total_tokens  # type: ignore[union-attr]


def test_where_it_does_not_one_that_models_take_is_sent(gates: Callable[..., Gate]) -> None:
    gate = gates()
    with_a_novel_model(gate)
    gate.limit("1usd/day", name="day")
    gate.openai().chat.completions.create(model="gpt-novel", messages=HELLO)
    assert sent(gate)["max_completion_tokens"] == 16_384
    gate.limit("0.01usd/day", name="less")
    gate.openai().responses.create(model="gpt-novel", input="hello")
    assert 900 < sent(gate)["max_output_tokens"] < 1000


def test_a_setting_says_how_many(gates: Callable[..., Gate]) -> None:
    gate = gates(gateway_output_tokens=777)
    with_a_novel_model(gate)
    gate.limit("5usd/day", name="day")
    gate.openai().chat.completions.create(model="gpt-novel", messages=HELLO)
    assert sent(gate)["max_completion_tokens"] == 777


def test_a_growing_stream_is_ended_by_its_hold(gates: Callable[..., Gate]) -> None:
    gate = gates(gateway_hold="growing")
    with_a_novel_model(gate)
    gate.limit("5usd/day", name="day")
    chunks = list(
        gate.openai().chat.completions.create(model="gpt-novel", messages=HELLO, stream=True)
    )
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert "max_completion_tokens" not in sent(gate)


def test_what_is_read_twice_is_held_twice_and_at_most_two_windows(gate: Gate) -> None:
    with_a_novel_model(gate)
    gate.limit("5usd/day", name="day")
    once = [{"role": "user", "content": "word " * 1_000}]
    for said, least, most in (
        (once, 5_000, 5_400),
        ([*once, {"type": "compaction_trigger"}], 10_000, 10_900),
        ([{"role": "user", "content": "x" * 1_000_000}, {"type": "compaction_trigger"}], *[2 * CONTEXT] * 2),
    ):  # fmt: skip
        asked: Any = {"model": "gpt-novel", "input": said, "max_output_tokens": 16}
        answer = gate.openai().responses.with_raw_response.create(**asked)
        found = allocation(gate, answer.headers["x-budget-allocation"])
        assert least <= found <= most


def allocation(gate: Gate, allocation_id: str) -> int:
    """Tokens of input that were held, at a dollar for a million, 16 tokens of output at ten."""
    view: Any = gate.http.get(f"/api/v1/allocations/{allocation_id}").json()
    return round((float(view["estimated_cost"]) - 16 * 10 / 1e6) * 1e6)
