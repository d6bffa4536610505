"""Facts: what the lists say of the models that have a card."""

from decimal import Decimal
from typing import Any

from groups import Group, Key

FIELDS = (
    "mode",
    "context_tokens",
    "max_output_tokens",
    "input",
    "output",
    "tools",
    "reasoning",
    "structured_output",
    "prompt_cache",
    "released",
    "retires",
    "open_weights",
)
_MODALITIES = ("text", "image", "audio", "video", "pdf")


def of(groups: dict[Key, Group], models: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """One object per model, without what nobody says; the best source of each fact counts."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for key in sorted(groups, key=str):
        group = groups[key]
        if group.region is not None or (group.provider, group.model) not in models:
            continue
        facts = found.setdefault((group.provider, group.model), {})
        for listing in group.now.values():
            for name, value in listing.facts.items():
                facts.setdefault(name, _told(value))
    return [
        {"provider": provider, "model": model}
        | {name: facts[name] for name in FIELDS if name in facts}
        for (provider, model), facts in sorted(found.items())
        if facts
    ]


def _told(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, list):
        return sorted(set(value) & set(_MODALITIES), key=_MODALITIES.index)
    return value
