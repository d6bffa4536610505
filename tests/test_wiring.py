"""A service is opened from settings alone, works in the background, and closes in order."""

import time
from decimal import Decimal

import pytest

from tekton_budget.domain.answer import Grant
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.errors import Unavailable
from tekton_budget.service.asking.asks import Ask
from tekton_budget.settings import load_settings
from tekton_budget.wiring import open_service


def test_holds_past_their_time_come_back_without_anyone_asking(store_url: str) -> None:
    settings = load_settings(database_url=store_url, expire_seconds=0.05, relay_seconds=0.05)
    with open_service(settings) as running:
        running.service.policies.create_policy(LOCAL, {"limit": "1usd/day", "name": "daily"})
        held = running.service.ledger.allocate(
            LOCAL, Ask(cost=Decimal(1), lifetime_seconds=1)
        ).result()
        assert isinstance(held, Grant)
        give_up = time.monotonic() + 20
        status = "active"
        while status == "active" and time.monotonic() < give_up:
            status = running.service.lists.allocation(LOCAL, held.allocation_id).status
            time.sleep(0.05)

    assert status == "expired"


def test_what_was_closed_takes_no_more(sqlite_url: str) -> None:
    running = open_service(load_settings(database_url=sqlite_url))
    ticket = running.service.ledger.allocate(LOCAL, Ask(cost=Decimal(1)))
    running.close()

    assert isinstance(ticket.result(), Grant)
    with pytest.raises(Unavailable):
        running.service.ledger.allocate(LOCAL, Ask(cost=Decimal(1)))


def test_what_was_answered_is_there_after_a_restart(store_url: str) -> None:
    settings = load_settings(database_url=store_url)
    with open_service(settings, background=False) as running:
        running.service.policies.create_policy(LOCAL, {"limit": "1usd/day"})
        first = running.service.ledger.allocate(
            LOCAL, Ask(cost=Decimal("0.6")), allocation_id="a"
        ).result()
    with open_service(settings, background=False) as running:
        again = running.service.ledger.allocate(
            LOCAL, Ask(cost=Decimal("0.6")), allocation_id="a"
        ).result()
        other = running.service.ledger.allocate(LOCAL, Ask(cost=Decimal("0.6"))).result()

    assert again == first
    assert not isinstance(other, Grant)
