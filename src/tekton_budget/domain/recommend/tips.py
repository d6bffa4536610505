"""Tips: what a model's own price allows, in sentences."""

from tekton_budget.domain.money import nano_from_usd, usd_text
from tekton_budget.domain.price import Card, Rate

_BATCH = "batch"


def price_tips(card: Card) -> list[str]:
    """What makes the same model cheaper, where its card has a rate for it."""
    flat = card.rates.flat
    tips = []
    cached, sent = flat.get("cache_read"), flat.get("input")
    if cached is not None and sent is not None and cached.usd < sent.usd:
        tips.append(
            f"Input that {card.model} reads from its cache costs {_text(cached)} instead of "
            f"{_text(sent)} per 1,000,000 tokens."
        )
    batch = card.service_tiers.get(_BATCH)
    if batch is not None:
        cheaper = [
            f"{_text(rate)} instead of {_text(flat[unit])} for {unit}"
            for unit, rate in batch.rates.flat.items()
            if unit in ("input", "output") and unit in flat and rate.usd < flat[unit].usd
        ]
        if cheaper:
            tips.append(
                f"Calls of {card.model} that can wait cost less as a batch: {', '.join(cheaper)} "
                "per 1,000,000 tokens."
            )
    return tips


def _text(rate: Rate) -> str:
    return usd_text(nano_from_usd(rate.usd))
