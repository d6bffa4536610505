"""What the mock provider is told to do with a request: what to say, at what pace, and what goes wrong."""

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

FAULTS = {
    "stall",  # after `at` tokens nothing comes any more
    "reset",  # after `at` tokens the connection is reset (RST)
    "close",  # after `at` tokens the connection is closed, in the middle of the answer
    "garbage",  # 200, application/json, no JSON; in a stream: from token `at` on
    "html",  # 200, a page
    "truncated",  # the body ends in the middle of a frame
    "invalid_sse",  # at token `at` lines that are no event, and an event that is no JSON
    "split_utf8",  # every character of several bytes is cut in half, 2 ms between the halves
    "status",  # refused with `status`, and Retry-After where `retry_after` is set
    "error_event",  # after `at` tokens the API's own error, in the stream
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything has a default that is good: 16 tokens at once, exact usage.

    tokens: what the model would say if it were let; with `sigma` the median of a log-normal
    length, another for each request, the same ones for the same seed.
    """

    recording: str | None = None
    text: str | None = None
    tokens: int = 16
    sigma: float = 0.0
    seed: int = 0
    reasoning: int = 0
    tools: int = 0  # calls of the request's own tools, after the text
    pad_bytes: int = 0  # so many bytes of text more in the last token (20 MB bodies)
    tokens_per_frame: int = 1
    first_ms: float = 0.0  # before the first byte
    token_ms: float = 0.0
    ping_every: int = 0  # tokens between two pings (Anthropic)
    bytes_per_token: int = 4  # of the input; 1 is the worst there is
    usage: str = "exact"  # "none": left out; "over": `over` tokens above the maximum, and billed
    over: int = 100
    fault: str | None = None
    at: int = 0
    status: int = 500
    retry_after: float | None = None
    gzip: bool = False
    chunk: int = 0  # bytes of each piece of the body, wherever a frame ends
    chunk_ms: float = 0.0  # between two of them

    def __post_init__(self) -> None:
        if self.fault not in {None, *FAULTS}:
            raise ValueError(f"no fault {self.fault!r}; there are {sorted(FAULTS)}")

    @classmethod
    def of(cls, told: str) -> "Scenario":
        """From the header `x-mock`."""
        wanted = json.loads(told)
        known = {field.name for field in fields(cls)}
        if not isinstance(wanted, dict) or set(wanted) - known:
            raise ValueError(f"x-mock has fields of {sorted(known)}")
        return cls(**wanted)


@dataclass(slots=True)
class ToolCall:
    name: str
    pieces: Sequence[str]

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


@dataclass(slots=True)
class Plan:
    """One answer: what is generated of it, token by token, in this order."""

    reasoning: int
    pieces: Sequence[str]
    calls: list[ToolCall]
    is_cut: bool  # by the maximum
    over: int = 0  # told and billed above it

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def tokens(self) -> int:
        return (
            self.reasoning
            + len(self.pieces)
            + sum(len(call.pieces) for call in self.calls)
            + self.over
        )


WORDS = tuple(
    " the river runs north of Zürich and every boat on it carries three lamps two bells one café "
    "sign while 日本 letters mark where ropes are kept dry under planks so that nobody has to ask "
    "again what is held where or why it costs so little to know".replace(" ", "\0 ").split("\0")[1:]
)
_STOCK = WORDS * 16


def planned(
    scenario: Scenario, *, limit: int | None, tools: Sequence[str], number: int, index: int = 0
) -> Plan:
    """`limit`: the request's maximum; `number`: of the request, for lengths by seed."""
    wanted = scenario.tokens
    if scenario.sigma:
        dice = random.Random(f"{scenario.seed}/{number}/{index}")
        wanted = max(1, round(wanted * math.exp(scenario.sigma * dice.gauss(0, 1))))
    pieces = _pieces(scenario, wanted)
    calls = [
        ToolCall(tools[it % len(tools)], _arguments(scenario.seed + it))
        for it in range(scenario.tools if tools else 0)
    ]
    plan = Plan(scenario.reasoning, pieces, calls, is_cut=False)
    if limit is not None and plan.tokens > limit:
        plan = _cut(plan, limit)
    if scenario.usage == "over":
        plan.over = max(0, (limit or plan.tokens) - plan.tokens) + scenario.over
    return plan


def _pieces(scenario: Scenario, wanted: int) -> Sequence[str]:
    if scenario.text is not None:
        text = scenario.text
        pieces: Sequence[str] = [text[it : it + 4] for it in range(0, len(text), 4)]
    elif wanted + len(WORDS) <= len(_STOCK):
        start = scenario.seed % len(WORDS)
        pieces = _STOCK[start : start + wanted]
    else:
        pieces = (_STOCK * (wanted // len(_STOCK) + 1))[:wanted]
    if scenario.pad_bytes:
        pieces = [*pieces[:-1], "x" * scenario.pad_bytes]
    return pieces


def _arguments(seed: int) -> list[str]:
    said = WORDS[seed % len(WORDS)].strip()
    return ['{"', "text", '":', f'"{said}', " and", " more", '"}']


def _cut(plan: Plan, limit: int) -> Plan:
    reasoning = min(plan.reasoning, limit)
    left = limit - reasoning
    pieces = plan.pieces[:left]
    left -= len(pieces)
    calls = []
    for call in plan.calls:
        if left > 0:
            calls.append(ToolCall(call.name, call.pieces[:left]))
            left -= len(calls[-1].pieces)
    return Plan(reasoning, pieces, calls, is_cut=True)


Json = dict[str, Any]  # Any: JSON
