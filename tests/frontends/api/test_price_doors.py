"""Costs, files, contracts, names and tiers of the price book over HTTP."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.frontends.api.conftest import Door, problem
from tests.frontends.api_read.conftest import served

from tekton_budget.domain.caller import Role
from tekton_budget.storage.rows.prices import insert_list

CASES = Path(__file__).parents[4] / "shared" / "prices" / "cost-cases.json"
CARD = {
    "provider": "google",
    "model": "Gemini-X",
    "effective_from": "2026-01-01",
    "rates": {"input": "1.25", "output": "10", "cache_read": "0.31"},
    "fees": {"web_search": {"usd_per_1000": "35"}, "request": "0.005"},
    "tiers": [{"when": {"total_input_tokens_gt": 1000}, "rates": {"input": "2.5"}}],
    "service_tiers": {"batch": {"input": "0.625", "output": "5"}},
    "regions": {"us": "1.1"},
}
GEMINI = {
    "modelVersion": "gemini-x",
    "usageMetadata": {
        "promptTokenCount": 900,
        "cachedContentTokenCount": 400,
        "candidatesTokenCount": 10,
        "thoughtsTokenCount": 5,
        "totalTokenCount": 915,
    },
}
LIST = {
    "format": "price-list/1",
    "version": "2026-08-21.1",
    "made": "2026-08-21",
    "sources": [{"name": "hand", "version": "1", "date": "2026-08-20", "licence": "MIT"}],
    "cards": [
        {"provider": "openai", "model": "gpt-5-mini", "rates": {"input": "0.25", "output": "2"}},
        {"provider": "azure", "model": "gpt-4o", "rates": {"input": "2"}, "regions": {"eu": "1.1"}},
    ],
    "aliases": [{"provider": "openai", "name": "mini", "model": "gpt-5-mini"}],
    "models": [
        {"provider": "openai", "model": "gpt-5-mini", "context_tokens": 400000, "input": ["text"]}
    ],
}


def with_list(door: Door) -> None:
    """A list as it is taken over at a start."""

    def run(alone: Any) -> None:
        insert_list(alone.session, LIST["version"], json.dumps(LIST), alone.now_us)

    door.running.writer.exclusively(run).result()


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One server for all that is refused: nothing of it may change anything."""
    with served(f"sqlite:///{tmp_path_factory.mktemp('still') / 'budget.db'}") as one:
        door = Door(one)
        with_list(door)
        door.post("/prices/load", {"cards": [{**CARD, "effective_from": None}]})
        before = everything(door)
        yield door
        assert everything(door) == before


def everything(door: Door) -> list[Any]:
    """All that the book was told."""
    nouns = ("prices", "prices/contracts", "prices/names", "prices/tiers")
    return [door.get(f"/{noun}") for noun in nouns]


def test_cards_are_taken_over_whole_or_not_at_all(door: Door) -> None:
    other = {"provider": "x", "model": "Y", "rates": {"input": 1}}
    made = door.post("/prices/load", {"rate_cards": {"a": CARD, "A": other}, "source": "file"})
    broken = door.http.post(
        "/api/v1/prices/load", json={"cards": [other, {**other, "rates": {"inputt": 1}}]}
    )

    assert (made["loaded"], made["models"]) == (2, 2)
    assert [(one["provider"], one["model"], one["source"]) for one in made["prices"]] == [
        ("google", "Gemini-X", "file"),
        ("x", "Y", "file"),
    ]
    faults = problem(broken, 422, "invalid")["fields"]
    assert [one["field"] for one in faults] == ["cards[1].rates.inputt"]
    assert len(door.get("/prices", at="2026-06-01")) == 2
    assert len(door.get("/prices/history/x/Y")) == 1
    current = door.post("/prices/current", {"model": "gemini-x", "at": "2026-06-01"}, 200)
    assert current["card"]["tiers"] == [
        {"when": {"total_input_tokens_gt": 1000}, "rates": {"input": "2.5"}}
    ]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"cards": []},
        {"cards": {"a": CARD}},
        {"cards": [CARD], "rate_cards": {"a": CARD}},
        {"cards": [CARD], "source": ""},
        {"cards": [CARD], "sauce": "x"},
        {"cards": [{**CARD, "rates": {"input": "-1"}}]},
        {"cards": [{**CARD, "currency": "EUR"}]},
        {"cards": [7]},
    ],
)
def test_a_file_that_cannot_be_is_refused_and_nothing_is_set(
    still: Door, body: dict[str, Any]
) -> None:
    assert still.http.post("/api/v1/prices/load", json=body).status_code == 422


