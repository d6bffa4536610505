"""Events over HTTP: their words, pages that go on, and a hub that everybody in a process shares."""

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from tests.frontends.api_read.conftest import Served

from tekton_budget import AsyncClient
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import BudgetError, Conflict, Unauthenticated
from tekton_budget.frontends.http import following
from tekton_budget.frontends.http.following import Follow, Hub
from tekton_budget.service.asking.asks import Ask
from tekton_budget.storage.housekeeping import unnumbered_count

SECONDS = 20


def spend(server: Served, usd: str = "0.10", caller: Caller = LOCAL, **labels: str) -> str:
    ledger = server.running.service.ledger
    return ledger.allocate(caller, Ask(cost=Decimal(usd), labels=labels)).result().allocation_id


def numbered(server: Served) -> int:
    """The last position, once everything has one."""
    give_up_at = time.monotonic() + SECONDS
    while unnumbered_count(server.running.reader) and time.monotonic() < give_up_at:
        time.sleep(0.02)
    return server.running.service.following.last_position()


def test_events_in_the_words_of_the_api(server: Served) -> None:
    server.limit("1usd/day", name="daily", thresholds=[0.5])
    id_ = spend(server, "0.60")
    numbered(server)
    answer = server.http.get("/api/v1/events", params={"limit": 10}).json()
    made, crossed = answer["items"][-2:]

    assert [one["type"] for one in answer["items"]] == [
        "policy.created",
        "policy.activated",
        "allocation.created",
        "threshold.crossed",
    ]
    assert (made["subject_id"], made["payload"]["granted"]["cost"]) == (id_, 0.6)
    assert made["payload"]["expires_at"].endswith("+00:00")
    assert crossed["payload"]["threshold"] == 0.5
    assert crossed["payload"]["allowance"] == {"tokens": None, "cost": 1, "requests": None}
    assert (answer["next"], answer["last"], answer["more"]) == (4, 4, False)


def test_a_client_goes_on_where_it_stopped(quick: Served) -> None:
    spend(quick)
    numbered(quick)
    first = quick.http.get("/api/v1/events").json()
    spend(quick)
    numbered(quick)
    second = quick.http.get("/api/v1/events", params={"after": first["next"]}).json()
    ahead = quick.http.get("/api/v1/events", params={"after": 99})
    unknown = quick.http.get("/api/events", params={"type": "allocation.created,lost"})

    assert len(first["items"]) == len(second["items"]) == 1
    assert second["items"][0]["position"] == first["next"] + 1
    assert (ahead.status_code, unknown.status_code) == (422, 422)


def test_the_face_reads_them(quick: Served) -> None:
    spend(quick)
    numbered(quick)

    async def read() -> Any:
        async with AsyncClient(quick.url) as budget:
            return await budget.events(0, types=["allocation.created"], limit=5)

    assert [one["type"] for one in asyncio.run(read())["items"]] == ["allocation.created"]


def hub_of(server: Served) -> Hub:
    return Hub(server.running.service.following, server.running.service.keys)


async def taken(follow: Follow, number: int) -> list[str]:
    """The subjects of the next events."""
    async with asyncio.timeout(SECONDS):
        return [(await anext(follow)).subject_id for _ in range(number)]


def follows(server: Served, story: Callable[[Hub], Any]) -> Any:
    async def told() -> Any:
        hub = hub_of(server)
        try:
            return await story(hub)
        finally:
            await hub.close()

    return asyncio.run(told())


def test_who_follows_gets_what_comes(server: Served) -> None:
    spend(server)

    async def story(hub: Hub) -> None:
        numbered(server)
        follow = hub.follow(LOCAL)
        await follow.begin()
        ids = [await asyncio.to_thread(spend, server) for _ in range(3)]

        assert await taken(follow, 3) == ids
        assert follow.position == server.running.service.following.last_position()

    follows(server, story)


