"""LiteLLM's map of models: USD per token under about 150 keys, read by their grammar.

A price key is a base (`input_cost_per_token`, `cache_read_input_token_cost`, with a modality in
it) and suffixes in any order: a time to live, a context threshold, a service tier.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from . import litellm_facts
from .listing import (
    MILLION,
    BadNumber,
    Fee,
    Hours,
    Listing,
    Problem,
    Reading,
    ServiceTier,
    Tier,
    amount,
    entries,
    objects,
    parsed,
    whole,
)
from .sellers import ours, without_region

SOURCE = "litellm"

_MODALITIES = ("audio", "image", "video")
_TOKEN_BASES = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "input_cost_per_token_cache_hit": "cache_read",
    "cache_creation_input_token_cost": "cache_write_5m",
    "output_cost_per_reasoning_token": "reasoning",
    "citation_cost_per_token": "citation",
    **{
        f"{way}_cost_per_{m}_token": f"{way}_{m}"
        for way in ("input", "output")
        for m in _MODALITIES
    },
    **{f"cache_read_input_{m}_token_cost": f"cache_{m}_read" for m in _MODALITIES},
    **{f"cache_read_input_token_cost_per_{m}_token": f"cache_{m}_read" for m in _MODALITIES},
    **{f"input_cost_per_{m}_token_cache_hit": f"cache_{m}_read" for m in _MODALITIES},
}
_COUNT_BASES = {
    "input_cost_per_character": "input_character",
    "output_cost_per_character": "output_character",
    "input_cost_per_second": "input_second",
    "output_cost_per_second": "output_second",
    "input_cost_per_audio_per_second": "input_second",
    "output_cost_per_video_per_second": "output_second",
    "input_cost_per_request": "request",
    "input_cost_per_query": "request",
    "output_cost_per_image": "image",
    "input_cost_per_image": "image",
    "ocr_cost_per_page": "page",
    "annotation_cost_per_page": None,
}
_SERVICE_TIERS = {"batches": "batch", "batch": "batch"}  # every other is called as listed
_SUFFIX = re.compile(
    r"_(?:above_(?P<over>\d+)k_tokens|above_(?P<ttl>\d+(?:hr|h|min|m))"
    r"|(?P<service>batch(?:es)?|flex|priority|balanced|ultrafast|fast|turbo|standard))$"
)
_TTL_UNITS = {"1hr": "cache_write_1h", "1h": "cache_write_1h"}
_PRICE_WORDS = re.compile(r"cost|pric|_dbu|multiplier|(?:^|_)fee")
_TIER_BANDS, _OFF_PEAK, _SEARCHES = (
    "tiered_pricing",
    "off_peak_pricing",
    "search_context_cost_per_query",
)
_UPLIFT = "regional_processing_uplift_multiplier_"
_PER_TOKEN = 20  # a price "per image" of fewer tokens than this is one per image token


class Key(NamedTuple):
    """A price key taken apart. `unit` None: understood, but of no unit of ours."""

    unit: str | None
    scale: Decimal
    over: int | None = None
    service: str | None = None


def key_of(name: str) -> Key | None:
    """A price key's parts; nothing if it is not of the grammar."""
    over = ttl = service = None
    base = name
    while base not in _TOKEN_BASES and base not in _COUNT_BASES:
        found = _SUFFIX.search(base)
        if not found:
            return None
        base = base[: found.start()]
        over = int(found["over"]) * 1000 if found["over"] else over
        ttl = found["ttl"] or ttl
        tier = found["service"]
        service = _SERVICE_TIERS.get(tier, tier) if tier else service
    if base in _COUNT_BASES:
        return Key(None if over or service or ttl else _COUNT_BASES[base], Decimal(1))
    unit: str | None = _TOKEN_BASES[base]
    if ttl:
        unit = _TTL_UNITS.get(ttl) if unit == "cache_write_5m" else None
    return Key(unit, MILLION, over, service)


