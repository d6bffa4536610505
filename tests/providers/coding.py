"""A coding agent as a client of Anthropic's messages: a conversation that grows, cached as it goes.

It sends what such programs send: tools, a system text, a maximum of 32,000 tokens whatever will be
said, the mark of the cache on the newest message, all that was answered back again. It repeats what
was refused as busy, and ends by itself, refused for good, or told to finish.
"""

import asyncio
import json
import math
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from tests.providers.anthropic_messages import _blocks
from tests.providers.counting import Tokenizer

Json = dict[str, Any]  # Any: JSON
MARK = {"type": "ephemeral"}
BUSY_TRIES = 30
_PROSE = (
    "The parser reads one row at a time and keeps what it cannot place; see `rows.py`, where each "
    "field is named with its bound. Run the tests of that folder first, then the linter. "
)


@dataclass(frozen=True, slots=True)
class Work:
    """What an agent is given to do."""

    calls: int = 60
    tokens: int = 150_000  # of the input of the last call
    begins: int = 12_000  # of system text and tools
    answer: int = 400  # output tokens, the median
    sigma: float = 0.8
    model: str = "claude-sonnet-5"
    max_tokens: int = 32_000
    thinking: int = 0  # of the answer's tokens, as many; and asked for as long as it may be
    seed: int = 0
    first_ms: float = 0.0
    token_ms: float = 0.0


@dataclass(slots=True)
class Said:
    """What became of one call."""

    status: int
    seconds: float  # until its headers
    tries: int = 1  # more than one where it was busy
    input: Json = field(default_factory=dict)
    output: int = 0
    clamped: bool = False
    landing: bool = False
    stop: str = ""
    counted: int = 0  # input tokens as the provider counts them
    error: Json = field(default_factory=dict)
    text: str = ""


class Agent:
    """One conversation."""

    def __init__(self, work: Work, url: str, *, busy_pause: float | None = None) -> None:
        self.work = work
        self.said: list[Said] = []
        self._url = url
        self._busy_pause = busy_pause
        self._dice = random.Random(f"agent/{work.seed}")
        self._tools = [_tool(it) for it in range(14)]
        size = 4 * work.begins - len(json.dumps(self._tools))
        self._system = [
            {"type": "text", "text": "You are a coding agent, and careful."},
            {"type": "text", "text": _filled(size, "system"), "cache_control": MARK},
        ]
        self._messages: list[Json] = [{"role": "user", "content": _text("Mend the parser.")}]

    @property
    def refused(self) -> Said | None:
        """The call by which it ended, if it was refused."""
        return self.said[-1] if self.said and self.said[-1].status != 200 else None

    async def run(self, http: aiohttp.ClientSession) -> "Agent":
        """Work until it is done, refused or told to finish."""
        step = max(16, (self.work.tokens - self.work.begins) // self.work.calls)
        for _ in range(self.work.calls):
            plays = self._plays()
            said = await self._call(http, plays)
            self.said.append(said)
            if said.status != 200 or said.landing:
                break
            self._messages[-1]["content"][-1].pop("cache_control", None)
            self._messages.append({"role": "assistant", "content": said.error["content"]})
            self._messages.append({"role": "user", "content": self._results(said, step)})
        return self

    def _plays(self) -> Json:
        work, dice = self.work, self._dice
        tokens = max(20, round(work.answer * math.exp(work.sigma * dice.gauss(0, 1))))
        return {
            "tokens": tokens,
            "tools": 1,
            "reasoning": work.thinking,
            "seed": dice.randrange(1000),
            "first_ms": work.first_ms,
            "token_ms": work.token_ms,
            "tokens_per_frame": 4,
        }

    def _body(self) -> Json:
        self._messages[-1]["content"][-1]["cache_control"] = MARK
        thinking: Json = {"type": "disabled"}
        if self.work.thinking:
            thinking = {"type": "enabled", "budget_tokens": self.work.max_tokens - 1}
        return {
            "model": self.work.model,
            "max_tokens": self.work.max_tokens,
            "system": self._system,
            "tools": self._tools,
            "messages": self._messages,
            "thinking": thinking,
            "stream": True,
        }

    def _results(self, said: Said, step: int) -> list[Json]:
        """What its tools found: so much that the conversation grows as it should."""
        uses = [block["id"] for block in said.error["content"] if block["type"] == "tool_use"]
        text = _filled(4 * max(64, step - said.output - 60), f"{len(self._messages)}")
        found: list[Json] = [
            {"type": "tool_result", "tool_use_id": it, "content": []} for it in uses
        ]
        if not found:
            return _text(text)
        found[-1]["content"] = _text(text)
        return found

    async def _call(self, http: aiohttp.ClientSession, plays: Json) -> Said:
        body = self._body()
        counted = sum(block.tokens for block in _blocks(body, Tokenizer(4, "anthropic")))
        raw = json.dumps(body).encode()
        headers = {
            "x-api-key": "sk-theirs",
            "anthropic-version": "2023-06-01",
            "content-type": "application/json",
            "x-mock": json.dumps(plays),
        }
        said = Said(0, 0.0)
        for tries in range(1, BUSY_TRIES + 1):
            begun = time.perf_counter()
            async with http.post(f"{self._url}/v1/messages", data=raw, headers=headers) as answer:
                said = Said(answer.status, time.perf_counter() - begun, tries, counted=counted)
                said.landing = answer.headers.get("x-budget-state") == "landing"
                said.clamped = "x-budget-clamped" in answer.headers
                if answer.status == 200:
                    _follow(said, [line async for line in answer.content])
                    return said
                said.error = await answer.json()
                if answer.status != 429:
                    return said
                pause = float(answer.headers.get("retry-after", 1))
            await asyncio.sleep(pause if self._busy_pause is None else self._busy_pause)
        return said


def _follow(said: Said, lines: Iterable[bytes]) -> None:
    """Put an answer together again."""
    content: list[Json] = []
    for line in lines:
        if not line.startswith(b"data: "):
            continue
        event = json.loads(line[6:])
        kind = event["type"]
        if kind == "message_start":
            said.input = event["message"]["usage"]
        elif kind == "content_block_start":
            content.append(event["content_block"])
            content[-1].pop("input", None)
        elif kind == "content_block_delta":
            for name in ("text", "thinking", "partial_json", "signature"):
                if name in event["delta"]:
                    content[-1][name] = content[-1].get(name, "") + event["delta"][name]
        elif kind == "message_delta":
            said.stop = event["delta"]["stop_reason"]
            said.output = event["usage"]["output_tokens"]
    for block in content:
        if block["type"] == "tool_use":
            told = block.pop("partial_json", "{}")
            block["input"] = _read(told)
    said.text = "".join(block.get("text", "") for block in content)
    said.error = {"content": content or _text("…")}


def _read(told: str) -> Json:
    try:
        found = json.loads(told)
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def _text(text: str) -> list[Json]:
    return [{"type": "text", "text": text}]


def _filled(size: int, salt: str) -> str:
    """So many bytes of prose, other ones for another salt."""
    return (f"[{salt}] " + _PROSE * (size // len(_PROSE) + 1))[: max(size, 16)]


def _tool(number: int) -> Json:
    return {
        "name": f"tool_{number}",
        "description": _filled(1_500, f"tool {number}"),
        "input_schema": {
            "type": "object",
            "properties": {"text": {"type": "string", "description": _PROSE}},
            "required": ["text"],
        },
    }
