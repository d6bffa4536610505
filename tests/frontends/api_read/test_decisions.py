"""Who was refused, who changed what, and whether the books are right, over HTTP."""

import sqlite3
from contextlib import closing
from typing import Any

import httpx
import pytest
from tests.frontends.api_read.conftest import Served

from tekton_budget.domain.caller import Role


def ask(http: httpx.Client, status: int = 201, **fields: Any) -> dict[str, Any]:
    answer = http.post("/api/v1/allocations", json=fields)
    assert answer.status_code == status, answer.text
    return answer.json()


def get(http: httpx.Client, path: str, status: int = 200, **query: Any) -> Any:
    answer = http.get(f"/api/v1{path}", params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_refusals_are_counted_by_policy_and_user(server: Served) -> None:
    server.limit("1usd/day", per=["user"], name="each")
    server.limit("0usd/day", shadow=True, name="only watched")
    for _ in range(3):
        ask(server.http, 402, user="alice", cost=2)
    ask(server.http, 402, user="bob", cost=2)
    ask(server.http, user="bob", cost=1)

    denied = get(server.http, "/decisions", decision="deny", by="policy,user")
    would = get(server.http, "/decisions", decision="would_deny", by="policy")

    assert denied["items"] == [
        {"values": {"policy": "each", "user": "alice"}, "count": 3},
        {"values": {"policy": "each", "user": "bob"}, "count": 1},
    ]
    assert denied["total"] == 4
    assert len(denied["samples"]) == 4
    assert denied["samples"][0]["labels"] == {"user": "bob"}
    assert denied["samples"][0]["detail"].startswith("Over budget")
    assert would["items"] == [{"values": {"policy": "only watched"}, "count": 1}]


def test_a_walk_over_samples_sees_each_once(quick: Served) -> None:
    quick.limit("0usd/day")
    ids = {ask(quick.http, 402, cost=1)["allocation_id"] for _ in range(7)}

    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = get(quick.http, "/decisions", limit=2, **after)
        seen += [one["allocation_id"] for one in page["samples"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}

    assert sorted(seen) == sorted(ids)


def test_decisions_of_another_time_or_policy_are_left_out(quick: Served) -> None:
    quick.limit("0usd/day", name="none")
    quick.limit("0usd/day", name="other", scope={"team": "b"})
    ask(quick.http, 402, cost=1)

    assert get(quick.http, "/decisions", to="2026-01-01")["total"] == 0
    assert get(quick.http, "/decisions", policy="other")["total"] == 0
    assert get(quick.http, "/decisions", policy="none")["total"] == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [({"decision": "maybe"}, 422), ({"policy": "nobody"}, 404), ({"from": "soon"}, 422)],
)
def test_decisions_that_mean_nothing_are_refused(
    quick: Served, query: dict[str, str], status: int
) -> None:
    get(quick.http, "/decisions", status, **query)


def test_changes_are_told_with_before_and_after(server: Served) -> None:
    admin = server.key("ada", Role.ADMIN)
    policy = admin.post("/api/v1/policies", json={"limit": "5usd/day"}).json()["policy_id"]
    admin.put(f"/api/v1/policies/{policy}", json={"cost_limit": 7}).raise_for_status()

    page = get(admin, "/audit", object_kind="policy")

    assert [(one["verb"], one["object_id"]) for one in page["items"]] == [
        ("change", policy),
        ("create", policy),
    ]
    last = page["items"][0]
    assert last["actor"] == "ada"
    assert last["before"]["limits"] != last["after"]["limits"]
    assert get(admin, "/audit", object_id="nobody")["items"] == []


def test_verification_finds_nothing_and_then_the_one_digit_that_was_changed(
    quick: Served,
) -> None:
    quick.limit("5usd/day")
    quick.http.post("/api/v1/usage/record", json={"cost": 1}).raise_for_status()

    good = quick.http.post("/api/v1/verify").json()
    with closing(sqlite3.connect(quick.running.store.path)) as store:
        store.execute("UPDATE balances SET spent_cost_nano = spent_cost_nano + 1")
        store.commit()
    bad = quick.http.post("/api/v1/verify").json()

    assert (good["ok"], good["count"]) == (True, 0)
    assert good["entries"] > 0
    assert bad["ok"] is False
    finding = next(one for one in bad["findings"] if one["column"] == "spent_cost_nano")
    assert (finding["table"], finding["difference"]) == ("balances", 1)


@pytest.mark.parametrize(
    ("role", "labels"), [(Role.OPERATOR, {}), (Role.CLIENT, {}), (Role.ADMIN, {"team": "a"})]
)
def test_verification_is_for_admins_of_everything(
    quick: Served, role: Role, labels: dict[str, str]
) -> None:
    assert quick.key("some", role, **labels).post("/api/v1/verify").status_code == 403
