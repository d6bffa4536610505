"""Allocations over HTTP: asked for, denied, retried, ended, found again."""

from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from tests.frontends.api.conftest import Door, all_rows, problem

PRICE = {"provider": "openai", "model": "gpt-5-mini", "input": 0.25, "output": 2}
ASK = {"team": "a", "model": "gpt-5-mini", "input_tokens": 900, "max_output_tokens": 500}


def test_an_ask_is_held_and_its_answer_has_the_original_s_fields(door: Door) -> None:
    door.post("/prices", PRICE)
    door.post("/policies", {"name": "day", "limit": "1usd/day", "scope": {"team": "a"}})
    made = door.post(
        "/allocations",
        {**ASK, "context_id": "c", "component": "x", "task_type": "t", "priority": 7},
    )

    assert made["status"] == "active"
    assert made["decision"] == "allow"
    assert made["granted"] == {"tokens": 1400, "cost": Decimal("0.001225"), "requests": 1}
    assert made["policies"] == [
        {
            "policy_id": door.get("/policies/day")["policy_id"],
            "name": "day",
            "group": "",
            "enforcement": "hard_limit",
            "remaining": {"tokens": None, "cost": Decimal("0.998775"), "requests": None},
            "resets_at": made["policies"][0]["resets_at"],
        }
    ]
    assert made["price"]["input_per_million"] == Decimal("0.25")
    assert made["price"]["input_cost_per_token"] == Decimal("0.00000025")
    original = {
        "context_id": "c",
        "component": "x",
        "task_type": "t",
        "priority": 7,
        "model": "gpt-5-mini",
        "tier": None,
        "tokens_allocated": 1400,
        "tokens_used": 0,
        "estimated_cost": Decimal("0.001225"),
        "actual_cost": 0,
        "is_active": True,
        "remaining_tokens": 1400,
        "usage_percentage": 0,
    }
    assert {name: made[name] for name in original} == original
    assert made["expiration_time"] == made["expires_at"] > made["creation_time"]


def test_settling_gives_the_rest_back(door: Door) -> None:
    door.post("/prices", PRICE)
    door.post("/policies", {"name": "day", "limit": "1usd/day"})
    id_ = door.post("/allocations", ASK)["allocation_id"]
    ended = door.post(f"/allocations/{id_}/settle", {"input_tokens": 900, "outputTokens": 100}, 200)
    found = door.get(f"/allocations/{id_}")

    assert ended["status"] == "settled"
    assert ended["cost"] == ended["actual_cost"] == Decimal("0.000425")
    assert ended["spent"] == {"tokens": 1000, "cost": Decimal("0.000425"), "requests": 1}
    assert ended["released"]["tokens"] == 400
    assert (found["status"], found["is_active"]) == ("settled", False)
    assert (found["input_tokens_used"], found["output_tokens_used"]) == (900, 100)
    assert found["actual_cost"] == Decimal("0.000425")
    assert (found["remaining_tokens"], found["usage_percentage"]) == (0, Decimal("0.714285"))


def test_labels_that_come_with_a_usage_are_shown_of_the_allocation(door: Door) -> None:
    made = door.post("/allocations", {"team": "a", "cost": 1})
    id_ = made["allocation_id"]
    door.post("/usage/record", {"allocation_id": id_, "cost": 0.25, "run": "r1"})
    door.post(f"/allocations/{id_}/settle", {"cost": 0.25, "context_id": "c"}, status=200)

    labels = {"team": "a", "run": "r1", "context_id": "c"}
    assert door.get(f"/allocations/{id_}")["labels"] == labels
    assert door.get("/allocations/context/c")["items"][0]["labels"] == labels


def test_release_and_extend(door: Door) -> None:
    door.post("/policies", {"limit": "5usd/day"})
    made = door.post("/allocations", {"cost": 1})
    id_ = made["allocation_id"]
    extended = door.post(f"/allocations/{id_}/extend", {"lifetime_seconds": 3600}, 200)
    released = door.post(f"/allocations/{id_}/release", None, 200)

    assert extended["status"] == "active"
    assert extended["expires_at"] > made["expires_at"]
    assert released["status"] == "released"
    assert released["message"] == f"Allocation {id_} has been released."
    assert released["released"]["cost"] == 1
    answer = door.http.post(f"/api/v1/allocations/{id_}/extend", json={"lifetime_seconds": 60})
    assert answer.status_code == 409


