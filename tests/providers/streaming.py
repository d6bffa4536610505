"""Clients that stream one answer after the other until they are refused: many of them at once."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

BODY: dict[str, Any] = {  # Any: JSON
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Tell me of the river."}],
    "stream": True,
}


@dataclass(frozen=True, slots=True)
class Load:
    """So many clients of each gateway; lengths are log-normal."""

    streams: int = 128  # of each gateway
    max_tokens: int = 1024
    median: int = 150
    sigma: float = 0.8
    token_ms: float = 0.5
    first_ms: float = 5.0
    seed: int = 0
    busy_pause: float = 0.1

    def plays(self) -> dict[str, Any]:  # Any: JSON
        """What the provider is told."""
        return {
            "tokens": self.median,
            "sigma": self.sigma,
            "seed": self.seed,
            "token_ms": self.token_ms,
            "first_ms": self.first_ms,
        }


@dataclass(slots=True)
class Heard:
    """What all clients together heard."""

    answers: int = 0
    ends: Counter[str] = field(default_factory=Counter)  # by finish_reason
    refused: int = 0
    busy: int = 0
    at_once: int = 0  # the most streams at a time
    open: int = 0


async def stream_all(urls: Sequence[str], load: Load, hold: str) -> Heard:
    """All clients of all gateways, each until it is refused."""
    heard = Heard()
    connector = aiohttp.TCPConnector(limit=0)
    headers = {
        "authorization": "Bearer sk-theirs",
        "content-type": "application/json",
        "x-budget-hold": hold,
        "x-mock": json.dumps(load.plays()),
    }
    body = json.dumps({**BODY, "max_tokens": load.max_tokens}).encode()
    async with aiohttp.ClientSession(
        connector=connector, headers=headers, timeout=aiohttp.ClientTimeout(total=300)
    ) as http:
        await asyncio.gather(
            *(_client(http, url, body, load, heard) for url in urls for _ in range(load.streams))
        )
    return heard


async def _client(
    http: aiohttp.ClientSession, url: str, body: bytes, load: Load, heard: Heard
) -> None:
    while True:
        async with http.post(f"{url}/v1/chat/completions", data=body) as answer:
            if answer.status == 200:
                heard.open += 1
                heard.at_once = max(heard.at_once, heard.open)
                heard.ends[_end_of([line async for line in answer.content])] += 1
                heard.open -= 1
                heard.answers += 1
                continue
            await answer.read()
            if answer.status == 402:
                heard.refused += 1
                return
            assert answer.status == 429, answer.status
            heard.busy += 1
        await asyncio.sleep(load.busy_pause)


def _end_of(lines: Sequence[bytes]) -> str:
    for line in reversed(lines):
        if b'"finish_reason":"' in line:
            return line.partition(b'"finish_reason":"')[2].partition(b'"')[0].decode()
    return ""
