"""Portkey's price files: US cents per token, one object of models for each provider.

A zero there is mostly "not known here", so zeros of anything but input and output are dropped.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from .listing import (
    MILLION,
    BadNumber,
    Fee,
    Listing,
    Problem,
    Reading,
    ServiceTier,
    amount,
    entries,
    parsed,
)
from .sellers import ours, without_region

SOURCE = "portkey"

_CENTS = Decimal("0.01")
_UNITS = {
    "request_token": "input",
    "response_token": "output",
    "request_text_token": "input",
    "response_text_token": "output",
    "request_audio_token": "input_audio",
    "response_audio_token": "output_audio",
    "request_image_token": "input_image",
    "response_image_token": "output_image",
    "cache_read_input_token": "cache_read",
    "cache_read_text_input_token": "cache_read",
    "cached_text_input_token": "cache_read",
    "cache_write_input_token": "cache_write_5m",
    "cache_read_audio_input_token": "cache_audio_read",
    "cache_read_image_input_token": "cache_image_read",
    "cached_image_input_token": "cache_image_read",
}
_EXTRA_TOKENS = {"thinking_token": "reasoning", "cache_write_1h": "cache_write_1h"}
_SIZES = {f"web_search_{size}_context": size for size in ("low", "medium", "high")}


def read(text: str | bytes) -> Reading:
    """Providers under one root. Raises `InvalidInput` if it is no JSON."""
    listings: list[Listing] = []
    problems: list[Problem] = []
    for provider, models in entries(parsed(text)):
        seller = ours(provider)
        for name, model in entries(models):
            config = model.get("pricing_config")
            if name == "default" or not isinstance(config, Mapping):
                continue
            if config.get("currency", "USD") != "USD":
                problems.append(Problem(f"{provider}/{name}", "currency", "not in USD"))
                continue
            listings.append(_listing(seller, name, config, problems, f"{provider}/{name}"))
    return Reading(tuple(listings), tuple(problems))


def _listing(
    seller: str, name: str, config: Mapping[str, Any], problems: list[Problem], listed_as: str
) -> Listing:
    standard = config.get("pay_as_you_go")
    rates = _rates(listed_as, standard, problems)
    fees: dict[str, Fee] = {}
    extra = standard.get("additional_units") if isinstance(standard, Mapping) else None
    _extras(listed_as, extra, rates, fees, problems)
    batch = _rates(listed_as, config.get("batch_config"), problems)
    model, region = without_region(seller, name)
    return Listing(
        SOURCE,
        name,
        seller,
        model,
        region,
        rates=rates,
        fees=fees,
        service_tiers={"batch": ServiceTier(batch)} if batch else {},
    )


def _priced(listed: object) -> Iterator[tuple[str, object]]:
    for key, value in entries(listed):
        if "price" in value:
            yield key, value["price"]


def _rates(listed_as: str, listed: object, problems: list[Problem]) -> dict[str, Decimal]:
    rates: dict[str, Decimal] = {}
    for key, price in _priced(listed):
        if key not in _UNITS:
            problems.append(Problem(listed_as, key, "unknown price key"))
            continue
        try:
            rate = amount(price) * _CENTS * MILLION
        except BadNumber as fault:
            problems.append(Problem(listed_as, key, str(fault)))
            continue
        if rate or _UNITS[key] in {"input", "output"}:
            rates.setdefault(_UNITS[key], rate)
    return rates


def _extras(
    listed_as: str,
    listed: object,
    rates: dict[str, Decimal],
    fees: dict[str, Fee],
    problems: list[Problem],
) -> None:
    sizes: dict[str, Decimal] = {}
    for key, price in _priced(listed):
        try:
            usd = amount(price) * _CENTS
        except BadNumber as fault:
            problems.append(Problem(listed_as, key, str(fault)))
            continue
        if key in _SIZES:
            sizes[_SIZES[key]] = usd
        elif key in {"web_search", "search"}:
            fees |= {"web_search": usd} if usd else {}
        elif key in _EXTRA_TOKENS:
            rates |= {_EXTRA_TOKENS[key]: usd * MILLION} if usd else {}
        else:
            problems.append(Problem(listed_as, key, "unknown price key"))
    if sizes:
        fees["request"] = sizes
