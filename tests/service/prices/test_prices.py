"""Prices set by hand: dated, never edited, charged as they were known at the ask."""

from decimal import Decimal
from typing import Any

import pytest
from tests.service.writing.conftest import NOON_US

from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.service.asking.retries import Retry
from tekton_budget.wiring import Running

MINI = {"rates": {"input": "0.25", "output": "2", "cache_read": "0.025"}}
DAY = 24 * 3600


def test_a_price_counts_from_its_date(running: Running, clock: Any) -> None:
    verbs = running.service.prices
    first = verbs.set_price(LOCAL, "openai", "gpt-5-mini", MINI)
    later = verbs.set_price(
        LOCAL,
        "openai",
        "gpt-5-mini",
        {"rates": {"input": "1", "output": "4"}},
        valid_from_us=clock.now_us + DAY * 1_000_000,
        valid_to_us=clock.now_us + 2 * DAY * 1_000_000,
    )

    at = clock.now_us
    book, day_us = running.service.book, DAY * 1_000_000
    assert book.current("openai", "gpt-5-mini").card == first
    assert book.current("openai", "gpt-5-mini", at_us=at).card == first
    assert book.current(None, "gpt-5-mini", at_us=at + day_us).card == later
    assert book.current("openai", "gpt-5-mini", at_us=at + 2 * day_us).card == first
    assert book.history("openai", "gpt-5-mini") == [first, later]
    assert book.listed() == book.listed(at_us=at) == [first]
    assert book.listed(at_us=at + day_us) == [later]
    assert book.listed(known_us=at - 1) == book.listed(provider="x") == book.listed(model="x") == []
    with pytest.raises(NotFound) as unknown:
        book.current("openai", "gpt-5-maxi", at_us=at)
    assert unknown.value.extra["suggestions"] == ["openai/gpt-5-mini"]
    with pytest.raises(NotFound, match="prices set openai/gpt-5-maxi"):
        book.history("openai", "gpt-5-maxi")
    with pytest.raises(NotFound, match="no price then"):
        book.current("openai", "gpt-5-mini", at_us=at - 1)


def test_what_is_charged_is_what_was_known_at_the_ask(running: Running, clock: Any) -> None:
    running.service.prices.set_price(LOCAL, "openai", "m", MINI)
    held = running.service.ledger.allocate(
        LOCAL, Ask(labels={"model": "m"}, input_tokens=1000, max_output_tokens=1000)
    ).result()
    clock.pass_seconds(1)
    running.service.prices.set_price(
        LOCAL,
        "openai",
        "m",
        {"rates": {"input": "9", "output": "9"}},
        valid_from_us=clock.now_us - 10**9,
    )
    ended = running.service.ledger.settle(
        LOCAL,
        held.allocation_id,
        Used(input_tokens=1000, output_tokens=10, cache_read_tokens=1000),
    ).result()

    assert ended.cost_nano == 250_000 + 20_000 + 25_000
    assert ended.cost_source == "book"