def test_a_load_is_done_once_under_its_id(quick: Door) -> None:
    body = {"cards": [CARD, {**CARD, "model": "other"}]}
    first = quick.post("/prices/load", body, Idempotency_Key="l1")
    again = quick.post("/prices/load", body, Idempotency_Key="l1")
    other = quick.http.post(
        "/api/v1/prices/load", json={"cards": [CARD]}, headers={"Idempotency-Key": "l1"}
    )

    assert again == first
    problem(other, 409, "id_reused")
    assert len(quick.get("/prices/history/google/Gemini-X")) == 1


def test_a_response_is_costed_with_its_own_names(quick: Door) -> None:
    quick.post("/prices/load", {"cards": [CARD]})

    made = quick.post("/prices/calculate", {"response": GEMINI, "at": "2026-06-01"}, 200)
    usage = quick.post(
        "/prices/calculate",
        {"provider": "google", "model": "gemini-x", "usage": GEMINI["usageMetadata"]},
        200,
    )

    # 500 fresh at 1.25, 400 cached at 0.31, 15 written at 10, and the request
    assert made["cost"] == Decimal("0.000625") + Decimal("0.000124") + Decimal("0.00015") + Decimal(
        "0.005"
    )
    assert usage["cost"] == made["cost"]
    parts = {one["unit"]: (one["quantity"], one["rate"], one["per"]) for one in made["components"]}
    assert parts == {
        "input": (500, Decimal("1.25"), 1_000_000),
        "output": (15, 10, 1_000_000),
        "cache_read": (400, Decimal("0.31"), 1_000_000),
        "request": (1, Decimal("0.005"), 1),
    }
    assert sum(one["cost"] for one in made["components"]) == made["cost"]
    assert {one["model"] for one in made["components"]} == {"Gemini-X"}
    assert (made["provider"], made["model"]) == ("google", "Gemini-X")
    assert made["card"]["pricing_id"]
    assert made["api"].startswith("google.")
    assert made["at"] == "2026-06-01T00:00:00+00:00"
    assert made["billed_by_provider"] is made["difference"] is None


def test_the_context_and_the_length_say_why_another_rate_applies(quick: Door) -> None:
    quick.post("/prices/load", {"cards": [CARD]})
    asked = {"model": "google/gemini-x", "usage": {"input_tokens": 1001}, "at": "2026-06-01"}

    long = quick.post("/prices/calculate", asked, 200)
    batch = quick.post(
        "/prices/calculate",
        {**asked, "context": {"processing": "batch", "webSearches": 2}, "requests": 0},
        200,
    )
    region = quick.post("/prices/calculate", {**asked, "context": {"region": "us"}}, 200)

    assert long["cost"] == Decimal("0.0025025") + Decimal("0.005")
    assert long["why"] == ["input of 1,001 tokens is above 1,000"]
    assert batch["cost"] == Decimal("0.000625625")
    assert "service tier batch" in batch["why"]
    assert region["cost"] == Decimal("0.00275275") + Decimal("0.005")
    assert "region us: × 1.1" in region["why"]


def test_what_the_provider_charged_is_compared(quick: Door) -> None:
    card = {"provider": "openrouter", "model": "a/b", "rates": {"input": "1", "output": "2"}}
    quick.post("/prices/load", {"cards": [card]})
    response = {
        "model": "a/b",
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 1,
            "total_tokens": 11,
            "cost": 0.0000120000001,
        },
    }
    asked = {"provider": "openrouter", "response": response}

    made = quick.post("/prices/calculate", asked, 200)

    assert made["cost"] == Decimal("0.000012")
    assert made["billed_by_provider"] == Decimal("0.0000120000001")
    assert made["difference"] == Decimal("-0.0000000000001")


