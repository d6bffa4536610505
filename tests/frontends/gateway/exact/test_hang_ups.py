"""Clients that hang up: the provider is told to stop, and what it bills is charged at least."""

import asyncio
import json
import time

import aiohttp
import pytest
from tests.frontends.gateway.conftest import Gate
from tests.frontends.gateway.exact.bills import billed, by_group, settled
from tests.frontends.gateway.exact.crowd import asked, path_of
from tests.providers.scenario import Scenario

from tekton_budget.frontends.gateway import streaming

TOKENS = 8
SLOWLY = Scenario(tokens=TOKENS, token_ms=30, reasoning=2)
FRAMES = {"openai": 11, "responses": 18, "anthropic": 16, "gemini": 11}  # at most

HEADERS = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
SOMEBODY = {"authorization": "Bearer sk-x"}


def hang_up(gate: Gate, api: str, after: list[int], **headers: str) -> dict[int, int]:
    """Clients that each read so many frames and leave; how many each had, when it left."""

    async def one(session: aiohttp.ClientSession, frames: int) -> tuple[int, int]:
        given = {"x-budget-labels": f"task=f{frames}", "authorization": f"Bearer f{frames}"}
        body = json.dumps(asked(api, most=400, stream=True))
        url = gate.url + path_of(api, stream=True)
        seen = 0
        async with session.post(url, data=body, headers=given | headers) as answer:
            assert answer.status == 200
            if frames:
                async for line in answer.content:
                    seen += line.strip() == b""
                    if seen == frames:
                        break
            answer.close()
        return frames, seen

    async def everyone() -> dict[int, int]:
        async with aiohttp.ClientSession(headers=HEADERS) as session, asyncio.timeout(20):
            return dict(await asyncio.gather(*(one(session, frames) for frames in after)))

    return asyncio.run(everyone())


@pytest.mark.parametrize("api", FRAMES)
def test_disconnects_are_billed(gate: Gate, api: str) -> None:
    """At each frame: never less than the provider's bill, and the same where its usage came."""
    policy = gate.limit("10usd/day", per=["task"])
    gate.mock.default = SLOWLY
    seen = hang_up(gate, api, list(range(FRAMES[api] + 3)))
    settled(gate, policy)
    charged = by_group(gate, policy)

    assert len(gate.mock.bill.entries) == len(seen)
    ended = set()
    for entry in gate.mock.bill.entries:
        frames = int(entry.key.removeprefix("f"))
        cost = charged[entry.key]
        assert cost >= billed(entry), (frames, entry)
        if entry.end == "done":
            assert cost == billed(entry), (frames, entry)
        ended.add(entry.end)
        if frames <= TOKENS // 2:
            assert entry.end == "gone", (frames, entry)
    assert ended == {"gone", "done"}


def test_the_provider_s_own_usage_is_used_where_the_stream_had_ended(gate: Gate) -> None:
    """The client leaves after the last token and before the usage: that is waited for."""
    policy = gate.limit("10usd/day", per=["task"])
    gate.mock.default = Scenario(tokens=3, chunk=40, chunk_ms=4)
    hang_up(gate, "anthropic", list(range(1, 9)))
    settled(gate, policy)
    charged = by_group(gate, policy)

    for entry in gate.mock.bill.entries:
        assert charged[entry.key] >= billed(entry)


def leave_at_once(gate: Gate, api: str, *, stream: bool) -> None:
    """Ask, and go as soon as the provider has the request."""

    async def leave() -> None:
        async with aiohttp.ClientSession(headers=HEADERS) as session, asyncio.timeout(10):
            url = gate.url + path_of(api, stream=stream)
            call = asyncio.create_task(
                session.post(url, json=asked(api, most=400, stream=stream), headers=SOMEBODY)
            )
            while not gate.mock.bill.open:  # noqa: ASYNC110  (it is another thread's)
                await asyncio.sleep(0.002)
            call.cancel()

    asyncio.run(leave())


@pytest.mark.parametrize("api", FRAMES)
def test_a_whole_answer_that_nobody_waits_for_is_settled(gate: Gate, api: str) -> None:
    """It is generated and billed to its end, and charged so."""
    policy = gate.limit("10usd/day")
    gate.mock.default = Scenario(tokens=9, first_ms=60)
    leave_at_once(gate, api, stream=False)
    settled(gate, policy)

    [entry] = gate.mock.bill.entries
    assert entry.end == "done"
    assert gate.spent(policy)[1] == billed(entry)


@pytest.mark.parametrize("api", FRAMES)
def test_whoever_leaves_before_the_first_byte_is_charged(gate: Gate, api: str) -> None:
    """The provider thinks, and bills, before it says anything."""
    policy = gate.limit("10usd/day")
    gate.mock.default = Scenario(tokens=9, first_ms=60, token_ms=2)
    leave_at_once(gate, api, stream=True)
    settled(gate, policy)

    [entry] = gate.mock.bill.entries
    assert gate.spent(policy)[1] >= billed(entry) > 0


def test_who_leaves_a_silent_provider_is_not_waited_for(gate: Gate) -> None:
    """Nothing comes any more, so no next frame shows that the client has gone."""
    policy = gate.limit("10usd/day", per=["task"])
    gate.mock.default = Scenario(tokens=9, fault="stall", at=3)
    hang_up(gate, "openai", [2])
    settled(gate, policy)

    [entry] = gate.mock.bill.entries
    assert entry.end == "gone"
    assert by_group(gate, policy)["f2"] >= billed(entry) > 0


def test_the_usage_of_a_finished_stream_is_waited_for_but_not_for_long(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model has come to its end and the client has gone; the provider's last words tarry."""
    monkeypatch.setattr(streaming, "DRAIN_SECONDS", 0.05)
    policy = gate.limit("10usd/day", per=["task"])
    gate.mock.default = Scenario(tokens=1, chunk=600, chunk_ms=1_500)
    hang_up(gate, "anthropic", [3])
    began = time.monotonic()
    settled(gate, policy)

    assert time.monotonic() - began < 1.4
    [entry] = gate.mock.bill.entries
    assert by_group(gate, policy)["f3"] >= billed(entry) > 0
