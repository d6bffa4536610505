"""Tools of Anthropic's messages: those that the client runs, and those that the provider does."""

import re
from typing import Any

from ..draft import Draft
from ..rows import items, mapping, whole
from ..sizes import json_bytes

# The system text about the use of tools, by model: 159 (Claude 3 Sonnet) to 804 (Opus 4.7).
TOOLS = 1_024
TOOL = 16  # the frame of one
# Tools whose description is the provider's own: bash 325, text editor 700, computer 735 and more.
_OWN_TEXT = 2_048
_TOOLSET = 16_384  # a family of them

_CLIENT_SIDE = (
    (re.compile(r"(bash|text_editor|memory|computer)_\d{8}"), _OWN_TEXT),
    (re.compile(r"(computer|browser)_toolset_\d{8}"), _TOOLSET),
)
_SEARCH = re.compile(r"web_(search|fetch)_\d{8}")
# From this version on they may run code that filters what they found, in rounds without a number.
_DIRECT_UNTIL = "20260000"


def read_tools(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """The tools of a request, and the system text that comes with them."""
    draft.wants.add("tools")
    draft.tokens += TOOLS
    for index, tool in enumerate(items(value, path)):
        draft.tokens += tool_tokens(
            draft, mapping(tool, f"{path}.{index}"), f"{path}.{index}", ("tools", index)
        )


def tool_tokens(
    draft: Draft,
    tool: dict[str, Any],  # Any: JSON
    path: str,
    drop: tuple[str | int, ...] | None = None,
) -> int:
    """The most tokens of a tool; hosted ones are noted in the draft, or refused."""
    kind = tool.get("type", "custom")
    mark = tool.get("cache_control")
    if mark is not None:
        draft.writes_cache(mapping(mark, f"{path}.cache_control").get("ttl"))
    size = TOOL + json_bytes(tool)
    if kind not in (None, "custom"):
        size += _own_text(draft, tool, str(kind), path, drop)
    name = tool.get("name")
    if isinstance(name, str):
        draft.tool_sizes[name] = size
    return size


def _own_text(
    draft: Draft,
    tool: dict[str, Any],  # Any: JSON
    kind: str,
    path: str,
    drop: tuple[str | int, ...] | None,
) -> int:
    for pattern, tokens in _CLIENT_SIDE:
        if pattern.fullmatch(kind):
            return tokens
    if _SEARCH.fullmatch(kind):
        _read_search(draft, tool, kind, path, drop)
    else:
        draft.unknown(
            f"{path}.type",
            f"{kind!r} runs at the provider, in rounds without a number; send a tool of yours",
            drop=drop,
        )
    return _OWN_TEXT


def _read_search(
    draft: Draft,
    tool: dict[str, Any],  # Any: JSON
    kind: str,
    path: str,
    drop: tuple[str | int, ...] | None,
) -> None:
    """After each use the model reads all again; a search has a price besides."""
    most = tool.get("max_uses")
    if most is None:
        draft.unknown(path, "uses have a price and no number; send max_uses", drop=drop)
        return
    if kind[-8:] > _DIRECT_UNTIL and tool.get("allowed_callers") != ["direct"]:
        draft.unknown(
            path, 'code that calls it has no bound; send "allowed_callers": ["direct"]', drop=drop
        )
        return
    uses = whole(most, f"{path}.max_uses")
    if kind.startswith("web_search"):
        draft.add_units("web_search", uses)
    draft.rounds += uses
    draft.window = True
