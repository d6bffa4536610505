"""The demo provider's answers in the words of three APIs, whole and in frames."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from tekton_budget.frontends.gateway.demo_words import Json, Said, said_to

Frames = Iterator[tuple[bytes, int]]
"""Bytes of an event, and how many tokens came with it."""

_ANSWERS_MAX = 8  # `n`

dumps = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Shape:
    """One API: `read` makes the answers to a body of a known model."""

    read: Callable[[Json, str], list[Said]]
    whole: Callable[[Json, list[Said]], Json]
    frames: Callable[[Json, list[Said]], Frames]


def _number(body: Json, *names: str) -> int | None:
    """The first of these fields that is a number of at least 1."""
    told = (body.get(name) for name in names)
    return next((it for it in told if isinstance(it, int) and it >= 1), None)


def _new_id(prefix: str) -> str:
    return f"{prefix}{uuid.uuid4().hex}"


def _now() -> int:
    return int(time.time())  # noqa: TID251  # a stamp in an answer, nothing is judged by it


# Chat completions.


def _read_chat(body: Json, model: str) -> list[Said]:
    form = body.get("response_format") or {}
    as_json = form.get("type") in {"json_object", "json_schema"}
    limit = _number(body, "max_completion_tokens", "max_tokens")
    said = said_to(body, model=model, output_max=limit, as_json=as_json)
    return [said] * min(_number(body, "n") or 1, _ANSWERS_MAX)


def _chat_usage(answers: list[Said]) -> Json:
    output = sum(said.output_tokens for said in answers)
    return {
        "prompt_tokens": answers[0].input_tokens,
        "completion_tokens": output,
        "total_tokens": answers[0].input_tokens + output,
    }


def _chat_head(said: Said, kind: str) -> dict[str, object]:
    return {"id": _new_id("chatcmpl-"), "object": kind, "created": _now(), "model": said.model}


def _chat(_: Json, answers: list[Said]) -> Json:
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": said.text, "refusal": None},
            "logprobs": None,
            "finish_reason": "length" if said.is_cut else "stop",
        }
        for index, said in enumerate(answers)
    ]
    head = _chat_head(answers[0], "chat.completion")
    return {**head, "choices": choices, "usage": _chat_usage(answers)}


def _chat_frames(body: Json, answers: list[Said]) -> Frames:
    head = _chat_head(answers[0], "chat.completion.chunk")
    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    none = {"usage": None} if wants_usage else {}

    def frame(index: int, delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return b"data: %b\n\n" % dumps({**head, "choices": [choice], **none})

    for index, said in enumerate(answers):
        yield frame(index, {"role": "assistant", "content": ""}), 0
        for piece in said.pieces:
            yield frame(index, {"content": piece}), 1
        yield frame(index, {}, "length" if said.is_cut else "stop"), 0
    if wants_usage:
        yield b"data: %b\n\n" % dumps({**head, "choices": [], "usage": _chat_usage(answers)}), 0
    yield b"data: [DONE]\n\n", 0


# Responses.


def _read_response(body: Json, model: str) -> list[Said]:
    form = (body.get("text") or {}).get("format") or {}
    as_json = form.get("type") in {"json_object", "json_schema"}
    limit = _number(body, "max_output_tokens")
    return [said_to(body, model=model, output_max=limit, as_json=as_json)]


def _response(body: Json, answers: list[Said]) -> Json:
    said = answers[0]
    return _ended(_begun(body, said), said, _message(said, _new_id("msg_")))


def _begun(body: Json, said: Said) -> dict[str, object]:
    return {
        "id": _new_id("resp_"),
        "object": "response",
        "created_at": _now(),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": said.model,
        "output": [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "top_p": 1.0,
        "usage": None,
        "metadata": body.get("metadata") or {},
    }


def _ended(begun: Json, said: Said, message: Json) -> Json:
    usage = {
        "input_tokens": said.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": said.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": said.input_tokens + said.output_tokens,
    }
    cut = {"reason": "max_output_tokens"} if said.is_cut else None
    state = "incomplete" if said.is_cut else "completed"
    end = {"status": state, "incomplete_details": cut, "output": [message], "usage": usage}
    return {**begun, **end}


def _message(said: Said, id_: str) -> dict[str, object]:
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": said.text}
    state = "incomplete" if said.is_cut else "completed"
    head = {"id": id_, "type": "message", "status": state, "role": "assistant"}
    return {**head, "content": [part]}


def _response_frames(body: Json, answers: list[Said]) -> Frames:
    said, begun = answers[0], _begun(body, answers[0])
    message = _message(said, _new_id("msg_"))
    numbers = iter(range(10**9))

    def event(name: str, **data: object) -> bytes:
        kind = f"response.{name}"
        told = {"type": kind, "sequence_number": next(numbers), **data}
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), dumps(told))

    place = {"item_id": message["id"], "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    bare = {**message, "status": "in_progress", "content": []}
    yield event("created", response=begun), 0
    yield event("in_progress", response=begun), 0
    yield event("output_item.added", output_index=0, item=bare), 0
    yield event("content_part.added", **place, part=part), 0
    for piece in said.pieces:
        yield event("output_text.delta", **place, delta=piece, logprobs=[]), 1
    yield event("output_text.done", **place, text=said.text, logprobs=[]), 0
    yield event("content_part.done", **place, part={**part, "text": said.text}), 0
    yield event("output_item.done", output_index=0, item=message), 0
    end = "incomplete" if said.is_cut else "completed"
    yield event(end, response=_ended(begun, said, message)), 0


# Messages.


def _read_message(body: Json, model: str) -> list[Said]:
    return [said_to(body, model=model, output_max=_number(body, "max_tokens"))]


def _anthropic_message(_: Json, answers: list[Said]) -> Json:
    said = answers[0]
    return {
        "id": _new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": said.model,
        "content": [{"type": "text", "text": said.text}],
        "stop_reason": "max_tokens" if said.is_cut else "end_turn",
        "stop_sequence": None,
        "usage": _anthropic_usage(said, said.output_tokens),
    }


def _anthropic_usage(said: Said, output_tokens: int) -> Json:
    return {
        "input_tokens": said.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    }


def _anthropic_frames(body: Json, answers: list[Said]) -> Frames:
    said = answers[0]

    def event(kind: str, **data: object) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), dumps({"type": kind, **data}))

    none: Json = {"content": [], "stop_reason": None, "usage": _anthropic_usage(said, 1)}
    yield event("message_start", message={**_anthropic_message(body, answers), **none}), 0
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""}), 0
    yield event("ping"), 0
    for piece in said.pieces:
        yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece}), 1
    yield event("content_block_stop", index=0), 0
    end = {"stop_reason": "max_tokens" if said.is_cut else "end_turn", "stop_sequence": None}
    usage = _anthropic_usage(said, said.output_tokens)
    yield event("message_delta", delta=end, usage=usage), 0
    yield event("message_stop"), 0


SHAPES = {
    "chat/completions": Shape(_read_chat, _chat, _chat_frames),
    "responses": Shape(_read_response, _response, _response_frames),
    "messages": Shape(_read_message, _anthropic_message, _anthropic_frames),
}
