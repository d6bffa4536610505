"""Fields that OpenAI's APIs share, and what providers that speak them add."""

import re
from typing import Any

from ..draft import Draft
from ..image_rules import bare
from ..rows import FREE, FREE_SHAPING, JSON, Row, free, mapping, refused, text, whole
from ..sizes import json_bytes

TOOLS = 64  # the frame of a list of tools
TOOL = 16  # the frame of one
SCHEMA = 64  # the frame of a schema that the answer must follow

# Claude and Gemini too, through those that sell the models of others: at most a summary is shown.
_HIDES_REASONING = re.compile(
    r"o\d|gpt-([5-9]|\d\d)|codex|grok|claude-(?!3|2|instant|\w+-4)|gemini-(?!1|2\.0)"
)
_ONLINE = ":online"  # OpenRouter's
_PAYS_FOR_CACHE = re.compile(r"gpt-(5\.[6-9]|5\.\d\d|[6-9]|\d\d)")
_STANDARD_TIERS = {"auto", "default", "standard", "on_demand", "standard_only"}
_TIERS = {"flex": "flex", "priority": "priority", "fast": "priority", "ultrafast": "ultrafast"}
_TIERS |= {"scale": "scale", "performance": "performance", "batch": "batch"}


def begin(draft: Draft) -> None:
    """What hangs on the model alone."""
    name = bare(draft.model)
    if name.endswith(_ONLINE):
        draft.unknown("model", f"{_ONLINE} searches at a price of its own; name it without")
    draft.hidden_output = _HIDES_REASONING.match(name) is not None
    # These write to the cache unasked, and charge for it.
    draft.implicit_cache = _PAYS_FOR_CACHE.match(name) is not None


