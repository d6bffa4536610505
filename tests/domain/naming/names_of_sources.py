"""A catalogue made of the recorded price lists, for the tests of names."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tekton_budget.domain.naming import Alias, Key, Resolver, seller_id

ROOT = Path(__file__).parents[3]
PRICES = ROOT.parent / "shared" / "prices"
ALIASES = ROOT / "scripts" / "price_list" / "aliases.json"

REMARK = re.compile(r" \((global|regional|eu data zone|us data zone)\)$")


def recorded(name: str) -> Any:  # Any: JSON
    return json.loads((PRICES / name).read_text(encoding="utf-8"))


def us(text: str | None) -> int | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 1_000_000


def at(text: str) -> int:
    found = us(text)
    assert found is not None
    return found


def curated() -> list[Alias]:
    return [
        Alias(
            row["provider"],
            row["name"],
            row.get("to_provider", row["provider"]),
            row["model"],
            us(row.get("from")),
            us(row.get("to")),
        )
        for row in json.loads(ALIASES.read_text(encoding="utf-8"))
    ]


def slugs() -> Iterator[Alias]:
    """OpenRouter's own list of second names; a slug shared with a free variant is the paid one."""
    for row in recorded("openrouter-models-2026-05-15.json")["data"]:
        if row["canonical_slug"] != row["id"] and ":" not in row["id"]:
            yield Alias("openrouter", row["canonical_slug"], "openrouter", row["id"])


def answered() -> Iterator[Key]:
    for case in recorded("name-cases.json")["cases"]:
        if case["answer"] and "floating" not in case["answer"]["model"]:
            yield case["answer"]["provider"], REMARK.sub("", case["answer"]["model"])


def carded() -> Iterator[Key]:
    for card in recorded("cost-cases.json")["rate_cards"].values():
        yield card["provider"], card["model"]


def listed() -> Iterator[Key]:
    for year in ("litellm-2026-08-15.json", "litellm-2025-09-01.json"):
        for name, row in recorded(year).items():
            if name != "sample_spec":
                yield _litellm_key(name, row["litellm_provider"])
    for provider in recorded("genai-prices-2026-08-21.json"):
        for model in provider["models"]:
            if not model["id"].startswith("regional."):
                yield seller_id(provider["id"]), model["id"]
    for row in recorded("openrouter-models-2026-05-15.json")["data"]:
        if "-1" not in row["pricing"].values():
            yield "openrouter", row["id"]
    for provider, row in recorded("models-dev-2026-05-02.json").items():
        for model in row["models"]:
            yield seller_id(provider), model


def _litellm_key(name: str, provider: str) -> Key:
    seller = seller_id(provider)
    head, _, rest = name.partition("/")
    return (seller, rest) if rest and seller_id(head) == seller else (seller, name)


def without_aliases(keys: Iterable[Key], aliases: Iterable[Alias]) -> list[Key]:
    """The keys in order, without those that are only another name of one kept before."""
    means: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for alias in aliases:
        name = (str(alias.provider), alias.name.lower())
        means.setdefault(name, []).append((alias.to_provider, alias.model.lower()))
    kept: dict[tuple[str, str], Key] = {}
    for provider, model in keys:
        name = (provider, model.lower())
        if name not in kept and not any(other in kept for other in means.get(name, ())):
            kept[name] = (provider, model)
    return list(kept.values())


def everything() -> Resolver:
    aliases = [*curated(), *slugs()]
    return Resolver(without_aliases([*answered(), *carded(), *listed()], aliases), aliases)
