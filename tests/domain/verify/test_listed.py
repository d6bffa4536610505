"""Real models as real sources list them: the known errors do not get through, the prices do."""

from decimal import Decimal

import pytest
from tests.domain.verify.listed import SELLERS, quotes_of, table
from tests.domain.verify.quoting import rates_of

from tekton_budget.domain.verify import Status, judge

VERIFIED, SINGLE, DISPUTED = Status.VERIFIED, Status.SINGLE_SOURCE, Status.DISPUTED
QUARANTINED, REJECTED = Status.QUARANTINED, Status.REJECTED

# seller, model → status, value, dissenting; why it is here
CASES: list[tuple[str, str, Status, str, str]] = [
    # one is stale, or saw a change late
    ("openai", "gpt-4o-2024-05-13", VERIFIED, "5/15", "genai"),  # priced as gpt-4o
    ("openai", "o3", VERIFIED, "2/8", ""),  # dated prices evaluated first
    ("openai", "gpt-4o", VERIFIED, "2.5/10", ""),
    ("google", "gemini-1.5-flash", VERIFIED, "0.075/0.3", "litellm"),
    ("google", "gemini-3.6-flash", DISPUTED, "", ""),  # a fresh cut
    ("mistral", "codestral-latest", VERIFIED, "0.3/0.9", "litellm"),
    ("mistral", "mistral-large-latest", VERIFIED, "0.5/1.5", "genai"),  # the alias moved
    ("mistral", "mistral-large-2411", VERIFIED, "2/6", "portkey"),
    ("mistral", "mistral-medium-latest", VERIFIED, "0.4/2", "litellm"),
    ("mistral", "open-mistral-nemo", VERIFIED, "0.15/0.15", "litellm"),
    ("mistral", "ministral-8b-latest", DISPUTED, "", ""),
    ("mistral", "mistral-small-latest", DISPUTED, "", ""),
    ("deepseek", "deepseek-chat", DISPUTED, "", ""),
    ("deepseek", "deepseek-v4-pro", VERIFIED, "0.435/0.87", "modelsdev"),
    ("moonshot", "kimi-k2-turbo-preview", VERIFIED, "1.15/8", "modelsdev"),
    ("azure", "gpt-4", VERIFIED, "30/60", "modelsdev"),
    # modality
    ("google", "gemini-2.5-flash-image", VERIFIED, "0.3/2.5", "modelsdev"),  # 30 for an image
    ("google", "gemini-3.1-flash-image-preview", DISPUTED, "", ""),
    ("openai", "text-embedding-3-small", VERIFIED, "0.02/0", ""),
    ("openai", "gpt-4o-audio-preview", VERIFIED, "2.5/10", ""),
    # regions
    ("bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", VERIFIED, "1.1/5.5", "modelsdev"),
    ("bedrock", "eu.anthropic.claude-opus-4-6-v1", VERIFIED, "5.5/27.5", "portkey"),
    ("bedrock", "au.anthropic.claude-opus-4-6-v1", VERIFIED, "5.5/27.5", "modelsdev"),
    ("bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0", VERIFIED, "1/5", ""),
    ("bedrock", "us.anthropic.claude-opus-4-7", DISPUTED, "", ""),
    ("bedrock", "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", DISPUTED, "", ""),
    ("bedrock", "apac.amazon.nova-lite-v1:0", SINGLE, "0.063/0.252", ""),
    ("azure", "gpt-4o-mini", DISPUTED, "", ""),  # a data zone's price under the plain name
    # units and shapes
    ("bedrock", "amazon.nova-pro-v1:0", VERIFIED, "0.8/3.2", "portkey"),  # 0.8/0.2
    ("together", "MiniMaxAI/MiniMax-M2.5", DISPUTED, "", ""),  # a factor of 1,000
    ("wandb", "openai/gpt-oss-120b", REJECTED, "", ""),
    ("wandb", "deepseek-ai/DeepSeek-R1-0528", REJECTED, "", ""),
    ("openrouter", "openrouter/bodybuilder", REJECTED, "", ""),  # -1: decided by the call
    ("openrouter", "meta-llama/llama-guard-3-8b", QUARANTINED, "", ""),
    # zero
    ("google", "gemma-3-12b-it", QUARANTINED, "", ""),
    ("groq", "whisper-large-v3", QUARANTINED, "", ""),
    ("openrouter", "openrouter/owl-alpha", QUARANTINED, "", ""),
    ("openrouter", "openai/gpt-oss-20b:free", SINGLE, "0/0", ""),
]  # fmt: skip


