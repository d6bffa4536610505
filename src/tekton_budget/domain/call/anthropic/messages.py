"""Anthropic's messages, and the counting of them."""

import re
from typing import Any

from ..draft import Draft, wrong
from ..image_rules import bare
from ..rows import (
    MODEL,
    STREAM,
    Row,
    Table,
    free,
    items,
    kind_of,
    mapping,
    only,
    refused,
    text,
    whole,
)
from ..sizes import bytes_of, json_bytes
from .blocks import content_tokens, read_mark
from .tools import read_tools

LEAST_THINKING = 1_024
_MESSAGE = 8  # who speaks, and the breaks around
_TEMPLATE = 128  # the frame of a request, and a word about thinking
_SYSTEM = 16
_SCHEMA = 512  # the system text about the shape of an answer
_SUMMARY = 4_096  # the provider's own prompt for a summary
_THINKS_UNASKED = re.compile(r"claude-(?!3|2|instant|\w+-4)")


def begin_messages(draft: Draft) -> None:
    """What hangs on the model alone: of what is thought, streams show a summary at most."""
    draft.tail = _TEMPLATE
    draft.hidden_output = _THINKS_UNASKED.match(bare(draft.model)) is not None


def _read_max(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.max_output = whole(value, path)


def _read_messages(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.messages = items(value, path)
    tokens = 0
    for index, message in enumerate(draft.messages):
        if type(message) is not dict:
            raise wrong(f"{path}.{index}", "must be an object")
        tokens += _MESSAGE
        for name, inner in message.items():
            if name == "content" and inner is not None:
                tokens += content_tokens(draft, inner, f"{path}.{index}.content")
            elif name == "output_config" and inner is not None:
                tokens += json_bytes(inner)
            elif name not in _MESSAGE_FIELDS and inner is not None:
                draft.unknown(f"{path}.{index}.{name}")
                tokens += json_bytes(inner)
        draft.marks.append(tokens)


_MESSAGE_FIELDS = {"role", "content", "output_config", "clear_at"}


def _read_system(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.tokens += _SYSTEM + content_tokens(draft, value, path)


def _read_metadata(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    user = mapping(value, path).get("user_id")
    draft.user = user if isinstance(user, str) else None


def _read_thinking(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    kind = kind_of(value, path)
    if kind == "disabled":
        draft.hidden_output = False
    elif kind in ("enabled", "adaptive", "between_tools"):
        draft.wants.add("reasoning")
        draft.hidden_output = True
        if kind == "enabled":
            whole(value.get("budget_tokens"), f"{path}.budget_tokens", LEAST_THINKING)
            draft.min_output = LEAST_THINKING + 1
    else:
        draft.unknown(f"{path}.type", f"{kind!r} is no kind of thinking that is known")


def _read_output_config(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    only(mapping(value, path), {"effort", "format", "task_budget"}, draft, path)
    form = value.get("format")
    if form is not None:
        _read_format(draft, form, path)
    if value.get("task_budget") is not None:
        draft.tokens += _SCHEMA  # the model is told what is left of it


def _read_format(draft: Draft, value: Any, _path: str) -> None:  # Any: JSON
    draft.wants.add("structured_output")
    draft.tokens += _SCHEMA + json_bytes(value)


def _read_context_management(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """What is cleared from the input makes it smaller; a summary reads it once more."""
    only(mapping(value, path), {"edits"}, draft, path)
    for index, edit in enumerate(items(value.get("edits", []), f"{path}.edits")):
        kind = kind_of(edit, f"{path}.edits.{index}")
        if not kind.startswith(("clear_tool_uses_", "clear_thinking_")):
            draft.unknown(f"{path}.edits.{index}.type", "a summary within a request reads it twice")


def _read_compaction(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """The answer is a summary: bounded like any other answer."""
    only(mapping(value, path), {"type", "instructions"}, draft, path)
    draft.tokens += _SUMMARY + json_bytes(value)


def _read_thread(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """What went before is kept at the provider."""
    if mapping(value, path).get("type") != "create":
        draft.window = True


def _read_speed(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    if text(value, path) == "fast":
        draft.priced_for(service_tier="fast")
    elif value != "standard":
        draft.unknown(path, f"{value!r} is no speed whose price is known")


def _read_service_tier(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """Priority capacity is paid for ahead, so that both are bounded by the standard price."""
    if text(value, path) not in ("auto", "standard_only"):
        draft.unknown(path, f"{value!r} is no tier whose price is known")


def _read_geo(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    if text(value, path) != "global":
        draft.priced_for(region=value)


def _read_tool_choice(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.tokens += bytes_of(str(mapping(value, path).get("name", "")))


TABLE = Table(
    free(
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "diagnostics",
        "billing_policy",
        "fallback_credit_token",
        "user_profile_id",
        "workspace_id",
        "betas",
        "anthropic_beta",
        "anthropic_version",
    )
    | {
        "model": MODEL,
        "messages": Row(_read_messages, "text by its bytes, pictures by their size"),
        "system": Row(_read_system, "its bytes", shapes=True),
        "max_tokens": Row(_read_max, "bounds the output, thinking included"),
        "stream": STREAM,
        "metadata": Row(_read_metadata, "costs nothing; may name the user"),
        "thinking": Row(_read_thinking, "counts as output, within the maximum", shapes=True),
        "tools": Row(read_tools, "bytes of their JSON; hosted ones by max_uses", shapes=True),
        "tool_choice": Row(_read_tool_choice, "its bytes", shapes=True),
        "cache_control": Row(read_mark, "the price of writing to the cache"),
        "output_config": Row(_read_output_config, "bytes of the schema", shapes=True),
        "output_format": Row(_read_format, "bytes of the schema", shapes=True),
        "context_management": Row(
            _read_context_management, "clearing costs nothing; a summary is refused", shapes=True
        ),
        "compaction": Row(_read_compaction, "its bytes and 4,096 tokens", shapes=True),
        "thread": Row(_read_thread, "continued: the model's context window", shapes=True),
        "speed": Row(_read_speed, "the price of the speed"),
        "service_tier": Row(_read_service_tier, "costs nothing"),
        "inference_geo": Row(_read_geo, "the price of the region"),
        "fallbacks": refused("another model may answer at another price; name one model"),
        "container": refused("a container runs code, in rounds without a number"),
        "mcp_servers": refused("servers are called in rounds without a number; call them yourself"),
    }
)
