"""Messages as the original's clients write and read them, in all the forms of its documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from tekton_budget.domain.errors import BudgetError
from tekton_budget.frontends.api.sockets.topics import topic_called
from tekton_budget.frontends.http import wire

Json = dict[str, Any]  # Any: JSON


class MessageType(StrEnum):
    """What a message is, in the order in which the original's errors name them."""

    BUDGET_UPDATE = "budget_update"
    ALLOCATION_UPDATE = "allocation_update"
    POLICY_UPDATE = "policy_update"
    ALERT = "alert"
    PRICE_UPDATE = "price_update"
    SUBSCRIPTION = "subscription"
    UNSUBSCRIPTION = "unsubscription"
    AUTHENTICATION = "authentication"
    ERROR = "error"
    HEARTBEAT = "heartbeat"


class WebSocketMessage(BaseModel):
    """A message in the original's main form; its name is in the errors that clients know."""

    model_config = ConfigDict(defer_build=True)

    type: MessageType
    topic: str
    payload: Json


@dataclass(frozen=True, slots=True)
class Said:
    """What a client said: which topics, if it named any, and the rest of it."""

    type: MessageType
    topic: str
    payload: Json
    topics: tuple[str, ...] = ()
    short: bool = False  # in the documents' form `{type, data}`


class Unreadable(Exception):
    """It is no message; the text says why, as the original does."""


# What the documents call it → what it is.
_SHORT_WORDS = {
    "subscribe": MessageType.SUBSCRIPTION,
    "unsubscribe": MessageType.UNSUBSCRIPTION,
    "authenticate": MessageType.AUTHENTICATION,
}
TOPICS_MAX = 50


def read(text: str | bytes) -> Said:
    """A client's message in any form; raises `Unreadable`."""
    try:
        value = wire.decode(text.encode() if isinstance(text, str) else text)
    except BudgetError as refusal:
        raise Unreadable(refusal.detail) from refusal
    if isinstance(value, dict) and _is_short(value):
        return _short(value)
    try:
        message = WebSocketMessage.model_validate(value)
    except ValidationError as error:
        raise Unreadable(str(error)) from error
    named = message.payload.get("topic", message.topic)
    topics = (named,) if isinstance(named, str) else (message.topic,)
    return Said(message.type, message.topic, message.payload, topics)


def written(
    type_: str,
    topic: str,
    payload: Mapping[str, object],
    *,
    timestamp: str | None,
    position: int | None = None,
    both: bool = False,
) -> str:
    """A message to a client; `position`: where to go on, `both`: in the documents' form too."""
    message: dict[str, object] = {"type": type_, "topic": topic, "payload": payload}
    if both:
        message["data"] = payload
    message["timestamp"] = timestamp
    if position is not None:
        message["position"] = position
    return wire.encode(message).decode()


def _is_short(value: Json) -> bool:
    if "payload" in value:
        return False
    return "channels" in value or "data" in value or value.get("type") in _SHORT_WORDS


def _short(value: Json) -> Said:
    """`{"type": "subscribe", "channels": […]}`, `{"type": "authenticate", "data": {…}}`."""
    word, data = value.get("type"), value.get("data", {})
    try:
        type_ = _SHORT_WORDS.get(str(word)) or MessageType(str(word))
    except ValueError as error:
        raise Unreadable(f"type: send one of {', '.join((*_SHORT_WORDS, *MessageType))}") from error
    if not isinstance(data, dict):
        raise Unreadable("data: send an object")
    beside = {name: inner for name, inner in value.items() if name not in ("type", "data")}
    payload = {**beside, **data}
    channels = payload.get("channels", [payload["topic"]] if "topic" in payload else [])
    if not isinstance(channels, list) or not all(isinstance(one, str) for one in channels):
        raise Unreadable("channels: send a list of names")
    if len(channels) > TOPICS_MAX:
        raise Unreadable(f"channels: send at most {TOPICS_MAX}")
    topics = tuple(topic_called(one) for one in channels)
    return Said(type_, topics[0] if topics else "", payload, topics, short=True)
