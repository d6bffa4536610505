"""Gemini's embedContent and batchEmbedContents."""

from typing import Any

from ..draft import Draft
from ..rows import Row, Table, both_spellings, free, items, mapping, refused, text
from ..sizes import bytes_of
from .parts import content_tokens

_CONTENT = 8  # who speaks, and the marks around


def finish_embeddings(draft: Draft, _body: dict[str, Any]) -> None:  # Any: JSON
    """An embedding has no output tokens."""
    draft.produces_output = False
    draft.hidden_output = False


def _read_requests(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    for index, request in enumerate(items(value, path)):
        EMBED.read(draft, mapping(request, f"{path}.{index}"), f"{path}.{index}.")


def _read_config(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    EMBED.read(draft, mapping(value, path), f"{path}.")


def _read_content(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.tokens += _CONTENT + content_tokens(draft, value, path)


def _read_title(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.tokens += _CONTENT + bytes_of(text(value, path))


_EMBEDDING: dict[str, Row] = both_spellings(
    free("model", "taskType", "outputDimensionality", "mimeType", "autoTruncate", "documentOcr")
    | {
        "content": Row(_read_content, "its bytes"),
        "title": Row(_read_title, "its bytes"),
        "audioTrackExtraction": refused("sound taken from films has no bound"),
        "requests": Row(_read_requests, "each like a request of its own"),
        "embedContentConfig": Row(_read_config, "field by field"),
    }
)
EMBED: Table = Table(_EMBEDDING)
