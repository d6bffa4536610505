"""Advice: every number in it is the ledger's or the price book's, and it says what it does not know."""

import json
import re
from decimal import Decimal

import pytest

from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.errors import InvalidInput
from tekton_budget.service.advising import Advising, ModelQuestion

from .conftest import DAY_US, NOON_US, TEAM_A, TEAM_B, World

FACTS = {
    "mode": "chat",
    "context_tokens": 200_000,
    "max_output_tokens": 64_000,
    "input": ["text"],
    "output": ["text"],
    "tools": True,
    "reasoning": True,
    "structured_output": True,
    "prompt_cache": True,
}


def book(world: World, *models: dict[str, object]) -> None:
    """Each with its USD per 1,000,000 tokens and its facts, at openai."""
    prices = world.running.service.prices
    head = {"format": "price-list/1", "version": "1", "made": "2026-01-01"}
    cards = [
        {
            "provider": "openai",
            "model": one["model"],
            "rates": {"input": one["usd"], "output": one["usd"]},
        }
        for one in models
    ]
    facts = [
        {"provider": "openai", "model": one["model"], **FACTS, **one.get("facts", {})}  # type: ignore[dict-item]
        for one in models
    ]
    prices.take_list("1", json.dumps({**head, "cards": cards, "models": facts}))


def use(world: World, model: str = "big", days_ago: int = 0, **labels: str) -> None:
    labels = {"provider": "openai", "model": model, **labels}
    used = {"input_tokens": 900, "output_tokens": 100}
    world.record(None, NOON_US - days_ago * DAY_US, used=used, **labels)


def advising(world: World) -> Advising:
    return world.running.service.advising


def test_an_analysis_says_how_much_of_what_and_where_it_looked(world: World) -> None:
    book(world, {"model": "big", "usd": "10"}, {"model": "small", "usd": "1"})
    world.policy("2usd/day", name="mine")
    for number in range(3):
        use(world, component="apollo", task_type="chat", days_ago=number)
    use(world, "small", component="rhetor")
    world.record(None, model="nobody-knows", component="rhetor")

    text, found = advising(world).analyze(LOCAL, "daily", 30)

    assert found.usage.summary.total.records == 5
    assert "In all $0.031 in 5 requests, 4,015 tokens (3,610 in, 405 out); 1 record without" in text
    assert "big (openai) $0.03 (96 %), small (openai) $0.001 (3 %)" in text
    assert "nobody-knows at no known price" in text
    assert "By component: apollo $0.03 (96 %), rhetor $0.001 (3 %)." in text
    assert 'The daily limit "mine" stands at $0.011 of $2.00 (0 %).' in text
    assert text.endswith(
        "Looked at: 5 records of the ledger (rollups). No language model was asked."
    )


def test_days_that_stand_out_and_the_trend_are_told(quick: World) -> None:
    book(quick, {"model": "big", "usd": "10"})
    for day in range(10):
        use(quick, days_ago=day)
    for _ in range(9):
        use(quick, days_ago=2)

    text, _ = advising(quick).analyze(LOCAL, "weekly", 10)

    assert "The last 5 days cost $0.14, the 5 before $0.05 (+180 %)." in text
    peak = "2026-10-31 stands out: $0.10, where a day with usage has a median of $0.01."
    assert [line for line in text.splitlines() if "stands out" in line] == [f"- {peak}"]
    assert "No weekly limit is set" in text


def test_without_usage_it_says_so_and_divides_by_nothing(quick: World) -> None:
    for text, _ in (
        advising(quick).analyze(LOCAL, "daily", 1),
        advising(quick).optimize(LOCAL, "daily", 1),
    ):
        assert "Nothing was used in this time" in text
        assert "0 records of the ledger" in text


def test_a_cheaper_model_is_computed_for_the_calls_that_were_made(world: World) -> None:
    weak = {"tools": False, "reasoning": False}
    book(
        world,
        {"model": "big", "usd": "10"},
        {"model": "even", "usd": "4"},
        {"model": "weak", "usd": "1", "facts": weak},
    )
    for _ in range(3):
        use(world)

    text, found = advising(world).optimize(LOCAL, "daily", 7)

    (swap,) = found.swaps
    assert swap.call == {"input_tokens": 900, "output_tokens": 100}
    assert swap.best is not None
    assert swap.cheapest is not None
    assert (swap.best.card.model, swap.cheapest.card.model) == ("even", "weak")
    assert swap.saved_usd == Decimal("0.018")  # 3 × (0.010 − 0.004)
    assert "big (openai), $0.03 in 3 requests: its average call" in text
    assert "costs $0.01 by the price book, and $0.004 with even (openai, 60 % less)" in text
    assert "about $0.018 in this time. No known ability is lost." in text
    assert "The cheapest for that call is weak (openai, 90 % less): $0.001. Lost: tools" in text
    assert "How good a model's answers are the price book does not know" in text


