"""Recorded answers, and what was charged for them."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.providers.wire import Frames, Json

FOLDER = Path(__file__).parents[1] / "recordings"
NAMES = sorted(str(it.relative_to(FOLDER).with_suffix("")) for it in FOLDER.glob("*.*/*.json"))


@dataclass(frozen=True, slots=True)
class Charge:
    """`input` has no cached tokens in it, `output` has reasoning in it."""

    input: int
    output: int
    reasoning: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0

    @property
    def read(self) -> int:
        """Tokens of the whole input."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def units(self) -> dict[str, int]:
        """Of the input."""
        names = ("input", "cache_read", "cache_write_5m", "cache_write_1h")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


@dataclass(frozen=True, slots=True)
class Recording:
    name: str
    api: str
    model: str
    request: Json
    response: Json | None
    frames: tuple[str, ...]
    is_whole: bool
    charge: Charge

    def sent(self, *, with_usage: bool) -> Frames:
        """Its frames; the output spread evenly over those before the last two.

        with_usage: whether a chat asked for the frame with its usage.
        """
        carrying = max(1, len(self.frames) - 2)
        before = 0
        for at, frame in enumerate(self.frames):
            after = self.charge.output * min(at + 1, carrying) // carrying
            if with_usage or '"choices":[],"usage"' not in frame:
                yield frame.encode(), after - before
            before = after


@cache
def recording(name: str) -> Recording:
    """Raises ValueError where there is none of that name."""
    if name not in NAMES:
        raise ValueError(f"no recording {name!r}; there are {NAMES}")
    told = json.loads((FOLDER / f"{name}.json").read_text())
    frames = tuple(told.get("frames", ()))
    documents = [told["response"]] if "response" in told else list(documents_of(frames))
    model = told.get("model") or told["request"]["model"]
    whole = told.get("request_is_whole", True)
    charge = _charge(told["api"], documents)
    return Recording(
        name, told["api"], model, told["request"], told.get("response"), frames, whole, charge
    )


def documents_of(frames: tuple[str, ...]) -> list[Json]:
    """What the events of a stream carry."""
    told = [
        line[6:] for frame in frames for line in frame.splitlines() if line.startswith("data: ")
    ]
    return [json.loads(it) for it in told if it != "[DONE]"]


def _charge(api: str, documents: list[Json]) -> Charge:
    if api.endswith(".count"):
        return Charge(0, 0)
    if api.startswith("gemini"):
        usage = documents[-1]["usageMetadata"]
        thoughts = usage.get("thoughtsTokenCount", 0)
        cached = usage.get("cachedContentTokenCount", 0)
        output = usage.get("candidatesTokenCount", 0) + thoughts
        return Charge(usage["promptTokenCount"] - cached, output, thoughts, cached)
    if api.startswith("anthropic"):
        return _anthropic(documents)
    usage = [it["usage"] for it in map(_body, documents) if it.get("usage")][-1]
    total = usage.get("prompt_tokens", usage.get("input_tokens"))
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    more = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    output = usage.get("completion_tokens", usage.get("output_tokens", 0))
    cached = details.get("cached_tokens", 0)
    return Charge(total - cached, output, more.get("reasoning_tokens", 0), cached)


def _anthropic(documents: list[Json]) -> Charge:
    usage: Json = {}
    for document in map(_body, documents):
        usage |= document.get("usage") or {}
    written = usage.get("cache_creation") or {}
    return Charge(
        usage["input_tokens"],
        usage["output_tokens"],
        (usage.get("output_tokens_details") or {}).get("thinking_tokens", 0),
        usage.get("cache_read_input_tokens", 0),
        written.get("ephemeral_5m_input_tokens", 0),
        written.get("ephemeral_1h_input_tokens", 0),
    )


def _body(document: Json) -> Json:
    """What an event tells of the whole answer."""
    return document.get("response") or document.get("message") or document
