"""Groups: listings of one model of one seller in one region, and the verdict on them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

from lists import NEWEST, SOURCES

from tekton_budget.domain.verify import Quote, Rates, Status, Verdict, judge
from tekton_budget.prices.listing import Listing, Tier

Key = tuple[str, str, str | None]  # seller, folded model, region
AS_OF = NEWEST.isoformat()
TIER_AWARE = ("litellm", "genai")
FRESH = timedelta(days=60)
TOLERANCE = Decimal("0.005")
_VERSION = re.compile(r"-v\d+(:\d+)?$")


def folded(provider: str, model: str) -> str:
    """A model name without case and punctuation, for comparing; Bedrock's version put aside."""
    name = model.lower().replace(".", "-").replace("_", "-")
    if provider == "vertex":
        return name.removesuffix("@default")
    return _VERSION.sub("", name) if provider == "bedrock" else name


@dataclass
class Group:
    """What the sources list under one key. `now` is by family; history is of one source."""

    provider: str
    model: str  # as its best source spells it
    region: str | None
    now: dict[str, Listing] = field(default_factory=dict)
    days: dict[str, str] = field(default_factory=dict)
    history: list[Listing] = field(default_factory=list)
    spellings: set[str] = field(default_factory=set)
    verdict: Verdict = field(default_factory=lambda: Verdict(Status.REJECTED))

    @property
    def agreeing(self) -> list[str]:
        """Families whose input and output are the verdict's, best first."""
        value = {name: self.verdict.rates.get(name, Decimal(0)) for name in ("input", "output")}
        return [
            family
            for family, listing in self.now.items()
            if all(
                abs(listing.rates.get(name, Decimal(0)) - rate) <= rate * TOLERANCE
                for name, rate in value.items()
            )
        ]


def grouped(
    listings: Iterable[tuple[int, Listing]], same: Mapping[tuple[str, str], str]
) -> dict[Key, Group]:
    """Listings by key; `same` maps another name of a model to the one its card has."""
    found: dict[Key, Group] = {}
    direct: dict[Key, set[str]] = defaultdict(set)
    late = []
    for rank, listing in listings:
        if not listing.rates:
            continue
        own = folded(listing.provider, listing.model)
        name = same.get((listing.provider, own))
        if name and folded(listing.provider, name) != own:
            late.append((rank, listing, name))
            continue
        key = (listing.provider, own, listing.region)
        direct[key].add(SOURCES[rank].family)
        # The same but for punctuation: spelt as the curated list has it.
        _add(found, key, rank, listing.called(name) if name else listing)
    for rank, listing, name in late:  # by another name only where the source has not the first
        key = (listing.provider, folded(listing.provider, name), listing.region)
        if SOURCES[rank].family not in direct[key]:
            _add(found, key, rank, listing.called(name))
    return found


def _add(found: dict[Key, Group], key: Key, rank: int, listing: Listing) -> None:
    group = found.setdefault(key, Group(listing.provider, listing.model, listing.region))
    family = SOURCES[rank].family
    group.spellings.add(listing.model)
    if group.provider == "bedrock" and family == "modelsdev" and "litellm" not in group.now:
        group.model = listing.model  # genai adds a version to ids that have none
    if not _covers(listing, AS_OF):
        group.history.append(listing)
    elif family not in group.now:
        group.now[family] = listing
        group.days[family] = SOURCES[rank].day.isoformat()


def _covers(listing: Listing, day: str) -> bool:
    starts = listing.valid_from is None or listing.valid_from <= day
    return starts and (listing.valid_to is None or day < listing.valid_to)