def read_max_output(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """The largest of the maxima given: which of them a provider reads is its own affair."""
    most = whole(value, path, 1)
    draft.max_output = most if draft.max_output is None else max(draft.max_output, most)


def read_service_tier(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """A tier with a price of its own; one that is not known has none that is known."""
    tier = text(value, path).lower()
    if tier in _STANDARD_TIERS:
        return
    if tier not in _TIERS:
        draft.unknown(path, f"{tier!r} is no tier whose price is known")
    draft.priced_for(service_tier=_TIERS.get(tier, tier))


def read_effort(draft: Draft, value: Any, _path: str) -> None:  # Any: JSON
    """How much to think; it counts as output, within the maximum."""
    draft.wants.add("reasoning")
    if value == "none":
        draft.hidden_output = False
    elif bare(draft.model).startswith("claude"):
        draft.hidden_output = True


def read_thinking_budget(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """Qwen's: its maximum bounds the answer alone, not what was thought before."""
    draft.wants.add("reasoning")
    draft.add_units("reasoning", whole(value, path))


def read_response_format(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """A schema stands in the prompt."""
    if mapping(value, path).get("type") != "text":
        draft.wants.add("structured_output")
        draft.tokens += SCHEMA + json_bytes(value)


def read_user(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """Who uses the application; the newer field goes before the older."""
    if draft.user is None or path == "safety_identifier":
        draft.user = text(value, path)


def read_cache_options(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    """Whether input is written to a cache, which costs from GPT-5.6 on."""
    if mapping(value, path).get("prewarm"):
        draft.unknown(f"{path}.prewarm", "what is written without an answer is not told back")
    if value.get("mode") == "explicit":
        draft.implicit_cache = False  # only parts with a mark are written


SAMPLING = free(
    "temperature",
    "top_p",
    "seed",
    "stop",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
)

SHARED = {
    "user": Row(read_user, "costs nothing; may name the user"),
    "safety_identifier": Row(read_user, "costs nothing; may name the user"),
    "service_tier": Row(read_service_tier, "the tier's prices"),
    "prompt_cache_key": FREE,
    "prompt_cache_options": Row(read_cache_options, "the price of writing to the cache"),
    "prompt_cache_retention": FREE,
    "metadata": FREE,
    "store": FREE,
    "moderation": FREE,
    "parallel_tool_calls": FREE_SHAPING,
}


def _read_safe_prompt(draft: Draft, _value: Any, _path: str) -> None:  # Any: JSON
    """Mistral sets a text of its own before the first message."""
    draft.tokens += 256


def _read_prompt_mode(draft: Draft, _value: Any, _path: str) -> None:  # Any: JSON
    """Mistral sets a text about reasoning before the first message."""
    draft.tokens += 1_024


def _read_search(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    if mapping(value, path).get("mode") != "off":
        draft.unknown(path, 'sources have a price each and no number; send {"mode": "off"}')


_OTHER_MODEL = refused("another model may answer at another price; name one model")

# Of vLLM, SGLang, Ollama, LM Studio, Mistral, Groq, DeepSeek, Together, xAI, OpenRouter, LiteLLM.
COMPATIBLE = free(
    "top_k",
    "top_a",
    "min_p",
    "typical_p",
    "repetition_penalty",
    "length_penalty",
    "random_seed",
    "ignore_eos",
    "min_tokens",
    "use_beam_search",
    "early_stopping",
    "stop_token_ids",
    "include_stop_str_in_output",
    "skip_special_tokens",
    "spaces_between_special_tokens",
    "truncate_prompt_tokens",
    "allowed_token_ids",
    "bad_words",
    "prompt_logprobs",
    "return_token_ids",
    "return_tokens_as_token_ids",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
    "guided_decoding_backend",
    "guided_whitespace_pattern",
    "structured_outputs",
    "logits_processors",
    "cache_salt",
    "priority",
    "request_id",
    "keep_alive",
    "options",
    "mirostat",
    "mirostat_eta",
    "mirostat_tau",
    "tfs_z",
    "num_ctx",
    "include_reasoning",
    "reasoning_format",
    "reasoning_split",
    "separate_reasoning",
    "disable_tool_validation",
    "citation_options",
    "context_length_exceeded_behavior",
    "transforms",
    "provider",
    "usage",
    "session_id",
    "trace",
    "tags",
    "timeout",
    "stream_timeout",
    "drop_params",
    "prompt_truncate_len",
    "raw_mode",
    "return_progress",
    "timings_per_token",
    "cache_prompt",
    "id_slot",
    "ttl",
    "draft_model",
    "user_id",
) | {
    "chat_template_kwargs": JSON,
    "documents": JSON,
    "guided_json": JSON,
    "format": JSON,
    "safe_prompt": Row(_read_safe_prompt, "256 tokens", shapes=True),
    "prompt_mode": Row(_read_prompt_mode, "1,024 tokens", shapes=True),
    "reasoning": Row(read_effort, "counts as output, within the maximum", shapes=True),
    "thinking": Row(read_effort, "counts as output, within the maximum", shapes=True),
    "thinking_budget": Row(read_thinking_budget, "as further output", shapes=True),
    "enable_thinking": Row(read_effort, "as further output, with thinking_budget", shapes=True),
    "think": Row(read_effort, "counts as output, within the maximum", shapes=True),
    "add_generation_prompt": FREE_SHAPING,
    "continue_final_message": FREE_SHAPING,
    "add_special_tokens": FREE_SHAPING,
    "models": _OTHER_MODEL,
    "route": _OTHER_MODEL,
    "fallbacks": _OTHER_MODEL,
    "preset": refused("a stored prompt is not in the request; send its text"),
    "plugins": refused("plugins search and read files at a price of their own"),
    "search_parameters": Row(
        _read_search,
        "refused unless off: sources found have a price each and no number",
    ),
    "search_settings": refused("the searches of a compound system have no number"),
    "compound_custom": refused("the models and tools of a compound system have no bound"),
    "enable_search": refused("searches have a price each and no number"),
    "data_sources": refused("what is retrieved has no bound; send it as text"),
    "deferred": refused("its usage would arrive after the answer; send deferred: false"),
    "chat_template": refused("a template of one's own may repeat the messages"),
    "mm_processor_kwargs": refused("it changes the size of pictures"),
    "extra_body": refused("send its fields in the body itself"),
}
