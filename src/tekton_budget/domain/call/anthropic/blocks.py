"""Blocks of a message in Anthropic's format."""

from collections.abc import Callable
from typing import Any

from ..draft import Draft
from ..image_rules import anthropic_image
from ..pictures import size_of
from ..rows import items, kind_of, mapping, only, text
from ..sizes import bytes_of, json_bytes
from .tools import TOOL, tool_tokens

BLOCK = 8  # what a template sets around a block
_CALL = 32  # the frame of a call of a tool or of its result
_ARGUMENT = 8  # the frame of one argument of a call


def content_tokens(draft: Draft, content: Any, path: str) -> int:  # Any: JSON
    """The most tokens of a text or of a list of blocks."""
    if type(content) is str:
        return bytes_of(content)
    return sum(
        _block_tokens(draft, block, f"{path}.{index}")
        for index, block in enumerate(items(content, path))
    )


def read_mark(draft: Draft, mark: Any, path: str) -> None:  # Any: JSON
    """Up to here the input is to be kept."""
    draft.writes_cache(mapping(mark, path).get("ttl"))


def _block_tokens(draft: Draft, block: Any, path: str) -> int:  # Any: JSON
    kind = kind_of(block, path)
    mark = block.get("cache_control")
    if mark is not None:
        read_mark(draft, mark, f"{path}.cache_control")
    if kind == "text":
        words = block.get("text")
        if type(words) is str and len(block) == (2 if "cache_control" not in block else 3):
            return BLOCK + bytes_of(words)
        return BLOCK + json_bytes(block)
    read = _BLOCKS.get(kind)
    if read is None:
        draft.unknown(f"{path}.type", f"{kind!r} is no block whose tokens can be bounded")
        return BLOCK + json_bytes(block)
    return BLOCK + read(draft, block, path)


def _written(_draft: Draft, block: dict[str, Any], _path: str) -> int:  # Any: JSON
    return _CALL + json_bytes(block)


def _image(draft: Draft, block: dict[str, Any], path: str) -> int:  # Any: JSON
    only(block, {"type", "source", "cache_control", "transformations"}, draft, path)
    source = mapping(block.get("source"), f"{path}.source")
    only(source, {"type", "data", "media_type", "url", "file_id"}, draft, f"{path}.source")
    draft.wants.add("image")
    data = source.get("data")
    size = size_of(data) if isinstance(data, str) else None
    return anthropic_image(draft.model, size)


_DOCUMENT = {"type", "source", "cache_control", "citations", "context", "title"}
_SOURCE = {"type", "data", "media_type", "url", "file_id", "content"}


def _document(draft: Draft, block: dict[str, Any], path: str) -> int:  # Any: JSON
    """A PDF becomes its text and a picture of each page: anything up to the window."""
    only(block, _DOCUMENT, draft, path)
    source = mapping(block.get("source"), f"{path}.source")
    only(source, _SOURCE, draft, f"{path}.source")
    rest = _CALL + json_bytes({name: block.get(name) for name in ("title", "context", "citations")})
    if source.get("type") == "text":
        return rest + 2 * bytes_of(text(source.get("data"), f"{path}.source.data"))
    if source.get("type") == "content":
        return rest + content_tokens(draft, source.get("content"), f"{path}.source.content")
    draft.wants.add("pdf")
    draft.window = True
    return rest


def _call(_draft: Draft, block: dict[str, Any], _path: str) -> int:  # Any: JSON
    arguments = block.get("input")
    count = len(arguments) if isinstance(arguments, dict) else 0
    return _CALL + json_bytes(block) + _ARGUMENT * count


def _result(draft: Draft, block: dict[str, Any], path: str) -> int:  # Any: JSON
    rest = {name: value for name, value in block.items() if name not in _OF_RESULTS}
    tokens = _CALL + (json_bytes(rest) if rest else 0)
    found = block.get("content")
    return tokens if found is None else tokens + content_tokens(draft, found, f"{path}.content")


_OF_RESULTS = {"type", "content", "cache_control", "is_error"}


def _fetched(draft: Draft, block: dict[str, Any], path: str) -> int:  # Any: JSON
    """A fetched page is a document, which may be a PDF."""
    if '"application/pdf"' in str(block).replace("'", '"'):
        draft.wants.add("pdf")
        draft.window = True
        return _CALL
    return _written(draft, block, path)


def _reference(draft: Draft, block: dict[str, Any], path: str) -> int:  # Any: JSON
    """The definition of the tool stands here."""
    draft.references.append(text(block.get("tool_name"), f"{path}.tool_name"))
    return _CALL


def _change(draft: Draft, block: dict[str, Any], path: str) -> int:  # Any: JSON
    """A tool that is offered from here on: by name, or with its definition."""
    tool = mapping(block.get("tool"), f"{path}.tool")
    definition = tool.get("definition")
    if definition is not None:
        definition = mapping(definition, f"{path}.tool.definition")
        return _CALL + TOOL + tool_tokens(draft, definition, f"{path}.tool.definition")
    if isinstance(tool.get("name"), str):
        draft.references.append(tool["name"])
    return _CALL + json_bytes(block)


def _uploaded(draft: Draft, _block: dict[str, Any], path: str) -> int:  # Any: JSON
    draft.unknown(f"{path}.type", "a container runs code, in rounds without a number")
    return _CALL


_BLOCKS: dict[str, Callable[[Draft, dict[str, Any], str], int]] = {  # Any: JSON
    "image": _image,
    "document": _document,
    "tool_use": _call,
    "server_tool_use": _call,
    "mcp_tool_use": _call,
    "tool_result": _result,
    "mcp_tool_result": _result,
    "web_fetch_tool_result": _fetched,
    "tool_reference": _reference,
    "tool_addition": _change,
    "tool_removal": _change,
    "container_upload": _uploaded,
} | dict.fromkeys(
    (
        "thinking",
        "redacted_thinking",
        "search_result",
        "web_search_tool_result",
        "web_search_result",
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
        "advisor_tool_result",
        "mcp_tool_listing",
        "compaction",
        "fallback",
        "browser_state",
    ),
    _written,
)
