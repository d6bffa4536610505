"""Responses of providers over HTTP: settled, recorded, in batches, too large, and not readable."""

from decimal import Decimal
from typing import Any

import pytest
from tests.frontends.api.conftest import Door, all_rows, problem

from tekton_budget.domain.caller import LOCAL

CHAT = {
    "id": "chatcmpl-1",
    "model": "gpt-4o",
    "choices": [{"message": {"content": "words " * 200}, "logprobs": {"content": [-9.5]}}],
    "usage": {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "total_tokens": 1100,
        "prompt_tokens_details": {"cached_tokens": 400},
    },
}
GEMINI = {
    "modelVersion": "gemini-2.5-pro",
    "responseId": "g1",
    "usageMetadata": {
        "promptTokenCount": 1000,
        "candidatesTokenCount": 100,
        "thoughtsTokenCount": 50,
        "totalTokenCount": 1150,
        "cachedContentTokenCount": 400,
    },
}
STREAM = [
    {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 20}}},
    {"type": "content_block_delta", "delta": {"text": "Hello"}},
    {"type": "message_delta", "usage": {"output_tokens": 30}},
    "[DONE]",
]
OVER = {"usage": {"prompt_tokens": 1, "completion_tokens": -1}}
LABELS = {"provider": "openai", "model": "gpt-4o"}


def priced(door: Door) -> None:
    cards = {
        "openai/gpt-4o": {"input": "2.5", "cache_read": "1.25", "output": "10"},
        "google/gemini-2.5-pro": {"input": "1.25", "cache_read": "0.125", "output": "10"},
        "anthropic/claude-sonnet-4-5": {"input": "3", "output": "15"},
        "openrouter/openai/gpt-4o": {"input": "2.5", "output": "10"},
    }
    for name, rates in cards.items():
        provider, _, model = name.partition("/")
        verbs = door.running.service.prices
        verbs.set_price(LOCAL, provider, model, {"rates": rates})
    door.post("/policies", {"name": "purse", "limit": "50usd/day"})


def held(door: Door, **ask: Any) -> str:
    return str(door.post("/allocations", {"cost": 0.5, **LABELS, **ask})["allocation_id"])


def settled(door: Door, id_: str, body: Any, status: int = 200) -> Any:
    return door.post(f"/allocations/{id_}/settle", body, status)


@pytest.mark.parametrize("wide", [False, True], ids=["snake_case", "camelCase"])
def test_the_response_of_a_call_settles_it(door: Door, wide: bool) -> None:
    priced(door)
    body = {"response": CHAT, ("recordId" if wide else "record_id"): "r1"}
    answer = settled(door, held(door), body)

    assert answer["cost"] == Decimal("0.003")
    assert (answer["cost_source"], answer["tokens_used"], answer["usage_error"]) == (
        "book",
        1100,
        None,
    )
    record = door.get("/usage/records/r1")
    assert record["cost"] == record["book_cost"] == Decimal("0.003")
    assert (record["input_tokens"], record["cache_read_tokens"]) == (600, 400)
    assert record["request_id"] == "chatcmpl-1"


@pytest.mark.parametrize(
    ("labels", "body", "cost", "tokens"),
    [
        (
            {"provider": "google", "model": "gemini-2.5-pro"},
            {"response": GEMINI},
            "0.0023",
            1150,
        ),
        (
            {"provider": "google", "model": "gemini-2.5-pro"},
            {"response": GEMINI, "context": {"search_context_size": None}},
            "0.0023",
            1150,
        ),
        (
            {"provider": "anthropic", "model": "claude-sonnet-4-5"},
            {"response": STREAM},
            "0.00051",
            50,
        ),
    ],
)
def test_names_inside_a_response_stay_as_they_were_sent(
    quick: Door, labels: dict[str, str], body: dict[str, Any], cost: str, tokens: int
) -> None:
    priced(quick)
    answer = settled(quick, held(quick, **labels), body)

    assert (answer["usage_error"], answer["cost_source"]) == (None, "book")
    assert (answer["cost"], answer["tokens_used"]) == (Decimal(cost), tokens)


