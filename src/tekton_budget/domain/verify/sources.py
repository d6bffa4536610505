"""Sources: which are one family, which may stand alone, which keep regions apart."""

import re

# Copies and derived sets say nothing of their own: each family has one vote. The first of a family
# speaks for it; the others do where it is silent.
FAMILIES: dict[str, tuple[str, ...]] = {
    "litellm": ("litellm", "tokencost", "agentops"),
    "genai": ("genai", "genaiprices", "pydanticgenaiprices", "pydantic"),
    "langfuse": ("langfuse",),
    "modelsdev": ("modelsdev", "tokenlens", "piai"),
    "portkey": ("portkey", "portkeymodels"),
    "llmprices": ("llmprices", "simonw"),
    "openrouter": ("openrouter",),
    "helicone": ("helicone",),
}
_PLACE_OF = {
    name: (family, place) for family, names in FAMILIES.items() for place, name in enumerate(names)
}

# Whose price a report uses where sources differ, and who wins a tie: rare errors, dated prices and
# checks by people first.
PREFERENCE = ("genai", "litellm", "langfuse", "modelsdev", "portkey", "llmprices", "openrouter")

TRUSTED_ALONE = frozenset({"litellm", "genai", "langfuse", "modelsdev"})
REGION_AWARE = frozenset({"litellm", "genai"})

CLOUDS = frozenset(
    {
        "bedrock", "amazonbedrock", "bedrockconverse", "aws", "awsbedrock", "sagemaker",
        "azure", "azureai", "azureopenai", "azurecognitiveservices",
        "vertex", "vertexai", "googlevertex", "googlevertexanthropic",
    }
)  # fmt: skip


def family_of(source: str) -> str:
    """The family a source belongs to; one that is not known is a family of its own."""
    return _placed(source)[0]


def rank_of(source: str, provider: str) -> tuple[int, int, str]:
    """The order of preference at a seller, the most preferred first."""
    family, place = _placed(source)
    if family == word_of(provider):
        return (-1, place, source)  # the seller's own list
    known = PREFERENCE.index(family) if family in PREFERENCE else len(PREFERENCE)
    return (known, place, source)


def is_trusted_alone(source: str, provider: str, *, regional: bool) -> bool:
    """Whether a price may be used that only this source gives.

    Of a regional name only sources that keep regions apart are believed.
    """
    family = family_of(source)
    trusted = REGION_AWARE if regional else TRUSTED_ALONE
    return family in trusted or family == word_of(provider)


def is_cloud(provider: str) -> bool:
    """Whether the seller's prices depend on region or zone under one model name."""
    return word_of(provider) in CLOUDS


def silence(source: str, provider: str) -> str:
    """Why a source has nothing to say about this seller's prices; empty if it has."""
    family, at_openrouter = family_of(source), word_of(provider) == "openrouter"
    if family == "openrouter" and not at_openrouter:
        return "OpenRouter lists what OpenRouter charges, not what others do"
    if family == "helicone" and at_openrouter:
        return "Helicone's OpenRouter prices include a margin of its own"
    return ""


def word_of(name: str) -> str:
    """A source's or seller's name without case and punctuation: `models.dev` is `modelsdev`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _placed(source: str) -> tuple[str, int]:
    word = word_of(source)
    return _PLACE_OF.get(word, (word or source, 0))
