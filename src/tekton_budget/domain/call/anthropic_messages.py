"""Anthropic's messages, and counting them."""

from typing import Any

from .draft import Draft, wrong
from .rows import FREE, Row, Table, items, mapping, read_json, read_model, read_stream, whole
from .sizes import bytes_of, json_bytes

_MESSAGE = 8
_TEMPLATE = 16
_TOOLS = 1024  # the system text about the use of tools: 264 to 804, by model
_TOOL = 16


def _read_max(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.max_output = whole(value, path)


def _read_messages(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.messages = items(value, path)
    draft.tail = _TEMPLATE
    tokens = 0
    for message in draft.messages:
        if type(message) is not dict:
            raise wrong(path, "must be a list of objects")
        content = message.get("content")
        tokens += _MESSAGE + (bytes_of(content) if type(content) is str else json_bytes(content))
        draft.marks.append(tokens)


def _read_tools(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.wants.add("tools")
    draft.tokens += _TOOLS
    for tool in items(value, path):
        draft.tokens += _TOOL + json_bytes(tool)


def _read_metadata(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    user = mapping(value, path).get("user_id")
    draft.user = user if isinstance(user, str) else None


TABLE = Table(
    {
        "model": Row(read_model, "its prices"),
        "messages": Row(_read_messages, "bytes of all text, images by size"),
        "max_tokens": Row(_read_max, "bounds the output"),
        "system": Row(read_json, "bytes of all text", True),
        "tools": Row(_read_tools, "bytes of the JSON", True),
        "stream": Row(read_stream, "costs nothing"),
        "metadata": Row(_read_metadata, "costs nothing"),
        "temperature": FREE,
        "stop_sequences": FREE,
    }
)