def test_frames_of_a_stream_are_costed(quick: Door) -> None:
    quick.post("/prices", {"provider": "openai", "model": "m", "input": 1, "output": 2})
    frames = [
        {"model": "m", "choices": [{"delta": {"content": "hi"}}]},
        {"model": "m", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 1}},
    ]

    made = quick.post("/prices/calculate", {"provider": "openai", "response": frames}, 200)

    assert made["cost"] == Decimal("0.000009")


def test_costs_are_as_of_two_moments(quick: Door) -> None:
    quick.post("/prices/load", {"cards": [{**CARD, "fees": {}}]})
    asked = {"model": "gemini-x", "usage": {"input": 1}}

    early = quick.http.post("/api/v1/prices/calculate", json={**asked, "at": "2025-12-31"})
    unknown = quick.http.post(
        "/api/v1/prices/calculate", json={**asked, "at": "2026-02-01", "known": "2026-01-31"}
    )

    told = problem(early, 422, "unknown_price")
    assert told["reason"] == "no price then"
    assert "has some from 2026-01-01" in told["detail"]
    problem(unknown, 422, "unknown_price")


def test_a_zone_without_a_price_is_named_with_what_to_do(quick: Door) -> None:
    with_list(quick)

    asked = {"model": "azure/us/gpt-4o", "usage": {"input": 1}}
    got = quick.http.post("/api/v1/prices/calculate", json=asked)

    told = problem(got, 422, "unknown_price")
    assert "nothing is known of its price in us" in told["detail"]
    assert "tekton-budget prices set azure/us/gpt-4o " in told["detail"]


def test_a_name_that_hides_its_model_is_set_at_the_seller_that_its_shape_tells(
    quick: Door,
) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcd1234"
    asked = {"model": arn, "usage": {"input": 1_000_000}}

    told = problem(quick.http.post("/api/v1/prices/calculate", json=asked), 422, "unknown_price")
    quick.post("/prices", {"provider": "bedrock", "model": arn, "input": 3, "output": 15})

    assert f"tekton-budget prices set bedrock/{arn} " in told["detail"]
    assert quick.post("/prices/calculate", asked, 200)["cost"] == 3


def test_an_unknown_price_is_refused_with_what_to_do(quick: Door) -> None:
    quick.post("/prices", {"provider": "openai", "model": "gpt-5-mini", "input": 1, "output": 1})
    answer = quick.http.post(
        "/api/v1/prices/calculate",
        json={"provider": "openai", "model": "gpt-5-minni", "usage": {"input": 1}},
    )

    told = problem(answer, 422, "unknown_price")
    assert told["suggestions"] == ["openai/gpt-5-mini"]
    assert "tekton-budget prices set openai/gpt-5-minni --input USD" in told["detail"]
    assert [one["field"] for one in told["fields"]] == ["model"]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({}, "invalid"),
        ({"usage": {"input": 1}, "response": GEMINI}, "invalid"),
        ({"usage": {}}, "missing_usage"),
        ({"usage": {"input": -1}}, "invalid_usage"),
        ({"usage": {"input": 1.5}}, "invalid_usage"),
        ({"usage": {"input": "many"}}, "invalid_usage"),
        ({"usage": {"input": 1, "input_tokens": 2}}, "invalid"),
        ({"usage": {"inputs": 1}}, "invalid_usage"),
        ({"usage": {"input_audio": 1}}, "unpriced_unit"),
        ({"usage": [1]}, "invalid"),
        ({"response": {}}, "missing_usage"),
        ({"response": []}, "missing_usage"),
        ({"response": "text"}, "invalid"),
        ({"usage": {"input": 1}, "context": {"processing": "slow"}}, "invalid_context"),
        ({"usage": {"input": 1}, "context": {"planet": "mars"}}, "invalid_context"),
        ({"usage": {"input": 1}, "context": {"service_tier": "flex"}}, "unpriced_unit"),
        ({"usage": {"input": 1}, "at": "soon"}, "invalid"),
        ({"usage": {"input": 1}, "known": 7}, "invalid"),
        ({"usage": {"input": 1}, "requests": -1}, "invalid"),
        ({"usage": {"input": 1}, "requests": "x"}, "invalid"),
        ({"usage": {"input": 1}, "colour": "red"}, "invalid"),
    ],
)
def test_a_question_without_an_answer_is_refused(
    still: Door, sent: dict[str, Any], code: str
) -> None:
    asked = {"model": "google/gemini-x", **sent}

    problem(still.http.post("/api/v1/prices/calculate", json=asked), 422, code)