class _Entry:
    """One entry being read: what was found so far, by service tier and threshold."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rates: dict[tuple[str | None, int | None], dict[str, Decimal]] = defaultdict(dict)
        self.fees: dict[str, Fee] = {}
        self.regions: dict[str, Decimal] = {}
        self.factors: dict[str, Decimal] = {}  # of a service tier, on every rate
        self.schedule: tuple[Hours, ...] = ()
        self.problems: list[Problem] = []

    def refuse(self, key: str, reason: str) -> None:
        self.problems.append(Problem(self.name, key, reason))

    def price(self, name: str, value: object) -> None:
        """One flat price key."""
        key = key_of(name)
        if key is None:
            self.refuse(name, "unknown price key")
            return
        if value is None:
            return
        try:
            listed = amount(value)
        except BadNumber as fault:
            self.refuse(name, str(fault))
            return
        if key.unit is None:
            self.refuse(name, "no unit of ours")
        elif key.scale == MILLION:
            self.rates[key.service, key.over].setdefault(key.unit, listed * key.scale)
        else:
            self.count(name, key.unit, listed)

    def count(self, name: str, unit: str, usd: Decimal) -> None:
        """A price per thing. A picture for as little as a token is priced per token of it."""
        way = name.partition("_")[0]
        token = self.rates[None, None].get(way, Decimal(0))
        if unit == "image" and 0 < usd * MILLION < token * _PER_TOKEN:
            self.rates[None, None].setdefault(f"{way}_image", usd * MILLION)
        elif usd and (unit != "image" or name.startswith("output")):
            self.fees.setdefault(unit, usd)
        elif usd:
            self.refuse(name, "no unit of ours")

    def tiers(self, service: str | None) -> tuple[Tier, ...]:
        """The bands above a threshold, lowest first."""
        overs = sorted(over for tier, over in self.rates if tier == service and over)
        return tuple(Tier(over, self.rates[service, over]) for over in overs)


def _bands(entry: _Entry, value: object) -> None:
    for band in objects(value):
        limits = band.get("range")
        start = whole(limits[0]) if isinstance(limits, list) and limits else None
        if start is None:
            entry.refuse(_TIER_BANDS, "a band without a range")
            continue
        for name, price in band.items():
            if name == "range":
                continue
            key = key_of(name)
            try:
                usable = key and key.unit and key.scale == MILLION and not key.over
                if not usable or key is None or key.unit is None:
                    entry.refuse(f"{_TIER_BANDS}.{name}", "unknown price key")
                else:
                    rates = entry.rates[key.service, start or None]
                    rates.setdefault(key.unit, amount(price) * MILLION)
            except BadNumber as fault:
                entry.refuse(f"{_TIER_BANDS}.{name}", str(fault))


def _searches(entry: _Entry, value: object) -> None:
    sizes: dict[str, Decimal] = {}
    try:
        for size in ("low", "medium", "high"):
            if isinstance(value, Mapping) and value.get(f"search_context_size_{size}") is not None:
                sizes[size] = amount(value[f"search_context_size_{size}"])
    except BadNumber as fault:
        entry.refuse(_SEARCHES, str(fault))
        return
    if not any(sizes.values()):
        return
    same = len(set(sizes.values())) == 1
    # By size it is a fee of the request (Perplexity); the same for all, of each search.
    entry.fees["web_search" if same else "request"] = sizes.popitem()[1] if same else sizes


_SPAN = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d")


def _off_peak(entry: _Entry, value: object) -> None:
    whole_rates = _rates_in(value)
    found = []
    for window in objects(value.get("windows") if isinstance(value, Mapping) else None):
        hours = window.get("hours_utc")
        spans = tuple(hours) if isinstance(hours, list) else (hours,)
        days = window.get("weekdays") or []
        weekdays = tuple(whole(day) or 0 for day in days) if isinstance(days, list) else (0,)
        rates = _rates_in(window) or whole_rates
        good_days = all(1 <= day <= 7 for day in weekdays)
        good_spans = all(isinstance(span, str) and _SPAN.fullmatch(span) for span in spans)
        if not (rates and good_days and good_spans):
            entry.refuse(_OFF_PEAK, "a window of an unknown form")
            return
        found.append(Hours(tuple(str(span) for span in spans), rates, weekdays))
    if not found:
        entry.refuse(_OFF_PEAK, "no windows")
    entry.schedule = tuple(found)


def _rates_in(value: object) -> dict[str, Decimal]:
    rates = {}
    for name, price in value.items() if isinstance(value, Mapping) else ():
        key = key_of(name)
        if key and key.unit and key.scale == MILLION and not (key.over or key.service):
            try:
                rates[key.unit] = amount(price) * MILLION
            except BadNumber:
                return {}
    return rates


def _special(entry: _Entry, value: object) -> None:
    """Anthropic's factors: `us` is a region, everything else a service tier such as `fast`."""
    for name, factor in value.items() if isinstance(value, Mapping) else ():
        try:
            kind = entry.regions if name in {"us", "eu", "global"} else entry.factors
            kind[name] = amount(factor)
        except BadNumber as fault:
            entry.refuse(f"provider_specific_entry.{name}", str(fault))


