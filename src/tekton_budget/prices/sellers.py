"""Sellers: each source's ids of providers in our words, and regions written into model names."""

import re

# Our ids as they are, and what others call them. An id that is not here stays as it is listed.
_SYNONYMS = {
    "google": ("gemini", "google-gla", "google-ai-studio", "google_ai_studio"),
    "vertex": (
        "vertex_ai",
        "vertex-ai",
        "google-vertex",
        "google-vertex-anthropic",
        "google_vertex",
    ),
    "azure": ("azure-openai", "azure_openai", "azure_text"),
    "azure_ai": ("azure-ai", "azure-foundry"),
    "bedrock": (
        "aws",
        "amazon-bedrock",
        "aws-bedrock",
        "bedrock_converse",
        "bedrock-converse",
        "amazon",
    ),
    "mistral": ("mistralai", "mistral-ai"),
    "cohere": ("cohere_chat", "cohere-chat"),
    "xai": ("x-ai", "x_ai"),
    "moonshot": ("moonshotai", "moonshot-ai"),
    "together": ("together_ai", "together-ai", "togetherai"),
    "fireworks": ("fireworks_ai", "fireworks-ai"),
    "perplexity": ("perplexity-ai", "perplexity_ai"),
    "alibaba": ("dashscope", "alibaba-cloud", "qwen"),
    "zai": ("z-ai", "zhipu", "zhipuai", "z_ai"),
    "openai": ("text-completion-openai", "open-ai"),
    "deepinfra": ("deep-infra", "deep_infra"),
    "nvidia": ("nvidia_nim",),
    "novita": ("novita-ai", "novita_ai"),
}
_OURS = {name: ours for ours, names in _SYNONYMS.items() for name in names}

CLOUDS = frozenset({"bedrock", "azure", "azure_ai", "vertex"})
_BEDROCK_REGION = re.compile(r"(us-gov|us|eu|apac|jp|au|ca|global|regional)\.(?=[a-z0-9-]+\.)")
_AZURE_ZONE = re.compile(r"(us|eu|global|global-standard)/")
_NO_REGION = frozenset({"global", "global-standard"})


def ours(provider: str) -> str:
    """Our id of a provider that a source names in its own way."""
    name = provider.strip().lower()
    return _OURS.get(name, name)


def without_region(seller: str, model: str) -> tuple[str, str | None]:
    """A cloud's model name without the region in front of it, and that region; global is none."""
    pattern = {"bedrock": _BEDROCK_REGION, "azure": _AZURE_ZONE}.get(seller)
    found = pattern.match(model) if pattern else None
    if not found:
        return model, None
    region = "*" if found[1] == "regional" else found[1]
    return model[found.end() :], None if region in _NO_REGION else region