def test_over_budget_is_402_with_all_that_explains_it(door: Door) -> None:
    door.post("/policies", {"name": "day", "limit": "1usd/day", "scope": {"team": "a"}})
    door.post("/policies", {"name": "hour", "limit": "5usd/hour", "scope": {"team": "a"}})
    for _ in range(5):
        id_ = door.post("/allocations", {"team": "a", "cost": "0.18"})["allocation_id"]
        door.post(f"/allocations/{id_}/settle", {"cost": "0.18"}, 200)
    answer = door.http.post("/api/v1/allocations", json={"team": "a", "cost": "0.18"})
    told = problem(answer, 402, "over_budget")

    assert told["title"] == "Over budget"
    assert told["detail"].startswith('Over budget: this call may cost up to $0.18, but "day" has')
    assert told["decision"] == "deny"
    [passed] = told["policies"]
    assert passed["name"] == "day"
    assert passed["scope"] == {"team": "a"}
    assert passed["allowance"]["cost"] == 1
    assert passed["spent"]["cost"] == Decimal("0.9")
    assert passed["held"]["cost"] == 0
    assert passed["asked"]["cost"] == Decimal("0.18")
    assert passed["remaining"]["cost"] == Decimal("0.1")
    assert told["largest_fit"]["cost"] == Decimal("0.1")
    assert told["blocked_on"] == "spent"
    assert (told["retryable"], told["never_fits"]) == (True, False)
    retry_at = parsedate_to_datetime(answer.headers["retry-after"])
    assert retry_at.isoformat()[:16] == told["resets_at"][:16]


def test_a_denial_by_holds_of_others_says_to_come_back_soon(quick: Door) -> None:
    quick.post("/policies", {"limit": "1usd/day"})
    quick.post("/allocations", {"cost": 1})
    answer = quick.http.post("/api/v1/allocations", json={"cost": 1})

    assert problem(answer, 402, "over_budget")["blocked_on"] == "held"
    assert answer.headers["retry-after"].isdigit()


def test_a_denial_that_never_fits_says_nothing_of_coming_back(quick: Door) -> None:
    quick.post("/policies", {"limit": "1usd/day"})
    answer = quick.http.post("/api/v1/allocations", json={"cost": 2})

    assert problem(answer, 402, "over_budget")["never_fits"] is True
    assert "retry-after" not in answer.headers


def test_a_dry_run_answers_as_the_real_ask_and_changes_nothing(door: Door) -> None:
    door.post("/prices", PRICE)
    door.post("/policies", {"limit": "1usd/day", "per": ["user"]})
    door.post("/allocations", {**ASK, "user": "bob"})
    before = all_rows(door.running)
    granted = door.post("/allocations", {**ASK, "user": "new", "dry_run": True})
    denied = door.http.post("/api/v1/allocations", json={"cost": 2, "user": "b", "dryRun": True})
    after = all_rows(door.running)

    assert granted["dry_run"] is True
    assert granted["granted"]["tokens"] == 1400
    assert problem(denied, 402, "over_budget")["dry_run"] is True
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"outbox", "meta"}, "the relay numbers what it finds, and nothing else is new"
    assert len(after["outbox"]) == len(before["outbox"])
    real = door.post("/allocations", {**ASK, "user": "new"})
    assert real["granted"] == granted["granted"]


