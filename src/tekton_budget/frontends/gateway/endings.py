"""Clean ends of streams that are cut: the frames by which each API says that a maximum was reached.

A stream is followed frame by frame while its hold grows, so that its end fits what came before.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from tekton_budget.domain.call import Api
from tekton_budget.frontends.gateway.frames import DONE, data_of, frame_of

Json = dict[str, Any]  # Any: JSON
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode  # Any: JSON


class Ending(Protocol):
    """Follows one stream and can end it."""

    def follow(self, frame: bytes) -> None:
        """A frame that the client is given."""

    def end(self, input_tokens: int, output_tokens: int, *, usage: bool) -> bytes:
        """The frames that end it; `usage`: the client asked for what was used."""


class _Followed(ABC):
    def follow(self, frame: bytes) -> None:
        """Read it; what is no object says nothing of the end."""
        data = data_of(frame)
        if not data or data == DONE:
            return
        try:
            told = _decode(data)
        except msgspec.DecodeError:
            return
        self.take(told)

    @abstractmethod
    def take(self, told: Json) -> None:
        """What a frame tells."""


class _Chat(_Followed):
    """Chat completions and completions: a last chunk for every answer that is still open."""

    def __init__(self) -> None:
        self._head: Json = {}
        self._open: dict[int, Json] = {}

    def take(self, told: Json) -> None:
        """Which answers are open, and what every chunk says."""
        if not self._head:
            self._head = {k: v for k, v in told.items() if k not in ("choices", "usage")}
        for choice in told.get("choices") or ():
            index = choice.get("index", 0)
            if choice.get("finish_reason") is None:
                self._open[index] = choice
            else:
                self._open.pop(index, None)

    def end(self, input_tokens: int, output_tokens: int, *, usage: bool) -> bytes:
        """`finish_reason: length`, the usage if asked for, `[DONE]`."""
        said = {
            "prompt_tokens": input_tokens,
            "completion_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
        }
        choices = [
            {
                **{k: v for k, v in choice.items() if k not in ("delta", "text")},
                **({"text": ""} if "text" in choice else {"delta": {}}),
                "finish_reason": "length",
            }
            for _, choice in sorted(self._open.items())
        ]
        frames = [frame_of(_encode({**self._head, "choices": choices}))] if choices else []
        if usage:
            frames.append(frame_of(_encode({**self._head, "choices": [], "usage": said})))
        return b"".join([*frames, frame_of(DONE)])


class _Messages(_Followed):
    """Anthropic: the open blocks are closed, the message ends by `max_tokens`."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def take(self, told: Json) -> None:
        """Which blocks are open."""
        kind = told.get("type")
        if kind == "content_block_start":
            self._open.add(told.get("index", 0))
        elif kind == "content_block_stop":
            self._open.discard(told.get("index", 0))

    def end(self, input_tokens: int, output_tokens: int, *, usage: bool) -> bytes:
        """Each open block's stop, `message_delta`, `message_stop`."""
        del input_tokens, usage  # told at the start, and always
        events: list[Json] = [
            {"type": "content_block_stop", "index": index} for index in sorted(self._open)
        ]
        delta = {"stop_reason": "max_tokens", "stop_sequence": None}
        told = {"output_tokens": output_tokens}
        events.append({"type": "message_delta", "delta": delta, "usage": told})
        events.append({"type": "message_stop"})
        return b"".join(frame_of(_encode(one), one["type"].encode()) for one in events)


class _Generate(_Followed):
    """Gemini: one more chunk with `MAX_TOKENS`."""

    def __init__(self) -> None:
        self._head: Json = {}
        self._usage: Json = {}

    def take(self, told: Json) -> None:
        """What every chunk says."""
        self._head = {k: v for k, v in told.items() if k not in ("candidates", "usageMetadata")}
        self._usage = told.get("usageMetadata") or self._usage

    def end(self, input_tokens: int, output_tokens: int, *, usage: bool) -> bytes:
        """Its own counts where it told any."""
        del usage  # every chunk tells it
        prompt = self._usage.get("promptTokenCount", input_tokens)
        told = {
            **self._usage,
            "promptTokenCount": prompt,
            "candidatesTokenCount": output_tokens,
            "totalTokenCount": prompt + output_tokens,
        }
        content = {"parts": [{"text": ""}], "role": "model"}
        candidate = {"content": content, "finishReason": "MAX_TOKENS", "index": 0}
        chunk = {**self._head, "candidates": [candidate], "usageMetadata": told}
        return frame_of(_encode(chunk))


class _Responses(_Followed):
    """Responses: the open parts and items are closed, the response is `incomplete`."""

    def __init__(self) -> None:
        self._response: Json = {}
        self._items: dict[int, Json] = {}
        self._open: set[int] = set()
        self._number = -1

    def take(self, told: Json) -> None:
        """The response, its items, and what was written of each."""
        self._number = told.get("sequence_number", self._number)
        kind, place = told.get("type", ""), told.get("output_index", 0)
        if kind in ("response.created", "response.in_progress"):
            self._response = told.get("response") or {}
        elif kind == "response.output_item.added":
            self._items[place] = dict(told.get("item") or {})
            self._open.add(place)
        elif kind == "response.output_item.done":
            self._items[place] = dict(told.get("item") or {})
            self._open.discard(place)
        elif kind in _WRITES and place in self._items:
            _WRITES[kind](self._items[place], told)

    def end(self, input_tokens: int, output_tokens: int, *, usage: bool) -> bytes:
        """Each open item's end, then `response.incomplete`."""
        del usage  # the last event always tells it
        events: list[Json] = []
        for place in sorted(self._open):
            item = self._items[place] = {**self._items[place], "status": "incomplete"}
            events.append(
                {"type": "response.output_item.done", "output_index": place, "item": item}
            )
        told = {
            "input_tokens": input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input_tokens + output_tokens,
        }
        response = {
            **self._response,
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
            "output": [item for _, item in sorted(self._items.items())],
            "usage": told,
        }
        events.append({"type": "response.incomplete", "response": response})
        for event in events:
            self._number += 1
            event["sequence_number"] = self._number
        return b"".join(frame_of(_encode(one), one["type"].encode()) for one in events)


def _text(item: Json, told: Json) -> None:
    place = told.get("content_index", 0)
    content = item.setdefault("content", [])
    while len(content) <= place:
        content.append({"type": "output_text", "text": "", "annotations": []})
    content[place]["text"] = content[place].get("text", "") + told.get("delta", "")


def _arguments(item: Json, told: Json) -> None:
    item["arguments"] = item.get("arguments", "") + told.get("delta", "")


_WRITES: dict[str, Callable[[Json, Json], None]] = {
    "response.output_text.delta": _text,
    "response.function_call_arguments.delta": _arguments,
}
_ENDINGS: dict[Api, Callable[[], Ending]] = {
    Api.OPENAI_CHAT: _Chat,
    Api.OPENAI_COMPLETIONS: _Chat,
    Api.OPENAI_RESPONSES: _Responses,
    Api.ANTHROPIC_MESSAGES: _Messages,
    Api.GEMINI_GENERATE: _Generate,
}


def ending_of(api: Api) -> Ending:
    """What ends a stream of that API."""
    return _ENDINGS[api]()