def test_what_the_provider_charged_is_posted_and_ours_stands_beside_it(door: Door) -> None:
    priced(door)
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "cost": 0.00321}
    labels = {"provider": "openrouter", "model": "openai/gpt-4o"}
    body = {"response": {"model": "openai/gpt-4o", "usage": usage}, **labels}
    record = door.post("/usage/record", body)

    assert (record["cost"], record["cost_source"]) == (Decimal("0.00321"), "provider")
    assert record["book_cost"] == Decimal("0.0035")
    amounts = {"response": None, "input_tokens": 1000, "output_tokens": 0}  # as null is left out
    assert settled(door, held(door), amounts)["usage_error"] is None
    answer = settled(door, held(door, **labels), {"response": body["response"]})
    assert (answer["cost"], answer["cost_source"]) == (Decimal("0.00321"), "provider")
    assert answer["book_cost"] == Decimal("0.0035")


def test_a_guess_says_why(quick: Door) -> None:
    priced(quick)
    record = quick.post("/usage/record", {"model": "nobodys", "input_tokens": 5})
    ended = settled(quick, held(quick, model="nobodys"), {"input_tokens": 5})
    known = settled(quick, held(quick), {"response": CHAT})

    why = "no price is known for nobodys"
    assert (record["cost"], record["cost_note"]) == (None, why)
    assert ended["cost_note"] == f"{why}: all that was held for the call is charged"
    assert known["cost_note"] is None


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (OVER, "invalid_usage"),
        ({}, "missing_usage"),
        ([], "missing_usage"),
        (None, "missing_usage"),
    ],
)
def test_what_cannot_be_read_charges_the_hold_and_says_why(
    door: Door, response: Any, code: str
) -> None:
    priced(door)
    id_ = held(door)
    first = settled(door, id_, {"response": response})
    again = settled(door, id_, {"response": response})
    other = door.http.post(f"/api/v1/allocations/{id_}/settle", json={"tokens": 5})

    assert (first["status"], first["cost"]) == ("settled", Decimal("0.5"))
    assert first["cost_source"] == "estimated"
    assert first["usage_error"]["code"] == code
    assert first["usage_error"]["detail"]
    assert first["released"] == {"tokens": 0, "cost": 0, "requests": 0}
    assert first == again
    problem(other, 409, "already_settled")
    door.post("/usage/record", {"allocation_id": id_, "response": CHAT})
    (standing,) = door.get("/policies/purse/groups")["items"]
    assert standing["spent"]["cost"] == Decimal("0.003")


def test_a_record_that_cannot_be_read_changes_nothing(door: Door) -> None:
    priced(door)
    id_ = held(door)
    before = all_rows(door.running)
    for body in ({"response": OVER, "allocation_id": id_}, {"response": {}}):
        refused = door.http.post("/api/v1/usage/record", json=body)
        code = "invalid_usage" if "allocation_id" in body else "missing_usage"
        told = problem(refused, 422, code)
        assert "Nothing was recorded" in told["detail"]

    after = all_rows(door.running)
    for table in ("journal", "allocations", "balances", "usage", "answers"):
        assert after[table] == before[table], table


def test_a_final_record_says_that_it_charged_the_hold(door: Door) -> None:
    priced(door)
    unread = door.post(
        "/usage/record", {"allocation_id": held(door), "response": OVER, "final": True}
    )
    read = door.post(
        "/usage/record", {"allocation_id": held(door), "response": CHAT, "final": True}
    )

    assert (unread["status"], unread["cost_source"]) == ("settled", "estimated")
    assert unread["usage_error"]["code"] == "invalid_usage"
    assert unread["measurement"] == "estimated"
    assert (read["status"], read["usage_error"]) == ("settled", None)


