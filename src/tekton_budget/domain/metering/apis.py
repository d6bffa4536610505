"""Which API a response came from: by the word for it, else by who sold it and by its shape."""

from dataclasses import dataclass, replace

from tekton_budget.domain.errors import InvalidInput, invalid

from .counting import missing
from .fields import INVALID, Place
from .shapes import ANTHROPIC, BARE, BEDROCK, COHERE, GEMINI, INTERACTIONS, OPENAI, Shape

# How each flavour of API tells usage.
FLAVOURS: dict[str, Shape] = {
    "chat": OPENAI,
    "responses": OPENAI,
    "xai_chat": replace(OPENAI, reasoning_inside=False),
    "google_chat": replace(OPENAI, rest_is_reasoning=True),
    "realtime": replace(OPENAI, zeros_left_out=True),
    "embeddings": replace(OPENAI, needs_output=False),
    "images": replace(OPENAI, output_is="image"),  # gpt-image-1 does not tell what it made
    "speech": replace(OPENAI, output_is="audio"),
    "transcriptions": replace(OPENAI, input_is="audio"),
    "videos": OPENAI,
    "ocr": OPENAI,
    "messages": ANTHROPIC,
    "generate": GEMINI,
    "interactions": INTERACTIONS,
    "converse": BEDROCK,
    "bare": BARE,
    "cohere": COHERE,
}
# Other words for them, after the dot of an API.
_WORDS = {
    "completions": "chat",
    "openai": "chat",
    "anthropic": "messages",
    "gemini": "generate",
    "generate_content": "generate",
    "live": "generate",
    "nova": "converse",
    "llama": "bare",
    "titan": "bare",
    "translations": "transcriptions",
    "embedding": "embeddings",
    "embed": "embeddings",
    "rerank": "embeddings",
}
_GOOGLE = {
    "chat": "google_chat",
    "completions": "google_chat",
    "openai": "google_chat",
    "embed": "generate",
    "batch": "generate",
}
_XAI = {"chat": "xai_chat", "completions": "xai_chat", "openai": "xai_chat"}
_COHERE = dict.fromkeys(("chat", "chat_v1", "chat_v2", "embed", "embeddings", "rerank"), "cohere")
# Where a word means something else at one seller.
_AT: dict[str, dict[str, str]] = {
    "cohere": _COHERE,
    "google": _GOOGLE,
    "vertex": _GOOGLE,
    "xai": _XAI,
    "ollama": {"chat": "bare", "generate": "bare"},
    "anthropic": {"batch": "messages"},
}
_SYNONYMS = {
    "gemini": "google",
    "google-gla": "google",
    "google_ai_studio": "google",
    "google-vertex": "vertex",
    "google-vertex-anthropic": "vertex",
    "vertex_ai": "vertex",
    "vertexai": "vertex",
    "x-ai": "xai",
    "grok": "xai",
    "aws": "bedrock",
    "amazon": "bedrock",
    "amazon-bedrock": "bedrock",
    "aws_bedrock": "bedrock",
    "azure_openai": "azure",
    "azure-openai": "azure",
    "mistralai": "mistral",
}
# What tells a body, the surest first: the first name that is there decides.
_MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("generate", ("usageMetadata", "usage_metadata")),
    ("cohere", ("usage.billed_units", "meta.billed_units", "usage.tokens", "meta.tokens")),
    ("ocr", ("usage_info.pages_processed",)),
    ("converse", ("usage.inputTokens", "usage.inputTokenCount", "usage.outputTokens")),
    ("chat", ("usage.prompt_tokens", "usage.completion_tokens", "x_groq.usage", "choices.0.usage")),
    ("bare", ("prompt_eval_count", "eval_count")),
    ("bare", ("prompt_token_count", "generation_token_count")),
    ("bare", ("inputTextTokenCount",)),
    ("messages", ("usage.cache_creation_input_tokens", "usage.cache_read_input_tokens")),
    ("messages", ("usage.iterations", "usage.cache_creation", "stop_reason")),
    ("transcriptions", ("usage.seconds", "usage.prompt_audio_seconds")),
    ("images", ("data.0.b64_json", "data.0.url")),
    ("realtime", ("usage.input_token_details", "usage.output_token_details")),
    ("responses", ("usage.input_tokens_details", "usage.output_tokens_details")),
    ("responses", ("usage.input_tokens", "usage.output_tokens")),
    ("interactions", ("usage.total_input_tokens", "usage.total_output_tokens")),
    ("embeddings", ("usage.total_tokens",)),
    ("converse", ("amazon-bedrock-invocationMetrics",)),
)
# Sellers whose plain `input_tokens` are Anthropic's, which leave the cache out.
_OF_CLAUDE = {"anthropic", "bedrock", "vertex"}


@dataclass(frozen=True, slots=True)
class Api:
    """An API as recognised. `flavour` is the word that tells how it is read."""

    word: str
    seller: str
    flavour: str
    shape: Shape
    batch: bool = False


def seller_of(provider: str) -> str:
    """A provider's name as the tables here spell it."""
    name = provider.strip().lower()
    return _SYNONYMS.get(name, name)


def recognised(api: str | None, provider: str | None, body: Place) -> Api:
    """The API of a response. Its shape decides where the word is not known, or says otherwise."""
    word = (api or "").strip().lower().replace("/", ".").replace(":", ".")
    prefix, _, spoken = word.rpartition(".")
    bare = not prefix and word in FLAVOURS  # `chat`, of whoever sold it
    speaker = "" if bare else seller_of(prefix.split(".")[0] or word)
    seller = seller_of(provider or "") or speaker
    flavour = _flavour(seller, speaker or seller, spoken) if prefix or bare else None
    mark = None if flavour and _tells(flavour, body) else _by_marks(seller, body)
    if mark is not None:
        own = _flavour(seller, seller, mark)
        flavour = own if own and _tells(own, body) else mark
        spoken = spoken if prefix else mark
    if flavour is None:
        raise _unknown(body)
    word = word if prefix else f"{seller or 'unknown'}.{spoken}"
    return Api(word, seller, flavour, FLAVOURS[flavour], spoken == "batch")


def _flavour(seller: str, speaker: str, word: str) -> str | None:
    """A seller's own meaning comes first: xAI's chat is its own, also as `openai.chat`."""
    own = _AT.get(seller, {}) if speaker in {seller, "openai"} else {}
    found = own.get(word) or _AT.get(speaker, {}).get(word) or _WORDS.get(word, word)
    return found if found in FLAVOURS else None


def _tells(flavour: str, body: Place) -> bool:
    """Whether there is anything in the body where this flavour tells its usage."""
    shape = FLAVOURS[flavour]
    names = (*shape.input, *shape.output) if shape.roots == ("",) else shape.roots
    return any(body.value(name) is not None for name in names)


def _by_marks(seller: str, body: Place) -> str | None:
    if body.value("type") == "message":
        return "messages"
    for flavour, names in _MARKS:
        if any(body.value(name) is not None for name in names):
            if flavour == "responses" and seller in _OF_CLAUDE:
                return "messages"
            return flavour
    return None


def _unknown(body: Place) -> InvalidInput:
    if body.value("usage"):
        return invalid(
            body.path_of("usage"),
            "is of no shape that is known; name the `api` (openai.chat, anthropic.messages, …)",
            INVALID,
        )
    return missing(body.path_of("usage"), "no usage object")
