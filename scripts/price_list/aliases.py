"""Aliases: other names of a card. Listed as the same, or a dated snapshot of the very same rates."""

import re
from collections import defaultdict
from typing import Any

from groups import Group, Key, folded

Card = dict[str, Any]  # Any: JSON
Alias = dict[str, str]

_DATED = re.compile(
    r"(?P<base>.+?)(?:-preview)?-(?:\d{4}-\d{2}-\d{2}|20\d{6}|\d{2}-20\d{2}|\d{2}-\d{2}|\d{4}|v\d+)"
)
_FLOATING = re.compile(r"-latest$|:latest$")
_MODELS_THAT_SAY_LATEST = re.compile(r"-chat-latest$|^chatgpt-")
_OWN_DATES = ("vertex", "bedrock", "azure")  # a snapshot there is another thing than its base


def floats(model: str) -> bool:
    """Whether a name means another model from time to time, so that no list can price it."""
    return bool(_FLOATING.search(model)) and not _MODELS_THAT_SAY_LATEST.search(model)


def of_snapshots(cards: dict[Key, list[Card]]) -> list[Alias]:
    """Dated names whose card says the same as that of the undated one; the card is taken out."""
    found = []
    for provider, model, _ in sorted(cards, key=str):
        match = _DATED.fullmatch(model)
        base = (provider, match["base"], None) if match else None
        if base is None or base not in cards or provider in _OWN_DATES:
            continue
        dated, undated = cards[provider, model, None], cards[base]
        if len(dated) == 1 and _says_the_same(dated[0], undated[-1]):
            found.append(_alias(provider, dated[0]["model"], undated[0]["model"]))
            del cards[provider, model, None]
    return found


def _says_the_same(dated: Card, base: Card) -> bool:
    """Whether a card says nothing that the other does not say just so."""
    if dated["rates"].get("input") is None or set(dated["rates"]) < {"input", "output"} & set(
        base["rates"]
    ):
        return False
    told = ("rates", "tiers", "schedule", "regions", "fees")
    return all(_within(dated[key], base.get(key)) for key in told if key in dated) and all(
        _within(tier, base.get("service_tiers", {}).get(name))
        for name, tier in dated.get("service_tiers", {}).items()
    )


def _within(part: Any, whole: Any) -> bool:  # Any: JSON
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _within(value, whole[key]) for key, value in part.items())
    return bool(part == whole)


def of_lists(groups: dict[Key, Group], cards: dict[Key, list[Card]]) -> list[Alias]:
    """Names that a source of the verdict lists for the very same model."""
    claims: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key, group in groups.items():
        if key not in cards:
            continue
        target = cards[key][0]["model"]
        for family in group.agreeing:
            for name in group.now[family].names:
                claims[group.provider, name].add(target)
        for name in group.spellings:
            claims[group.provider, name].add(target)
    found = []
    for (provider, name), targets in sorted(claims.items()):
        key = (provider, folded(provider, name), None)
        target = min(targets)
        if len(targets) == 1 and key not in cards and not floats(name) and name != target:
            found.append(_alias(provider, name, target))
        elif len(targets) == 1 and key in cards and name.lower() != target.lower():
            own = cards[key][0]["model"]
            if own == target:  # the same but for punctuation, which a name is folded by anyway
                continue
    return found


def _alias(provider: str, name: str, model: str) -> Alias:
    return {"provider": provider, "name": name, "model": model}
