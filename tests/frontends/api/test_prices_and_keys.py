"""Prices and keys over HTTP."""

from decimal import Decimal
from typing import Any

import pytest
from tests.frontends.api.conftest import Door, all_rows, problem

PRICE = {"provider": "openai", "model": "gpt-5/mini", "input": 0.25, "output": 2}


def test_prices_are_set_read_and_remembered(door: Door) -> None:
    first = door.post(
        "/prices", {**PRICE, "valid_from": "2026-01-01T00:00:00Z", "cacheRead": 0.025}
    )
    second = door.post("/prices", {**PRICE, "input": "0.30"})
    current = door.post("/prices/current", {"provider": "openai", "model": "gpt-5/mini"}, 200)
    history = door.get("/prices/history/openai/gpt-5/mini")

    assert first["cache_read"] == Decimal("0.025")
    assert first["input_cost_per_token"] == Decimal("0.00000025")
    assert first["effective_date"] == "2026-01-01T00:00:00+00:00"
    assert current == {**second, "resolved_by": ["exact"]}
    assert [one["pricing_id"] for one in history] == [first["pricing_id"], second["pricing_id"]]
    assert door.get("/prices", provider="openai") == [{**second, "context_window_tokens": None}]
    assert door.get("/prices", model="other") == []
    then = {"model": "gpt-5/mini", "at": "2026-02-01T00:00:00Z"}
    assert door.post("/prices/current", then, 200)["pricing_id"] == first["pricing_id"]
    past = door.post("/prices/current", {**then, "known": "2026-02-01T00:00:00Z"}, 404)
    assert past["code"] == "price_not_found"  # not known then


def test_prices_may_be_said_per_token_as_the_original_does(quick: Door) -> None:
    made = quick.post(
        "/prices",
        b'{"provider":"o","model":"m","inputCostPerToken":0.00000025,"outputCostPerToken":2e-6}',
    )

    assert (made["input"], made["output"]) == (Decimal("0.25"), 2)


@pytest.mark.parametrize(
    "body",
    [
        {"provider": "o", "model": "m"},
        {"provider": "o", "model": "m", "input": 1, "input_cost_per_token": 1, "output": 1},
        {"provider": "", "model": "m", "input": 1, "output": 1},
        {"provider": "o", "model": "m", "input": -1, "output": 1},
        {"provider": "o", "model": "m", "input": 1, "output": 1, "request": 10**7},
        {"provider": "o", "model": "m", "input": 1, "output": 1, "request": -1},
    ],
)
def test_a_price_that_cannot_be_is_refused(quick: Door, body: dict[str, Any]) -> None:
    assert quick.http.post("/api/v1/prices", json=body).status_code == 422


def test_an_unknown_price_names_its_neighbours(quick: Door) -> None:
    quick.post("/prices", PRICE)
    answer = quick.http.post("/api/v1/prices/current", json={"model": "gpt-5/minni"})

    assert problem(answer, 404, "price_not_found")["suggestions"] == ["openai/gpt-5/mini"]


def test_keys_are_shown_once_listed_rotated_and_revoked(door: Door) -> None:
    admin = door.post("/keys", {"name": "root", "role": "admin"})
    auth = {"Authorization": f"Bearer {admin['key']}"}
    made = door.post(
        "/keys",
        {
            "name": "team-a",
            "labels": {"team": "a"},
            "requires": ["user"],
            "expires": "90d",
            "limit": "50usd/month",
        },
        **auth,
    )
    client = {"x-api-key": made["key"]}
    refused = door.http.post("/api/v1/allocations", json={"cost": 1}, headers=client)
    granted = door.http.post("/api/v1/allocations", json={"cost": 1, "user": "u"}, headers=client)
    rotated = door.post("/keys/team-a/rotate", {"overlap": "1h"}, **auth)
    listed = door.ask("GET", "/keys", None, 200, **auth)

    assert made["key"].startswith("tb_live_")
    assert made["prefix"] == made["key"][:12]
    assert made["expires_at"] > made["created_at"]
    problem(refused, 422, "label_missing")
    assert granted.json()["labels"] == {"team": "a", "user": "u", "key": "team-a"}
    assert granted.json()["policies"][0]["policy_id"] == made["policy_id"]
    assert len(listed["items"]) == 3
    assert made["key"] not in str(listed)
    stored = all_rows(door.running)
    assert made["key"] not in str(stored)
    for key in (made["key"], rotated["key"]):
        answer = door.http.get("/api/v1/allocations", headers={"x-api-key": key})
        assert answer.status_code == 200
    door.ask("POST", "/keys/team-a/revoke", None, 200, **auth)
    gone = door.http.get("/api/v1/allocations", headers={"x-api-key": rotated["key"]})
    problem(gone, 401, "key_invalid")
    assert door.ask("DELETE", "/keys/root", None, 200, **auth)["revoked_at"]


