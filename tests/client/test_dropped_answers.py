"""Answers that are lost after the work was done: nothing happens twice, and nothing is missed."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

import tekton_budget
from tekton_budget.domain.caller import LOCAL

PAIRS = 1000
COST = Decimal("0.000123456")


def spent_and_calls(served) -> tuple[Decimal, int, int]:
    found = served.running.service.standings.of_policy(LOCAL, "team=a monthly").items[0]
    return Decimal(found.spent.cost_nano).scaleb(-9), found.spent.requests, found.held.cost_nano


def allocations_of(served) -> int:
    with served.running.reader.snapshot() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM allocations").scalar_one()


def usage_of(served) -> int:
    with served.running.reader.snapshot() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM usage").scalar_one()


@pytest.mark.slow
def test_a_thousand_pairs_behind_a_proxy_that_loses_every_third_answer_spend_exactly(
    served, lossy
) -> None:
    with tekton_budget.open(served.url) as direct:
        direct.set_limit("100usd/month", scope={"team": "a"})

    with tekton_budget.Client(f"http://127.0.0.1:{lossy.port}", labels={"team": "a"}) as client:

        def pair(_: int) -> None:
            with client.allocate(cost=2 * COST) as hold:
                hold.settle(cost=COST)

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(pair, range(PAIRS)))

    assert lossy.lost > PAIRS / 2
    assert spent_and_calls(served) == (PAIRS * COST, PAIRS, 0)
    assert allocations_of(served) == PAIRS
    assert usage_of(served) == PAIRS


def test_tasks_lose_nothing_either(served, lossy) -> None:
    with tekton_budget.open(served.url) as direct:
        direct.set_limit("100usd/month", scope={"team": "a"})

    async def pairs() -> None:
        url = f"http://127.0.0.1:{lossy.port}"
        async with tekton_budget.AsyncClient(url, labels={"team": "a"}) as client:

            async def pair() -> None:
                async with client.allocate(cost=2 * COST) as hold:
                    await hold.settle(cost=COST)

            await asyncio.gather(*(pair() for _ in range(60)))

    asyncio.run(pairs())

    assert lossy.lost
    assert spent_and_calls(served) == (60 * COST, 60, 0)
    assert allocations_of(served) == 60


def test_what_people_change_is_changed_once(served) -> None:
    from .conftest import LossyProxy

    with tekton_budget.open(served.url) as direct:
        direct.set_limit("10usd/month", scope={"team": "a"})
    proxy = LossyProxy(served.port, lambda number: number % 2 == 1)
    try:
        with tekton_budget.Client(f"http://127.0.0.1:{proxy.port}") as client:
            client.credit("5usd", labels={"team": "a"})
            client.create_policy(limit="3usd/day", scope={"team": "b"})
            client.record(cost=COST, labels={"team": "a"})
    finally:
        proxy.close()

    with tekton_budget.open(served.url) as direct:
        names = [policy["name"] for policy in direct.policies()["items"]]
        assert names == ["team=a monthly", "team=b daily"]
        standing = direct.groups("team=a monthly")["items"][0]
        assert standing["credit"]["cost"] == 5
        assert standing["spent"]["cost"] == COST
    assert proxy.lost == 3