@pytest.mark.parametrize("how", ["header", "body", "both"])
def test_a_retry_gets_the_first_answer(door: Door, how: str) -> None:
    door.post("/policies", {"limit": "1usd/day"})
    body: dict[str, Any] = {"cost": "0.6"}
    headers = {"Idempotency_Key": "my:id-1"} if how != "body" else {}
    if how != "header":
        body["allocation_id"] = "my:id-1"
    first = door.post("/allocations", body, **headers)
    again = door.post("/allocations", body, **headers)
    other = door.http.post("/api/v1/allocations", json={"cost": 0.5, "allocation_id": "my:id-1"})

    assert again == first
    assert first["allocation_id"] == "my:id-1"
    assert problem(other, 409, "id_reused")["fields"] == [
        {"field": "cost", "message": "differs from the first request under this id"}
    ]


def test_two_ids_that_differ_are_refused(quick: Door) -> None:
    answer = quick.http.post(
        "/api/v1/allocations",
        json={"cost": 1, "allocation_id": "one"},
        headers={"Idempotency-Key": "two"},
    )

    assert problem(answer, 422, "two_ids")["fields"][0]["field"] == "allocation_id"


def test_a_settle_may_be_repeated_but_not_changed(door: Door) -> None:
    id_ = door.post("/allocations", {"cost": 1})["allocation_id"]
    first = door.post(f"/allocations/{id_}/settle", {"cost": "0.5"}, 200)
    again = door.post(f"/allocations/{id_}/settle", {"cost": "0.5"}, 200)
    other = door.http.post(f"/api/v1/allocations/{id_}/settle", json={"cost": "0.6"})

    assert again == first
    problem(other, 409, "already_settled")


@pytest.mark.parametrize(
    ("body", "labels"),
    [
        ({"team": "a"}, {"team": "a"}),
        ({"labels": {"team": "a", "own": "x"}}, {"team": "a", "own": "x"}),
        ({"team": "a", "labels": {"team": "a"}}, {"team": "a"}),
        ({"user_id": "u", "tier": None}, {"user": "u"}),
        ({"user": 42}, {"user": "42"}),
    ],
)
def test_labels_may_be_fields_or_stand_together(
    quick: Door, body: dict[str, Any], labels: dict[str, str]
) -> None:
    assert quick.post("/allocations", {"cost": 1, **body})["labels"] == labels


def test_a_label_told_in_two_ways_is_refused(quick: Door) -> None:
    answer = quick.http.post(
        "/api/v1/allocations", json={"cost": 1, "team": "a", "labels": {"team": "b"}}
    )

    assert problem(answer, 422, "invalid")["fields"][0]["field"] == "team"


def test_a_budget_may_be_named_by_id_or_name(door: Door) -> None:
    made = door.post("/budgets", {"name": "research", "policies": [{"limit": "1usd/day"}]})
    by_name = door.post("/allocations", {"cost": "0.1", "budget_id": "research"})
    by_id = door.post("/allocations", {"cost": "0.1", "budget_id": made["budget_id"]})
    unknown = door.http.post("/api/v1/allocations", json={"cost": 1, "budget_id": "nope"})

    assert by_name["budget_id"] == by_id["budget_id"] == made["budget_id"]
    assert len(by_name["policies"]) == 1
    problem(unknown, 404, "budget_not_found")
    listed = door.get("/budgets/research/allocations", is_active=True)
    assert len(listed["items"]) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"max_ouput_tokens": 5}, "max_ouput_tokens"),
        ({"input_tokens": -1, "cost": 1}, "input_tokens"),
        ({"cost": "x"}, "cost"),
        ({"cost": 1, "fit": "most"}, "fit"),
        ({"cost": 1, "on_expiry": "burn"}, "on_expiry"),
        ({"cost": 1, "priority": 11}, "priority"),
        ({"cost": 1, "lifetime_seconds": 0}, "lifetime_seconds"),
        ({"cost": 1, "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"cost": 1, "wait_seconds": 301}, "wait_seconds"),
        ({"cost": 1, "allocation_id": "a b"}, "allocation_id"),
        ({"cost": 1, "labels": {"": "x"}}, "labels."),
        ({"tokens": 1, "tokens_allocated": 2}, "tokens_allocated"),
        ({"cost": 1, "metadata": {"x": "y" * 20_000}}, "metadata"),
    ],
)
def test_a_faulty_field_is_named(quick: Door, body: dict[str, Any], field: str) -> None:
    answer = quick.http.post("/api/v1/allocations", json=body)

    assert answer.status_code == 422, answer.text
    assert any(one["field"].startswith(field) for one in answer.json()["fields"])


