"""Calculating: by response, by usage, by units; refusals that say what to do; and files of cases."""

import copy
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.price import PriceBook, card_from_json
from tekton_budget.service.prices import Question, run_cost_cases, run_name_cases
from tekton_budget.wiring import Running

PRICES = Path(__file__).parents[4] / "shared" / "prices"
USAGE = {"prompt_tokens": 100, "completion_tokens": 10}


def file(name: str) -> dict[str, Any]:
    return json.loads((PRICES / name).read_text(), parse_float=Decimal)


@pytest.fixture
def priced(quick: Running) -> Running:
    pricing = {"rates": {"input": "2", "output": "8"}, "fees": {"request": "0.01"}}
    quick.service.prices.set_price(LOCAL, "openai", "m", pricing)
    return quick


def usd(running: Running, **question: Any) -> Decimal:
    return running.service.costs.calculate(Question(**question)).bill.usd


def test_a_cost_by_response_by_its_usage_and_by_units(priced: Running) -> None:
    response = {"model": "m", "usage": USAGE}
    expected = Decimal("0.01028")

    assert usd(priced, response=response) == expected
    assert usd(priced, provider="openai", model="m", response=response) == expected
    assert usd(priced, model="openai/m", usage=USAGE) == expected
    assert (
        usd(priced, model="m", usage={"input_tokens": 100, "output_tokens": Decimal(10)})
        == expected
    )
    assert usd(priced, model="m", usage={"input": 100, "output": 10}) == expected
    assert usd(priced, model="m", usage={"input": 0, "output": 10}, requests=0) == Decimal(
        "0.00008"
    )


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_token_count": 100, "generation_token_count": 10},
        {"inputTextTokenCount": 100, "results": [{"tokenCount": 10}]},
        {"prompt_eval_count": 100, "eval_count": 10},
    ],
)
def test_a_usage_whose_api_has_its_counts_at_the_top(priced: Running, usage: Any) -> None:
    assert usd(priced, model="m", usage=usage) == Decimal("0.01028")


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({}, "response"),
        ({"response": {"usage": USAGE}}, "model"),
        ({"model": "m"}, "response"),
        ({"model": "m", "usage": USAGE, "response": {}}, "response"),
        ({"model": "m", "usage": {"input": -1}}, "usage.input"),
        ({"model": "m", "usage": {"input": True}}, "usage.input"),
        ({"model": "m", "usage": {"input": Decimal("0.5")}}, "usage.input"),
        ({"model": "m", "usage": {"input": 1, "input_tokens": 1}}, "usage.input_tokens"),
        ({"model": "m", "usage": {"request": 1}}, "usage.request"),
        ({"model": "m", "usage": USAGE, "requests": -1}, "requests"),
        ({"model": "m", "usage": {"web_search": 1}}, "web_search"),
    ],
)
def test_a_question_that_cannot_be_answered_names_the_field(priced, question, field) -> None:
    with pytest.raises(InvalidInput) as refused:
        usd(priced, **question)
    assert refused.value.fields[0].field == field


def test_usage_is_an_object(priced: Running) -> None:
    for usage in ([1], "10"):
        with pytest.raises(InvalidInput, match="send an object") as refused:
            priced.service.costs.calculate(Question(model="m", provider="openai", usage=usage))
        assert refused.value.code == "invalid_usage"


def test_usage_that_says_nothing_is_not_none(priced: Running) -> None:
    with pytest.raises(InvalidInput) as refused:
        usd(priced, model="m", usage={})
    assert refused.value.code == "missing_usage"