def test_the_model_is_needed_where_the_response_does_not_name_it(still: Door) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    answer = still.http.post("/api/v1/prices/calculate", json={"response": {"usage": usage}})

    assert problem(answer, 422, "invalid")["fields"][0]["field"] == "model"


def test_recorded_calls_cost_what_they_cost_when_their_cards_are_loaded(quick: Door) -> None:
    """The door adds and loses nothing: as many digits as were recorded."""
    file = msgspec.json.decode(CASES.read_bytes())
    quick.post("/prices/load", {"rate_cards": file["rate_cards"], "source": "cases"})
    told = []
    for case in file["cases"]:
        card = file["rate_cards"].get(case["rate_card"])
        if card is None or "error" in case["expected"]:
            continue
        names = ("api", "response", "usage", "at", "context")
        asked = {name: case[name] for name in names if case.get(name) is not None}
        asked |= {"provider": card["provider"], "model": card["model"]}
        made = quick.post("/prices/calculate", asked, 200)
        if made["cost"] != Decimal(case["expected"]["cost_usd"]):
            told.append((case["id"], made["cost"], case["expected"]["cost_usd"]))

    assert told == []


def test_lists_and_facts_are_told(quick: Door) -> None:
    assert quick.get("/prices/lists") == []
    with_list(quick)

    (age,) = quick.get("/prices/lists")
    facts = quick.get("/prices/models", provider="openai")

    assert (age["version"], age["made"], age["models"]) == ("2026-08-21.1", "2026-08-21", 2)
    assert age["age_days"] >= 0
    assert age["sources"] == LIST["sources"]
    assert facts == quick.get("/prices/models", model="gpt-5*")
    assert facts[0]["context_tokens"] == 400_000
    assert (facts[0]["input"], facts[0]["tools"]) == (["text"], None)
    assert quick.get("/prices/models", provider="azure") == []
    assert [one["model"] for one in quick.get("/prices", model="GPT-*")] == ["gpt-4o", "gpt-5-mini"]