def test_a_secret_is_never_told_again(door: Door) -> None:
    body = {"name": "x", "role": "admin"}
    made = door.post("/keys", body, Idempotency_Key="k")
    again = door.http.post(
        "/api/v1/keys",
        json=body,
        headers={"Idempotency-Key": "k", "x-api-key": made["key"]},
    )

    # The key that asks now is another than the one without a key, so it is a new request of its own
    assert again.status_code == 409
    assert made["key"] not in again.text
    rotated = door.post("/keys/x/rotate", None, Idempotency_Key="r", X_API_Key=made["key"])
    retry = door.http.post(
        "/api/v1/keys/x/rotate", headers={"Idempotency-Key": "r", "x-api-key": made["key"]}
    )
    told = problem(retry, 409, "secret_shown_once")
    assert told["key_id"] == rotated["key_id"]
    assert rotated["key"] not in retry.text


def test_a_key_s_limit_is_that_of_its_name(door: Door) -> None:
    admin = {"X_API_Key": door.post("/keys", {"name": "root", "role": "admin"})["key"]}
    first = door.post("/keys", {"name": "k", "limit": "5usd/day"}, **admin)
    door.ask("DELETE", "/keys/k", None, 200, **admin)
    second = door.post("/keys", {"name": "k", "limit": "6usd/day"}, **admin)

    assert second["policy_id"] == first["policy_id"]
    policy = door.ask("GET", f"/policies/{first['policy_id']}", None, 200, **admin)
    assert policy["cost_limit"] == 6


def test_a_key_tells_what_its_calls_may_do_through_the_gateway(quick: Door) -> None:
    plain = quick.post("/keys", {"name": "root", "role": "admin"})
    admin = {"X_API_Key": plain["key"]}
    body = {"name": "app", "ladder": ["gpt-5", "gpt-5-mini"], "takesUser": True}
    made = quick.post("/keys", body, **admin)
    listed = quick.ask("GET", "/keys", None, 200, **admin)["items"]

    assert (plain["ladder"], plain["takes_user"]) == ([], False)
    assert (made["ladder"], made["takes_user"]) == (["gpt-5", "gpt-5-mini"], True)
    assert [(one["ladder"], one["takes_user"]) for one in listed] == [
        ([], False),
        (["gpt-5", "gpt-5-mini"], True),
    ]


def test_no_key_is_left_where_its_limit_cannot_be_set(quick: Door) -> None:
    for name in ("one", "two"):
        quick.post("/policies", {"name": name, "limit": "5usd/day", "scope": {"key": "k"}})
    answer = quick.http.post("/api/v1/keys", json={"name": "k", "limit": "5usd/day"})

    problem(answer, 409, "ambiguous")
    assert quick.running.service.keys.has_keys() is False


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x", "role": "king"},
        {"name": "x", "max_priority": 11},
        {"name": "x", "expires": "soon"},
        {"name": "x", "expires": "1d", "expires_in_seconds": 5},
        {"name": "x", "expires_in_seconds": 0},
        {"name": "x", "limit": "much"},
        {"name": "x", "labels": {"": "y"}},
        {"name": "x", "ladder": ["m", "m"]},
        {"name": "x", "takes_user": "yes"},
    ],
)
def test_a_key_that_cannot_be_is_refused_and_none_is_made(
    quick: Door, body: dict[str, Any]
) -> None:
    assert quick.http.post("/api/v1/keys", json=body).status_code == 422
    assert quick.get("/keys")["items"] == []
