"""Children over HTTP: made by either route, shown, denied, and ended with their parents."""

from decimal import Decimal

import pytest
from tests.frontends.api.conftest import Door

MANY = {"cost": 2, "requests": 9, "allocation_id": "plan", "team": "a", "lifetime_seconds": 600}


@pytest.fixture
def family(door: Door) -> Door:
    door.post("/policies", {"name": "day", "limit": "10usd/day", "scope": {"team": "a"}})
    door.post("/allocations", MANY)
    return door


def test_a_child_is_asked_for_by_either_route(family: Door) -> None:
    by_field = family.post(
        "/allocations", {"parentId": "plan", "cost": 0.5, "agent": "scout", "allocation_id": "one"}
    )
    by_path = family.post("/allocations/plan/children", {"cost": 0.25, "expires_at": None})
    again = family.post(
        "/allocations/plan/children",
        {"cost": 0.5, "agent": "scout"},
        201,
        **{"idempotency-key": "one"},
    )

    assert again == by_field
    assert by_field["parent_id"] == by_path["parent_id"] == "plan"
    assert by_field["labels"] == {"team": "a", "agent": "scout"}
    assert by_field["reasons"] == ["it ends with its parent, allocation plan"]
    assert by_field["policies"][0]["remaining"]["cost"] == 8
    shown = family.get("/allocations/plan")
    assert shown["parent_id"] is None
    assert shown["children"] == {
        "made": 2,
        "active": 2,
        "lent": {"tokens": 0, "cost": Decimal("0.75"), "requests": 2},
        "spent": {"tokens": 0, "cost": 0, "requests": 0},
    }
    assert family.get("/allocations/one")["parent_id"] == "plan"
    listed = family.get("/allocations", parent_id="plan")
    assert [one["allocation_id"] for one in listed["items"]] == [by_path["allocation_id"], "one"]
    assert family.get("/allocations", parent_id="one", limit=1)["items"] == []


def test_two_parents_are_one_too_many(family: Door) -> None:
    refused = family.post("/allocations/plan/children", {"cost": 1, "parent_id": "other"}, 422)

    assert refused["fields"][0]["field"] == "parent_id"


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"parent_id": "nobody", "cost": 1}, 404, "allocation_not_found", None),
        ({"parent_id": "plan", "cost": 1, "team": "b"}, 422, "label_fixed", "labels.team"),
        ({"parent_id": "plan"}, 422, "amount_needed", "cost"),
        ({"parent_id": "a b", "cost": 1}, 422, "invalid", "parent_id"),
        ({"parent_id": 7, "cost": 1}, 422, "invalid", "parent_id"),
    ],
)
def test_what_cannot_be_a_child_says_why(family: Door, body, status, code, field) -> None:
    refused = family.post("/allocations", body, status)

    assert refused["code"] == code
    assert field is None or refused["fields"][0]["field"] == field


def test_a_denial_names_the_parent(family: Door) -> None:
    denied = family.post("/allocations/plan/children", {"cost": 3}, 402)

    assert denied["policies"] == [
        {
            "allocation_id": "plan",
            "policy_id": "",
            "name": "allocation plan",
            "scope": None,
            "group": "",
            "enforcement": "hard_limit",
            "allowance": {"tokens": None, "cost": 2, "requests": None},
            "spent": {"tokens": 0, "cost": 0, "requests": 0},
            "held": {"tokens": 0, "cost": 0, "requests": 0},
            "asked": {"tokens": 0, "cost": 3, "requests": 1},
            "remaining": {"tokens": None, "cost": 2, "requests": None},
            "resets_at": None,
            "landing": {"tokens": 0, "cost": 0, "requests": 0},
        }
    ]
    assert denied["largest_fit"]["cost"] == 2


def test_a_parent_ends_with_its_children_only_where_that_is_said(family: Door) -> None:
    family.post("/allocations/plan/children", {"cost": 0.5, "allocation_id": "one"})
    refused = family.post("/allocations/plan/settle", {"cost": 0.1}, 409)
    assert (refused["code"], refused["children"]) == ("children_active", 1)
    assert family.post("/allocations/plan/release", None, 409)["code"] == "children_active"

    ended = family.post("/allocations/plan/settle", {"cost": 0.1, "cascade": True}, 200)
    assert ended["released"]["cost"] == Decimal("1.9")
    assert family.get("/allocations/one")["status"] == "expired"
    gone = family.post("/allocations/plan/children", {"cost": 0.5}, 409)
    assert (gone["code"], gone["status"]) == ("parent_ended", 409)


def test_a_parent_is_released_with_its_children(family: Door) -> None:
    family.post("/allocations/plan/children", {"cost": 0.5, "allocation_id": "one"})
    family.post("/allocations/one/children", {"cost": 0.2, "allocation_id": "two"})
    results = family.post(
        "/batch",
        {
            "commands": [
                {"do": "settle", "allocation_id": "two", "cost": 0.1},
                {"do": "allocate", "parent_id": "one", "cost": 0.3},
                {"do": "release", "allocation_id": "plan", "cascade": True},
            ]
        },
        200,
    )["results"]

    assert [one["status"] for one in results] == [200, 201, 200]
    assert family.get("/allocations/one")["children"]["spent"]["cost"] == Decimal("0.1")
    assert family.get("/policies/day")["name"] == "day"
    assert family.post("/allocations", {"team": "a", "cost": "9.9"})["decision"] == "warn"
    again = family.post("/allocations/plan/release", {"cascade": True}, 200)
    assert again["status"] == "released"


def test_a_key_needs_not_say_what_the_parent_says(family: Door) -> None:
    key = family.post("/keys", {"name": "bot", "role": "client", "requires": ["team"]})["key"]
    headers = {"authorization": f"Bearer {key}"}

    assert family.post("/allocations", {"cost": 1}, 422, **headers)["code"] == "label_missing"
    made = family.post("/allocations/plan/children", {"cost": 1}, 201, **headers)
    assert made["labels"] == {"team": "a", "key": "bot"}
