"""Quotes from the recorded price tables of real sources: one model, as each of them lists it."""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tekton_budget.domain.verify import Quote

PRICES = Path(__file__).parents[4] / "shared" / "prices"
NOON = datetime(2026, 8, 21, 12, tzinfo=UTC)
MILLION = Decimal(1_000_000)

# seller → what each source calls it; LiteLLM has one table with its own spelling in the key
SELLERS = {
    "anthropic": {"litellm": "", "genai": "anthropic", "modelsdev": "anthropic", "portkey": "anthropic", "langfuse": "claude"},
    "openai": {"litellm": "", "genai": "openai", "modelsdev": "openai", "portkey": "openai", "langfuse": ""},
    "google": {"litellm": "gemini/", "genai": "google", "modelsdev": "google", "portkey": "google", "langfuse": "gemini"},
    "bedrock": {"litellm": "", "genai": "aws", "modelsdev": "amazon-bedrock", "portkey": "bedrock"},
    "azure": {"litellm": "azure/", "genai": "azure", "modelsdev": "azure", "portkey": "azure-openai"},
    "vertex": {"litellm": "vertex_ai/", "modelsdev": "google-vertex"},
    "mistral": {"litellm": "mistral/", "genai": "mistral", "modelsdev": "mistral", "portkey": "mistral-ai"},
    "deepseek": {"litellm": "", "genai": "deepseek", "modelsdev": "deepseek", "portkey": "deepseek"},
    "xai": {"litellm": "xai/", "genai": "x-ai", "modelsdev": "xai", "portkey": "x-ai"},
    "cohere": {"litellm": "", "genai": "cohere", "modelsdev": "cohere", "portkey": "cohere"},
    "groq": {"litellm": "groq/", "genai": "groq", "modelsdev": "groq", "portkey": "groq"},
    "perplexity": {"litellm": "perplexity/", "genai": "perplexity", "modelsdev": "perplexity", "portkey": "perplexity-ai"},
    "together": {"modelsdev": "togetherai", "portkey": "together-ai"},
    "openrouter": {"litellm": "openrouter/", "genai": "openrouter", "openrouter": ""},
    "moonshot": {"litellm": "moonshot/", "genai": "moonshotai", "modelsdev": "moonshotai", "portkey": "moonshot"},
    "wandb": {"litellm": "wandb/"},
}  # fmt: skip


@cache
def table(name: str) -> Any:
    path = PRICES / f"{name}.json"
    if not path.is_file():
        message = f"the price tables are not beside the repository ({path})"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return json.loads(path.read_text(), parse_float=Decimal)


def quotes_of(provider: str, model: str) -> list[Quote]:
    """What each source lists for exactly this model of this seller."""
    found = []
    for source, seller in SELLERS[provider].items():
        for listed_as, rates, mode in READERS[source](seller, model):
            found.append(Quote(source, provider, model, _told(rates), listed_as, mode=mode))
    return found


Row = tuple[str, dict[str, Any], str | None]


def _litellm(prefix: str, model: str) -> Iterator[Row]:
    one = table("litellm-2026-08-15").get(prefix + model)
    if one is not None:
        names = {
            "input": "input_cost_per_token",
            "output": "output_cost_per_token",
            "cache_read": "cache_read_input_token_cost",
            "cache_write_5m": "cache_creation_input_token_cost",
            "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
            "input@>200000": "input_cost_per_token_above_200k_tokens",
            "output@>200000": "output_cost_per_token_above_200k_tokens",
            "output@batch": "output_cost_per_token_batches",
        }
        yield prefix + model, {k: _times(one.get(n), MILLION) for k, n in names.items()}, one.get("mode")  # fmt: skip


def _genai(seller: str, model: str) -> Iterator[Row]:
    for provider in table("genai-prices-2026-08-21"):
        if provider["id"] != seller:
            continue
        one = next((one for one in provider["models"] if _matches(one["match"], model)), None)
        if one is None:
            return
        names = {
            "input": "input_mtok",
            "output": "output_mtok",
            "cache_read": "cache_read_mtok",
            "cache_write_5m": "cache_write_mtok",
            "cache_write_1h": "cache_write_1h_mtok",
        }
        prices = _prices_at(one["prices"], NOON)
        rates: dict[str, Any] = {}
        for unit, name in names.items():
            rate = prices.get(name)
            if isinstance(rate, dict):
                for tier in rate.get("tiers", []):
                    rates[f"{unit}@>{tier['start']}"] = tier["price"]
                rate = rate["base"]
            rates[unit] = rate
        yield one["id"], rates, None


