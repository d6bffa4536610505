"""Prices as the original's clients read, update, compute with and compare them."""

import pytest
from tests.frontends.api_read.conftest import served
from tests.frontends.original.conftest import HAIKU, OPUS, PREFIXES, Client

PRICE_FIELDS = {
    "pricing_id",
    "provider",
    "model",
    "price_type",
    "input_cost_per_token",
    "output_cost_per_token",
    "input_cost_per_char",
    "output_cost_per_char",
    "cost_per_image",
    "cost_per_second",
    "fixed_cost_per_request",
    "version",
    "source",
    "source_url",
    "verified",
    "effective_date",
    "end_date",
    "metadata",
}


def test_a_price_has_the_original_s_fields(original: Client) -> None:
    listed = original.get("/prices", **OPUS)
    current = original.post("/prices/current", OPUS)
    (first,) = original.get("/prices/history/anthropic/claude-3-opus")

    assert [one["model"] for one in original.get("/prices", provider="anthropic")] == [
        HAIKU["model"],
        OPUS["model"],
    ]
    for price in (*listed, current, first):
        assert price.keys() >= PRICE_FIELDS
        assert price["price_type"] == "token_based"
        assert (price["input_cost_per_token"], price["output_cost_per_token"]) == (15e-6, 75e-6)
    assert "context_window_tokens" in listed[0]
    missing = original.post("/prices/current", {"provider": "anthropic", "model": "none"}, 404)
    assert "No price is known" in missing["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {**OPUS, "input_tokens": 1000, "output_tokens": 500},
        {**OPUS, "inputTokens": 1000, "outputTokens": 500},
        {**OPUS, "usage": {"input_tokens": 1000, "output_tokens": 500}},
    ],
)
def test_a_cost_is_computed_in_the_original_s_fields(original: Client, body: object) -> None:
    found = original.post("/prices/calculate", body)

    assert (found["input_cost"], found["output_cost"], found["total_cost"]) == (
        0.015,
        0.0375,
        0.0525,
    )
    assert found["cost"] == found["total_cost"]


def test_a_cost_of_input_alone_and_one_that_cannot_be_told(original: Client) -> None:
    alone = original.post("/prices/calculate", {**OPUS, "input_tokens": 1000})
    both = original.post(
        "/prices/calculate", {**OPUS, "input_tokens": 1, "usage": {"input_tokens": 1}}, 422
    )
    unknown = original.post(
        "/prices/calculate", {"provider": "p", "model": "x", "input_tokens": 1}, 422
    )

    assert (alone["input_cost"], alone["output_cost"], alone["total_cost"]) == (0.015, 0, 0.015)
    assert both["fields"][0]["field"] == "usage"
    assert unknown["code"] == "unknown_price"


def test_recommendations_of_the_service_and_of_the_command_line(original: Client) -> None:
    body = {**OPUS, "task_type": "default", "context_size": 4000}
    found = original.post("/prices/recommendations", body)
    same = original.post("/prices/recommend", {**OPUS, "taskType": "chat", "contextSize": 4000})

    (item,) = found["items"]
    assert (found["current_provider"], found["current_model"]) == tuple(OPUS.values())
    assert (item["provider"], item["model"]) == tuple(HAIKU.values())
    for name in ("estimated_cost", "savings", "savings_percent", "input_cost_per_token"):
        assert isinstance(item[name], float | int), name
    assert found["best_match"] == item
    assert found["alternatives"] == []
    assert item["reason"].startswith("Costs 98.33 % less for the same usage")
    assert same["items"] == found["items"]


def test_recommendations_without_a_model_in_use(original: Client) -> None:
    """`recommend --task-type … --context-size … --output-size … --prefer-provider --max-cost`."""
    for name in ("alpha", "beta"):
        price = {"provider": name, "model": f"{name}-1", "input": 1, "output": 2}
        original.post("/prices", price, 201)
    body = {"task_type": "coding", "context_size": 4000, "output_size": 1000, "max_cost": 0.01}

    found = original.post("/prices/recommendations", {**body, "prefer_provider": "beta"})
    camel = original.post("/prices/recommendations", {"maxCost": 0.01, "preferredProvider": "beta"})

    assert found["best_match"]["model"] == "beta-1"
    assert found["best_match"]["estimated_cost"] == 0.006
    assert [one["model"] for one in found["alternatives"]] == [HAIKU["model"], "alpha-1"]
    assert found["usage"] == {"input_tokens": 4000, "output_tokens": 1000}
    assert camel["best_match"]["model"] == "beta-1"
    refused = original.post("/prices/recommendations", {**body, "prefer_provider": "gamma"}, 422)
    assert "gamma" in refused["detail"]
    twice = original.post("/prices/recommendations", {**body, "input_tokens": 1}, 422)
    assert twice["fields"][0]["field"] == "output_size"


def test_tips_are_what_the_price_in_use_allows(original: Client) -> None:
    price = {"input": 4, "output": 8, "cache_read": 0.4}
    batch = {"batch": {"input": "2", "output": "8"}}
    body = {"provider": "alpha", "model": "alpha-1", **price, "service_tiers": batch}
    original.post("/prices", body, 201)

    found = original.post("/prices/recommendations", {"provider": "alpha", "model": "alpha-1"})

    assert found["optimization_tips"] == [
        "Input that alpha-1 reads from its cache costs $0.40 instead of $4.00 per 1,000,000 "
        "tokens.",
        "Calls of alpha-1 that can wait cost less as a batch: $2.00 instead of $4.00 for input "
        "per 1,000,000 tokens.",
    ]


def test_an_update_without_sources_says_so(original: Client) -> None:
    found = original.post("/prices/update")

    assert (found["updates_started"], found["sources"], found["updated"]) == (0, [], [])
    assert "BUDGET_PRICES=none" in found["message"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_an_update_asks_the_list_that_comes_with_the_program(sqlite_url: str, prefix: str) -> None:
    with served(sqlite_url, prices="embedded") as server:
        found = Client(server, prefix).post("/prices/update")

    (one,) = found["updated"]
    assert (one["source"], one["taken"]) == ("embedded", False)
    assert found["sources"] == [f"embedded {one['version']}"]
    assert found["message"].startswith(f"Nothing was updated: the list {one['version']}")