def test_an_ask_that_leaves_open_what_it_may_use_names_the_policy(quick: Door) -> None:
    quick.post("/policies", {"name": "day", "limit": "1usd/day"})
    answer = quick.http.post("/api/v1/allocations", json={"team": "a"})

    assert '"day"' in problem(answer, 422, "amount_needed")["detail"]


def test_a_model_without_a_price_is_refused_where_cost_is_limited(quick: Door) -> None:
    quick.post("/policies", {"limit": "1usd/day"})
    answer = quick.http.post("/api/v1/allocations", json={"model": "nobody-knows", "tokens": 5})

    problem(answer, 422, "unknown_price")


def test_clamp_grants_what_fits(quick: Door) -> None:
    quick.post("/prices", PRICE)
    quick.post("/policies", {"limit": "0.001usd/day"})
    made = quick.post("/allocations", {**ASK, "fit": "clamp"})

    assert made["max_output_tokens"] == 387
    assert made["clamped_from"] == 500


def test_what_is_kept_for_the_end_is_told(quick: Door) -> None:
    quick.post("/policies", {"limit": "10usd/day", "name": "purse", "landing": "10%"})
    first = quick.post("/allocations", {"cost": 9})
    denied = problem(quick.http.post("/api/v1/allocations", json={"cost": 1}), 402, "over_budget")
    opened = quick.post("/allocations", {"cost": 1, "landing": "auto"})
    (balance,) = quick.get("/status")["policies"]

    assert "landing" not in first
    assert (
        "$0.00 of $10.00 left ($0.00 spent, $9.00 held by 1 call, $1.00 kept for the end)"
        in denied["detail"]
    )
    (passed,) = denied["policies"]
    assert (passed["allowance"]["cost"], passed["remaining"]["cost"]) == (10, 0)
    assert passed["landing"] == {"tokens": 0, "cost": 1, "requests": 0}
    assert opened["landing"] is True
    assert balance["landing"] == {"tokens": 0, "cost": 1, "requests": 0}
    assert balance["remaining"]["cost"] == 0


def test_an_ask_waits_until_it_fits(quick: Door) -> None:
    quick.post("/policies", {"limit": "1usd/day"})
    holding = quick.post("/allocations", {"cost": 1})["allocation_id"]
    with quick.http.stream("GET", "/health"):
        pass
    answers: list[int] = []
    import threading

    waiting = threading.Thread(
        target=lambda: answers.append(
            quick.http.post("/api/v1/allocations", json={"cost": 1, "wait_seconds": 30}).status_code
        )
    )
    waiting.start()
    quick.post(f"/allocations/{holding}/release", None, 200)
    waiting.join(30)

    assert answers == [201]


def test_lists_walk_without_gaps_or_repeats(door: Door) -> None:
    made = [
        door.post("/allocations", {"cost": 1, "context_id": "c", "team": "a"})["allocation_id"]
        for _ in range(7)
    ]
    door.post("/allocations", {"cost": 1, "team": "b"})
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = door.get("/allocations/context/c", limit=3, **after)
        found += [one["allocation_id"] for one in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    numbered = [
        one["allocation_id"]
        for number in (1, 2, 3)
        for one in door.get("/allocations", team="a", limit=3, page=number)["items"]
    ]

    assert found == made[::-1]
    assert numbered == made[::-1]
    assert len(door.get("/allocations")["items"]) == 8


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 1001}, {"page": 0}, {"after": "nonsense"}, {"limit": "x"}]
)
def test_pages_have_bounds(quick: Door, query: dict[str, Any]) -> None:
    answer = quick.http.get("/api/v1/allocations", params=query)

    assert problem(answer, 422, "invalid")["fields"][0]["field"] in query


