"""The demo provider: built in, offline and priced, to try a client, a cap and a denial with.

It speaks OpenAI's chat completions, responses, embeddings and models, and Anthropic's messages.
"""

import asyncio
import base64
import re
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tekton_budget.frontends.gateway.demo_shapes import SHAPES, Shape
from tekton_budget.frontends.gateway.demo_words import (
    EMBEDDING,
    MODELS,
    OUTPUT_TOKENS,
    Json,
    tokens_of,
)
from tekton_budget.frontends.gateway.upstream import Headers, UpstreamAnswer, UpstreamRequest

TOKENS_PER_SECOND = 50.0
WHOLE_SECONDS_MAX = 2.0  # a whole answer is not waited for as long as it would take to write

_VERSION = re.compile(r"^.*?/v\d+(?:beta)?/")
_VECTOR = (-0.4, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3)  # whatever the text
_MADE = 1_767_225_600  # 2026-01-01: the day of its models

Frames = Iterator[tuple[bytes, int]]


class Demo:
    """The provider. `tokens_per_second`: 0 is at once."""

    def __init__(self, tokens_per_second: float = TOKENS_PER_SECOND) -> None:
        self._seconds = 1 / tokens_per_second if tokens_per_second else 0.0

    async def send(self, request: UpstreamRequest) -> UpstreamAnswer:
        """Answers by the end of the path, whatever host and version are before it."""
        path = _VERSION.sub("", urlsplit(request.url).path).strip("/")
        is_anthropic = path.startswith("messages") or any(
            name.lower() == b"anthropic-version" for name, _ in request.headers
        )
        try:
            return self._answer(request, path, is_anthropic)
        except _Refused as refused:
            return _whole(refused.status, _error(refused, is_anthropic))

    def _answer(self, request: UpstreamRequest, path: str, is_anthropic: bool) -> "DemoAnswer":  # noqa: FBT001  # whose shape
        if request.method == "GET" and path == "models":
            return _whole(200, _models(is_anthropic))
        if request.method == "GET" and path.startswith("models/"):
            model = _known(path.removeprefix("models/"), MODELS)
            return _whole(200, _model(model, is_anthropic))
        if request.method != "POST":
            raise _Refused(404, f"The demo provider has no {request.method} {path}.", "not_found")
        body = _read(request.body)
        if path in _COUNTS:
            return _whole(200, _COUNTS[path](body))
        if path == "embeddings":
            return _whole(200, _embeddings(body))
        if path in SHAPES:
            return self._text(body, SHAPES[path])
        raise _Refused(404, f"The demo provider has no {path}.", "not_found")

    def _text(self, body: Json, shape: Shape) -> "DemoAnswer":
        model = _known(body.get("model"), OUTPUT_TOKENS)
        answers = shape.read(body, model)
        if body.get("stream"):
            head = [(b"content-type", b"text/event-stream; charset=utf-8")]
            return DemoAnswer(200, head, shape.frames(body, answers), self._seconds)
        seconds = self._seconds * sum(said.output_tokens for said in answers)
        frame = (msgspec.json.encode(shape.whole(body, answers)), 1)
        return DemoAnswer(200, _JSON, iter([frame]), min(seconds, WHOLE_SECONDS_MAX))


class DemoAnswer:
    """An answer that is written token by token, as long as somebody waits for it."""

    def __init__(self, status: int, headers: Headers, frames: Frames, seconds: float) -> None:
        self.status, self.headers = status, headers
        self._frames, self._seconds = frames, seconds
        self._is_closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for frame, tokens in self._frames:
            due += tokens * self._seconds
            if tokens and self._seconds:
                await asyncio.sleep(max(0.0, due - loop.time()))
            if self._is_closed:
                return
            yield frame

    async def whole(self) -> bytes:
        return b"".join([frame async for frame in self.chunks()])

    def close(self) -> None:
        self._is_closed = True


class _Refused(Exception):
    def __init__(self, status: int, message: str, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param


_JSON: Headers = [(b"content-type", b"application/json")]


def _whole(status: int, body: Json) -> DemoAnswer:
    return DemoAnswer(status, _JSON, iter([(msgspec.json.encode(body), 0)]), 0.0)


def _read(content: bytes) -> Json:
    try:
        body = msgspec.json.decode(content)
    except msgspec.DecodeError as fault:
        raise _Refused(400, f"The body is no JSON: {fault}", "invalid_request") from None
    if not isinstance(body, dict):
        raise _Refused(400, "The body must be a JSON object.", "invalid_request")
    return body


def _known(model: object, models: Any) -> str:  # Any: a tuple or the keys of a dict
    if isinstance(model, str) and model in models:
        return model
    told = f"The demo provider has no model {model!r} here; there are {', '.join(models)}."
    raise _Refused(404, told, "model_not_found", "model")


def _error(refused: _Refused, is_anthropic: bool) -> Json:  # noqa: FBT001  # whose shape
    if is_anthropic:
        kind = "not_found_error" if refused.status == 404 else "invalid_request_error"
        return {"type": "error", "error": {"type": kind, "message": refused.message}}
    told = {"message": refused.message, "type": "invalid_request_error"}
    return {"error": {**told, "param": refused.param, "code": refused.code}}


def _models(is_anthropic: bool) -> Json:  # noqa: FBT001  # whose shape
    found = [_model(model, is_anthropic) for model in MODELS]
    if is_anthropic:
        ends = {"first_id": MODELS[0], "last_id": MODELS[-1]}
        return {"data": found, "has_more": False, **ends}
    return {"object": "list", "data": found}


def _model(model: str, is_anthropic: bool) -> Json:  # noqa: FBT001  # whose shape
    if is_anthropic:
        made = "2026-01-01T00:00:00Z"
        return {"type": "model", "id": model, "display_name": model, "created_at": made}
    return {"id": model, "object": "model", "created": _MADE, "owned_by": "demo"}


def _embeddings(body: Json) -> Json:
    model = _known(body.get("model"), (EMBEDDING,))
    told = body.get("input")
    texts = told if isinstance(told, list) and not _is_tokens(told) else [told]
    vector: object = _VECTOR
    if body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack(f"<{len(_VECTOR)}f", *_VECTOR)).decode()
    tokens = sum(_tokens_of_text(text) for text in texts)
    data = [{"object": "embedding", "index": at, "embedding": vector} for at in range(len(texts))]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def _is_tokens(value: object) -> bool:
    """Whether a text comes as the numbers of its tokens."""
    return isinstance(value, list) and bool(value) and all(isinstance(it, int) for it in value)


def _tokens_of_text(text: object) -> int:
    if isinstance(text, list):
        return len(text)
    return tokens_of({"input": text})


_COUNTS: dict[str, Callable[[Json], Json]] = {
    "messages/count_tokens": lambda body: {"input_tokens": tokens_of(body)},
    "responses/input_tokens": lambda body: {
        "object": "response.input_tokens",
        "input_tokens": tokens_of(body),
    },
}
