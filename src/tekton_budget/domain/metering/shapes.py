"""Where each family of APIs says what it counted, and what includes what: tables, no code."""

from dataclasses import dataclass

Names = tuple[str, ...]  # dotted; several where one thing goes by several names

_IN = (
    "prompt_tokens_details",
    "prompt_token_details",
    "input_tokens_details",
    "input_token_details",
)
_OUT = (
    "completion_tokens_details",
    "completion_token_details",
    "output_tokens_details",
    "output_token_details",
)


def _in_each(places: Names, *names: str) -> Names:
    return tuple(f"{place}.{name}" for place in places for name in names)


@dataclass(frozen=True, slots=True, eq=False)  # each is itself alone: told apart at no cost
class Shape:
    """One way of telling usage. Names are looked up below the first of `roots` that is there."""

    roots: Names
    input: Names
    output: Names
    total: Names = ()
    more_input: Names = ()  # besides `input`
    cached: Names = ()
    uncached: Names = ()
    written: Names = ()  # to a cache, for any time
    written_5m: Names = ()
    written_1h: Names = ()
    written_list: str = ""  # a list of `ttl` and `inputTokens`
    reasoning: Names = ()
    input_details: Names = ()  # by modality: an object, or a list
    more_input_details: Names = ()
    output_details: Names = ()
    cached_details: Names = ()
    seconds: Names = ()  # of audio that was read
    cache_inside: bool = True  # cache counts are a part of `input`
    reasoning_inside: bool = True  # reasoning is a part of `output`
    judged: bool = False  # where the total says otherwise of reasoning, the total is right
    cache_judged: bool = False  # and of the cache
    rest_is_reasoning: bool = False  # what the total has beyond all else was thought
    zeros_left_out: bool = False  # a count that is not there is 0
    needs_output: bool = True
    input_is: str = "text"  # the modality where none is told
    output_is: str = "text"


OPENAI = Shape(
    roots=("usage", "x_groq.usage", "choices.0.usage"),
    input=("prompt_tokens", "input_tokens"),
    output=("completion_tokens", "output_tokens"),
    total=("total_tokens",),
    more_input=("connector_tokens",),  # Mistral's agents: what their tools read
    cached=(
        *_in_each(_IN, "cached_tokens"),
        "cached_tokens",  # Moonshot
        "num_cached_tokens",  # Mistral
        "prompt_cache_hit_tokens",  # DeepSeek
        "cached_prompt_text_tokens",  # xAI, early
        "cache_read_input_tokens",  # Claude behind gateways
    ),
    uncached=("prompt_cache_miss_tokens",),
    written=(
        *_in_each(
            _IN, "cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"
        ),
        "cache_write_tokens",
        "cache_creation_input_tokens",
    ),
    written_5m=(
        *_in_each(_IN, "cache_creation.ephemeral_5m_input_tokens"),
        "cache_creation.ephemeral_5m_input_tokens",
    ),
    written_1h=(
        *_in_each(_IN, "cache_creation.ephemeral_1h_input_tokens"),
        "cache_creation.ephemeral_1h_input_tokens",
    ),
    reasoning=(*_in_each(_OUT, "reasoning_tokens"), "reasoning_tokens"),
    input_details=_IN,
    output_details=_OUT,
    cached_details=_in_each(_IN, "cached_tokens_details"),
    seconds=("prompt_audio_seconds",),  # Mistral: its tokens are in the total alone
    judged=True,
    cache_judged=True,
)
ANTHROPIC = Shape(
    roots=("usage",),
    input=("input_tokens",),
    output=("output_tokens",),
    cached=("cache_read_input_tokens",),
    written=("cache_creation_input_tokens",),
    written_5m=("cache_creation.ephemeral_5m_input_tokens",),
    written_1h=("cache_creation.ephemeral_1h_input_tokens",),
    reasoning=("output_tokens_details.thinking_tokens",),
    cache_inside=False,
)
GEMINI = Shape(
    roots=("usageMetadata", "usage_metadata"),
    input=("promptTokenCount", "prompt_token_count"),
    more_input=("toolUsePromptTokenCount", "tool_use_prompt_token_count"),
    output=(
        "candidatesTokenCount",
        "candidates_token_count",
        "responseTokenCount",
        "response_token_count",
    ),
    total=("totalTokenCount", "total_token_count"),
    cached=("cachedContentTokenCount", "cached_content_token_count"),
    reasoning=("thoughtsTokenCount", "thoughts_token_count"),
    input_details=("promptTokensDetails", "prompt_tokens_details"),
    more_input_details=("toolUsePromptTokensDetails", "tool_use_prompt_tokens_details"),
    output_details=(
        "candidatesTokensDetails",
        "candidates_tokens_details",
        "responseTokensDetails",
        "response_tokens_details",
    ),
    cached_details=("cacheTokensDetails", "cache_tokens_details"),
    reasoning_inside=False,
    judged=True,
    zeros_left_out=True,
)
# Google's second way, for agents.
INTERACTIONS = Shape(
    roots=("usage",),
    input=("total_input_tokens",),
    more_input=("total_tool_use_tokens",),
    output=("total_output_tokens",),
    total=("total_tokens",),
    cached=("total_cached_tokens",),
    reasoning=("total_thought_tokens", "total_reasoning_tokens"),
    input_details=("input_tokens_by_modality",),
    more_input_details=("tool_use_tokens_by_modality",),
    output_details=("output_tokens_by_modality",),
    cached_details=("cached_tokens_by_modality",),
    reasoning_inside=False,
    judged=True,
    zeros_left_out=True,
)
BEDROCK = Shape(
    roots=("usage", "amazon-bedrock-invocationMetrics"),
    input=("inputTokens", "inputTokenCount"),
    output=("outputTokens", "outputTokenCount"),
    total=("totalTokens", "totalTokenCount"),
    cached=("cacheReadInputTokens", "cacheReadInputTokenCount"),
    written=("cacheWriteInputTokens", "cacheWriteInputTokenCount"),
    written_list="cacheDetails",
    cache_inside=False,
)
COHERE = Shape(
    # What is billed; the tokens as counted stand in only where nothing is said of the bill.
    roots=("usage.billed_units", "meta.billed_units", "usage.tokens", "meta.tokens"),
    input=("input_tokens",),
    output=("output_tokens",),
    more_input=("image_tokens",),
    more_input_details=("",),
    zeros_left_out=True,
)
# Bodies whose counts stand at the top level.
BARE = Shape(
    roots=("",),
    input=("prompt_token_count", "inputTextTokenCount", "prompt_eval_count"),
    output=("generation_token_count", "results.0.tokenCount", "eval_count"),
    zeros_left_out=True,
)
