"""The body to send upstream: what was granted, in the API's own fields."""

from typing import Any

from .api import Api
from .need import Need
from .sizes import bytes_of

_OUTPUT_FIELDS = {
    Api.OPENAI_CHAT: ("max_completion_tokens", "max_tokens"),
    Api.ANTHROPIC_MESSAGES: ("max_tokens",),
}


def note_tokens(note: str) -> int:
    """The most input tokens that a note adds."""
    return bytes_of(note) + 8


def sent_upstream(
    need: Need,
    body: dict[str, Any],  # Any: JSON
    *,
    max_output: int | None,
    note: str | None = None,
    usage: bool = False,
    model: str | None = None,
    output_field: str | None = None,
) -> dict[str, Any]:
    """The body with the output maximum that was granted; the same object if nothing changes.

    `output_field` names the field of a maximum where the client gave none. `usage` asks for usage
    in the last frame of a stream; `note` is a word to the model about what is left.
    """
    changed: dict[str, Any] = {}
    if max_output is not None:
        given = [name for name in _OUTPUT_FIELDS[need.api] if body.get(name) is not None]
        for name in given or [output_field or _OUTPUT_FIELDS[need.api][0]]:
            if body.get(name) is None or body[name] > max_output:
                changed[name] = max_output
    if usage and need.api is Api.OPENAI_CHAT and need.stream and not need.asked_for_usage:
        changed["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    if model is not None and body.get("model") not in (model, None):
        changed["model"] = model
    if note is not None:
        changed |= _noted(need.api, body, note)
    return {**body, **changed} if changed else body


def _noted(api: Api, body: dict[str, Any], note: str) -> dict[str, Any]:  # Any: JSON
    if api is Api.OPENAI_CHAT:
        return {"messages": [*body["messages"], {"role": "system", "content": note}]}
    system = body.get("system") or []
    blocks = [{"type": "text", "text": system}] if isinstance(system, str) else system
    return {"system": [*blocks, {"type": "text", "text": note}]}
