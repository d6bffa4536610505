"""OpenAI's completions and embeddings: texts, or tokens by number."""

from typing import Any

from ..draft import Draft, wrong
from ..rows import FREE, MODEL, STREAM, Row, Table, free, mapping, read_json, text, whole
from ..sizes import bytes_of
from .shared import (
    COMPATIBLE,
    SAMPLING,
    SHARED,
    begin,
    read_max_output,
    read_response_format,
)

_TEXT = 4  # what marks the beginning and the end of a text
_DEFAULT_MAX = 16  # of completions, where the request says none


def begin_completions(draft: Draft) -> None:
    """What hangs on the model alone."""
    begin(draft)


def finish_completions(draft: Draft, body: dict[str, Any]) -> None:  # Any: JSON
    """Every prompt has its own answers, and the best of several is chosen when all are made."""
    answers = [whole(body[name], name, 1) for name in ("n", "best_of") if body.get(name)]
    draft.answers = max([1, *answers]) * max(1, len(_texts(body.get("prompt", ""), "prompt")))
    if draft.max_output is None:
        draft.max_output = _DEFAULT_MAX


def finish_embeddings(draft: Draft, _body: dict[str, Any]) -> None:  # Any: JSON
    """An embedding has no output tokens."""
    draft.produces_output = False
    draft.cache_write, draft.implicit_cache = None, False


def _read_texts(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    for one in _texts(value, path):
        draft.tokens += _TEXT + (bytes_of(one) if isinstance(one, str) else len(one))


def _texts(value: Any, path: str) -> list[str | list[int]]:  # Any: JSON
    """A text, a list of texts, a list of tokens or a list of such lists: as a list of prompts."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        if value and all(type(one) is int for one in value):
            return [value]
        if all(isinstance(one, str) or _is_tokens(one) for one in value):
            return value
    raise wrong(path, "must be a text, a list of texts, or tokens")


def _is_tokens(value: Any) -> bool:  # Any: JSON
    return isinstance(value, list) and all(type(one) is int for one in value)


def _read_suffix(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.tokens += _TEXT + bytes_of(text(value, path))


def _read_stream_options(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.asked_for_usage = mapping(value, path).get("include_usage") is True


COMPLETIONS = Table(
    COMPATIBLE
    | SAMPLING
    | SHARED
    | free("echo", "n", "best_of")
    | {
        "model": MODEL,
        "prompt": Row(_read_texts, "its bytes; answers for each"),
        "suffix": Row(_read_suffix, "its bytes"),
        "stream": STREAM,
        "stream_options": Row(_read_stream_options, "costs nothing"),
        "max_tokens": Row(read_max_output, "bounds the output; 16 without it"),
        "n": Row(None, "so many times the output"),
        "best_of": Row(None, "so many times the output"),
        "response_format": Row(read_response_format, "bytes of the schema"),
        "system": Row(read_json, "its bytes"),  # Ollama
    }
)

EMBEDDINGS = Table(
    {
        "model": MODEL,
        "input": Row(_read_texts, "its bytes"),
        "user": SHARED["user"],
        "safety_identifier": SHARED["safety_identifier"],
        "metadata": FREE,
    }
    | free(
        "dimensions",
        "encoding_format",
        "input_type",
        "truncate",
        "truncation",
        "truncate_prompt_tokens",
        "output_dimension",
        "output_dtype",
        "normalize",
        "embedding_type",
        "keep_alive",
        "options",
        "priority",
        "provider",
        "timeout",
    )
)