def decided(groups: dict[Key, Group]) -> None:
    """Judge every group; a lone quote a second time, beside what its siblings came to.

    OpenRouter's own list speaks for OpenRouter alone.
    """
    for group in groups.values():
        if "openrouter" in group.now:
            own = {"openrouter": group.now["openrouter"]}
            group.now = own | group.now
            group.verdict = judge(_quotes(group, own))
        elif group.now:
            group.verdict = _with_fresh(group, judge(_quotes(group, group.now)))
    verified: dict[str, dict[str, Rates]] = defaultdict(dict)
    for (provider, model, region), group in groups.items():
        if group.verdict.status is Status.VERIFIED and region is None:
            verified[_bare(model)][provider] = group.verdict.rates
    for (_, model, _), group in groups.items():
        siblings = verified.get(_bare(model))
        if siblings and group.verdict.status is Status.SINGLE_SOURCE and _is_lone(group):
            group.verdict = judge(_quotes(group, group.now), siblings=siblings)


def _with_fresh(group: Group, verdict: Verdict) -> Verdict:
    """The verdict, where older sources alone keep a dimension open, with what the fresh ones say.

    All were read at different times: an old quote does not speak against a newer one of others.
    """
    fresh = {family: group.now[family] for family in group.now if _is_fresh(group, family)}
    open_ = [it for it, how in verdict.dimensions.items() if how is Status.DISPUTED]
    if verdict.status is not Status.VERIFIED or not open_ or not fresh:
        return verdict
    newer = judge(_quotes(group, fresh)).rates
    if any(newer.get(it) != verdict.rates.get(it) for it in ("input", "output")):
        return verdict
    told = {it: newer[it] for it in open_ if it in newer and it not in verdict.rates}
    return replace(verdict, rates={**verdict.rates, **told})


def _is_fresh(group: Group, family: str) -> bool:
    return date.fromisoformat(group.days[family]) >= NEWEST - FRESH


def _is_lone(group: Group) -> bool:
    return "openrouter" not in group.now


def _bare(model: str) -> str:
    """A model's name without its maker, to find it at other sellers."""
    return re.sub(r"^.*/|^[a-z]+-(?=claude|nova|llama|gpt)", "", model)


def _quotes(group: Group, quoting: Mapping[str, Listing]) -> list[Quote]:
    silent = _flat_by_now(group)
    return [
        Quote(
            family,
            group.provider,
            group.model,
            _told(dimensions(listing), silent),
            group.model,  # regions were told apart before
            mode=_mode(group),
            as_of=date.fromisoformat(group.days[family]),
        )
        for family, listing in quoting.items()
    ]


def _flat_by_now(group: Group) -> bool:
    """Whether the sources that are fresh and keep tiers list none: older ones are late, then."""
    fresh = [
        group.now[family]
        for family in TIER_AWARE
        if family in group.now and _is_fresh(group, family)
    ]
    return bool(fresh) and not any(listing.tiers for listing in fresh)


def _told(rates: dict[str, Decimal], flat: bool) -> dict[str, Decimal]:
    return {name: rate for name, rate in rates.items() if not (flat and "@>" in name)}


def _mode(group: Group) -> str | None:
    return next((listing.mode for listing in group.now.values() if listing.mode), None)


def dimensions(listing: Listing) -> dict[str, Decimal]:
    """Rates by unit, and by unit under a condition: `input@>200000`, `output@batch`,
    `output@batch@>200000`. Zeros of other units than input and output say nothing."""
    found = dict(_of(listing.rates, ""))
    found |= _of_tiers(listing.tiers, "")
    for name, service in listing.service_tiers.items():
        found |= _of(service.rates, f"@{name}")
        found |= _of_tiers(service.tiers, f"@{name}")
    if listing.rates.get("output") == 0 and listing.rates.get("input"):
        del found["output"]  # embeddings: there is no output
    if listing.provider in {"google", "vertex"} and "gemini" in listing.model:
        # What is listed as a write is the price of storage by the hour.
        found = {name: rate for name, rate in found.items() if not name.startswith("cache_write")}
    return found


def _of(rates: Mapping[str, Decimal], under: str) -> dict[str, Decimal]:
    return {
        f"{unit}{under}": rate
        for unit, rate in rates.items()
        if rate or (unit in {"input", "output"} and not under)
    }


def _of_tiers(tiers: tuple[Tier, ...], under: str) -> dict[str, Decimal]:
    found = {}
    for tier in tiers:
        found |= _of(tier.rates, f"{under}@>{tier.over}")
    return found
