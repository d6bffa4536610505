"""Apollo's own tables and rule for the tier of a call, which its records do not say.

A model by its whole name, else a provider, else the heaviest; its table of components is empty.
Names are compared whole, so a dated name is its provider's; our own table of tiers knows more.
"""

from tekton_budget.domain.price.tiers import HEAVYWEIGHT, LIGHTWEIGHT, MIDWEIGHT

MODEL_TIERS = {
    **dict.fromkeys(("codellama", "deepseek-coder", "starcoder"), LIGHTWEIGHT),
    **dict.fromkeys(("claude-haiku", "claude-3-haiku", "llama-3", "mistral", "qwen"), MIDWEIGHT),
    **dict.fromkeys(
        ("gpt-4", "claude-3-opus", "claude-3-sonnet", "claude-3.5-sonnet", "claude-3.7-sonnet"),
        HEAVYWEIGHT,
    ),
}
PROVIDER_TIERS = {
    "openai": HEAVYWEIGHT,
    "anthropic": HEAVYWEIGHT,
    "ollama": MIDWEIGHT,
    "local": LIGHTWEIGHT,
}


def tier_of(provider: str, model: str) -> str:
    """The tier in which Apollo counted the calls of a model."""
    found = MODEL_TIERS.get(model.lower()) or PROVIDER_TIERS.get(provider.lower())
    return found or HEAVYWEIGHT
