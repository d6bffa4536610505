"""OpenAI's chat completions, which most other providers speak too."""

from typing import Any

from ..draft import Draft, wrong
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
    whole,
)
from ..sizes import bytes_of, json_bytes
from .parts import content_tokens, tool_call_tokens
from .shared import (
    COMPATIBLE,
    SAMPLING,
    SHARED,
    TOOL,
    TOOLS,
    begin,
    read_effort,
    read_max_output,
    read_response_format,
)

# <|start|>role<|message|>…<|end|>: three marks and the role, and one more with a name.
_MESSAGE = 8
# What starts the answer, and the system text that templates of open models set before the first
# message: gpt-oss some 70 tokens, Llama and Qwen some 30.
_TEMPLATE = 160
_SEARCHES = "-search-"  # gpt-4o-search-preview, gpt-5-search-api: they do so unasked
_GROK_TEMPLATE = 1_024  # xAI's own system text before every request


def begin_chat(draft: Draft) -> None:
    """What hangs on the model alone."""
    begin(draft)
    draft.tail = _GROK_TEMPLATE if "grok" in draft.model else _TEMPLATE
    if _SEARCHES in draft.model:
        _search(draft, "medium")


def _read_messages(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.messages = items(value, path)
    tokens = 0
    for index, message in enumerate(draft.messages):
        if type(message) is not dict:
            raise wrong(f"{path}.{index}", "must be an object")
        tokens += _MESSAGE
        for name, inner in message.items():
            if name in _TEXTS and type(inner) is str:
                tokens += bytes_of(inner)
            elif inner is not None:
                tokens += _other_tokens(draft, name, inner, f"{path}.{index}.{name}")
        draft.marks.append(tokens)


_TEXTS = frozenset(
    {"role", "content", "name", "tool_call_id", "refusal", "reasoning_content", "reasoning"}
)
_WRITTEN = frozenset(
    {
        "function_call",
        "annotations",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "thinking_blocks",
        "provider_specific_fields",
        "tool_plan",
        "id",
        "type",
        "status",
        "phase",
        "prefix",
        "partial",
        "weight",
    }
)


def _other_tokens(draft: Draft, name: str, inner: Any, path: str) -> int:  # Any: JSON
    if name == "content":
        return content_tokens(draft, inner, path)
    if name == "tool_calls":
        return tool_call_tokens(inner)
    if name == "cache_control":
        draft.writes_cache(mapping(inner, path).get("ttl"))
        return 0
    if name == "audio":
        draft.unknown(path, "sound made before has no bound; send its transcript as content")
    elif name in _TEXTS - {"reasoning", "reasoning_content"}:
        raise wrong(path, "must be a text")
    elif name not in _WRITTEN:
        draft.unknown(path)
    return json_bytes(inner)


def _read_tools(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.wants.add("tools")
    draft.tokens += TOOLS
    for index, tool in enumerate(items(value, path)):
        kind = mapping(tool, f"{path}.{index}").get("type", "function")
        if kind not in ("function", "custom"):
            draft.unknown(
                f"{path}.{index}.type",
                f"{kind!r} runs at the provider, without a bound; send functions",
                drop=("tools", index),
            )
        if tool.get("cache_control") is not None:
            draft.writes_cache(mapping(tool["cache_control"], path).get("ttl"))
        draft.tokens += TOOL + json_bytes(tool)


def _read_functions(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.wants.add("tools")
    draft.tokens += TOOLS + json_bytes(value) + TOOL * len(items(value, path))


def _read_n(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.answers = max(draft.answers, whole(value, path, 1))


def _read_stream_options(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.asked_for_usage = mapping(value, path).get("include_usage") is True
    only(value, _STREAM_OPTIONS, draft, path)


_STREAM_OPTIONS = {"include_usage", "include_obfuscation", "continuous_usage_stats"}


def _read_prediction(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """Of a prediction that the model does not follow, each token is billed as output.

    The reference says that they count towards the output maximum, the guide that a maximum cannot
    be given with a prediction: they are held beside it, at the price of what is not shown.
    """
    only(mapping(value, path), {"type", "content"}, draft, path)
    draft.add_units("reasoning", content_tokens(draft, value.get("content"), f"{path}.content"))


def _read_modalities(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    for index, modality in enumerate(items(value, path)):
        if modality == "audio":
            draft.wants.add("audio")
            draft.units["output_audio"] = 0  # until all fields are read
        elif modality != "text":
            draft.unknown(f"{path}.{index}", f"{modality!r} has no bound; ask for text or audio")


def _read_web_search(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """Models that search do so once for a request, and read what they find."""
    size = mapping(value, path).get("search_context_size")
    only(value, {"search_context_size", "user_location"}, draft, path)
    _search(draft, size if isinstance(size, str) else "medium")


def _search(draft: Draft, size: str) -> None:
    draft.units["web_search"] = 1
    draft.window = True
    draft.priced_for(search_context_size=size)


def finish_chat(draft: Draft, body: dict[str, Any]) -> None:  # Any: JSON
    """What hangs on several fields: sound has a price of its own for all that may be said."""
    units = draft.units
    if body.get("enable_thinking") and body.get("thinking_budget") is None:
        draft.unknown(
            "enable_thinking", "what is thought has a bound with thinking_budget; send it"
        )
    if "web_search" in units:
        units["web_search"] *= draft.answers
    if "reasoning" in units:
        units["reasoning"] *= draft.answers
    if "output_audio" in units:
        if draft.max_output is None:
            draft.unknown("modalities", "sound has a bound with max_completion_tokens; send it")
        units["output_audio"] = (draft.max_output or 0) * draft.answers


TABLE = Table(
    COMPATIBLE
    | SAMPLING
    | SHARED
    | free("extra_headers", "extra_query", "reasoning_summary", "verbosity", "top_n_sigma")
    | {
        "model": MODEL,
        "messages": Row(_read_messages, "text by its bytes, pictures by their size"),
        "stream": STREAM,
        "stream_options": Row(_read_stream_options, "costs nothing"),
        "max_tokens": Row(read_max_output, "bounds the output"),
        "max_completion_tokens": Row(read_max_output, "bounds the output"),
        "n": Row(_read_n, "so many times the output"),
        "best_of": Row(_read_n, "so many times the output"),
        "tools": Row(_read_tools, "bytes of their JSON; hosted ones refused", shapes=True),
        "functions": Row(_read_functions, "bytes of their JSON", shapes=True),
        "tool_choice": JSON,
        "function_call": JSON,
        "response_format": Row(read_response_format, "bytes of the schema", shapes=True),
        "prediction": Row(_read_prediction, "its bytes, as further output"),
        "reasoning_effort": Row(read_effort, "counts as output, within the maximum", shapes=True),
        "modalities": Row(_read_modalities, "sound as all that may be said"),
        "audio": FREE,
        "web_search_options": Row(_read_web_search, "one search; the model's context window"),
        "verbosity": FREE_SHAPING,
    }
)
