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


def of(groups: dict[Key, Group], cards: dict[Key, list[Any]]) -> list[dict[str, Any]]:  # Any: JSON
    """One object per model, without what nobody says; the best source of each fact counts."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for key in sorted(cards, key=str):
        if key not in groups:
            continue
        facts: dict[str, Any] = {}
        for listing in groups[key].now.values():
            for name, value in listing.facts.items():
                facts.setdefault(name, _told(value))
        if facts:
            head = (groups[key].provider, cards[key][0]["model"])
            found[head] = {name: facts[name] for name in FIELDS if name in facts}
    return [
        {"provider": provider, "model": model} | facts
        for (provider, model), facts in sorted(found.items())
    ]


def _told(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, list):
        return sorted(set(value) & set(_MODALITIES), key=_MODALITIES.index)
    return value
