"""Tools of OpenAI's responses: those that the client runs, and those that the provider does."""

from typing import Any

from ..draft import Draft
from ..rows import items, kind_of, mapping
from ..sizes import json_bytes
from .shared import TOOL

# Tools whose description is the provider's own; the longest that is known has some 1,000 tokens.
_OWN_TEXT = 2_048
_HOSTED_ADVICE = "runs at the provider, at a price of its own; send it as a function of yours"
_SEARCHES = frozenset({"web_search", "web_search_preview"})


def tools_tokens(draft: Draft, value: Any, path: str) -> int:  # Any: JSON
    """The most tokens of tools; hosted ones are noted in the draft, or refused."""
    draft.wants.add("tools")
    return sum(
        _tool_tokens(draft, mapping(tool, f"{path}.{index}"), f"{path}.{index}", index)
        for index, tool in enumerate(items(value, path))
    )


def _tool_tokens(draft: Draft, tool: dict[str, Any], path: str, index: int) -> int:  # Any: JSON
    kind = kind_of(tool, path)
    drop = ("tools", index) if path == f"tools.{index}" else None
    if kind in _CLIENT_SIDE:
        return TOOL + json_bytes(tool) + _CLIENT_SIDE[kind]
    if kind in _SEARCHES or kind.startswith("web_search_"):
        _read_search(draft, tool)
    elif not _runs_at_client(kind, tool):
        draft.unknown(f"{path}.type", f"{kind!r} {_HOSTED_ADVICE}", drop=drop)
    return TOOL + json_bytes(tool) + _OWN_TEXT


_CLIENT_SIDE = {
    "function": 0,
    "custom": 0,
    "namespace": 0,
    "local_shell": _OWN_TEXT,
    "apply_patch": _OWN_TEXT,
    "computer": _OWN_TEXT,
    "computer_use_preview": _OWN_TEXT,
}


def _runs_at_client(kind: str, tool: dict[str, Any]) -> bool:  # Any: JSON
    if kind == "shell":
        return (tool.get("environment") or _LOCAL) == _LOCAL
    return kind == "tool_search" and tool.get("execution") == "client"


_LOCAL = {"type": "local"}


def _read_search(draft: Draft, tool: dict[str, Any]) -> None:  # Any: JSON
    """Searches are bounded by `max_tool_calls`, which may be read after this: see `finish`."""
    draft.units.setdefault("web_search", 0)
    size = tool.get("search_context_size")
    draft.priced_for(search_context_size=size if isinstance(size, str) else "medium")


def finish_tools(draft: Draft, max_calls: int | None, tools: Any) -> None:  # Any: JSON
    """So many searches as the request lets the model make, each with a round of the model."""
    if "web_search" not in draft.units:
        return
    if max_calls is not None:
        draft.units["web_search"] = max_calls
        draft.rounds += max_calls
        draft.window = True
        return
    why = "searches have a price each and no number; send max_tool_calls"
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        if kind_of(tool, "tools").startswith("web_search"):
            draft.unknown(f"tools.{index}.type", why, drop=("tools", index))
