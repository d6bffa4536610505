"""Cards: a verdict in the form of a card, with fees, schedules, regions and history."""

import re
from decimal import Decimal
from typing import Any

from groups import Group, Key, dimensions

from tekton_budget.domain.units import TOKEN_UNITS
from tekton_budget.domain.verify import Status
from tekton_budget.prices.listing import Fee, Hours, Listing, plain

Card = dict[str, Any]  # Any: JSON
ROUNDED = Decimal("0.02")
CEILING = Decimal(2000)  # USD per M: nothing that is sold per token costs more


def card_of(group: Group) -> Card:
    """The card of what was decided, as of now."""
    families = group.agreeing
    leading = [group.now[family] for family in families]
    card = _with_rates(
        {"provider": group.provider, "model": group.model}, dict(group.verdict.rates)
    )
    _add_fees(card, leading)
    schedule = next((listing.schedule for listing in leading if listing.schedule), ())
    if schedule:
        card["schedule"] = [_hours(hours) for hours in schedule]
    regions: dict[str, str] = {}
    for listing in leading:
        for name, factor in listing.regions.items():
            if factor != 1:
                regions.setdefault(name, plain(factor))
    if regions:
        card["regions"] = regions
    for listing in leading:
        if listing.valid_from:
            card.setdefault("effective_from", listing.valid_from)
        if listing.valid_to:
            card.setdefault("effective_to", listing.valid_to)
    card["source"] = _source(group, families)
    is_verified = group.verdict.status is Status.VERIFIED
    card["status"] = (Status.VERIFIED if is_verified else Status.SINGLE_SOURCE).value
    return card


def _source(group: Group, families: list[str]) -> str:
    if families == ["openrouter"]:
        return "openrouter: the seller's own list"
    names = ", ".join(families)
    return names if group.verdict.status is Status.VERIFIED else f"{names} (single source)"


def history_of(group: Group, current: Card) -> list[Card]:
    """Cards of a source's other dates, earlier and announced, where its present one was agreed."""
    found = []
    for listing in group.history:
        if listing.source in group.agreeing:
            card = _with_rates(
                {"provider": group.provider, "model": group.model}, dimensions(listing)
            )
            _add_fees(card, [listing])
            if listing.valid_from:
                card["effective_from"] = listing.valid_from
            if listing.valid_to:
                card["effective_to"] = listing.valid_to
            if "regions" in current:
                card["regions"] = current["regions"]
            card["source"] = f"{listing.source} (dated)"
            card["status"] = Status.SINGLE_SOURCE.value
            found.append(card)
    return found


_DIMENSION = re.compile(r"(?P<unit>\w+)(?:@(?P<service>[a-z]\w*))?(?:@>(?P<over>\d+))?")


def _with_rates(card: Card, rates: dict[str, Decimal]) -> Card:
    """Dimensions back into rates, tiers and service tiers."""
    base: dict[str, str] = {}
    tiers: dict[int, dict[str, str]] = {}
    services: dict[str, tuple[dict[str, str], dict[int, dict[str, str]]]] = {}
    for name in sorted(rates, key=_place):
        found = _DIMENSION.fullmatch(name)
        if not found or found["unit"] not in TOKEN_UNITS or rates[name] > CEILING:
            continue
        if found["service"] and not _is_complete(rates, found["service"]):
            continue
        if found["service"] == "standard":
            continue
        flat, banded = (
            services.setdefault(found["service"], ({}, {})) if found["service"] else (base, tiers)
        )
        into = banded.setdefault(int(found["over"]), {}) if found["over"] else flat
        into[found["unit"]] = plain(rates[name])
    if "reasoning" in base and base.get("output") == base["reasoning"]:
        del base["reasoning"]  # it is the output's rate: nothing of its own
        for band in tiers.values():
            band.pop("reasoning", None)
    card["rates"] = base
    tiers = {
        over: band for over, band in _told_once(tiers).items() if not band.items() <= base.items()
    }
    if tiers:
        card["tiers"] = _bands(tiers)
    if services:
        card["service_tiers"] = {
            name: {"rates": flat, "tiers": _bands(banded)} if banded else flat
            for name, (flat, banded) in sorted(services.items())
        }
    return card


def _is_complete(rates: dict[str, Decimal], service: str) -> bool:
    """Whether a tier prices input and output, within a factor of ten of the standard rates."""
    names = [unit for unit in ("input", "output") if rates.get(unit)]
    found = [rates.get(f"{unit}@{service}") for unit in names]
    return all(
        rate is not None and rates[unit] / 10 <= rate <= rates[unit] * 10
        for unit, rate in zip(names, found, strict=True)
    )


