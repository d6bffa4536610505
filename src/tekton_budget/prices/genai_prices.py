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
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"(\d{2}:\d{2}):00Z")


@dataclass
class _Prices:
    """One object of prices: base rates, rates by threshold, fees."""

    rates: dict[str, Decimal] = field(default_factory=dict)
    tiers: dict[int, dict[str, Decimal]] = field(default_factory=dict)
    fees: dict[str, Fee] = field(default_factory=dict)


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
    return [
        Listing(
            SOURCE,
            name,
            seller,
            plain_name,
            region,
            rates=prices.rates,
            tiers=tuple(Tier(over, prices.tiers[over]) for over in sorted(prices.tiers)),
            schedule=hours,
            fees=prices.fees,
            valid_from=start,
            valid_to=end,
            names=names if not region else (),
            facts=facts,
        )
        for prices, hours, start, end in _intervals(f"{provider}/{name}", model, problems)
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