def test_a_contract_is_on_listed_prices_and_on_those_that_were_set(door: Door) -> None:
    with_list(door)
    door.post("/prices", {"provider": "openai", "model": "own", "input": 4, "output": 4})
    made = door.post(
        "/prices/contracts", {"provider": "openai", "factor": "0.85", "validFrom": "2026-01-01"}
    )

    def cost(model: str, at: str = "2026-02-01") -> Decimal:
        asked = {"model": model, "usage": {"input": 1_000_000}, "at": at}
        return door.post("/prices/calculate", asked, 200)["cost"]

    assert (made["factor"], made["model"], made["in_force"]) == (Decimal("0.85"), None, True)
    assert cost("openai/gpt-5-mini") == Decimal("0.2125")
    assert cost("openai/gpt-5-mini", "2025-12-31") == Decimal("0.25")
    own = {"model": "openai/own", "usage": {"input": 1_000_000}}
    assert door.post("/prices/calculate", own, 200)["cost"] == Decimal("3.4")

    later = door.post(
        "/prices/contracts",
        {"provider": "openai", "model": "mini", "factor": 0.5, "valid_from": "2026-01-01"},
    )
    whole = door.post("/prices/contracts", {"provider": "openai", "factor": 1})
    other = door.post("/prices/contracts", {"provider": "azure", "factor": 0.9})
    told = door.get("/prices/contracts")

    assert later["model"] == "gpt-5-mini"
    assert cost("openai/gpt-5-mini") == Decimal("0.125")
    by_id = {one["contract_id"]: one["in_force"] for one in told}
    assert by_id == {
        made["contract_id"]: False,
        later["contract_id"]: True,
        whole["contract_id"]: True,
        other["contract_id"]: True,
    }


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"factor": 0}, "factor"),
        ({"factor": -0.5}, "factor"),
        ({"factor": 101}, "factor"),
        ({"factor": "0.1234567"}, "factor"),
        ({"factor": "much"}, "factor"),
        ({"factor": True}, "factor"),
        ({"factor": None}, "factor"),
        ({"factor": "1" * 200}, "factor"),
        ({"provider": ""}, "provider"),
        ({"provider": 7}, "provider"),
        ({"valid_to": "2020-01-01"}, "valid_to"),
        ({"valid_from": "2026-02-01", "valid_to": "2026-02-01"}, "valid_to"),
        ({"valid_from": "later"}, "valid_from"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_contract_that_cannot_be_is_refused(
    still: Door, change: dict[str, Any], field: str
) -> None:
    body = {"provider": "openai", "factor": 0.5, **change}

    answer = still.http.post("/api/v1/prices/contracts", json=body)

    assert problem(answer, 422, "invalid")["fields"][0]["field"] == field


def test_a_contract_with_nobody_is_refused(still: Door) -> None:
    """It would change nothing, and nobody would see that the name was mistyped."""
    answer = still.http.post("/api/v1/prices/contracts", json={"provider": "opnai", "factor": 0.5})
    model = {"provider": "openai", "model": "gpt-5-maxi", "factor": 0.5}
    other = still.http.post("/api/v1/prices/contracts", json=model)

    assert "azure, google, openai" in problem(answer, 404, "price_not_found")["detail"]
    assert problem(other, 404, "price_not_found")["suggestions"] == ["openai/gpt-5-mini"]


def test_a_name_of_one_s_own_leads_to_a_card_and_its_region(door: Door) -> None:
    with_list(door)
    made = door.post(
        "/prices/names",
        {"provider": "azure", "name": "Prod", "toProvider": "azure", "toModel": "eu/gpt-4o"},
    )

    found = door.post("/prices/resolve", {"provider": "azure", "model": "prod"}, 200)
    asked = {"provider": "azure", "model": "prod", "usage": {"input": 1_000_000}}

    assert made["in_force"] is True
    assert (found["provider"], found["model"], found["region"]) == ("azure", "gpt-4o", "eu")
    assert found["path"][0] == "map Prod"
    assert door.post("/prices/calculate", asked, 200)["cost"] == Decimal("2.2")

    second = {"provider": "azure", "name": "prod", "to_provider": "openai", "to_model": "mini"}
    door.post("/prices/names", {**second, "valid_from": made["valid_from"]})

    told = door.get("/prices/names")
    assert [(one["to_model"], one["in_force"]) for one in told] == [
        ("eu/gpt-4o", False),
        ("gpt-5-mini", True),
    ]
    assert door.post("/prices/resolve", {"provider": "azure", "model": "prod"}, 200)["model"] == (
        "gpt-5-mini"
    )


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"name": ""}, 422, "invalid"),
        ({"name": " x"}, 422, "invalid"),
        ({"name": None}, 422, "invalid"),
        ({"provider": ""}, 422, "invalid"),
        ({"to_model": "gpt-5-maxi"}, 404, "price_not_found"),
        ({"to_provider": "nobody"}, 404, "price_not_found"),
        ({"valid_from": "x"}, 422, "invalid"),
        ({"target": "x"}, 422, "invalid"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    still: Door, change: dict[str, Any], status: int, code: str
) -> None:
    body = {"name": "n", "to_provider": "openai", "to_model": "gpt-5-mini", **change}

    problem(still.http.post("/api/v1/prices/names", json=body), status, code)


def test_an_unknown_name_is_not_resolved(still: Door) -> None:
    answer = still.http.post("/api/v1/prices/resolve", json={"model": "gpt-5-minni"})
    far = {"model": "prod", "provider": "azure", "at": "2026-01-01"}

    assert problem(answer, 404, "price_not_found")["suggestions"] == ["openai/gpt-5-mini"]
    problem(still.http.post("/api/v1/prices/resolve", json=far), 404, "price_not_found")
    assert still.http.post("/api/v1/prices/resolve", json={}).status_code == 422


