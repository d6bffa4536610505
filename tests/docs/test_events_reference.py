"""The fields of events are those that the reference tells of: each event is made and looked at."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import docs_events
import pytest

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.event import EventType
from tekton_budget.frontends.http.events import to_api_payload
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service


@pytest.fixture(scope="module")
def payloads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Type → the fields its payloads had, after a service did all that it tells of."""
    file = tmp_path_factory.mktemp("events") / "budget.db"
    settings = load_settings(database_url=f"sqlite:///{file}")
    with open_service(settings) as running:
        _do_everything(running, file)
    seen: dict[str, set[str]] = defaultdict(set)
    for type_, payload in _outbox(file):
        seen[type_] |= set(to_api_payload(json.loads(payload)))
    return seen


def _do_everything(running: Running, file: Path) -> None:
    service, ledger = running.service, running.service.ledger
    service.prices.set_price(
        LOCAL, "openai", "gpt-5-mini", {"rates": {"input": "0.25", "output": "2"}}
    )
    service.prices.take_list(
        "1", '{"format":"price-list/1","version":"1","made":"2026-01-01","cards":[]}'
    )
    service.policies.create_budget(LOCAL, name="lab", scope={"team": "a"})
    service.policies.change_budget(LOCAL, "lab", {"owner": "ada"})
    policy = service.policies.create_policy(LOCAL, {"limit": "1usd/day", "name": "daily"}).policy
    service.policies.change_policy(LOCAL, "daily", {"thresholds": [0.5]})
    ledger.give_credit(LOCAL, policy.policy_id, Amounts(0, 10**9, 0)).result()
    for id_ in ("settled", "released", "extended"):
        ledger.allocate(LOCAL, Ask(cost=Decimal("0.10")), allocation_id=id_).result()
    for on_expiry in ("release", "charge"):
        ask = Ask(cost=Decimal("0.10"), on_expiry=on_expiry)
        ledger.allocate(LOCAL, ask, allocation_id=on_expiry).result()
    ledger.record(LOCAL, Used(cost=Decimal("0.01")), allocation_id="settled").result()
    ledger.settle(LOCAL, "settled", Used(cost=Decimal("0.20"))).result()
    ledger.release(LOCAL, "released").result()
    ledger.extend(LOCAL, "extended", 60, cost=Decimal("0.11")).result()
    _let_time_pass(file, "release", "charge")
    ledger.record(LOCAL, Used(cost=Decimal(2))).result()
    ledger.allocate(LOCAL, Ask(cost=Decimal("0.10"))).result()
    service.policies.end_policy(LOCAL, "daily")


def _let_time_pass(file: Path, *allocation_ids: str) -> None:
    """Their time is up; the next denial looks for such."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for id_ in allocation_ids:
            connection.execute("UPDATE allocations SET expires_us = 1 WHERE id = ?", (id_,))


def _outbox(file: Path) -> Iterator[tuple[str, str]]:
    with closing(sqlite3.connect(file)) as connection:
        yield from connection.execute("SELECT type, payload FROM outbox").fetchall()


@pytest.mark.parametrize("type_", EventType)
def test_an_event_has_the_fields_that_are_told(
    type_: EventType, payloads: dict[str, set[str]]
) -> None:
    assert payloads[type_] == set(docs_events.EVENTS[type_].payload)
