"""What sellers publish as a rule over all their models, and the lists write down for some only."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tekton_budget.prices.listing import plain

Card = dict[str, Any]  # Any: JSON
HALF = Decimal("0.5")
_OPENAI_BATCH = re.compile(
    r"(gpt-(3\.5|4|4o|4\.1|4\.5|[5-9])|o[134]|text-embedding)(?![\w.]*(audio|real))"
)
_NEW_OPENAI = re.compile(r"gpt-([5-9]|[1-9]\d)(?![\d])")
_THINKING_OPENAI = re.compile(r"(gpt-([5-9]|[1-9]\d)(?![\d])|o3(?!-mini)|o4)(?!.*(image|chat))")
_NEW_GEMINI = re.compile(r"gemini-([3-9]|[1-9]\d)(?!.*(live|tts|audio|image|embedding))")
_SPEAKS = re.compile(r"(?:^|[-_])tts(?:$|[-_])")
_GEMINI = re.compile(r"gemini-(2\.[05]|[3-9])(?!.*(live|tts|audio|image|embedding))")


def apply(cards: list[Card]) -> None:
    """Every rule, on every card of its seller."""
    for card in cards:
        for rule in (_speech, *_RULES.get(card["provider"], ())):
            rule(card)


def _times(rates: Mapping[str, str], factor: Decimal, keep: tuple[str, ...] = ()) -> dict[str, str]:
    return {unit: plain(Decimal(rate) * factor) for unit, rate in rates.items() if unit not in keep}


def _scaled(card: Card, factor: Decimal, keep: tuple[str, ...] = ()) -> Any:  # Any: JSON
    """A service tier at a factor; units in `keep` stay at the standard rate of their band."""
    flat = _times(card["rates"], factor, keep)
    tiers = [
        {
            "when": tier["when"],
            "rates": _times(tier["rates"], factor, keep)
            | {unit: rate for unit, rate in tier["rates"].items() if unit in keep},
        }
        for tier in card.get("tiers", ())
    ]
    return {"rates": flat, "tiers": tiers} if tiers else flat


def _put(card: Card, name: str, tier: Any) -> None:  # Any: JSON
    services = card.setdefault("service_tiers", {})
    listed = services.get(name)
    if listed is None:
        services[name] = tier
        return
    rates = listed.get("rates", listed)
    ruled = tier.get("rates", tier)
    for unit, rate in ruled.items():
        rates.setdefault(unit, rate)
    if "tiers" in tier and "tiers" not in listed:
        services[name] = {"rates": rates, "tiers": tier["tiers"]}


def _anthropic_batch(card: Card) -> None:
    """Batch halves everything, caches and both times to live included."""
    if not card["model"].startswith(("claude-2", "claude-1", "claude-v1", "claude-instant")):
        _put(card, "batch", _scaled(card, HALF))


def _anthropic_cache(card: Card) -> None:
    """A write for an hour costs twice the input; for five minutes, 1.25 times."""
    for rates in (card["rates"], *(tier["rates"] for tier in card.get("tiers", ()))):
        if "cache_write_5m" in rates and "input" in rates:
            rates.setdefault("cache_write_1h", plain(Decimal(rates["input"]) * 2))


def _openai_batch(card: Card) -> None:
    """Batch halves input and output; cached input from the fifth generation only."""
    batched = "batch" in card.get("service_tiers", {}) or "flex" in card.get("service_tiers", {})
    if not (batched or _OPENAI_BATCH.match(card["model"])):
        return
    if "chat-latest" in card["model"] or "chatgpt" in card["model"]:
        return
    keep = () if _NEW_OPENAI.match(card["model"]) else ("cache_read",)
    _put(card, "batch", _scaled(card, HALF, keep))


def _google_batch(card: Card) -> None:
    """Batch halves everything but cached input."""
    if _GEMINI.match(card["model"]):
        _put(card, "batch", _scaled(card, HALF, ("cache_read", "cache_audio_read")))


def _speech(card: Card) -> None:
    """Where speech is all that comes out, the output rate is that of audio."""
    rates = card["rates"]
    if _SPEAKS.search(card["model"]) and "output" in rates:
        rates.setdefault("output_audio", rates["output"])


def _openai_search(card: Card) -> None:
    """One fee for a search, whichever model thinks about it."""
    if _THINKING_OPENAI.match(card["model"]):
        card.setdefault("fees", {}).setdefault("web_search", {"usd_per_1000": "10"})


def _google_search(card: Card) -> None:
    """One fee for a query from the third generation on."""
    if _NEW_GEMINI.match(card["model"]):
        card.setdefault("fees", {}).setdefault("web_search", {"usd_per_1000": "14"})


_RULES: Mapping[str, tuple[Callable[[Card], None], ...]] = {
    "anthropic": (_anthropic_cache, _anthropic_batch),
    "openai": (_openai_batch, _openai_search),
    "google": (_google_batch, _google_search),
}
