"""What a price depends on besides amounts: what the caller knows, and what the response says."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tekton_budget.domain.errors import FieldFault, InvalidInput, invalid
from tekton_budget.domain.units import SAME_PRICE_TIERS, STANDARD, PriceContext

from .fields import Place, faulty, rounded_up, whole

INVALID = "invalid_context"
BATCH = "batch"
FAST = "fast"

# The unit of each count that a caller may tell because a response cannot.
COUNTS = {
    "web_searches": "web_search",
    "images": "image",
    "characters": "input_character",
    "seconds": "input_second",
    "pages": "page",
}
_TEXTS = ("processing", "service_tier", "requested_service_tier", "region", "search_context_size")
KEYS = (*_TEXTS, "web_search_options", "speed", *COUNTS)
_PROCESSING = {"batch": True, "standard": False, "realtime": False, "online": False}
_SPEEDS = ("fast", "standard")

# As providers name what has no price of its own.
_STANDARD_TIERS = {
    "standard",
    "default",
    "auto",
    "on_demand",
    "standard_only",
    "traffic_type_unspecified",
}
_TIER_NAMES = {"on_demand_priority": "priority", "on_demand_flex": "flex"}  # Vertex
_EVERYWHERE = {"global", "not_available", "default"}
_TIER_FIELDS = (
    "service_tier",
    "usage.service_tier",
    "serviceTier.type",
    "serviceTier",
    "usageMetadata.serviceTier",
    "usageMetadata.trafficType",
    "usage_metadata.service_tier",
    "usage_metadata.traffic_type",
)


@dataclass(frozen=True, slots=True)
class Told:
    """What the caller knows of a call that its response may not say."""

    batch: bool = False
    service_tier: str | None = None
    region: str | None = None
    search_context_size: str | None = None
    fast: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)  # by unit


_NOTHING_TOLD = Told()


def told_by(context: Mapping[str, object] | None) -> Told:
    """Read a caller's context; an unknown key is refused, since a price may hang on it."""
    if context is None or context == {}:
        return _NOTHING_TOLD
    if not isinstance(context, Mapping):
        raise invalid("context", "must be an object", INVALID)
    place = Place(context, "context")
    unknown = sorted(str(key) for key in place.body if key not in KEYS)
    if unknown:
        faults = [FieldFault(f"context.{key}", "is not known") for key in unknown]
        raise InvalidInput(
            f"context: {', '.join(unknown)}: not known; known are {', '.join(KEYS)}",
            *faults,
            code=INVALID,
        )
    processing = _text(place, "processing")
    if processing is not None and processing not in _PROCESSING:
        raise invalid("context.processing", f"must be one of {', '.join(_PROCESSING)}", INVALID)
    speed = _text(place, "speed")
    if speed is not None and speed not in _SPEEDS:
        raise invalid("context.speed", f"must be one of {', '.join(_SPEEDS)}", INVALID)
    tier = _text(place, "service_tier")
    size = _text(place, "search_context_size")
    return Told(
        batch=_PROCESSING.get(processing or "", False) or tier == BATCH,
        service_tier=tier,
        region=_text(place, "region"),
        search_context_size=size or _text(place, "web_search_options.search_context_size"),
        fast=speed == FAST,
        counts=_counts(place),
    )


def context_of(context: Mapping[str, object] | None) -> PriceContext:
    """A caller's context alone, where there is no response to go before it."""
    if context is None or context == {}:
        return STANDARD
    return price_context(Place({}), None, told_by(context), seller="", batch=False)


def counts_told(context: Mapping[str, object] | None) -> Mapping[str, int]:
    """What a caller's context counts, by unit."""
    return told_by(context).counts


def price_context(
    body: Place, usage: Place | None, told: Told, *, seller: str, batch: bool
) -> PriceContext:
    """The context of the price: the response decides, the caller where it is silent.

    A batch is told by the caller or by the wrapper of its results: those say `default` of a tier.
    """
    said = usage or Place({})
    speed = _said(said, "speed")
    tier = _tier(body)
    if batch or told.batch:
        tier = BATCH
    elif speed == FAST or (speed is None and told.fast):
        tier = FAST
    elif tier is None:
        tier = told.service_tier
    if tier in _STANDARD_TIERS or (seller, tier) in SAME_PRICE_TIERS:
        tier = None
    geo = _said(said, "inference_geo")
    region = told.region if geo in {None, "not_available"} else geo
    size = _said(said, "search_context_size") or _size_of_tools(body) or told.search_context_size
    found = PriceContext(tier, None if region in _EVERYWHERE else region, size)
    return STANDARD if found == STANDARD else found


def _text(place: Place, name: str) -> str | None:
    value = place.value(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise invalid(place.path_of(name), "must be a text", INVALID)
    return value.strip().lower() or None


def _counts(place: Place) -> dict[str, int]:
    found = {}
    for name, unit in COUNTS.items():
        read = rounded_up if unit.endswith("second") else whole
        amount = read(place.value(name), place.path_of(name))
        if amount is not None:
            found[unit] = amount
    return found


def _said(place: Place, name: str) -> str | None:
    value = place.value(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise faulty(place.path_of(name), "must be a text")
    return str(getattr(value, "value", value)).strip().lower() or None


def _tier(body: Place) -> str | None:
    for name in _TIER_FIELDS:
        if not isinstance(body.value(name), Mapping) and (tier := _said(body, name)):
            return _TIER_NAMES.get(tier, tier)
    return None


def _size_of_tools(body: Place) -> str | None:
    """Responses repeat the tools that were asked for, with the size that was in force."""
    for tool in body.items("tools"):
        if (tool.text("type") or "").startswith("web_search"):
            return _said(tool, "search_context_size")
    return None