def test_a_model_that_differs_from_the_ask_by_its_label_is_the_one_that_answered(
    quick: Door,
) -> None:
    """The original's clients say by `model` what they used."""
    priced(quick)
    body = {"allocation_id": held(quick), "response": STREAM, "final": True}
    body |= {"provider": "anthropic", "model": "claude-sonnet-4-5"}
    record = quick.post("/usage/record", body)

    assert (record["provider"], record["model"]) == ("anthropic", "claude-sonnet-4-5")
    assert record["cost"] == Decimal("0.00051")


@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        ({"context": {"weather": "fine"}}, "invalid_context", "context.weather"),
        ({"context": {"processing": "soon"}}, "invalid_context", "context.processing"),
        ({"context": "batch"}, "invalid", "context"),
        ({"inputTokens": 5}, "invalid", "input_tokens"),
        ({"cost": "much"}, "invalid", "cost"),
    ],
)
@pytest.mark.parametrize("response", [CHAT, OVER])
def test_what_is_sent_beside_a_response_is_judged_first(
    quick: Door, response: Any, more: dict[str, Any], code: str, field: str
) -> None:
    priced(quick)
    id_ = held(quick)
    for path in (f"/allocations/{id_}/settle", "/usage/record"):
        refused = quick.http.post(f"/api/v1{path}", json={"response": response, **more})
        assert problem(refused, 422, code)["fields"][0]["field"] == field
    assert quick.get(f"/allocations/{id_}")["is_active"] is True


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"response": "text"}, "response"),
        ({"response": 5}, "response"),
        ({"response": True}, "response"),
        ({"response": CHAT, "api": 5}, "api"),
        ({"response": CHAT, "context": 5}, "context"),
    ],
)
def test_what_is_of_another_type_is_named(quick: Door, body: dict[str, Any], field: str) -> None:
    priced(quick)
    id_ = held(quick)
    for path in (f"/allocations/{id_}/settle", "/usage/record"):
        refused = quick.http.post(f"/api/v1{path}", json=body)
        assert problem(refused, 422, "invalid")["fields"][0]["field"].startswith(field)


def test_a_large_response_fits_and_a_larger_one_is_told_what_is_enough(quick: Door) -> None:
    priced(quick)
    large = {**CHAT, "choices": [{"message": {"content": "x" * 900_000}}]}
    larger = {**CHAT, "choices": [{"message": {"content": "x" * (1 << 20)}}]}
    answer = settled(quick, held(quick), {"response": large})
    id_ = held(quick)
    refused = quick.http.post(f"/api/v1/allocations/{id_}/settle", json={"response": larger})

    assert answer["cost"] == Decimal("0.003")
    told = problem(refused, 413, "body_too_large")
    assert "1 MiB" in told["detail"]
    assert "its id, its model and its usage" in told["detail"]
    slim = {name: CHAT[name] for name in ("id", "model", "usage")}
    assert settled(quick, id_, {"response": slim})["cost"] == Decimal("0.003")


def test_each_command_of_a_batch_may_bring_a_response(door: Door) -> None:
    priced(door)
    ids = [held(door) for _ in range(3)]
    commands = [
        {"do": "settle", "allocationId": ids[0], "response": CHAT},
        {"do": "settle", "allocation_id": ids[1], "response": OVER},
        {"do": "record", "allocation_id": ids[2], "response": OVER},
        {"do": "settle", "allocation_id": ids[2], "response": CHAT, "context": {"x": 1}},
        {
            "do": "record",
            "response": GEMINI,
            "provider": "google",
            "model": "gemini-2.5-pro",
        },
    ]
    told = door.post("/batch", {"commands": commands}, 200)["results"]

    assert [one["status"] for one in told] == [200, 200, 422, 422, 201]
    assert [told[n]["body"]["cost"] for n in (0, 1, 4)] == [
        Decimal("0.003"),
        Decimal("0.5"),
        Decimal("0.0023"),
    ]
    assert told[1]["body"]["usage_error"]["code"] == "invalid_usage"
    assert "settle the allocation with this response" in told[2]["body"]["detail"]
    assert told[3]["body"]["code"] == "invalid_context"
