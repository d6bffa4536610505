"""genai-prices' `data.json`: USD per million, tiers per unit, prices by date or by time of day."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .listing import (
    BadNumber,
    Fee,
    Hours,
    Listing,
    Problem,
    Reading,
    ServiceTier,
    Tier,
    amount,
    filled,
    objects,
    parsed,
    text_of,
    whole,
)
from .sellers import ours, without_region

SOURCE = "genai"

_MTOK = {
    "cache_write": "cache_write_5m",
    "output_reasoning": "reasoning",
    "output_citation": "citation",
    "input_text": "input",
    "output_text": "output",
    **{
        unit: unit
        for unit in (
            "input", "output", "cache_read", "cache_write_1h", "input_audio", "output_audio",
            "cache_audio_read", "input_image", "output_image", "cache_image_read", "input_video",
            "output_video", "cache_video_read",
        )
    },
}  # fmt: skip
_KCOUNT = {"web_searches": "web_search", "requests": "request"}
_STANDARD = frozenset({"default", "standard"})  # what the base prices are for
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"(\d{2}:\d{2}):00Z")


@dataclass
class _Prices:
    """One object of prices: base rates, rates by threshold, fees."""

    rates: dict[str, Decimal] = field(default_factory=dict)
    tiers: dict[int, dict[str, Decimal]] = field(default_factory=dict)
    fees: dict[str, Fee] = field(default_factory=dict)

    @property
    def bands(self) -> tuple[Tier, ...]:
        """Rates above each threshold, the lowest first."""
        return tuple(Tier(over, self.tiers[over]) for over in sorted(self.tiers))


def read(text: str | bytes) -> Reading:
    """The list. Raises `InvalidInput` if it is no JSON; a bad price is a problem, not an error."""
    listings: list[Listing] = []
    problems: list[Problem] = []
    document = parsed(text)
    if isinstance(document, Mapping):
        document = document.get("providers")
    for provider in objects(document):
        provider_id = text_of(provider.get("id"))
        for model in objects(provider.get("models")):
            name = text_of(model.get("id"))
            if provider_id and name and name.strip("-"):
                listings += _of_model(provider_id, name.rstrip("-"), model, problems)
    return Reading(tuple(listings), tuple(problems))


def _of_model(
    provider: str, name: str, model: Mapping[str, Any], problems: list[Problem]
) -> list[Listing]:
    seller = _seller(provider, name)
    plain_name, region = without_region(seller, name)
    names = tuple(sorted({without_region(seller, one)[0] for one in _equals(model.get("match"))}))
    facts = filled({"context_tokens": whole(model.get("context_window"))})
    listed_as = f"{provider}/{name}"
    variants = _variants(listed_as, model, problems)
    return [
        Listing(
            SOURCE,
            name,
            seller,
            plain_name,
            region,
            rates=prices.rates,
            tiers=prices.bands,
            service_tiers={
                tier: ServiceTier(it.rates, it.bands) for tier, it in _of_dates(variants, end)
            },
            schedule=hours,
            fees=prices.fees,
            valid_from=start,
            valid_to=end,
            names=names if not region else (),
            facts=facts,
        )
        for prices, hours, start, end in _intervals(listed_as, model, problems)
    ]


def _seller(provider: str, name: str) -> str:
    """Claude under "google" is sold by Vertex."""
    seller = ours(provider)
    return "vertex" if seller == "google" and "claude" in name else seller


def _equals(clause: object) -> Iterator[str]:
    """Names that a matcher lists whole; patterns are not names."""
    if not isinstance(clause, Mapping):
        return
    if name := text_of(clause.get("equals")):
        yield name
    for part in objects(clause.get("or")):
        if name := text_of(part.get("equals")):
            yield name


_Variant = tuple[str, str, _Prices]  # service tier, since which day ("" is always), what it costs


def _variants(listed_as: str, model: Mapping[str, Any], problems: list[Problem]) -> list[_Variant]:
    """Prices of service tiers, and of batches; any other condition is a problem."""
    found = []
    for item in objects(model.get("price_variants")):
        when, constraint = item.get("when"), item.get("constraint") or {}
        tier = _tier_of(when)
        start = constraint.get("start_date", "") if isinstance(constraint, Mapping) else None
        if tier is None or not isinstance(start, str) or (start and not _DATE.fullmatch(start)):
            problems.append(Problem(listed_as, "price_variants", "a condition of an unknown form"))
        elif tier not in _STANDARD:
            found.append((tier, start, _prices(listed_as, item.get("prices"), problems)))
    return found


def _tier_of(when: object) -> str | None:
    if not isinstance(when, Mapping) or len(when) != 1:
        return None
    (kind, name), *_ = when.items()
    return text_of(name) if kind in {"service_tier", "processing"} else None


def _of_dates(variants: list[_Variant], end: str | None) -> Iterator[tuple[str, _Prices]]:
    """Of each tier, the latest that began before the end."""
    latest: dict[str, tuple[str, _Prices]] = {}
    for tier, start, prices in variants:
        begun = end is None or start < end
        if begun and (tier not in latest or latest[tier][0] <= start):
            latest[tier] = (start, prices)
    for tier, (_, prices) in latest.items():
        yield tier, prices


_Interval = tuple[_Prices, tuple[Hours, ...], str | None, str | None]


def _intervals(
    listed_as: str, model: Mapping[str, Any], problems: list[Problem]
) -> list[_Interval]:
    listed = model.get("prices")
    if isinstance(listed, Mapping):
        return [(_prices(listed_as, listed, problems), (), None, None)]
    dated: list[tuple[str | None, _Prices]] = []
    hours: list[Hours] = []
    for item in objects(listed):
        constraint = item.get("constraint") or {}
        prices = _prices(listed_as, item.get("prices"), problems)
        start = constraint.get("start_date") if isinstance(constraint, Mapping) else None
        span = _span(constraint)
        if not constraint:
            dated.append((None, prices))
        elif isinstance(start, str) and _DATE.fullmatch(start):
            dated.append((start, prices))
        elif span:
            hours.append(Hours((span,), prices.rates))
        else:
            problems.append(Problem(listed_as, "constraint", "a constraint of an unknown form"))
            return []
    if not dated:
        problems.append(Problem(listed_as, "prices", "no price but for some hours of the day"))
        return []
    dated.sort(key=lambda one: one[0] or "")
    ends = [start for start, _ in dated[1:]] + [None]
    return [
        (prices, tuple(hours), start, end) for (start, prices), end in zip(dated, ends, strict=True)
    ]


def _span(constraint: object) -> str | None:
    """A daily window as HH:MM-HH:MM in UTC."""
    if not isinstance(constraint, Mapping):
        return None
    times = [_TIME.fullmatch(str(constraint.get(key))) for key in ("start_time", "end_time")]
    found = [time[1] for time in times if time]
    return "-".join(found) if len(found) == 2 else None


def _prices(listed_as: str, listed: object, problems: list[Problem]) -> _Prices:
    found = _Prices()
    for key, value in listed.items() if isinstance(listed, Mapping) else ():
        unit, per_thousand = _unit(key)
        if unit is None:
            problems.append(Problem(listed_as, key, "unknown price key"))
            continue
        try:
            base, tiers = _split(value)
        except BadNumber as fault:
            problems.append(Problem(listed_as, key, str(fault)))
            continue
        if per_thousand:
            found.fees[unit] = base / 1000
            continue
        found.rates[unit] = base
        for over, rate in tiers:
            found.tiers.setdefault(over, {})[unit] = rate
    return found


def _unit(key: str) -> tuple[str | None, bool]:
    if key.endswith("_kcount"):
        return _KCOUNT.get(key.removesuffix("_kcount")), True
    return (_MTOK.get(key.removesuffix("_mtok")) if key.endswith("_mtok") else None), False


def _split(value: object) -> tuple[Decimal, list[tuple[int, Decimal]]]:
    if not isinstance(value, Mapping):
        return amount(value), []
    tiers = []
    for tier in objects(value.get("tiers")):
        start = whole(tier.get("start"))
        if not start:
            raise BadNumber("a tier without a start")
        tiers.append((start, amount(tier.get("price"))))
    return amount(value.get("base")), tiers
