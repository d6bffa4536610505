"""The APIs whose requests are read: one word per wire format, not per provider."""

from enum import StrEnum


class Api(StrEnum):
    """A wire format; OpenAI-compatible providers speak OpenAI's."""

    OPENAI_CHAT = "openai.chat"
    OPENAI_RESPONSES = "openai.responses"
    OPENAI_COMPLETIONS = "openai.completions"
    OPENAI_EMBEDDINGS = "openai.embeddings"
    ANTHROPIC_MESSAGES = "anthropic.messages"
    GEMINI_GENERATE = "gemini.generate"
    GEMINI_EMBED = "gemini.embed"
