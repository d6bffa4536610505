"""One description of a verb, two ways to call it: at once, or awaited."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, cast, overload

import uuid_utils

P = ParamSpec("P")
R = TypeVar("R")
Json = dict[str, Any]  # Any: decoded JSON
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request(Generic[R]):
    """What a verb asks for: which route, with what, and how to read the answer.

    Its ids are fixed when it is made, so however often it is sent, it is done once.
    """

    verb: str
    method: str
    path: str  # with {names} in it
    read: Callable[[Any], R]  # Any: decoded JSON
    named: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)  # Any: text, numbers, decimals
    body: Mapping[str, Any] | None = None  # Any: JSON with decimals
    id: str = ""  # sent as Idempotency-Key, where the body carries no id of its own
    wait_seconds: float = 0  # how long the service itself may take its time


class Transport(Protocol):
    """A way to the service for callers that wait. Refusals are raised."""

    def answer(self, request: Request[Any]) -> Any:
        """The answer as decoded JSON: objects, lists, text, `int` and `Decimal`."""

    def calls(self, http: Any, labels: Labels) -> Any:
        """A transport of that module, httpx or httpx2, by which calls go through the gateway."""

    def close(self) -> None:
        """Let go of what it holds."""


class AsyncTransport(Protocol):
    """The same for tasks."""

    async def answer(self, request: Request[Any]) -> Any:
        """The answer as decoded JSON."""

    def calls(self, http: Any, labels: Labels) -> Any:
        """A transport of that module, httpx or httpx2, by which calls go through the gateway."""

    async def close(self) -> None:
        """Let go of what it holds."""


class Sync(ABC):
    """What has verbs that are done when they return."""

    @abstractmethod
    def send(self, request: Request[R]) -> R:
        """Do what is asked; refusals are raised."""


class Async(ABC):
    """What has verbs that are awaited."""

    @abstractmethod
    async def send(self, request: Request[R]) -> R:
        """Do what is asked; refusals are raised."""


class Verb(Generic[P, R]):
    """A method that describes a request: called on `Sync` it answers, on `Async` it is awaited."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Request[R]]) -> None:
        self.describe = describe
        functools.update_wrapper(cast("Callable[..., Any]", self), describe)

    @overload
    def __get__(self, face: None, kind: type) -> Self: ...
    @overload
    def __get__(self, face: Sync, kind: type) -> Callable[P, R]: ...
    @overload
    def __get__(self, face: Async, kind: type) -> Callable[P, Awaitable[R]]: ...
    def __get__(self, face: Sync | Async | None, kind: type) -> Any:
        if face is None:
            return self

        @functools.wraps(self.describe)
        def called(*args: P.args, **kwargs: P.kwargs) -> Any:
            return face.send(self.describe(face, *args, **kwargs))

        return called


def verb(describe: Callable[Concatenate[Any, P], Request[R]]) -> Verb[P, R]:
    """Make a description of a request a verb of both faces."""
    return Verb(describe)


def new_id() -> str:
    """A UUIDv7: unique, and in the order of time."""
    return str(uuid_utils.uuid7())


def given(**fields: Any) -> dict[str, Any]:
    """What was said: fields that are not `None`, nor empty objects."""
    return {name: value for name, value in fields.items() if value is not None and value != {}}


def labelled(labels: Labels | None, **query: Any) -> dict[str, Any]:
    """A query for what has these labels, whatever their names."""
    said = [f"{name}={value}" for name, value in (labels or {}).items()]
    return {**({"label": said} if said else {}), **given(**query)}


def same(answer: Any) -> Any:
    """The answer as it came."""
    return answer


def items(answer: Any) -> list[Json]:
    """The items of a list that has no pages."""
    return list(answer["items"] if isinstance(answer, Mapping) else answer)


def got(
    name: str,
    path: str,
    named: Mapping[str, str] | None = None,
    query: Mapping[str, Any] | None = None,
) -> Request[Json]:
    """A reading verb."""
    return Request(name, "GET", path, same, named=named or {}, query=query or {})


def put(name: str, path: str, named: Mapping[str, str], body: Mapping[str, Any]) -> Request[Json]:
    """A verb that changes what is there."""
    return Request(name, "PUT", path, same, named=named, body=dict(body))


def deleted(name: str, path: str, named: Mapping[str, str]) -> Request[Json]:
    """A verb that ends what is there."""
    return Request(name, "DELETE", path, same, named=named)
