"""Tiers: a table of models and sellers; operators' rows before the default ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.price.cards import card
from tests.domain.price.test_book import listed, price_list

from tekton_budget.domain.naming import Alias
from tekton_budget.domain.price import TIERS, PriceBook, TierTerm, plain_name

LIGHT, MID, HEAVY = TIERS
ALIASES = [{"provider": "anthropic", "name": "claude-3-haiku", "model": "claude-3-haiku-20240307"}]


def book(*terms: TierTerm, mapped: tuple[Alias, ...] = ()) -> PriceBook:
    names = (
        ("openai", "gpt-5-mini"),
        ("openai", "gpt-4o-2024-05-13"),
        ("anthropic", "claude-3-haiku-20240307"),
        ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0"),
        ("google", "gemini-2.5-pro"),
    )
    cards = [{**listed(model, "1"), "provider": provider} for provider, model in names]
    return PriceBook([], [price_list(*cards, aliases=ALIASES)], tiers=terms, mapped=mapped)


@pytest.mark.parametrize(
    ("provider", "model", "tier"),
    [
        ("anthropic", "claude-3-haiku", MID),
        ("anthropic", "claude-3-haiku-20240307", MID),
        ("anthropic", " Claude-3-Haiku ", MID),
        ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0", MID),
        ("bedrock", "eu.anthropic.claude-3-haiku-20240307-v1:0", MID),
        ("vertex", "claude-3-haiku@20240307", MID),
        ("openrouter", "anthropic/claude-3-haiku", MID),
        ("openrouter", "anthropic/claude-3-haiku:beta", MID),
        ("anthropic", "claude-3-5-haiku-20241022", HEAVY),  # another model; then the seller
        ("anthropic", "claude-3-5-sonnet-latest", HEAVY),
        ("openai", "gpt-4-0613", HEAVY),
        (None, "gpt-4", HEAVY),
        (None, "gpt-5-mini", HEAVY),
        ("ollama", "mistral:7b", MID),
        ("ollama", "deepseek-coder:6.7b-instruct", LIGHT),
        ("ollama", "llama3.3:70b", MID),
        ("Ollama", "anything", MID),
        ("local", "anything", LIGHT),
        ("deepseek", "deepseek-coder", LIGHT),
        ("deepseek", "deepseek-coder-v2", HEAVY),  # no name by how it begins
        ("local", "gpt-4", HEAVY),  # the model before the seller
        ("google", "gemini-2.5-pro", HEAVY),
        (None, "never-heard-of", HEAVY),
        ("x" * 300, "y" * 300, HEAVY),
    ],
)
def test_the_default_table(provider: str | None, model: str, tier: str) -> None:
    assert book().tier_of(provider, model, 0) == tier


def test_an_operator_s_rows_go_first_the_latest_before_earlier_ones() -> None:
    table = book(
        TierTerm("openai", "gpt-5-mini", MID, 10),
        TierTerm("openai", "gpt-5-mini", LIGHT, 20),
        TierTerm("openai", "*", None, 30),
        TierTerm(None, "claude-3-haiku", LIGHT, 10),
        TierTerm(None, "gpt-4o", MID, 10),
        TierTerm("anthropic", "claude-3-haiku", HEAVY, 40),
        TierTerm("google", "Gemini-2.5-PRO", None, 10),
    )
    tiers = {at: table.tier_of("openai", "gpt-5-mini", at) for at in (9, 10, 19, 20, 99)}

    assert tiers == {9: HEAVY, 10: MID, 19: MID, 20: LIGHT, 99: LIGHT}  # a model before all of them
    assert table.tier_of("openai", "gpt-5", 29) == HEAVY
    assert table.tier_of("openai", "gpt-5", 30) is None
    assert table.tier_of("open-ai", "gpt-5", 30) is None  # the same seller
    assert table.tier_of("openai", "gpt-4o-2024-05-13", 30) == MID  # dated, of a row's model
    assert table.tier_of("anthropic", "claude-3-haiku-20240307", 39) == LIGHT
    assert table.tier_of("anthropic", "claude-3-haiku", 40) == HEAVY
    assert table.tier_of("bedrock", "anthropic.claude-3-haiku-20240307-v1:0", 40) == LIGHT
    assert table.tier_of("google", "gemini-2.5-pro", 10) is None
    assert table.tier_of("google", "gemini-2.5-flash", 10) == HEAVY
    assert book(TierTerm(None, "*", MID)).tier_of("google", "gemini-2.5-flash", 0) == MID


def test_a_row_of_a_dated_name_is_of_that_one_alone() -> None:
    table = book(TierTerm("openai", "gpt-4o-2024-05-13", LIGHT))

    assert table.tier_of("openai", "gpt-4o-2024-05-13", 0) == LIGHT
    assert table.tier_of("openai", "gpt-4o-2024-08-06", 0) == HEAVY
    assert book(TierTerm(None, "gpt-4", LIGHT)).tier_of("azure", "gpt-4-0613", 0) == LIGHT
    assert table.tier_of("openai", "gpt-4o", 0) == HEAVY


def test_names_of_one_s_own_lead_to_a_row_too() -> None:
    mapped = (Alias("azure", "our-small", "openai", "gpt-5-mini"),)
    table = book(TierTerm("azure", "our-small", LIGHT, 5), mapped=mapped)
    by_model = book(TierTerm(None, "openai/gpt-5-mini", MID), mapped=mapped)

    assert table.tier_of("azure", "our-small", 4) == HEAVY
    assert table.tier_of("azure", "our-small", 5) == LIGHT
    assert by_model.tier_of("openai", "gpt-5-mini", 0) == MID
    assert by_model.tier_of("azure", "our-small", 0) == MID


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tekton_budget.domain.price.tiers.KNOWN_MAX", 3)
    table = PriceBook([card("m", input="1")])
    for number in range(20):
        assert table.tier_of("ollama", f"m{number}", 0) == MID

    assert len(table._tier_table._known) <= 3


@pytest.mark.parametrize(
    ("model", "plain"),
    [
        ("claude-3-5-haiku-20241022", "claude-haiku-3-5"),
        ("us.anthropic.claude-3-5-haiku-20241022-v1:0", "claude-haiku-3-5"),
        ("anthropic/claude-3.5-haiku", "claude-haiku-3-5"),
        ("claude-3-5-haiku@20241022", "claude-haiku-3-5"),
        ("accounts/fireworks/models/deepseek-v3", "deepseek-v3"),
        ("deepseek-v3-0324", "deepseek-v3-0324"),
        ("mistral-large-2411", "mistral-large-2411"),
        ("gpt-4o-2024-05-13", "gpt-4o"),
        ("gpt-4.1", "gpt-4-1"),
        ("llama3:8b", "llama3:8b"),
    ],
)
def test_plain_names(model: str, plain: str) -> None:
    assert plain_name(model) == plain


@given(st.text(max_size=40) | st.none(), st.text(max_size=60), st.integers(-(10**6), 10**6))
def test_any_text_has_a_tier(provider: str | None, model: str, at_us: int) -> None:
    table = book(TierTerm(None, "m", LIGHT, 0), TierTerm("p", "*", MID, 0))

    assert table.tier_of(provider, model, at_us) in TIERS
