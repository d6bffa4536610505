"""llm-prices.com, current and historical: USD per million, dated from (inclusive) to (exclusive).

A tier above a context length is an entry of its own, named with its threshold: `gpt-5.4-272k`.
The list has no licence: it may be read at run time, and feeds nothing that we publish.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from .listing import Listing, Problem, Reading, Tier, flat_rates, objects, parsed, text_of
from .sellers import ours

SOURCE = "llmprices"

_UNITS = {"input": "input", "output": "output", "input_cached": "cache_read"}
_NOT_PRICES = frozenset({"id", "vendor", "name", "from_date", "to_date"})
_ABOVE = re.compile(r"(?P<model>.+)-(?P<over>\d+)k")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def read(text: str | bytes) -> Reading:
    """Either file. Raises `InvalidInput` if it is no JSON; a bad price is a problem."""
    listings: list[Listing] = []
    problems: list[Problem] = []
    document = parsed(text)
    for entry in objects(document.get("prices") if isinstance(document, Mapping) else None):
        name, vendor = text_of(entry.get("id")), text_of(entry.get("vendor"))
        if name and vendor:
            dates = {key: _date(entry.get(f"{key}_date")) for key in ("from", "to")}
            prices = {key: entry[key] for key in entry if key not in _NOT_PRICES}
            listings.append(
                Listing(
                    SOURCE,
                    name,
                    ours(vendor),
                    name,
                    rates=flat_rates(name, prices, _UNITS, problems),
                    valid_from=dates["from"],
                    valid_to=dates["to"],
                )
            )
    return Reading(tuple(_with_tiers(listings)), tuple(problems))


def _date(value: object) -> str | None:
    return value if isinstance(value, str) and _DATE.fullmatch(value) else None


def _with_tiers(listings: list[Listing]) -> list[Listing]:
    """Entries for a length become tiers of the model they are named after, where it is listed."""
    models = {(one.provider, one.model) for one in listings}
    tiers: dict[tuple[str, str, str | None], list[Tier]] = {}
    bases = []
    for one in listings:
        found = _ABOVE.fullmatch(one.model)
        if found and (one.provider, found["model"]) in models:
            key = (one.provider, found["model"], one.valid_from)
            tiers.setdefault(key, []).append(Tier(int(found["over"]) * 1000, one.rates))
        else:
            bases.append(one)
    return [
        replace(one, tiers=tuple(sorted(tiers.get((one.provider, one.model, one.valid_from), ()))))
        for one in bases
    ]
