"""What a reader cannot use is told with its entry, its key and why; the rest of the row stands."""

from collections.abc import Callable

import pytest

from tekton_budget.prices import (
    genai_prices,
    langfuse,
    litellm,
    llm_prices,
    models_dev,
    openrouter,
    portkey,
)
from tekton_budget.prices.listing import Reading

LITELLM = '{"m": {"litellm_provider": "openai", "input_cost_per_token": 1e-6, %s}}'
GENAI = '[{"id": "openai", "models": [{"id": "m", "prices": %s}]}]'
MODELS_DEV = '{"openai": {"models": {"m": {"cost": {"input": 1, "output": 2, %s}}}}}'
OPENROUTER = '{"data": [{"id": "a/b", "pricing": {"prompt": "0.000001", "completion": "0.000002", %s}}]}'  # fmt: skip
PORTKEY = '{"openai": {"m": {"pricing_config": {%s "pay_as_you_go": {"request_token": {"price": 1e-4}, "additional_units": {%s}}}}}}'  # fmt: skip
UNKNOWN, NOT_OURS, NO_NUMBER = "unknown price key", "no unit of ours", "not a number"

CASES = [
    (litellm.read, LITELLM % '"tiered_pricing": [{"input_cost_per_token": 1}]', "tiered_pricing", "a band without a range"),
    (litellm.read, LITELLM % '"tiered_pricing": [{"range": [9, 99], "input_cost_per_moon": 1}]', "tiered_pricing.input_cost_per_moon", UNKNOWN),
    (litellm.read, LITELLM % '"output_cost_per_image": 0.04, "input_cost_per_image": 0.02', "input_cost_per_image", NOT_OURS),
    (litellm.read, LITELLM % '"input_dbu_cost_per_token": 1', "input_dbu_cost_per_token", UNKNOWN),
    (litellm.read, LITELLM % '"cache_creation_input_token_cost_above_12hr": 1', "cache_creation_input_token_cost_above_12hr", NOT_OURS),
    (litellm.read, LITELLM % '"off_peak_pricing": {"input_cost_per_token": -1, "windows": [{"hours_utc": "00:00-01:00"}]}', "off_peak_pricing", "a window of an unknown form"),
    (litellm.read, LITELLM % '"off_peak_pricing": {}', "off_peak_pricing", "no windows"),
    (litellm.read, LITELLM % '"off_peak_pricing": {"input_cost_per_token": 1e-7, "windows": [{"hours_utc": ["00:00-01:00"], "weekdays": [8]}]}', "off_peak_pricing", "a window of an unknown form"),
    (genai_prices.read, GENAI % '[{"prices": {"input_mtok": 1}}, {"constraint": {"moon": "full"}, "prices": {}}]', "constraint", "a constraint of an unknown form"),
    (genai_prices.read, GENAI % '[{"constraint": {"start_time": "00:30:00Z", "end_time": "16:30:00Z"}, "prices": {"input_mtok": 1}}]', "prices", "no price but for some hours of the day"),
    (genai_prices.read, GENAI % '{"input_moons": 1}', "input_moons", UNKNOWN),
    (genai_prices.read, GENAI % '{"input_mtok": {"base": 1, "tiers": [{"price": 2}]}}', "input_mtok", "a tier without a start"),
    (models_dev.read, MODELS_DEV % '"tiers": [{"input": 3}]', "tiers", "a tier without a size"),
    (models_dev.read, MODELS_DEV % '"moons": 3', "moons", UNKNOWN),
    (openrouter.read, OPENROUTER % '"image": "0.04"', "image", NOT_OURS),
    (openrouter.read, OPENROUTER % '"moons": "0.04"', "moons", UNKNOWN),
    (portkey.read, PORTKEY % ('"currency": "EUR",', ""), "currency", "not in USD"),
    (portkey.read, PORTKEY % ("", '"web_search": {"price": "x"}'), "web_search", NO_NUMBER),
    (portkey.read, PORTKEY % ("", '"file_search": {"price": 1}'), "file_search", UNKNOWN),
    (portkey.read, PORTKEY % ('"batch_config": {"request_moon": {"price": 1}},', ""), "request_moon", UNKNOWN),
    (langfuse.read, '[{"modelName": "gpt-x", "pricingTiers": [{"prices": {"moons": 1}}]}]', "moons", UNKNOWN),
    (langfuse.read, '[{"modelName": "a-model-of-nobody"}]', "", "of no seller that is known"),
    (llm_prices.read, '{"prices": [{"id": "m", "vendor": "openai", "moons": 1}]}', "moons", UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("read", "text", "key", "reason"), CASES, ids=[str(i) for i, _ in enumerate(CASES)])  # fmt: skip
def test_a_problem_is_told(
    read: Callable[[str | bytes], Reading], text: str, key: str, reason: str
) -> None:
    assert [(one.key, one.reason) for one in read(text).problems] == [(key, reason)]


def test_models_dev_tells_tiers_of_either_form_and_facts() -> None:
    text = """{"zai": {"models": {"glm": {"cost": {"input": 1, "output": 2,
      "context_over_200k": {"input": 3}, "tiers": [{"tier": {"size": 272000}, "input": 4}]},
      "limit": {"context": 9, "output": 8}, "modalities": {"input": ["text", "video"], "output": ["text"]},
      "tool_call": true, "reasoning": false, "release_date": "2026-01-02"}}}}"""
    (one,) = models_dev.read(text).listings
    assert [(tier.over, int(tier.rates["input"])) for tier in one.tiers] == [(200_000, 3), (272_000, 4)]  # fmt: skip
    assert one.facts == {
        "context_tokens": 9,
        "max_output_tokens": 8,
        "input": ["text", "video"],
        "output": ["text"],
        "tools": True,
        "reasoning": False,
        "released": "2026-01-02",
    }


def test_openrouter_tells_fees_and_facts() -> None:
    text = """{"data": [{"id": "a/b:free", "canonical_slug": "a/b-1", "created": -5,
      "pricing": {"prompt": "0", "completion": "0", "request": "0.01", "web_search": "0"},
      "architecture": {"input_modalities": ["text", "file"]}, "supported_parameters": ["tools"]}]}"""
    (one,) = openrouter.read(text).listings
    assert one.names == ()  # a variant's slug is that of its model
    assert {unit: str(fee) for unit, fee in one.fees.items()} == {"request": "0.01"}
    assert one.facts == {
        "input": ["text", "pdf"],
        "tools": True,
        "reasoning": False,
        "structured_output": False,
    }


def test_what_is_no_entry_is_passed_over() -> None:
    assert litellm.read('{"a": 1, "b": {"mode": "chat"}, "sample_spec": {"litellm_provider": "x"}}') == ((), ())  # fmt: skip
    assert portkey.read('{"openai": {"default": {"pricing_config": {}}, "m": {}}}') == ((), ())
    assert openrouter.read('{"data": [{"id": "a"}, {"pricing": {}}]}') == ((), ())
    assert genai_prices.read('{"providers": [{"id": "x", "models": [{"id": "-"}, {}]}]}') == ((), ())  # fmt: skip


def test_the_seller_s_own_prefix_is_taken_off_and_no_other() -> None:
    assert litellm.place_of("groq/openai/gpt-oss-20b", "groq") == ("groq", "openai/gpt-oss-20b", None)  # fmt: skip
    assert litellm.place_of("lambda_ai/llama", "lambda_ai") == ("lambda_ai", "llama", None)
    place = litellm.place_of("bedrock/converse/eu.anthropic.claude-x", "bedrock_converse")
    assert place == ("bedrock", "anthropic.claude-x", "eu")
    path = "fireworks_ai/accounts/fireworks/models/kimi-k2p5"
    assert litellm.place_of(path, "fireworks_ai") == ("fireworks", "kimi-k2p5", None)
    assert litellm.place_of("azure/global/gpt-4o", "azure") == ("azure", "gpt-4o", None)
