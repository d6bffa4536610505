"""Recommendations over HTTP: the original's fields, and ours beside them."""

from decimal import Decimal
from typing import Any

import pytest
from tests.frontends.api.conftest import Door, problem
from tests.service.prices.test_price_book import taken

FACTS = {
    "mode": "chat",
    "context_tokens": 200_000,
    "max_output_tokens": 8000,
    "tools": True,
    "input": ["text", "image"],
}


def sold(model: str, rate: str, provider: str = "openai") -> dict[str, Any]:
    return {"provider": provider, "model": model, "rates": {"input": rate, "output": rate}}


@pytest.fixture
def priced(quick: Door) -> Door:
    cards = sold("big", "10"), sold("small", "1.5"), sold("other", "2", "mistral")
    models = [
        {"provider": "openai", "model": "big", **FACTS},
        {"provider": "openai", "model": "small", **FACTS, "tools": False},
        {"provider": "mistral", "model": "other", **FACTS, "input": []},
    ]
    assert taken(quick.running, "1", *cards, models=models)
    return quick


@pytest.mark.parametrize("path", ["/prices/recommendations", "/prices/recommend"])
def test_the_original_s_request_has_its_answer_and_more(priced: Door, path: str) -> None:
    body = {"provider": "openai", "model": "big", "taskType": "default", "contextSize": 4000}
    found = priced.post(path, body, 200)

    assert found == {
        "items": [
            {
                "provider": "openai",
                "model": "small",
                "estimated_cost": Decimal("0.006"),
                "savings": Decimal("0.034"),
                "savings_percent": 85,
                "input_cost_per_token": Decimal("0.0000015"),
                "output_cost_per_token": Decimal("0.0000015"),
                "fits": True,
                "lost": ["tools"],
                "unknown": [],
                "tier": "remote_heavyweight",
                "facts": {**FACTS, "tools": False},
                "price_id": found["items"][0]["price_id"],
                "reason": "Costs 85 % less for the same usage; loses tools.",
            },
            {
                **found["items"][1],
                "model": "other",
                "lost": [],
                "unknown": ["input.image"],
                "fits": True,
                "savings_percent": 80,
            },
        ],
        "best_match": found["items"][0],
        "alternatives": found["items"][1:],
        "optimization_tips": [],
        "current_provider": "openai",
        "current_model": "big",
        "current_cost": Decimal("0.04"),
        "current_tier": "remote_heavyweight",
        "current_facts": FACTS,
        "usage": {"input_tokens": 3000, "output_tokens": 1000},
        "needs": {"mode": "chat", "context_tokens": 4000, "max_output_tokens": 1000,
                  "output": ["text"]},
    }  # fmt: skip


def test_a_usage_needs_and_sellers(priced: Door) -> None:
    body = {"provider": "openai", "model": "big", "needs": ["tools"], "providers": "mistral"}
    tokens = priced.post("/prices/recommendations", {**body, "input_tokens": 1_000_000}, 200)
    usage = {"input": 900_000, "output": 100_000}
    units = priced.post("/prices/recommendations", {**body, "usage": usage, "limit": 1}, 200)
    vision = priced.post("/prices/recommendations", {**body, "needs": {"vision": True}}, 200)

    assert [one["model"] for one in tokens["items"]] == ["other"]
    assert tokens["items"][0]["estimated_cost"] == 2
    assert tokens["needs"]["tools"] is True
    assert units["items"][0]["savings"] == 8
    assert units["usage"] == {"input_tokens": 900_000, "output_tokens": 100_000}
    assert [one["fits"] for one in vision["items"]] == [None]  # nobody knows


def test_without_a_model_in_use(priced: Door) -> None:
    found = priced.post("/prices/recommendations", {"needs": "tools vision"}, 200)

    assert [one["model"] for one in found["items"]] == ["big", "other"]
    assert found["items"][0]["savings"] is found["items"][0]["savings_percent"] is None
    assert found["current_cost"] is found["current_model"] is found["current_facts"] is None
    nothing = {"provider": "openai", "model": "big", "input_tokens": 0}
    assert priced.post("/prices/recommendations", nothing, 200)["items"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"input_tokens": 5, "usage": {"input": 5}}, "usage"),
        ({"input_tokens": -5}, "usage.input_tokens"),
        ({"limit": 0}, "limit"),
        ({"context_size": 0}, "context_size"),
        ({"needs": ["wings"]}, "needs"),
        ({"providers": ["nobody"]}, "providers"),
        ({"wings": 1}, "wings"),
    ],
)
def test_a_field_that_cannot_be_is_named(priced: Door, body: dict[str, Any], field: str) -> None:
    named = {"provider": "openai", "model": "big", **body}
    answer = priced.http.post("/api/v1/prices/recommendations", json=named)

    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["fields"]] == [field]


def test_a_model_without_a_price_is_not_found(priced: Door) -> None:
    answer = priced.http.post("/api/prices/recommendations", json={"model": "bigg"})

    assert "openai/big" in problem(answer, 404, "price_not_found")["suggestions"]


def test_an_allocation_and_its_answer_have_the_tier_that_a_limit_asks_for(door: Door) -> None:
    door.post("/policies", {"limit": "1usd/day", "tier": "remote_heavyweight"})
    call = {"allocation_id": "a", "model": "gpt-4o", "cost": 0.9}
    first = door.post("/allocations", call)
    again = door.post("/allocations", call)
    batch = door.post(
        "/batch", {"commands": [{"do": "allocate", "model": "gpt-4", "cost": 0.01}]}, 200
    )
    denied = door.http.post("/api/v1/allocations", json={"model": "gpt-4o", "cost": 0.2})
    free = door.post("/allocations", {"model": "gpt-4o", "tier": "mine", "cost": 5})

    assert first["labels"] == {"model": "gpt-4o", "tier": "remote_heavyweight"}
    assert first["tier"] == "remote_heavyweight"
    assert again == first
    assert batch["results"][0]["body"]["tier"] == "remote_heavyweight"
    problem(denied, 402, "over_budget")
    assert (free["tier"], free["policies"]) == ("mine", [])
    assert door.get("/allocations/a")["tier"] == "remote_heavyweight"
