"""OpenAI's responses."""

from typing import Any

from ..draft import Draft
from ..rows import (
    FREE,
    FREE_SHAPING,
    JSON,
    MODEL,
    STREAM,
    Row,
    Table,
    free,
    items,
    mapping,
    only,
    refused,
    text,
    whole,
)
from ..sizes import bytes_of, json_bytes
from .response_items import ITEM, item_tokens
from .response_tools import finish_tools, tools_tokens
from .shared import (
    COMPATIBLE,
    SAMPLING,
    SCHEMA,
    SHARED,
    TOOLS,
    begin,
    read_max_output,
)

_TEMPLATE = 160  # as of chat completions
_LEAST_OUTPUT = 16


def begin_responses(draft: Draft) -> None:
    """What hangs on the model alone, and the least that this API takes."""
    begin(draft)
    draft.tail = _TEMPLATE
    draft.min_output = _LEAST_OUTPUT


def finish_responses(draft: Draft, body: dict[str, Any]) -> None:  # Any: JSON
    """What hangs on several fields."""
    most = body.get("max_tool_calls")
    finish_tools(draft, None if most is None else whole(most, "max_tool_calls"), body.get("tools"))


def _read_input(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    if isinstance(value, str):
        draft.messages = [{"role": "user", "content": value}]
        draft.marks.append(ITEM + bytes_of(value))
        return
    draft.messages = items(value, path)
    tokens = 0
    for index, item in enumerate(draft.messages):
        tokens += item_tokens(draft, item, f"{path}.{index}")
        draft.marks.append(tokens)


def _read_instructions(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.tokens += ITEM + bytes_of(text(value, path))


def _read_tools(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.tokens += TOOLS + tools_tokens(draft, value, path)


def _read_reasoning(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.wants.add("reasoning")
    only(mapping(value, path), _REASONING, draft, path)
    if value.get("mode") not in (None, "standard"):
        draft.unknown(f"{path}.mode", "more passes have no bound; send mode: standard")
    if value.get("effort") == "none":
        draft.hidden_output = False


_REASONING = {"effort", "summary", "generate_summary", "context", "mode", "max_tokens", "exclude"}
_REASONING |= {"enabled"}


def _read_text(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    only(mapping(value, path), {"format", "verbosity"}, draft, path)
    form = value.get("format")
    if form is not None and mapping(form, f"{path}.format").get("type") != "text":
        draft.wants.add("structured_output")
        draft.tokens += SCHEMA + json_bytes(form)


def _read_state(draft: Draft, _value: Any, _path: str) -> None:  # Any: JSON
    """What went before is kept at the provider."""
    draft.window = True


_STATE = Row(_read_state, "the model's context window", shapes=True)

TABLE = Table(
    COMPATIBLE
    | SAMPLING
    | SHARED
    | free("include", "access_programs", "max_tool_calls", "client_metadata")
    | {
        "model": MODEL,
        "input": Row(_read_input, "text by its bytes, pictures by their size"),
        "instructions": Row(_read_instructions, "its bytes", shapes=True),
        "stream": STREAM,
        "stream_options": FREE,
        "max_output_tokens": Row(read_max_output, "bounds the output"),
        "tools": Row(_read_tools, "bytes of their JSON; hosted ones by max_tool_calls", True),
        "tool_choice": JSON,
        "text": Row(_read_text, "bytes of the schema", shapes=True),
        "reasoning": Row(_read_reasoning, "counts as output, within the maximum", shapes=True),
        "image": FREE_SHAPING,
        "truncation": FREE_SHAPING,
        "previous_response_id": _STATE,
        "conversation": _STATE,
        "prompt": _STATE,
        "background": refused("its usage would arrive after the answer; send background: false"),
        "background_options": refused("its usage would arrive after the answer"),
        "context_management": refused("compaction in a request reads it twice; compact before"),
        "generate": FREE,
    }
)