def test_a_name_without_a_price_is_refused_wherever_it_stands(priced: Running) -> None:
    with pytest.raises(InvalidInput, match="prices set openai/n"):
        usd(priced, provider="openai", model="n", usage={"input": 1})
    steps = [{"type": "message", "model": "claude-advisor", "input_tokens": 1, "output_tokens": 1}]
    response = {"model": "m", "usage": {"input_tokens": 1, "output_tokens": 1, "iterations": steps}}
    with pytest.raises(InvalidInput, match="further step"):
        usd(priced, model="m", response=response, api="anthropic.messages")
    advice = {"rates": {"input": "10", "output": "20"}}
    priced.service.prices.set_price(LOCAL, "openai", "claude-advisor", advice)
    # The step of the other model by its own card, the fee of the request once.
    cost = usd(priced, model="m", response=response, api="anthropic.messages")
    assert cost == Decimal("0.01") + Decimal("0.00003")


def test_the_price_then_and_as_known_then(priced: Running) -> None:
    now_us = priced.reader.now_us()
    with pytest.raises(InvalidInput, match="no price then"):
        usd(priced, model="m", usage={"input": 1}, at_us=now_us - 10**12)
    with pytest.raises(InvalidInput, match="no price then"):
        usd(priced, model="m", usage={"input": 1}, known_us=now_us - 10**12)


def test_the_difference_to_what_the_provider_charged(priced: Running) -> None:
    response = {"model": "m", "usage": {**USAGE, "cost": Decimal("0.01"), "is_byok": False}}
    pricing = {"rates": {"input": "2", "output": "8"}, "fees": {"request": "0.01"}}
    priced.service.prices.set_price(LOCAL, "openrouter", "m", pricing)
    question = Question(response=response, provider="openrouter")

    done = priced.service.costs.calculate(question)

    assert (done.metered.billed_usd, done.difference) == (Decimal("0.01"), Decimal("0.00028"))
    assert (
        priced.service.costs.calculate(Question(response={"model": "m", "usage": USAGE})).difference
        is None
    )


def test_every_recorded_cost_comes_out() -> None:
    rows = run_cost_cases(file("cost-cases.json"))

    assert len(rows) == 90
    assert [row for row in rows if row.differs] == []
    refused = {row.name: row.outcome for row in rows if row.outcome.startswith("refused")}
    expected = {
        case["id"]: f"refused: {case['expected']['error']}"
        for case in file("cost-cases.json")["cases"]
        if "error" in case["expected"]
    }
    assert refused == expected


def altered(number: int = 0, **changes: object) -> dict[str, Any]:
    """The recorded file with one case alone, changed at dotted places."""
    whole = file("cost-cases.json")
    case = copy.deepcopy(whole["cases"][number])
    for path, value in changes.items():
        *places, last = path.split("__")
        spot = case
        for place in places:
            spot = spot[int(place) if place.isdecimal() else place]
        spot[int(last) if last.isdecimal() else last] = value
    return {**whole, "cases": [case]}


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"expected__cost_usd": "0.0036"}, "cost 0.0035, expected 0.0036"),
        ({"response__usage__prompt_tokens": 1001, "response__usage__total_tokens": 1101},
         "cost 0.0035025, expected 0.0035; has 1,001 input for 0.0025025 USD; lacks 1,000 input for 0.0025 USD"),
        ({"expected__components": []},
         "has 1,000 input for 0.0025 USD; has 100 output for 0.001 USD"),
        ({"expected": {"error": "invalid usage"}}, "expected invalid usage, got a cost"),
        ({"expected": {}}, ""),
        ({"response": {}, "expected": None}, ""),
        ({"response": [{"model": "gpt-4o"}, {"usage": {"prompt_tokens": 1000, "completion_tokens": 100}}]},
         ""),
        ({"response": {}}, "expected a cost, got missing usage"),
        ({"response": {}, "expected": {"error": "missing usage"}}, ""),
        ({"response": {}, "expected": {"error": "nothing to be seen"}}, ""),
        ({"response": {}, "expected": {"error": "invalid usage"}},
         "expected invalid usage, got missing usage"),
        ({"rate_card": "openai/o3@2025-06-10", "at": "2025-06-09T23:59:59Z"},
         "expected a cost, got no price then"),
        ({"rate_card": None}, ""),
        ({"model": None, "rate_card": None, "expected": {"error": "unknown model"}}, ""),
        ({"response": None, "expected": {"error": "missing usage"}}, ""),
        ({"response": 7, "expected": {"error": "invalid usage"}}, ""),
    ],
)  # fmt: skip
def test_what_differs_from_the_expectation_is_said(changes, differs) -> None:
    (row,) = run_cost_cases(altered(**changes))

    assert row.differs == differs


