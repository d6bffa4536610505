"""Aliases: other names of a card. Listed as the same, or a dated snapshot of the very same rates."""

import copy
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from groups import Group, Key, folded

Card = dict[str, Any]  # Any: JSON
Alias = dict[str, str]

_DATE = r"-(?:\d{4}-\d{2}-\d{2}|20\d{6}|\d{2}-20\d{2}|\d{2}-\d{2}|\d{4}|\d{3})"
_DATED = re.compile(rf"(?P<base>.+?)(?:-preview)?{_DATE}")
_FLOATING = re.compile(r"-latest$|:latest$")
_MODELS_THAT_SAY_LATEST = re.compile(r"-chat-latest$|^chatgpt-")
_SNAPSHOTS_DIFFER = ("vertex", "bedrock", "azure", "cohere", "mistral", "xai")
_NO_OTHER_MODEL = re.compile(rf"(?:{_DATE}|-(?:0|v\d|high|low|medium|beta|preview))+")


def floats(model: str) -> bool:
    """Whether a name means another model from time to time, so that no list can price it."""
    return bool(_FLOATING.search(model)) and not _MODELS_THAT_SAY_LATEST.search(model)


def of_snapshots(cards: dict[Key, list[Card]]) -> list[Alias]:
    """Dated names whose card says the same as that of the undated one; the card is taken out."""
    found = []
    for provider, model, _ in sorted(cards, key=str):
        match = _DATED.fullmatch(model)
        base = (provider, match["base"], None) if match else None
        if (
            base
            and provider not in _SNAPSHOTS_DIFFER
            and _joined(cards, (provider, model, None), base)
        ):
            found.append(_joined_alias(cards, provider, model, base))
    return found


def of_curated(
    listed: Iterable[Alias], cards: dict[Key, list[Card]], *, joins: bool
) -> list[Alias]:
    """The curated names whose model has a card. A name with a card of its own is no alias, unless
    (if `joins`) the card says the same: then that is taken out.

    The list may have both directions of a pair, since it does not know which of them is listed:
    the first that fits is taken.
    """
    found: list[Alias] = []
    taken: set[tuple[str, str]] = set()
    for alias in listed:
        provider = alias["provider"]
        key, base = ((provider, folded(provider, alias[it]), None) for it in ("name", "model"))
        dated = alias.get("from") or alias.get("to")
        if base not in cards or key == base or (key in taken and not dated):
            continue
        if key in cards:
            if dated or not joins or base in taken or not _joined(cards, key, base):
                continue
            cards.pop(key)
        taken.add(key)
        slim = _alias(provider, alias["name"], cards[base][0]["model"])
        found.append(slim | {it: alias[it] for it in ("from", "to") if alias.get(it)})
    return found


def of_aliases(
    listed: Iterable[Alias], named: Iterable[Alias], cards: dict[Key, list[Card]]
) -> list[Alias]:
    """The curated names whose model has no card of its own but is another name of one."""
    models = {(one["provider"], folded(one["provider"], one["name"])): one for one in named}
    found = []
    for alias in listed:
        provider = alias["provider"]
        name, model = ((provider, folded(provider, alias[it])) for it in ("name", "model"))
        is_new = name not in models and (*name, None) not in cards
        if is_new and model in models and "from" not in models[model]:
            dates = {it: alias[it] for it in ("from", "to") if alias.get(it)}
            found.append(_alias(provider, alias["name"], models[model]["model"]) | dates)
    return found


def _joined(cards: dict[Key, list[Card]], key: Key, base: Key) -> bool:
    """Whether the card of `key` says nothing that the present card of `base` does not say too."""
    if key not in cards or base not in cards or len(cards[key]) > 1:
        return False
    dated, present = cards[key][0], cards[base][0]
    told = ("tiers", "schedule", "regions", "fees", "service_tiers")
    return _basis(dated) == _basis(present) and all(
        _within(dated[it], present.get(it)) for it in ("rates", *told) if it in dated
    )


def _joined_alias(cards: dict[Key, list[Card]], provider: str, model: str, base: Key) -> Alias:
    return _alias(provider, cards.pop((provider, model, None))[0]["model"], cards[base][0]["model"])


def _basis(card: Card) -> tuple[object, ...]:
    return card["rates"].get("input"), card["rates"].get("output"), card.get("regions")


def _within(part: Any, whole: Any) -> bool:  # Any: JSON
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _within(value, whole[key]) for key, value in part.items())
    return bool(part == whole)


def of_lists(
    groups: dict[Key, Group], cards: dict[Key, list[Card]], closed: set[Key]
) -> list[Alias]:
    """Names that a source of the verdict lists for the very same model.

    A name that only adds a date or a version is an alias; any other is a model of its own, with
    the same card. `closed`: keys that are to have none.
    """
    found = []
    claims = _claims(groups, cards)
    for provider, name in sorted(claims, key=lambda it: ("." not in it[1], it)):  # 5.5, then 5-5
        targets = claims[provider, name]
        key = (provider, folded(provider, name), None)
        if len(targets) > 1 or key in cards or key in closed or floats(name) or "/" in name:
            continue
        target = targets.pop()
        base = cards[target]
        rest = folded(provider, name).removeprefix(target[1])
        if folded(provider, name) == target[1]:
            continue
        if provider == "bedrock" or _NO_OTHER_MODEL.fullmatch(rest):
            found.append(_alias(provider, name, base[0]["model"]))
        else:
            cards[key] = [copy.deepcopy(card) | {"model": name} for card in base]
    return found


def of_openrouter(groups: dict[Key, Group], cards: dict[Key, list[Card]]) -> list[Alias]:
    """The slugs that OpenRouter answers with."""
    found = []
    for key, group in sorted(groups.items(), key=str):
        if key in cards and "openrouter" in group.now:
            model = cards[key][0]["model"]
            slugs = group.now["openrouter"].names
            free = [
                it
                for it in slugs
                if (group.provider, folded(group.provider, it), None) not in cards
            ]
            found += [_alias(group.provider, slug, model) for slug in free]
    return found


def _claims(
    groups: dict[Key, Group], cards: dict[Key, list[Card]]
) -> dict[tuple[str, str], set[Key]]:
    claims: dict[tuple[str, str], set[Key]] = defaultdict(set)
    for key, group in groups.items():
        if key not in cards or group.provider == "openrouter":
            continue
        names = {name for family in group.agreeing for name in group.now[family].names}
        for name in names | group.spellings:
            claims[group.provider, name].add(key)
    return claims


def _alias(provider: str, name: str, model: str) -> Alias:
    return {"provider": provider, "name": name, "model": model}
