"""Builds the price list that the package brings along, from a folder of foreign lists.

    python scripts/price_list/build.py ../shared/prices [--out FILE] [--report FILE]

The same files give the same bytes. What was left out, and why, is printed; `--report` keeps
all of it.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import aliases
import demo
import facts
import rules
from cards import card_of, with_regions
from curate import Curated
from groups import Group, Key, decided, grouped
from lists import NEWEST, SOURCES, Read, read_all

TARGET = Path(__file__).parents[2] / "src" / "tekton_budget" / "prices" / "embedded.json"
FORMAT = "price-list/1"
Card = dict[str, Any]  # Any: JSON


def build(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:  # Any: JSON
    """The list, and the report of what went in and what did not."""
    curated = Curated()
    read = read_all(folder)
    groups = grouped(read.listings, curated.same())
    decided(groups)
    closed = curated.closed()
    kept = {key: group for key, group in groups.items() if _keeps(key, group, closed)}
    cards = with_regions(kept, {key: card_of(group) for key, group in kept.items()})
    named = aliases.of_curated(curated.aliases, cards, joins=True)
    named += aliases.of_snapshots(cards)
    named += aliases.of_lists(kept, cards, {*closed, *((*name, None) for name in curated.names())})
    for several in cards.values():
        rules.apply(several)
    curated.put(cards)
    named += aliases.of_curated(curated.aliases, cards, joins=False)
    named += aliases.of_openrouter(kept, cards)
    named += aliases.of_aliases(curated.aliases, named, cards)
    found = facts.of(groups, cards) + demo.facts()
    demo.put(cards)
    document = {
        "format": FORMAT,
        "version": f"{NEWEST.isoformat()}.2",
        "made": NEWEST.isoformat(),
        "sources": [*(source.head for source in SOURCES), demo.head(NEWEST.isoformat())],
        "cards": _sorted(cards),
        "aliases": _unique(named, cards),
        "models": sorted(found, key=lambda one: (one["provider"], one["model"])),
    }
    return document, _report(read, groups, closed, document)


def _keeps(key: Key, group: Group, closed: dict[Key, str]) -> bool:
    base = (key[0], key[1], None)
    return group.verdict.usable and base not in closed and not aliases.floats(group.model)


def _sorted(cards: dict[Key, list[Card]]) -> list[Card]:
    flat = [card for several in cards.values() for card in several]
    return sorted(
        flat, key=lambda card: (card["provider"], card["model"], card.get("effective_from") or "")
    )


def _unique(named: list[Card], cards: dict[Key, list[Card]]) -> list[Card]:
    """Each name once per date, curated ones first; none that is a card's own name."""
    models = {(card["provider"], card["model"]) for several in cards.values() for card in several}
    joined = {(one["provider"], one["name"]): one["model"] for one in named}
    found: dict[tuple[str, str, str], Card] = {}
    for alias in named:
        provider, model = alias["provider"], alias["model"]
        while (provider, model) not in models:  # its card was joined to another one
            model = joined[provider, model]
        if (provider, alias["name"]) not in models:
            place = (provider, alias["name"], alias.get("from", ""))
            found.setdefault(place, alias | {"model": model})
    return [found[key] for key in sorted(found)]


def _report(
    read: Read, groups: dict[Key, Group], closed: dict[Key, str], document: dict[str, Any]
) -> dict[str, Any]:  # Any: JSON
    undecided = {
        " ".join(filter(None, key)): {
            "status": str(group.verdict.status),
            "quotes": {
                family: {
                    u: str(listing.rates[u]) for u in ("input", "output") if u in listing.rates
                }
                for family, listing in group.now.items()
            },
            "reasons": [*group.verdict.reasons, *(one.reason for one in group.verdict.set_aside)],
        }
        for key, group in groups.items()
        if group.now and not group.verdict.usable
    }
    statuses = Counter(str(group.verdict.status) for group in groups.values() if group.now)
    return {
        "keys": len([group for group in groups.values() if group.now]),
        "statuses": dict(sorted(statuses.items())),
        "cards": len(document["cards"]),
        "aliases": len(document["aliases"]),
        "models": len(document["models"]),
        "floating": sorted(
            {f"{g.provider} {g.model}" for g in groups.values() if aliases.floats(g.model)}
        ),
        "left out by hand": {" ".join(filter(None, key)): why for key, why in closed.items()},
        "undecided": dict(sorted(undecided.items())),
        "set aside": sorted(
            f"{group.provider} {group.model} {one.source} {one.dimension or ''}: {one.reason}"
            for group in groups.values()
            for one in group.verdict.set_aside
        ),
        "problems": [
            f"{source}: {one.listed_as} {one.key}: {one.reason}" for source, one in read.problems
        ],
    }


def text_of(document: dict[str, Any]) -> str:  # Any: JSON
    """Compact JSON, one card, alias or model a line, so that a change of one is one line."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list):
            items = ",\n".join(_compact(item) for item in value)
            lines.append(f"{_compact(key)}:[\n{items}\n]")
        else:
            lines.append(f"{_compact(key)}:{_compact(value)}")
    return "{" + ",\n".join(lines) + "}\n"


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder of the foreign lists")
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--report", type=Path, help="where to keep what was left out, and why")
    options = parser.parse_args(arguments)
    document, report = build(options.folder)
    text = text_of(document)
    options.out.write_text(text, "ascii")
    if options.report:
        options.report.write_text(json.dumps(report, indent=1) + "\n", "ascii")
    for name in ("keys", "statuses", "cards", "aliases", "models"):
        print(f"{name}: {report[name]}")
    for name in ("floating", "undecided", "set aside", "problems"):
        print(f"{name}: {len(report[name])}")
    print(f"{options.out}: {len(text):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
