"""Any usage body of any API, priced: a refusal or an exact cost, never a crash, never 0 for something."""

from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.domain.metering.test_any_body import APIS, SOUND, usage_like, wholes

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.price import PriceBook, PriceList
from tekton_budget.domain.units import UNITS
from tekton_budget.prices.embedded import embedded_text
from tekton_budget.service.prices import Question
from tekton_budget.service.prices.calculating import calculated

AT_US = 1_790_000_000_000_000
# Of the makers of the APIs, so that bodies meet cards with tiers, schedules, fees and few rates.
MODELS = [
    ("openai", "gpt-5.4"),
    ("openai", "gpt-4"),
    ("openai", "gpt-realtime"),
    ("anthropic", "claude-sonnet-4-5"),
    ("google", "gemini-2.5-pro"),
    ("bedrock", "eu.anthropic.claude-opus-4-6-v1"),
    ("deepseek", "deepseek-v4-pro"),
    ("perplexity", "sonar-reasoning-pro"),
    ("openrouter", "anthropic/claude-sonnet-4.5"),
]


@cache
def book() -> PriceBook:
    return PriceBook([], [PriceList(msgspec.json.decode(embedded_text()), "embedded", 0)])


def priced(body: Any, api: str, provider: str, model: str) -> None:
    question = Question(model=model, provider=provider, api=api, response=body)
    try:
        done = calculated(book(), question, at_us=AT_US, known_us=AT_US)
    except InvalidInput as refusal:
        assert refusal.detail
        return
    cost = done.bill.usd
    assert isinstance(cost, Decimal)
    assert cost == sum(
        (one.usd for charge in done.bill.charges for one in charge.components), Decimal(0)
    )
    used = [(unit, n) for part in done.metered.parts for unit, n in part.units]
    assert all(unit in UNITS and type(n) is int and n > 0 for unit, n in used)
    charged = sum(
        c.quantity for charge in done.bill.charges for c in charge.components if c.unit != "request"
    )
    assert charged == sum(n for _, n in used), "something was used and is on no line"
    assert cost > 0 or not used


@given(wholes, st.sampled_from(APIS), st.sampled_from(MODELS))
@settings(max_examples=150)
def test_any_body_is_refused_or_costs_what_was_used(body, api, model) -> None:
    priced(body, api, *model)


@pytest.mark.parametrize(
    ("api", "body"), SOUND, ids=[f"{i}-{api}" for i, (api, _) in enumerate(SOUND)]
)
def test_a_sound_body_with_one_thing_changed_is_refused_or_costs_what_was_used(api, body) -> None:
    @given(usage_like(body), st.sampled_from(MODELS))
    @settings(max_examples=25)
    def run(changed: Any, model: tuple[str, str]) -> None:
        priced(changed, api, *model)

    run()
