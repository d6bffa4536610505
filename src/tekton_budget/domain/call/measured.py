"""What a provider counted of an input, whatever of it was cached."""

from collections.abc import Mapping
from typing import Any

from .api import Api

# Where each API tells it; several fields are parts of one input.
_COUNTS: dict[Api, tuple[str, ...]] = {
    Api.OPENAI_CHAT: ("prompt_tokens",),
    Api.OPENAI_COMPLETIONS: ("prompt_tokens",),
    Api.OPENAI_RESPONSES: ("input_tokens",),
    Api.OPENAI_EMBEDDINGS: ("prompt_tokens",),
    Api.ANTHROPIC_MESSAGES: (
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
    ),
    Api.GEMINI_GENERATE: ("promptTokenCount", "toolUsePromptTokenCount"),
    Api.GEMINI_EMBED: ("promptTokenCount",),
}


def measured_input(api: Api, response: Mapping[str, Any]) -> int | None:  # Any: JSON
    """The tokens of the input as the answer tells them; `None` if it does not."""
    usage = response.get("usageMetadata" if api.value.startswith("gemini") else "usage")
    if not isinstance(usage, Mapping):
        return None
    found = [usage.get(name) for name in _COUNTS[api]]
    if not isinstance(found[0], int):
        return None
    return sum(count for count in found if isinstance(count, int))