_OBJECTS: Mapping[str, Callable[[_Entry, object], None]] = {
    _TIER_BANDS: _bands,
    _OFF_PEAK: _off_peak,
    _SEARCHES: _searches,
    "provider_specific_entry": _special,
}


def _read_key(entry: _Entry, name: str, value: object) -> None:
    if name in _OBJECTS:
        _OBJECTS[name](entry, value)
    elif name.startswith(_UPLIFT):
        try:
            entry.regions[name.removeprefix(_UPLIFT)] = amount(value)
        except BadNumber as fault:
            entry.refuse(name, str(fault))
    elif _PRICE_WORDS.search(name):
        entry.price(name, value)


def _service_tiers(entry: _Entry) -> dict[str, ServiceTier]:
    names = sorted({service for service, _ in entry.rates if service})
    tiers = {
        name: ServiceTier(dict(entry.rates.get((name, None), {})), entry.tiers(name))
        for name in names
    }
    for name, factor in entry.factors.items():
        tiers[name] = ServiceTier(
            {unit: rate * factor for unit, rate in entry.rates[None, None].items()},
            tuple(
                Tier(tier.over, {unit: rate * factor for unit, rate in tier.rates.items()})
                for tier in entry.tiers(None)
            ),
        )
    return tiers


_ROUTES = re.compile(
    r"(?:openai|azure|azure_ai|bedrock|vertex_ai|gemini|anthropic|mistral|cohere|cohere_chat"
    r"|deepseek|xai|moonshot|groq|together_ai|fireworks_ai|openrouter|perplexity|dashscope|zai"
    r"|minimax|cerebras|deepinfra|wandb|watsonx|novita|nvidia_nim|databricks|sambanova)/"
)
_INNER = re.compile(r"(?:converse|invoke|chat|text-completion|accounts/fireworks/models)/")


def place_of(name: str, listed_provider: str) -> tuple[str, str, str | None]:
    """Seller, model and region of a routing name. Only the seller's own prefix is taken off."""
    seller = ours(listed_provider)
    if listed_provider.startswith("vertex_ai"):
        seller = "vertex"
    found = _ROUTES.match(name)
    if found and (ours(found[0][:-1]) == seller or name.startswith(f"{listed_provider}/")):
        name = name[found.end() :]
    elif name.startswith(f"{listed_provider}/"):
        name = name[len(listed_provider) + 1 :]
    if inner := _INNER.match(name):
        name = name[inner.end() :]
    model, region = without_region(seller, name)
    return seller, model, region


def read(text: str | bytes) -> Reading:
    """The map. Raises `InvalidInput` if it is no JSON; a bad entry is a problem, not an error."""
    listings, problems = [], []
    for name, listed in entries(parsed(text)):
        provider = listed.get("litellm_provider")
        if name == "sample_spec" or not isinstance(provider, str):
            continue
        entry, listing = _listing(name, provider, listed)
        problems += entry.problems
        listings.append(listing)
    return Reading(tuple(listings), tuple(problems))


def _listing(name: str, provider: str, listed: Mapping[str, Any]) -> tuple[_Entry, Listing]:
    entry = _Entry(name)
    # Token prices first, then by name: whichever way the map is ordered.
    for key in sorted(listed, key=lambda key: ("_token" not in key, key)):
        _read_key(entry, key, listed[key])
    seller, model, region = place_of(name, provider)
    mode = listed.get("mode")
    return entry, Listing(
        SOURCE,
        name,
        seller,
        model,
        region,
        mode if isinstance(mode, str) else None,
        dict(entry.rates.get((None, None), {})),
        entry.tiers(None),
        _service_tiers(entry),
        entry.schedule,
        entry.fees,
        entry.regions,
        facts=litellm_facts.facts(listed),
    )
