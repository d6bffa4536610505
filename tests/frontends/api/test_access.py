"""Who gets in: loopback without keys, keys with roles and labels, and nobody else."""

from typing import Any

import httpx
import pytest
from tests.frontends.api.conftest import Door, problem

from tekton_budget.domain.caller import Role

BODY = {"cost": 1}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"host": "evil.example"}, "foreign_host"),
        ({"host": "evil.example:8013"}, "foreign_host"),
        ({"host": "127.0.0.1.evil.example"}, "foreign_host"),
        ({"forwarded": "for=1.2.3.4"}, "proxied"),
        ({"x-forwarded-for": "1.2.3.4"}, "proxied"),
        ({"x-forwarded-host": "localhost"}, "proxied"),
        ({"via": "1.1 proxy"}, "proxied"),
        ({"origin": "https://evil.example"}, "foreign_origin"),
        ({"origin": "null"}, "foreign_origin"),
    ],
)
def test_without_keys_only_this_machine_itself_is_served(
    quick: Door, headers: dict[str, str], code: str
) -> None:
    answer = quick.http.post("/api/v1/allocations", json=BODY, headers=headers)

    problem(answer, 403, code)
    assert quick.get("/allocations")["items"] == []


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost:8013"},
        {"host": "LOCALHOST"},
        {"host": "[::1]:8013"},
        {"origin": "http://localhost:8080"},
    ],
)
def test_this_machine_has_several_names(quick: Door, headers: dict[str, str]) -> None:
    assert quick.http.post("/api/v1/allocations", json=BODY, headers=headers).status_code == 201


def test_a_page_of_another_site_may_not_write_but_cannot_read_either(quick: Door) -> None:
    answer = quick.http.get("/api/v1/allocations", headers={"origin": "https://evil.example"})

    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


def test_text_that_pretends_to_be_a_form_is_not_read(quick: Door) -> None:
    answer = quick.http.post(
        "/api/v1/policies", content=b'{"limit":"1usd"}', headers={"content-type": "text/plain"}
    )

    problem(answer, 415, "json_needed")


def test_once_there_is_a_key_one_is_needed(door: Door) -> None:
    made = door.post("/keys", {"name": "k", "role": "admin"})
    without = door.http.get("/api/v1/budgets")
    wrong = door.http.get("/api/v1/budgets", headers={"x-api-key": "tb_live_wrong"})
    basic = door.http.get("/api/v1/budgets", headers={"authorization": "Basic eDp5"})

    problem(without, 401, "key_needed")
    assert without.headers["www-authenticate"] == "Bearer"
    problem(wrong, 401, "key_invalid")
    problem(basic, 401, "key_needed")
    for headers in (
        {"x-api-key": made["key"]},
        {"authorization": f"Bearer {made['key']}"},
        {"authorization": f"bearer {made['key']}"},
    ):
        assert door.http.get("/api/v1/budgets", headers=headers).status_code == 200
    assert door.http.get("/health").status_code == 200
    assert door.http.get("/api/v1/openapi.json").status_code == 200
    assert door.http.get("/api/v1/nope").status_code == 401


def test_with_a_key_a_proxy_may_stand_between(door: Door) -> None:
    client = door.served.key("k")
    headers = {"x-forwarded-for": "1.2.3.4", "host": "budget.example"}

    assert client.post("/api/v1/allocations", json=BODY, headers=headers).status_code == 201


WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/policies", {"limit": "1usd/day"}),
    ("PUT", "/policies", {"limit": "1usd/day"}),
    ("PUT", "/policies/p", {"cost_limit": 5}),
    ("DELETE", "/policies/p", {}),
    ("PUT", "/policies/p/groups", {"x": None}),
    ("POST", "/policies/p/credit", {"cost": 1}),
    ("POST", "/credit", {"cost": 1, "policy": "p"}),
    ("POST", "/budgets", {"name": "b"}),
    ("PUT", "/budgets/default", {"owner": "x"}),
    ("DELETE", "/budgets/default", {}),
    ("POST", "/prices", {"provider": "o", "model": "m", "input": 1, "output": 1}),
    ("POST", "/prices/load", {"cards": [{"provider": "o", "model": "m", "rates": {"input": 1}}]}),
    ("POST", "/prices/contracts", {"provider": "o", "factor": 0.5}),
    ("POST", "/prices/names", {"name": "x", "to_provider": "o", "to_model": "m"}),
    ("POST", "/prices/tiers", {"model": "m", "tier": None}),
    ("POST", "/keys", {"name": "x"}),
    ("GET", "/keys", {}),
    ("POST", "/keys/x/rotate", {}),
    ("DELETE", "/keys/x", {}),
]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.CLIENT])
def test_those_who_spend_or_look_change_nothing(quick: Door, role: Role) -> None:
    quick.post("/policies", {"name": "p", "limit": "5usd/day"})
    client = quick.served.key("k", role)

    for method, path, body in WRITES:
        answer = client.request(method, f"/api/v1{path}", json=body)
        problem(answer, 403, "role_needed")