@pytest.mark.parametrize(("seller", "model", "status", "value", "dissenting"), CASES)
def test_a_listed_model_comes_to_a_decision(
    seller: str, model: str, status: Status, value: str, dissenting: str
) -> None:
    quotes = quotes_of(seller, model)
    verdict = judge(quotes)

    assert quotes
    assert verdict.status is status
    seen = {name: rate for name, rate in verdict.rates.items() if name in {"input", "output"}}
    assert seen == (rates_of(value) if value else {})
    assert verdict.dissenting == tuple(dissenting.split())


@pytest.mark.parametrize(
    ("seller", "model", "dimension", "rate"),
    [
        ("anthropic", "claude-3-haiku-20240307", "cache_write_1h", "0.5"),  # LiteLLM: 6
        ("anthropic", "claude-3-sonnet-20240229", "cache_write_5m", "3.75"),  # models.dev: 0.3
        ("openai", "gpt-3.5-turbo", "cache_read", None),  # models.dev: 1.25, above input
        ("openai", "gpt-realtime", "cache_read", "0.4"),  # Portkey: 16, the audio rate
        ("openai", "gpt-4.1-nano", "cache_read", "0.025"),  # two round it to 0.03
        ("deepseek", "deepseek-v4-pro", "cache_read", "0.003625"),
        ("anthropic", "claude-sonnet-4-5", "cache_write_1h", "6"),
    ],
)
def test_a_wrong_dimension_is_not_published(
    seller: str, model: str, dimension: str, rate: str | None
) -> None:
    verdict = judge(quotes_of(seller, model))

    assert verdict.status is VERIFIED
    assert verdict.rates.get(dimension) == (None if rate is None else Decimal(rate))


@pytest.mark.parametrize(
    ("seller", "model", "suggested"),
    [
        ("bedrock", "us.anthropic.claude-opus-4-7", "5.5/27.5"),
        ("together", "MiniMaxAI/MiniMax-M2.5", "0.3/1.2"),
        ("openrouter", "z-ai/glm-4.7", "0.4/1.75"),  # the seller's own list
        ("azure", "gpt-4o-mini", ""),
    ],
)
def test_what_is_disputed_has_a_suggestion(seller: str, model: str, suggested: str) -> None:
    verdict = judge(quotes_of(seller, model))
    seen = {name: verdict.suggested[name] for name in rates_of(suggested)} if suggested else {}

    assert verdict.status is DISPUTED
    assert bool(verdict.suggested) is bool(suggested)
    assert seen == (rates_of(suggested) if suggested else {})


def test_no_regional_claude_loses_its_surcharge() -> None:
    """Since the 4.5 generation a regional name costs a tenth more than the global one."""
    plain = {
        "haiku-4-5": 1,
        "opus-4-5": 5,
        "opus-4-6": 5,
        "opus-4-7": 5,
        "opus-5": 5,
        "sonnet-4-5": 3,
        "sonnet-4-6": 3,
    }
    models = [
        *table("litellm-2026-08-15"),
        *table("models-dev-2026-05-02")["amazon-bedrock"]["models"],
    ]
    seen = 0
    for model in sorted(set(models)):
        generation = next((name for name in plain if name in model), None)
        if generation and model.startswith(("us.", "eu.", "jp.", "au.", "apac.")):
            rates = judge(quotes_of("bedrock", model)).rates
            seen += bool(rates)

            assert rates.get("input") in {None, Decimal(plain[generation]) * Decimal("1.1")}, model

    assert seen >= 10


def test_nothing_out_of_bounds_is_published_from_the_whole_tables() -> None:
    published = 0
    for seller, spelled in SELLERS.items():
        names = set(
            table("models-dev-2026-05-02").get(spelled.get("modelsdev"), {"models": ()})["models"]
        )
        names |= {
            n for n in table("portkey-2026-04-30").get(spelled.get("portkey"), ()) if n != "default"
        }
        for model in sorted(names):
            rates = judge(quotes_of(seller, model)).rates
            published += bool(rates)
            for dimension, rate in rates.items():
                assert 0 <= rate <= 700, (seller, model, dimension)
                assert dimension != "cache_read" or rate <= rates["input"], (seller, model)
            if rates and not any(rates.values()):
                assert ":free" in model, (seller, model)

    assert published > 250
