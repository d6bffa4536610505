"""Tiers on a store: given as a call is made, kept with it, and what a limit by tier takes over."""

import json
from dataclasses import replace

import pytest

from tekton_budget.domain.answer import Denial
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.command import Allocate
from tekton_budget.domain.errors import Conflict
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.wiring import Running

HEAVY, MID = "remote_heavyweight", "local_midweight"
OPUS = {"provider": "anthropic", "model": "claude-3-opus"}
HAIKU = {"provider": "anthropic", "model": "claude-3-haiku"}


def labels_of(running: Running, id_: str) -> dict[str, str]:
    return dict(running.service.lists.allocation(LOCAL, id_).labels)


def limit(running: Running, limit: str = "1usd/day", **fields: object) -> None:
    running.service.policies.create_policy(LOCAL, {"limit": limit, "name": "p", **fields})


def spent(running: Running, group: str = "") -> tuple[int, int]:
    (view,) = running.service.standings.of_policy(LOCAL, "p", group=group).items
    return view.spent.cost_nano, view.held.cost_nano


def test_a_limit_by_tier_holds_whoever_forgets_the_label(running: Running) -> None:
    ledger = running.service.ledger
    limit(running, scope={"tier": HEAVY})
    granted = ledger.allocate(LOCAL, Ask(labels=OPUS, cost="0.9"), allocation_id="a").result()
    again = ledger.allocate(LOCAL, Ask(labels=OPUS, cost="0.9"), allocation_id="a").result()
    denied = ledger.allocate(LOCAL, Ask(labels=OPUS, cost="0.2")).result()
    other = ledger.allocate(LOCAL, Ask(labels=HAIKU, cost="9"), allocation_id="b").result()

    assert again == granted
    assert granted.tier == HEAVY
    assert isinstance(denied, Denial)
    assert (other.tier, other.policies) == (MID, ())
    assert labels_of(running, "a") == {**OPUS, "tier": HEAVY}
    with pytest.raises(Conflict, match="differs in: labels"):
        ledger.allocate(LOCAL, Ask(labels=HAIKU, cost="0.9"), allocation_id="a").result()
    ledger.settle(LOCAL, "a", Used(cost="0.5")).result()
    ledger.record(LOCAL, Used(cost="0.25"), labels=OPUS).result()
    assert spent(running) == (750_000_000, 0)
    assert not running.service.verifier.verify().findings


def test_the_retry_of_an_ask_gets_its_first_answer_whatever_the_table_says_since(
    running: Running,
) -> None:
    ledger = running.service.ledger
    first = ledger.allocate(LOCAL, Ask(labels=OPUS, cost="0.9"), allocation_id="a").result()
    running.service.prices.set_tier(LOCAL, None, "claude-3-opus", MID)
    again = ledger.allocate(LOCAL, Ask(labels=OPUS, cost="0.9"), allocation_id="a").result()
    later = ledger.allocate(LOCAL, Ask(labels=OPUS, cost="0.9")).result()

    assert again == first
    assert first.tier is None  # nothing asked for it then
    assert later.tier == MID
    assert labels_of(running, "a") == OPUS


def test_what_was_before_a_limit_by_tier_is_taken_over(running: Running) -> None:
    ledger = running.service.ledger
    for id_, labels in (("a", OPUS), ("b", HAIKU)):
        ledger.allocate(LOCAL, Ask(labels=labels, cost="0.1"), allocation_id=id_).result()
        ledger.record(LOCAL, Used(cost="0.25"), labels=labels).result()
    limit(running, per=["tier"])

    assert spent(running, HEAVY) == spent(running, MID) == (250_000_000, 100_000_000)
    ledger.settle(LOCAL, "a", Used(cost="0.05")).result()
    assert spent(running, HEAVY) == (300_000_000, 0)
    assert not running.service.verifier.verify().findings


def test_status_asks_for_the_tier_of_a_model_too(quick: Running) -> None:
    standings = quick.service.standings
    before = standings.status(LOCAL, OPUS)
    limit(quick, scope={"tier": HEAVY})

    assert before.labels == OPUS
    assert [view.name for view in standings.status(LOCAL, OPUS).policies] == ["p"]
    assert standings.status(LOCAL, OPUS).labels == {**OPUS, "tier": HEAVY}
    assert standings.status(LOCAL, HAIKU).policies == ()
    assert standings.status(LOCAL, {"team": "a"}).policies == ()


def test_the_content_that_a_retry_is_told_by_has_no_tier(quick: Running) -> None:
    limit(quick, scope={"tier": HEAVY})
    ticket = quick.service.ledger.allocate(LOCAL, Ask(labels=OPUS, cost="0.1"))
    ticket.result()

    assert isinstance(ticket.work, Allocate)
    assert json.loads(ticket.work.content)["labels"] == OPUS
    assert replace(ticket.work).labels == OPUS  # as it was asked