def _modelsdev(seller: str, model: str) -> Iterator[Row]:
    one = table("models-dev-2026-05-02")[seller]["models"].get(model, {}).get("cost")
    if one:
        rates = {name: one.get(name) for name in ("input", "output", "cache_read")}
        yield model, {**rates, "cache_write_5m": one.get("cache_write")}, None


def _portkey(seller: str, model: str) -> Iterator[Row]:
    one = table("portkey-2026-04-30")[seller].get(model)
    if one:
        names = {
            "input": "request_token",
            "output": "response_token",
            "cache_read": "cache_read_input_token",
            "cache_write_5m": "cache_write_input_token",
        }
        asked = one["pricing_config"]["pay_as_you_go"]
        cents = {unit: asked.get(name, {}).get("price") for unit, name in names.items()}
        # a zero for the cache is how this table says nothing
        yield (
            model,
            {
                unit: _times(rate, MILLION / 100)
                for unit, rate in cents.items()
                if rate or unit in {"input", "output"}
            },
            None,
        )


def _langfuse(start: str, model: str) -> Iterator[Row]:
    for one in table("langfuse-2026-05-02"):
        if model.startswith(start) and re.fullmatch(one["matchPattern"].replace("(?i)", ""), model, re.IGNORECASE):  # fmt: skip
            prices = next(tier for tier in one["pricingTiers"] if tier["isDefault"])["prices"]
            names = {
                "input": "input"
                if "input" in prices
                else "total"
                if "total" in prices
                else "input_text_tokens",
                "output": "output" if "input" in prices else "output_text_tokens",
                "cache_read": "input_cached_tokens",
                "cache_write_1h": "input_cache_creation_1h",
            }
            yield one["modelName"], {k: _times(prices.get(n), MILLION) for k, n in names.items()}, None  # fmt: skip
            return


def _openrouter(_: str, model: str) -> Iterator[Row]:
    for one in table("openrouter-models-2026-05-15")["data"]:
        if one["id"] == model:
            names = {
                "input": "prompt",
                "output": "completion",
                "cache_read": "input_cache_read",
                "cache_write_5m": "input_cache_write",
            }
            yield (
                model,
                {k: _times(one["pricing"].get(n), MILLION) for k, n in names.items()},
                None,
            )


READERS = {
    "litellm": _litellm,
    "genai": _genai,
    "modelsdev": _modelsdev,
    "portkey": _portkey,
    "langfuse": _langfuse,
    "openrouter": _openrouter,
}


def _times(rate: Any, factor: Decimal) -> Decimal | None:
    return None if rate is None else Decimal(rate) * factor


def _told(rates: dict[str, Any]) -> dict[str, Decimal]:
    return {unit: Decimal(rate).normalize() for unit, rate in rates.items() if rate is not None}


def _prices_at(prices: Any, at: datetime) -> dict[str, Any]:
    """Of dated or scheduled prices, the last one that holds at a moment."""
    if isinstance(prices, dict):
        return prices
    held = prices[0]["prices"]
    for one in prices[1:]:
        constraint = one["constraint"]
        if "start_date" in constraint:
            holds = date.fromisoformat(constraint["start_date"]) <= at.date()
        else:
            holds = constraint["start_time"] <= at.strftime("%H:%M:%SZ") < constraint["end_time"]
        if holds:
            held = one["prices"]
    return held


def _matches(clause: dict[str, Any], model: str) -> bool:
    ((kind, wanted),) = clause.items()
    text = model.lower()
    if kind in {"or", "and"}:
        return (any if kind == "or" else all)(_matches(one, model) for one in wanted)
    if kind == "regex":
        return re.search(wanted, text) is not None
    tests = {"equals": text == wanted, "starts_with": text.startswith(wanted), "contains": wanted in text, "ends_with": text.endswith(wanted)}  # fmt: skip
    return tests[kind]