@pytest.mark.parametrize(
    ("pricing", "field"),
    [
        ({"rates": {"input": "-1"}}, "rates.input"),
        ({"rates": {"output": Decimal("Infinity")}}, "rates.output"),
        ({"rates": {"cache_read": "0.0000000000001"}}, "rates.cache_read"),
        ({"fees": {"request": "-1"}}, "fees.request"),
        ({"rates": {"input": "0.0000025"}}, "rates.input"),
        ({"rates": {"input": "0", "output": "0.00009999"}}, "rates.output"),
        ({}, "rates"),
    ],
)
def test_a_faulty_rate_is_named(quick: Running, pricing: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        quick.service.prices.set_price(LOCAL, "p", "m", pricing)
    assert refused.value.fields[0].field == field


def test_names_dates_and_roles_are_checked(quick: Running) -> None:
    verbs = quick.service.prices
    with pytest.raises(InvalidInput):
        verbs.set_price(LOCAL, "p", " m", MINI)
    with pytest.raises(InvalidInput):
        verbs.set_price(LOCAL, "p", "m", MINI, valid_from_us=5, valid_to_us=5)
    for field, times in (
        ("valid_to", {"valid_to_us": NOON_US}),  # it begins now, so it would never count
        ("valid_from", {"valid_from_us": -1}),
        ("valid_from", {"valid_from_us": 1 << 62}),
        ("valid_to", {"valid_to_us": 1 << 70}),
    ):
        with pytest.raises(InvalidInput) as refused:
            verbs.set_price(LOCAL, "p", "m", MINI, **times)
        assert refused.value.fields[0].field == field
    for field, pricing in (("pricing", None), ("pricing", []), ("provider", MINI),
                           ("effective_from", {**MINI, "effective_from": "2020-01-01"})):  # fmt: skip
        with pytest.raises(InvalidInput) as refused:
            verbs.set_price(LOCAL, "" if field == "provider" else "p", "m", pricing)
        assert refused.value.fields[0].field == field
    for caller in (Caller(role=Role.CLIENT), Caller(role=Role.ADMIN, labels={"team": "a"})):
        with pytest.raises(Forbidden):
            verbs.set_price(caller, "p", "m", MINI)


def test_a_price_sent_twice_under_one_id_is_set_once(running: Running) -> None:
    verbs = running.service.prices
    first = verbs.set_price(LOCAL, "p", "m", MINI, retry=Retry("id", "prices", '{"a":1}'))
    assert verbs.set_price(LOCAL, "p", "m", MINI, retry=Retry("id", "prices", '{"a":1}')) == first
    assert running.service.book.history("p", "m") == [first]
    with pytest.raises(Conflict):
        verbs.set_price(LOCAL, "p", "m", MINI, retry=Retry("id", "prices", '{"a":2}'))


def test_a_price_is_of_the_seller_whatever_it_is_called(running: Running) -> None:
    """Two cards of one model under two words for its seller left it without a price."""
    verbs, book = running.service.prices, running.service.book
    verbs.set_price(LOCAL, "google", "m", MINI)
    made = verbs.set_price(LOCAL, "gemini", "m", {"rates": {"input": "7"}})
    (loaded,) = verbs.load_cards(LOCAL, [{"provider": "x-ai", "model": "n", **MINI}], "f")
    verbs.set_price(LOCAL, "My_Own", "m", MINI)

    assert (made.provider, loaded.provider) == ("google", "xai")
    for provider in ("google", "gemini", "google-gla"):
        assert book.current(provider, "m").card == made
    assert book.current("My_Own", "m").card.provider == "My_Own"


LACKS = "the card of p/m has no rate for all that was used"
STAND_INS = [
    ({"model": "p/m"}, {"input_tokens": 5}, {}, "book", None),
    (
        *({"model": "p/m"}, {"cache_write_tokens": 5}, {}, "estimated"),
        f"{LACKS}, or its kind was not told: the dearest rate stands in",
    ),
    (
        *({"model": "p/m"}, {"response": {"usage": {"prompt_tokens": 9, "completion_tokens": 0,
          "prompt_tokens_details": {"audio_tokens": 4}}}}, {}, "estimated"),
        f"{LACKS}: the dearest rate stands in",
    ),
    ({"model": "nobodys"}, {"input_tokens": 5}, {}, None, "no price is known for nobodys"),
    ({}, {"input_tokens": 5}, {}, None, "no price is known for a call that names no model"),
    (
        *({"model": "nobodys"}, {"input_tokens": 5}, {"unpriced": "highest"}, "estimated"),
        "no price is known for nobodys: the dearest rate of p/m stands in",
    ),
    (
        *({}, {"input_tokens": 5}, {"assume_model": "p/m"}, "estimated"),
        "no model is named: p/m is assumed",
    ),
    ({"model": "nobodys"}, {"cost": Decimal(1)}, {}, "caller", None),
]  # fmt: skip


@pytest.mark.parametrize(("labels", "used", "policy", "source", "note"), STAND_INS)
def test_a_cost_that_is_a_guess_says_why(
    quick: Running, labels, used, policy, source, note
) -> None:
    quick.service.prices.set_price(LOCAL, "p", "m", MINI)
    quick.service.policies.create_policy(LOCAL, {"limit": "9usd/day", **policy})

    answer = quick.service.ledger.record(LOCAL, Used(**used), labels=labels).result()

    assert (answer.cost_source, answer.cost_note) == (source, note)


def test_a_hold_that_stands_in_says_why(quick: Running) -> None:
    quick.service.prices.set_price(LOCAL, "p", "m", MINI)
    searched = {
        "usage": {"input_tokens": 5, "output_tokens": 5},
        "output": [{"type": "web_search_call", "action": {"type": "search"}}],
    }
    for labels, used, note in (
        ({"model": "nobodys"}, Used(input_tokens=5), "no price is known for nobodys"),
        ({"model": "p/m"}, Used(response=searched), LACKS),
    ):
        ask = Ask(labels=labels, cost=Decimal("0.5"))
        held = quick.service.ledger.allocate(LOCAL, ask).result()
        ended = quick.service.ledger.settle(LOCAL, held.allocation_id, used).result()
        assert ended.cost_note == f"{note}: all that was held for the call is charged"
        assert (ended.cost_nano, ended.cost_source) == (500_000_000, "estimated")