def test_a_viewer_reads_and_does_not_spend(quick: Door) -> None:
    client = quick.served.key("k", Role.VIEWER)
    quick.served.key("other")

    assert client.get("/api/v1/allocations").status_code == 200
    for path, body in (
        ("/allocations", BODY),
        ("/allocations/x/settle", {}),
        ("/allocations/x/release", {}),
        ("/allocations/x/extend", {"lifetime_seconds": 5}),
        ("/usage/record", {"cost": 1}),
    ):
        problem(client.post(f"/api/v1{path}", json=body), 403, "role_needed")
    batch = client.post("/api/v1/batch", json={"commands": [{"do": "allocate", "cost": 1}]})
    assert batch.json()["results"][0]["status"] == 403


def test_an_operator_changes_limits_but_makes_no_keys(quick: Door) -> None:
    client = quick.served.key("k", Role.OPERATOR)

    assert client.post("/api/v1/policies", json={"limit": "1usd/day"}).status_code == 201
    problem(client.post("/api/v1/keys", json={"name": "x"}), 403, "role_needed")


def test_a_key_of_another_team_finds_nothing_of_this_one(door: Door) -> None:
    operator = door.served.key("op", Role.OPERATOR, team="a")
    spender = door.served.key("spend", Role.CLIENT, team="a")
    other = door.served.key("other", Role.OPERATOR, team="b")
    other_spender = door.served.key("other-spend", Role.CLIENT, team="b")

    def made(client: httpx.Client, path: str, body: dict[str, Any]) -> Any:
        answer = client.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    policy = made(operator, "/policies", {"name": "pa", "limit": "5usd/day"})["policy_id"]
    budget = made(operator, "/budgets", {"name": "ba", "scope": {"team": "a"}})["budget_id"]
    held = made(spender, "/allocations", {"cost": 1})["allocation_id"]

    for named in (policy, "pa"):
        for method, path, body in (
            ("GET", f"/policies/{named}", None),
            ("GET", f"/policies/{named}/groups", None),
            ("PUT", f"/policies/{named}", {"cost_limit": 1}),
            ("PUT", f"/policies/{named}/groups", {"": None}),
            ("POST", f"/policies/{named}/credit", {"cost": 1}),
            ("DELETE", f"/policies/{named}", None),
        ):
            answer = other.request(method, f"/api/v1{path}", json=body)
            problem(answer, 404, "policy_not_found")
    for named in (budget, "ba"):
        for method, path, body in (
            ("GET", f"/budgets/{named}", None),
            ("GET", f"/budgets/{named}/policies", None),
            ("GET", f"/budgets/{named}/allocations", None),
            ("GET", f"/budgets/{named}/balances", None),
            ("GET", f"/budgets/{named}/summary", None),
            ("PUT", f"/budgets/{named}", {"owner": "x"}),
            ("DELETE", f"/budgets/{named}", None),
        ):
            answer = other.request(method, f"/api/v1{path}", json=body)
            problem(answer, 404, "budget_not_found")
    for method, path, body in (
        ("GET", f"/allocations/{held}", None),
        ("POST", f"/allocations/{held}/settle", {"cost": 1}),
        ("POST", f"/allocations/{held}/release", {}),
        ("POST", f"/allocations/{held}/extend", {"lifetime_seconds": 9}),
    ):
        answer = other_spender.request(method, f"/api/v1{path}", json=body)
        problem(answer, 404, "allocation_not_found")
    for path in ("/policies", "/budgets", "/allocations", "/allocations?team=a"):
        items = other.get(f"/api/v1{path}").json()["items"]
        assert not [one for one in items if one.get("name") in ("pa", "ba") or one.get("labels")]
    outside = other.post("/api/v1/policies", json={"limit": "1usd", "scope": {"team": "a"}})
    problem(outside, 403, "outside_scope")


def test_two_keys_may_use_the_same_id(door: Door) -> None:
    one, two = door.served.key("one"), door.served.key("two")
    first = one.post("/api/v1/allocations", json={"cost": 1, "allocation_id": "x"})
    second = two.post("/api/v1/allocations", json={"cost": 2, "allocation_id": "x"})

    assert (first.status_code, second.status_code) == (201, 201)
    assert two.get("/api/v1/allocations/x").json()["granted"]["cost"] == 2
