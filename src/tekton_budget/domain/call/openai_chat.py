"""OpenAI's chat completions, and what providers that speak it add."""

from collections.abc import Mapping
from typing import Any

from .draft import Draft, wrong
from .rows import (
    FREE,
    Row,
    Table,
    items,
    mapping,
    read_json,
    read_model,
    read_stream,
    text,
    whole,
)
from .sizes import bytes_of, json_bytes

# <|start|>role<|message|>…<|end|>: three marks and the role, with a name one more.
_MESSAGE = 8
# What starts the answer, and a system text that templates of open models add by themselves.
_TEMPLATE = 160
_TOOLS = 64
_TOOL = 16


def read_max_output(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """The largest of the maxima given: which of them a provider reads is its own affair."""
    most = whole(value, path, 1)
    draft.max_output = most if draft.max_output is None else max(draft.max_output, most)


def _read_messages(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    messages = items(value, path)
    draft.messages = messages
    draft.tail = _TEMPLATE
    marks = draft.marks
    tokens = 0
    for message in messages:
        if type(message) is not dict:
            raise wrong(path, "must be a list of objects")
        tokens += _MESSAGE
        for name, inner in message.items():
            if type(inner) is str and name in _TEXTS:
                tokens += bytes_of(inner)
            elif inner is not None:
                tokens += _inner(draft, message, name, inner, path)
        marks.append(tokens)


_TEXTS = frozenset({"role", "content", "name", "tool_call_id", "refusal"})


def _inner(draft: Draft, message: Mapping[str, Any], name: str, inner: Any, path: str) -> int:
    # Any: JSON
    return json_bytes(inner)


def _read_tools(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.wants.add("tools")
    draft.tokens += _TOOLS
    for tool in items(value, path):
        draft.tokens += _TOOL + json_bytes(tool)


def _read_n(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.answers = max(draft.answers, whole(value, path, 1))


def _read_user(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.user = text(value, path)


def _read_stream_options(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.asked_for_usage = mapping(value, path).get("include_usage") is True


TABLE = Table(
    {
        "model": Row(read_model, "its prices"),
        "messages": Row(_read_messages, "bytes of all text, images by size"),
        "stream": Row(read_stream, "costs nothing"),
        "stream_options": Row(_read_stream_options, "costs nothing"),
        "max_tokens": Row(read_max_output, "bounds the output"),
        "max_completion_tokens": Row(read_max_output, "bounds the output"),
        "n": Row(_read_n, "times the output"),
        "tools": Row(_read_tools, "bytes of the JSON", True),
        "functions": Row(_read_tools, "bytes of the JSON", True),
        "response_format": Row(read_json, "bytes of the JSON", True),
        "user": Row(_read_user, "costs nothing"),
        "safety_identifier": Row(_read_user, "costs nothing"),
        "temperature": FREE,
        "top_p": FREE,
        "stop": FREE,
        "seed": FREE,
    }
)
