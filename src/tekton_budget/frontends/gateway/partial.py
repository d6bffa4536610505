"""What the frames of a stream prove, whole or broken off."""

from collections.abc import Mapping, Sequence
from typing import Any

from tekton_budget.domain.call import Api

Frame = Mapping[str, Any]  # Any: JSON
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


def tells_usage(api: Api, response: Frame) -> bool:
    """Whether an answer, or a frame as large as one, tells what was used."""
    if api.value.startswith("gemini"):
        return isinstance(response.get("usageMetadata"), Mapping)
    if isinstance(response.get("usage"), Mapping):
        return True
    groq = response.get("x_groq")
    return isinstance(groq, Mapping) and isinstance(groq.get("usage"), Mapping)


def complete(api: Api, kept: Sequence[Frame]) -> list[Frame] | None:
    """The frames, if they tell the usage of all that was made."""
    found = list(kept)
    if api is Api.OPENAI_RESPONSES:
        ends = [f for f in found if f.get("type") in _ENDS]
        told = any(tells_usage(api, f.get("response") or {}) for f in ends)
    elif api is Api.ANTHROPIC_MESSAGES:
        told = any(f.get("type") == "message_delta" and tells_usage(api, f) for f in found)
    elif api is Api.GEMINI_GENERATE:
        told = any(_finishes(f) for f in found) and any(tells_usage(api, f) for f in found)
    else:
        told = any(tells_usage(api, frame) for frame in found)
    return found if told else None


def last(api: Api, kept: Sequence[Frame]) -> Frame:
    """The frame that tells the input best: the first of Anthropic's, the last of the others."""
    for frame in kept if api is Api.ANTHROPIC_MESSAGES else reversed(kept):
        whole = frame.get("response") or frame.get("message") or frame
        if isinstance(whole, Mapping) and tells_usage(api, whole):
            return whole
    return {}


def guessed(api: Api, kept: Sequence[Frame], output: int) -> list[Frame] | None:
    """Frames that tell the input as measured and `output` tokens made; `None`: no input is told."""
    told = last(api, kept)
    if api is Api.ANTHROPIC_MESSAGES and told:
        end = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": output}}
        return [frame for frame in kept if frame.get("type") == "message_start"] + [end]
    if api is Api.GEMINI_GENERATE and told:
        usage = dict(told["usageMetadata"])
        thoughts = usage.get("thoughtsTokenCount") or 0
        made = max(usage.get("candidatesTokenCount") or 0, output - thoughts)
        counted = usage.get("promptTokenCount") or 0
        usage |= {"candidatesTokenCount": made, "totalTokenCount": counted + made + thoughts}
        return [{**told, "usageMetadata": usage}]
    return None


def _finishes(frame: Frame) -> bool:
    candidates = frame.get("candidates")
    return isinstance(candidates, list) and any(
        isinstance(one, Mapping) and one.get("finishReason") for one in candidates
    )