def test_many_follow_at_the_cost_of_one(quick: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    service = quick.running.service.following
    stretch = type(service).stretch
    monkeypatch.setattr(
        type(service), "stretch", lambda *a, **k: (looks.append(1), stretch(*a, **k))[1]
    )

    async def story(hub: Hub) -> None:
        all_ = [hub.follow(LOCAL) for _ in range(50)]
        for one in all_:
            await one.begin()
        id_ = await asyncio.to_thread(spend, quick)

        assert await asyncio.gather(*(taken(one, 1) for one in all_)) == [[id_]] * 50
        assert len(looks) <= 2

    follows(quick, story)


def test_without_followers_nothing_is_asked(quick: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.01)

    async def story(hub: Hub) -> None:
        assert not hub.is_looking
        follow = hub.follow(LOCAL)
        await follow.begin()
        assert hub.is_looking
        del follow
        async with asyncio.timeout(SECONDS):
            while hub.is_looking:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        again = hub.follow(LOCAL)
        await again.begin()
        id_ = await asyncio.to_thread(spend, quick)
        assert await taken(again, 1) == [id_]

    follows(quick, story)


def test_resuming_misses_nothing_and_repeats_nothing(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces of the way are read from the store, others from memory, whoever writes meanwhile."""
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(following, "READ_MAX", 3)
    first = [spend(server) for _ in range(10)]

    async def story(hub: Hub) -> list[str]:
        seen: list[str] = []
        many = lambda: [spend(server) for _ in range(30)]  # noqa: E731
        writing = asyncio.get_running_loop().run_in_executor(None, many)
        place: int | None = 0
        while len(seen) < 40:
            follow = hub.follow(LOCAL, place)
            seen += await taken(follow, min(7, 40 - len(seen)))
            place = follow.position
        return [seen, first + await writing]

    seen, wanted = follows(server, story)
    assert seen == wanted


def test_a_team_follows_its_own_calls(quick: Served) -> None:
    team = Caller("ka", "a", Role.CLIENT, {"team": "a"})

    async def story(hub: Hub) -> None:
        hub._keys.caller_of = lambda *_: team  # type: ignore[method-assign]  # a key that is valid
        all_, own = hub.follow(LOCAL), hub.follow(team)
        await all_.begin()
        await own.begin()
        for name in ("b", "a", "b"):
            await asyncio.to_thread(spend, quick, team=name)
        own_id = await asyncio.to_thread(spend, quick, "0.10", team)
        await taken(all_, 4)
        got = await taken(own, 2)

        assert got[-1] == own_id

    follows(quick, story)


def test_whoever_joins_with_labels_later_gets_what_was_read_without_them(
    quick: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "KEYS_SECONDS", 1e9)
    team = Caller("ka", "a", Role.CLIENT, {"team": "a"})

    async def story(hub: Hub) -> None:
        all_ = hub.follow(LOCAL)
        start = await all_.begin()
        own_id = await asyncio.to_thread(spend, quick, "0.10", team)
        await taken(all_, 1)
        own = hub.follow(team, start)
        own._first = False  # as if its first look had been at what is kept in memory

        assert await taken(own, 1) == [own_id]

    follows(quick, story)


def test_a_key_that_is_revoked_follows_no_longer(
    quick: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(following, "KEYS_SECONDS", 0.0)
    keys = quick.running.service.keys
    secret = keys.create_key(LOCAL, "a").secret

    async def story(hub: Hub) -> None:
        follow = hub.follow(keys.authenticate(secret))
        await follow.begin()
        await asyncio.to_thread(keys.revoke_key, LOCAL, "a")
        with pytest.raises(Unauthenticated):
            await taken(follow, 1)

    follows(quick, story)


def test_a_place_that_was_pruned_or_never_was_is_refused(quick: Served) -> None:
    for _ in range(3):
        spend(quick)
    numbered(quick)
    with quick.running.store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM outbox WHERE position < 3")

    async def story(hub: Hub) -> None:
        with pytest.raises(Conflict, match="after=2"):
            await taken(hub.follow(LOCAL, 0), 1)
        with pytest.raises(BudgetError, match="another database"):
            await taken(hub.follow(LOCAL, 9), 1)
        with pytest.raises(BudgetError, match="no type of event"):
            hub.follow(LOCAL, types=("lost",))

    follows(quick, story)


def test_the_end_of_the_server_ends_who_follow(quick: Served) -> None:
    async def story(hub: Hub) -> list[str]:
        follow = hub.follow(LOCAL)
        await follow.begin()
        asyncio.get_running_loop().call_later(0.05, lambda: asyncio.ensure_future(hub.close()))
        async with asyncio.timeout(SECONDS):
            return [event.subject_id async for event in follow]

    assert follows(quick, story) == []
