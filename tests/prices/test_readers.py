"""Each reader on its real file: rows known by heart, what it refuses, and what it tells of it."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.units import COUNT_UNITS, TOKEN_UNITS
from tekton_budget.prices import (
    genai_prices,
    langfuse,
    litellm,
    llm_prices,
    models_dev,
    openrouter,
    portkey,
)
from tekton_budget.prices.listing import Listing, Reading

READERS: dict[str, Callable[[str | bytes], Reading]] = {
    "litellm-2026-08-15.json": litellm.read,
    "litellm-2025-09-01.json": litellm.read,
    "genai-prices-2026-08-21.json": genai_prices.read,
    "models-dev-2026-05-02.json": models_dev.read,
    "openrouter-models-2026-05-15.json": openrouter.read,
    "portkey-2026-04-30.json": portkey.read,
    "langfuse-2026-05-02.json": langfuse.read,
    "llm-prices-format-current-2026-08-05.json": llm_prices.read,
    "llm-prices-format-historical-2026-08-05.json": llm_prices.read,
}
LITELLM, GENAI = "litellm-2026-08-15.json", "genai-prices-2026-08-21.json"


@pytest.fixture(scope="module")
def readings(shared: Path) -> dict[str, Reading]:
    return {name: read((shared / name).read_bytes()) for name, read in READERS.items()}


@pytest.fixture(scope="module")
def listed(readings: dict[str, Reading]) -> Callable[..., list[Listing]]:
    def find(file: str, provider: str, model: str, region: str | None = None) -> list[Listing]:
        return [
            one
            for one in readings[file].listings
            if (one.provider, one.model, one.region) == (provider, model, region)
        ]

    return find


def told(rates: object) -> dict[str, str]:
    assert hasattr(rates, "items")
    return {unit: f"{rate.normalize():f}" for unit, rate in rates.items()}


def test_every_row_is_read_in_our_units_and_exactly(readings: dict[str, Reading]) -> None:
    for file, reading in readings.items():
        assert len(reading.listings) > 20, file
        for one in reading.listings:
            service = [tier for it in one.service_tiers.values() for tier in (it, *it.tiers)]
            for rates in (one, *one.tiers, *one.schedule, *service):
                assert set(rates.rates) <= set(TOKEN_UNITS), one
                assert all(isinstance(rate, Decimal) and rate >= 0 for rate in rates.rates.values())
            assert set(one.fees) <= set(COUNT_UNITS), one


@pytest.mark.parametrize(
    ("file", "provider", "model", "rates"),
    [
        (LITELLM, "openai", "gpt-4o", {"input": "2.5", "output": "10", "cache_read": "1.25"}),
        (LITELLM, "google", "gemini-2.5-flash", {"input": "0.3", "input_audio": "1"}),
        (LITELLM, "vertex", "gemini-2.0-flash", {"input": "0.1", "input_audio": "0.7"}),
        (LITELLM, "vertex", "claude-sonnet-4-5@20250929", {"input": "3", "cache_write_1h": "6"}),
        (LITELLM, "openai", "gpt-image-1.5", {"input_image": "8", "output_image": "32"}),
        (LITELLM, "openai", "gpt-realtime", {"input_audio": "32", "input_image": "5"}),
        (LITELLM, "perplexity", "sonar-deep-research", {"reasoning": "3", "citation": "2"}),
        (LITELLM, "groq", "openai/gpt-oss-120b", {"input": "0.15", "output": "0.6"}),
        (LITELLM, "openrouter", "openai/gpt-4o", {"input": "2.5", "output": "10"}),
        (LITELLM, "alibaba", "qwen3-coder-plus", {"input": "1", "output": "5"}),
        (LITELLM, "bedrock", "amazon.nova-micro-v1:0", {"input": "0.035", "output": "0.14"}),
        (LITELLM, "wandb", "openai/gpt-oss-120b", {"input": "15000", "output": "60000"}),
        (GENAI, "anthropic", "claude-haiku-4-5", {"cache_write_5m": "1.25", "cache_write_1h": "2"}),
        (GENAI, "vertex", "claude-fable-5", {"input": "10", "cache_write_5m": "12.5"}),
        (GENAI, "xai", "grok-4.20", {"input": "1.25", "output": "2.5", "cache_read": "0.2"}),
        ("models-dev-2026-05-02.json", "minimax", "MiniMax-M2.1", {"cache_read": "0.03"}),
        ("models-dev-2026-05-02.json", "moonshot", "kimi-k2-0905-preview", {"output": "2.5"}),
        ("portkey-2026-04-30.json", "together", "MiniMaxAI/MiniMax-M2.7", {"output": "1.2"}),
        ("portkey-2026-04-30.json", "xai", "grok-4-0709", {"input": "3", "output": "15"}),
        ("langfuse-2026-05-02.json", "openai", "gpt-4o-2024-05-13", {"input": "5"}),
        ("langfuse-2026-05-02.json", "openai", "text-embedding-ada-002-v2", {"input": "0.1"}),
    ],
)  # fmt: skip
def test_rows_known_by_heart(
    listed: Callable[..., list[Listing]],
    file: str,
    provider: str,
    model: str,
    rates: dict[str, str],
) -> None:
    (one,) = listed(file, provider, model)
    assert {unit: told(one.rates)[unit] for unit in rates} == rates


def test_litellm_takes_thresholds_tiers_and_regions_apart(
    listed: Callable[..., list[Listing]],
) -> None:
    (sol,) = listed(LITELLM, "openai", "gpt-5.6-sol")
    assert [(tier.over, told(tier.rates)["cache_write_5m"]) for tier in sol.tiers] == [
        (272_000, "12.5")
    ]
    assert told(sol.service_tiers["flex"].rates)["cache_write_5m"] == "3.125"
    assert told(sol.service_tiers["flex"].tiers[0].rates)["output"] == "22.5"
    assert told(sol.service_tiers["batch"].rates) == {"input": "2.5", "output": "15"}
    assert told(sol.regions) == {"eu": "1.1", "us": "1.1"}
    (qwen,) = listed(LITELLM, "alibaba", "qwen3-coder-plus")
    bands = [(tier.over, told(tier.rates)["output"]) for tier in qwen.tiers]
    assert bands == [(32_000, "9"), (128_000, "15"), (256_000, "60")]
    (regional,) = listed(LITELLM, "bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "us")
    assert told(regional.rates)["input"] == "3.3"
    (zone,) = listed(LITELLM, "azure", "gpt-4o-2024-08-06", "eu")
    assert told(zone.rates)["output"] == "11"
    (opus,) = listed(LITELLM, "anthropic", "claude-opus-4-6")
    assert told(opus.service_tiers["fast"].rates)["output"] == "150"
    assert told(opus.regions) == {"us": "1.1"}
    (sonar,) = listed(LITELLM, "perplexity", "sonar-pro")
    assert sonar.fees["request"] == {
        "low": Decimal("0.006"),
        "medium": Decimal("0.01"),
        "high": Decimal("0.014"),
    }
    assert opus.fees == {"web_search": Decimal("0.01")}


def test_genai_prices_keeps_dates_and_hours(listed: Callable[..., list[Listing]]) -> None:
    before, after = listed(GENAI, "openai", "o3")
    assert (before.valid_from, before.valid_to) == (None, "2025-06-10")
    assert (after.valid_from, after.valid_to) == ("2025-06-10", None)
    assert (told(before.rates)["input"], told(after.rates)["input"]) == ("10", "2")
    (chat,) = listed(GENAI, "deepseek", "deepseek-chat")
    assert [hours.spans for hours in chat.schedule] == [("00:30-16:30",)]
    assert (told(chat.rates)["input"], told(chat.schedule[0].rates)["input"]) == ("0.135", "0.27")
    (pro,) = listed(GENAI, "openai", "gpt-5.4")
    assert "gpt-5.4-2026-03-05" in pro.names
    assert [tier.over for tier in pro.tiers] == [272_000]
    (regional,) = listed(GENAI, "bedrock", "anthropic.claude-opus-4-6-v1:0", "*")
    assert told(regional.rates)["input"] == "5.5"


def test_genai_prices_has_service_tiers_by_date() -> None:
    text = """[{"id": "google", "models": [{"id": "m",
      "prices": [{"prices": {"input_mtok": 1}},
                 {"constraint": {"start_date": "2027-01-01"}, "prices": {"input_mtok": 2}}],
      "price_variants": [
        {"when": {"service_tier": "default"}, "prices": {}},
        {"when": {"processing": "batch"}, "prices": {"input_mtok": 1}, "constraint": {"start_date": "2027-01-01"}},
        {"when": {"processing": "batch"}, "prices": {"input_mtok": 0.5}, "constraint": {"start_date": "2026-10-14"}},
        {"when": {"service_tier": "flex"}, "prices": {"input_mtok": {"base": 0.5, "tiers": [{"start": 9, "price": 1}]}}},
        {"when": {"speed": "fast", "service_tier": "x"}, "prices": {"input_mtok": 9}},
        {"when": {"search_type": "pro"}, "prices": {"input_mtok": 9}}]}]}]"""
    reading = genai_prices.read(text)
    before, after = reading.listings
    assert told(before.service_tiers["batch"].rates) == {"input": "0.5"}
    assert told(after.service_tiers["batch"].rates) == {"input": "1"}
    assert [tier.over for tier in after.service_tiers["flex"].tiers] == [9]
    assert set(after.service_tiers) == {"batch", "flex"}
    assert [one.key for one in reading.problems] == ["price_variants"] * 2


def test_openrouter_refuses_routers_and_reads_pictures(readings: dict[str, Reading]) -> None:
    reading = readings["openrouter-models-2026-05-15.json"]
    assert not [one for one in reading.listings if one.model == "openrouter/auto"]
    assert [p for p in reading.problems if p.reason.startswith("negative")]
    (flash,) = [one for one in reading.listings if one.model == "google/gemini-3.1-flash-lite"]
    assert told(flash.rates)["input_audio"] == "0.5"
    assert told(flash.rates)["input_image"] == "0.25"
    assert flash.names == ("google/gemini-3.1-flash-lite-20260507",)
    assert flash.facts["released"] == "2026-05-07"


def test_portkey_is_in_cents_and_its_other_zeros_are_unknown(
    listed: Callable[..., list[Listing]],
) -> None:
    (chat,) = listed("portkey-2026-04-30.json", "deepseek", "deepseek-chat")
    assert told(chat.rates) == {"input": "0.28", "output": "0.42", "cache_read": "0.028"}
    (gpt,) = listed("portkey-2026-04-30.json", "openai", "gpt-4")
    assert gpt.fees == {"web_search": Decimal("0.01")}


def test_langfuse_conditions_become_tiers(listed: Callable[..., list[Listing]]) -> None:
    (sonnet,) = listed("langfuse-2026-05-02.json", "anthropic", "claude-sonnet-4-6")
    assert [(tier.over, told(tier.rates)["output"]) for tier in sonnet.tiers] == [(200_000, "22.5")]


@pytest.mark.parametrize(
    ("conditions", "tiers", "services", "problems"),
    [
        ('{"usageDetailPattern": "^input", "operator": "gt", "value": 9}', [9], set(), 0),
        ('{"usageDetailPattern": "^input", "operator": "lt", "value": 9}', [], set(), 1),
        ('{"usageDetailPattern": "output", "operator": "gt", "value": 9}', [], set(), 1),
        ('{"field": "service_tier", "operator": "eq", "value": "flex"}', [], {"flex"}, 0),
        ('{"usageDetailPattern": "input", "operator": "gt", "value": 9}, {}', [], set(), 1),
    ],
)
def test_langfuse_conditions_are_understood_or_told(
    conditions: str, tiers: list[int], services: set[str], problems: int
) -> None:
    text = """[{"modelName": "gpt-x", "pricingTiers": [{"conditions": [], "prices": {"input": 1e-6}},
      {"conditions": [%s], "prices": {"input": 2e-6}}]}]"""
    reading = langfuse.read(text % conditions)
    (one,) = reading.listings
    assert told(one.rates) == {"input": "1"}
    assert [tier.over for tier in one.tiers] == tiers
    assert set(one.service_tiers) == services
    assert len(reading.problems) == problems


def test_llm_prices_has_history_and_tiers_as_ids(listed: Callable[..., list[Listing]]) -> None:
    history = listed("llm-prices-format-historical-2026-08-05.json", "openai", "o3")
    assert [(one.valid_from, one.valid_to, told(one.rates)["output"]) for one in history] == [
        (None, "2025-06-10", "40"),
        ("2025-06-10", None, "8"),
    ]
    (gpt,) = listed("llm-prices-format-current-2026-08-05.json", "openai", "gpt-5.4")
    assert [(tier.over, told(tier.rates)["output"]) for tier in gpt.tiers] == [(272_000, "22.5")]
    assert not listed("llm-prices-format-current-2026-08-05.json", "openai", "gpt-5.4-272k")


def test_what_cannot_be_used_is_told(readings: dict[str, Reading]) -> None:
    reasons = Counter(one.reason for reading in readings.values() for one in reading.problems)
    assert reasons["unknown price key"] > 40
    assert reasons["no unit of ours"] > 5
    assert reasons["its output rate may be that of image tokens"] == 3
    assert reasons["priced by something that is no token"] == 1


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("input_cost_per_token", ("input", None, None)),
        ("output_cost_per_token_above_200k_tokens", ("output", 200_000, None)),
        ("input_cost_per_token_batches", ("input", None, "batch")),
        ("input_cost_per_token_above_512k_tokens_priority", ("input", 512_000, "priority")),
        ("input_cost_per_token_priority_above_512k_tokens", ("input", 512_000, "priority")),
        ("output_cost_per_token_ultrafast", ("output", None, "ultrafast")),
        ("output_cost_per_video_token_flex", ("output_video", None, "flex")),
        ("cache_read_input_image_token_cost", ("cache_image_read", None, None)),
        ("cache_creation_input_token_cost_above_1hr", ("cache_write_1h", None, None)),
        ("cache_creation_input_token_cost_above_1hr_above_200k_tokens", ("cache_write_1h", 200_000, None)),
        ("cache_creation_input_token_cost_above_12hr_above_272k_tokens_priority", (None, 272_000, "priority")),
        ("output_cost_per_reasoning_token", ("reasoning", None, None)),
        ("output_cost_per_second", ("output_second", None, None)),
        ("output_cost_per_second_above_128k_tokens", (None, None, None)),
        ("annotation_cost_per_page", (None, None, None)),
    ],
)  # fmt: skip
def test_price_keys_follow_a_grammar(name: str, key: tuple[object, ...]) -> None:
    found = litellm.key_of(name)
    assert found is not None
    assert (found.unit, found.over, found.service) == key


@pytest.mark.parametrize(
    "name", ["input_cost_per_moon", "output_dbu_cost_per_token", "input_cost_per_token_on_sundays"]
)
def test_unknown_price_keys_are_reported(name: str) -> None:
    assert litellm.key_of(name) is None
    text = f'{{"m": {{"litellm_provider": "openai", "input_cost_per_token": 1e-6, "{name}": 2}}}}'
    reading = litellm.read(text)
    assert [(one.key, one.reason) for one in reading.problems] == [(name, "unknown price key")]
    assert told(reading.listings[0].rates) == {"input": "1"}


def test_off_peak_windows_become_a_schedule() -> None:
    text = """{"deepseek/x": {"litellm_provider": "deepseek", "input_cost_per_token": 1.32e-06,
      "off_peak_pricing": {"input_cost_per_token": 6.6e-07, "windows": [
        {"hours_utc": ["00:00-01:00", "10:00-24:00"], "weekdays": [1, 2, 3, 4, 5]},
        {"hours_utc": "00:00-24:00", "weekdays": [6, 7]}]}}}"""
    (one,) = litellm.read(text).listings
    assert [(hours.spans, hours.weekdays, told(hours.rates)) for hours in one.schedule] == [
        (("00:00-01:00", "10:00-24:00"), (1, 2, 3, 4, 5), {"input": "0.66"}),
        (("00:00-24:00",), (6, 7), {"input": "0.66"}),
    ]
    reading = litellm.read(text.replace("10:00-24:00", "ten o'clock"))
    assert reading.listings[0].schedule == ()
    assert [one.key for one in reading.problems] == ["off_peak_pricing"]


@pytest.mark.parametrize("value", ["-1", '"-0.000001"', "true", "null", '"x"', "[]", "{}", "1e400"])
@pytest.mark.parametrize(
    ("read", "row"),
    [
        (litellm.read, '{"m": {"litellm_provider": "openai", "input_cost_per_token": %s}}'),
        (litellm.read, '{"m": {"litellm_provider": "openai", "tiered_pricing": [{"range": [9, 99], "input_cost_per_token": %s}]}}'),
        (litellm.read, '{"m": {"litellm_provider": "openai", "search_context_cost_per_query": {"search_context_size_low": %s}}}'),
        (litellm.read, '{"m": {"litellm_provider": "openai", "provider_specific_entry": {"fast": %s}}}'),
        (litellm.read, '{"m": {"litellm_provider": "openai", "regional_processing_uplift_multiplier_us": %s}}'),
        (genai_prices.read, '[{"id": "openai", "models": [{"id": "m", "prices": {"input_mtok": %s}}]}]'),
        (genai_prices.read, '[{"id": "openai", "models": [{"id": "m", "prices": {"input_mtok": {"base": 1, "tiers": [{"start": 5, "price": %s}]}}}]}]'),
        (models_dev.read, '{"openai": {"models": {"m": {"cost": {"input": 1, "output": 2, "cache_read": %s}}}}}'),
        (openrouter.read, '{"data": [{"id": "a/b", "pricing": {"prompt": %s, "completion": "1"}}]}'),
        (portkey.read, '{"openai": {"m": {"pricing_config": {"pay_as_you_go": {"request_token": {"price": %s}}}}}}'),
        (langfuse.read, '[{"modelName": "gpt-x", "pricingTiers": [{"prices": {"input": %s}}]}]'),
        (llm_prices.read, '{"prices": [{"id": "m", "vendor": "openai", "input": %s}]}'),
    ],
)  # fmt: skip
def test_no_price_is_made_of_junk(
    read: Callable[[str | bytes], Reading], row: str, value: str
) -> None:
    reading = read(row % value)
    for one in reading.listings:
        tiers = [rate for tier in one.tiers for rate in tier.rates.values()]
        found = [*one.rates.values(), *tiers, *one.fees.values(), *one.regions.values()]
        assert all(rate in (1, 2) for rate in found)
    if value not in ("null", "[]", "{}"):
        assert reading.problems


@pytest.mark.parametrize("read", {*READERS.values()})
@pytest.mark.parametrize("text", ["", "{", "NaN", "[1e", '{"a": Infinity}', "[" * 100_000])
def test_what_is_no_json_is_refused(read: Callable[[str | bytes], Reading], text: str) -> None:
    with pytest.raises(InvalidInput, match="not valid JSON"):
        read(text)