def test_unknown_ids_are_404(quick: Door) -> None:
    for verb in ("settle", "release"):
        answer = quick.http.post(f"/api/v1/allocations/nope/{verb}", json={})
        problem(answer, 404, "allocation_not_found")
    problem(quick.http.get("/api/v1/allocations/nope"), 404, "allocation_not_found")


def test_everything_is_there_without_a_version_too(quick: Door) -> None:
    made = quick.http.post("/api/allocations", json={"cost": 1})
    id_ = made.json()["allocation_id"]

    assert made.status_code == 201
    assert quick.http.get(f"/api/allocations/{id_}").status_code == 200
    assert quick.http.post(f"/api/allocations/{id_}/settle", json={}).status_code == 200
    assert quick.http.get("/api/budgets").status_code == 200
    assert not [
        path
        for path in quick.http.get("/api/v1/openapi.json").json()["paths"]
        if path.startswith("/api/") and not path.startswith("/api/v1/")
    ]


def test_an_ask_may_state_all_that_can_be_billed(door: Door) -> None:
    card = {"provider": "anthropic", "model": "claude", "rates": {
        "input": "3", "output": "15", "cache_write_5m": "3.75"}, "fees": {"web_search": "0.01"}}  # fmt: skip
    door.post("/prices", card)
    door.post("/policies", {"name": "day", "limit": "1usd/day"})
    ask = {"model": "claude", "input_tokens": 1000, "max_output_tokens": 100}
    made = door.post("/allocations", {**ask, "units": {"webSearch": 2}, "cacheWrite": "5m"})
    batch = {"commands": [{"do": "allocate", **ask, "context": {"web_searches": 2}}]}
    (one,) = door.post("/batch", batch, 200)["results"]
    tier = door.post("/allocations", {**ask, "context": {"service_tier": "flex"}}, 422)
    image = door.post("/allocations", {**ask, "units": {"image": 1}}, 422)

    assert made["granted"]["cost"] == Decimal("0.02525")
    assert one["body"]["granted"]["cost"] == Decimal("0.0245")
    assert (tier["code"], tier["fields"][0]["field"]) == ("unknown_price", "context.service_tier")
    assert (image["code"], image["fields"][0]["field"]) == ("unknown_price", "units.image")
    assert image["unit"] == "image"


def test_an_allocation_grows_where_there_is_room(door: Door) -> None:
    door.post("/prices", PRICE)
    door.post("/policies", {"name": "day", "limit": "0.01usd/day", "scope": {"team": "a"}})
    path = f"/allocations/{door.post('/allocations', ASK)['allocation_id']}/extend"
    grown = door.post(path, {"maxOutputTokens": 1000}, 200)
    denied = door.http.post(f"/api/v1{path}", json={"max_output_tokens": 9000})
    told = problem(denied, 402, "over_budget")
    clamped = door.post(path, {"max_output_tokens": 9000, "fit": "clamp", "min_grant": 9}, 200)
    less = door.post(path, {"max_output_tokens": 900}, 422)
    nothing = door.post(path, {}, 422)
    again = {"do": "extend", "allocation_id": grown["allocation_id"], "max_output_tokens": 9000}
    (batch,) = door.post("/batch", {"commands": [again]}, 200)["results"]

    assert grown["granted"] == {"tokens": 1900, "cost": Decimal("0.002225"), "requests": 1}
    assert (grown["max_output_tokens"], grown["status"]) == (1000, "active")
    assert grown["policies"][0]["remaining"]["cost"] == Decimal("0.007775")
    assert told["policies"][0]["asked"]["cost"] == Decimal("0.018225")
    assert told["largest_fit"]["max_output_tokens"] == 4887
    assert told["instance"] == f"/api/v1{path}"
    assert clamped["max_output_tokens"] == 4887
    assert less["fields"][0]["field"] == "max_output_tokens"
    assert nothing["fields"][0]["field"] == "lifetime_seconds"
    assert batch["status"] == 402
    shown = door.get(f"/allocations/{grown['allocation_id']}")
    assert (shown["max_output_tokens"], shown["granted"]["tokens"]) == (4887, 5787)
