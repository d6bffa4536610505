"""Providers that fail in every way: what is charged then, and what the client sees."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.frontends.gateway.conftest import Gate
from tests.frontends.gateway.exact.bills import billed, by_group, settled
from tests.frontends.gateway.exact.crowd import Json, asked, path_of
from tests.frontends.gateway.exact.odd import answering

from tekton_budget.domain.event import EventType
from tekton_budget.frontends.gateway import connections
from tekton_budget.storage import tables

INPUT_BOUND = 177 * 2_500  # of "hello"
HELD = INPUT_BOUND + 64 * 10_000


class Answer:
    """`status` 0: it broke off."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


def play(gate: Gate, task: str, *, stream: bool, api: str = "openai", **scenario: Any) -> Answer:
    """One call whose answer goes as told; status and body as far as it came."""
    headers = {
        "authorization": f"Bearer {task}",
        "anthropic-version": "2023-06-01",
        "x-budget-labels": f"task={task}",
        "x-mock": json.dumps(scenario),
    }
    body = asked(api, most=64, stream=stream)
    got = b""
    try:
        with gate.http.stream(
            "POST", path_of(api, stream=stream), json=body, headers=headers
        ) as answer:
            for chunk in answer.iter_bytes():
                got += chunk
    except httpx.TransportError:
        return Answer(0, {}, got)
    return Answer(answer.status_code, dict(answer.headers), got)


WHOLE: list[tuple[Json, int]] = [
    ({"fault": "reset"}, 502),
    ({"fault": "close"}, 502),
    ({"fault": "close", "at": 30}, 502),
    ({"fault": "truncated"}, 502),
    ({"fault": "stall"}, 502),
    ({"fault": "garbage"}, 200),
    ({"fault": "html"}, 200),
    ({"usage": "none"}, 200),
]
STREAMED: list[tuple[Json, int]] = [
    ({"fault": "reset", "at": 5}, 0),
    ({"fault": "close", "at": 5}, 0),
    ({"fault": "truncated", "at": 5}, 0),
    ({"fault": "stall", "at": 5}, 0),
    ({"fault": "html", "at": 5}, 200),
    ({"fault": "error_event", "at": 5}, 200),
    ({"usage": "none"}, 200),
]


