"""Sellers: each spelling means one of them, and their kinds are what prices are judged by."""

import pytest

from tekton_budget.domain.naming import CLOUDS, SELLERS, Kind, kind_of, seller_id
from tekton_budget.domain.naming.sellers import SELLER_OF_ID, dashed, is_sign, maker_of


@pytest.mark.parametrize(
    ("spelling", "seller"),
    [
        ("google-gla", "google"),
        ("google-vertex", "vertex"),
        ("vertex_ai-language-models", "vertex"),
        ("X.AI", "xai"),
        ("moonshotai", "moonshot"),
        ("Amazon Bedrock", "bedrock"),
        ("aws", "bedrock"),
        ("dashscope", "alibaba"),
        ("fireworks-ai", "fireworks"),
        ("together_ai", "together"),
        ("togetherai", "together"),
        ("azure_openai", "azure"),
        ("azure_ai", "azure_ai"),
        ("Azure AI", "azure_ai"),
        ("perplexity-ai", "perplexity"),
        ("My Gateway", "my-gateway"),
    ],
)
def test_a_spelling_means_a_seller(spelling: str, seller: str) -> None:
    assert seller_id(spelling) == seller


def test_no_spelling_means_two_sellers() -> None:
    owners: dict[str, str] = {}
    for seller in SELLERS:
        for spelling in (seller.id, *seller.synonyms):
            assert owners.setdefault(dashed(spelling), seller.id) == seller.id
    assert len(SELLER_OF_ID) == len(SELLERS)


def test_synonyms_are_spelt_as_they_are_compared() -> None:
    spellings = [spelling for seller in SELLERS for spelling in seller.synonyms]

    assert [text for text in spellings if text != dashed(text)] == []
    assert len(set(spellings)) == len(spellings)


def test_the_clouds_that_price_by_region_are_clouds_and_resellers_have_slashes() -> None:
    assert {"bedrock", "azure", "vertex"} <= set(CLOUDS)
    assert {kind_of(cloud) for cloud in CLOUDS} == {Kind.CLOUD}
    assert kind_of("openai") is Kind.FIRST_PARTY
    assert kind_of("groq") is kind_of("somebody-new") is Kind.RESELLER
    assert {s.slashes for s in SELLERS if s.kind is Kind.RESELLER} == {True}


@pytest.mark.parametrize(
    ("name", "maker"),
    [
        ("gpt-9", "openai"),
        ("o3", "openai"),
        ("O5-mini", "openai"),
        ("ft:gpt-4o:a", "openai"),
        ("claude-x", "anthropic"),
        ("gemini-9", "google"),
        ("open-mixtral-8x7b", "mistral"),
        ("command-z", "cohere"),
        ("grok-9", "xai"),
        ("kimi-k9", "moonshot"),
        ("deepseek-v9", "deepseek"),
        ("sonar", "perplexity"),
        ("qwen9-max", "alibaba"),
        ("glm-9", "zai"),
        ("MiniMax-M9", "minimax"),
        ("llama-9", None),
        ("sonarqube", None),
        ("o10", None),
        ("x-gpt-4", None),
    ],
)
def test_the_maker_of_a_bare_name(name: str, maker: str | None) -> None:
    assert maker_of(name) == maker


def test_makers_are_signed_by_resellers() -> None:
    assert is_sign("deepseek-ai")
    assert not is_sign("deepseek")
