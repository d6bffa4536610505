"""Streams watched as they pass: which frames tell usage, which is the last, how much was said."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from tekton_budget.domain.call import Api
from tekton_budget.frontends.gateway.frames import DONE, data_of

KEPT_MAX = 64  # frames that may bear on the bill
_exact = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(slots=True)
class Seen:
    """What is to be done with a frame."""

    ends: bool = False  # nothing of substance comes after it
    hidden: bool = False  # the client did not ask for it


_PASS = Seen()
_LAST = Seen(ends=True)
_HIDDEN = Seen(hidden=True)


class Watch:
    """Watches one stream of an API; what bears on the bill is kept, the rest is only counted."""

    def __init__(self, api: Api, *, hides_usage: bool) -> None:
        self.api = api
        self.said = 0  # bytes of output: never fewer than its tokens
        self.finished = False  # the model came to its end
        self.frames = 0
        self._hides = hides_usage
        self._kept: list[bytes] = []
        self._see = _SEES[api]

    def see(self, frame: bytes) -> Seen:
        """Look at one frame; one that cannot be read is passed on."""
        data = data_of(frame)
        if not data:
            return _PASS
        if data == DONE:
            return _LAST
        self.frames += 1
        try:
            return self._see(self, data)
        except msgspec.DecodeError:
            self.said += len(data)
            return _PASS

    def keep(self, data: bytes) -> None:
        """This frame bears on the bill."""
        if len(self._kept) >= KEPT_MAX:
            del self._kept[2:-8]
        self._kept.append(data)

    @property
    def kept(self) -> list[Any]:  # Any: JSON
        """The frames that bear on the bill, read."""
        found = []
        for data in self._kept:
            try:
                found.append(_exact.decode(data))
            except msgspec.DecodeError:
                continue
        return found

    @property
    def hides_usage(self) -> bool:
        """Whether the client did not ask for the usage that we asked for."""
        return self._hides


_NULL = b"null"
_QUOTES = 2
_ABSENT = msgspec.Raw(b"")


def _is_there(part: msgspec.Raw) -> bool:
    return len(part) > _QUOTES and bytes(part) != _NULL


class _Delta(msgspec.Struct):
    content: msgspec.Raw = _ABSENT
    reasoning_content: msgspec.Raw = _ABSENT
    reasoning: msgspec.Raw = _ABSENT
    refusal: msgspec.Raw = _ABSENT
    tool_calls: msgspec.Raw = _ABSENT
    function_call: msgspec.Raw = _ABSENT
    audio: msgspec.Raw = _ABSENT
    annotations: msgspec.Raw = _ABSENT


class _Choice(msgspec.Struct):
    delta: msgspec.Raw = _ABSENT
    text: msgspec.Raw = _ABSENT
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: msgspec.Raw = _ABSENT
    x_groq: msgspec.Raw = _ABSENT


_chunk = msgspec.json.Decoder(_Chunk).decode
_delta = msgspec.json.Decoder(_Delta).decode
_SAYS_NOTHING = 80  # bytes at most: a role, and empty fields


def _chat(watch: Watch, data: bytes) -> Seen:
    """Chat completions, and the older completions."""
    chunk = _chunk(data)
    notes = False
    for choice in chunk.choices:
        if _is_there(choice.delta):
            delta = _delta(choice.delta)
            watch.said += _length(delta, len(choice.delta))
            notes = notes or _is_there(delta.annotations)
        elif _is_there(choice.text):
            watch.said += len(choice.text) - _QUOTES
        if choice.finish_reason is not None:
            watch.finished = True
    usage = _is_there(chunk.usage)
    if usage or notes or _is_there(chunk.x_groq) or watch.frames == 1:
        watch.keep(data)
    if usage and not chunk.choices and watch.hides_usage:
        return _HIDDEN
    return _PASS


def _length(delta: _Delta, whole: int) -> int:
    """Bytes of all that a model wrote here: JSON's escapes only make it longer.

    Where it wrote in fields that are not known, all of the delta counts.
    """
    said = 0
    for text in (delta.content, delta.reasoning_content, delta.reasoning):
        if _is_there(text):
            said += len(text) - _QUOTES
    for part in (delta.tool_calls, delta.refusal, delta.function_call, delta.audio):
        if _is_there(part):
            said += len(part)
    return said if said or whole <= _SAYS_NOTHING else whole


class _Event(msgspec.Struct):
    type: str = ""
    delta: msgspec.Raw = _ABSENT


_event = msgspec.json.Decoder(_Event).decode
_RESPONSE_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


def _responses(watch: Watch, data: bytes) -> Seen:
    """Typed events; the last holds the whole response."""
    event = _event(data)
    if event.type in _RESPONSE_ENDS:
        watch.finished = True
        watch.keep(data)
        return _LAST
    if event.type.endswith(".delta"):
        watch.said += len(event.delta)
    elif event.type == "response.output_item.done":
        watch.keep(data)
    return _PASS


class _ContentDelta(msgspec.Struct):
    text: msgspec.Raw = _ABSENT
    thinking: msgspec.Raw = _ABSENT
    partial_json: msgspec.Raw = _ABSENT
    citation: msgspec.Raw = _ABSENT


class _Message(msgspec.Struct):
    type: str = ""
    delta: _ContentDelta | None = None


_message = msgspec.json.Decoder(_Message).decode


def _messages(watch: Watch, data: bytes) -> Seen:
    """Anthropic's events: the first tells the input, `message_delta` the output."""
    message = _message(data)
    kind = message.type
    if kind == "content_block_delta":
        delta = message.delta
        if delta is not None:
            for part in (delta.text, delta.thinking, delta.partial_json, delta.citation):
                if _is_there(part):
                    watch.said += len(part) - _QUOTES
    elif kind in ("message_start", "message_delta"):
        watch.keep(data)
        watch.finished = kind == "message_delta"
    elif kind == "content_block_start":
        watch.said += len(data) if b"tool_use" in data else 0
    elif kind == "message_stop":
        return _LAST
    return _PASS


class _Candidate(msgspec.Struct):
    content: msgspec.Raw = _ABSENT
    finishReason: str | None = None  # noqa: N815  (Google's)


class _Generated(msgspec.Struct):
    candidates: list[_Candidate] = []
    usageMetadata: msgspec.Raw = _ABSENT  # noqa: N815  (Google's)


_generated = msgspec.json.Decoder(_Generated).decode
_ENVELOPE = len(b'{"parts":[{"text":""}],"role":"model"}')


def _generate(watch: Watch, data: bytes) -> Seen:
    """Gemini's chunks: each tells the usage so far."""
    chunk = _generated(data)
    ends = False
    for candidate in chunk.candidates:
        if _is_there(candidate.content):
            watch.said += max(1, len(candidate.content) - _ENVELOPE)
        if candidate.finishReason is not None:
            watch.finished = ends = True
    watch.keep(data)
    return _LAST if ends and _is_there(chunk.usageMetadata) else _PASS


_SEES: dict[Api, Callable[[Watch, bytes], Seen]] = {
    Api.OPENAI_CHAT: _chat,
    Api.OPENAI_COMPLETIONS: _chat,
    Api.OPENAI_RESPONSES: _responses,
    Api.ANTHROPIC_MESSAGES: _messages,
    Api.GEMINI_GENERATE: _generate,
}
