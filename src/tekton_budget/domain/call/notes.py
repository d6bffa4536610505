"""A word to the model in a request that another wrote: where each API takes it."""

import re
from typing import Any

from .api import Api
from .image_rules import bare
from .need import Need
from .sizes import bytes_of

Body = dict[str, Any]  # Any: JSON

_FRAME = 32  # what a template sets around a message or a part of one, and what it is named
# Models that take a system text anywhere; templates of open models take it first alone.
_TAKES_IT_LAST = re.compile(r"gpt-\d|chatgpt|o\d|codex")
_SYSTEM_ROLES = ("system", "developer")


def note_tokens(note: str) -> int:
    """The most input tokens that a note adds."""
    return bytes_of(note) + _FRAME


def noted(need: Need, body: Body, note: str) -> Body:
    """The fields that change; what the client marked for the cache stays as it is."""
    return _NOTED[need.api](need, body, note)


def _chat(need: Need, body: Body, note: str) -> Body:
    messages = body.get("messages") or []
    said = {"role": "system", "content": note}
    if _TAKES_IT_LAST.match(bare(need.model)):
        return {"messages": [*messages, said]}
    first = messages[0] if messages else {}
    if first.get("role") not in _SYSTEM_ROLES:
        return {"messages": [said, *messages]}
    return {"messages": [{**first, "content": _with_text(first, note, "text")}, *messages[1:]]}


def _responses(_need: Need, body: Body, note: str) -> Body:
    before = body.get("input") or []
    if isinstance(before, str):
        before = [{"role": "user", "content": before}]
    return {"input": [*before, {"role": "developer", "content": note}]}


def _messages(_need: Need, body: Body, note: str) -> Body:
    """After the last message of the user: a change of the system text would empty the cache."""
    messages = body.get("messages") or []
    last = messages[-1] if messages else {}
    if last.get("role") == "user":
        content = _with_text(last, note, "text")
        return {"messages": [*messages[:-1], {**last, "content": content}]}
    return {"system": _with_text({"content": body.get("system")}, note, "text")}


def _contents(_need: Need, body: Body, note: str) -> Body:
    name = "system_instruction" if body.get("system_instruction") else "systemInstruction"
    before = body.get(name) or {}
    if isinstance(before, str):
        before = {"parts": [{"text": before}]}
    parts = before.get("parts") or []
    parts = [parts] if isinstance(parts, dict) else parts
    return {name: {**before, "parts": [*parts, {"text": note}]}}


def _prompt(_need: Need, _body: Body, _note: str) -> Body:
    """No place for a word: what stands in a prompt is gone on with."""
    return {}


_NOTED = {
    Api.OPENAI_CHAT: _chat,
    Api.OPENAI_RESPONSES: _responses,
    Api.OPENAI_COMPLETIONS: _prompt,
    Api.OPENAI_EMBEDDINGS: _prompt,
    Api.ANTHROPIC_MESSAGES: _messages,
    Api.GEMINI_GENERATE: _contents,
    Api.GEMINI_EMBED: _prompt,
}


def _with_text(message: Body, note: str, kind: str) -> list[Any]:  # Any: JSON
    before = message.get("content") or []
    if isinstance(before, str):
        before = [{"type": kind, "text": before}]
    return [*before, {"type": kind, "text": note}]