def test_what_can_be_proven_is_charged(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken off, garbage, without usage: at least the input, at most the hold, as an estimate."""
    monkeypatch.setattr(connections, "SILENCE_SECONDS", 0.3)
    policy = gate.limit("10usd/day", per=["task"])
    told = {}
    for stream, rows in ((False, WHOLE), (True, STREAMED)):
        for number, (scenario, status) in enumerate(rows):
            task = f"{'s' if stream else 'w'}{number}"
            told[task] = scenario, status, play(gate, task, stream=stream, **scenario).status
    settled(gate, policy)
    charged = by_group(gate, policy)
    bills = {entry.key: billed(entry) for entry in gate.mock.bill.entries}

    for task, (scenario, status, got) in told.items():
        assert got == status, scenario
        assert INPUT_BOUND <= charged[task] <= HELD, scenario
        if task.startswith("s") or status == 200:
            assert charged[task] >= bills[task], scenario


GOOD: list[Json] = [
    {"fault": "split_utf8", "text": "日本語 Zürich café"},
    {"chunk": 7},
    {"chunk": 1, "tokens": 2},
    {"gzip": True},
    {"fault": "invalid_sse", "at": 3},
    {"text": "data: [DONE]\n\ndata: x", "tokens": 3},
    {"tokens": 30, "tokens_per_frame": 4},
    {"first_ms": 20},
]


@pytest.mark.parametrize("api", ["openai", "responses", "anthropic", "gemini"])
def test_what_arrives_in_pieces_is_passed_on_and_settled_exactly(gate: Gate, api: str) -> None:
    """Streams that are not counted: pieces cut inside frames and characters, zipped, with rubbish."""
    policy = gate.limit("10usd/day", per=["task"])
    direct = {"authorization": "Bearer direct", "anthropic-version": "2023-06-01"}
    bodies = {}
    for stream in (False, True):
        for number, scenario in enumerate(GOOD):
            if not stream and scenario.get("fault"):
                continue
            task = f"{'s' if stream else 'w'}{number}"
            bodies[task] = play(gate, task, stream=stream, api=api, **scenario)
            assert bodies[task].status == 200, (task, scenario, bodies[task].body)
    settled(gate, policy)
    charged = by_group(gate, policy)

    assert charged == {entry.key: billed(entry) for entry in gate.mock.bill.entries}
    path = (
        path_of(api, stream=True).replace("/gateway/openai", "").replace("/gateway/anthropic", "")
    )
    for number, scenario in enumerate(GOOD):
        headers = {**direct, "x-mock": json.dumps({**scenario, "gzip": False, "chunk": 0})}
        body = asked(api, most=64, stream=True)
        if api == "openai":
            continue  # of its frames, the one with usage is taken out again
        url = gate.mock.url + path.replace("/gateway/gemini", "")
        plain = httpx.post(url, json=body, headers=headers).content
        assert len(plain) == len(bodies[f"s{number}"].body), scenario


def test_more_than_the_maximum_is_recorded_in_full(gate: Gate) -> None:
    """A provider that bills more than was allowed: a fact, told as an overrun."""
    policy = gate.limit("0.0012usd/day", per=["task"])
    for stream in (False, True):
        play(gate, f"s{stream}", stream=stream, usage="over", over=300)
    settled(gate, policy)

    charged = by_group(gate, policy)
    bills = {entry.key: billed(entry) for entry in gate.mock.bill.entries}
    assert charged == bills
    assert min(bills.values()) > HELD
    rows = gate.running.reader.rows
    postings = rows(select(tables.journal.c.postings))
    assert sum('"overrun"' in row.postings for row in postings) == 2
    events = rows(select(tables.outbox.c.type))
    assert sum(row.type == EventType.LIMIT_PASSED for row in events) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 529])
def test_refused_upstream_is_released_and_passed_on_untouched(gate: Gate, status: int) -> None:
    policy = gate.limit("10usd/day")
    for stream in (False, True):
        answer = play(gate, "t", stream=stream, fault="status", status=status, retry_after=7)

        assert answer.status == status
        assert answer.headers["retry-after"] == "7"
        assert "x-should-retry" not in answer.headers
        assert json.loads(answer.body)["error"]["message"] == "The mock was told to refuse this."
    assert gate.spent(policy) == (0, 0, 0, 0)


ODD = {
    "redirect": (
        b"HTTP/1.1 307 Temporary Redirect\r\nlocation: %b/v1/chat/completions\r\n"
        b"content-length: 0\r\n\r\n"
    ),
    "refusal that breaks off": b"HTTP/1.1 400 Bad Request\r\ncontent-length: 100\r\n\r\n{",
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("stream", [False, True])
def test_redirects_are_not_followed(gates: Callable[..., Gate], kind: str, *, stream: bool) -> None:
    """They would carry the key elsewhere; what was not done is not charged."""
    with answering(b"") as odd:
        gate = gates(upstreams={"openai": f"{odd.url}/v1"})
        odd.answer = ODD[kind].replace(b"%b", gate.mock.url.encode())
        policy = gate.limit("10usd/day")
        answer = play(gate, "t", stream=stream)

        assert answer.status == 502
        assert not gate.mock.requests
        assert gate.spent(policy) == (0, 0, 0, 0)


def test_connection_refused_is_told_and_released(gates: Callable[..., Gate]) -> None:
    gate = gates(upstreams={"openai": "http://127.0.0.1:1/v1"})
    policy = gate.limit("10usd/day")
    for stream in (False, True):
        answer = play(gate, "t", stream=stream)

        assert answer.status == 502
        assert json.loads(answer.body)["error"]["code"] == "upstream_away"
    assert gate.spent(policy) == (0, 0, 0, 0)


def test_a_gemini_stream_in_one_array_is_settled_exactly(gate: Gate) -> None:
    """Without `alt=sse`, Google streams one JSON array."""
    policy = gate.limit("10usd/day")
    path = path_of("gemini", stream=True).replace("?alt=sse", "")
    headers = {"x-goog-api-key": "k"}
    assert gate.http.post(path, json=asked("gemini", most=64), headers=headers).is_success
    settled(gate, policy)

    [entry] = gate.mock.bill.entries
    assert gate.spent(policy)[1] == billed(entry)


def test_an_answer_of_a_model_without_a_price_is_charged(gates: Callable[..., Gate]) -> None:
    """The provider names another model than was asked for, one that no price list knows."""
    told = {
        "id": "x",
        "object": "chat.completion",
        "model": "gpt-unheard-of",
        "choices": [],
        "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30},
    }
    data = json.dumps(told).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    with answering(head % len(data) + data) as odd:
        gate = gates(upstreams={"openai": f"{odd.url}/v1"})
        policy = gate.limit("10usd/day")

        assert play(gate, "t", stream=False).status == 200
        assert gate.spent(policy)[1] >= 10 * 2_500 + 20 * 10_000


@pytest.mark.parametrize("stream", [False, True])
def test_20_mb_both_ways(gate: Gate, *, stream: bool) -> None:
    policy = gate.limit("10000usd/day")
    body = asked(most=64, stream=stream)
    body["messages"] = [{"role": "user", "content": "x" * (20 << 20)}]
    headers = {"authorization": "Bearer k", "x-mock": json.dumps({"pad_bytes": 20 << 20})}
    gate.mock.world.limits.context = 1 << 40
    answer = gate.http.post(path_of("openai"), json=body, headers=headers)

    assert answer.status_code == 200, answer.text[:300]
    assert len(answer.content) > 20 << 20
    settled(gate, policy)
    [entry] = gate.mock.bill.entries
    assert gate.spent(policy)[1] == billed(entry)
