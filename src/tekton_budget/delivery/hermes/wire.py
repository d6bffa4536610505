"""Hermes's words: what is sent to it, and what can be read in its answers.

It takes names in snake_case. Capabilities must be plain words, the heartbeat's status an object,
and a tool's schema is the field `schema`: anything else is 422.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tekton_budget.delivery.hermes.answers import Listed, Registered
from tekton_budget.delivery.hermes.profile import Profile, Tool

LIFETIME_SECONDS = 3600.0  # of a token that does not say
ALIVE_SECONDS = 90.0  # since whoever beats every 30 seconds was heard of

Json = dict[str, Any]  # Any: JSON


class Unreadable(Exception):
    """An answer in which something is missing, or is not what it should be."""


def to_register(profile: Profile) -> Json:
    """The body of a registration."""
    return {
        "component_id": profile.component_id,
        "name": profile.name,
        "version": profile.version,
        "type": profile.type,
        "endpoint": profile.endpoint,
        "capabilities": list(profile.capabilities),
        "metadata": dict(profile.metadata),
    }


def from_register(answer: object, asked_id: str) -> Registered:
    """The token as it was received, and how long it is good for."""
    token = answer.get("token") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(token, str) or not token:
        raise Unreadable("a registration was answered without a token")
    if not (token.isascii() and token.isprintable()):
        raise Unreadable("a registration was answered by a token that no header can carry")
    named = answer.get("componentId", answer.get("component_id"))
    component_id = named if isinstance(named, str) and named else asked_id
    return Registered(component_id, token, lifetime_seconds(token))


def lifetime_seconds(token: str) -> float:
    """How long a token is good for, by its own times: Hermes's clock may differ from ours."""
    try:
        payload = msgspec.json.decode(token)["payload"]
        lifetime = float(payload["exp"]) - float(payload["iat"])
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError, ValueError):
        return LIFETIME_SECONDS
    return lifetime if 0 < lifetime < float("inf") else LIFETIME_SECONDS


def to_heartbeat(component_id: str, status: Mapping[str, Any]) -> Json:
    """The body of a heartbeat."""
    return {"component_id": component_id, "status": dict(status)}


def from_listing(answer: object, profile: Profile, component_id: str, at: float) -> Listed:
    """Whether we are in it by this id; `at` is Hermes's own time, in seconds since 1970."""
    listed = answer.get("components") if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        raise Unreadable("the listing has no components")
    entries = {
        one["component_id"]: one
        for one in listed
        if isinstance(one, dict) and isinstance(one.get("component_id"), str)
    }
    ours = entries.get(component_id)
    has_us = ours is not None and ours.get("endpoint") == profile.endpoint
    first = entries.get(profile.component_id)
    return Listed(has_us, first is not None and _is_others(first, profile, at))


def _is_others(entry: Json, profile: Profile, at: float) -> bool:
    """Whether a live service at another address stands there; who died left its entry behind."""
    if entry.get("endpoint") == profile.endpoint:
        return False
    seen = [
        float(entry[name])
        for name in ("last_heartbeat", "registered_at")
        if isinstance(entry.get(name), int | float)
    ]
    return bool(seen) and at - max(seen) <= ALIVE_SECONDS


@dataclass(frozen=True, slots=True)
class Changes:
    """What makes Hermes's registry of tools right: what to take out, then what to put in."""

    removed: tuple[str, ...]
    added: tuple[Json, ...]


def tool_bodies(profile: Profile) -> tuple[Json, ...]:
    """The tools as they are registered: by fixed ids, so that once more changes nothing."""
    return tuple(_to_tool(profile, tool) for tool in profile.tools)


def tool_changes(answer: object, profile: Profile) -> Changes:
    """What of our tools is missing, old, or there twice."""
    bodies = {body["name"]: body for body in tool_bodies(profile)}
    removed: list[str] = []
    for entry in _tools_listed(answer):
        body = bodies.get(entry["name"])
        if body is None:
            if _belongs_to(entry, profile):
                removed.append(entry["id"])
        elif entry["id"] != body["id"]:
            removed.append(entry["id"])
        elif all(entry.get(field, body[field]) == body[field] for field in body):
            del bodies[entry["name"]]
    return Changes(tuple(removed), tuple(bodies.values()))


def _tools_listed(answer: object) -> Iterator[Json]:
    if not isinstance(answer, list):
        raise Unreadable("the listing of tools is no list")
    for one in answer:
        if (
            isinstance(one, dict)
            and isinstance(one.get("id"), str)
            and isinstance(one.get("name"), str)
        ):
            yield one


def _belongs_to(entry: Json, profile: Profile) -> bool:
    """A tool that an earlier version of ours had."""
    metadata = entry.get("metadata")
    return isinstance(metadata, dict) and metadata.get("component_id") == profile.component_id


def _to_tool(profile: Profile, tool: Tool) -> Json:
    name = f"{profile.component_id}_{tool.name}"
    return {
        "id": f"tool-{name}",
        "name": name,
        "description": tool.description,
        "schema": dict(tool.schema),
        "tags": list(tool.tags),
        "version": profile.version,
        "endpoint": tool.endpoint,
        "metadata": {**(tool.metadata or {}), "component_id": profile.component_id},
    }


def detail_of(answer: object, text: str) -> str:
    """What an error says, in a line: FastAPI's `detail`, or the beginning of the text."""
    detail = answer.get("detail") if isinstance(answer, dict) else None
    if isinstance(detail, str):
        return detail[:200]
    if isinstance(detail, Sequence) and detail:
        return "; ".join(_fault(one) for one in detail[:3])[:200]
    return " ".join(text.split())[:200]


def _fault(one: object) -> str:
    if not isinstance(one, dict):
        return str(one)
    place = one.get("loc")
    where = ".".join(map(str, place)) if isinstance(place, Sequence) else ""
    return f"{where}: {one.get('msg', '')}"
