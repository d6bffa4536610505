"""Items of the input of OpenAI's responses."""

from collections.abc import Callable
from typing import Any

from ..draft import Draft
from ..rows import kind_of
from ..sizes import bytes_of, json_bytes
from .parts import content_tokens, image_tokens
from .response_tools import tools_tokens

ITEM = 16  # what a template sets around an item: who speaks, to whom, in which channel


def item_tokens(draft: Draft, item: Any, path: str) -> int:  # Any: JSON
    """The most tokens of an item; what is not in the request counts as the context window."""
    kind = kind_of(item, path)
    if "type" not in item:
        kind = "message" if "role" in item else "item_reference"
    read = _ITEMS.get(kind)
    if read is None:
        draft.unknown(f"{path}.type", f"{kind!r} is no item whose tokens can be bounded")
        return ITEM + json_bytes(item)
    return ITEM + read(draft, item, path)


_MESSAGE_FIELDS = frozenset({"type", "role", "content", "id", "status", "name", "phase"})
_PASSED_THROUGH = frozenset({"internal_chat_message_metadata_passthrough"})  # Codex sends it


def _message(draft: Draft, item: dict[str, Any], path: str) -> int:  # Any: JSON
    tokens = 0
    for name, inner in item.items():
        if name == "content" and inner is not None:
            tokens += content_tokens(draft, inner, f"{path}.content")
        elif name in _PASSED_THROUGH:
            tokens += json_bytes(inner)
        elif name not in _MESSAGE_FIELDS:
            draft.unknown(f"{path}.{name}")
            tokens += json_bytes(inner)
        elif type(inner) is str and name != "type":
            tokens += bytes_of(inner)
    return tokens


def _written(_draft: Draft, item: dict[str, Any], _path: str) -> int:  # Any: JSON
    return json_bytes(item)


def _output(draft: Draft, item: dict[str, Any], path: str) -> int:  # Any: JSON
    """What a tool gave back: a text, or parts."""
    rest = {name: value for name, value in item.items() if name != "output"}
    found = item.get("output")
    return json_bytes(rest) + (
        0 if found is None else content_tokens(draft, found, f"{path}.output")
    )


def _screen(draft: Draft, item: dict[str, Any], path: str) -> int:  # Any: JSON
    rest = {name: value for name, value in item.items() if name != "output"}
    return json_bytes(rest) + content_tokens(draft, [item.get("output")], f"{path}.output")


def _drawn(draft: Draft, item: dict[str, Any], path: str) -> int:  # Any: JSON
    """A picture drawn before is shown to the model again."""
    rest = {name: value for name, value in item.items() if name != "result"}
    return json_bytes(rest) + image_tokens(
        draft, f"data:image/png;base64,{item.get('result') or ''}", "high", path
    )


def _tools(draft: Draft, item: dict[str, Any], path: str) -> int:  # Any: JSON
    return ITEM + tools_tokens(draft, item.get("tools"), f"{path}.tools")


def _reference(draft: Draft, _item: dict[str, Any], _path: str) -> int:  # Any: JSON
    draft.window = True
    return 0


def _compaction(draft: Draft, item: dict[str, Any], _path: str) -> int:  # Any: JSON
    """All before it is read once to be put in short, and may be once more to be answered."""
    draft.rounds = 2
    return json_bytes(item)


_ITEMS: dict[str, Callable[[Draft, dict[str, Any], str], int]] = {  # Any: JSON
    "message": _message,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
    "computer_call_output": _screen,
    "image_generation_call": _drawn,
    "additional_tools": _tools,
    "tool_search_output": _tools,
    "item_reference": _reference,
    "compaction_trigger": _compaction,
} | dict.fromkeys(
    (
        "function_call",
        "custom_tool_call",
        "tool_search_call",
        "configuration_update",
        "reasoning",
        "compaction",
        "compaction_summary",
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "computer_call",
        "local_shell_call",
        "local_shell_call_output",
        "shell_call",
        "shell_call_output",
        "apply_patch_call",
        "apply_patch_call_output",
        "mcp_list_tools",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "program",
        "program_output",
    ),
    _written,
)
