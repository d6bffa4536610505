"""Facts: what the lists say of the models that have a card."""

import re
from decimal import Decimal
from typing import Any

from groups import Group, Key

from tekton_budget.domain.naming import Kind, kind_of
from tekton_budget.domain.naming.spelling import folded

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
ABILITIES = ("mode", "input", "output", "tools", "reasoning", "structured_output")
_DATE = re.compile(r"-20\d\d-?\d\d-?\d\d(?=$|-v)|-v\d$")
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
    _hand_on(found)
    return [
        {"provider": provider, "model": model}
        | {name: facts[name] for name in FIELDS if name in facts}
        for (provider, model), facts in sorted(found.items())
    ]


def _hand_on(found: dict[tuple[str, str], dict[str, Any]]) -> None:
    """What a model can do is the same whoever sells it; how long a request may be is not."""
    makers: dict[str, dict[str, Any]] = {}
    for (provider, model), facts in found.items():
        if kind_of(provider) is Kind.FIRST_PARTY:
            makers.setdefault(_bare(provider, model), facts)
    for (provider, model), facts in found.items():
        known = makers.get(_bare(provider, model), {})
        if kind_of(provider) is not Kind.FIRST_PARTY:
            facts |= {
                name: known[name] for name in ABILITIES if name in known and name not in facts
            }


def _bare(provider: str, model: str) -> str:
    """A model's name without its maker, its date and its variant."""
    name = re.split("[:@]", model.rpartition("/")[2])[0]
    if provider == "bedrock":
        name = name.partition(".")[2]
    return _DATE.sub("", folded(provider, name))


def _told(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, list):
        return sorted(set(value) & set(_MODALITIES), key=_MODALITIES.index)
    return value