def test_a_step_of_another_model_is_priced_by_the_card_of_that_name() -> None:
    """The file's cards are named for short; the steps of a response are too."""
    number = next(
        i for i, case in enumerate(file("cost-cases.json")["cases"]) if case["id"] == "ant-017"
    )
    steps = [
        {"type": "message", "input_tokens": 100, "output_tokens": 50},
        {"type": "advisor_message", "model": "claude-haiku-4-5", "input_tokens": 1000,
         "output_tokens": 100},
    ]  # fmt: skip
    usage = {"input_tokens": 100, "output_tokens": 50, "iterations": steps}
    (row,) = run_cost_cases(
        altered(number, response__usage=usage, expected={"cost_usd": "0.00325"})
    )

    assert row.differs == ""


def test_a_card_that_cannot_be_read_is_refused_to_its_own_cases_alone() -> None:
    whole = file("cost-cases.json")
    odd = {**whole["rate_cards"]["openai/gpt-4o"], "rates": {"input": "2.5", "smell": "1"}}
    whole["rate_cards"] = {**whole["rate_cards"], "openai/gpt-4o": odd}

    rows = run_cost_cases(whole)

    told = {row.differs for row in rows if row.outcome == "refused: invalid"}
    assert told
    assert all(one.endswith(", got invalid") for one in told)
    assert any("rate_cards.openai/gpt-4o.rates.smell" in row.why for row in rows)
    of_the_odd = sum(case["rate_card"] == "openai/gpt-4o" for case in whole["cases"])
    assert 0 < sum(bool(row.differs) for row in rows) <= of_the_odd


def test_components_of_several_steps_are_compared_by_unit() -> None:
    """A file lists every unit once; so do the first 23,000 and the 180,000 of a compaction."""
    number = next(
        i for i, case in enumerate(file("cost-cases.json")["cases"]) if case["id"] == "ant-017"
    )
    steps = [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
    ]
    usage = {"input_tokens": 23_000, "output_tokens": 1_000, "iterations": steps}
    components = [
        {"unit": "input", "quantity": 203_000, "usd": "1.015"},
        {"unit": "output", "quantity": 4_500, "usd": "0.1125"},
    ]
    expected = {"cost_usd": "1.1275", "components": components}
    (row,) = run_cost_cases(altered(number, response__usage=usage, expected=expected))
    expected["components"] = components[:1]
    (lacking,) = run_cost_cases(altered(number, response__usage=usage, expected=expected))

    assert row.differs == ""
    assert lacking.differs == "has 4,500 output for 0.1125 USD"


def test_what_a_provider_billed_is_compared() -> None:
    number = next(
        i for i, case in enumerate(file("cost-cases.json")["cases"]) if case["id"] == "opr-004"
    )
    (row,) = run_cost_cases(altered(number, response__usage__cost=Decimal("0.00009")))

    assert row.differs == "billed 0.00009, expected 0.000086"