def test_tiers_are_said_and_taken_back(door: Door) -> None:
    first = {"provider": "openai", "model": "gpt-5-mini", "tier": "local_midweight"}
    made = door.post("/prices/tiers", first)
    door.post("/prices/tiers", {**first, "tier": None})

    told = door.get("/prices/tiers")

    assert made["in_force"] is True
    assert [(one["tier"], one["in_force"]) for one in told] == [
        ("local_midweight", False),
        (None, True),
    ]
    for change in ({"tier": "huge"}, {"model": ""}, {"provider": ""}, {"model": None}):
        answer = door.http.post("/api/v1/prices/tiers", json={**first, **change})
        problem(answer, 422, "invalid")
    assert door.http.post("/api/v1/prices/tiers", json={"model": "m"}).status_code == 422


@pytest.mark.parametrize(
    ("path", "body", "other"),
    [
        ("contracts", {"provider": "openai", "factor": 0.5}, {"provider": "openai", "factor": 1}),
        (
            "names",
            {"name": "n", "to_provider": "openai", "to_model": "gpt-5-mini"},
            {"name": "o", "to_provider": "openai", "to_model": "gpt-5-mini"},
        ),
        ("tiers", {"model": "m", "tier": None}, {"model": "n", "tier": None}),
    ],
)
def test_what_is_told_again_under_its_id_is_told_once(
    quick: Door, path: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    with_list(quick)
    first = quick.post(f"/prices/{path}", body, Idempotency_Key="k1")
    again = quick.post(f"/prices/{path}", body, Idempotency_Key="k1")
    clash = quick.http.post(f"/api/v1/prices/{path}", json=other, headers={"Idempotency-Key": "k1"})

    assert again == first
    assert len(quick.get(f"/prices/{path}")) == 1
    problem(clash, 409, "id_reused")


def test_a_file_of_names_is_tried_by_the_book(quick: Door) -> None:
    with_list(quick)
    right = {"provider": "openai", "model": "gpt-5-mini", "input_usd_per_mtok": "0.25"}
    file = {
        "format": "name-cases/1",
        "as_of": "2026-11-20",
        "cases": [
            {"name": "mini", "provider_hint": "openai", "answer": right},
            {"name": "maxi", "provider_hint": None, "answer": right},
            {"name": "mini", "provider_hint": "openai", "answer": None, "expect": "unknown"},
        ],
    }

    rows = quick.post("/prices/names/check", {"file": file}, 200)
    broken = quick.http.post("/api/v1/prices/names/check", json={"file": {"format": "x"}})
    many = {**file, "cases": [{"name": "x"}] * 5001}
    long = quick.http.post("/api/v1/prices/names/check", json={"file": many})

    assert [bool(one["differs"]) for one in rows] == [False, True, True]
    assert rows[0]["outcome"] == "openai/gpt-5-mini"
    problem(broken, 422, "invalid_file")
    problem(long, 422, "invalid_file")


def test_whoever_may_spend_may_ask_what_it_costs(quick: Door) -> None:
    with_list(quick)
    for role in (Role.CLIENT, Role.VIEWER):
        client = quick.served.key(f"k-{role}", role, team="a")
        asked = {"model": "mini", "provider": "openai", "usage": {"input": 4}}

        made = client.post("/api/v1/prices/calculate", json=asked)

        assert (made.status_code, made.json()["cost"]) == (200, 0.000001)
        for path in ("models", "lists", "contracts", "names", "tiers"):
            assert client.get(f"/api/v1/prices/{path}").status_code == 200


def test_a_price_ends_after_it_begins(quick: Door) -> None:
    body = {"provider": "o", "model": "m", "input": 1, "output": 1, "valid_to": "2020-01-01"}

    answer = quick.http.post("/api/v1/prices", json=body)

    assert problem(answer, 422, "invalid")["fields"][0]["field"] == "valid_to"
