"""Answers of odd shape: what is not known of them counts, and what cannot be cut is held."""

import json
from typing import Any

import pytest
from tests.frontends.gateway.conftest import Gate, gating
from tests.frontends.gateway.exact.odd import answering
from tests.providers.server import MockProvider

from tekton_budget.domain.call import Api
from tekton_budget.frontends.gateway import frames
from tekton_budget.frontends.gateway.frames import Frames, frame_of
from tekton_budget.frontends.gateway.watching import Watch

CHAT: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "hello"}],
    "max_completion_tokens": 3000,
}
PATH = "/gateway/openai/v1/chat/completions"
HEADERS = {"authorization": "Bearer sk-theirs", "x-budget-hold": "growing"}


def said(*deltas: dict[str, Any]) -> int:
    watch = Watch(Api.OPENAI_CHAT, hides_usage=False)
    for delta in deltas:
        watch.see(frame_of(json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode()))
    return watch.said


def test_what_is_written_in_fields_that_nobody_knows_counts_whole() -> None:
    assert said({"role": "assistant", "content": ""}) == 0
    assert said({"content": "four"}) == 4
    assert said({"content": "", "images": [{"url": "x" * 500}]}) > 500


def test_a_whole_answer_to_a_growing_stream_is_held_whole(
    sqlite_url: str, mock: MockProvider
) -> None:
    usage = {"prompt_tokens": 8, "completion_tokens": 2900, "total_tokens": 2908}
    body = json.dumps({"id": "x", "model": "gpt-4o", "choices": [], "usage": usage}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    whole = head % len(body) + body
    with answering(whole) as odd, gating(sqlite_url, mock, upstreams={"openai": odd.url}) as gate:
        policy = gate.limit("9000tokens/day")
        answer = gate.http.post(PATH, json={**CHAT, "stream": True}, headers=HEADERS)
        assert answer.json()["usage"] == usage
        assert gate.spent(policy)[0] == 2908
        [record] = gate.http.get("/api/v1/usage/records").json()["items"]
        allocation = gate.http.get(f"/api/v1/allocations/{record['allocation_id']}").json()
        assert allocation["max_output_tokens"] == 3000


def test_counts_so_far_are_no_end(sqlite_url: str, mock: MockProvider) -> None:
    chunk = {
        "id": "x",
        "model": "gpt-4o",
        "choices": [{"index": 0, "delta": {"content": "word " * 50}, "finish_reason": None}],
        "usage": {"prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9},
    }
    broken = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    frame = frame_of(json.dumps(chunk).encode())
    broken += b"%x\r\n%b\r\n" % (len(frame), frame)
    with answering(broken) as odd, gating(sqlite_url, mock, upstreams={"openai": odd.url}) as gate:
        policy = gate.limit("9000tokens/day")
        with pytest.raises(Exception):  # noqa: B017, PT011  (whatever the client makes of it)
            gate.http.post(PATH, json={**CHAT, "stream": True}, headers=HEADERS).raise_for_status()
        assert gate.spent(policy)[0] > 250
        [record] = gate.http.get("/api/v1/usage/records").json()["items"]
        assert record["measurement"] == "estimated"


def test_a_status_without_a_body_has_no_length(sqlite_url: str, mock: MockProvider) -> None:
    nothing = b"HTTP/1.1 204 No Content\r\n\r\n"
    with answering(nothing) as odd, gating(sqlite_url, mock, upstreams={"openai": odd.url}) as gate:
        answer = gate.http.post(PATH, json=CHAT, headers=HEADERS)
        assert answer.status_code == 204
        assert "content-length" not in answer.headers


def test_a_compressed_body_is_refused_with_advice(gate: Gate) -> None:
    headers = {**HEADERS, "content-encoding": "gzip"}
    answer = gate.http.post(PATH, content=b"\x1f\x8b", headers=headers)
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "body_compressed"
    assert "uncompressed" in answer.json()["error"]["message"]


def test_a_frame_without_an_end_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "FRAME_MAX", 10)
    cutting = Frames()
    assert cutting.feed(b"data: 12") == []
    assert cutting.feed(b"345678") == [b"data: 12345678"]
    assert cutting.feed(b"9\n\ndata: x\n\n") == [b"9\n\n", b"data: x\n\n"]