def _told_once(tiers: dict[int, dict[str, str]]) -> dict[int, dict[str, str]]:
    """Bands without such as say the same for a lower threshold as the next one.

    models.dev has one field for all long contexts, named for 200k; where another source names
    the real threshold, both are there with the same rates.
    """
    overs = sorted(tiers)
    return {
        over: tiers[over]
        for place, over in enumerate(overs)
        if place + 1 == len(overs) or not tiers[over].items() <= tiers[overs[place + 1]].items()
    }


def _place(name: str) -> tuple[int, str]:
    unit = name.partition("@")[0]
    return (TOKEN_UNITS.index(unit) if unit in TOKEN_UNITS else 99, name)


def _bands(tiers: dict[int, dict[str, str]]) -> list[Card]:
    return [
        {"when": {"total_input_tokens_gt": over}, "rates": tiers[over]} for over in sorted(tiers)
    ]


def _add_fees(card: Card, leading: list[Listing]) -> None:
    fees: dict[str, Fee] = {}
    for listing in leading:
        for unit, fee in listing.fees.items():
            known = fees.get(unit)
            # A fee by search context size says more than the one figure of another source.
            if known is None or (isinstance(known, Decimal) and not isinstance(fee, Decimal)):
                fees[unit] = fee
    if fees:
        card["fees"] = {unit: _fee(unit, fees[unit]) for unit in sorted(fees)}


def _fee(unit: str, fee: Fee) -> Any:  # Any: JSON
    if not isinstance(fee, Decimal):
        return {"search_context_size": {size: plain(fee[size]) for size in fee}}
    if unit == "web_search":
        return {"usd_per_1000": plain(fee * 1000)}
    if unit.endswith("_character"):
        return {"usd_per_1000000": plain(fee * 1_000_000)}
    return plain(fee)


def _hours(hours: Hours) -> Card:
    when: Card = {"utc_time": hours.spans[0] if len(hours.spans) == 1 else list(hours.spans)}
    if hours.weekdays:
        when["weekdays_utc"] = list(hours.weekdays)
    rates = {unit: plain(hours.rates[unit]) for unit in TOKEN_UNITS if unit in hours.rates}
    return {"when": when, "rates": rates}


def with_regions(groups: dict[Key, Group], cards: dict[Key, Card]) -> dict[Key, list[Card]]:
    """Cards by seller and model: a region is a factor on them, or has a card of its own."""
    found: dict[Key, list[Card]] = {}
    regional: dict[Key, dict[str, Card]] = {}
    for (provider, model, region), card in sorted(cards.items(), key=lambda one: str(one[0])):
        base = (provider, model, None)
        if region is None:
            found[base] = [card, *history_of(groups[provider, model, None], card)]
        else:
            regional.setdefault(base, {})[region] = card
    for base, by_region in regional.items():
        if base not in found:
            if "*" not in by_region or (base in groups and groups[base].now):
                continue
            found[base] = [by_region.pop("*")]  # listed as one price for every region
        factors, own = {}, []
        card = found[base][0]
        for region, other in by_region.items():
            factor = _factor(card, other)
            if factor is None:
                own.append(_named(other, region))
            else:
                factors[region] = factor
        if factors:
            spread = set(factors.values())
            everywhere = len(spread) == 1 and ("*" in factors or len(factors) > 2)
            told = {"*": spread.pop()} if everywhere else factors
            told = {name: plain(factor) for name, factor in sorted(told.items()) if factor != 1}
            for one in found[base]:
                if told:
                    one["regions"] = dict(told)
        found[base] += own
    return found


def _factor(card: Card, other: Card) -> Decimal | None:
    """By what a region multiplies the rates, if it is one short number for all of them.

    Rates beside input and output may be listed rounded: 0.28 for 0.275.
    """
    ours, theirs = card["rates"], other["rates"]
    ratios = {
        unit: Decimal(theirs[unit]) / Decimal(ours[unit])
        for unit in theirs
        if unit in ours and Decimal(ours[unit])
    }
    factor = ratios.get("input")
    if factor is None or ratios.get("output", factor) != factor or factor != round(factor, 4):
        return None
    near = all(abs(ratio - factor) <= factor * ROUNDED for ratio in ratios.values())
    return factor.normalize() if near else None


def _named(card: Card, region: str) -> Card:
    mark = "/" if card["provider"] == "azure" else "."
    return card | {"model": f"{region}{mark}{card['model']}"}