@pytest.mark.parametrize(
    ("broken", "place"),
    [
        ([], "file"),
        ({"format": "cost-cases/2"}, "format"),
        ({"format": "cost-cases/1"}, "cases"),
        ({"format": "cost-cases/1", "cases": []}, "rate_cards"),
        ({"format": "cost-cases/1", "cases": ["x"], "rate_cards": {}}, "cases[0]"),
        (altered(rate_card="nowhere"), "cases[0].rate_card"),
        (altered(rate_card=["openai/gpt-4o"]), "cases[0].rate_card"),
        (altered(expected="cheap"), "cases[0].expected"),
        (altered(expected__components={}), "cases[0].expected.components"),
        (altered(expected__components=["x"]), "cases[0].expected.components[0]"),
        (
            altered(expected__components__0__quantity="1e9999"),
            "cases[0].expected.components[0].quantity",
        ),
        (altered(api=7), "cases[0].api"),
        (altered(rate_card=["x"]), "cases[0].rate_card"),
        (altered(usage=[7]), "cases[0].usage"),
        (altered(context="batch"), "cases[0].context"),
    ],
)
def test_a_broken_file_is_refused_at_its_place(broken: Any, place: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        run_cost_cases(broken)
    assert (refused.value.code, refused.value.fields[0].field) == ("invalid_file", place)


CARDS = [
    ("openai", "gpt-4o", "2.5"),
    ("openai", "gpt-4o-2024-05-13", "5"),
]  # fmt: skip
BOOK = PriceBook(
    card_from_json({"provider": seller, "model": name, "rates": {"input": rate}}, price_id=name)
    for seller, name, rate in CARDS
)


def names(*cases: dict[str, Any]) -> list[str]:
    whole = {"format": "name-cases/1", "as_of": "2026-11-20", "cases": list(cases)}
    return [row.differs for row in run_name_cases(whole, BOOK)]


def test_names_are_compared_with_what_is_expected_of_them() -> None:
    right = {"provider": "openai", "model": "gpt-4o", "input_usd_per_mtok": "2.5"}
    assert names(
        {"name": "gpt-4o", "provider_hint": None, "answer": right},
        {"name": "gpt-4o", "answer": {**right, "input_usd_per_mtok": None}},
        {"name": "gpt-9", "provider_hint": "openai", "answer": None},
        {"name": "gpt-9", "provider_hint": "openai", "answer": right},
        {"name": "gpt-4o", "answer": None},
        {"name": "gpt-4o-2024-05-13", "answer": right},
        {"name": "gpt-4o", "answer": {**right, "output_usd_per_mtok": "10"}},
    ) == [
        "",
        "",
        "",
        "expected openai/gpt-4o, is unknown",
        "expected to be unknown",
        "expected openai/gpt-4o; input 5, expected 2.5",
        "output unknown, expected 10",
    ]
    for broken in ({"name": 7}, {}, {"name": "x", "provider": 7}, {"name": "x", "answer": "y"}):
        with pytest.raises(InvalidInput, match=r"cases\[0\]\.") as refused:
            names(broken)
        assert refused.value.code == "invalid_file"


def test_a_name_without_a_price_on_the_day_says_so() -> None:
    late = card_from_json(
        {"provider": "openai", "model": "late", "rates": {"input": "1"}, "effective_from": "2030-01-01"},
        price_id="late",
    )  # fmt: skip
    answer = {"provider": "openai", "model": "late", "input_usd_per_mtok": "1"}
    whole = {
        "format": "name-cases/1",
        "as_of": "2026-11-20",
        "cases": [{"name": "late", "answer": answer}],
    }

    (row,) = run_name_cases(whole, PriceBook([late]))

    assert row.differs == "input unknown, expected 1"


def test_a_retired_model_is_compared_by_its_last_rate() -> None:
    cards = [
        card_from_json(
            {"provider": "openai", "model": "old", "rates": {"input": rate}, "effective_to": end},
            price_id=rate,
        )
        for rate, end in (("3", "2025-01-01"), ("2", "2026-01-01"))
    ]
    cards[1] = cards[1].valid_between(cards[0].valid_to_us or 0, cards[1].valid_to_us)
    answer = {"provider": "openai", "model": "old", "input_usd_per_mtok": "2"}
    whole = {
        "format": "name-cases/1",
        "as_of": "2026-11-20",
        "cases": [{"name": "old", "answer": answer}],
    }

    (row,) = run_name_cases(whole, PriceBook(cards))

    assert row.differs == ""