def test_what_cannot_be_compared_is_told_with_the_reason(quick: World) -> None:
    book(quick, {"model": "big", "usd": "10"})
    use(quick)
    quick.record("3", model="nobody-knows", provider="openai")
    quick.record("2", used={"tokens": 7, "input_tokens": 0, "output_tokens": 0}, model="big")
    quick.record(None, model="nobody-knows", provider="openai")

    text, found = advising(quick).optimize(LOCAL, "daily", 7)

    assert [swap.best for swap in found.swaps] == [None, None, None]
    assert "nobody-knows (openai), $3.00 in 2 requests: cannot be compared: No price" in text
    assert "cannot be compared: its records do not tell the tokens of input and output" in text
    assert "big (openai), $0.01 in 1 request: nothing cheaper in the price book" in text
    assert "1 record without a known price cannot be compared." in text


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("How much did Apollo spend this week?", r"2026-11-02 to 2026-11-08 \(UTC\): \$0.03 in 3"),
        ("How much did Apollo spend this week?", r"Of it, component apollo: \$0.02 in 2 requests"),
        ("usage of the last 1 day", r"^2026-11-02 \(UTC\): \$0.03"),
        ("What is left of the daily budget?", r'The daily limit "mine" stands at \$0.03 of \$2.00'),
        ("which limits are there", r"No monthly limit is set"),
        ("How can we save?", r"What would have cost less"),
        ("what is the price of big?", r"big \(openai\): \$10.00 for input, \$10.00 for output"),
        ("the price of the unheard-of", r"I answer from the ledger"),
        ("tell me a joke", r"I answer from the ledger"),
        ("?!", r"I answer from the ledger"),
    ],
)
def test_a_question_is_answered_by_its_words(quick: World, message: str, expected: str) -> None:
    book(quick, {"model": "big", "usd": "10"}, {"model": "small", "usd": "1"})
    quick.policy("2usd/day", name="mine")
    use(quick, component="apollo")
    use(quick, component="apollo")
    use(quick, component="rhetor")

    assert re.search(expected, advising(quick).answer(LOCAL, message))


def test_a_key_hears_of_its_own_alone(quick: World) -> None:
    book(quick, {"model": "big", "usd": "10"})
    quick.policy("2usd/day", name="secret", scope={"team": "a"})
    use(quick, team="a", component="hidden")

    for caller, heard in ((TEAM_A, True), (TEAM_B, False)):
        texts = [
            advising(quick).analyze(caller, "daily", 7)[0],
            advising(quick).answer(caller, "how much did hidden spend today?"),
            advising(quick).answer(caller, "what is left of the daily limits?"),
        ]
        assert [("hidden" in one or "secret" in one) for one in texts] == [heard] * 3


def test_an_unknown_period_is_refused(quick: World) -> None:
    with pytest.raises(InvalidInput):
        advising(quick).analyze(LOCAL, "fortnightly", 7)


# Choosing -----------------------------------------------------------------------------------------


def question(usd: str = "1", priorities: str = "value", task: str = "sort mail") -> ModelQuestion:
    return ModelQuestion(task, 900, 100, 50, Decimal(usd), priorities)


def models(world: World) -> None:
    book(
        world,
        {"model": "big", "usd": "10"},
        {"model": "seer", "usd": "4", "facts": {"input": ["text", "image"]}},
        {"model": "plain", "usd": "1", "facts": {"reasoning": False}},
    )


def names(world: World, asked: ModelQuestion) -> list[str]:
    _, choice = advising(world).recommend_model(asked)
    return [one.card.model for one in choice.fits]


def test_a_model_is_chosen_by_exact_cost_within_the_money(world: World) -> None:
    models(world)

    text, choice = advising(world).recommend_model(question())

    assert [one.card.model for one in choice.fits] == ["plain", "seer", "big"]
    assert "50 calls a day of 900 tokens in and 100 out, for at most $1.00 a day" in text
    assert "Best: plain (openai), $0.001 a call, $0.05 a day." in text
    assert "Or: seer (openai), $0.004 a call, $0.20 a day." in text
    assert names(world, question("0.2")) == ["plain", "seer"]
    assert names(world, question("0.199999999")) == ["plain"]


def test_what_the_words_name_is_needed(quick: World) -> None:
    models(quick)

    assert names(quick, question(priorities="vision, value")) == ["seer"]
    assert names(quick, question(task="describe images")) == ["seer"]
    assert names(quick, question(priorities="reasoning")) == ["seer", "big"]
    assert names(quick, question(task="explain reasoning")) == ["plain", "seer", "big"]


def test_where_good_answers_matter_the_heaviest_tier_goes_first(quick: World) -> None:
    models(quick)
    set_tier = quick.running.service.prices.set_tier
    for model, tier in (("plain", "local_lightweight"), ("seer", "local_midweight")):
        set_tier(LOCAL, "openai", model, tier)

    assert names(quick, question(priorities="accuracy")) == ["big", "seer", "plain"]
    text, _ = advising(quick).recommend_model(question(priorities="accuracy"))
    assert "the heaviest tier first" in text


def test_where_nothing_fits_the_cheapest_is_named(quick: World) -> None:
    assert "no model that is known to do this" in advising(quick).recommend_model(question())[0]
    models(quick)

    text, choice = advising(quick).recommend_model(question("0.01"))

    assert choice.fits == ()
    assert "No model fits: the cheapest, plain (openai), costs $0.05 a day." in text
