"""What the mock's APIs share: a request as they see it, a refusal, and an API as the server sees it."""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from tests.providers.bill import Entry
from tests.providers.caching import Prompt, PromptCache
from tests.providers.scenario import Plan, Scenario

Json = dict[str, Any]  # Any: JSON
Frames = Iterator[tuple[bytes, int]]
"""Bytes to send, and the tokens generated with them; hidden ones come without bytes."""

dumps = msgspec.json.encode
_IDS = itertools.count(1)


def new_id(prefix: str) -> str:
    return f"{prefix}{next(_IDS):024d}"


@dataclass(slots=True)
class Request:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Json:
        try:
            found = msgspec.json.decode(self.body)
        except msgspec.DecodeError as fault:
            raise Refused(
                400, f"We could not parse the JSON body of your request: {fault}"
            ) from None
        if not isinstance(found, dict):
            raise Refused(400, "The body must be a JSON object")
        return found

    @property
    def key(self) -> str:
        headers = self.headers
        bearer = headers.get("authorization", "")
        if bearer.lower().startswith("bearer "):
            return bearer[7:]
        for name in ("x-api-key", "x-goog-api-key", "api-key"):
            if name in headers:
                return headers[name]
        for part in self.query.split("&"):
            if part.startswith("key="):
                return part[4:]
        return ""


class Refused(Exception):
    """An error in the words of the API; `kind` and `code` where it has such."""

    def __init__(
        self, status: int, message: str, *, kind: str = "", code: str | None = None, param: str = ""
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.code, self.param = (
            status, message, kind, code, param,
        )  # fmt: skip
        self.retry_after: float | None = None


@dataclass(slots=True)
class Limits:
    """What the provider refuses above; of all its models, or by model."""

    max_output: int = 128_000
    context: int = 1_000_000
    by_model: dict[str, int] = field(default_factory=dict)

    def ceiling(self, model: str) -> int:
        return self.by_model.get(model, self.max_output)


@dataclass(slots=True)
class World:
    """What requests leave behind at the provider."""

    cache: PromptCache = field(default_factory=PromptCache)
    limits: Limits = field(default_factory=Limits)
    answered: dict[str, int] = field(default_factory=dict)  # response id → tokens of its context
    is_strict: bool = True  # fields that OpenAI does not know are refused


@dataclass(slots=True)
class Call:
    """A request that was understood."""

    model: str
    stream: bool
    body: Json
    prompt: Prompt
    scenario: Scenario
    max_output: int | None = None
    answers: int = 1
    billed_answers: int = 1  # more than `answers` with best_of
    tools: tuple[str, ...] = ()
    variant: str = ""
    world: World | None = None


Reader = Callable[[Request, Scenario, World], Call]


@dataclass(frozen=True, slots=True)
class Api:
    """One API: a request read, its answer whole or in frames, its errors.

    read: raises Refused. A whole answer and frames get one plan for each answer (`n`).
    """

    name: str
    read: Reader
    whole: Callable[[Call, list[Plan], Entry], Json]
    frames: Callable[[Call, list[Plan], Entry], Frames]
    refusal: Callable[[Refused], Json]
    error_event: Callable[[Refused], bytes]
    headers: tuple[tuple[str, str], ...] = ()
    is_free: bool = False
    stream_type: str = "text/event-stream; charset=utf-8"
    makes_output: bool = True


def check_fields(body: Json, known: frozenset[str], world: World) -> None:
    """As OpenAI refuses what it does not know."""
    unknown = next((name for name in body if name not in known), None)
    if unknown is not None and world.is_strict:
        raise Refused(
            400, f"Unrecognized request argument supplied: {unknown}", code="unknown_parameter"
        )


def whole_number(body: Json, field_name: str, *, least: int, most: int | None = None) -> int | None:
    """A field that must be a whole number within bounds, if it is there."""
    value = body.get(field_name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused(
            400, f"Invalid type for '{field_name}': expected an integer.", param=field_name
        )
    if value < least:
        raise Refused(
            400,
            f"Invalid '{field_name}': integer below minimum value. Expected a value >= {least}, "
            f"but got {value} instead.",
            code="integer_below_min_value",
            param=field_name,
        )
    if most is not None and value > most:
        raise Refused(
            400,
            f"{field_name} is too large: {value}. This model supports at most {most} completion "
            f"tokens, whereas you provided {value}.",
            code="invalid_value",
            param=field_name,
        )
    return value


_IN_PATH = re.compile(r"/(?:models|tunedModels|deployments)/([^/:]+)[:/]")


def model_of(request: Request) -> str | None:
    """From the path where the API has it there, else from the body."""
    found = _IN_PATH.search(request.path)
    if found:
        return found[1]
    try:
        model = request.json().get("model")
    except Refused:
        return None
    return model if isinstance(model, str) else None
