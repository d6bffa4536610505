"""Who may connect, by which key, from which page; and that nobody hears of another team's."""

import asyncio
import threading
import time
from collections.abc import Iterator
from weakref import WeakSet

import pytest
from tests.frontends.sockets.conftest import Port
from websockets.exceptions import InvalidStatus

from tekton_budget.domain.caller import LOCAL, Role
from tekton_budget.domain.errors import Unavailable
from tekton_budget.frontends.api.sockets import socket as sockets
from tekton_budget.frontends.http import auth, following


def key(port: Port, name: str, role: Role = Role.CLIENT, **labels: str) -> str:
    made = port.running.service.keys.create_key(LOCAL, name, role=role, labels=labels)
    port.app.api.state.doorkeeper.forget()
    return made.secret


def refused(port: Port, path: str = "/ws", **headers: str) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refusal:
        port.page(path, **headers)
    response = refusal.value.response
    assert response.headers["content-type"] == "application/problem+json"
    import json

    return response.status_code, json.loads(response.body)["code"]


def test_without_keys_this_machine_s_programs_and_configured_pages_only(quick: Port) -> None:
    quick.page()
    quick.page(Origin="http://localhost:8080")
    quick.page(Origin=quick.url)

    assert refused(quick, Origin="https://evil.example") == (403, "foreign_origin")
    assert refused(quick, Origin="null") == (403, "foreign_origin")
    assert refused(quick, X_Forwarded_For="10.0.0.1") == (403, "proxied")
    assert refused(quick, "/ws/elsewhere") == (404, "not_found")
    assert refused(quick, "/ws?after=x") == (422, "invalid")
    assert refused(quick, X_API_Key="tb_live_none") == (401, "key_invalid")


def test_a_key_in_a_header(quick: Port) -> None:
    secret = key(quick, "a")
    page = quick.page("/ws/budget/allocations", Authorization=f"Bearer {secret}")
    quick.http.headers["X-API-Key"] = secret
    quick.http.post("/api/v1/allocations", json={"cost": 1}).raise_for_status()

    assert page.pushed("allocation_update")


def test_a_key_in_a_message_and_nothing_before_it(quick: Port) -> None:
    secret = key(quick, "a")
    quick.http.headers["X-API-Key"] = secret
    page = quick.page("/ws/budget/allocations")
    quick.http.post("/api/v1/allocations", json={"cost": 1}).raise_for_status()
    assert page.nothing()
    assert page.asked("subscription", topic="budget_alerts")["payload"]["success"] is False
    assert page.asked("authentication", api_key="wrong")["payload"] == {"success": False}
    assert page.asked("authentication", api_key=5)["payload"] == {"success": False}
    assert page.asked("authentication", api_key=secret)["payload"] == {"success": True}
    quick.http.post(
        "/api/v1/allocations", json={"allocation_id": "later", "cost": 1}
    ).raise_for_status()

    assert page.pushed("allocation_update")["payload"]["allocation_id"] == "later"


def test_no_key_in_time(quick: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "AUTHENTICATE_SECONDS", 0.2)
    key(quick, "a")

    assert quick.page().closed() == (1008, "no key was shown in time")


@pytest.mark.parametrize("role", list(Role))
def test_a_team_hears_of_its_own_alone(quick: Port, role: Role) -> None:
    admin = key(quick, "root", Role.ADMIN)
    quick.http.headers["X-API-Key"] = admin
    for team in ("a", "b"):
        quick.http.post(
            "/api/v1/budgets",
            json={
                "name": f"lab of {team}",
                "scope": {"team": team},
                "policies": [{"limit": "1usd/day", "name": f"{team} daily", "thresholds": [0.5]}],
            },
        ).raise_for_status()
    page = quick.page("/ws", X_API_Key=key(quick, "a", role, team="a"))
    everything = quick.page("/ws", X_API_Key=admin)
    for team in ("b", "a", "b"):
        quick.http.post(
            "/api/v1/allocations",
            json={"allocation_id": f"call-{time.monotonic()}", "cost": "0.6", "team": team},
        )
    page.hear(lambda m: m["type"] == "alert")
    page.hear(lambda m: "summary" in m["payload"])
    everything.hear(lambda m: m["type"] == "alert" and m["payload"]["policy_name"] == "b daily")
    while not page.nothing(1.5):
        pass
    heard = str(page.seen)

    assert "a daily" in heard
    assert "'team': 'a'" in heard
    assert "b daily" not in heard
    assert "'team': 'b'" not in heard


def test_a_key_that_is_revoked_hears_no_more(quick: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "KEYS_SECONDS", 0.05)
    key(quick, "root", Role.ADMIN)
    page = quick.page(X_API_Key=key(quick, "a"))
    quick.running.service.keys.revoke_key(LOCAL, "a")

    code, reason = page.closed()
    assert code == 1008
    assert "no longer valid" in reason


def test_followers_are_looked_through_where_they_come_and_go(
    quick: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A set that another thread looks through while one more comes breaks that look."""
    came, looked = set(), []

    class Watched(WeakSet):
        def add(self, item: object) -> None:
            came.add(threading.get_ident())
            super().add(item)

        def __iter__(self) -> Iterator[object]:
            looked.append(threading.get_ident())
            return super().__iter__()

    monkeypatch.setattr(following, "KEYS_SECONDS", 0.01)
    quick.app.api.state.hub._follows = Watched()
    quick.page()
    give_up_at = time.monotonic() + 20
    while len(looked) < 3 and time.monotonic() < give_up_at:
        time.sleep(0.01)

    assert len(looked) >= 3
    assert set(looked) == came


def test_a_fault_at_the_first_look_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "AWAY_SECONDS", 0.0)
    faults = [ZeroDivisionError(), Unavailable("away")]

    class Log:
        def last_position(self) -> int:
            if faults:
                raise faults.pop()
            return 7

    assert asyncio.run(following.Hub(Log(), None)._tried_last()) == 7


def test_the_first_key_ends_those_who_came_without_one(
    quick: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(auth, "FRESH_SECONDS", 0.05)
    page = quick.page()
    key(quick, "root", Role.ADMIN)

    code, reason = page.closed()
    assert code == 1008
    assert "a key is needed" in reason


def test_another_key_takes_over_where_the_first_was(quick: Port) -> None:
    first, second = key(quick, "a", team="a"), key(quick, "b")
    page = quick.page("/ws/budget/allocations", X_API_Key=first)
    quick.http.headers["X-API-Key"] = second
    for id_, team in (("one", "a"), ("hidden", "b")):
        body = {"allocation_id": id_, "cost": 1, "team": team}
        quick.http.post("/api/v1/allocations", json=body).raise_for_status()
    page.pushed("allocation_update", allocation_id="one")
    assert page.nothing()
    page.asked("authentication", api_key=second)
    quick.http.post("/api/v1/allocations", json={"allocation_id": "two", "cost": 1})
    page.pushed("allocation_update", allocation_id="two")

    told = [m["payload"]["allocation_id"] for m in page.seen if m["type"] == "allocation_update"]
    assert told == ["one", "two"]
