"""Which model to call: the one asked for while it fits, then the least loss; never what does not."""

from decimal import Decimal
from typing import Any

import pytest
from tests.frontends.api.conftest import Door, problem
from tests.service.prices.test_price_book import taken

SIZE = {"input_tokens": 1000, "max_output_tokens": 1000}
FACTS = {"mode": "chat", "context_tokens": 200_000, "max_output_tokens": 8000, "tools": True}


def sold(model: str, rate: str, provider: str = "openai") -> dict[str, Any]:
    return {"provider": provider, "model": model, "rates": {"input": rate, "output": rate}}


@pytest.fixture
def priced(quick: Door) -> Door:
    """2,000 tokens cost 0.2 of big, 0.1 of near, 0.04 of far and 0.002 of dull."""
    cards = sold("big", "100"), sold("near", "50"), sold("far", "20"), sold("dull", "1")
    cards = *cards, sold("elsewhere", "10", "mistral")
    models = [{"provider": "openai", "model": name, **FACTS} for name in ("big", "near", "far")]
    models += [{"provider": "openai", "model": "dull", **FACTS, "tools": False}]
    models += [{"provider": "mistral", "model": "elsewhere", **FACTS}]
    assert taken(quick.running, "1", *cards, models=models)
    return quick


def limited(door: Door, usd: str, **fields: Any) -> None:
    door.put("/policies", {"limit": f"{usd}usd/total", "name": "all", **fields})


def routed(door: Door, **fields: Any) -> Any:
    return door.post("/route", {"provider": "openai", "model": "big", **SIZE, **fields}, 200)


def chosen(answer: Any) -> str:
    return f"{answer['provider']}/{answer['model']}"


def test_the_model_stays_while_it_fits(priced: Door) -> None:
    limited(priced, "0.2", thresholds=[1.0])
    found = routed(priced)

    assert found == {
        "provider": "openai",
        "model": "big",
        "decision": "warn",
        "is_downgraded": False,
        "original_provider": "openai",
        "original_model": "big",
        "warnings": ['"all" stands at or above its threshold'],
        "estimated_cost": Decimal("0.2"),
        "policies": found["policies"],
        "tried": [{"provider": "openai", "model": "big", "decision": "warn",
                   "detail": '"all" stands at or above its threshold'}],
    }  # fmt: skip
    assert found["policies"][0]["remaining"]["cost"] == 0


@pytest.mark.parametrize(
    ("usd", "expected"),
    [("0.19", "openai/near"), ("0.05", "openai/far"), ("0.01", "openai/dull")],
)
def test_else_least_is_lost_that_fits(priced: Door, usd: str, expected: str) -> None:
    limited(priced, usd)
    found = routed(priced)

    assert chosen(found) == expected
    assert found["is_downgraded"]
    assert found["warnings"][-1] == (
        f"Budget limit exceeded. Downgraded from openai/big to {expected}"
    )
    assert found["tried"][0]["decision"] == "deny"
    assert "Over budget" in found["tried"][0]["detail"]


def test_another_seller_is_named_only_where_it_is_allowed(priced: Door) -> None:
    limited(priced, "0.03")

    assert chosen(routed(priced)) == "openai/dull"
    assert chosen(routed(priced, providers=["openai", "mistral"])) == "mistral/elsewhere"
    assert chosen(routed(priced, needs=["tools"], providers="any")) == "mistral/elsewhere"


def test_where_nothing_fits_it_is_said_and_no_model_named(priced: Door) -> None:
    limited(priced, "0.001")
    body = {"provider": "openai", "model": "big", **SIZE}
    told = problem(priced.http.post("/api/v1/route", json=body), 402, "over_budget")

    assert told["decision"] == "deny"
    assert {one["model"] for one in told["tried"]} == {"big", "near", "far", "dull"}
    assert {one["decision"] for one in told["tried"]} == {"deny"}
    assert "model" not in told


def test_nothing_is_held_and_no_denial_counted(priced: Door) -> None:
    limited(priced, "0.05")
    routed(priced)

    assert priced.get("/allocations")["items"] == []
    assert priced.get("/decisions")["items"] == []
    [standing] = priced.get("/status")["policies"]
    assert (standing["held"]["cost"], standing["spent"]["cost"]) == (0, 0)


def test_named_candidates_are_tried_in_their_order(priced: Door) -> None:
    limited(priced, "0.05")
    candidates = ["near", {"model": "elsewhere", "provider": "mistral"}, "far"]
    found = routed(priced, candidates=candidates)

    assert chosen(found) == "mistral/elsewhere"
    assert [one["model"] for one in found["tried"]] == ["big", "near", "elsewhere"]


def test_a_policys_ladder_goes_before_advice(priced: Door) -> None:
    limited(priced, "0.05", ladder=["near", "dull"])

    assert chosen(routed(priced)) == "openai/dull"


def test_a_limit_of_one_provider_turns_to_another(priced: Door) -> None:
    limited(priced, "0", scope={"provider": "openai"})

    assert chosen(routed(priced, providers="any")) == "mistral/elsewhere"


def test_a_soft_limits_advice_is_followed_where_there_is_a_way(priced: Door) -> None:
    limited(priced, "0.05", enforcement="soft_limit")
    found = routed(priced)
    assert chosen(found) == "openai/far"
    assert found["tried"][0]["decision"] == "downgrade"

    limited(priced, "0", enforcement="soft_limit")
    stays = routed(priced)
    assert chosen(stays) == "openai/big"
    assert not stays["is_downgraded"]
    assert "would be passed" in stays["warnings"][0]


def test_an_unknown_price_is_not_free(priced: Door) -> None:
    limited(priced, "0.05")
    found = routed(priced, model="gpt-9")
    assert chosen(found) == "openai/dull"  # nothing is known to compare, so the cheapest that fits
    assert found["tried"][0]["decision"] == "unpriced"

    body = {"provider": "nobody", "model": "x", **SIZE}
    problem(priced.http.post("/api/v1/route", json=body), 422, "unknown_price")
    named = routed(priced, model="gpt-9", candidates=["gpt-10", "far"])
    assert chosen(named) == "openai/far"
    assert [one["decision"] for one in named["tried"]] == ["unpriced", "unpriced", "warn"]


def test_without_a_cost_limit_an_unknown_price_is_said(priced: Door) -> None:
    found = routed(priced, model="gpt-9")

    assert chosen(found) == "openai/gpt-9"
    assert found["warnings"] == [
        "No price of openai/gpt-9 is known, so nobody can say what it costs."
    ]
    assert found["estimated_cost"] is None


def test_labels_decide_which_limits_count(priced: Door) -> None:
    limited(priced, "0.05", scope={"team": "a"})

    assert chosen(routed(priced, labels={"team": "a"})) == "openai/far"
    assert chosen(routed(priced, labels={"team": "b"})) == "openai/big"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"input_tokens": -1}, "input_tokens"),
        ({"needs": ["wings"]}, "needs"),
        ({"providers": ["nobody"]}, "providers"),
        ({"candidates": ["x"] * 65}, "candidates"),
        ({"labels": {"": "x"}}, "labels"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(
    priced: Door, fields: dict[str, Any], field: str
) -> None:
    limited(priced, "0.05")
    body = {"provider": "openai", "model": "big", **SIZE, **fields}
    answer = priced.http.post("/api/v1/route", json=body)

    assert answer.status_code == 422, answer.text
    assert field in answer.text
